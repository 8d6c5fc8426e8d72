"""Half-duplex lines of servos, on which one question is asked in each cycle.

Whoever speaks while a servo answers spoils both: each cycle writes what is not answered (goals, switches) and one
question behind it, in one go, and the answer is read in the next cycle. The questions of an inventory take the place of
the cycle's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from drivers.bus import SerialPort
from drivers.serial.framing import Packet, SummedParser

SWITCH_CYCLES: Final = 8
"""While commands are sent, one cycle in so many asks for something else than motion: who is on, how warm it is."""


IDLE_SWITCH_CYCLES: Final = 4
"""The same while nothing is commanded, where servos take turns; every second cycle where all answer at once."""


class Question(NamedTuple):
    """Something to ask, and how many answers are due."""

    data: bytes
    answers: int


class Line:
    """One half-duplex line.

    Attributes:
        name, port: The bus.
        slots: Of the servos on it.
        slot_of_id: The same by id.
        parser: Of what arrives.
        motions, switches: What is asked in turns: where the servos are, and whether they are on.
        others: Asked in turns with `switches`, but only where nothing is in doubt.
        opening: Asked once, before all else: what would otherwise stay unknown for long.
        waiting: What an inventory wants to ask.
        heard: Who has ever answered.
    """

    def __init__(self, name: str, port: SerialPort, slots: Sequence[int], ids: Sequence[int], parser: SummedParser):
        self.name, self.port, self.slots, self.parser = name, port, tuple(slots), parser
        self.slot_of_id = dict(zip(ids, slots, strict=True))
        self.motions: list[Question] = []
        self.switches: list[Question] = []
        self.others: list[Question] = []
        self.opening: deque[Question] = deque()
        self.waiting: deque[bytes] = deque()
        self.heard: set[int] = set()
        self.spoilt_bytes = 0
        """Bytes that came when an inventory had asked, and belonged to no answer; since the beginning."""
        self._is_inventory = False
        self._turn = self._motion_turn = self._switch_turn = self._aside_turn = self._other_turn = 0
        self._doubtful_turns = self._calm_turn = self._inventory_turn = 0
        self._arrived = 0

    def read(self, now_s: float) -> bytes:
        """Take what has arrived."""
        data = self.port.read(now_s)
        self._arrived = len(data)
        return data

    def parse(self, data: bytes) -> list[Packet]:
        """Find the packets in what was read."""
        dropped = self.parser.dropped_bytes
        packets = self.parser.feed(data)
        self._count(self.parser.dropped_bytes - dropped)
        return packets

    def _count(self, dropped_bytes: int) -> None:
        self.spoilt_bytes += dropped_bytes if self._is_inventory else 0
        self.port.counters.dropped += dropped_bytes

    def send(self, data: bytes, question: Question) -> None:
        """Write what is not answered, and one question, in one go."""
        if self.parser.unfinished_bytes and not self._arrived:
            # Nothing has followed for a whole cycle: the rest is lost.
            dropped = self.parser.dropped_bytes
            self.parser.give_up()
            self._count(self.parser.dropped_bytes - dropped)
        # In between, everybody is asked where he is: nobody must seem silent meanwhile.
        self._inventory_turn += 1
        self._is_inventory = bool(self.waiting) and self._inventory_turn > len(self.motions)
        if self._is_inventory:
            self._inventory_turn = 0
            question = Question(self.waiting.popleft(), 1)
        whole = data + question.data
        if self.port.write(whole) == len(whole):
            self.port.counters.expected += question.answers

    def doubt(self, *, is_first: bool = False) -> None:
        """Ask first of all who is on: switches have been written.

        Args:
            is_first: Otherwise not again and again, which would hide all motion.
        """
        if is_first or self._turn >= self._calm_turn:
            self._doubtful_turns = len(self.switches)
            self._calm_turn = self._turn + self._doubtful_turns + 2 * len(self.motions)

    def next_question(self, *, is_commanding: bool) -> Question:
        """What to ask in this cycle; while no commands are sent, more often who is on."""
        self._turn += 1
        if self.opening:
            return self.opening.popleft()
        if self._doubtful_turns:
            self._doubtful_turns -= 1
            return self._next_switch()
        idle_cycles = 2 if len(self.motions) == 1 else IDLE_SWITCH_CYCLES
        if self._turn % (SWITCH_CYCLES if is_commanding else idle_cycles):
            self._motion_turn += 1
            return self.motions[self._motion_turn % len(self.motions)]
        self._aside_turn += 1
        if self.others and self._aside_turn % 2:
            self._other_turn += 1
            return self.others[self._other_turn % len(self.others)]
        return self._next_switch()

    def _next_switch(self) -> Question:
        self._switch_turn += 1
        return self.switches[self._switch_turn % len(self.switches)]

    def silence_problem(self, servo_id: int, asked: str, spoilt_bytes: int) -> str:
        """Why a servo does not answer, from what else was heard here.

        Args:
            servo_id: The servo.
            asked: What it was asked for.
            spoilt_bytes: That arrived while it was asked.
        """
        who = f"servo {servo_id} on {self.name}"
        if spoilt_bytes and self.heard:
            return (
                f"{who}: {spoilt_bytes} bytes arrived that no answer is made of, when asked for {asked}, while others "
                f"on the line are understood: two servos with id {servo_id} answer at once, or a bad cable"
            )
        if spoilt_bytes:
            return (
                f"{who}: {spoilt_bytes} bytes arrived when asked for {asked}, and nobody on the line is understood: "
                "check the baud rate of the robot file and of the servos, and the cable"
            )
        if self.heard:
            return (
                f"{who} does not answer when asked for {asked}, and others on the line do: check its plug, that its id "
                f"is {servo_id}, and that it is set to the line's baud rate"
            )
        return (
            f"{who} does not answer when asked for {asked}, and nobody else on the line does: check power, cable, "
            "adapter, and the baud rate of the robot file and of the servos"
        )
