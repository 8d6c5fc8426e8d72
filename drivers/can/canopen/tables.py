"""CANopen: identifiers, objects, states and codes of CiA 301 and CiA 402, as data.

Sources: public descriptions of CiA 301 and CiA 402; `canopen` 2.4.1 (PyPI), whose master and local node were run
against each other, and its state tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from drivers.capabilities import Capabilities, ControlLoop, CycleCost, Timeout, Zero
from drivers.devices import MotorModel

NODE_ID_RANGE: Final = (1, 127)
HOST_ID: Final = 127
"""What we call ourselves in our heartbeat, which drives watch."""
DRIVE_ID_RANGE: Final = (1, 126)
ALL_NODES: Final = 0

NMT_ID: Final = 0x000
SYNC_ID: Final = 0x080
SDO_REQUEST_BASE: Final = 0x600
HEARTBEAT_BASE: Final = 0x700
TPDO_BASES: Final = (0x180, 0x280, 0x380, 0x480)
"""What drives send: process data 1 to 4, plus the node id."""
RPDO_BASES: Final = (0x200, 0x300, 0x400, 0x500)
"""What drives listen to."""

PDO_IS_OFF: Final = 1 << 31
"""In a PDO's identifier object: it may only be changed while this is set."""
PDO_IS_NEVER_ASKED_FOR: Final = 1 << 30
"""In a PDO's identifier object: it is not sent on request. Many drives insist on it, so it stays as found."""
EVERY_SYNC: Final = 1
"""Transmission type: at each SYNC what was measured is sent, and what was received is acted on."""

MAXIMUM_PDO_BYTES: Final = 8


class Service(Enum):
    """What a node sends; each has its own range of identifiers."""

    EMERGENCY = 0x080
    TPDO_1 = 0x180
    TPDO_2 = 0x280
    TPDO_3 = 0x380
    TPDO_4 = 0x480
    SDO_REPLY = 0x580
    HEARTBEAT = 0x700


class NmtCommand(IntEnum):
    """What the network's master can tell a node."""

    OPERATIONAL = 0x01
    STOPPED = 0x02
    PRE_OPERATIONAL = 0x80
    RESET_NODE = 0x81
    RESET_COMMUNICATION = 0x82


NMT_STATES: Final[Mapping[int, str]] = {
    0: "INITIALISING",
    4: "STOPPED",
    5: "OPERATIONAL",
    80: "SLEEP",
    96: "STANDBY",
    127: "PRE-OPERATIONAL",
}
"""As heartbeats say them; 0 is sent once, after booting."""


class DataType(NamedTuple):
    """An integer on the wire, little-endian."""

    size: int
    is_signed: bool

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value."""
        bits = 8 * self.size
        return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if self.is_signed else (0, (1 << bits) - 1)


I8, I16, I32 = DataType(1, True), DataType(2, True), DataType(4, True)
U8, U16, U32 = DataType(1, False), DataType(2, False), DataType(4, False)


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """One entry of a drive's object dictionary."""

    index: int
    subindex: int
    type: DataType


DEVICE_TYPE: Final = ObjectEntry(0x1000, 0, U32)
ERROR_REGISTER: Final = ObjectEntry(0x1001, 0, U8)
DEVICE_NAME: Final = (0x1008, 0)
SOFTWARE_VERSION: Final = (0x100A, 0)
"""Texts of any length, index and subindex."""
HEARTBEAT_CONSUMER: Final = ObjectEntry(0x1016, 1, U32)
HEARTBEAT_PRODUCER: Final = ObjectEntry(0x1017, 0, U16)
VENDOR_ID: Final = ObjectEntry(0x1018, 1, U32)
PRODUCT_CODE: Final = ObjectEntry(0x1018, 2, U32)
REVISION: Final = ObjectEntry(0x1018, 3, U32)
SERIAL_NUMBER: Final = ObjectEntry(0x1018, 4, U32)
COMMUNICATION_ERROR_BEHAVIOUR: Final = ObjectEntry(0x1029, 1, U8)
ABORT_CONNECTION_OPTION: Final = ObjectEntry(0x6007, 0, I16)
ERROR_CODE: Final = ObjectEntry(0x603F, 0, U16)
CONTROLWORD: Final = ObjectEntry(0x6040, 0, U16)
STATUSWORD: Final = ObjectEntry(0x6041, 0, U16)
QUICK_STOP_OPTION: Final = ObjectEntry(0x605A, 0, I16)
FAULT_REACTION_OPTION: Final = ObjectEntry(0x605E, 0, I16)
MODE: Final = ObjectEntry(0x6060, 0, I8)
MODE_DISPLAY: Final = ObjectEntry(0x6061, 0, I8)
POSITION_ACTUAL: Final = ObjectEntry(0x6064, 0, I32)
VELOCITY_ACTUAL: Final = ObjectEntry(0x606C, 0, I32)
TARGET_TORQUE: Final = ObjectEntry(0x6071, 0, I16)
MAXIMUM_TORQUE: Final = ObjectEntry(0x6072, 0, U16)
RATED_CURRENT: Final = ObjectEntry(0x6075, 0, U32)
RATED_TORQUE: Final = ObjectEntry(0x6076, 0, U32)
TORQUE_ACTUAL: Final = ObjectEntry(0x6077, 0, I16)
CURRENT_ACTUAL: Final = ObjectEntry(0x6078, 0, I16)
SUPPLY_VOLTAGE: Final = ObjectEntry(0x6079, 0, U32)
TARGET_POSITION: Final = ObjectEntry(0x607A, 0, I32)
VELOCITY_OFFSET: Final = ObjectEntry(0x60B1, 0, I32)
TORQUE_OFFSET: Final = ObjectEntry(0x60B2, 0, I16)
INTERPOLATION_PERIOD: Final = ObjectEntry(0x60C2, 1, U8)
INTERPOLATION_EXPONENT: Final = ObjectEntry(0x60C2, 2, I8)
ENCODER_COUNTS: Final = ObjectEntry(0x608F, 1, U32)
ENCODER_TURNS: Final = ObjectEntry(0x608F, 2, U32)
GEAR_MOTOR_TURNS: Final = ObjectEntry(0x6091, 1, U32)
GEAR_SHAFT_TURNS: Final = ObjectEntry(0x6091, 2, U32)
FEED: Final = ObjectEntry(0x6092, 1, U32)
FEED_SHAFT_TURNS: Final = ObjectEntry(0x6092, 2, U32)
VELOCITY_UNIT: Final = ObjectEntry(0x60A9, 0, U32)
DIGITAL_INPUTS: Final = ObjectEntry(0x60FD, 0, U32)
TARGET_VELOCITY: Final = ObjectEntry(0x60FF, 0, I32)
SUPPORTED_MODES: Final = ObjectEntry(0x6502, 0, U32)

