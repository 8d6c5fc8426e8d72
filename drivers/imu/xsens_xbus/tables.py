"""Xsens Xbus: messages, data items and status bits, as data.

Source: Xsens, MT Low Level Communication Protocol Documentation; `ethz-asl/ethzasl_xsens_driver` 8abe90f.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

PREAMBLE: Final = 0xFA
HEADER_BYTES: Final = 4
EXTENDED_LENGTH: Final = 0xFF
"""In the length byte: two more bytes hold the length."""

MAXIMUM_DATA_BYTES: Final = 2048
"""The longest message that the vendor describes; a longer one is damage."""

BUS_ID_MASTER: Final = 0xFF
"""Of a unit that hangs on the line alone; 1 and above name units in a chain."""

WAKE_UP: Final = 0x3E
WAKE_UP_ACK: Final = 0x3F
GO_TO_CONFIG: Final = 0x30
GO_TO_MEASUREMENT: Final = 0x10
REQUEST_DEVICE_ID: Final = 0x00
REQUEST_FIRMWARE: Final = 0x12
RESET: Final = 0x40
SET_BAUD_RATE: Final = 0x18
SET_OUTPUT_CONFIGURATION: Final = 0xC0
RESET_ORIENTATION: Final = 0xA4
ERROR: Final = 0x42
MTDATA: Final = 0x32
MTDATA2: Final = 0x36

ERROR_NAMES: Final[Mapping[int, str]] = {
    3: "invalid period",
    4: "invalid message",
    0x1E: "timer overflow",
    0x20: "invalid baud rate",
    0x21: "invalid parameter",
}

ANY_RATE: Final = 0xFFFF
"""In an output configuration: once in every packet."""

BAUD_CODES: Final[Mapping[int, int]] = {115_200: 0x02, 230_400: 0x01, 460_800: 0x00, 921_600: 0x80, 2_000_000: 0x0C}

FLOAT32, FIXED_12_20, FIXED_16_32, FLOAT64 = range(4)
REAL_BYTES: Final[Mapping[int, int]] = {FLOAT32: 4, FIXED_12_20: 4, FIXED_16_32: 6, FLOAT64: 8}
"""Bytes per number, by the lowest two bits of a data identifier."""

WORLD_FRAMES: Final[Mapping[int, str]] = {0: "ENU", 1: "NED", 2: "NWU"}
"""World axes of an attitude, by bits 2 and 3 of a data identifier."""


class Item(NamedTuple):
    """One kind of data item.

    Attributes:
        name: With its unit.
        numbers: How many numbers it has, in the format that its identifier says.
        layout: Of an item that has one layout only, "" for numbers.
        has_frame: Whether bits 2 and 3 of its identifier name a frame.
    """

    name: str
    numbers: int = 0
    layout: str = ""
    has_frame: bool = True


TEMPERATURE: Final = 0x0810
UTC: Final = 0x1010
PACKET_COUNTER: Final = 0x1020
SAMPLE_TIME_FINE: Final = 0x1060
QUATERNION: Final = 0x2010
EULER: Final = 0x2030
ACCELERATION: Final = 0x4020
RATE_OF_TURN: Final = 0x8020
STATUS_BYTE: Final = 0xE010
STATUS_WORD: Final = 0xE020

ITEMS: Final[Mapping[int, Item]] = {
    TEMPERATURE: Item("temperature_degc", 1, has_frame=False),
    UTC: Item("utc", layout=">IH6B", has_frame=False),
    PACKET_COUNTER: Item("packet_counter", layout=">H", has_frame=False),
    SAMPLE_TIME_FINE: Item("sample_time_fine", layout=">I", has_frame=False),
    0x1070: Item("sample_time_coarse_s", layout=">I", has_frame=False),
    QUATERNION: Item("quaternion_wxyz", 4),
    0x2020: Item("rotation_matrix", 9),
    EULER: Item("euler_rpy_deg", 3),
    0x3010: Item("pressure_pa", layout=">I", has_frame=False),
    0x4010: Item("delta_v_m_per_s", 3),
    ACCELERATION: Item("acceleration_m_per_s2", 3),
    0x4030: Item("free_acceleration_m_per_s2", 3),
    0x4040: Item("acceleration_hr_m_per_s2", 3),
    RATE_OF_TURN: Item("rate_of_turn_rad_per_s", 3),
    0x8030: Item("delta_q_wxyz", 4),
    0x8040: Item("rate_of_turn_hr_rad_per_s", 3),
    0xC020: Item("magnetic_field_au", 3),
    STATUS_BYTE: Item("status_byte", layout=">B", has_frame=False),
    STATUS_WORD: Item("status_word", layout=">I", has_frame=False),
}
"""Data items by identifier, its lowest four bits cleared."""

OUTPUT_CONFIGURATION: Final = (PACKET_COUNTER, SAMPLE_TIME_FINE, QUATERNION, ACCELERATION, RATE_OF_TURN, STATUS_WORD)
"""What a unit should be set to stream, as float32 in ENU: the items that a reading is made of, and what judges it."""

_PAYLOAD_BYTES: Final = 6 * 3 + 2 + 4 + 16 + 12 + 12 + 4
FRAME_BYTES: Final[Mapping[str, int]] = {"mtdata2": HEADER_BYTES + _PAYLOAD_BYTES + 1}
"""Bytes on the wire per sample with the items of `OUTPUT_CONFIGURATION`."""

STATUS_BITS: Final[Mapping[int, str]] = {
    0: "self test passed",
    1: "filter valid",
    2: "GNSS fix",
    8: "accelerometer x clipped",
    9: "accelerometer y clipped",
    10: "accelerometer z clipped",
    11: "gyro x clipped",
    12: "gyro y clipped",
    13: "gyro z clipped",
    14: "magnetometer x clipped",
    15: "magnetometer y clipped",
    16: "magnetometer z clipped",
    19: "clipped",
}
"""Of the status word; the status byte has the lowest three."""

FILTER_VALID_MASK: Final = 1 << 1
"""Must be set for the attitude to be trusted."""

CLIPPING_MASK: Final = 0b111111 << 8 | 1 << 19
"""Must be clear: acceleration, rate, or any sensor at the end of its range."""

QUATERNION_NORM: Final = (0.95, 1.05)
"""A quaternion far from a unit one has passed the 8-bit sum by chance (1 in 256 of damaged messages does)."""
