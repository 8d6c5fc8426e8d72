"""CubeMars AK motors in MIT, V3 and servo mode: `drivers.can.cubemars` against vectors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import pytest

from drivers.bus import Frame
from drivers.can.cubemars import codec
from supervisor.core.errors import EncodeError, FrameError
from tests.drivers.mit_vectors import check_command, check_mit_command, mit_model
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

ERPM_PER_COUNT = 10


def v3_fields(data: bytes) -> Mapping[str, int]:
    word = int.from_bytes(data, "big")
    names = {"kp": (52, 0xFFF), "kd": (40, 0xFFF), "pos": (24, 0xFFFF), "vel": (12, 0xFFF), "tau": (0, 0xFFF)}
    return {name: word >> shift & mask for name, (shift, mask) in names.items()}


def limited(
    make: Callable[[int, float, float], Frame], key: str, limit_key: str | None, limit: float = 0.0
) -> Callable[[Case], None]:
    """A servo command of one value that the references clip to a limit, stated or known."""

    def check(case: Case) -> None:
        i = case["inputs"]
        given, largest = number(i[key]), limit if limit_key is None else number(i[limit_key])
        value = clipped(given, -largest, largest)
        if value != given or "frame" not in case:
            with pytest.raises(EncodeError):
                make(i["motor_id"], given, largest)
        if "frame" in case and math.isfinite(given):
            assert_frame(make(i["motor_id"], value, largest), case)

    return check


def check_mit_feedback(case: Case) -> None:
    feedback = codec.decode_mit_feedback(bytes.fromhex(case["frame"]["data"]), mit_model(case["inputs"]))
    found = {
        "motor_id": feedback.motor_id,
        "pos_rad": feedback.position_rad,
        "vel_rad_s": feedback.velocity_rad_per_s,
        "tau_nm": feedback.torque_nm,
        "error_code": feedback.error_code,
        "error": error(feedback.error_code),
    }
    for key, wanted in case["expect"].items():
        if key.startswith("temp"):
            # The same byte, whether the reference takes it for signed or not.
            assert int(feedback.temperature_degc) % 0x100 == wanted % 0x100
        else:
            assert_close(found[key], wanted, tolerance_of(case, key), key)


def check_servo_feedback(case: Case) -> None:
    frame = case["frame"]
    feedback = codec.decode_servo_feedback(
        Frame(frame["arbitration_id"], bytes.fromhex(frame["data"]), frame["is_extended"])
    )
    found = {
        "motor_id": feedback.motor_id,
        "pos_deg": feedback.position_deg,
        "vel_erpm": feedback.velocity_erpm,
        "current_a": feedback.current_a,
        "temp_c": feedback.temperature_degc,
        "error_code": feedback.error_code,
        "error": error(feedback.error_code),
    }
    for key, wanted in case["expect"].items():
        assert_close(found[key], wanted, tolerance_of(case, key), key)


def check_invalid(case: Case) -> None:
    frame = case["frame"]
    data = bytes.fromhex(frame["data"])
    if case["op"] == "servo_feedback":
        decode = partial(codec.decode_servo_feedback, Frame(frame["arbitration_id"], data, frame["is_extended"]))
    else:
        decode = partial(codec.decode_mit_feedback, data, mit_model(case["inputs"]))
    with pytest.raises(FrameError):
        decode()


def error(code: int) -> str:
    return codec.error_name(code).lower() if code else "none"


def position_velocity(i: Mapping[str, int]) -> Frame:
    return codec.make_position_velocity(
        i["motor_id"],
        number(i["pos_deg"]),
        i["vel_counts_10erpm"] * ERPM_PER_COUNT,
        i["acc_counts_10erpm_s"] * ERPM_PER_COUNT,
    )


CUBEMARS: Mapping[str, Callable[[Case], None]] = {
    "mit_command": check_mit_command,
    "enter_motor_mode": simple(lambda i: Frame(i["motor_id"], codec.ENTER_MOTOR_MODE)),
    "exit_motor_mode": simple(lambda i: Frame(i["motor_id"], codec.EXIT_MOTOR_MODE)),
    "set_zero": simple(lambda i: Frame(i["motor_id"], codec.SET_ZERO)),
    "mit_feedback": check_mit_feedback,
    "v3_command": lambda case: check_command(case, codec.make_v3_command, v3_fields),
    "servo_duty": limited(lambda motor_id, duty, _: codec.make_duty(motor_id, duty), "duty", None, 1.0),
    "servo_current": limited(codec.make_current, "current_a", "limit_a"),
    "servo_brake": simple(lambda i: codec.make_brake(i["motor_id"], number(i["current_a"]))),
    "servo_velocity": limited(codec.make_velocity, "erpm", "limit_erpm"),
    "servo_position": limited(codec.make_position, "pos_deg", "limit_deg"),
    "servo_set_origin": simple(lambda i: codec.make_set_origin(i["motor_id"], i["mode"])),
    "servo_pos_vel": simple(position_velocity),
    "servo_feedback": check_servo_feedback,
}


def check(case: Case) -> None:
    check = CUBEMARS.get(case["op"])
    if check is None:
        raise UnknownOperationError(case["op"])
    if case["direction"] == "decode" and case.get("expect", {}).get("valid") is False:
        check = check_invalid
    check(case)
