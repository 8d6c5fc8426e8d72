"""Dynamixel messages of many servos at once, in arrays made once: what a control loop uses.

Byte for byte what `codec` makes, and equal to what it decodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.serial.dynamixel import codec, instructions
from drivers.serial.dynamixel.crc import TABLE, crc16
from drivers.serial.dynamixel.tables import (
    ALERT_BIT,
    BROADCAST_ID,
    CENTRE_COUNT,
    GOAL_POSITION,
    HEADER,
    MOTION_ADDRESS,
    MOTION_BYTES,
    POSITION_COUNT_RAD,
    SINGLE_TURN_COUNTS,
    STATUS,
    SYNC_WRITE,
    VELOCITY_COUNT_RAD_PER_S,
)
from supervisor.core.errors import FrameError

Values = NDArray[np.float64]

POSITION, VELOCITY, CURRENT = range(3)
"""Rows of `MotionBatch.values`: rad, rad/s, A."""

_MARK: Final = b"\xff\xff\xfd"
_STATUS_BYTES: Final = 11 + MOTION_BYTES
_REGISTERS: Final = Struct("<hii")
_START_BYTES: Final = 7
"""Of a status packet: header, id and length, known in advance, and so is their checksum."""

_WORDS: Final = Struct(f">{_START_BYTES}x7H")
"""Of a status packet: instruction and error, five words of data, the checksum; as the checksum takes them."""

_FINE: Final = STATUS << 8
_NOT_ALERT: Final = 0xFFFF & ~ALERT_BIT
"""The first of those words where nothing is wrong, and which of its bits to look at."""

_CENTRE_RAD: Final = CENTRE_COUNT * POSITION_COUNT_RAD


class GoalPositionBatch:
    """Makes one sync write of the goal positions of many servos.

    Args:
        ids: The servos, in the order of the arrays passed in.
        limits: Lowest and highest count of each; position mode's whole turn if left out.

    Attributes:
        all_valid: After `encode`: False when a position was not finite or out of range.
        valid: (n,) which were fine, up to date only when not `all_valid`.
    """

    __slots__ = (
        "_bounds",
        "_counts",
        "_goals",
        "_ids",
        "_inside",
        "_limits",
        "_prefix",
        "_scaled",
        "all_valid",
        "valid",
    )

    def __init__(self, ids: Sequence[int], limits: Sequence[tuple[int, int]] | None = None) -> None:
        self._ids = tuple(ids)
        self._limits = tuple(limits) if limits is not None else (SINGLE_TURN_COUNTS,) * len(ids)
        beyond = np.array([-codec.HALF_COUNT, codec.HALF_COUNT])
        bounds = (np.array(self._limits) + beyond - CENTRE_COUNT) * POSITION_COUNT_RAD
        self._bounds: tuple[Values, Values] = (bounds[:, 0].copy(), bounds[:, 1].copy())
        self._goals = np.zeros(len(ids), dtype=[("id", "u1"), ("count", "<i4")])
        self._goals["id"] = ids
        self._counts: NDArray[np.int32] = self._goals["count"]
        self._scaled: Values = np.zeros(len(ids))
        self._inside: NDArray[np.bool_] = np.zeros((2, len(ids)), dtype=np.bool_)
        self.valid: NDArray[np.bool_] = np.ones(len(ids), dtype=np.bool_)
        self.all_valid = True
        # Made once by the codec, which also checks the ids: everything before the first servo.
        size = GOAL_POSITION.size
        whole = instructions.make_sync_write(GOAL_POSITION.address, size, [(servo_id, bytes(size)) for servo_id in ids])
        self._prefix = whole[: len(HEADER) + 8]

    def encode(self, position_rad: Values) -> bytes:
        """One packet with every goal that is valid.

        Args:
            position_rad: (n,) from the centre of the servo's turn, servo frame. Not changed.

        Returns:
            The sync write; without the servos whose goal is not valid, and empty if none is.
        """
        inside, (low, high) = self._inside, self._bounds
        np.less_equal(low, position_rad, out=inside[0])
        np.less_equal(position_rad, high, out=inside[1])
        self.all_valid = bool(np.count_nonzero(inside) == inside.size)
        if not self.all_valid:
            np.logical_and(inside[0], inside[1], out=self.valid)
            return self._encode_valid(position_rad)
        scaled = self._scaled
        np.divide(position_rad, POSITION_COUNT_RAD, out=scaled)
        scaled += CENTRE_COUNT
        np.rint(scaled, out=scaled)
        self._counts[:] = scaled
        packet = self._prefix + self._goals.tobytes()
        if packet.find(_MARK, len(HEADER)) >= 0:
            return codec.make_packet(BROADCAST_ID, SYNC_WRITE, packet[len(HEADER) + 4 :])
        return packet + crc16(packet).to_bytes(2, "little")

    def _encode_valid(self, position_rad: Values) -> bytes:
        """The packet of those goals that are valid."""
        items = [
            (servo_id, codec.pack(codec.position_count(float(goal), limits), GOAL_POSITION.size, is_signed=True))
            for servo_id, limits, goal, is_valid in zip(self._ids, self._limits, position_rad, self.valid, strict=True)
            if is_valid
        ]
        return instructions.make_sync_write(GOAL_POSITION.address, GOAL_POSITION.size, items) if items else b""


class MotionBatch:
    """Takes the answers of many servos to one read of current, velocity and position.

    Args:
        ids: The servos, in the order in which they are asked.
        current_count_a: Unit of the current register of each; 0 where the model has a load there instead.

    Attributes:
        request: The sync read to send.
        fast_request: The fast sync read to send instead.
        parser: With its counters of what was thrown away.
        values: (3, n) the newest answers, rows as named in this module; NaN before the first.
        has_alert: (n,) whether the newest answer carried the alert of register 70.
        answers: (n,) how many answers each servo has given.
        strangers: Packets that were no answer of one of these servos: an echo, another servo, an error, another size.
    """

    __slots__ = (
        "_current_count_a",
        "_fast_items",
        "_index",
        "_layout",
        "_size",
        "_start_crcs",
        "_start_layout",
        "_starts",
        "answers",
        "fast_request",
        "has_alert",
        "parser",
        "request",
        "strangers",
        "values",
    )

    def __init__(self, ids: Sequence[int], current_count_a: Sequence[float]) -> None:
        self.request = instructions.make_sync_read(MOTION_ADDRESS, MOTION_BYTES, ids)
        self.fast_request = instructions.make_fast_sync_read(MOTION_ADDRESS, MOTION_BYTES, ids)
        self.parser = codec.PacketParser()
        count = len(ids)
        starts = [codec.make_status(servo_id, 0, bytes(MOTION_BYTES))[:_START_BYTES] for servo_id in ids]
        self._starts = tuple(starts)
        self._start_crcs = tuple(crc16(start) for start in starts)
        self._start_layout = Struct(f"{_START_BYTES}s{_STATUS_BYTES - _START_BYTES}x" * count)
        self._layout = np.dtype(
            [("", f"V{_START_BYTES + 2}"), ("current", "<i2"), ("velocity", "<i4"), ("position", "<i4"), ("", "V2")]
        )
        self._index = {servo_id: index for index, servo_id in enumerate(ids)}
        self._fast_items = tuple((servo_id, MOTION_BYTES) for servo_id in ids)
        self._size = count * _STATUS_BYTES
        self._current_count_a: Values = np.array(current_count_a, dtype=np.float64)
        self.values: Values = np.full((3, count), np.nan)
        self.has_alert: NDArray[np.bool_] = np.zeros(count, dtype=np.bool_)
        self.answers: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self.strangers = 0

    def take(self, data: bytes) -> int:
        """Take bytes as they arrive. Never raises.

        Returns:
            How many answers they completed.
        """
        if len(data) == self._size and not self.parser.unfinished_bytes and self._take_all(data):
            return len(self._starts)
        taken = 0
        for packet in self.parser.feed(data):
            taken += self._take_one(packet)
        return taken

    def _take_all(self, data: bytes) -> bool:
        """The usual case, without looking for headers: all servos, in order, nothing else. Else nothing is taken."""
        if self._start_layout.unpack(data) != self._starts or data.count(_MARK) != len(self._starts):
            return False
        table, alerts = TABLE, 0
        for (a, b, c, d, e, f, sent), crc in zip(_WORDS.iter_unpack(data), self._start_crcs, strict=True):
            crc = table[table[table[table[table[table[crc ^ a] ^ b] ^ c] ^ d] ^ e] ^ f]  # noqa: PLW2901
            # The checksum is sent low byte first, and read here as the words are.
            if a & _NOT_ALERT != _FINE or crc != (sent & 0xFF) << 8 | sent >> 8:
                return False
            alerts |= a
        fields, values = np.frombuffer(data, self._layout), self.values
        np.multiply(fields["position"], POSITION_COUNT_RAD, out=values[POSITION])
        values[POSITION] -= _CENTRE_RAD
        np.multiply(fields["velocity"], VELOCITY_COUNT_RAD_PER_S, out=values[VELOCITY])
        np.multiply(fields["current"], self._current_count_a, out=values[CURRENT])
        if alerts & ALERT_BIT:
            self.has_alert[:] = [data[at] != 0 for at in range(_START_BYTES + 1, len(data), _STATUS_BYTES)]
        else:
            self.has_alert[:] = False
        self.answers += 1
        self.parser.packets += len(self._starts)
        return True

    def _take_one(self, packet: codec.Packet) -> int:
        """Take what one packet of any kind brings; returns the number of answers in it."""
        try:
            if packet.id == BROADCAST_ID and packet.instruction == STATUS:
                statuses = codec.decode_fast_status(packet, self._fast_items)
            else:
                statuses = [codec.decode_status(packet)]
        except FrameError:
            self.strangers += 1
            return 0
        taken = 0
        for status in statuses:
            index = self._index.get(status.id)
            if index is None or status.error_code or len(status.data) != MOTION_BYTES:
                self.strangers += 1
                continue
            current, velocity, position = _REGISTERS.unpack(status.data)
            values = self.values
            values[POSITION, index] = position * POSITION_COUNT_RAD - _CENTRE_RAD
            values[VELOCITY, index] = velocity * VELOCITY_COUNT_RAD_PER_S
            values[CURRENT, index] = current * self._current_count_a[index]
            self.has_alert[index] = status.has_alert
            self.answers[index] += 1
            taken += 1
        return taken
