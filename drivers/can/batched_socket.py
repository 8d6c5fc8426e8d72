"""Many CAN frames in one system call: `sendmmsg` and `recvmmsg` on sockets that hold frames as SocketCAN lays them out.

Python's own sockets take one datagram per call. These two batches keep the kernel's structures ready, with all
addresses in them, and write only frames and what the kernel has changed. Nothing here waits.

Source:
    sendmmsg(2), recvmmsg(2), cmsg(3), socket(7) (SO_TIMESTAMPNS, SO_RXQ_OVFL)
"""

from __future__ import annotations

import ctypes
import math
import socket
import struct
from collections.abc import Sequence
from typing import Final

from drivers.bus import Frame
from drivers.can.error_frames import ErrorFrames
from drivers.can.frame_bytes import (
    BIT_RATE_SWITCH,
    CLASSIC,
    CLASSIC_MAXIMUM,
    EXTENDED_FLAG,
    EXTENDED_MASK,
    FD_FORMAT,
    FD_LENGTHS,
    FLEXIBLE,
    KNOWN_FD_FLAGS,
    STANDARD_MASK,
    unpack,
)
from drivers.can.slots import MESSAGE, SLOT_BYTES, SLOTS, Slots

TIMESTAMP_NS: Final = 35
"""SO_TIMESTAMPNS and SCM_TIMESTAMPNS of Linux, which Python does not name: the kernel stamps each frame."""

RECEIVE_OVERFLOW: Final = 40
"""SO_RXQ_OVFL: frames carry the number of those that found the receive queue full, once there are any."""

_COUNTER_RANGE: Final = 1 << 32

_CONTROL_HEAD: Final = struct.Struct("@Nii")
"""`struct cmsghdr`: length with this head, level, type."""
_TIMESPEC: Final = struct.Struct("@ll")
_DROPS: Final = struct.Struct("@I")
_STAMP_SPACE: Final = socket.CMSG_SPACE(_TIMESPEC.size)
_CONTROL_BYTES: Final = _STAMP_SPACE + socket.CMSG_SPACE(_DROPS.size)

_CLASSIC_SLOTS: Final = struct.Struct(f"{CLASSIC.format}{SLOT_BYTES - CLASSIC.size}x")
_STAMPS: Final = struct.Struct(f"@{_CONTROL_HEAD.size}xll{_CONTROL_BYTES - _CONTROL_HEAD.size - _TIMESPEC.size}x")

_make_frame = tuple.__new__
"""Makes a `Frame` in half the time that its own constructor takes."""


class SendBatch:
    """Frames to be sent with one call.

    Args:
        is_fd: Whether FD frames may be sent.
        bit_rate_switch: Whether the data of FD frames goes at the data bit rate.

    Attributes:
        count: Frames loaded.
    """

    def __init__(self, *, is_fd: bool = False, bit_rate_switch: bool = False) -> None:
        self.count = 0
        self._is_fd = is_fd
        self._fd_flags = FD_FORMAT | (BIT_RATE_SWITCH if bit_rate_switch else 0)
        self._slots = Slots(0)
        self._sizes = [SLOT_BYTES] * SLOTS
        self._view = memoryview(self._slots.frames)
        # PyDLL keeps the interpreter's lock: the calls do not wait, and handing the lock over would cost more.
        self._call = ctypes.PyDLL(None, use_errno=True).sendmmsg
        self._call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
        self._call.restype = ctypes.c_int

    def load(self, frames: Sequence[Frame]) -> int:
        """Replace what is loaded.

        Args:
            frames: `SLOTS` at most.

        Returns:
            How many were left out because no CAN controller could send them, or not on this bus.
        """
        buffer, sizes, pack = self._slots.frames, self._sizes, CLASSIC.pack_into
        count = 0
        for number, data, is_extended, is_fd, _ in frames:
            length = len(data)
            if not 0 <= number <= (EXTENDED_MASK if is_extended else STANDARD_MASK):
                continue
            word = number | EXTENDED_FLAG if is_extended else number
            if not is_fd:
                if length > CLASSIC_MAXIMUM:
                    continue
                pack(buffer, count * SLOT_BYTES, word, length, data)
                size = CLASSIC.size
            elif self._is_fd and length in FD_LENGTHS:
                FLEXIBLE.pack_into(buffer, count * SLOT_BYTES, word, length, self._fd_flags, data)
                size = FLEXIBLE.size
            else:
                continue
            if sizes[count] != size:
                sizes[count] = size
                self._slots.vectors[2 * count + 1] = size
            count += 1
        self.count = count
        return len(frames) - count

    def send(self, descriptor: int, start: int = 0) -> int:
        """Send what is loaded, from the frame `start` on.

        Returns:
            How many the kernel took, or minus the error number where it did not take the first one.
        """
        address = self._slots.address + start * MESSAGE.size
        sent = self._call(descriptor, address, self.count - start, socket.MSG_DONTWAIT)
        return sent if sent >= 0 else -ctypes.get_errno()

    def raw(self, start: int) -> list[bytes]:
        """The bytes of the loaded frames, from the frame `start` on."""
        view, sizes = self._view, self._sizes
        return [bytes(view[i * SLOT_BYTES : i * SLOT_BYTES + sizes[i]]) for i in range(start, self.count)]


