"""Dynamixel protocol 2.0: instructions, errors, the X series' control table and models, as data.

Sources, unless a row says otherwise: ROBOTIS e-Manual, protocol 2.0 and X series; `dynamixel-sdk` 4.1.0 (PyPI) and the
control tables in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drivers.capabilities import SERIAL_BITS_PER_BYTE, Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.devices import MotorModel

HEADER: Final = b"\xff\xff\xfd\x00"
HEAD_BYTES: Final = 7
"""Header, id and length."""

MAXIMUM_PACKET_BYTES: Final = 1024
"""Of a whole packet: what the vendor's own library sends and takes at most."""

BROADCAST_ID: Final = 0xFE
MAXIMUM_ID: Final = 252

PING: Final = 0x01
READ: Final = 0x02
WRITE: Final = 0x03
REG_WRITE: Final = 0x04
ACTION: Final = 0x05
FACTORY_RESET: Final = 0x06
REBOOT: Final = 0x08
CLEAR: Final = 0x10
BACKUP: Final = 0x20
STATUS: Final = 0x55
SYNC_READ: Final = 0x82
SYNC_WRITE: Final = 0x83
FAST_SYNC_READ: Final = 0x8A
BULK_READ: Final = 0x92
BULK_WRITE: Final = 0x93
FAST_BULK_READ: Final = 0x9A

CLEAR_MULTI_TURN: Final = bytes.fromhex("0144584c22")
"""Parameters of CLEAR that set the present position back into one turn; the letters are a guard against accidents."""

RESET_ALL: Final = 0xFF
RESET_ALL_BUT_ID: Final = 0x01
RESET_ALL_BUT_ID_AND_BAUD: Final = 0x02
RESET_OPTIONS: Final = (RESET_ALL, RESET_ALL_BUT_ID, RESET_ALL_BUT_ID_AND_BAUD)

ALERT_BIT: Final = 0x80
"""Of a status packet's error byte: register 70 has something to tell. The data beside it are valid."""

ERROR_NAMES: Final[Mapping[int, str]] = {
    0: "none",
    1: "result_fail",
    2: "instruction",
    3: "crc",
    4: "data_range",
    5: "data_length",
    6: "data_limit",
    7: "access",
}
"""Low seven bits of a status packet's error byte."""

HARDWARE_ERROR_BITS: Final[Mapping[int, str]] = {
    0: "INPUT_VOLTAGE",
    2: "OVERHEATING",
    3: "ENCODER",
    4: "ELECTRICAL_SHOCK",
    5: "OVERLOAD",
}
"""Bits of register 70. After a shutdown, only a reboot helps."""

HARDWARE_FAULTS: Final = 0xFF
EXPIRED_FAULT: Final = 1 << 8
RESTARTED_FAULT: Final = 1 << 9
FURTHER_FAULTS: Final[Mapping[int, str]] = {EXPIRED_FAULT: "BUS_WATCHDOG", RESTARTED_FAULT: "RESTARTED"}
"""Ours, above the bits of register 70: the watchdog has expired; or what was set in RAM is gone."""


@dataclass(frozen=True, slots=True)
class Register:
    """One entry of the control table.

    Attributes:
        address: First byte.
        size: 1, 2 or 4 bytes.
        is_signed: Two's complement.
        is_stored: In EEPROM: can be written with the torque off only, and wears.
        is_read_only: Never written.
    """

    address: int
    size: int
    is_signed: bool = False
    is_stored: bool = False
    is_read_only: bool = False


def _stored(address: int, size: int = 1, *, is_signed: bool = False) -> Register:
    return Register(address, size, is_signed, is_stored=True)


def _measured(address: int, size: int = 1, *, is_signed: bool = False) -> Register:
    return Register(address, size, is_signed, is_read_only=True)


