"""Feetech goals and answers of many servos at once, in arrays made once: what a control loop uses.

Byte for byte what `instructions` makes, and equal to what `codec` decodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.devices import POSITION, TEMPERATURE, TORQUE, VELOCITY, Block
from drivers.host_position import Mask
from drivers.serial.feetech.codec import make_packet, make_status
from drivers.serial.feetech.tables import (
    BROADCAST_ID,
    LAYOUT,
    LOAD_COUNT,
    SERIES,
    SIGN_LOAD,
    SIGN_POSITION,
    SIGN_SPEED,
    START_BYTES,
    STATE_BYTES,
    STS_REGISTERS,
    SWITCH_ADDRESS,
    SYNC_WRITE,
    TORQUE_ON,
    TURN_COUNTS,
    FeetechModel,
)

Vector = NDArray[np.float64]

_GOAL_ADDRESS: Final = STS_REGISTERS["goal_position"].address
_GOAL_BYTES: Final = STS_REGISTERS["goal_position"].size
_HEAD_BYTES: Final = len(LAYOUT.sync)
_HALF_COUNT: Final = 0.499_999

_STATE_BYTES: Final = STATE_BYTES["STS"]
"""An answer as STS servos give it: three words, voltage, temperature, and two bytes that SCS servos lack."""

_TEMPERATURE_BYTE: Final = 7
ERROR_AT: Final = _HEAD_BYTES + 2
_DATA_AT: Final = ERROR_AT + 1
"""Places in a status packet."""

_WHOLE_SUM: Final = sum(LAYOUT.sync) + 0xFF & 0xFF
"""Of all bytes of a sound packet: those behind its head make 255 with their inverted sum."""


def _scaling(series: str) -> tuple[float, float, float, float, bool]:
    """Counts of one rad, the count of 0 rad, the lowest and highest that is still rounded into the turn, byte order."""
    row, (low, high) = SERIES[series], TURN_COUNTS[series]
    centre = float(row.centre_count)
    return 1.0 / row.position_count_rad, centre, low - _HALF_COUNT, high + _HALF_COUNT, row.order == "big"


class GoalBatch:
    """Turns goals into counts, and counts into sync writes.

    In plain numbers: for so few servos numpy is no faster, and takes twice as long where other code has run since.

    Args:
        ids: The servos, in the order of the arrays passed in.
        models: Row of each.
    """

    __slots__ = ("_all_good", "_ids", "_layouts", "_rows", "_words")

    def __init__(self, ids: Sequence[int], models: Sequence[FeetechModel]) -> None:
        self._ids = tuple(ids)
        # One row for all servos of a series: fewer numbers to fetch.
        rows = {name: _scaling(name) for name in SERIES}
        self._rows = [rows[model.series] for model in models]
        self._words: list[int] = [0] * len(ids)
        """The kept counts as little-endian numbers."""
        self._all_good: Mask = np.ones(len(ids), dtype=np.bool_)
        self._all_good.flags.writeable = False
        self._layouts: dict[int, Struct] = {}

    def convert(self, goals_rad: Vector) -> Mask:
        """Convert goals to counts, and keep them.

        Args:
            goals_rad: (n,) motor frame. Not changed.

        Returns:
            (n,) which are finite, and within their servos' turn; the others have no count.
        """
        words: list[int] = []
        refused: list[int] = []
        for goal_rad, (scale, centre, low, high, is_big) in zip(goals_rad.tolist(), self._rows, strict=True):
            scaled = goal_rad * scale + centre
            if low <= scaled <= high:
                count = round(scaled)
                words.append((count & 0xFF) << 8 | count >> 8 if is_big else count)
            else:
                refused.append(len(words))
                words.append(0)
        self._words = words
        if not refused:
            return self._all_good
        good = self._all_good.copy()
        good[refused] = False
        return good

    def goals(self, slots: Sequence[int]) -> bytes:
        """One sync write of the kept goals of some servos."""
        layout = self._layouts.get(len(slots))
        if layout is None:
            layout = self._layouts[len(slots)] = Struct("<5B" + "BH" * len(slots))
        # Byte order in numbers: making bytes of each servo's and joining them takes three times as long.
        fields = [BROADCAST_ID, layout.size - 1, SYNC_WRITE, _GOAL_ADDRESS, _GOAL_BYTES]
        ids, words = self._ids, self._words
        for slot in slots:
            fields += (ids[slot], words[slot])
        body = layout.pack(*fields)
        return LAYOUT.sync + body + bytes((~sum(body) & 0xFF,))

    def start(self, slots: Sequence[int]) -> bytes:
        """One sync write that switches servos on with the kept goals: acceleration, time and speed 0, which is most.

        The switch and the goal are in one packet: they arrive both, or neither.
        """
        items = (
            bytes((self._ids[slot], TORQUE_ON, 0)) + self._words[slot].to_bytes(2, "little") + bytes(START_BYTES - 4)
            for slot in slots
        )
        return make_packet(BROADCAST_ID, SYNC_WRITE, bytes((SWITCH_ADDRESS, START_BYTES)) + b"".join(items))


class SyncAnswers:
    """The usual answer to a sync read: all servos in the order in which they are asked, and nothing else.

    Taken as a whole, without looking for packets: the parser would find the same ones in the same bytes.

    Args:
        ids: The servos.
        size: Data bytes of each answer.
    """

    __slots__ = ("_head_layout", "_heads", "_size", "_spans")

    def __init__(self, ids: Sequence[int], size: int) -> None:
        packets = [make_status(servo_id, 0, bytes(size)) for servo_id in ids]
        whole = len(packets[0])
        self._heads = tuple(packet[:ERROR_AT] for packet in packets)
        self._head_layout = Struct(f"{ERROR_AT}s{whole - ERROR_AT}x" * len(ids))
        self._spans = [slice(at, at + whole) for at in range(0, whole * len(ids), whole)]
        self._size: int = self._head_layout.size

    def split(self, data: bytes) -> list[bytes] | None:
        """Split what has arrived into packets.

        Returns:
            One per servo, in their order; None for anything but all of them, whole and sound.
        """
        if len(data) != self._size or self._head_layout.unpack(data) != self._heads:
            return None
        packets = [data[span] for span in self._spans]
        for packet in packets:
            if sum(packet) & 0xFF != _WHOLE_SUM:
                return None
        return packets


class StateBatch:
    """Keeps the newest answer of every servo, and decodes them all at once.

    Args:
        models: One per servo.
    """

    __slots__ = (
        "_bytes",
        "_centres",
        "_damping",
        "_loss",
        "_magnitudes",
        "_negative",
        "_places",
        "_raw",
        "_scale",
        "_swapped",
        "_temperature",
        "_words",
    )

    def __init__(self, models: Sequence[FeetechModel]) -> None:
        count, series = len(models), [SERIES[model.series] for model in models]
        self._bytes = bytearray(_STATE_BYTES * count)
        self._words = np.frombuffer(self._bytes, dtype="<u2").reshape(count, -1)[:, :3].T
        self._temperature = np.frombuffer(self._bytes, dtype=np.uint8).reshape(count, -1)[:, _TEMPERATURE_BYTE]
        # In full, not as columns: numpy takes three times as long to stretch one.
        signs = np.outer((SIGN_POSITION, SIGN_SPEED, SIGN_LOAD), [1] * count).astype(np.int64)
        self._places: NDArray[np.int64] = 63 - signs
        self._magnitudes: NDArray[np.int64] = ~(1 << signs)
        self._raw: NDArray[np.int64] = np.zeros((3, count), dtype=np.int64)
        self._negative: NDArray[np.int64] = np.zeros((3, count), dtype=np.int64)
        self._loss: Vector = np.zeros(count)
        self._swapped = tuple(row.order == "big" for row in series)
        self._centres: Vector = np.array([float(row.centre_count) for row in series])
        unit_rad = [row.position_count_rad for row in series]
        self._scale: Vector = np.array([unit_rad, unit_rad, [model.torque_max_nm * LOAD_COUNT for model in models]])
        self._damping: Vector = np.array([model.damping_nm_s_per_rad for model in models])

    def keep(self, slot: int, data: bytes) -> None:
        """Keep one answer, `STATE_BYTES` of its series."""
        if self._swapped[slot]:
            words = bytearray(data[:6])
            words[0::2], words[1::2] = words[1::2], words[0::2]
            data = bytes(words) + data[6:] + bytes(2)
        self._bytes[_STATE_BYTES * slot : _STATE_BYTES * (slot + 1)] = data

    def keep_all(self, slots: Sequence[int], packets: Sequence[bytes]) -> None:
        """Keep the answers of several STS servos, as `SyncAnswers` splits them."""
        kept = self._bytes
        for slot, packet in zip(slots, packets, strict=True):
            kept[_STATE_BYTES * slot : _STATE_BYTES * (slot + 1)] = packet[_DATA_AT:-1]

    def decode(self, values: Block) -> None:
        """Decode the newest answer of every servo; what was never heard is as if all its bytes were 0.

        The torque is estimated: what the drive would give at rest, less what the motor loses by turning.

        Args:
            values: (at least 4, n), written in place: position, velocity, torque, temperature.
        """
        raw, negative = self._raw, self._negative
        raw[...] = self._words
        # All ones where the sign bit is set: what turns a magnitude into its opposite.
        np.left_shift(raw, self._places, out=negative)
        np.right_shift(negative, 63, out=negative)
        raw &= self._magnitudes
        raw ^= negative
        raw -= negative
        motion = values[: TORQUE + 1]
        motion[...] = raw
        motion[POSITION] -= self._centres
        motion *= self._scale
        motion[TORQUE] -= np.multiply(self._damping, motion[VELOCITY], out=self._loss)
        values[TEMPERATURE] = self._temperature