OBJECTS: Final[Mapping[tuple[int, int], ObjectEntry]] = {
    (entry.index, entry.subindex): entry for entry in tuple(globals().values()) if isinstance(entry, ObjectEntry)
}


class Mode(IntEnum):
    """Modes of operation, 0x6060 and 0x6061."""

    PROFILE_POSITION = 1
    PROFILE_VELOCITY = 3
    PROFILE_TORQUE = 4
    HOMING = 6
    INTERPOLATED_POSITION = 7
    CYCLIC_POSITION = 8
    CYCLIC_VELOCITY = 9
    CYCLIC_TORQUE = 10


DRIVE_PROFILE: Final = 402
"""Lower half of 0x1000."""

TORQUE_STEP: Final = 1e-3
"""Torques are in thousandths of the motor's rated torque."""


class AbortConnection(IntEnum):
    """What a drive does when it no longer hears the host, 0x6007."""

    NOTHING = 0
    FAULT = 1
    DISABLE_VOLTAGE = 2
    QUICK_STOP = 3


EMERGENCIES: Final = (
    (0xFF00, 0x0000, "Error Reset / No Error"),
    (0xFF00, 0x1000, "Generic Error"),
    (0xF000, 0x2000, "Current"),
    (0xF000, 0x3000, "Voltage"),
    (0xF000, 0x4000, "Temperature"),
    (0xFF00, 0x5000, "Device Hardware"),
    (0xF000, 0x6000, "Device Software"),
    (0xFF00, 0x7000, "Additional Modules"),
    (0xF000, 0x8000, "Monitoring"),
    (0xFF00, 0x9000, "External Error"),
    (0xFF00, 0xF000, "Additional Functions"),
    (0xFF00, 0xFF00, "Device Specific"),
)
"""Mask, value and meaning of emergency codes."""

SDO_ABORTS: Final[Mapping[int, str]] = {
    0x05030000: "toggle bit not alternated",
    0x05040000: "timed out",
    0x05040001: "unknown command",
    0x05040005: "out of memory",
    0x06010000: "access not supported",
    0x06010001: "write-only object",
    0x06010002: "read-only object",
    0x06020000: "no such object",
    0x06040041: "object cannot be mapped to a PDO",
    0x06040042: "PDO too long",
    0x06040043: "parameters do not fit together",
    0x06040047: "incompatible inside the device",
    0x06060000: "hardware error",
    0x06070010: "wrong length",
    0x06070012: "too long",
    0x06070013: "too short",
    0x06090011: "no such subindex",
    0x06090030: "value out of range",
    0x06090031: "value too high",
    0x06090032: "value too low",
    0x06090036: "maximum below minimum",
    0x060A0023: "resource not available",
    0x08000000: "general error",
    0x08000020: "cannot be stored",
    0x08000021: "cannot be stored: under local control",
    0x08000022: "cannot be stored in this device state",
    0x08000023: "no object dictionary",
    0x08000024: "no data",
}

