"""What the simple servo protocols share: frames with an 8-bit inverted sum, and what half-duplex adapters give back.

An 8-bit sum lets one damaged frame in 256 through. Whoever asks must therefore also compare id and size with what was
asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

_HEAD_BYTES: Final = 4
"""Two sync bytes, id and length."""


class Packet(NamedTuple):
    """One packet whose checksum was right.

    Attributes:
        id: The servo it is for, or from.
        instruction: The byte behind the length: an instruction or command, or a status packet's error byte.
        params: The rest.
    """

    id: int
    instruction: int
    params: bytes


class SummedLayout(NamedTuple):
    """How one protocol lays out its frames: sync, id, length, instruction, parameters, sum.

    Attributes:
        sync: Both first bytes.
        uncounted_bytes: How many bytes of a frame its length does not count.
        maximum_bytes: Of a whole frame.
        highest_id: Above it no servo can be, but for the broadcast id.
        broadcast_id: For all servos.
    """

    sync: bytes
    uncounted_bytes: int
    maximum_bytes: int
    highest_id: int
    broadcast_id: int

    def has_id(self, servo_id: int) -> bool:
        """Whether a frame can carry this id."""
        return 0 <= servo_id <= self.highest_id or servo_id == self.broadcast_id


def inverted_sum(data: bytes) -> int:
    """The checksum: all bytes behind the sync added up, inverted, the low eight bits of it."""
    return ~sum(data) & 0xFF


@dataclass(slots=True)
class SummedParser:
    """Finds frames in a stream of bytes. Never raises; keeps less than one frame of unfinished bytes.

    Attributes:
        layout: The protocol's.
        packets: Packets accepted.
        bad_sum: Sync bytes whose frame failed its checksum.
        bad_head: Sync bytes with an id or a length that cannot be.
        given_up: Frames whose end had not come when `give_up` was called.
        dropped_bytes: Bytes that belong to no accepted packet.
    """

    layout: SummedLayout
    packets: int = 0
    bad_sum: int = 0
    bad_head: int = 0
    given_up: int = 0
    dropped_bytes: int = 0
    _rest: bytes = field(default=b"")

    @property
    def unfinished_bytes(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes as they arrive.

        Returns:
            The packets completed by them, oldest first.
        """
        buffer = self._rest + data if self._rest else data
        sync, uncounted = self.layout.sync, self.layout.uncounted_bytes
        found: list[Packet] = []
        at, end = 0, len(buffer)
        while True:
            start = buffer.find(sync, at)
            if start < 0:
                # The last byte may be the first half of the sync.
                start = end - 1 if end > at and buffer[-1] == sync[0] else end
                self.dropped_bytes += start - at
                at = start
                break
            self.dropped_bytes += start - at
            at = start
            if end - at < _HEAD_BYTES:
                break
            size = buffer[at + 3] + uncounted
            if not (_HEAD_BYTES + 2 <= size <= self.layout.maximum_bytes and self.layout.has_id(buffer[at + 2])):
                self.bad_head += 1
                self.dropped_bytes += 1
                at += 1
                continue
            stop = at + size
            if stop > end:
                break
            if inverted_sum(buffer[at + 2 : stop - 1]) != buffer[stop - 1]:
                # The sync may have been data: only this byte is known to be no use.
                self.bad_sum += 1
                self.dropped_bytes += 1
                at += 1
                continue
            found.append(Packet(buffer[at + 2], buffer[at + 4], buffer[at + 5 : stop - 1]))
            self.packets += 1
            at = stop
        self._rest = buffer[at:]
        return found

    def give_up(self) -> None:
        """Throw away what is unfinished: for when the answer is overdue, before the next question.

        Nothing in these frames tells an end that is late from one that was lost, and the next answer would be taken
        for it.
        """
        self.given_up += bool(self._rest)
        self.dropped_bytes += len(self._rest)
        self._rest = b""


@dataclass(slots=True)
class EchoFilter:
    """Takes away what a half-duplex adapter gives back of our own transmissions.

    For adapters that do, only: where requests and answers look the same, an echo cannot be told from an answer by
    its bytes. (A Feetech servo with a voltage error acknowledges with the very bytes of a ping.)

    Attributes:
        missing: Transmissions whose echo had not come, or not all of it, when the next one was sent.
        broken: Echoes that differed from what was sent: somebody else was talking. Nothing is kept of such a reading.
    """

    missing: int = 0
    broken: int = 0
    _due: bytes = b""

    def sent(self, data: bytes) -> None:
        """Note what was just written."""
        self.missing += bool(self._due)
        self._due = data

    def received(self, data: bytes) -> bytes:
        """What of some received bytes is not our own."""
        due = self._due
        if not due:
            return data
        size = min(len(due), len(data))
        if data[:size] != due[:size]:
            self.broken += 1
            self._due = b""
            return b""
        self._due = due[size:]
        return data[size:]
