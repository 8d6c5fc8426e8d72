"""Feedback of many motors at once, in arrays made once; equal to `mit_codec.decode_feedback` of each motor alone.

Commands are those of `drivers.can.impedance`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.can.impedance import TOP_12, TOP_16
from drivers.devices import Block, MotorModel

TEMPERATURE_STEP_DEGC = 0.1


class FeedbackBatch:
    """Decodes the newest feedback of every motor in one go.

    Args:
        models: One per motor.
    """

    __slots__ = ("_fields", "_low", "_masks", "_scale", "_shifts")

    def __init__(self, models: Sequence[MotorModel]) -> None:
        high = np.array([(m.position_max_rad, m.velocity_max_rad_per_s, m.torque_max_nm) for m in models]).T
        tops = np.array([TOP_16, TOP_12, TOP_12], dtype=np.float64)[:, None]
        temperature = np.zeros((1, len(models)))
        self._low: Block = np.vstack([-high, temperature])
        self._scale: Block = np.vstack([2.0 * high / tops, temperature + TEMPERATURE_STEP_DEGC])
        # In full, not as columns: numpy takes three times as long to stretch one.
        full = [1] * len(models)
        self._shifts: NDArray[np.int64] = np.outer((40, 28, 16, 0), full).astype(np.int64)
        self._masks: NDArray[np.int64] = np.outer((TOP_16, TOP_12, TOP_12, TOP_16), full).astype(np.int64)
        self._fields: NDArray[np.int64] = np.zeros((4, len(models)), dtype=np.int64)

    def decode(self, words: NDArray[np.int64], values: Block) -> None:
        """Decode one frame per motor.

        Args:
            words: (n,) the 8 data bytes of each frame as one big-endian number.
            values: (at least 4, n), written in place: position, velocity, torque, temperature.
        """
        fields = self._fields
        fields[...] = words
        np.right_shift(fields, self._shifts, out=fields)
        np.bitwise_and(fields, self._masks, out=fields)
        motion = values[:4]
        motion[...] = fields
        motion *= self._scale
        motion += self._low
