"""From a vector's inputs to our codecs' calls, and from what they return to what the vector expects.

The vectors' references clip values that are out of range. Our codecs raise instead (clamping is the gate's job, where
it is counted), so the adapters clip first, and check that without clipping the codec would have refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.damiao import codec as damiao
from drivers.can.damiao.batch import FeedbackBatch, MitBatch
from drivers.devices import MotorModel
from drivers.imu.hipnuc import codec as hipnuc
from drivers.imu.hipnuc.tables import TAG_HI81, TAG_HI83, TAG_HI91
from supervisor.core.errors import EncodeError

Case = Mapping[str, Any]

REFERENCE_STATUS_CODES = {0, 1, 8, 9, 10, 11, 12, 13, 14}
"""Status nibbles that the references know; they call any other UNKNOWN, where we have a name or a number."""


class UnknownOperationError(AssertionError):
    """A vector of a protocol that is implemented asks for something that is not."""


def number(value: object) -> float:
    """Numbers as the vectors write them: NaN and infinity are text."""
    return float(value)  # type: ignore[arg-type]


def assert_close(found: object, wanted: object, tolerance: float, what: str) -> None:
    """Compare one expected value, nested as the vectors nest them."""
    if isinstance(wanted, list):
        assert isinstance(found, Sequence), f"{what}: found {found}, expected {wanted}"
        assert len(found) == len(wanted), f"{what}: found {found}, expected {wanted}"
        for index, (a, b) in enumerate(zip(found, wanted, strict=True)):
            assert_close(a, b, tolerance, f"{what}[{index}]")
    elif isinstance(wanted, str) and wanted not in ("nan", "inf", "-inf"):
        assert found == wanted, f"{what}: found {found}, expected {wanted}"
    elif math.isnan(number(wanted)):
        assert math.isnan(number(found)), f"{what}: found {found}, expected NaN"
    else:
        assert number(found) == pytest.approx(number(wanted), abs=tolerance, rel=1e-6), what


def tolerance_of(case: Case, key: str) -> float:
    tolerance = case.get("tolerance", 0.0)
    return float(tolerance.get(key, 0.0)) if isinstance(tolerance, Mapping) else float(tolerance)


def assert_frame(found: Frame, case: Case, fields: Callable[[bytes], Mapping[str, int]] | None = None) -> None:
    """Compare a frame with the vector's: exactly, or one of the alternatives, or within counts."""
    wanted = case["frame"]
    assert found.arbitration_id == wanted["arbitration_id"]
    assert found.is_extended == wanted["is_extended"]
    assert found.is_fd == wanted["is_fd"]
    if found.data.hex() in (wanted["data"], *case.get("alt_data", ())):
        return
    counts = case.get("lsb_tolerance", case.get("count_tolerance"))
    assert counts is not None, f"bytes {found.data.hex()}, expected {wanted['data']}"
    assert fields is not None, f"no packed fields to compare in {case['name']}"
    ours, theirs = fields(found.data), fields(bytes.fromhex(wanted["data"]))
    for name, value in theirs.items():
        allowed = counts.get(name, 0) if isinstance(counts, Mapping) else counts
        assert abs(ours[name] - value) <= allowed, f"{name}: {ours[name]}, expected {value} within {allowed}"


def mit_fields(data: bytes) -> Mapping[str, int]:
    word = int.from_bytes(data, "big")
    names = {"pos": (48, 0xFFFF), "vel": (36, 0xFFF), "kp": (24, 0xFFF), "kd": (12, 0xFFF), "tau": (0, 0xFFF)}
    return {name: word >> shift & mask for name, (shift, mask) in names.items()}


def damiao_model(inputs: Mapping[str, Any]) -> MotorModel:
    return MotorModel(
        inputs.get("model", "?"), inputs["p_max"], inputs["v_max"], inputs["t_max"], 500.0, 5.0, "the vector"
    )


