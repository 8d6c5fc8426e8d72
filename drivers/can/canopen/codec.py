"""CANopen messages: pure functions between values and bytes.

Expedited SDO, because every object a drive needs fits into four bytes, and segmented upload for texts. Encoding raises
`EncodeError` on what does not fit its object: clamping is the gate's job, and is counted there.

Source: see `tables`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.canopen.tables import (
    ALL_NODES,
    EMERGENCIES,
    HEARTBEAT_BASE,
    HEARTBEAT_CONSUMER,
    NMT_ID,
    NMT_STATES,
    NODE_ID_RANGE,
    RPDO_BASES,
    SDO_ABORTS,
    SDO_REQUEST_BASE,
    SYNC_ID,
    DataType,
    NmtCommand,
    ObjectEntry,
    Service,
)
from supervisor.core.errors import EncodeError, FrameError

SYNC: Final = Frame(SYNC_ID, b"")

_SERVICES: Final = {service.value: service for service in Service}
_WRITE_COMMANDS: Final = {4: 0x23, 3: 0x27, 2: 0x2B, 1: 0x2F}
_READ: Final = 0x40
_READ_SEGMENT: Final = 0x60
_SEGMENTS_FOLLOW: Final = (0x40, 0x41)
_WRITTEN: Final = 0x60
_ABORTED: Final = 0x80
_VALUE_SIZES: Final = {0x43: 4, 0x47: 3, 0x4B: 2, 0x4F: 1, 0x42: 4}
"""0x42 does not say how many bytes count."""


@dataclass(frozen=True, slots=True)
class SdoValue:
    """A drive's answer to a read.

    Attributes:
        index, subindex: Which object.
        data: 1 to 4 bytes, little-endian.
    """

    index: int
    subindex: int
    data: bytes

    def number(self, kind: DataType) -> int:
        """The value.

        Raises:
            FrameError: The drive's object has another size.
        """
        if len(self.data) != kind.size:
            raise FrameError(f"object 0x{self.index:04X}:{self.subindex} has {len(self.data)} bytes, not {kind.size}")
        return int.from_bytes(self.data, "little", signed=kind.is_signed)


@dataclass(frozen=True, slots=True)
class SdoWritten:
    """A drive's answer to a write. Verify by reading back."""

    index: int
    subindex: int


@dataclass(frozen=True, slots=True)
class SdoAbort:
    """A drive's refusal."""

    index: int
    subindex: int
    code: int

    @property
    def reason(self) -> str:
        """What the code means."""
        return SDO_ABORTS.get(self.code, f"abort code 0x{self.code:08X}")


class Segment(NamedTuple):
    """One part of a long value.

    Attributes:
        toggle: Alternates between 0 and 1, from 0.
        data: Up to 7 bytes.
        is_last: Whether the value ends here.
    """

    toggle: int
    data: bytes
    is_last: bool


class Emergency(NamedTuple):
    """One emergency message; code 0 takes back an earlier one."""

    code: int
    error_register: int
    vendor_data: bytes

    @property
    def description(self) -> str:
        """What kind of trouble; empty for a code outside the profile's groups."""
        return next((text for mask, value, text in EMERGENCIES if self.code & mask == value), "")


def make_nmt(command: NmtCommand, node_id: int = ALL_NODES) -> Frame:
    """Tell one node, or all, which communication state to take. No answer but the heartbeat's."""
    if node_id != ALL_NODES:
        checked_node_id(node_id)
    return Frame(NMT_ID, bytes((command, node_id)))


def make_heartbeat(node_id: int, state: int) -> Frame:
    """A heartbeat: the host's own, which drives watch."""
    if state not in NMT_STATES:
        raise EncodeError(f"NMT state {state}; allowed: {', '.join(map(str, NMT_STATES))}")
    return Frame(HEARTBEAT_BASE + checked_node_id(node_id), bytes((state,)))


def make_sdo_read(node_id: int, index: int, subindex: int) -> Frame:
    """Ask for an object's value."""
    return Frame(SDO_REQUEST_BASE + checked_node_id(node_id), _sdo_head(_READ, index, subindex) + bytes(4))


def make_sdo_write(node_id: int, index: int, subindex: int, value: int, size: int) -> Frame:
    """Set an object's value.

    Args:
        node_id: Who.
        index: Which object.
        subindex: Which entry of it.
        value: Signed or not.
        size: Bytes of the object, 1 to 4.

    Raises:
        EncodeError: It does not fit.
    """
    if size not in _WRITE_COMMANDS:
        raise EncodeError(f"{size} bytes in an expedited SDO; allowed: 1 to 4")
    low, high = DataType(size, True).range[0], DataType(size, False).range[1]
    data = checked_integer(value, low, high, f"object 0x{index:04X}:{subindex}").to_bytes(5, "little", signed=True)
    head = _sdo_head(_WRITE_COMMANDS[size], index, subindex)
    return Frame(SDO_REQUEST_BASE + checked_node_id(node_id), head + data[:size].ljust(4, b"\0"))


def make_write(node_id: int, entry: ObjectEntry, value: int) -> Frame:
    """Set the value of an object whose type is known.

    Raises:
        EncodeError: It does not fit.
    """
    checked_integer(value, *entry.type.range, f"object 0x{entry.index:04X}:{entry.subindex}")
    return make_sdo_write(node_id, entry.index, entry.subindex, value, entry.type.size)


def make_read(node_id: int, entry: ObjectEntry) -> Frame:
    """Ask for the value of an object whose type is known."""
    return make_sdo_read(node_id, entry.index, entry.subindex)


