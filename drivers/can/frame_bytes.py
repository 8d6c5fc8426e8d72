"""CAN frames as bytes, laid out as Linux lays them out for SocketCAN: `struct can_frame` and `struct canfd_frame`.

Sixteen bytes are a classic frame, seventy-two one of CAN FD; nothing else is a frame. Standard library only.

Source:
    include/uapi/linux/can.h
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from drivers.bus import Frame
from supervisor.core.errors import EncodeError

CLASSIC: Final = struct.Struct("=IB3x8s")
"""`struct can_frame`: identifier and flags, length, data."""

FLEXIBLE: Final = struct.Struct("=IBB2x64s")
"""`struct canfd_frame`: identifier and flags, length, FD flags, data."""

EXTENDED_FLAG: Final = 0x8000_0000
REMOTE_FLAG: Final = 0x4000_0000
ERROR_FLAG: Final = 0x2000_0000
EXTENDED_MASK: Final = 0x1FFF_FFFF
STANDARD_MASK: Final = 0x7FF

BIT_RATE_SWITCH: Final = 0x01
ERROR_STATE: Final = 0x02
FD_FORMAT: Final = 0x04
KNOWN_FD_FLAGS: Final = BIT_RATE_SWITCH | ERROR_STATE | FD_FORMAT

FD_LENGTHS: Final = frozenset((*range(9), 12, 16, 20, 24, 32, 48, 64))
"""What the four bits of an FD frame's length can say."""

CLASSIC_MAXIMUM: Final = 8


def pack(frame: Frame, *, bit_rate_switch: bool = False) -> bytes:
    """One frame as bytes.

    Args:
        frame: What is to be sent.
        bit_rate_switch: Whether the data of an FD frame goes at the data bit rate.

    Raises:
        EncodeError: No CAN controller could send it: identifier or length out of range.
    """
    number, data = frame.arbitration_id, frame.data
    mask = EXTENDED_MASK if frame.is_extended else STANDARD_MASK
    if not 0 <= number <= mask:
        raise EncodeError(f"identifier {number:#x} outside 0 to {mask:#x}")
    word = number | EXTENDED_FLAG if frame.is_extended else number
    if frame.is_fd:
        if len(data) not in FD_LENGTHS:
            raise EncodeError(f"{len(data)} bytes in an FD frame, which holds one of {sorted(FD_LENGTHS)}")
        return FLEXIBLE.pack(word, len(data), FD_FORMAT | (BIT_RATE_SWITCH if bit_rate_switch else 0), data)
    if len(data) > CLASSIC_MAXIMUM:
        raise EncodeError(f"{len(data)} bytes in a classic frame, which holds 8")
    return CLASSIC.pack(word, len(data), data)


class RawFrame(NamedTuple):
    """One frame as its bytes say, before anybody asks what it means.

    Attributes:
        number: Identifier, or the error classes of an error frame; no flags.
        length: Data bytes; those asked for by a remote frame.
        data: `length` bytes; what a remote frame carries means nothing.
        is_extended, is_remote, is_error, is_fd: The kind of frame.
        flags: FD flags.
    """

    number: int
    length: int
    data: bytes
    is_extended: bool
    is_remote: bool
    is_error: bool
    is_fd: bool
    flags: int


def unpack(raw: bytes) -> RawFrame | None:
    """Take bytes apart; None for bytes that are no frame. Never raises.

    Args:
        raw: Of any length.
    """
    if len(raw) == CLASSIC.size:
        word, length, data = CLASSIC.unpack(raw)
        flags, is_fd = 0, False
    elif len(raw) == FLEXIBLE.size:
        word, length, flags, data = FLEXIBLE.unpack(raw)
        is_fd = True
    else:
        return None
    is_extended, is_remote = bool(word & EXTENDED_FLAG), bool(word & REMOTE_FLAG)
    is_error = bool(word & ERROR_FLAG)
    number = word & EXTENDED_MASK
    if is_error and (is_extended or is_remote):
        return None
    if number > STANDARD_MASK and not (is_extended or is_error):
        return None
    if is_fd:
        if length not in FD_LENGTHS or flags & ~KNOWN_FD_FLAGS or is_remote or is_error:
            return None
    elif length > CLASSIC_MAXIMUM:
        return None
    return RawFrame(number, length, data[:length], is_extended, is_remote, is_error, is_fd, flags)
