"""CANopen: identifiers, objects, states and codes of CiA 301 and CiA 402, as data.

Sources: public descriptions of CiA 301 and CiA 402; `canopen` 2.4.1 (PyPI), whose master and local node were run
against each other, and its state tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, NamedTuple

NODE_ID_RANGE: Final = (1, 127)
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
