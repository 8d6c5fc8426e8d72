"""Damiao messages of many motors at once, in arrays made once: what the control loop uses.

Byte for byte what `codec` makes of each motor alone; commands are those of `drivers.can.impedance`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.can.impedance import TOP_12, TOP_16
from drivers.devices import Block, MotorModel


class FeedbackBatch:
    """Decodes the newest feedback of every motor in one go, equal to `decode_feedback`.

    Args:
        models: One per motor.
    """

    __slots__ = ("_fields", "_low", "_masks", "_scale", "_shifts")

    # Tables have the shape of what they are applied to: numpy takes three times as long to stretch a column.

    def __init__(self, models: Sequence[MotorModel]) -> None:
        high = np.array([(m.position_max_rad, m.velocity_max_rad_per_s, m.torque_max_nm) for m in models]).T
        tops = np.array([TOP_16, TOP_12, TOP_12], dtype=np.float64)[:, None]
        self._low: Block = np.ascontiguousarray(-high)
        self._scale: Block = np.ascontiguousarray(2.0 * high / tops)
        shifts, masks = (40, 28, 16, 8, 0, 60), (TOP_16, TOP_12, TOP_12, 0xFF, 0xFF, 0xF)
        self._shifts: NDArray[np.int64] = np.array([shifts] * len(models), dtype=np.int64).T.copy()
        self._masks: NDArray[np.int64] = np.array([masks] * len(models), dtype=np.int64).T.copy()
        self._fields: NDArray[np.int64] = np.zeros((6, len(models)), dtype=np.int64)

    def decode(self, words: NDArray[np.int64], values: Block) -> NDArray[np.int64]:
        """Decode one frame per motor.

        Args:
            words: (n,) the 8 data bytes of each frame as one big-endian number.
            values: (at least 4, n), written in place: position, velocity, torque, the hotter temperature.

        Returns:
            (n,) status nibbles. The same array every time: valid until the next call.
        """
        fields = self._fields
        fields[...] = words
        np.right_shift(fields, self._shifts, out=fields)
        np.bitwise_and(fields, self._masks, out=fields)
        motion = values[:3]
        # Numbers of one type in each operation: numpy takes three times as long where it has to convert on the way.
        np.maximum(fields[3], fields[4], out=fields[3])
        values[:4] = fields[:4]
        motion *= self._scale
        motion += self._low
        return fields[5]