class ReceiveBatch:
    """Takes what a socket has received.

    Args:
        errors: Where error frames are counted.
        is_fd: Whether FD frames are taken; else they are dropped.

    Attributes:
        dropped: Datagrams thrown away because they are no frame of this bus, and frames that the kernel threw away
            because its queue was full.
        error_frames: Error frames received.
        is_bus_off: Whether one of them said that the controller has left the bus.
    """

    def __init__(self, errors: ErrorFrames, *, is_fd: bool = False) -> None:
        self.dropped = 0
        self.error_frames = 0
        self.is_bus_off = False
        self._errors = errors
        self._is_fd = is_fd
        self._kernel_drops = 0
        self._slots = slots = Slots(_CONTROL_BYTES)
        self._frames, self._control = memoryview(slots.frames), memoryview(slots.control)
        self._fresh = bytes(slots.messages)
        self._classic, self._flexible = self._filled(CLASSIC.size), self._filled(FLEXIBLE.size)
        self._call = ctypes.PyDLL(None, use_errno=True).recvmmsg
        self._call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
        self._call.restype = ctypes.c_int

    def receive(
        self, descriptor: int, frames: list[Frame], now_s: float, wall_s: float, since_s: float = -math.inf
    ) -> int:
        """Append what has arrived to `frames`, `SLOTS` datagrams at most, oldest first.

        A frame's stamp is `now_s` less the time since the kernel saw it, but not before `since_s` and not after
        `now_s`: a step of the wall clock, which the kernel stamps by, makes no frame older or newer than it can be.

        Args:
            descriptor: Of the socket.
            frames: Data frames are appended; remote frames, error frames and the bus's own are not.
            now_s: Monotonic time.
            wall_s: Seconds since the epoch, the clock of the kernel's stamps, at `now_s`.
            since_s: Monotonic time at which the socket was last found empty.

        Returns:
            How many datagrams were taken, or minus the error number.
        """
        count = self._call(descriptor, self._slots.address, SLOTS, socket.MSG_DONTWAIT, None)
        if count < 0:
            return -ctypes.get_errno()
        used = count * MESSAGE.size
        messages = self._slots.messages
        filled = bytes(messages[:used])
        if filled == self._classic[:used]:
            is_taken = self._take_classic(count, frames, now_s, wall_s, since_s)
        elif self._is_fd and filled == self._flexible[:used]:
            is_taken = self._take_flexible(count, frames, now_s, wall_s, since_s)
        else:
            is_taken = False
        if not is_taken:
            self._take_any(count, frames, now_s, wall_s, since_s)
        messages[:used] = self._fresh[:used]
        return count

    def _filled(self, size: int) -> bytes:
        """The structures as the kernel leaves them after datagrams of one size, each with a stamp and nothing else."""
        filled = bytearray(self._fresh)
        for i in range(SLOTS):
            fields = MESSAGE.unpack_from(filled, i * MESSAGE.size)
            MESSAGE.pack_into(filled, i * MESSAGE.size, *fields[:5], _STAMP_SPACE, 0, size)
        return bytes(filled)

    def _take_classic(self, count: int, frames: list[Frame], now_s: float, wall_s: float, since_s: float) -> bool:
        """Take 16 bytes each, if all of them are data frames.

        Returns:
            Whether they are; nothing is taken where one is not.
        """
        words = _CLASSIC_SLOTS.iter_unpack(self._frames[: count * SLOT_BYTES])
        stamps = _STAMPS.iter_unpack(self._control[: count * _CONTROL_BYTES])
        start = len(frames)
        # Names of this function are found faster than the module's, and whole data need not be cut: a third off.
        append, make, kind, clock_s = frames.append, _make_frame, Frame, now_s - wall_s
        highest, longest = STANDARD_MASK, CLASSIC_MAXIMUM
        for (word, length, data), (seconds, nanoseconds) in zip(words, stamps, strict=True):
            stamp_s = clock_s + seconds + nanoseconds * 1e-9
            if stamp_s > now_s:
                stamp_s = now_s
            elif stamp_s < since_s:
                stamp_s = since_s
            if length != longest:
                data = data[:length]  # noqa: PLW2901
            if word <= highest and length <= longest:
                append(make(kind, (word, data, False, False, stamp_s)))
            elif EXTENDED_FLAG <= word <= EXTENDED_FLAG | EXTENDED_MASK and length <= longest:
                append(make(kind, (word & EXTENDED_MASK, data, True, False, stamp_s)))
            else:
                del frames[start:]
                return False
        return True

    def _take_flexible(self, count: int, frames: list[Frame], now_s: float, wall_s: float, since_s: float) -> bool:
        """Take 72 bytes each, if all of them are FD frames.

        Returns:
            Whether they are; nothing is taken where one is not.
        """
        words = FLEXIBLE.iter_unpack(self._frames[: count * SLOT_BYTES])
        stamps = _STAMPS.iter_unpack(self._control[: count * _CONTROL_BYTES])
        start = len(frames)
        append, make, kind, clock_s = frames.append, _make_frame, Frame, now_s - wall_s
        for (word, length, flags, data), (seconds, nanoseconds) in zip(words, stamps, strict=True):
            is_extended = word >= EXTENDED_FLAG
            number = word ^ EXTENDED_FLAG if is_extended else word
            limit = EXTENDED_MASK if is_extended else STANDARD_MASK
            if number > limit or length not in FD_LENGTHS or flags & ~KNOWN_FD_FLAGS:
                del frames[start:]
                return False
            stamp_s = clock_s + seconds + nanoseconds * 1e-9
            if stamp_s > now_s:
                stamp_s = now_s
            elif stamp_s < since_s:
                stamp_s = since_s
            append(make(kind, (number, data[:length], is_extended, True, stamp_s)))
        return True

    def _take_any(self, count: int, frames: list[Frame], now_s: float, wall_s: float, since_s: float) -> None:
        """Take whatever came: other lengths, FD, error frames, other control data."""
        heads = MESSAGE.iter_unpack(self._slots.messages[: count * MESSAGE.size])
        for i, (*_, control_bytes, flags, size) in enumerate(heads):
            sent_s = self._read_control(i * _CONTROL_BYTES, control_bytes)
            if flags & socket.MSG_CONFIRM:
                # SocketCAN marks what this very socket has sent.
                continue
            start = i * SLOT_BYTES
            raw = None if flags & socket.MSG_TRUNC else unpack(bytes(self._frames[start : start + size]))
            if raw is None or (raw.is_fd and not self._is_fd):
                self.dropped += 1
            elif raw.is_error:
                self.error_frames += 1
                if self._errors.take(raw.number, raw.data):
                    self.is_bus_off = True
            elif not raw.is_remote:
                stamp_s = now_s if sent_s is None else max(since_s, min(now_s, now_s - wall_s + sent_s))
                frames.append(_make_frame(Frame, (raw.number, raw.data, raw.is_extended, raw.is_fd, stamp_s)))

    def _read_control(self, start: int, size: int) -> float | None:
        """When the kernel took a datagram, if it says so; how many it has dropped is counted."""
        sent_s: float | None = None
        at, end = start, start + size
        while end - at >= _CONTROL_HEAD.size:
            length, level, kind = _CONTROL_HEAD.unpack_from(self._control, at)
            body = at + _CONTROL_HEAD.size
            if length < _CONTROL_HEAD.size or at + length > end:
                break
            if (level, kind, length) == (socket.SOL_SOCKET, TIMESTAMP_NS, _CONTROL_HEAD.size + _TIMESPEC.size):
                seconds, nanoseconds = _TIMESPEC.unpack_from(self._control, body)
                sent_s = seconds + nanoseconds * 1e-9
            elif (level, kind, length) == (socket.SOL_SOCKET, RECEIVE_OVERFLOW, _CONTROL_HEAD.size + _DROPS.size):
                (drops,) = _DROPS.unpack_from(self._control, body)
                self.dropped += (drops - self._kernel_drops) % _COUNTER_RANGE
                self._kernel_drops = drops
            at += socket.CMSG_SPACE(length - _CONTROL_HEAD.size)
        return sent_s
