"""The register protocol of moteus: subframes that read, write and answer, packed into one CAN FD frame.

Source: `mjbots/moteus` db1a7623d6, docs/protocol/can.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from drivers.can.moteus.tables import PADDING, Resolution
from supervisor.core.errors import FrameError

WRITE: Final = 0x00
READ: Final = 0x10
REPLY: Final = 0x20
WRITE_ERROR: Final = 0x30
READ_ERROR: Final = 0x31
_STREAMS: Final = {
    0x40: (True, False),
    0x41: (True, False),
    0x42: (False, False),
    0x43: (True, True),
    0x44: (False, True),
}
"""Tunneled text: whether data follow, and whether a packet number does."""

LAYOUTS: Final = tuple(struct.Struct(text) for text in ("<b", "<h", "<i", "<f"))
"""By resolution."""


class Access(NamedTuple):
    """One register that a subframe reads, writes or answers.

    Attributes:
        command: READ, WRITE or REPLY.
        register: Which.
        resolution: How it travels.
        raw: Its value as it travels; None for READ.
    """

    command: int
    register: int
    resolution: Resolution
    raw: float | None


class Refusal(NamedTuple):
    """A register that could not be read or written, and why."""

    command: int
    register: int
    code: int


def encode(accesses: Sequence[Access]) -> bytes:
    """Subframes for these accesses, in order; neighbours of one kind share a subframe."""
    parts: list[bytes] = []
    at = 0
    while at < len(accesses):
        first = accesses[at]
        count = 1
        while at + count < len(accesses):
            following = accesses[at + count]
            if following[:3] != (first.command, first.register + count, first.resolution):
                break
            count += 1
        head = first.command | first.resolution << 2
        parts.append(bytes((head | count,)) if count <= 3 else bytes((head,)) + _varuint(count))
        parts.append(_varuint(first.register))
        if first.command != READ:
            parts += (LAYOUTS[first.resolution].pack(access.raw) for access in accesses[at : at + count])
        at += count
    return b"".join(parts)


def parse(data: bytes) -> Iterator[Access | Refusal]:
    """Everything that a frame says about registers, in order; tunneled text and padding are passed over.

    Raises:
        FrameError: It ends too early, or has a subframe that does not exist. What came before was intact, but belongs
            to a frame that was not.
    """
    at, end = 0, len(data)
    while at < end:
        head = data[at]
        at += 1
        command = head & 0xF0
        if command in (WRITE, READ, REPLY):
            resolution = Resolution(head >> 2 & 3)
            count, at = (head & 3, at) if head & 3 else _read_varuint(data, at)
            if not count:
                continue
            register, at = _read_varuint(data, at)
            layout = LAYOUTS[resolution]
            if command != READ and count * layout.size > end - at:
                raise FrameError(f"{count} values of {layout.size} bytes where {end - at} bytes are left")
            # A frame has room for no more than 64 registers; a larger count is damage.
            if count > 64:
                raise FrameError(f"{count} registers in one subframe")
            for offset in range(count):
                raw = None if command == READ else layout.unpack_from(data, at)[0]
                at += 0 if command == READ else layout.size
                yield Access(command, register + offset, resolution, raw)
        elif head in (WRITE_ERROR, READ_ERROR):
            register, at = _read_varuint(data, at)
            code, at = _read_varuint(data, at)
            yield Refusal(head, register, code)
        elif head in _STREAMS:
            at = _skip_stream(data, at, *_STREAMS[head])
        elif head != PADDING[0]:
            raise FrameError(f"0x{head:02X} begins no subframe")


def _skip_stream(data: bytes, at: int, has_data: bool, has_number: bool) -> int:
    """Past the channel, the packet number, the size and the data."""
    _, at = _read_varuint(data, at)
    size, at = _read_varuint(data, at + has_number)
    at += size if has_data else 0
    if at > len(data):
        raise FrameError(f"tunneled text ends {at - len(data)} bytes behind its frame")
    return at


def _varuint(value: int) -> bytes:
    """Seven bits per byte, the lowest first; the top bit says that more follow."""
    parts: list[int] = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*parts, value))


def _read_varuint(data: bytes, at: int) -> tuple[int, int]:
    """The number, and where the next byte is."""
    value = 0
    # Five bytes hold 32 bits.
    for place in range(5):
        if at + place >= len(data):
            raise FrameError("ends within a number")
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, at + place + 1
    raise FrameError("a number of more than five bytes")
