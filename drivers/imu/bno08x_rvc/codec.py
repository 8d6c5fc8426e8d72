"""UART-RVC frames: a stream parser and pure decoding.

Values keep the units of the frame; `measure` is where they become SI.

Source: see `tables`.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from drivers.imu.bno08x_rvc.tables import (
    ANGLE_LIMITS_DEG,
    ANGLE_PER_COUNT_DEG,
    FRAME_BYTES_EACH,
    STANDARD_GRAVITY_M_PER_S2,
    SYNC,
)
from drivers.imu.measurement import DEGREE_RAD, NAN3, Measurement, quaternion_of_angles
from drivers.imu.stream import INCOMPLETE, StreamParser
from supervisor.core.errors import FrameError

_LAYOUT: Final = struct.Struct("<2xB6h4x")
_MILLI_G: Final = 1e-3 * STANDARD_GRAVITY_M_PER_S2


class Rvc(NamedTuple):
    """One frame; its number, called index by the maker, counts modulo 256."""

    number: int
    ypr_deg: tuple[float, float, float]
    acc_mg: tuple[int, int, int]


class FrameParser(StreamParser):
    """Finds UART-RVC frames in a stream of bytes."""

    def _find(self, buffer: bytes, at: int) -> int:
        start = buffer.find(SYNC, at)
        # The last byte may be the first half of a header.
        return len(buffer) - 1 if start < 0 and buffer[-1] == SYNC[0] else start

    def _examine(self, buffer: bytes, at: int) -> int | str:
        stop = at + FRAME_BYTES_EACH
        if len(buffer) < stop:
            return INCOMPLETE
        return FRAME_BYTES_EACH if sum(buffer[at + 2 : stop - 1]) & 0xFF == buffer[stop - 1] else "checksum"


def decode_frame(frame: bytes) -> Rvc:
    """Decode one whole frame.

    Raises:
        FrameError: Wrong length, header or sum.
    """
    if len(frame) != FRAME_BYTES_EACH or frame[:2] != SYNC:
        raise FrameError(f"{len(frame)} bytes that are no UART-RVC frame")
    if sum(frame[2:-1]) & 0xFF != frame[-1]:
        raise FrameError(f"sum 0x{frame[-1]:02X} where the bytes add up to 0x{sum(frame[2:-1]) & 0xFF:02X}")
    index, yaw, pitch, roll, ax, ay, az = _LAYOUT.unpack(frame)
    unit = ANGLE_PER_COUNT_DEG
    return Rvc(index, (yaw * unit, pitch * unit, roll * unit), (ax, ay, az))


def is_plausible(rvc: Rvc) -> bool:
    """Whether a checked frame holds angles as the unit can send them."""
    return all(abs(angle) <= limit for angle, limit in zip(rvc.ypr_deg, ANGLE_LIMITS_DEG, strict=True))


def acceleration_m_per_s2(rvc: Rvc) -> tuple[float, float, float]:
    """Specific force along the unit's axes."""
    x, y, z = rvc.acc_mg
    return x * _MILLI_G, y * _MILLI_G, z * _MILLI_G


def measure(rvc: Rvc) -> Measurement:
    """What one frame says, SI. The angular rate is NaN: this mode does not send it."""
    yaw, pitch, roll = (angle * DEGREE_RAD for angle in rvc.ypr_deg)
    return Measurement(acceleration_m_per_s2(rvc), NAN3, quaternion_of_angles(roll, pitch, yaw))
