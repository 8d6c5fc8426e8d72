"""One serial line with servos on it: one write and one read per cycle, and one question at a time.

The line is half duplex: whoever is asked answers at once, and whatever is sent meanwhile destroys the answer. So a
question to a single servo takes the place of the cycle's read and is never sent beside it, and waits until that read's
answers have had a cycle to arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from drivers.bus import SerialPort
from drivers.serial.dynamixel import codec
from drivers.serial.dynamixel.batch import BlockBatch


class Question(NamedTuple):
    """Something asked of one servo.

    Attributes:
        servo_id: Whom.
        packet: The instruction.
        size: Data bytes of its answer; an error has none.
    """

    servo_id: int
    packet: bytes
    size: int


class ServoLine:
    """One line.

    Args:
        port: Open; this computer alone speaks on it.
        ids: The servos, in the order in which they are asked.
        addresses: Where the cycle block of each begins.
        blocks: (n,) their newest blocks, written in place.

    Attributes:
        batch: What they answer to the cycle's read.
        answer: The answer to the last question, None before it came.
        garbled: In how many readings there were bytes that are no packet.
    """

    def __init__(
        self, port: SerialPort, ids: Sequence[int], addresses: Sequence[int], blocks: NDArray[Any] | None = None
    ) -> None:
        self.batch = BlockBatch(ids, addresses, blocks)
        self.answer: codec.Status | None = None
        self.garbled = 0
        self._port = port
        self._waiting: list[Question] = []
        self._asked: Question | None = None
        self._sent = b""
        self._dropped = 0
        self._was_question = False

    @property
    def has_heard(self) -> bool:
        """Whether anybody on this line has ever said a packet."""
        return self.batch.parser.packets > 0

    @property
    def is_waiting(self) -> bool:
        """Whether a question has not been sent yet."""
        return bool(self._waiting)

    def ask(self, question: Question, *, is_only: bool = True) -> None:
        """Ask in one of the next cycles.

        Args:
            question: What and whom.
            is_only: Whether to forget what waits; otherwise it is asked after that.
        """
        if is_only:
            self._waiting.clear()
            self.answer = self._asked = None
        self._waiting.append(question)

    def forget(self) -> None:
        """Ask none of what waits."""
        self._waiting.clear()

    def write(self, before: bytes = b"", *, may_ask: bool = True) -> None:
        """One cycle: what nobody answers, then the one thing that is answered.

        Args:
            before: Sync writes, perhaps none.
            may_ask: Whether a question may take the place of the cycle's read.
        """
        batch = self.batch
        if may_ask and self._waiting and not self._was_question:
            self._asked = self._waiting.pop(0)
            self._was_question = True
            request, due = self._asked.packet, 1
        else:
            self._was_question = False
            request, due = batch.request, len(batch.blocks)
        self._sent = before + request
        if self._port.write(self._sent) == len(self._sent):
            self._port.counters.expected += due

    def read(self, now_s: float) -> list[int]:
        """Take what has arrived.

        Returns:
            Who sent a block, by their places on this line.
        """
        data = self._port.read(now_s)
        if not data:
            return []
        batch, counters = self.batch, self._port.counters
        batch.take(data)
        counters.received += len(batch.answered)
        for status in batch.others:
            self._take(status)
        for command in batch.commands:
            # Packed again as it was sent: an adapter's echo of our own, or somebody else speaks on this line.
            is_echo = codec.make_packet(*command) in self._sent
            counters.dropped += is_echo
            counters.foreign_commands += not is_echo
        dropped = batch.parser.dropped_bytes
        if dropped + batch.strangers != self._dropped:
            counters.dropped += dropped + batch.strangers - self._dropped
            self._dropped = dropped + batch.strangers
            self.garbled += 1
        return batch.answered

    def _take(self, status: codec.Status) -> None:
        """What one servo answered to something else than the cycle's read."""
        asked = self._asked
        if asked is None or status.id != asked.servo_id or (not status.error_code and len(status.data) != asked.size):
            self._port.counters.dropped += 1
            return
        self._port.counters.received += 1
        self.answer, self._asked = status, None
