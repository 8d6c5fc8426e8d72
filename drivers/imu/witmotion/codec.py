"""WitMotion frames and bursts: a stream parser, pure decoding, and the frames that set registers.

Values keep the units of the frames; `measure` is where they become SI.

Source: see `tables`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from drivers.imu.measurement import DEGREE_RAD, Measurement, quaternion_of_angles
from drivers.imu.stream import INCOMPLETE, StreamParser
from drivers.imu.witmotion.tables import (
    ACCELERATION_FULL_SCALE_G,
    ANGLE_FULL_SCALE_DEG,
    FRAME_BYTES_EACH,
    FULL_SCALE,
    QUATERNION_NORM,
    RATE_FULL_SCALE_DEG_PER_S,
    REGISTER_READ,
    SATURATED_RAW,
    STANDARD_GRAVITY_M_PER_S2,
    SYNC,
    TEMPERATURE_PER_DEGC,
    TYPE_ACCELERATION,
    TYPE_ANGLE,
    TYPE_MAGNETIC,
    TYPE_QUATERNION,
    TYPE_RATE,
)
from supervisor.core.errors import EncodeError, FrameError

_WORDS: Final = struct.Struct("<4h")
_G: Final = ACCELERATION_FULL_SCALE_G / FULL_SCALE
_DEG_PER_S: Final = RATE_FULL_SCALE_DEG_PER_S / FULL_SCALE
_DEG: Final = ANGLE_FULL_SCALE_DEG / FULL_SCALE
_ACCELERATION_PER_COUNT: Final = _G * STANDARD_GRAVITY_M_PER_S2
_RATE_PER_COUNT: Final = _DEG_PER_S * DEGREE_RAD
_ANGLE_PER_COUNT: Final = _DEG * DEGREE_RAD
_LOW, _HIGH = (limit * FULL_SCALE for limit in QUATERNION_NORM)


class Acceleration(NamedTuple):
    """A 0x51 frame."""

    acc_g: tuple[float, float, float]
    temperature_degc: float


class Rate(NamedTuple):
    """A 0x52 frame; some units send their supply voltage in the fourth word."""

    gyro_deg_per_s: tuple[float, float, float]
    raw_fourth: int


class Angle(NamedTuple):
    """A 0x53 frame."""

    rpy_deg: tuple[float, float, float]
    version: int


class Quaternion(NamedTuple):
    """A 0x59 frame."""

    quat_wxyz: tuple[float, float, float, float]


class Magnetic(NamedTuple):
    """A 0x54 frame, in counts: their size depends on the unit's magnetometer."""

    raw_mag: tuple[int, int, int]
    temperature_degc: float


class Other(NamedTuple):
    """A frame of any other type."""

    raw_words: tuple[int, int, int, int]


Content = Acceleration | Rate | Angle | Quaternion | Magnetic | Other


class FrameParser(StreamParser):
    """Finds WitMotion frames in a stream of bytes."""

    def _find(self, buffer: bytes, at: int) -> int:
        return buffer.find(SYNC, at)

    def _examine(self, buffer: bytes, at: int) -> int | str:
        stop = at + FRAME_BYTES_EACH
        if len(buffer) > at + 1 and buffer[at + 1] & 0xF0 != 0x50:
            return "type"
        if len(buffer) < stop:
            return INCOMPLETE
        return FRAME_BYTES_EACH if sum(buffer[at : stop - 1]) & 0xFF == buffer[stop - 1] else "checksum"


def decode_frame(frame: bytes) -> Content:
    """Decode one whole frame.

    Raises:
        FrameError: Wrong length, header, type or sum.
    """
    if len(frame) != FRAME_BYTES_EACH:
        raise FrameError(f"{len(frame)} bytes where a frame has {FRAME_BYTES_EACH}")
    if frame[0] != SYNC or frame[1] & 0xF0 != 0x50:
        raise FrameError(f"frame begins with 0x{frame[0]:02X} 0x{frame[1]:02X}, not with 0x55 and a type 0x50 to 0x5F")
    if sum(frame[:-1]) & 0xFF != frame[-1]:
        raise FrameError(f"sum 0x{frame[-1]:02X} where the bytes add up to 0x{sum(frame[:-1]) & 0xFF:02X}")
    a, b, c, d = _WORDS.unpack_from(frame, 2)
    kind = frame[1]
    if kind == TYPE_ACCELERATION:
        return Acceleration((a * _G, b * _G, c * _G), d / TEMPERATURE_PER_DEGC)
    if kind == TYPE_RATE:
        return Rate((a * _DEG_PER_S, b * _DEG_PER_S, c * _DEG_PER_S), d)
    if kind == TYPE_ANGLE:
        return Angle((a * _DEG, b * _DEG, c * _DEG), d & 0xFFFF)
    if kind == TYPE_QUATERNION:
        return Quaternion((a / FULL_SCALE, b / FULL_SCALE, c / FULL_SCALE, d / FULL_SCALE))
    if kind == TYPE_MAGNETIC:
        return Magnetic((a, b, c), d / TEMPERATURE_PER_DEGC)
    return Other((a, b, c, d))


def measure(burst: Mapping[int, bytes]) -> Measurement:
    """What one complete burst says, SI.

    Args:
        burst: Whole, checked frames by type: acceleration, rate, and quaternion or angle.
    """
    ax, ay, az, _ = _WORDS.unpack_from(burst[TYPE_ACCELERATION], 2)
    gx, gy, gz, _ = _WORDS.unpack_from(burst[TYPE_RATE], 2)
    quaternion = burst.get(TYPE_QUATERNION)
    if quaternion is not None:
        orientation = _WORDS.unpack_from(quaternion, 2)
    else:
        roll, pitch, yaw, _ = _WORDS.unpack_from(burst[TYPE_ANGLE], 2)
        orientation = quaternion_of_angles(roll * _ANGLE_PER_COUNT, pitch * _ANGLE_PER_COUNT, yaw * _ANGLE_PER_COUNT)
    a, g = _ACCELERATION_PER_COUNT, _RATE_PER_COUNT
    farthest = max(map(abs, (ax, ay, az, gx, gy, gz)))
    return Measurement(
        (ax * a, ay * a, az * a), (gx * g, gy * g, gz * g), orientation, is_doubtful=farthest >= SATURATED_RAW
    )


def is_plausible_quaternion(frame: bytes) -> bool:
    """Whether a checked 0x59 frame holds a unit quaternion, or zeros, as a unit without attitude sends them."""
    norm = math.hypot(*_WORDS.unpack_from(frame, 2))
    return norm == 0.0 or _LOW <= norm <= _HIGH


def make_register_write(register: int, value: int) -> bytes:
    """The frame that writes a register. Most need the unlock register written first, and `save` to be kept.

    Raises:
        EncodeError: A register or value that the frame cannot carry.
    """
    if not 0 <= register <= 0xFF:
        raise EncodeError(f"register {register} outside 0 to 255")
    if not 0 <= value <= 0xFFFF:
        raise EncodeError(f"value {value} of register {register} outside 0 to 65535")
    return bytes((0xFF, 0xAA, register, value & 0xFF, value >> 8))


def make_register_read(register: int) -> bytes:
    """The frame that asks for a register; the unit answers with a 0x5F frame.

    Raises:
        EncodeError: A register that the frame cannot carry.
    """
    if not 0 <= register <= 0xFF:
        raise EncodeError(f"register {register} outside 0 to 255")
    return make_register_write(REGISTER_READ, register)
