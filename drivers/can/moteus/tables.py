"""moteus: registers, their scaling, modes and faults, as data.

Sources: `moteus` 1.1.1 (PyPI, run), `mjbots/moteus` db1a7623d6 (C++ header compiled and run, docs/protocol), and its
firmware (fw/bldc_servo_structs.h, fw/bldc_servo_control.h).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from drivers.capabilities import Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.devices import MotorModel

DEVICE_ID_RANGE: Final = (1, 126)
"""127 is every device; 0 is the usual host."""

BITRATE_BPS: Final = 1_000_000
DATA_BITRATE_BPS: Final = 5_000_000

FD_LENGTHS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
PADDING: Final = b"\x50"
"""A subframe that says nothing."""


class Resolution(IntEnum):
    """How a register's value travels."""

    INT8 = 0
    INT16 = 1
    INT32 = 2
    F32 = 3


class Mode(IntEnum):
    """Register MODE. FAULT and TIMEOUT stay until STOPPED is commanded; TIMEOUT damps meanwhile, unless configured.

    ENABLING, CALIBRATING and CALIBRATION_COMPLETE come between STOPPED and a mode that drives, and take milliseconds.
    """

    STOPPED = 0
    FAULT = 1
    ENABLING = 2
    CALIBRATING = 3
    CALIBRATION_COMPLETE = 4
    PWM = 5
    VOLTAGE = 6
    VOLTAGE_FOC = 7
    VOLTAGE_DQ = 8
    CURRENT = 9
    POSITION = 10
    TIMEOUT = 11
    ZERO_VELOCITY = 12
    STAY_WITHIN = 13
    MEASURE_INDUCTANCE = 14
    BRAKE = 15


class Register(IntEnum):
    """Registers that are used here. Positions and velocities are in turns of the configured output."""

    MODE = 0x000
    POSITION = 0x001
    VELOCITY = 0x002
    TORQUE = 0x003
    Q_CURRENT = 0x004
    D_CURRENT = 0x005
    ABS_POSITION = 0x006
    POWER = 0x007
    MOTOR_TEMPERATURE = 0x00A
    TRAJECTORY_COMPLETE = 0x00B
    HOME_STATE = 0x00C
    VOLTAGE = 0x00D
    TEMPERATURE = 0x00E
    FAULT = 0x00F
    COMMAND_Q_CURRENT = 0x01C
    COMMAND_D_CURRENT = 0x01D
    COMMAND_POSITION = 0x020
    COMMAND_VELOCITY = 0x021
    COMMAND_FEEDFORWARD_TORQUE = 0x022
    COMMAND_KP_SCALE = 0x023
    COMMAND_KD_SCALE = 0x024
    COMMAND_MAXIMUM_TORQUE = 0x025
    COMMAND_STOP_POSITION = 0x026
    COMMAND_TIMEOUT = 0x027
    COMMAND_VELOCITY_LIMIT = 0x028
    COMMAND_ACCELERATION_LIMIT = 0x029
    COMMAND_FIXED_VOLTAGE = 0x02A
    COMMAND_ILIMIT_SCALE = 0x02B
    COMMAND_FIXED_CURRENT = 0x02C
    COMMAND_IGNORE_POSITION_BOUNDS = 0x02D
    POSITION_KP = 0x030
    POSITION_KI = 0x031
    POSITION_KD = 0x032
    POSITION_FEEDFORWARD = 0x033
    POSITION_COMMAND = 0x034
    CONTROL_POSITION = 0x038
    CONTROL_VELOCITY = 0x039
    CONTROL_TORQUE = 0x03A
    POSITION_ERROR = 0x03B
    VELOCITY_ERROR = 0x03C
    TORQUE_ERROR = 0x03D
    WITHIN_LOWER_BOUND = 0x040
    WITHIN_UPPER_BOUND = 0x041
    WITHIN_FEEDFORWARD_TORQUE = 0x042
    WITHIN_KP_SCALE = 0x043
    WITHIN_KD_SCALE = 0x044
    WITHIN_MAXIMUM_TORQUE = 0x045
    WITHIN_TIMEOUT = 0x046
    WITHIN_ILIMIT_SCALE = 0x047
    ENCODER_0_POSITION = 0x050
    ENCODER_0_VELOCITY = 0x051
    ENCODER_1_POSITION = 0x052
    ENCODER_1_VELOCITY = 0x053
    ENCODER_2_POSITION = 0x054
    ENCODER_2_VELOCITY = 0x055
    ENCODER_VALIDITY = 0x058
    MODEL_NUMBER = 0x100
    FIRMWARE_VERSION = 0x101
    REGISTER_MAP_VERSION = 0x102
    MULTIPLEX_ID = 0x110
    SERIAL_NUMBER_1 = 0x120
    SERIAL_NUMBER_2 = 0x121
    SERIAL_NUMBER_3 = 0x122
    SET_OUTPUT_NEAREST = 0x130
    SET_OUTPUT_EXACT = 0x131


