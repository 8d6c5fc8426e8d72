"""Dynamixel messages of many servos at once, in arrays made once: what a control loop uses.

Byte for byte what `codec` makes, and equal to what it decodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.serial.dynamixel import codec, instructions
from drivers.serial.dynamixel.crc import crc16, shares
from drivers.serial.dynamixel.tables import (
    ALERT_BIT,
    CYCLE_BLOCK,
    CYCLE_BLOCK_BYTES,
    GOAL_CURRENT,
    STATUS,
    Register,
)
from supervisor.core.errors import FrameError

Values = NDArray[np.float64]

_MARK: Final = b"\xff\xff\xfd"
_START_BYTES: Final = 8
"""Of a status packet: header, id, length and instruction, known in advance."""

_STATUS_BYTES: Final = _START_BYTES + 1 + CYCLE_BLOCK_BYTES + 2
_BLOCK_SPAN: Final = slice(_START_BYTES + 1, -2)
_FINE: Final = bytes((0, ALERT_BIT))
"""Errors with which the data is there."""


def _kind(size: int, *, is_signed: bool) -> str:
    return f"<{'i' if is_signed else 'u'}{size}"


def field(register: Register) -> str:
    """Name of a register's field in `BLOCK`."""
    return str(register.address)


BLOCK: Final = np.dtype([(field(r), _kind(r.size, is_signed=r.is_signed)) for r in CYCLE_BLOCK])
"""What is read of every servo in every cycle."""


class Goal(NamedTuple):
    """How one servo turns a torque into a goal.

    Attributes:
        count_nm: Torque of one count of current.
        limit_count: The largest goal that it takes. A larger one in a sync write would be ignored silently.
    """

    count_nm: float
    limit_count: int


class GoalCurrentBatch:
    """Makes one sync write of the goal currents of all servos on each line.

    A servo keeps its last goal as long as anybody speaks on its line, so that whoever has no torque to give gets 0:
    leaving it out would leave the old one in force.

    Args:
        ids: The servos of each line.
        columns: Where in the arrays passed in each of them stands, line by line.
        goals: One per column.
    """

    __slots__ = ("_goals", "_lines")

    def __init__(self, ids: Sequence[Sequence[int]], columns: Sequence[int], goals: Sequence[Goal]) -> None:
        # One row for all servos of a kind: fewer numbers to fetch.
        rows = {goal: (1.0 / goal.count_nm, float(goal.limit_count)) for goal in goals}
        self._goals: list[list[tuple[int, int, tuple[float, float]]]] = []
        self._lines: list[tuple[bytes, int, Struct]] = []
        size, start = GOAL_CURRENT.size, 0
        for line in ids:
            own, start = columns[start : start + len(line)], start + len(line)
            self._goals.append([(one, column, rows[goals[column]]) for one, column in zip(line, own, strict=True)])
            # Made once by the codec, which also checks the ids: everything before the first servo.
            whole = instructions.make_sync_write(GOAL_CURRENT.address, size, [(one, bytes(size)) for one in line])
            layout = Struct("<" + "Bh" * len(line))
            prefix = whole[: len(whole) - 2 - layout.size]
            self._lines.append((prefix, crc16(prefix), layout))

    def encode(self, torque_nm: Values) -> list[bytes]:
        """One packet per line.

        Args:
            torque_nm: (n,) motor frame; not finite is none. Beyond what a servo takes it becomes what it takes.
        """
        # In plain numbers: for so few servos numpy is no faster, and takes twice as long where other code ran since.
        torques = torque_nm.tolist()
        packets: list[bytes] = []
        for goals, (prefix, crc, layout) in zip(self._goals, self._lines, strict=True):
            fields: list[int] = []
            for servo_id, column, (per_nm, highest) in goals:
                scaled = torques[column] * per_nm
                is_finite = -math.inf < scaled < math.inf
                fields += (servo_id, round(max(min(scaled, highest), -highest)) if is_finite else 0)
            # No bytes to stuff: FF FF is followed by an id, or by the checksum, which is not stuffed.
            data = layout.pack(*fields)
            packets.append(prefix + data + crc16(data, crc).to_bytes(2, "little"))
        return packets


