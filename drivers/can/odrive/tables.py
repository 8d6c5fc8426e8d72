"""ODrive CANSimple: messages, states and error bits of firmware 0.6, as data.

Heartbeat, errors and some commands differ in firmware 0.5, which this is not for.

Sources: `odriverobotics/ODriveArduino` 0.10.9 (f52eef5d72, made by the vendor from its own message definitions; run
here), `odriverobotics/ODrive` f9b5419c82 for layouts that did not change, vendor documentation, and the vendor's
examples in `odriverobotics/ODriveResources` 06dc846128.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from drivers.capabilities import CAN_11_BIT_FRAME_BITS, Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.devices import MotorModel

NODE_ID_RANGE: Final = (0, 0x3F)
UNADDRESSED_NODE_ID: Final = 0x3F
"""Of a device that has no node id yet, and of the request that gives it one."""

DEFAULT_BITRATE_BPS: Final = 250_000

FIRMWARE: Final = (0, 6)
"""Major and minor version that these layouts belong to."""


class Message(IntEnum):
    """Low five bits of the arbitration id; the node id is above them."""

    VERSION = 0x00
    HEARTBEAT = 0x01
    ESTOP = 0x02
    ERROR = 0x03
    SDO_REQUEST = 0x04
    SDO_REPLY = 0x05
    ADDRESS = 0x06
    SET_AXIS_STATE = 0x07
    ENCODER_ESTIMATES = 0x09
    SET_CONTROLLER_MODE = 0x0B
    SET_INPUT_POSITION = 0x0C
    SET_INPUT_VELOCITY = 0x0D
    SET_INPUT_TORQUE = 0x0E
    SET_LIMITS = 0x0F
    SET_TRAJECTORY_VELOCITY = 0x11
    SET_TRAJECTORY_ACCELERATION = 0x12
    SET_TRAJECTORY_INERTIA = 0x13
    CURRENTS = 0x14
    TEMPERATURES = 0x15
    REBOOT = 0x16
    SUPPLY = 0x17
    CLEAR_ERRORS = 0x18
    SET_ABSOLUTE_POSITION = 0x19
    SET_POSITION_GAIN = 0x1A
    SET_VELOCITY_GAINS = 0x1B
    TORQUES = 0x1C
    POWERS = 0x1D


REPORTS: Final = frozenset(
    {
        Message.VERSION,
        Message.HEARTBEAT,
        Message.ERROR,
        Message.SDO_REPLY,
        Message.ADDRESS,
        Message.ENCODER_ESTIMATES,
        Message.CURRENTS,
        Message.TEMPERATURES,
        Message.SUPPLY,
        Message.TORQUES,
        Message.POWERS,
    }
)
"""What devices send, all of 8 bytes. Whatever else is seen was sent by a host."""


class AxisState(IntEnum):
    """State of an axis. Only CLOSED_LOOP_CONTROL and the calibrations energise."""

    UNDEFINED = 0
    IDLE = 1
    STARTUP_SEQUENCE = 2
    FULL_CALIBRATION_SEQUENCE = 3
    MOTOR_CALIBRATION = 4
    ENCODER_INDEX_SEARCH = 6
    ENCODER_OFFSET_CALIBRATION = 7
    CLOSED_LOOP_CONTROL = 8
    LOCKIN_SPIN = 9
    ENCODER_DIR_FIND = 10
    HOMING = 11
    ENCODER_HALL_POLARITY_CALIBRATION = 12
    ENCODER_HALL_PHASE_CALIBRATION = 13


class ControlMode(IntEnum):
    """What the controller controls."""

    VOLTAGE = 0
    TORQUE = 1
    VELOCITY = 2
    POSITION = 3


class InputMode(IntEnum):
    """What becomes of the inputs on their way to the controller."""

    INACTIVE = 0
    PASSTHROUGH = 1
    VELOCITY_RAMP = 2
    POSITION_FILTER = 3
    TRAPEZOIDAL_TRAJECTORY = 5
    TORQUE_RAMP = 6


class RebootAction(IntEnum):
    """All but REBOOT touch flash or firmware: never in a loop."""

    REBOOT = 0
    SAVE_CONFIGURATION = 1
    ERASE_CONFIGURATION = 2
    ENTER_DFU = 3


ERRORS: Final[Mapping[int, str]] = {
    0x1: "INITIALIZING",
    0x2: "SYSTEM_LEVEL",
    0x4: "TIMING_ERROR",
    0x8: "MISSING_ESTIMATE",
    0x10: "BAD_CONFIG",
    0x20: "DRV_FAULT",
    0x40: "MISSING_INPUT",
    0x100: "DC_BUS_OVER_VOLTAGE",
    0x200: "DC_BUS_UNDER_VOLTAGE",
    0x400: "DC_BUS_OVER_CURRENT",
    0x800: "DC_BUS_OVER_REGEN_CURRENT",
    0x1000: "CURRENT_LIMIT_VIOLATION",
    0x2000: "MOTOR_OVER_TEMP",
    0x4000: "INVERTER_OVER_TEMP",
    0x8000: "VELOCITY_LIMIT_VIOLATION",
    0x10000: "POSITION_LIMIT_VIOLATION",
    0x1000000: "WATCHDOG_TIMER_EXPIRED",
    0x2000000: "ESTOP_REQUESTED",
    0x4000000: "SPINOUT_DETECTED",
    0x8000000: "BRAKE_RESISTOR_DISARMED",
    0x10000000: "THERMISTOR_DISCONNECTED",
    0x40000000: "CALIBRATION_ERROR",
}
"""Bits of the active errors and of the reason for the last disarming."""

FEEDFORWARD: Final = 0.001
"""rev/s or N·m per count of the two feed-forward fields of SET_INPUT_POSITION."""

FEEDFORWARD_MAX: Final = 32.767
"""rev/s or N·m: what the feed-forward fields of SET_INPUT_POSITION can carry, either way; -32.768 too."""

MOTOR_ID_RANGE: Final = (1, 0x3E)
"""Without 0, which is every board's until it is set, and without `UNADDRESSED_NODE_ID`."""

