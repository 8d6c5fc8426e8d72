"""Feetech STS, SMS, HLS and SCS: instructions, errors and control tables, as data.

Sources: `ftservo/FTServo_Python` a203373036 (vendor SDK); `huggingface/lerobot` (signs). SCS scaling and the error bits
are less certain than the rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from drivers.capabilities import SERIAL_BITS_PER_BYTE, Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.host_position import GAIN_RATIO, ServoModel
from drivers.serial.framing import SummedLayout

BROADCAST_ID: Final = 0xFE
MAXIMUM_ID: Final = 252
MAXIMUM_PACKET_BYTES: Final = 250
"""Of a whole packet: what the vendor's SDK sends and takes at most."""

LAYOUT: Final = SummedLayout(b"\xff\xff", 4, MAXIMUM_PACKET_BYTES, MAXIMUM_ID, BROADCAST_ID)

PING: Final = 0x01
READ: Final = 0x02
WRITE: Final = 0x03
REG_WRITE: Final = 0x04
ACTION: Final = 0x05
RESET: Final = 0x0A
CALIBRATE_OFFSET: Final = 0x0B
SYNC_READ: Final = 0x82
SYNC_WRITE: Final = 0x83

ERROR_BITS: Final[Mapping[int, str]] = {
    0: "VOLTAGE",
    1: "ANGLE",
    2: "OVERHEAT",
    3: "OVERCURRENT",
    5: "OVERLOAD",
}
"""Bits of a status packet's error byte, and of register 65. ANGLE is the position sensor."""


@dataclass(frozen=True, slots=True)
class Register:
    """One entry of a control table.

    Attributes:
        address: First byte.
        size: 1 or 2 bytes.
        sign_bit: Bit that is the sign of a magnitude; None for unsigned.
        is_stored: In EEPROM: written behind the lock (register 55; 48 on SCS) only, and wears.
        is_read_only: Never written.
    """

    address: int
    size: int
    sign_bit: int | None = None
    is_stored: bool = False
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """What the servos of one series share.

    Attributes:
        name: As the robot file writes it.
        order: Of the bytes of a 16-bit register.
        position_count_rad: Unit of position.
        centre_count: Position 0 rad.
        position_counts: Lowest and highest goal position.
        registers: By name.
        source: Where the numbers come from.
    """

    name: str
    order: Literal["little", "big"]
    position_count_rad: float
    centre_count: int
    position_counts: tuple[int, int]
    registers: Mapping[str, Register]
    source: str


SIGN_POSITION: Final = 15
SIGN_SPEED: Final = 15
SIGN_LOAD: Final = 10
SIGN_OFFSET: Final = 11
"""Sign bits of STS registers: magnitudes with a sign, not two's complement."""


def _stored(address: int, size: int = 1, sign_bit: int | None = None) -> Register:
    return Register(address, size, sign_bit, is_stored=True)


def _measured(address: int, size: int = 1, sign_bit: int | None = None) -> Register:
    return Register(address, size, sign_bit, is_read_only=True)


STS_REGISTERS: Final[Mapping[str, Register]] = {
    "firmware_major": Register(0, 1, is_stored=True, is_read_only=True),
    "firmware_minor": Register(1, 1, is_stored=True, is_read_only=True),
    "model": Register(3, 2, is_stored=True, is_read_only=True),
    "id": _stored(5),
    "baud": _stored(6),
    "return_delay": _stored(7),
    "status_level": _stored(8),
    "min_angle": _stored(9, 2),
    "max_angle": _stored(11, 2),
    "max_temperature": _stored(13),
    "max_voltage": _stored(14),
    "min_voltage": _stored(15),
    "max_torque": _stored(16, 2),
    "phase": _stored(18),
    "unload_conditions": _stored(19),
    "p_gain": _stored(21),
    "d_gain": _stored(22),
    "i_gain": _stored(23),
    "dead_zone_cw": _stored(26),
    "dead_zone_ccw": _stored(27),
    "offset": _stored(31, 2, SIGN_OFFSET),
    "mode": _stored(33),
    "protection_torque": _stored(34),
    "protection_time": _stored(35),
    "overload_torque": _stored(36),
    "torque_enable": Register(40, 1),
    "acceleration": Register(41, 1),
    "goal_position": Register(42, 2, SIGN_POSITION),
    "goal_time": Register(44, 2),
    "goal_speed": Register(46, 2, SIGN_SPEED),
    "torque_limit": Register(48, 2),
    "lock": Register(55, 1),
    "position": _measured(56, 2, SIGN_POSITION),
    "speed": _measured(58, 2, SIGN_SPEED),
    "load": _measured(60, 2, SIGN_LOAD),
    "voltage": _measured(62),
    "temperature": _measured(63),
    "status": _measured(65),
    "moving": _measured(66),
    "current": _measured(69, 2, SIGN_POSITION),
}

