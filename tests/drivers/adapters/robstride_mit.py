"""RobStride motors in their 11-bit MIT variant: `drivers.can.robstride.mit_codec` against vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from drivers.bus import Frame
from drivers.can.robstride import mit_codec
from supervisor.core.errors import FrameError
from tests.drivers.mit_vectors import check_mit_command, mit_model
from tests.drivers.vector_adapters import (
    Case,
    UnknownOperationError,
    assert_close,
    number,
    simple,
    tolerance_of,
)


def check_feedback(case: Case) -> None:
    feedback = mit_codec.decode_feedback(bytes.fromhex(case["frame"]["data"]), mit_model(case["inputs"]))
    found = {
        "motor_id": feedback.motor_id,
        "pos_rad": feedback.position_rad,
        "vel_rad_s": feedback.velocity_rad_per_s,
        "tau_nm": feedback.torque_nm,
        "temp_c": feedback.temperature_degc,
    }
    for key, wanted in case["expect"].items():
        assert_close(found[key], wanted, tolerance_of(case, key), key)


def check_invalid(case: Case) -> None:
    with pytest.raises(FrameError):
        mit_codec.decode_feedback(bytes.fromhex(case["frame"]["data"]), mit_model(case["inputs"]))


ROBSTRIDE_MIT: Mapping[str, Callable[[Case], None]] = {
    "mit_command": check_mit_command,
    "enable": simple(lambda i: Frame(i["motor_id"], mit_codec.ENABLE)),
    "stop": simple(lambda i: Frame(i["motor_id"], mit_codec.DISABLE)),
    "set_zero": simple(lambda i: Frame(i["motor_id"], mit_codec.SET_ZERO)),
    "clear_or_read_fault": simple(lambda i: mit_codec.make_fault_request(i["motor_id"], i["f_cmd"])),
    "set_mode": simple(lambda i: mit_codec.make_set_mode(i["motor_id"], i["mode"])),
    "position_command": simple(
        lambda i: mit_codec.make_position(i["motor_id"], number(i["pos_rad"]), number(i["vel_limit_rad_s"]))
    ),
    "speed_command": simple(
        lambda i: mit_codec.make_speed(i["motor_id"], number(i["vel_rad_s"]), number(i["current_limit_a"]))
    ),
    "feedback": check_feedback,
}


def check(case: Case) -> None:
    check = ROBSTRIDE_MIT.get(case["op"])
    if check is None:
        raise UnknownOperationError(case["op"])
    if case["direction"] == "decode" and case.get("expect", {}).get("valid") is False:
        check = check_invalid
    check(case)