MODEL_NUMBER: Final = Register(0, 2, is_stored=True, is_read_only=True)
FIRMWARE_VERSION: Final = Register(6, 1, is_stored=True, is_read_only=True)
ID: Final = _stored(7)
BAUD_RATE: Final = _stored(8)
RETURN_DELAY: Final = _stored(9)
DRIVE_MODE: Final = _stored(10)
OPERATING_MODE: Final = _stored(11)
SECONDARY_ID: Final = _stored(12)
HOMING_OFFSET: Final = _stored(20, 4, is_signed=True)
TEMPERATURE_LIMIT: Final = _stored(31)
MAX_VOLTAGE_LIMIT: Final = _stored(32, 2)
MIN_VOLTAGE_LIMIT: Final = _stored(34, 2)
PWM_LIMIT: Final = _stored(36, 2)
CURRENT_LIMIT: Final = _stored(38, 2)
VELOCITY_LIMIT: Final = _stored(44, 4)
MAX_POSITION_LIMIT: Final = _stored(48, 4)
MIN_POSITION_LIMIT: Final = _stored(52, 4)
STARTUP_CONFIGURATION: Final = _stored(60)
SHUTDOWN: Final = _stored(63)

TORQUE_ENABLE: Final = Register(64, 1)
LED: Final = Register(65, 1)
STATUS_RETURN_LEVEL: Final = Register(68, 1)
REGISTERED_INSTRUCTION: Final = _measured(69)
HARDWARE_ERROR: Final = _measured(70)
VELOCITY_I_GAIN: Final = Register(76, 2)
VELOCITY_P_GAIN: Final = Register(78, 2)
POSITION_D_GAIN: Final = Register(80, 2)
POSITION_I_GAIN: Final = Register(82, 2)
POSITION_P_GAIN: Final = Register(84, 2)
FEEDFORWARD_2ND_GAIN: Final = Register(88, 2)
FEEDFORWARD_1ST_GAIN: Final = Register(90, 2)
BUS_WATCHDOG: Final = Register(98, 1)
GOAL_PWM: Final = Register(100, 2, is_signed=True)
GOAL_CURRENT: Final = Register(102, 2, is_signed=True)
GOAL_VELOCITY: Final = Register(104, 4, is_signed=True)
PROFILE_ACCELERATION: Final = Register(108, 4)
PROFILE_VELOCITY: Final = Register(112, 4)
GOAL_POSITION: Final = Register(116, 4, is_signed=True)
REALTIME_TICK: Final = _measured(120, 2)
MOVING: Final = _measured(122)
MOVING_STATUS: Final = _measured(123)
PRESENT_PWM: Final = _measured(124, 2, is_signed=True)
PRESENT_CURRENT: Final = _measured(126, 2, is_signed=True)
PRESENT_VELOCITY: Final = _measured(128, 4, is_signed=True)
PRESENT_POSITION: Final = _measured(132, 4, is_signed=True)
PRESENT_VOLTAGE: Final = _measured(144, 2)
PRESENT_TEMPERATURE: Final = _measured(146)

REGISTERS: Final[Mapping[str, Register]] = {
    name: value for name, value in sorted(globals().items()) if isinstance(value, Register)
}
"""Every register above by its name."""

MODE_CURRENT: Final = 0
MODE_VELOCITY: Final = 1
MODE_POSITION: Final = 3
MODE_EXTENDED_POSITION: Final = 4
MODE_CURRENT_BASED_POSITION: Final = 5
MODE_PWM: Final = 16

MODE_NAMES: Final[Mapping[int, str]] = {
    MODE_CURRENT: "current",
    MODE_VELOCITY: "velocity",
    MODE_POSITION: "position",
    MODE_EXTENDED_POSITION: "extended position",
    MODE_CURRENT_BASED_POSITION: "current-based position",
    MODE_PWM: "PWM",
}

BAUD_CODES: Final[Mapping[int, int]] = {
    9_600: 0,
    57_600: 1,
    115_200: 2,
    1_000_000: 3,
    2_000_000: 4,
    3_000_000: 5,
    4_000_000: 6,
    4_500_000: 7,
}
"""Register 8 by baud rate, 1/s."""

COUNTS_PER_TURN: Final = 4096
CENTRE_COUNT: Final = 2048
"""Position 0 rad: the middle of the single-turn range."""

POSITION_COUNT_RAD: Final = 2.0 * math.pi / COUNTS_PER_TURN
VELOCITY_COUNT_RAD_PER_S: Final = 0.229 * 2.0 * math.pi / 60.0
RETURN_DELAY_COUNT_S: Final = 2e-6
VOLTAGE_COUNT_V: Final = 0.1