POSITION_GAIN_MAX_PER_S: Final = 1000.0
"""Largest ratio of stiffness to damping that is sent. Legs have 10 to 100; the drive's loop runs at 8 kHz."""

_POSITION_MAX_RAD: Final = 200.0 * math.pi
"""100 turns: positions are float32, which behind a gearbox of 10 still tells 0.1 thousandths of a motor turn apart."""


_TORQUE_MAX_NM: Final = 30.0 * FEEDFORWARD_MAX
"""Behind the largest gearbox that legs have. An inventory looks whether the feed-forward carries a drive's own."""


def _row(name: str) -> MotorModel:
    source = (
        "feed-forward fields of SET_INPUT_POSITION, int16 thousandths: speed without gearbox, torque behind one of 30; "
        "gains are float32, bounded by the largest that any motor known here has"
    )
    velocity_rad_per_s = FEEDFORWARD_MAX * 2.0 * math.pi
    return MotorModel(name, _POSITION_MAX_RAD, velocity_rad_per_s, _TORQUE_MAX_NM, 5000.0, 100.0, source)


MODELS: Final[Mapping[str, MotorModel]] = {row.name: row for row in map(_row, ("Pro", "S1", "Micro"))}
"""The boards. They turn anybody's motor: torque and speed are the robot file's, as `drive`."""

BOARD_OF_HARDWARE: Final[Mapping[int, str]] = {4: "Pro", 5: "S1"}
"""Board by the first number of its hardware version, where that is known."""

REPLY_TIMEOUT_S: Final = 0.02
"""How long to wait for an answer: it comes in under 1 ms, the rest is for a busy bus and our cycle."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all frames lost both ways, one in a thousand still fails."""

HEARTBEAT_MAX_S: Final = 0.005
"""Longest usable period: a motor that went off must be known before the others push against its limp leg."""

TORQUE_MAX_S: Final = 0.05
TEMPERATURE_MAX_S: Final = 1.0
"""The same of the other reports. That of encoder estimates is the control period."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.MOTOR,
    velocity="measured",
    torque="measured",
    temperature="measured",
    says_whether_on=True,
    reports_faults=True,
    timeout=Timeout.NONE,
    when_host_dies="holds its last command; goes limp where its watchdog was set by USB",
    zero=Zero.MEMORY,
    reads_ranges=False,
)

_TORQUES_PER_CYCLE: Final = 5
_TEMPERATURES_PER_CYCLE: Final = 50
REFRESH_CYCLES: Final = 8
"""Every so many cycles, one motor of each bus is told its gains again: nothing says that it got them."""

CYCLE_COST: Final = CycleCost(
    3 * CAN_11_BIT_FRAME_BITS
    + CAN_11_BIT_FRAME_BITS // _TORQUES_PER_CYCLE
    + CAN_11_BIT_FRAME_BITS // _TEMPERATURES_PER_CYCLE,
    bus_bits=2 * CAN_11_BIT_FRAME_BITS // REFRESH_CYCLES + 1,
)
"""A command, an encoder estimate and a heartbeat in every cycle of 2 ms; torques each 10, temperatures each 100 ms."""
