"""WitMotion ("0x55" protocol: JY901, WT901, WT61 and relatives): frames, scales and registers, as data.

Source: `WITMOTION/WitStandardProtocol_JY901` e8f4e3afc0 (vendor's C SDK and Python example).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SYNC: Final = 0x55
FRAME_BYTES_EACH: Final = 11

TYPE_TIME: Final = 0x50
TYPE_ACCELERATION: Final = 0x51
TYPE_RATE: Final = 0x52
TYPE_ANGLE: Final = 0x53
TYPE_MAGNETIC: Final = 0x54
TYPE_QUATERNION: Final = 0x59
TYPE_REGISTER: Final = 0x5F

TYPE_NAMES: Final[Mapping[int, str]] = {
    TYPE_TIME: "time",
    TYPE_ACCELERATION: "acceleration",
    TYPE_RATE: "gyro",
    TYPE_ANGLE: "angle",
    TYPE_MAGNETIC: "magnetic",
    0x55: "port",
    0x56: "pressure",
    0x57: "gps",
    0x58: "velocity",
    TYPE_QUATERNION: "quaternion",
    0x5A: "gps_accuracy",
    TYPE_REGISTER: "register",
}
"""Second byte of a frame; 0x50 to 0x5F are possible."""

FULL_SCALE: Final = 32768.0
ACCELERATION_FULL_SCALE_G: Final = 16.0
RATE_FULL_SCALE_DEG_PER_S: Final = 2000.0
ANGLE_FULL_SCALE_DEG: Final = 180.0
TEMPERATURE_PER_DEGC: Final = 100.0

STANDARD_GRAVITY_M_PER_S2: Final = 9.8
"""What the vendor's examples multiply G by; 9.80665 would be 0.07 % more."""

SATURATED_RAW: Final = 32760
"""A raw value this far out has met the end of the sensor's range, which the frame cannot exceed."""

QUATERNION_NORM: Final = (0.95, 1.05)
"""Quantised to 1/32768, a quaternion is a unit one within 0.0001. One far from it has passed the 8-bit sum by chance
(1 in 256 of damaged frames does)."""

PACKET_TYPES: Final[Mapping[str, tuple[int, ...]]] = {
    "acc_gyro_quaternion": (TYPE_ACCELERATION, TYPE_RATE, TYPE_QUATERNION),
    "acc_gyro_angle": (TYPE_ACCELERATION, TYPE_RATE, TYPE_ANGLE),
    "acc_gyro_angle_quaternion": (TYPE_ACCELERATION, TYPE_RATE, TYPE_ANGLE, TYPE_QUATERNION),
}
"""Bursts that a robot file may name: the frames that make one sample, in the order in which they are sent."""

FRAME_BYTES: Final[Mapping[str, int]] = {name: FRAME_BYTES_EACH * len(types) for name, types in PACKET_TYPES.items()}
"""Bytes on the wire per sample."""

REGISTER_SAVE: Final = 0x00
REGISTER_CALIBRATE: Final = 0x01
REGISTER_CONTENT: Final = 0x02
REGISTER_RATE: Final = 0x03
REGISTER_BAUD: Final = 0x04
REGISTER_AXES: Final = 0x24
REGISTER_READ: Final = 0x27
REGISTER_UNLOCK: Final = 0x69

UNLOCK_VALUE: Final = 0xB588
"""Writes are accepted for 10 s after this was written to the unlock register."""

CONTENT_BITS: Final[Mapping[int, int]] = {
    TYPE_TIME: 0x01,
    TYPE_ACCELERATION: 0x02,
    TYPE_RATE: 0x04,
    TYPE_ANGLE: 0x08,
    TYPE_MAGNETIC: 0x10,
    0x55: 0x20,
    0x56: 0x40,
    0x57: 0x80,
    0x58: 0x100,
    TYPE_QUATERNION: 0x200,
}
"""Bits of the content register: which frames a burst has."""

RATE_CODES: Final[Mapping[float, int]] = {
    0.2: 1,
    0.5: 2,
    1.0: 3,
    2.0: 4,
    5.0: 5,
    10.0: 6,
    20.0: 7,
    50.0: 8,
    100.0: 9,
    125.0: 10,
    200.0: 11,
}
"""Values of the rate register, by bursts per second."""

BAUD_CODES: Final[Mapping[int, int]] = {
    4_800: 1,
    9_600: 2,
    19_200: 3,
    38_400: 4,
    57_600: 5,
    115_200: 6,
    230_400: 7,
    460_800: 8,
    921_600: 9,
}
"""Values of the baud register."""
