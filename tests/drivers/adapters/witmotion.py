"""WitMotion inertial units on a serial line: `drivers.imu.witmotion` against vectors."""

from __future__ import annotations

import pytest

from drivers.imu.witmotion import codec
from drivers.imu.witmotion.tables import TYPE_NAMES
from supervisor.core.errors import EncodeError
from tests.drivers.vector_adapters import Case, UnknownOperationError, assert_close, tolerance_of

DECODED = ("frame", "stream", "invalid")


def values_of(frame: bytes) -> dict[str, object]:
    """One frame under the vectors' names."""
    content = codec.decode_frame(frame)
    found: dict[str, object] = {"type": TYPE_NAMES.get(frame[1], f"0x{frame[1]:02X}")}
    match content:
        case codec.Acceleration():
            return found | {"acc_g": content.acc_g, "temp_c": content.temperature_degc}
        case codec.Rate():
            return found | {"gyro_dps": content.gyro_deg_per_s}
        case codec.Angle():
            angles = dict(zip(("roll_deg", "pitch_deg", "yaw_deg"), content.rpy_deg, strict=True))
            return found | angles | {"version": content.version}
        case codec.Quaternion():
            return found | {"quat": content.quat_wxyz}
        case codec.Magnetic():
            return found | {"mag_raw": content.raw_mag}
        case codec.Other():
            return found | {"raw": content.raw_words}


def check_decode(case: Case) -> None:
    data = bytes.fromhex(case["bytes"])
    at_once, by_byte = codec.FrameParser(), codec.FrameParser()
    frames = at_once.feed(data)
    assert [frame for byte in data for frame in by_byte.feed(bytes((byte,)))] == frames
    wanted = case["expect"]["frames"]
    assert len(frames) == len(wanted)
    for frame, expected in zip(frames, wanted, strict=True):
        found = values_of(frame)
        for key, value in expected.items():
            assert_close(found[key], value, tolerance_of(case, key), key)


def check_encode(case: Case) -> None:
    inputs = case["inputs"]
    if case["op"] == "write_register":
        data = codec.make_register_write(inputs["register"], inputs["value"])
        with pytest.raises(EncodeError):
            codec.make_register_write(inputs["register"], inputs["value"] + 0x1_0000)
    else:
        data = codec.make_register_read(inputs["register"])
    assert data.hex() == case["bytes"]


def check(case: Case) -> None:
    if case["direction"] == "decode" and case["op"] in DECODED:
        check_decode(case)
    elif case["direction"] == "encode" and case["op"] in ("write_register", "read_register"):
        check_encode(case)
    else:
        raise UnknownOperationError(case["op"])