ERROR_CODES: Final[Mapping[int, str]] = {
    0x1000: "GENERIC_ERROR",
    0x2310: "CONTINUOUS_OVERCURRENT",
    0x2320: "SHORT_CIRCUIT",
    0x2350: "LOAD_LEVEL_I2T",
    0x3210: "DC_LINK_OVERVOLTAGE",
    0x3220: "DC_LINK_UNDERVOLTAGE",
    0x4110: "EXCESS_AMBIENT_TEMPERATURE",
    0x4210: "EXCESS_TEMPERATURE_DEVICE",
    0x4310: "EXCESS_TEMPERATURE_DRIVE",
    0x5530: "NON_VOLATILE_MEMORY",
    0x6320: "PARAMETER_ERROR",
    0x7121: "MOTOR_BLOCKED",
    0x7122: "COMMUTATION",
    0x7300: "SENSOR",
    0x7305: "INCREMENTAL_SENSOR_1",
    0x7500: "COMMUNICATION",
    0x8110: "CAN_OVERRUN",
    0x8120: "CAN_ERROR_PASSIVE",
    0x8130: "HEARTBEAT_LOST",
    0x8140: "RECOVERED_FROM_BUS_OFF",
    0x8210: "PDO_TOO_SHORT",
    0x8220: "PDO_TOO_LONG",
    0x8250: "RPDO_TIMEOUT",
    0x8311: "EXCESS_TORQUE",
    0x8400: "VELOCITY_CONTROLLER",
    0x8611: "FOLLOWING_ERROR",
    0xFF00: "DEVICE_SPECIFIC",
}
"""Codes of 0x603F and of emergency messages that the profile names; makers add their own within the same groups."""


class TemperatureObject(NamedTuple):
    """Where a maker put what the profile has no object for.

    Attributes:
        entry: Which object; it can be mapped into a PDO.
        step_degc: Unit of the number.
        source: Where that is written.
    """

    entry: ObjectEntry
    step_degc: float
    source: str


@dataclass(frozen=True, slots=True)
class DriveFacts:
    """What a row knows of a drive besides its ranges.

    Attributes:
        temperature: Its temperature, None where it has no known object: then it reads as NaN.
        velocity_unit: Of 0x606C, as 0x60A9 would have it, for drives without that object; None for drives with it.
    """

    temperature: TemperatureObject | None = None
    velocity_unit: int | None = None


COUNTS_PER_SECOND: Final = 0x00B50300
TURNS_PER_MINUTE: Final = 0x00B44700
"""Values of 0x60A9: exponent of ten, unit, per unit of time, reserved; 8 bits each."""

_BOUNDS: Final = (100.0, 100.0, 1000.0, 5000.0, 100.0)
_BOUND_SOURCE: Final = (
    "bounds: 2^31 counts are 102 rad at 2^20 counts a turn behind a gear of 125; "
    "`drive` says torque and speed; stiffness and damping stay in this computer"
)

MODELS: Final[Mapping[str, MotorModel]] = {
    name: MotorModel(name, *_BOUNDS, _BOUND_SOURCE) for name in ("CiA402", "CiA402-counts", "CiA402-rpm", "EPOS4")
}

FACTS: Final[Mapping[str, DriveFacts]] = {
    "CiA402": DriveFacts(),
    "CiA402-counts": DriveFacts(velocity_unit=COUNTS_PER_SECOND),
    "CiA402-rpm": DriveFacts(velocity_unit=TURNS_PER_MINUTE),
    "EPOS4": DriveFacts(
        TemperatureObject(ObjectEntry(0x3201, 1, I16), 0.1, "maxon EPOS4 object dictionary: power stage, 0.1 degC")
    ),
}
"""By model."""

WITHOUT_TEMPERATURE: Final = tuple(name for name, facts in FACTS.items() if facts.temperature is None)

HEARTBEAT_CYCLES: Final = 2
"""The host's heartbeat goes out every second cycle: at 500 Hz and 0.1 s, 25 in a row must be lost to stop a drive."""

REPLY_TIMEOUT_S: Final = 0.05
"""How long to wait for an SDO reply: drives answer within some milliseconds, beside their control loops."""

ATTEMPTS: Final = 10
"""Requests are repeated this often: with a third of all frames lost both ways, one in a thousand still fails."""

CAPABILITIES: Final = Capabilities(
    control=ControlLoop.HOST_TORQUE,
    velocity="measured",
    torque="measured",
    temperature="measured",
    says_whether_on=True,
    reports_faults=True,
    timeout=Timeout.MEMORY,
    when_host_dies="switches its voltage off and goes limp; enable",
    zero=Zero.NONE,
    reads_ranges=True,
)
"""Temperature only where the row knows the maker's object, see `WITHOUT_TEMPERATURE`."""


def _frame_bits(data_bytes: int) -> int:
    """A frame with an 11-bit identifier at worst-case stuffing, gap to the next included."""
    return 47 + 8 * data_bytes + (33 + 8 * data_bytes) // 4


CYCLE_COST: Final = CycleCost(
    # Controlword and torque; statusword, position and torque; velocity and a temperature of four bytes.
    _frame_bits(4) + _frame_bits(8) + _frame_bits(8),
    # SYNC, and its share of the host's heartbeat.
    bus_bits=_frame_bits(0) + _frame_bits(1) // HEARTBEAT_CYCLES + 1,
)