class BlockBatch:
    """Takes the answers of one line's servos to one read of their cycle blocks.

    Args:
        ids: The servos, in the order in which they are asked.
        addresses: Where the block of each begins.
        blocks: (n,) of `BLOCK`, written in place.

    Attributes:
        request: What to send: a sync read, or a bulk read where the addresses differ.
        parser: With its counters of what was thrown away.
        blocks: As given: the newest answers, zero before the first.
        answered: Who answered in the last `take`; the same one twice where two answers came.
        others: Answers in the last `take` of these servos that are no block: to another question, or an error.
        commands: Instructions in the last `take`: an echo of ours, or somebody else's.
        strangers: Packets so far that were none of these.
    """

    __slots__ = (
        "_all",
        "_block_bytes",
        "_index",
        "_places",
        "_residues",
        "_shares",
        "_start_layout",
        "_starts",
        "answered",
        "blocks",
        "commands",
        "others",
        "parser",
        "request",
        "strangers",
    )

    def __init__(self, ids: Sequence[int], addresses: Sequence[int], blocks: NDArray[Any] | None = None) -> None:
        size = CYCLE_BLOCK_BYTES
        if len(set(addresses)) == 1:
            self.request = instructions.make_sync_read(addresses[0], size, ids)
        else:
            items = [instructions.BulkItem(one, at, size) for one, at in zip(ids, addresses, strict=True)]
            self.request = instructions.make_bulk_read(items)
        self.parser = codec.PacketParser()
        count = len(ids)
        starts = [codec.make_status(servo_id, 0, bytes(size))[:_START_BYTES] for servo_id in ids]
        self._starts = tuple(starts)
        # A share of the checksum for each byte that is not known, to be looked up all at once.
        parts = shares(_STATUS_BYTES - 2)
        self._shares = parts[_START_BYTES:].ravel()
        self._places: NDArray[np.intp] = np.arange(len(parts) - _START_BYTES, dtype=np.intp) * 256
        known = [parts[range(_START_BYTES), list(start)] for start in starts]
        self._residues = np.bitwise_xor.reduce(known, axis=1).tobytes()
        self._start_layout = Struct(f"{_START_BYTES}s{_STATUS_BYTES - _START_BYTES}x" * count)
        self._index = {servo_id: index for index, servo_id in enumerate(ids)}
        self._all = list(range(count))
        self.blocks: NDArray[Any] = np.zeros(count, dtype=BLOCK) if blocks is None else blocks
        self._block_bytes: NDArray[np.uint8] = self.blocks.view(np.uint8).reshape(count, -1)
        self.answered: list[int] = []
        self.others: list[codec.Status] = []
        self.commands: list[codec.Packet] = []
        self.strangers = 0

    def take(self, data: bytes) -> int:
        """Take bytes as they arrive. Never raises.

        Returns:
            How many blocks they completed.
        """
        self.others, self.commands = [], []
        if len(data) == len(self._starts) * _STATUS_BYTES and not self.parser.unfinished_bytes and self._take_all(data):
            self.answered = self._all
            return len(self._all)
        self.answered = []
        for packet in self.parser.feed(data):
            self._take_one(packet)
        return len(self.answered)

    def _take_all(self, data: bytes) -> bool:
        """The usual case, without looking for headers: all servos, in order, nothing else. Else nothing is taken."""
        if self._start_layout.unpack(data) != self._starts or data.count(_MARK) != len(self._starts):
            return False
        if data[_START_BYTES::_STATUS_BYTES].strip(_FINE):
            return False
        packets = np.frombuffer(data, np.uint8).reshape(-1, _STATUS_BYTES)
        found = self._shares.take(packets[:, _START_BYTES:] + self._places)
        if np.bitwise_xor.reduce(found, axis=1).tobytes() != self._residues:
            return False
        self._block_bytes[...] = packets[:, _BLOCK_SPAN]
        self.parser.packets += len(self._starts)
        return True

    def _take_one(self, packet: codec.Packet) -> None:
        """Sort one packet of any kind."""
        if packet.instruction != STATUS:
            self.commands.append(packet)
            return
        try:
            status = codec.decode_status(packet)
        except FrameError:
            self.strangers += 1
            return
        index = self._index.get(status.id)
        if index is None:
            self.strangers += 1
        elif status.error_code or len(status.data) != CYCLE_BLOCK_BYTES:
            self.others.append(status)
        else:
            self.blocks[index] = np.frombuffer(status.data, BLOCK)[0]
            self.answered.append(index)
