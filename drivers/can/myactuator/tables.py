"""MyActuator RMD: identifiers, commands, ranges and error bits, as data.

Sources, unless a row says otherwise: MYACTUATOR Servo Motor Control Protocol V4.2-250208, and `2b-t/myactuator_rmd`
c43980cac5, whose protocol classes were compiled and run.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from drivers.capabilities import CAN_11_BIT_FRAME_BITS, Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.devices import MotorModel

ID_RANGE: Final = (1, 32)

REQUEST_BASE: Final = 0x140
REPLY_BASE: Final = 0x240
BROADCAST_ID: Final = 0x280
"""A request to all motors; they take it only with their CAN id filter switched off."""

MOTION_BASE: Final = 0x400
MOTION_REPLY_BASE: Final = 0x500
SETTINGS_ID: Final = 0x300


class Command(IntEnum):
    """First data byte of a request, and of its reply. SHUTDOWN frees the shaft; STOP holds it.

    The last three write flash: never in a loop.
    """

    READ_ACCELERATION = 0x42
    READ_MODE = 0x70
    RESET = 0x76
    RELEASE_BRAKE = 0x77
    LOCK_BRAKE = 0x78
    SHUTDOWN = 0x80
    STOP = 0x81
    READ_ENCODER = 0x90
    READ_MULTI_TURN_ANGLE = 0x92
    READ_SINGLE_TURN_ANGLE = 0x94
    READ_STATUS_1 = 0x9A
    READ_STATUS_2 = 0x9C
    READ_STATUS_3 = 0x9D
    TORQUE_CURRENT = 0xA1
    SPEED = 0xA2
    POSITION_ABSOLUTE = 0xA4
    POSITION_SINGLE_TURN = 0xA6
    POSITION_INCREMENTAL = 0xA8

    SET_ACCELERATION = 0x43
    SET_POSITION_ZERO = 0x64
    SET_TIMEOUT = 0xB3


TIMED_OUT: Final = 0xF1
"""First byte of what a motor sends once a second, unasked, after its communication timeout."""

FEEDBACK_COMMANDS: Final = frozenset(
    {
        Command.READ_STATUS_2,
        Command.TORQUE_CURRENT,
        Command.SPEED,
        Command.POSITION_ABSOLUTE,
        Command.POSITION_SINGLE_TURN,
        Command.POSITION_INCREMENTAL,
    }
)
"""Commands that are answered with temperature, current, speed and angle."""

ERRORS: Final[Mapping[int, str]] = {
    0x0002: "STALL",
    0x0004: "LOW_VOLTAGE",
    0x0008: "OVER_VOLTAGE",
    0x0010: "OVER_CURRENT",
    0x0040: "POWER_OVERRUN",
    0x0080: "CALIBRATION_WRITE",
    0x0100: "OVER_SPEED",
    0x1000: "OVER_TEMPERATURE",
    0x2000: "ENCODER_CALIBRATION",
    0x4000: "ENCODER",
}
"""Bits of the error word of status 1. The motion mode does not report them."""

MODES: Final[Mapping[int, str]] = {1: "CURRENT", 2: "SPEED", 3: "POSITION"}
"""Last data byte of the reply to READ_MODE; 1 to 3 by `2b-t/myactuator_rmd`."""

ACCELERATION_INDICES: Final[Mapping[int, str]] = {
    0: "position acceleration",
    1: "position deceleration",
    2: "speed acceleration",
    3: "speed deceleration",
}

CURRENT_A: Final = 0.01
SPEED_DEG_PER_S: Final = 0.01
ANGLE_DEG: Final = 0.01
VOLTAGE_V: Final = 0.1
"""What one count stands for in commands, and in replies unless they say otherwise."""


def _row(name: str, t_nm: float, source: str) -> MotorModel:
    return MotorModel(name, 12.5, 45.0, t_nm, 500.0, 5.0, source)


MODELS: Final[Mapping[str, MotorModel]] = {
    row.name: row
    for row in (
        _row("RMD", 24.0, "protocol V4.2-250208, motion mode, and its worked example"),
        _row("RMD_18NM", 18.0, "another revision of the protocol and some models; see the motor's own manual"),
    )
}
"""Ranges of the motion mode. They belong to the firmware, not to the motor's size, and cannot be read from it."""

SHORTEST_TIMEOUT_S: Final = 0.02
"""Below this a host without real-time scheduling trips the motor's timeout by itself."""

TIMED_OUT_FAULT: Final = 1 << 16
"""Above the error word: set when a motor has said that its timeout switched it off."""

REPLY_TIMEOUT_S: Final = 0.02
"""How long to wait for a reply: motors answer in under 1 ms, the rest is for a busy bus and our cycle."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all frames lost both ways, one in a thousand still fails."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.MOTOR,
    velocity="measured",
    torque="measured",
    temperature="measured",
    says_whether_on=False,
    reports_faults=True,
    timeout=Timeout.ACKNOWLEDGED,
    when_host_dies="output off, brake closed where it has one; the second command after that acts",
    zero=Zero.NONE,
    reads_ranges=False,
)

CYCLE_COST: Final = CycleCost(3 * CAN_11_BIT_FRAME_BITS)
"""One motor per bus and cycle is asked for its errors besides: counted for all."""