class Scale(NamedTuple):
    """What one count stands for, by resolution. The most negative count is NaN."""

    int8: float
    int16: float
    int32: float


REV: Final = Scale(0.01, 0.0001, 0.00001)
REV_PER_S: Final = Scale(0.1, 0.00025, 0.00001)
REV_PER_S2: Final = Scale(0.05, 0.001, 0.00001)
NM: Final = Scale(0.5, 0.01, 0.001)
SHARE: Final = Scale(1.0 / 127.0, 1.0 / 32767.0, 1.0 / 2147483647.0)
VOLT: Final = Scale(0.5, 0.1, 0.001)
DEGC: Final = Scale(1.0, 0.1, 0.001)
SECOND: Final = Scale(0.01, 0.001, 0.000001)
AMPERE: Final = Scale(1.0, 0.1, 0.001)
WATT: Final = Scale(10.0, 0.05, 0.0001)

SCALES: Final[Mapping[int, Scale]] = {
    Register.POSITION: REV,
    Register.VELOCITY: REV_PER_S,
    Register.TORQUE: NM,
    Register.Q_CURRENT: AMPERE,
    Register.D_CURRENT: AMPERE,
    Register.ABS_POSITION: REV,
    Register.POWER: WATT,
    Register.MOTOR_TEMPERATURE: DEGC,
    Register.VOLTAGE: VOLT,
    Register.TEMPERATURE: DEGC,
    Register.COMMAND_Q_CURRENT: AMPERE,
    Register.COMMAND_D_CURRENT: AMPERE,
    Register.COMMAND_POSITION: REV,
    Register.COMMAND_VELOCITY: REV_PER_S,
    Register.COMMAND_FEEDFORWARD_TORQUE: NM,
    Register.COMMAND_KP_SCALE: SHARE,
    Register.COMMAND_KD_SCALE: SHARE,
    Register.COMMAND_MAXIMUM_TORQUE: NM,
    Register.COMMAND_STOP_POSITION: REV,
    Register.COMMAND_TIMEOUT: SECOND,
    Register.COMMAND_VELOCITY_LIMIT: REV_PER_S,
    Register.COMMAND_ACCELERATION_LIMIT: REV_PER_S2,
    Register.COMMAND_FIXED_VOLTAGE: VOLT,
    Register.COMMAND_ILIMIT_SCALE: SHARE,
    Register.COMMAND_FIXED_CURRENT: AMPERE,
    Register.POSITION_KP: NM,
    Register.POSITION_KI: NM,
    Register.POSITION_KD: NM,
    Register.POSITION_FEEDFORWARD: NM,
    Register.POSITION_COMMAND: NM,
    Register.CONTROL_POSITION: REV,
    Register.CONTROL_VELOCITY: REV_PER_S,
    Register.CONTROL_TORQUE: NM,
    Register.POSITION_ERROR: REV,
    Register.VELOCITY_ERROR: REV_PER_S,
    Register.TORQUE_ERROR: NM,
    Register.WITHIN_LOWER_BOUND: REV,
    Register.WITHIN_UPPER_BOUND: REV,
    Register.WITHIN_FEEDFORWARD_TORQUE: NM,
    Register.WITHIN_KP_SCALE: SHARE,
    Register.WITHIN_KD_SCALE: SHARE,
    Register.WITHIN_MAXIMUM_TORQUE: NM,
    Register.WITHIN_TIMEOUT: SECOND,
    Register.WITHIN_ILIMIT_SCALE: SHARE,
    Register.ENCODER_0_POSITION: REV,
    Register.ENCODER_0_VELOCITY: REV_PER_S,
    Register.ENCODER_1_POSITION: REV,
    Register.ENCODER_1_VELOCITY: REV_PER_S,
    Register.ENCODER_2_POSITION: REV,
    Register.ENCODER_2_VELOCITY: REV_PER_S,
    Register.SET_OUTPUT_NEAREST: REV,
    Register.SET_OUTPUT_EXACT: REV,
}
"""Registers that are not here hold whole numbers, the most negative one among them."""

FAULTS: Final[Mapping[int, str]] = {
    32: "CALIBRATION",
    33: "MOTOR_DRIVER",
    34: "OVER_VOLTAGE",
    35: "ENCODER",
    36: "NOT_CONFIGURED",
    37: "PWM_OVERRUN",
    38: "OVER_TEMPERATURE",
    39: "OUTSIDE_LIMIT",
    40: "UNDER_VOLTAGE",
    41: "CONFIG_CHANGED",
    42: "THETA_INVALID",
    43: "POSITION_INVALID",
    44: "DRIVER_ENABLE",
    45: "STOP_POSITION_DEPRECATED",
    46: "TIMING_VIOLATION",
    47: "BEMF_WITHOUT_ACCELERATION_LIMIT",
    48: "INVALID_LIMITS",
    49: "POSITION_ERROR",
    50: "VELOCITY_ERROR",
}
"""Register FAULT while the mode is FAULT."""

