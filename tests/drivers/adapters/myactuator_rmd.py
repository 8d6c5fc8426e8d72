"""MyActuator RMD motors on CAN: `drivers.can.myactuator` against vectors."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from drivers.bus import Frame
from drivers.can.impedance import command_ranges
from drivers.can.myactuator import codec
from drivers.can.myactuator.tables import Command
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


def motion_fields(data: bytes) -> Mapping[str, int]:
    word = int.from_bytes(data, "big")
    names = {"pos": (48, 0xFFFF), "vel": (36, 0xFFF), "kp": (24, 0xFFF), "kd": (12, 0xFFF), "tau": (0, 0xFFF)}
    return {name: word >> shift & mask for name, (shift, mask) in names.items()}


def request_fields(data: bytes) -> Mapping[str, int]:
    """The number of a request, which may be a count off, and the rest, which may not: joined to a far-off number."""
    layout = {Command.TORQUE_CURRENT: "<4sh2s", Command.POSITION_SINGLE_TURN: "<4sH2s"}.get(data[0], "<4si0s")
    head, value, tail = struct.unpack(layout, data)
    return {"value": value, "rest": 1000 * int.from_bytes(head + tail, "little")}


def model_of(inputs: Mapping[str, Any]) -> MotorModel:
    ranges = (inputs[key] for key in ("p_max", "v_max", "t_max", "kp_max", "kd_max"))
    return MotorModel("?", *ranges, "the vector")


def check_request(make: Callable[[Mapping[str, Any]], Frame]) -> Callable[[Case], None]:
    return lambda case: assert_frame(make(case["inputs"]), case, request_fields)


def check_motion_command(case: Case) -> None:
    i = case["inputs"]
    model = model_of(i)
    given = [number(i[key]) for key in ("pos_rad", "vel_rad_s", "kp", "kd", "tau_nm")]
    values = [clipped(value, low, high) for value, (low, high) in zip(given, command_ranges(model), strict=True)]
    if values != given or not all(map(math.isfinite, given)):
        with pytest.raises(EncodeError):
            codec.make_motion_command(i["motor_id"], model, given)
    if all(map(math.isfinite, given)):
        assert_frame(codec.make_motion_command(i["motor_id"], model, values), case, motion_fields)


def reply_of(case: Case, kind: codec.ReplyKind) -> tuple[int, bytes]:
    wanted = case["frame"]
    frame = Frame(wanted["arbitration_id"], bytes.fromhex(wanted["data"]), wanted["is_extended"], wanted["is_fd"])
    sender = codec.sender(frame)
    assert sender is not None
    assert sender[0] is kind
    return sender[1], frame.data


def compare(case: Case, found: Mapping[str, object]) -> None:
    for key, wanted in case["expect"].items():
        assert_close(found[key], wanted, tolerance_of(case, key), key)


def check_reply(case: Case) -> None:
    motor_id, data = reply_of(case, codec.ReplyKind.COMMAND)
    reply = codec.decode_reply(data)
    found: dict[str, object] = {"motor_id": motor_id}
    if isinstance(reply, codec.Status1):
        names = [name.lower() for name in codec.error_names(reply.error_bits)]
        found |= {"temp_c": reply.temperature_degc, "brake_released": reply.is_brake_released, "errors": names}
        found |= {"voltage_v": reply.voltage_v, "error_bits": reply.error_bits}
    elif isinstance(reply, codec.Feedback):
        found |= {"command": reply.command, "temp_c": reply.temperature_degc, "current_a": reply.current_a}
        found |= {"speed_dps": reply.speed_deg_per_s, "angle_deg": reply.angle_deg}
    elif isinstance(reply, codec.Status3):
        found |= {"temp_c": reply.temperature_degc, **reply._asdict()}
    elif isinstance(reply, codec.MultiTurnAngle):
        found |= {"angle_deg": reply.angle_deg}
    elif isinstance(reply, codec.Acknowledged):
        found |= {"command": reply.command, "value": reply.value, "timeout_ms": reply.value}
        found |= {"acceleration_dps2": reply.value}
    compare(case, found)


def check_motion_feedback(case: Case) -> None:
    motor_id, data = reply_of(case, codec.ReplyKind.MOTION)
    feedback = codec.decode_motion_feedback(data, model_of(case["inputs"]))
    assert feedback.motor_id == motor_id
    found = {"motor_id": motor_id, "pos_rad": feedback.position_rad, "vel_rad_s": feedback.velocity_rad_per_s}
    compare(case, {**found, "tau_nm": feedback.torque_nm})


REQUESTS = {
    "shutdown": Command.SHUTDOWN,
    "stop": Command.STOP,
    "release_brake": Command.RELEASE_BRAKE,
    "lock_brake": Command.LOCK_BRAKE,
    "reset": Command.RESET,
    "read_status_1": Command.READ_STATUS_1,
    "read_status_2": Command.READ_STATUS_2,
    "read_status_3": Command.READ_STATUS_3,
    "read_multi_turn_angle": Command.READ_MULTI_TURN_ANGLE,
    "read_single_turn_angle": Command.READ_SINGLE_TURN_ANGLE,
    "read_encoder": Command.READ_ENCODER,
    "read_acceleration": Command.READ_ACCELERATION,
    "read_mode": Command.READ_MODE,
    "set_current_position_zero": Command.SET_POSITION_ZERO,
}
"""The vectors' names of the requests that carry no value."""


def request(command: Command) -> Callable[[Case], None]:
    return simple(lambda i: codec.make_request(i["motor_id"], command))


CHECKS: Mapping[str, Callable[[Case], None]] = {
    **{name: request(command) for name, command in REQUESTS.items()},
    "broadcast": simple(lambda i: codec.make_broadcast(REQUESTS[i["command"]])),
    "torque_current": check_request(lambda i: codec.make_torque_current(i["motor_id"], number(i["current_a"]))),
    "speed": check_request(lambda i: codec.make_speed(i["motor_id"], number(i["speed_dps"]))),
    "position_absolute": check_request(
        lambda i: codec.make_position(i["motor_id"], number(i["pos_deg"]), i["max_speed_dps"])
    ),
    "position_incremental": check_request(
        lambda i: codec.make_position(i["motor_id"], number(i["pos_deg"]), i["max_speed_dps"], is_incremental=True)
    ),
    "set_timeout": simple(lambda i: codec.make_set_timeout(i["motor_id"], number(i["timeout_ms"]) / 1e3)),
    "set_acceleration": simple(
        lambda i: codec.make_set_acceleration(i["motor_id"], i["acceleration_dps2"], i["index"])
    ),
    "status_1": check_reply,
    "status_3": check_reply,
    "feedback": check_reply,
    "multi_turn_angle": check_reply,
    "motion_command": check_motion_command,
    "motion_feedback": check_motion_feedback,
}


def check(case: Case) -> None:
    """One case of the file."""
    if case["op"] not in CHECKS:
        raise UnknownOperationError(case["op"])
    CHECKS[case["op"]](case)
