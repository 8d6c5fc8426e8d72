"""RobStride motors in their private protocol: `drivers.can.robstride` against vectors; shared with CyberGear."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.impedance import command_ranges
from drivers.can.robstride import codec, commissioning
from drivers.can.robstride.batch import FeedbackBatch, OperationBatch
from drivers.can.robstride.tables import FAULT_NAMES, REPORT_FAULT_NAMES, REPORT_WARNING_NAMES
from drivers.devices import MotorModel, WiredMotor
from supervisor.core.errors import EncodeError, FrameError
from supervisor.core.robot import MotorConfig
from tests.drivers.vector_adapters import (
    Case,
    UnknownOperationError,
    assert_close,
    clipped,
    number,
    simple,
    tolerance_of,
)

Inputs = Mapping[str, Any]
Check = Callable[[Case], None]

PLAIN_FLOAT_TOLERANCE = 1e-6
"""Where a vector states none: it writes nine digits of a float32."""


def model_of(inputs: Inputs) -> MotorModel:
    name = inputs.get("model", "?")
    return MotorModel(
        name,
        inputs["p_max"],
        inputs["v_max"],
        inputs["t_max"],
        inputs.get("kp_max", 500.0),
        inputs.get("kd_max", 5.0),
        "the vector",
    )


def frame_of(case: Case) -> Frame:
    frame = case["frame"]
    return Frame(frame["arbitration_id"], bytes.fromhex(frame["data"]), frame["is_extended"], frame["is_fd"])


def assert_names(names: Mapping[int, str], bits: int, wanted: list[str]) -> None:
    """Same bits, and the same names where the references' name of a bit is one of ours."""
    ours = {name.lower() for name in names.values()}
    found = [names.get(bit, f"bit_{bit}").lower() for bit in range(32) if bits >> bit & 1]
    assert len(found) == len(wanted)
    assert [name for name in wanted if name in ours] == [
        name for name, other in zip(found, wanted, strict=True) if other in ours
    ]


def operation_fields(frame: Frame) -> Mapping[str, int]:
    word = int.from_bytes(frame.data, "big")
    names = {"pos": 48, "vel": 32, "kp": 16, "kd": 0}
    fields = {name: word >> shift & 0xFFFF for name, shift in names.items()}
    return fields | {"tau": frame.arbitration_id >> 8 & 0xFFFF}


def check_operation(case: Case) -> None:
    """The torque is in the identifier, so its count is compared there, with the data's tolerance."""
    inputs = case["inputs"]
    model, identifier = model_of(inputs), inputs["motor_id"]
    given = [number(inputs[key]) for key in ("pos_rad", "vel_rad_s", "kp", "kd", "tau_nm")]
    values = [clipped(value, low, high) for value, (low, high) in zip(given, command_ranges(model), strict=True)]
    if "frame" not in case or not all(math.isfinite(value) for value in given) or values != given:
        with pytest.raises(EncodeError):
            codec.make_operation(model, identifier, given)
    if "frame" not in case or not all(math.isfinite(value) for value in given):
        return
    frame = codec.make_operation(model, identifier, values)
    batch = OperationBatch([WiredMotor("j", MotorConfig("robstride", model.name, "can0", identifier), model)] * 2)
    assert batch.encode(np.array([values, values]).T) == ([frame.arbitration_id] * 2, frame.data * 2)
    assert batch.all_valid
    wanted = frame_of(case)
    assert (frame.arbitration_id ^ wanted.arbitration_id) & ~0xFFFF00 == 0
    assert (frame.is_extended, frame.is_fd) == (wanted.is_extended, wanted.is_fd)
    tolerance = case.get("lsb_tolerance", 0)
    theirs = operation_fields(wanted)
    for name, count in operation_fields(frame).items():
        allowed = tolerance.get(name, 0) if isinstance(tolerance, Mapping) else tolerance
        assert abs(count - theirs[name]) <= allowed, name


def check_feedback(case: Case, names: Mapping[int, str] = FAULT_NAMES) -> None:
    frame, model = frame_of(case), model_of(case["inputs"])
    feedback = codec.decode_feedback(frame, model)
    values = np.zeros((5, 1))
    FeedbackBatch([model]).decode(np.array([int.from_bytes(frame.data, "big", signed=frame.data[0] > 127)]), values)
    assert values[:4, 0].tolist() == list(feedback[4:])
    found = {
        "motor_id": feedback.motor_id,
        "host_id": feedback.host_id,
        "mode": codec.mode_name(feedback.mode_code).lower(),
        "mode_code": feedback.mode_code,
        "fault_bits": feedback.fault_bits,
        "pos_rad": feedback.position_rad,
        "vel_rad_s": feedback.velocity_rad_per_s,
        "tau_nm": feedback.torque_nm,
        "temp_c": feedback.temperature_degc,
    }
    for key, wanted in case["expect"].items():
        if key == "faults":
            assert_names(names, feedback.fault_bits, wanted)
        else:
            assert_close(found[key], wanted, tolerance_of(case, key), key)


