"""LX-16A: commands, ranges and units, as data.

Sources: `pylx16a` 1.1.1 (PyPI); LewanSoul bus servo communication protocol as implemented there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from drivers.serial.framing import SummedLayout

BROADCAST_ID: Final = 254
MAXIMUM_ID: Final = 253
MAXIMUM_PACKET_BYTES: Final = 10
"""The longest: a move, with position and time."""

LAYOUT: Final = SummedLayout(b"\x55\x55", 3, MAXIMUM_PACKET_BYTES, MAXIMUM_ID, BROADCAST_ID)

MOVE: Final = 1
READ_MOVE: Final = 2
MOVE_WAIT: Final = 7
MOVE_START: Final = 11
MOVE_STOP: Final = 12
WRITE_ID: Final = 13
READ_ID: Final = 14
ADJUST_OFFSET: Final = 17
WRITE_OFFSET: Final = 18
READ_OFFSET: Final = 19
WRITE_ANGLE_LIMITS: Final = 20
READ_ANGLE_LIMITS: Final = 21
WRITE_VOLTAGE_LIMITS: Final = 22
READ_VOLTAGE_LIMITS: Final = 23
WRITE_MAX_TEMPERATURE: Final = 24
READ_MAX_TEMPERATURE: Final = 25
READ_TEMPERATURE: Final = 26
READ_VOLTAGE: Final = 27
READ_POSITION: Final = 28
WRITE_MODE: Final = 29
READ_MODE: Final = 30
WRITE_LOAD: Final = 31
READ_LOAD: Final = 32
WRITE_LED: Final = 33
READ_LED: Final = 34
WRITE_LED_ERRORS: Final = 35
READ_LED_ERRORS: Final = 36

REPLY_BYTES: Final[Mapping[int, int]] = {
    READ_MOVE: 4,
    READ_ID: 1,
    READ_OFFSET: 1,
    READ_ANGLE_LIMITS: 4,
    READ_VOLTAGE_LIMITS: 4,
    READ_MAX_TEMPERATURE: 1,
    READ_TEMPERATURE: 1,
    READ_VOLTAGE: 2,
    READ_POSITION: 2,
    READ_MODE: 4,
    READ_LOAD: 1,
    READ_LED: 1,
    READ_LED_ERRORS: 1,
}
"""Parameters in the answer to each question; the question has none, so that an echo is never taken for an answer."""

LED_ERROR_BITS: Final[Mapping[int, str]] = {0: "OVER_TEMPERATURE", 1: "OVER_VOLTAGE", 2: "STALLED"}
"""What makes the servo unload and flash; register 36 is the mask of what it looks for, not what has happened."""

POSITION_COUNTS: Final = (0, 1000)
POSITION_COUNT_RAD: Final = math.radians(240.0) / 1000.0
TIME_MS: Final = (0, 65535)
MOTOR_SPEEDS: Final = (-1000, 1000)