def clipped(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def check_mit_command(case: Case) -> None:
    inputs = case["inputs"]
    model = damiao_model(inputs)
    given = [number(inputs[key]) for key in ("pos_rad", "vel_rad_s", "kp", "kd", "tau_nm")]
    ranges = damiao.command_ranges(model)
    values = [clipped(value, low, high) for value, (low, high) in zip(given, ranges, strict=True)]
    if "frame" not in case or not all(math.isfinite(value) for value in given):
        with pytest.raises(EncodeError):
            damiao.encode_mit(model, given)
        return
    if values != given:
        with pytest.raises(EncodeError):
            damiao.encode_mit(model, given)
    data = damiao.encode_mit(model, values)
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


def simple(make: Callable[[Mapping[str, Any]], Frame]) -> Callable[[Case], None]:
    return lambda case: assert_frame(make(case["inputs"]), case)


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


def check_damiao(case: Case) -> None:
    check = DAMIAO.get(case["op"])
    if check is None:
        raise UnknownOperationError(case["op"])
    if case["direction"] == "decode" and case.get("expect", {}).get("valid") is False:
        check = check_ignore
    check(case)


def hipnuc_values(packet: hipnuc.Packet) -> dict[str, object]:
    """One packet under the vectors' names."""
    if isinstance(packet, hipnuc.Hi91):
        found: dict[str, object] = dict(
            zip(("roll_deg", "pitch_deg", "yaw_deg"), packet.rpy_deg, strict=True), tag=TAG_HI91
        )
        found |= {"main_status": packet.main_status, "temp_c": packet.temperature_degc, "time_ms": packet.time_ms}
        found |= {"pressure_pa": packet.pressure_pa, "acc_g": packet.acc_g, "gyr_dps": packet.gyro_deg_per_s}
        return found | {"mag_ut": packet.mag_ut, "quat_wxyz": packet.quat_wxyz}
    if isinstance(packet, hipnuc.Hi81):
        found = {"tag": TAG_HI81, "main_status": packet.main_status, "ins_status": packet.ins_status}
        found |= {"gyr_rad_s": packet.gyro_rad_per_s, "acc_m_s2": packet.acc_m_per_s2, "mag_ut": packet.mag_ut}
        return found | {"quat_wxyz": packet.quat_wxyz, "rpy_deg": packet.rpy_deg, "temp_c": packet.temperature_degc}
    aliases = {
        "acc_m_per_s2": "acc_raw",
        "gyro_rad_per_s": "gyr_raw",
        "temperature_degc": "temp_c",
        "mag_ut": "mag_raw",
    }
    found = {"tag": TAG_HI83, "main_status": packet.main_status, "ins_status": packet.ins_status}
    found["bitmap"] = packet.bitmap
    for name, values in packet.fields.items():
        value = values[0] if len(values) == 1 else values
        found[name] = value
        found[aliases.get(name, name)] = value
    return found


def check_hipnuc(case: Case) -> None:
    """Every case is bytes in, packets out, whatever it is called."""
    if case["direction"] != "decode" or "bytes" not in case or "packets" not in case.get("expect", {}):
        raise UnknownOperationError(case["op"])
    data = bytes.fromhex(case["bytes"])
    at_once, by_byte = hipnuc.FrameParser(), hipnuc.FrameParser()
    payloads = at_once.feed(data)
    assert [payload for byte in data for payload in by_byte.feed(bytes((byte,)))] == payloads
    packets = [packet for payload in payloads for packet in hipnuc.decode_packets(payload)]
    wanted = case["expect"]["packets"]
    assert len(packets) == len(wanted)
    for packet, expected in zip(packets, wanted, strict=True):
        found = hipnuc_values(packet)
        for key, value in expected.items():
            assert_close(found[key], value, tolerance_of(case, key), key)


PROTOCOLS: Mapping[str, Callable[[Case], None]] = {"damiao": check_damiao, "hipnuc": check_hipnuc}
