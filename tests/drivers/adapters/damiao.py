"""Damiao motors on CAN: `drivers.can.damiao` against vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can import impedance
from drivers.can.damiao import codec as damiao
from drivers.can.damiao.batch import FeedbackBatch
from drivers.can.impedance import MitBatch
from drivers.devices import MotorModel
from supervisor.core.errors import EncodeError
from tests.drivers.vector_adapters import (
    Case,
    UnknownOperationError,
    assert_close,
    assert_frame,
    clipped,
    number,
    simple,
    tolerance_of,
)

REFERENCE_STATUS_CODES = {0, 1, 8, 9, 10, 11, 12, 13, 14}
"""Status nibbles that the references know; they call any other UNKNOWN, where we have a name or a number."""


def mit_fields(data: bytes) -> Mapping[str, int]:
    word = int.from_bytes(data, "big")
    names = {"pos": (48, 0xFFFF), "vel": (36, 0xFFF), "kp": (24, 0xFFF), "kd": (12, 0xFFF), "tau": (0, 0xFFF)}
    return {name: word >> shift & mask for name, (shift, mask) in names.items()}


def damiao_model(inputs: Mapping[str, Any]) -> MotorModel:
    return MotorModel(
        inputs.get("model", "?"), inputs["p_max"], inputs["v_max"], inputs["t_max"], 500.0, 5.0, "the vector"
    )


def check_mit_command(case: Case) -> None:
    inputs = case["inputs"]
    model = damiao_model(inputs)
    given = [number(inputs[key]) for key in ("pos_rad", "vel_rad_s", "kp", "kd", "tau_nm")]
    ranges = impedance.command_ranges(model)
    values = [clipped(value, low, high) for value, (low, high) in zip(given, ranges, strict=True)]
    if "frame" not in case or not all(math.isfinite(value) for value in given):
        with pytest.raises(EncodeError):
            impedance.encode_mit(model, given)
        return
    if values != given:
        with pytest.raises(EncodeError):
            impedance.encode_mit(model, given)
    data = impedance.encode_mit(model, values)
    batch = MitBatch([model, model])
    assert batch.encode(np.array([values, values]).T) == data + data
    assert batch.all_valid
    assert_frame(Frame(inputs["motor_id"], data), case, mit_fields)


def check_pos_vel(case: Case) -> None:
    i = case["inputs"]
    data = damiao.encode_position_velocity(number(i["pos_rad"]), number(i["vel_limit_rad_s"]))
    assert_frame(Frame(0x100 + i["motor_id"], data), case)


def check_vel(case: Case) -> None:
    i = case["inputs"]
    assert_frame(Frame(0x200 + i["motor_id"], damiao.encode_velocity(number(i["vel_rad_s"]))), case)


def check_force_pos(case: Case) -> None:
    i = case["inputs"]
    given = (number(i["vel_limit_rad_s"]), number(i["current_per_unit"]))
    values = (clipped(given[0], 0.0, 100.0), clipped(given[1], 0.0, 1.0))
    if values != given:
        with pytest.raises(EncodeError):
            damiao.encode_force_position(number(i["pos_rad"]), *given)
    assert_frame(Frame(0x300 + i["motor_id"], damiao.encode_force_position(number(i["pos_rad"]), *values)), case)


def check_register_write(case: Case) -> None:
    i = case["inputs"]
    assert_frame(damiao.make_register_write(i["motor_id"], i["register"], number(i["value"])), case)


def check_timeout(case: Case) -> None:
    i = case["inputs"]
    timeout_s = number(i["timeout_ms"]) / 1e3
    counts = case.get("expect", {}).get("counts")
    if "frame" not in case or not timeout_s >= 0.0 or (counts == 0 and timeout_s > 0.0):
        # A duration that would silently become "off" is refused, whatever the references make of it.
        with pytest.raises(EncodeError):
            damiao.make_set_timeout(i["motor_id"], timeout_s)
        return
    frame = damiao.make_set_timeout(i["motor_id"], timeout_s)
    if counts is not None:
        assert int.from_bytes(frame.data[4:], "little") == counts
    assert_frame(frame, case)


def check_feedback(case: Case) -> None:
    model = damiao_model(case["inputs"])
    data = bytes.fromhex(case["frame"]["data"])
    feedback = damiao.decode_feedback(data, model)
    values = np.zeros((5, 1))
    word = np.array([int.from_bytes(data, "big", signed=True)])
    nibbles = FeedbackBatch([model]).decode(word, values)
    assert nibbles.tolist() == [feedback.status_code]
    assert values[:4, 0].tolist() == [*feedback[2:5], max(feedback.mosfet_degc, feedback.rotor_degc)]
    status = damiao.status_name(feedback.status_code)
    if feedback.status_code not in REFERENCE_STATUS_CODES and case["expect"].get("status") == "UNKNOWN":
        status = "UNKNOWN"
    found = {
        "motor_id_low4": feedback.motor_id_low4,
        "status_code": feedback.status_code,
        "status": status,
        "pos_rad": feedback.position_rad,
        "vel_rad_s": feedback.velocity_rad_per_s,
        "tau_nm": feedback.torque_nm,
        "t_mos_c": feedback.mosfet_degc,
        "t_rotor_c": feedback.rotor_degc,
    }
    for key, wanted in case["expect"].items():
        assert_close(found[key], wanted, tolerance_of(case, key), key)


def check_register_reply(case: Case) -> None:
    data = bytes.fromhex(case["frame"]["data"])
    reply = damiao.decode_register_reply(data)
    assert damiao.match_register_reply(data, reply.motor_id, reply.operation, reply.register) == reply
    assert damiao.match_register_reply(data, reply.motor_id, reply.operation, reply.register ^ 1) is None
    found = {
        "motor_id": reply.motor_id,
        "operation": damiao.OPERATIONS[reply.operation],
        "register": reply.register,
        "type": "uint32" if isinstance(reply.value, int) else "float",
        "value": reply.value,
    }
    for key, wanted in case["expect"].items():
        assert_close(found[key], wanted, tolerance_of(case, key), key)


def check_ignore(case: Case) -> None:
    """A frame that only looks like feedback must not become feedback of any motor that is wired as usual."""
    from drivers.can.damiao.device import DamiaoMotors  # noqa: PLC0415
    from drivers.devices import WiredMotor  # noqa: PLC0415
    from tests.drivers.fake_devices import MemoryBus, joint  # noqa: PLC0415 (only this case needs buses)

    frame = case["frame"]
    model = MotorModel("?", 12.5, 30.0, 10.0, 500.0, 5.0, "")
    wired = [WiredMotor(f"j{i}", joint("can0", i).motor, model) for i in range(1, 16)]
    bus = MemoryBus()
    motors = DamiaoMotors(wired, {"can0": bus})
    motors.take("can0", [Frame(frame["arbitration_id"], bytes.fromhex(frame["data"]), frame["is_extended"])])
    assert (bus.counters.received > 0) == case["expect"].get("is_feedback", False)


DAMIAO: Mapping[str, Callable[[Case], None]] = {
    "mit_command": check_mit_command,
    "enable": simple(lambda i: Frame(i["motor_id"], damiao.ENABLE)),
    "disable": simple(lambda i: Frame(i["motor_id"], damiao.DISABLE)),
    "set_zero": simple(lambda i: Frame(i["motor_id"], damiao.SET_ZERO)),
    "clear_error": simple(lambda i: Frame(i["motor_id"], damiao.CLEAR_ERROR)),
    "request_feedback": simple(lambda i: damiao.make_poll(i["motor_id"])),
    "pos_vel_command": check_pos_vel,
    "vel_command": check_vel,
    "force_pos_command": check_force_pos,
    "register_read": simple(lambda i: damiao.make_register_read(i["motor_id"], i["register"])),
    "register_write": check_register_write,
    "set_can_timeout": check_timeout,
    "store_parameters": simple(lambda i: damiao.make_store(i["motor_id"])),
    "feedback": check_feedback,
    "register_reply": check_register_reply,
    "ignore": check_ignore,
}


def check(case: Case) -> None:
    check = DAMIAO.get(case["op"])
    if check is None:
        raise UnknownOperationError(case["op"])
    if case["direction"] == "decode" and case.get("expect", {}).get("valid") is False:
        check = check_ignore
    check(case)
