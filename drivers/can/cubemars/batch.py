"""Feedback of many motors at once, in arrays made once; equal to `decode_mit_feedback` of each motor alone.

Commands are those of `drivers.can.impedance`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.can.impedance import TOP_12, TOP_16
from drivers.devices import TEMPERATURE, Block, MotorModel


class FeedbackBatch:
    """Decodes the newest feedback of every motor in one go.

    Args:
        models: One per motor.
    """

    __slots__ = ("_fields", "_low", "_masks", "_scale", "_shifts")

    def __init__(self, models: Sequence[MotorModel]) -> None:
        high = np.array([(m.position_max_rad, m.velocity_max_rad_per_s, m.torque_max_nm) for m in models]).T
        tops = np.array([TOP_16, TOP_12, TOP_12], dtype=np.float64)[:, None]
        self._low: Block = np.ascontiguousarray(-high)
        self._scale: Block = np.ascontiguousarray(2.0 * high / tops)
        # In full, not as columns: numpy takes three times as long to stretch one.
        full = [1] * len(models)
        self._shifts: NDArray[np.int64] = np.outer((40, 28, 16, 0), full).astype(np.int64)
        self._masks: NDArray[np.int64] = np.outer((TOP_16, TOP_12, TOP_12, 0xFF), full).astype(np.int64)
        self._fields: NDArray[np.int64] = np.zeros((4, len(models)), dtype=np.int64)

    def decode(self, words: NDArray[np.int64], values: Block) -> NDArray[np.int64]:
        """Decode one frame per motor.

        Args:
            words: (n,) the 8 data bytes of each frame as one big-endian number; a short one has zeros at its end.
            values: (at least 4, n), written in place: position, velocity, torque, temperature.

        Returns:
            (n,) error codes. The same array every time: valid until the next call.
        """
        fields = self._fields
        # Numbers of one type and shape in each operation: numpy takes three times as long where it has to convert.
        fields[...] = words
        np.right_shift(fields, self._shifts, out=fields)
        np.bitwise_and(fields, self._masks, out=fields)
        motion = values[:3]
        motion[...] = fields[:3]
        motion *= self._scale
        motion += self._low
        # The second lowest byte, signed: moved to the top and back.
        values[TEMPERATURE] = words << 48 >> 56
        return fields[3]
