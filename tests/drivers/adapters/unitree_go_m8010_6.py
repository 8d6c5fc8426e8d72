"""Unitree GO-M8010-6 motors: `drivers.serial.unitree` against vectors."""

from __future__ import annotations

import struct

import pytest

from drivers.serial.unitree import codec as unitree
from supervisor.core.errors import EncodeError, FrameError
from tests.drivers.vector_adapters import (
    Case,
    UnknownOperationError,
    assert_close,
    clipped,
    number,
    tolerance_of,
)

FIELDS = ("q", "dq", "kp", "kd", "tau")


def raw_fields(frame: bytes) -> dict[str, int]:
    tau, dq, q, kp, kd = struct.unpack_from("<hhiHH", frame, 3)
    return {"tau": tau, "dq": dq, "q": q, "kp": kp, "kd": kd}


def check_command(case: Case) -> None:
    i = case["inputs"]
    given = [number(i[key]) for key in ("q_rad", "dq_rad_s", "kp", "kd", "tau_nm")]
    values = [clipped(value, low, high) for value, (low, high) in zip(given, unitree.COMMAND_RANGES, strict=True)]
    if values != given or "bytes" not in case:
        with pytest.raises(EncodeError):
            unitree.encode_command(i["id"], i["status"], given)
    if "bytes" not in case:
        return
    found, wanted = unitree.encode_command(i["id"], i["status"], values), bytes.fromhex(case["bytes"])
    assert unitree.make_command_parser().feed(wanted) == [wanted]
    assert unitree.make_command_parser().feed(found) == [found]
    ours, theirs = raw_fields(found), raw_fields(wanted)
    assert theirs == case["expect"]["raw"]
    assert found[:3] == wanted[:3]
    counts = case.get("count_tolerance", 0)
    for name in FIELDS:
        allowed = case.get("pos_count_tolerance", counts) if name == "q" else counts
        assert abs(ours[name] - theirs[name]) <= allowed, f"{name}: {ours[name]}, expected {theirs[name]}"


def check_reply(case: Case) -> None:
    data, expect = bytes.fromhex(case["bytes"]), dict(case["expect"])
    at_once, by_byte = unitree.FrameParser(), unitree.FrameParser()
    frames = at_once.feed(data)
    assert [frame for byte in data for frame in by_byte.feed(bytes((byte,)))] == frames
    if not expect.pop("valid"):
        assert frames == []
        with pytest.raises(FrameError):
            unitree.decode_reply(data)
        return
    (frame,) = frames
    feedback = unitree.decode_reply(frame)
    found = {
        "id": feedback.motor_id,
        "status": feedback.mode,
        "temp_c": feedback.temperature_degc,
        "tau_nm": feedback.torque_nm,
        "dq_rad_s": feedback.velocity_rad_per_s,
        "q_rad": feedback.position_rad,
        "error_code": feedback.error_code,
        "error": unitree.error_name(feedback.error_code),
        "foot_force": feedback.force_count,
    }
    expect.pop("reason", None)
    for key, wanted in expect.items():
        assert_close(found[key], wanted, tolerance_of(case, key), key)


def check(case: Case) -> None:
    if case["direction"] == "encode" and case["op"] == "command":
        check_command(case)
    elif case["direction"] == "decode" and case["op"] in ("reply", "reply_invalid"):
        check_reply(case)
    else:
        raise UnknownOperationError(case["op"])