def check_read_reply(case: Case) -> None:
    reply = codec.decode_parameter_reply(frame_of(case))
    value = codec.parameter_value(reply.raw_value, case["inputs"]["type"]) if reply.is_success else None
    found = {
        "motor_id": reply.motor_id,
        "host_id": reply.host_id,
        "index": reply.parameter_index,
        "success": reply.is_success,
    }
    for key, wanted in case["expect"].items():
        if key != "value":
            assert_close(found[key], wanted, tolerance_of(case, key), key)
        elif wanted is None:
            assert value is None
        else:
            assert_close(value, wanted, max(tolerance_of(case, key), PLAIN_FLOAT_TOLERANCE), key)


def check_fault_frame(case: Case, names: Mapping[int, str] = REPORT_FAULT_NAMES) -> None:
    report = codec.decode_fault_report(frame_of(case))
    found = {"motor_id": report.motor_id, "fault": report.faults, "warning": report.warnings}
    for key, wanted in case["expect"].items():
        if key == "faults":
            assert_names(names, report.faults, wanted)
        elif key == "warnings":
            assert_names(REPORT_WARNING_NAMES, report.warnings, wanted)
        else:
            assert found[key] == wanted, key


def check_device_id(case: Case) -> None:
    answer = codec.decode_device_id(frame_of(case))
    found = {"motor_id": answer.motor_id, "mcu_uid_hex": answer.unique_id.hex()}
    for key, wanted in case["expect"].items():
        assert found[key] == wanted, key


def check_invalid(case: Case) -> None:
    """What must yield nothing is refused by every decoder."""
    frame = frame_of(case)
    model = MotorModel("?", 12.57, 44.0, 17.0, 500.0, 5.0, "")
    for decode in (
        partial(codec.decode_feedback, model=model),
        codec.decode_parameter_reply,
        codec.decode_fault_report,
        codec.decode_device_id,
    ):
        with pytest.raises(FrameError):
            decode(frame)


def parameter_write(inputs: Inputs) -> Frame:
    return codec.make_parameter_write(
        inputs["motor_id"], inputs["index"], inputs["type"], number(inputs["value"]), inputs["host_id"]
    )


def coded(make: Callable[[int, int, int], Frame]) -> Check:
    return simple(lambda i: make(i["motor_id"], i["value"], i["host_id"]))


COMMON: Mapping[str, Check] = {
    "operation_control": check_operation,
    "enable": simple(lambda i: codec.make_enable(i["motor_id"], i["host_id"])),
    "stop": simple(lambda i: codec.make_stop(i["motor_id"], i["host_id"], clear_fault=i.get("clear_fault", False))),
    "set_zero": simple(lambda i: codec.make_set_zero(i["motor_id"], i["host_id"])),
    "get_device_id": simple(lambda i: codec.make_get_id(i["motor_id"], i["host_id"])),
    "set_can_id": simple(lambda i: commissioning.make_set_can_id(i["motor_id"], i["new_id"], i["host_id"])),
    "write_run_mode": simple(lambda i: codec.make_set_run_mode(i["motor_id"], i["value"], i["host_id"])),
    "write_param_float": simple(parameter_write),
    "read_param": simple(lambda i: codec.make_parameter_read(i["motor_id"], i["index"], i["host_id"])),
    "read_reply": check_read_reply,
    "device_id_reply": check_device_id,
}
"""What CyberGear has, too."""

ROBSTRIDE: Mapping[str, Check] = {
    **COMMON,
    "write_param_int": simple(parameter_write),
    "set_baud": coded(commissioning.make_set_bitrate),
    "active_report": coded(commissioning.make_active_report),
    "set_protocol": coded(commissioning.make_set_protocol),
    "save": simple(lambda i: commissioning.make_save(i["motor_id"], i["host_id"])),
    "feedback": check_feedback,
    "active_feedback": check_feedback,
    "fault_frame": check_fault_frame,
}


def check_with(checks: Mapping[str, Check], case: Case) -> None:
    check = checks.get(case["op"])
    if check is None:
        raise UnknownOperationError(case["op"])
    if case["direction"] == "decode" and case.get("expect", {}).get("valid") is False:
        check = check_invalid
    check(case)


def check(case: Case) -> None:
    check_with(ROBSTRIDE, case)