LIMITERS: Final[Mapping[int, str]] = {
    96: "VELOCITY",
    97: "POWER",
    98: "VOLTAGE",
    99: "CURRENT",
    100: "BOARD_TEMPERATURE",
    101: "MOTOR_TEMPERATURE",
    102: "COMMANDED_MAXIMUM_TORQUE",
    103: "POSITION_LIMITS",
}
"""Register FAULT in other modes: what holds the output back. Not faults."""

DEFAULT_TIMEOUT_S: Final = 0.1
"""The controller's own, where a command states none. 0 in a command means this too."""

TURN: Final = 2.0 * math.pi
"""Registers and settings count turns of the output."""

INT16_MAX: Final = 32767
"""Largest count of commands, which travel as INT16."""

SERIAL_NUMBER: Final = (Register.SERIAL_NUMBER_1, Register.SERIAL_NUMBER_2, Register.SERIAL_NUMBER_3)
"""Different in every controller; all three together."""

REGISTER_MAPS: Final = (4, 5)
"""Versions whose scales are those of `SCALES`; before 4 positions and velocities had others."""

HOME_STATES: Final[Mapping[int, str]] = {0: "nothing", 1: "the rotor", 2: "the output"}
"""Register HOME_STATE: what the position refers to after power-up."""

TIMEOUT_MODES: Final[Mapping[int, str]] = {
    0: "goes limp",
    10: "slows down and holds",
    12: "is damped",
    15: "shorts its phases",
}
"""Setting servo.timeout_mode."""

CONF_KP: Final = "servo.pid_position.kp"
CONF_KD: Final = "servo.pid_position.kd"
CONF_KI: Final = "servo.pid_position.ki"
CONF_ILIMIT: Final = "servo.pid_position.ilimit"
CONF_RATIO: Final = "motor_position.rotor_to_output_ratio"
CONF_POSITION_MIN: Final = "servopos.position_min"
CONF_POSITION_MAX: Final = "servopos.position_max"
CONF_MAX_VELOCITY: Final = "servo.max_velocity"
CONF_FIXED_VOLTAGE: Final = "servo.fixed_voltage_mode"
CONF_FAULT_TEMPERATURE: Final = "servo.fault_temperature"
CONF_TIMEOUT_MODE: Final = "servo.timeout_mode"
CONF_TIMEOUT_TORQUE: Final = "servo.timeout_max_torque_Nm"

REPLY_TIMEOUT_S: Final = 0.02
"""How long to wait for a reply: controllers answer in under 1 ms, the rest is for a busy bus and our cycle."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all frames lost both ways, one in a thousand still fails."""

_WIRE_SOURCE: Final = "INT16 registers: docs/protocol/registers.md; gains: the drive's own settings bound them"


def _row(name: str) -> MotorModel:
    return MotorModel(
        name,
        position_max_rad=INT16_MAX * REV.int16 * TURN,
        velocity_max_rad_per_s=INT16_MAX * REV_PER_S.int16 * TURN,
        torque_max_nm=INT16_MAX * NM.int16,
        kp_max_nm_per_rad=10_000.0,
        kd_max_nm_s_per_rad=1_000.0,
        source=_WIRE_SOURCE,
    )


MODELS: Final[Mapping[str, MotorModel]] = {row.name: row for row in map(_row, ("c1", "n1", "r4", "x1"))}
"""By board; all speak alike. What a motor on it can do is in the robot file's `drive`."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.MOTOR,
    velocity="measured",
    torque="measured",
    temperature="measured",
    says_whether_on=True,
    reports_faults=True,
    timeout=Timeout.COMMAND,
    when_host_dies="is damped, and stays so (mode 11); stop, then enable",
    zero=Zero.MEMORY,
    reads_ranges=True,
)

# One FD frame with a 29-bit identifier and 32 bytes of data. At the bus's rate: 36 bits from its start to the switch of
# rates, 8 stuffed, and 13 from the end of the checksum to the next frame. At the data rate: 5 + 256 bits, 65 stuffed,
# and 25 of checksum with 7 fixed stuff bits.
_ARBITRATION_BITS: Final = 36 + 8 + 13
_DATA_BITS: Final = 5 + 256 + 65 + 25 + 7

CYCLE_COST: Final = CycleCost(2 * _ARBITRATION_BITS, 2 * _DATA_BITS)
"""A command of 32 bytes and a reply of 32."""
