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
from drivers.serial.feetech.codec import make_packet
from drivers.serial.feetech.tables import (
    BROADCAST_ID,
    LAYOUT,
    LOAD_COUNT,
    SERIES,
    SIGN_LOAD,
    SIGN_POSITION,
    START_BYTES,
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

_STATE: Final = np.dtype(
    [("position", "<u2"), ("speed", "<u2"), ("load", "<u2"), ("voltage", "u1"), ("temperature", "u1"), ("", "V2")]
)
"""An answer as STS servos give it; the status at its end is 0 for servos without one."""


class GoalBatch:
    """Turns goals into counts, and counts into sync writes.

    Args:
        ids: The servos, in the order of the arrays passed in.
        models: Row of each.
    """

    __slots__ = ("_bounds", "_centres", "_counts", "_ids", "_is_big", "_layouts", "_scale", "_scaled")

    def __init__(self, ids: Sequence[int], models: Sequence[FeetechModel]) -> None:
        self._ids = tuple(ids)
        series = [SERIES[model.series] for model in models]
        self._is_big = tuple(row.order == "big" for row in series)
        self._scale: Vector = np.array([1.0 / row.position_count_rad for row in series])
        self._centres: Vector = np.array([float(row.centre_count) for row in series])
        limits = np.array([TURN_COUNTS[model.series] for model in models], dtype=np.float64).reshape(-1, 2)
        self._bounds: tuple[Vector, Vector] = (limits[:, 0] - _HALF_COUNT, limits[:, 1] + _HALF_COUNT)
        self._scaled: Vector = np.zeros(len(ids))
        self._counts: list[int] = [0] * len(ids)
        self._layouts: dict[int, Struct] = {}

    def convert(self, goals_rad: Vector) -> Mask:
        """Convert goals to counts, and keep them.

        Args:
            goals_rad: (n,) motor frame. Not changed.

        Returns:
            (n,) which are finite, and within their servos' turn; the others have no count.
        """
        scaled = self._scaled
        np.multiply(goals_rad, self._scale, out=scaled)
        scaled += self._centres
        good = (scaled >= self._bounds[0]) & (scaled <= self._bounds[1])
        np.copyto(scaled, 0.0, where=~good)
        np.rint(scaled, out=scaled)
        self._counts = scaled.astype(np.int64).tolist()
        return good

    def _word(self, slot: int) -> int:
        """A servo's count, as a little-endian number."""
        count = self._counts[slot]
        return (count & 0xFF) << 8 | count >> 8 if self._is_big[slot] else count

    def goals(self, slots: Sequence[int]) -> bytes:
        """One sync write of the kept goals of some servos."""
        layout = self._layouts.get(len(slots))
        if layout is None:
            layout = self._layouts[len(slots)] = Struct("<5B" + "BH" * len(slots))
        # Byte order in numbers: making bytes of each servo's and joining them takes three times as long.
        fields = [BROADCAST_ID, layout.size - 1, SYNC_WRITE, _GOAL_ADDRESS, _GOAL_BYTES]
        for slot in slots:
            fields += (self._ids[slot], self._word(slot))
        body = layout.pack(*fields)
        return LAYOUT.sync + body + bytes((~sum(body) & 0xFF,))

    def start(self, slots: Sequence[int]) -> bytes:
        """One sync write that switches servos on with the kept goals: acceleration, time and speed 0, which is most.

        The switch and the goal are in one packet: they arrive both, or neither.
        """
        items = (
            bytes((self._ids[slot], TORQUE_ON, 0)) + self._word(slot).to_bytes(2, "little") + bytes(START_BYTES - 4)
            for slot in slots
        )
        return make_packet(BROADCAST_ID, SYNC_WRITE, bytes((SWITCH_ADDRESS, START_BYTES)) + b"".join(items))


class StateBatch:
    """Keeps the newest answer of every servo, and decodes them all at once.

    Args:
        models: One per servo.
    """

    __slots__ = ("_bytes", "_centres", "_damping", "_fields", "_load", "_scale", "_swapped")

    def __init__(self, models: Sequence[FeetechModel]) -> None:
        series = [SERIES[model.series] for model in models]
        self._bytes = bytearray(_STATE.itemsize * len(models))
        self._fields = np.frombuffer(self._bytes, dtype=_STATE)
        self._swapped = tuple(row.order == "big" for row in series)
        self._centres: Vector = np.array([float(row.centre_count) for row in series])
        self._scale: Vector = np.array([row.position_count_rad for row in series])
        self._load: Vector = np.array([model.torque_max_nm * LOAD_COUNT for model in models])
        self._damping: Vector = np.array([model.damping_nm_s_per_rad for model in models])

    def keep(self, slot: int, data: bytes) -> None:
        """Keep one answer, `STATE_BYTES` of its series."""
        if self._swapped[slot]:
            words = bytearray(data[:6])
            words[0::2], words[1::2] = words[1::2], words[0::2]
            data = bytes(words) + data[6:] + bytes(2)
        size = _STATE.itemsize
        self._bytes[size * slot : size * (slot + 1)] = data

    def decode(self, values: Block) -> None:
        """Decode the newest answer of every servo; what was never heard is as if all its bytes were 0.

        The torque is estimated: what the drive would give at rest, less what the motor loses by turning.

        Args:
            values: (at least 4, n), written in place: position, velocity, torque, temperature.
        """
        fields = self._fields
        np.subtract(_signed(fields["position"], SIGN_POSITION), self._centres, out=values[POSITION])
        values[POSITION] *= self._scale
        np.multiply(_signed(fields["speed"], SIGN_POSITION), self._scale, out=values[VELOCITY])
        np.multiply(_signed(fields["load"], SIGN_LOAD), self._load, out=values[TORQUE])
        values[TORQUE] -= self._damping * values[VELOCITY]
        values[TEMPERATURE] = fields["temperature"]


def _signed(raw: NDArray[np.uint16], sign_bit: int) -> NDArray[np.int64]:
    """Magnitudes with a sign bit as numbers."""
    wide = raw.astype(np.int64)
    return (wide & ~(1 << sign_bit)) * (1 - 2 * (wide >> sign_bit & 1))