SCS_REGISTERS: Final[Mapping[str, Register]] = {
    "firmware_major": Register(0, 1, is_stored=True, is_read_only=True),
    "firmware_minor": Register(1, 1, is_stored=True, is_read_only=True),
    "model": Register(3, 2, is_stored=True, is_read_only=True),
    "id": _stored(5),
    "baud": _stored(6),
    "min_angle": _stored(9, 2),
    "max_angle": _stored(11, 2),
    "torque_enable": Register(40, 1),
    "goal_position": Register(42, 2),
    "goal_time": Register(44, 2),
    "goal_speed": Register(46, 2),
    "lock": Register(48, 1),
    "position": _measured(56, 2),
    "speed": _measured(58, 2),
    "load": _measured(60, 2),
    "voltage": _measured(62),
    "temperature": _measured(63),
}
"""No acceleration, no offset register, no status register."""

SERIES: Final[Mapping[str, Series]] = {
    row.name: row
    for row in (
        Series(
            "STS",
            "little",
            2.0 * math.pi / 4096.0,
            2048,
            (-32767, 32767),
            STS_REGISTERS,
            "FTServo_Python a203373036; SMS and HLS alike, but HLS has the goal torque where STS has the goal time",
        ),
        Series(
            "SCS",
            "big",
            math.radians(300.0) / 1024.0,
            512,
            (0, 1023),
            SCS_REGISTERS,
            "FTServo_Python a203373036; 300 degrees is SCS0009's, other models differ",
        ),
    )
}

BAUD_CODES: Final[Mapping[int, int]] = {
    1_000_000: 0,
    500_000: 1,
    250_000: 2,
    128_000: 3,
    115_200: 4,
    76_800: 5,
    57_600: 6,
    38_400: 7,
}
"""Register 6 by baud rate, 1/s."""

STS_MODE_POSITION: Final = 0
STS_MODE_SPEED: Final = 1
STS_MODE_PWM: Final = 2
STS_MODE_STEP: Final = 3

TORQUE_OFF: Final = 0
TORQUE_ON: Final = 1
TORQUE_SET_MIDDLE: Final = 128
"""Written to the torque switch of STS: the present position becomes the middle. It moves the zero: never in a run."""

STS_SPEED_COUNT_RAD_PER_S: Final = 2.0 * math.pi / 4096.0
STS_ACCELERATION_COUNT_RAD_PER_S2: Final = 100.0 * 2.0 * math.pi / 4096.0
LOAD_COUNT: Final = 0.001
CURRENT_COUNT_A: Final = 0.0065
VOLTAGE_COUNT_V: Final = 0.1
RETURN_DELAY_COUNT_S: Final = 2e-6

STS_MOTION_ADDRESS: Final = 56
STS_MOTION_BYTES: Final = 15
"""One read from position to current."""

IDENTITY_ADDRESS: Final = 0
IDENTITY_BYTES: Final = 40
"""One read of all that is stored; who the servo is, and how it is set up."""

SWITCH_ADDRESS: Final = 40
START_BYTES: Final = 8
"""One write from the torque switch to the goal speed: switched on with its goal, or not at all."""

STATE_BYTES: Final[Mapping[str, int]] = {"STS": 10, "SCS": 8}
"""One read from position, by series: to the status, or to the temperature where there is no status."""

WHOLE_BYTES: Final = {series: STS_MOTION_ADDRESS - SWITCH_ADDRESS + size for series, size in STATE_BYTES.items()}
"""One read from the torque switch to the end of the same."""

FULL_TORQUE_LIMIT: Final = 1000
"""Of the torque limit register, in 0.1 %."""

