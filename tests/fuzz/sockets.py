"""CAN frames as the kernel hands them over: one at a time, and many in one system call."""

from __future__ import annotations

import socket
import struct

from drivers.bus import Frame
from drivers.can import frame_bytes, frame_layout
from drivers.can.batched_socket import TIMESTAMP_NS, ReceiveBatch
from drivers.can.error_frames import ErrorFrames, error_names
from drivers.can.slots import is_available
from tests.fuzz import inputs
from tests.fuzz.inputs import Batch, ByteSource
from tests.fuzz.subjects import DecoderSubject, Subject
from tests.fuzz.tally import Tally
from tests.fuzz.target import Target

CLASSIC_BYTES, FLEXIBLE_BYTES = 16, 72
EXTENDED, REMOTE, ERROR = 0x8000_0000, 0x4000_0000, 0x2000_0000
LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
AT_ONCE = 4
"""Datagrams that one call of a batch finds."""


class RawFrameSource(ByteSource):
    """Frames as the kernel lays them out: of the right size, mostly."""

    def batch(self, seed: int, number: int, count: int) -> Batch:
        """One batch: three of four inputs are cut or filled to the size of a frame."""
        batch = super().batch(seed, number, count)
        sizes = (CLASSIC_BYTES, CLASSIC_BYTES, FLEXIBLE_BYTES)
        batch.items = [
            item if place % 4 == 3 else item.ljust(sizes[place % 3], b"\0")[: sizes[place % 3]]
            for place, item in enumerate(batch.items)
        ]
        return batch


def kernel_frames() -> tuple[bytes, ...]:
    """Frames of every protocol as the kernel lays them out."""
    found: list[bytes] = []
    for frame in inputs.frames():
        word = frame.arbitration_id | (EXTENDED if frame.is_extended else 0)
        if frame.is_fd:
            found.append(struct.pack("=IBB2x64s", word, len(frame.data), 4, frame.data))
        else:
            found.append(struct.pack("=IB3x8s", word, len(frame.data), frame.data))
    return tuple(dict.fromkeys(found))


def frame_in(raw: bytes) -> Frame | None:
    """The data frame that these bytes are, apart from the code under test; None where they are none."""
    if len(raw) not in (CLASSIC_BYTES, FLEXIBLE_BYTES):
        return None
    is_fd = len(raw) == FLEXIBLE_BYTES
    word, length, flags = struct.unpack_from("=IBB", raw)
    is_extended, number = word >= EXTENDED, word & 0x1FFF_FFFF
    is_possible = length in LENGTHS and flags < 8 if is_fd else length <= 8
    if word & (REMOTE | ERROR) or not is_possible or (number > 0x7FF and not is_extended):
        return None
    return Frame(number, raw[8 : 8 + length], is_extended, is_fd)


class BatchSubject(Subject):
    """A batch at one end of a pair of sockets, into the other end of which the inputs go."""

    def __init__(self) -> None:
        self._in, self._out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._in.setsockopt(socket.SOL_SOCKET, TIMESTAMP_NS, 1)
        self._batch = ReceiveBatch(ErrorFrames(), is_fd=True)
        self._sent: list[bytes] = []

    def take(self, item: bytes, known: set[bytes], tally: Tally) -> None:
        """Send one, and receive after a few."""
        self._out.send(item)
        self._sent.append(item)
        if len(self._sent) == AT_ONCE:
            self._receive(tally)

    def _receive(self, tally: Tally) -> None:
        frames: list[Frame] = []
        sent, self._sent = self._sent, []
        count = self._batch.receive(self._in.fileno(), frames, 1.0, 1.0)
        found = [frame._replace(stamp_s=0.0) for frame in frames]
        wanted = [frame for frame in map(frame_in, sent) if frame is not None]
        tally.accepted += len(found)
        if found != wanted or count != len(sent):
            tally.believed(sent, f"{found}, of {count} datagrams, where {wanted} was sent")

    def finish(self, tally: Tally) -> None:
        """Count what the batch has thrown away."""
        tally.rejected["no frame"] += self._batch.dropped
        tally.rejected["error frame"] += self._batch.error_frames
        self._in.close()
        self._out.close()


def round_trip(raw: bytes) -> object:
    """A message out of bytes; it must be one that a controller can send."""
    message = frame_layout.unpack_message(raw, 1.0)
    return None if message is None else (message, frame_layout.pack_message(message))


def is_message(raw: bytes, result: tuple[object, bytes]) -> bool:
    """Bytes that come out as they went in, but for those behind the data."""
    frame = frame_in(raw)
    _, packed = result
    is_other = struct.unpack_from("=I", raw)[0] & (REMOTE | ERROR) != 0
    return len(packed) == len(raw) and packed[:5] == raw[:5] and (is_other or frame is not None)


def sockets() -> list[Target]:
    """Every row of this file."""
    source = RawFrameSource(kernel_frames())
    rows = [
        Target(
            "SocketCAN frame layout",
            source,
            lambda: DecoderSubject(round_trip, is_message),
            (frame_layout.unpack_message, frame_bytes.unpack),
        ),
        Target(
            "SocketCAN error frame",
            source,
            lambda: DecoderSubject(
                lambda raw: error_names(int.from_bytes(raw[:4], "little"), raw[8:]) if raw else None,
                lambda _, names: 1 <= len(names) == len(set(names)),
            ),
            (error_names,),
        ),
    ]
    if is_available():
        rows.append(Target("SocketCAN batch", source, BatchSubject, (ReceiveBatch,)))
    return rows