def make_segment_read(node_id: int, toggle: int) -> Frame:
    """Ask for the next part of a value that does not fit into one answer."""
    command = _READ_SEGMENT | checked_integer(toggle, 0, 1, "toggle bit") << 4
    return Frame(SDO_REQUEST_BASE + checked_node_id(node_id), bytes((command,)).ljust(8, b"\0"))


def make_sdo_abort(node_id: int, index: int, subindex: int, code: int) -> Frame:
    """Give up a transfer, so that the drive does not wait for its next part. Not answered."""
    head = _sdo_head(_ABORTED, index, subindex)
    data = checked_integer(code, 0, 0xFFFFFFFF, "abort code").to_bytes(4, "little")
    return Frame(SDO_REQUEST_BASE + checked_node_id(node_id), head + data)


def make_watch_heartbeat(node_id: int, host_id: int, timeout_s: float) -> Frame:
    """Make a drive watch the host's heartbeat; ABORT_CONNECTION_OPTION says what it does when that stops.

    Args:
        node_id: The drive.
        host_id: Node id in the host's heartbeats.
        timeout_s: How long a silence it allows; 0 s for ever.

    Raises:
        EncodeError: Negative, not finite, too long, or so short that it would silently become 0, "off".
    """
    # Half a millionth of a count: 0.3 s is 299.99999999999994 ms in binary.
    counts = int(timeout_s * 1e3 + 5e-7) if math.isfinite(timeout_s) else -1
    if not 0 <= counts <= 0xFFFF or timeout_s < 0.0 or (counts == 0 and timeout_s > 0.0):
        raise EncodeError(f"heartbeat timeout {timeout_s} s; allowed: 0 (off), or 0.001 to 65.535")
    return make_write(node_id, HEARTBEAT_CONSUMER, checked_node_id(host_id) << 16 | counts)


def sender(frame: Frame) -> tuple[Service, int] | None:
    """Which service of which node a frame came from; None when no node sent it."""
    if frame.is_extended or frame.is_fd:
        return None
    service = _SERVICES.get(frame.arbitration_id & ~0x7F)
    node_id = frame.arbitration_id & 0x7F
    return None if service is None or node_id == ALL_NODES else (service, node_id)


def commanded_node(frame: Frame) -> int | None:
    """Which node a host's frame commands, ALL_NODES for all; None for what commands nothing, as a read does."""
    identifier, data = frame.arbitration_id, frame.data
    if frame.is_extended or frame.is_fd:
        return None
    if identifier == NMT_ID:
        return data[1] if len(data) == 2 else None
    if identifier == SYNC_ID:
        return ALL_NODES
    is_write = identifier & ~0x7F == SDO_REQUEST_BASE and len(data) == 8 and data[0] >> 5 in (0, 1)
    return identifier & 0x7F if is_write or identifier & ~0x7F in RPDO_BASES else None


def decode_sdo_reply(data: bytes) -> SdoValue | SdoWritten | SdoAbort:
    """Decode a drive's answer to an SDO request.

    Raises:
        FrameError: Wrong length, or an answer of another kind (segmented, block).
    """
    if len(data) != 8:
        raise FrameError(f"{len(data)} data bytes where an SDO has 8")
    index, subindex = data[1] | data[2] << 8, data[3]
    if data[0] in _VALUE_SIZES:
        return SdoValue(index, subindex, data[4 : 4 + _VALUE_SIZES[data[0]]])
    if data[0] == _WRITTEN:
        return SdoWritten(index, subindex)
    if data[0] == _ABORTED:
        return SdoAbort(index, subindex, int.from_bytes(data[4:], "little"))
    raise FrameError(f"SDO command 0x{data[0]:02X} is no answer to an expedited request")


def is_segmented(data: bytes, index: int, subindex: int) -> bool:
    """Whether a reply says that an object's value follows in segments."""
    return len(data) == 8 and data[0] in _SEGMENTS_FOLLOW and data[1:4] == _sdo_head(_READ, index, subindex)[1:]


def decode_segment(data: bytes) -> Segment:
    """Decode one part of a long value.

    Raises:
        FrameError: Wrong length, or no such part.
    """
    if len(data) != 8 or data[0] >> 5:
        raise FrameError(f"{data.hex()} is no segment of a value")
    unused = data[0] >> 1 & 7
    return Segment(data[0] >> 4 & 1, data[1 : 8 - unused], bool(data[0] & 1))


def decode_heartbeat(data: bytes) -> int:
    """The NMT state in a heartbeat, see `NMT_STATES`; 0 means that the node has just booted.

    Raises:
        FrameError: Wrong length, or a state that does not exist.
    """
    if len(data) != 1 or data[0] not in NMT_STATES:
        raise FrameError(f"{data.hex()} is no heartbeat")
    return data[0]


def decode_emergency(data: bytes) -> Emergency:
    """Decode one emergency message.

    Raises:
        FrameError: Wrong length.
    """
    if len(data) != 8:
        raise FrameError(f"{len(data)} data bytes where an emergency has 8")
    return Emergency(data[0] | data[1] << 8, data[2], data[3:])


def checked_node_id(node_id: int) -> int:
    """The node id, if it is one.

    Raises:
        EncodeError: It is not.
    """
    return checked_integer(node_id, *NODE_ID_RANGE, "node id")


def checked_integer(value: int, low: int, high: int, what: str) -> int:
    """The value as an int.

    Raises:
        EncodeError: Not a whole number within the limits. NaN is within no limits.
    """
    if not low <= value <= high or value != int(value):
        raise EncodeError(f"{what}: {value}; allowed: {low} to {high}")
    return int(value)


def _sdo_head(command: int, index: int, subindex: int) -> bytes:
    checked_integer(index, 0, 0xFFFF, "index")
    return bytes((command, index & 0xFF, index >> 8, checked_integer(subindex, 0, 0xFF, "subindex")))