TURN_COUNTS: Final[Mapping[str, tuple[int, int]]] = {"STS": (0, 4095), "SCS": (0, 1023)}
"""Lowest and highest goal within the one turn (or the 300 degrees) that a servo knows after its power was cut."""

RETURN_DELAY_MAX_COUNT: Final = 10
"""Of register 7: 20 us, which `CYCLE_COST` has room for. Some leave the factory with 250, which is 500 us."""


@dataclass(frozen=True, slots=True)
class FeetechModel(ServoModel):
    """One model.

    Attributes:
        number: What its model register reads.
        series: Key of `SERIES`.
        p_gain: P register for which the stiffness holds; it is proportional to it. 0 where there is none.
        d_gain: D register, as it leaves the factory.
    """

    number: int
    series: str
    p_gain: int
    d_gain: int


_STIFFNESS_PER_TORQUE: Final = 17.8 / 3.35
"""1/rad at P 32, of the STS3215 as identified: full drive is reached 0.19 rad from the goal."""


def _model(
    name: str, number: int, v_rad_per_s: float, t_nm: float, source: str, k_nm_per_rad: float = 0.0, series: str = "STS"
) -> FeetechModel:
    """A row; the motor loses all its torque at its no-load speed."""
    row = SERIES[series]
    stiffness, damping = k_nm_per_rad or _STIFFNESS_PER_TORQUE * t_nm, t_nm / v_rad_per_s
    half_turn = (TURN_COUNTS[series][1] - row.centre_count) * row.position_count_rad
    p_gain, d_gain = (32, 32) if series == "STS" else (0, 0)
    return FeetechModel(
        name,
        half_turn,
        v_rad_per_s,
        t_nm,
        GAIN_RATIO * stiffness,
        GAIN_RATIO * damping,
        source,
        stiffness_nm_per_rad=stiffness,
        damping_nm_s_per_rad=damping,
        number=number,
        series=series,
        p_gain=p_gain,
        d_gain=d_gain,
    )


_SCALED: Final = "stiffness not identified: STS3215's, scaled with the stall torque"

MODELS: Final[Mapping[str, FeetechModel]] = {
    row.name: row
    for row in (
        _model(
            "STS3215",
            777,
            5.45,
            1.91,
            "data sheet at 7.4 V (19.5 kg cm, 52 rpm); stiffness as identified for Open Duck Mini",
            17.8,
        ),
        _model("STS3215-12V", 777, 4.7, 2.94, f"data sheet at 12 V (30 kg cm, 45 rpm); {_SCALED}"),
        _model("STS3250", 2825, 7.87, 4.9, f"data sheet at 12 V (50 kg cm, 0.133 s for 60 degrees); {_SCALED}"),
        _model(
            "SCS0009", 1284, 10.5, 0.22, f"data sheet at 6 V (2.3 kg cm, 0.1 s for 60 degrees); {_SCALED}", 0.0, "SCS"
        ),
    )
}
"""Stiffness falls and rises with the supply."""

GOAL_MARGIN_RAD: Final = 0.2
"""How far joints stay away from the end of the turn: goals lead by up to 0.19 rad, where drive is full."""

REPLY_TIMEOUT_S: Final = 0.02
"""How long to wait for an answer: servos answer in under 1 ms, the rest is for the adapter and our cycle."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all packets lost both ways, one in a thousand still fails."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.HOST_POSITION,
    velocity="measured",
    torque="estimated",
    temperature="measured",
    says_whether_on=True,
    reports_faults=True,
    timeout=Timeout.NONE,
    when_host_dies="holds its last goal for ever, with torque",
    zero=Zero.FLASH,
    reads_ranges=True,
)

_PACKET_BYTES: Final = 6
"""Header, id, length, instruction or error, checksum."""

CYCLE_COST: Final = CycleCost(
    # Its goal in the sync write, its id in the sync read, and its answer.
    motor_bits=SERIAL_BITS_PER_BYTE * (3 + 1 + _PACKET_BYTES + STATE_BYTES["STS"]),
    # Cycles of 12 servos are reported to end at 200 to 250 Hz: this much more than their bytes.
    motor_s=50e-6,
    bus_bits=SERIAL_BITS_PER_BYTE * 2 * (_PACKET_BYTES + 2),
)