SINGLE_TURN_COUNTS: Final = (0, COUNTS_PER_TURN - 1)
MULTI_TURN_COUNTS: Final = (-1_048_575, 1_048_575)
"""What goal position takes in position mode, and in the two multi-turn modes."""

WATCHDOG_COUNT_S: Final = 0.02
WATCHDOG_COUNTS: Final = (1, 127)
WATCHDOG_EXPIRED: Final = 0xFF
"""What register 98 reads once it has expired; the goals are read-only until 0 is written there."""


INDIRECT_ADDRESS: Final = 168
"""First of a list of 16-bit addresses in RAM: the bytes there appear side by side in the indirect data."""

INDIRECT_DATA: Final = 224
INDIRECT_DATA_330: Final = 208
"""Where the listed bytes appear; on the smallest models 20 of them, on the others 28 in this place."""

CYCLE_BLOCK: Final = (
    TORQUE_ENABLE,
    STATUS_RETURN_LEVEL,
    HARDWARE_ERROR,
    BUS_WATCHDOG,
    PRESENT_CURRENT,
    PRESENT_VELOCITY,
    PRESENT_POSITION,
    PRESENT_TEMPERATURE,
)
"""What is read of every servo in every cycle, through the indirect data.

A servo that answers reads has a status return level above 0: where 0 stands there, the list was lost in a restart, and
nothing in the block means anything.
"""

CYCLE_BLOCK_ADDRESSES: Final = tuple(r.address + at for r in CYCLE_BLOCK for at in range(r.size))
CYCLE_BLOCK_BYTES: Final = len(CYCLE_BLOCK_ADDRESSES)

STARTUP_FIRMWARE: Final = 46
"""From which on every model has register 60; the larger ones from 45."""

PROTECTIONS: Final = 0b11_0100
"""Bits of register 63 that must be set: switch off when overheated, shocked or overloaded."""

PWM_FULL: Final = 885

LOWEST_SECONDARY_OFF: Final = 253
"""From here on, register 12 is no second id."""


@dataclass(frozen=True, slots=True)
class ServoModel:
    """One model.

    Attributes:
        name: As the robot file writes it.
        number: What register 0 reads.
        current_count_a: Unit of current registers; None where the model measures no current.
        modes: Values that register 11 takes.
        watchdog_firmware: Oldest firmware whose bus watchdog is known to stop the servo.
        stall_nm, stall_a, no_load_rpm: At its highest supply voltage; with less it can do less. Stall torque is what
            it can reach, not what it can hold; torque over current is taken to be the same everywhere.
        current_limit_count: Highest value of register 38.
        indirect_data: Where its indirect data begin.
        source: Where the numbers come from.
    """

    name: str
    number: int
    current_count_a: float | None
    modes: tuple[int, ...]
    watchdog_firmware: int
    stall_nm: float
    stall_a: float
    no_load_rpm: float
    current_limit_count: int
    indirect_data: int
    source: str

    @property
    def torque_count_nm(self) -> float:
        """Torque of one count of current, N·m; 0 where the model measures none."""
        return (self.current_count_a or 0.0) * self.stall_nm / self.stall_a

    @property
    def torque_max_count(self) -> int:
        """Goal current at the stall torque, as far as the register goes."""
        return min(int(self.stall_a / self.current_count_a), self.current_limit_count) if self.current_count_a else 0


_ALL_MODES = tuple(MODE_NAMES)
_NO_CURRENT = (MODE_VELOCITY, MODE_POSITION, MODE_EXTENDED_POSITION, MODE_PWM)
_SDK = "dynamixel-sdk 4.1.0 (number), e-Manual (units)"
_FIRMWARE_51 = (
    f"{_SDK}, at 6 V; forum.robotis.com topic 4814: on firmware 51 the watchdog expires and the motor keeps turning; "
    "indirect data from firmware 52 on as in its table of dynamixel-sdk 4.1.0"
)


def _current(name: str, number: int, stall_nm: float, stall_a: float, rpm: float, limit: int) -> ServoModel:
    source = f"{_SDK}, at 14.8 V"
    return ServoModel(name, number, 0.00269, _ALL_MODES, 0, stall_nm, stall_a, rpm, limit, INDIRECT_DATA, source)


