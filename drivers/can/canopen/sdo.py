"""Reading and writing a drive's objects one by one, without ever blocking.

Every wait is a `yield`, resumed once a cycle with the time. A request whose answer does not come is repeated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Final, Protocol

from drivers.bus import Frame
from drivers.can.canopen import codec
from drivers.can.canopen.codec import SdoAbort, SdoValue, SdoWritten
from drivers.can.canopen.tables import ATTEMPTS, REPLY_TIMEOUT_S, ObjectEntry
from supervisor.core.errors import FrameError

LONGEST_TEXT: Final = 64
"""Bytes of a name or a version; a drive that goes on for ever is cut off here."""

_TIMED_OUT: Final = 0x05040000
_GENERAL_ERROR: Final = 0x08000000

Waiting = Generator[None, float, float]
"""A wait; returns the time at its end."""

Asking = Generator[None, float, tuple[float, "int | SdoAbort | None"]]
"""A question; returns the time and the answer: a number, the drive's refusal, or None when nothing came back."""


class SdoLine(Protocol):
    """One drive, as its object dictionary is reached."""

    @property
    def node_id(self) -> int:
        """Its node id."""
        ...

    @property
    def replies(self) -> deque[bytes]:
        """Data of the SDO replies that have arrived and that nobody has looked at, oldest first."""
        ...

    def send(self, frame: Frame) -> None:
        """Send one frame that the drive answers."""
        ...

    def tell(self, frame: Frame) -> None:
        """Send one frame that nobody answers."""
        ...


def read(line: SdoLine, entry: ObjectEntry, now_s: float) -> Asking:
    """Read an object."""
    request = codec.make_read(line.node_id, entry)
    now_s, reply = yield from _ask(line, request, entry.index, entry.subindex, now_s)
    if isinstance(reply, SdoValue):
        try:
            return now_s, reply.number(entry.type)
        except FrameError:
            # Of another size than the profile says: not the object that we mean.
            return now_s, SdoAbort(entry.index, entry.subindex, _GENERAL_ERROR)
    return now_s, reply if isinstance(reply, SdoAbort) else None


def write(line: SdoLine, entry: ObjectEntry, value: int, now_s: float) -> Asking:
    """Write an object and read it back, at most a few times: drives acknowledge what they do not keep.

    Returns:
        The time, and what it reads as afterwards; the drive's refusal where it refuses to be written.
    """
    request = codec.make_write(line.node_id, entry, value)
    found: int | SdoAbort | None = None
    for _ in range(ATTEMPTS):
        now_s, reply = yield from _ask(line, request, entry.index, entry.subindex, now_s)
        if isinstance(reply, SdoAbort) or reply is None:
            return now_s, reply
        now_s, found = yield from read(line, entry, now_s)
        if found is None or found == value:
            break
    return now_s, found


def numbers(line: SdoLine, entry: ObjectEntry) -> set[int]:
    """The different values in all the replies to a read of an object that have arrived."""
    found: set[int] = set()
    while line.replies:
        reply = _decoded(line.replies.popleft())
        if isinstance(reply, SdoValue) and (reply.index, reply.subindex) == (entry.index, entry.subindex):
            found.add(int.from_bytes(reply.data, "little"))
    return found


def read_text(line: SdoLine, where: tuple[int, int], now_s: float) -> Generator[None, float, tuple[float, str]]:
    """Read a text of any length.

    Returns:
        The time, and the text; "" where the drive has none.
    """
    index, subindex = where
    request = codec.make_sdo_read(line.node_id, index, subindex)
    for _ in range(ATTEMPTS):
        now_s, data = yield from _text_reply(line, request, where, now_s)
        if isinstance(data, bytes):
            return now_s, _as_text(data)
        if data:
            now_s, text = yield from _segments(line, now_s)
            if text is not None:
                return now_s, _as_text(text)
            line.tell(codec.make_sdo_abort(line.node_id, index, subindex, _TIMED_OUT))
    return now_s, ""


def _text_reply(
    line: SdoLine, request: Frame, where: tuple[int, int], now_s: float
) -> Generator[None, float, tuple[float, bytes | bool]]:
    """The beginning of a text: all of it, b"" for none, True when it follows in segments, False for no answer."""
    line.replies.clear()
    line.send(request)
    deadline_s = now_s + REPLY_TIMEOUT_S
    while True:
        while line.replies:
            data = line.replies.popleft()
            if codec.is_segmented(data, *where):
                return now_s, True
            reply = _decoded(data)
            if reply is not None and (reply.index, reply.subindex) == where:
                return now_s, reply.data if isinstance(reply, SdoValue) else b""
        if now_s >= deadline_s:
            return now_s, False
        now_s = yield


def _segments(line: SdoLine, now_s: float) -> Generator[None, float, tuple[float, bytes | None]]:
    """The parts of a text, one after the other; None when one is missing."""
    text, toggle = b"", 0
    while len(text) <= LONGEST_TEXT:
        line.replies.clear()
        line.send(codec.make_segment_read(line.node_id, toggle))
        deadline_s = now_s + REPLY_TIMEOUT_S
        while not line.replies and now_s < deadline_s:
            now_s = yield
        try:
            segment = codec.decode_segment(line.replies.popleft() if line.replies else b"")
        except FrameError:
            return now_s, None
        if segment.toggle != toggle:
            return now_s, None
        text += segment.data
        if segment.is_last:
            return now_s, text
        toggle = 1 - toggle
    return now_s, None


def _ask(
    line: SdoLine, request: Frame, index: int, subindex: int, now_s: float
) -> Generator[None, float, tuple[float, SdoValue | SdoWritten | SdoAbort | None]]:
    """Send a request until its answer is there, at most a few times."""
    for _ in range(ATTEMPTS):
        line.replies.clear()
        line.send(request)
        deadline_s = now_s + REPLY_TIMEOUT_S
        while now_s < deadline_s:
            now_s = yield
            while line.replies:
                reply = _decoded(line.replies.popleft())
                if reply is not None and (reply.index, reply.subindex) == (index, subindex):
                    return now_s, reply
    return now_s, None


def _decoded(data: bytes) -> SdoValue | SdoWritten | SdoAbort | None:
    try:
        return codec.decode_sdo_reply(data)
    except FrameError:
        return None


def _as_text(data: bytes) -> str:
    """What can be shown of a drive's text."""
    return "".join(chr(byte) for byte in data if 0x20 <= byte < 0x7F).strip()
