"""LX-16A: commands, ranges and units, as data.

Sources: `pylx16a` 1.1.1 (PyPI); LewanSoul bus servo communication protocol as implemented there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from drivers.capabilities import SERIAL_BITS_PER_BYTE, Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.host_position import ServoModel
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

CENTRE_COUNT: Final = 500
"""Position 0 rad of the motor frame: the middle of the 240 degrees."""

MODE_SERVO: Final = 0

_TORQUE_MAX_NM: Final = 1.67
_SPEED_MAX_RAD_PER_S: Final = 6.5
_STIFFNESS_NM_PER_RAD: Final = 16.7
_DAMPING_NM_S_PER_RAD: Final = _TORQUE_MAX_NM / _SPEED_MAX_RAD_PER_S

MODELS: Final[Mapping[str, ServoModel]] = {
    "LX-16A": ServoModel(
        "LX-16A",
        (POSITION_COUNTS[1] - CENTRE_COUNT) * POSITION_COUNT_RAD,
        _SPEED_MAX_RAD_PER_S,
        _TORQUE_MAX_NM,
        # No more than its own: feedback is several cycles old, and a joint asked for more begins to swing.
        _STIFFNESS_NM_PER_RAD,
        _DAMPING_NM_S_PER_RAD,
        "data sheet at 7.4 V (17 kg cm, 0.16 s for 60 degrees); stiffness assumed, full drive at 0.1 rad: nobody has "
        "published it, and it cannot be read",
        stiffness_nm_per_rad=_STIFFNESS_NM_PER_RAD,
        damping_nm_s_per_rad=_DAMPING_NM_S_PER_RAD,
    )
}

GOAL_MARGIN_RAD: Final = 0.1
"""How far joints stay away from the end of the range: goals lead by up to 0.1 rad, where drive is full."""

REPLY_TIMEOUT_S: Final = 0.03
"""How long to wait for an answer: servos answer in 2 ms, the rest is for the adapter and our cycle."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all packets lost both ways, one in a thousand still fails."""

OVER_TEMPERATURE: Final = 1
OVER_VOLTAGE: Final = 2
UNLOADED: Final = 4
FAULT_BITS: Final[Mapping[int, str]] = {0: "OVER_TEMPERATURE", 1: "OVER_VOLTAGE", 2: "UNLOADED"}
"""Of our own fault code: it says nothing of faults itself. UNLOADED has switched itself off, as a stalled one does."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.HOST_POSITION,
    velocity="estimated",
    torque="estimated",
    temperature="measured",
    says_whether_on=True,
    reports_faults=False,
    timeout=Timeout.NONE,
    when_host_dies="holds its last goal for ever, with torque",
    zero=Zero.NONE,
    reads_ranges=True,
)

_MOVE_BYTES: Final = 10
_QUESTION_BYTES: Final = 6
_ANSWER_BYTES: Final = 8
_TURNAROUND_BITS: Final = 46
"""0.4 ms at the only rate there is: an answer takes 1.6 ms, of which 1.2 ms are bytes."""

CYCLE_COST: Final = CycleCost(
    motor_bits=SERIAL_BITS_PER_BYTE * _MOVE_BYTES,
    # One servo is asked in each cycle: two answers would collide.
    bus_bits=SERIAL_BITS_PER_BYTE * (_QUESTION_BYTES + _ANSWER_BYTES) + _TURNAROUND_BITS,
    asks_in_turn=True,
)
