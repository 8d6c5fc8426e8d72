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

    __slots__ = (
        "_bytes",
        "_centres",
        "_damping",
        "_magnitudes",
        "_scale",
        "_signs",
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
        self._signs: NDArray[np.int64] = signs
        self._magnitudes: NDArray[np.int64] = ~(1 << signs)
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

    def decode(self, values: Block) -> None:
        """Decode the newest answer of every servo; what was never heard is as if all its bytes were 0.

        The torque is estimated: what the drive would give at rest, less what the motor loses by turning.

        Args:
            values: (at least 4, n), written in place: position, velocity, torque, temperature.
        """
        raw = self._words.astype(np.int64)
        signs = raw >> self._signs & 1
        raw &= self._magnitudes
        signs *= -2
        signs += 1
        raw *= signs
        motion = values[: TORQUE + 1]
        motion[...] = raw
        motion[POSITION] -= self._centres
        motion *= self._scale
        motion[TORQUE] -= self._damping * motion[VELOCITY]
        values[TEMPERATURE] = self._temperature
