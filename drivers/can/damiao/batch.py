"""Damiao messages of many motors at once, in arrays made once: what the control loop uses.

Byte for byte what `codec` makes of each motor alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.can.damiao.codec import COMMAND_SHIFTS, COMMAND_TOPS, RANGE_SLACK, TOP_12, TOP_16, command_ranges
from drivers.devices import Block, MotorModel


class MitBatch:
    """Encodes one MIT command per motor in one go, byte for byte as `encode_mit` would.

    Args:
        models: One per motor.

    Attributes:
        all_valid: After `encode`: False when a command was not finite or out of range.
        valid: (n,) which commands were fine, up to date only when not `all_valid`. The bytes of the others are those
            of a command without stiffness, damping and torque, and must not be sent.
    """

    __slots__ = (
        "_bounds",
        "_inside",
        "_low",
        "_scaled",
        "_shifts",
        "_size",
        "_span",
        "_tops",
        "_words",
        "all_valid",
        "valid",
    )

    def __init__(self, models: Sequence[MotorModel]) -> None:
        ranges = np.array([command_ranges(model) for model in models], dtype=np.float64).transpose(2, 1, 0)
        self._low: Block = np.ascontiguousarray(ranges[0])
        self._span: Block = np.ascontiguousarray(ranges[1] - ranges[0])
        slack = RANGE_SLACK * self._span
        self._bounds: tuple[Block, Block] = (self._low - slack, np.ascontiguousarray(ranges[1] + slack))
        self._tops: Block = np.array(COMMAND_TOPS, dtype=np.float64)[:, None]
        self._shifts: NDArray[np.int64] = np.array(COMMAND_SHIFTS, dtype=np.int64)[:, None]
        self._scaled: Block = np.zeros_like(self._low)
        self._words: NDArray[np.int64] = np.zeros(self._low.shape, dtype=np.int64)
        self._inside: NDArray[np.bool_] = np.zeros((2, *self._low.shape), dtype=np.bool_)
        self._size: int = self._inside.size
        self.valid: NDArray[np.bool_] = np.ones(len(models), dtype=np.bool_)
        self.all_valid = True

    def encode(self, command: Block) -> bytes:
        """Encode one command per motor.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; motor frame. Not changed.

        Returns:
            8 bytes per motor, in order; `all_valid` and `valid` say which of them may be sent.
        """
        inside = self._inside
        np.greater_equal(command, self._bounds[0], out=inside[0])
        np.less_equal(command, self._bounds[1], out=inside[1])
        self.all_valid = bool(np.count_nonzero(inside) == self._size)
        if not self.all_valid:
            np.logical_and.reduce(inside.reshape(-1, len(self.valid)), axis=0, out=self.valid)
            command = np.where(self.valid, command, 0.0)
        scaled, words = self._scaled, self._words
        # The order of these three is the order of the vendor's code: another one is off by a count now and then.
        np.subtract(command, self._low, out=scaled)
        scaled *= self._tops
        scaled /= self._span
        np.copyto(words, scaled, casting="unsafe")
        np.left_shift(words, self._shifts, out=words)
        return np.bitwise_or.reduce(words, axis=0).byteswap().tobytes()


class FeedbackBatch:
    """Decodes the newest feedback of every motor in one go, equal to `decode_feedback`.

    Args:
        models: One per motor.
    """

    __slots__ = ("_fields", "_low", "_masks", "_scale", "_shifts")

    def __init__(self, models: Sequence[MotorModel]) -> None:
        high = np.array([(m.position_max_rad, m.velocity_max_rad_per_s, m.torque_max_nm) for m in models]).T
        tops = np.array([TOP_16, TOP_12, TOP_12], dtype=np.float64)[:, None]
        self._low: Block = np.ascontiguousarray(-high)
        self._scale: Block = np.ascontiguousarray(2.0 * high / tops)
        self._shifts: NDArray[np.int64] = np.array([40, 28, 16, 8, 0, 60], dtype=np.int64)[:, None]
        self._masks: NDArray[np.int64] = np.array([TOP_16, TOP_12, TOP_12, 0xFF, 0xFF, 0xF], dtype=np.int64)[:, None]
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
        np.right_shift(words, self._shifts, out=fields)
        np.bitwise_and(fields, self._masks, out=fields)
        motion = values[:3]
        np.multiply(fields[:3], self._scale, out=motion)
        motion += self._low
        np.maximum(fields[3], fields[4], out=values[3], casting="unsafe")
        return fields[5]