def _small(name: str, number: int, stall_nm: float, stall_a: float, rpm: float, limit: int) -> ServoModel:
    return ServoModel(
        name, number, 0.001, _ALL_MODES, 52, stall_nm, stall_a, rpm, limit, INDIRECT_DATA_330, _FIRMWARE_51
    )


SERVOS: Final[Mapping[str, ServoModel]] = {
    row.name: row
    for row in (
        _small("XL330-M077", 1190, 0.228, 1.74, 456.0, 1750),
        _small("XL330-M288", 1200, 0.60, 1.74, 123.0, 1750),
        ServoModel("XL430-W250", 1060, None, _NO_CURRENT, 0, 1.5, 1.4, 61.0, 0, INDIRECT_DATA, f"{_SDK}, at 12 V"),
        _current("XM430-W350", 1020, 4.8, 2.7, 57.0, 1193),
        _current("XM430-W210", 1030, 3.7, 2.7, 95.0, 1193),
        _current("XM540-W270", 1120, 12.9, 5.5, 37.0, 2047),
        _current("XM540-W150", 1130, 8.9, 5.5, 66.0, 2047),
        _current("XH540-W270", 1100, 11.7, 5.9, 46.0, 2047),
        _current("XH540-W150", 1110, 8.5, 5.9, 86.0, 2047),
    )
}
"""Every model that is known, whether it can be driven or not."""

KP_MAX_NM_PER_RAD: Final = 200.0
KD_MAX_NM_S_PER_RAD: Final = 5.0
"""Closed here and carried by no message, so that these bounds are ours: one count of position is then 0.3 N·m, one of
velocity 0.12 N·m."""

MODELS: Final[Mapping[str, MotorModel]] = {
    servo.name: MotorModel(
        servo.name,
        math.pi,
        servo.no_load_rpm * 2.0 * math.pi / 60.0,
        # To whole hundredths, below what its largest goal gives.
        math.floor(servo.torque_max_count * servo.torque_count_nm * 100.0) / 100.0,
        KP_MAX_NM_PER_RAD,
        KD_MAX_NM_S_PER_RAD,
        f"{servo.source}: stall torque, as far as the current limit goes, and no-load speed",
    )
    for servo in SERVOS.values()
    if MODE_CURRENT in servo.modes
}
"""The models that take a current, and so a torque. Its encoder knows one turn: further, the position starts anew."""

WRAP_MARGIN_RAD: Final = 0.3
"""How far from the end of its turn a joint must stay."""

REPLY_TIMEOUT_S: Final = 0.03
"""How long to wait for an answer: an FTDI adapter keeps the last bytes for up to 16 ms, the rest is our cycle."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all packets lost both ways, one in a thousand still fails."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.HOST_TORQUE,
    velocity="measured",
    torque="estimated",
    temperature="measured",
    says_whether_on=True,
    reports_faults=True,
    timeout=Timeout.MEMORY,
    when_host_dies="goes limp, its torque switch stays on; clear its faults, then enable",
    zero=Zero.FLASH,
    reads_ranges=True,
)

_EMPTY_PACKET_BYTES = 10
_PLACE_BYTES = 4
_STATUS_BYTES = _EMPTY_PACKET_BYTES + 1 + CYCLE_BLOCK_BYTES
_STUFFING_BYTES = CYCLE_BLOCK_BYTES // 3
"""One for each three bytes of a block, if all of them were FF FF FD."""

CYCLE_COST: Final = CycleCost(
    motor_bits=SERIAL_BITS_PER_BYTE * (1 + GOAL_CURRENT.size + 5 + _STATUS_BYTES + _STUFFING_BYTES),
    bus_bits=SERIAL_BITS_PER_BYTE * 2 * (_EMPTY_PACKET_BYTES + _PLACE_BYTES),
)
"""A sync write of the goal currents, a read of the block (at most 5 bytes per servo in the request), and the answers.

With a return delay of 0, which the inventory insists on; 250, as delivered, is half a millisecond per servo.
A fast sync read would save 7 bytes per servo, and lose the answers of all servos behind one that is missing.
"""
