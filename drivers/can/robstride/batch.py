"""Messages of many motors at once, in arrays made once: what the control loop uses.

Bit for bit what `codec` makes of each motor alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.can.impedance import TOP_16, CommandScaler
from drivers.can.robstride.codec import OPERATION_SHIFTS, OPERATION_TOPS, TYPE_OPERATION
from drivers.devices import Block, MotorModel, WiredMotor

TEMPERATURE_STEP_DEGC = 0.1


class OperationBatch:
    """Encodes one impedance command per motor in one go, bit for bit as `make_operation` would.

    Args:
        motors: The motors.
    """

    __slots__ = ("_heads", "_ids", "_scaler", "_shifts")

    def __init__(self, motors: Sequence[WiredMotor]) -> None:
        self._scaler = CommandScaler([motor.model for motor in motors], OPERATION_TOPS)
        # In full, not as a column: numpy takes three times as long to stretch one.
        self._shifts: NDArray[np.int64] = np.array([OPERATION_SHIFTS] * len(motors), dtype=np.int64).T.copy()
        self._heads: NDArray[np.int64] = np.array(
            [TYPE_OPERATION << 24 | motor.config.id for motor in motors], dtype=np.int64
        )
        self._ids: NDArray[np.int64] = np.zeros_like(self._heads)

    @property
    def all_valid(self) -> bool:
        """See `CommandScaler`."""
        return self._scaler.all_valid

    @property
    def valid(self) -> NDArray[np.bool_]:
        """See `CommandScaler`."""
        return self._scaler.valid

    def encode(self, command: Block) -> tuple[list[int], bytes]:
        """Encode one command per motor.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; motor frame. Not changed.

        Returns:
            Identifiers, and 8 bytes per motor, in order; `all_valid` and `valid` say which of them may be sent.
        """
        counts = self._scaler.scale(command)
        np.left_shift(counts[4], 8, out=self._ids)
        self._ids |= self._heads
        words = counts[:4]
        np.left_shift(words, self._shifts, out=words)
        return self._ids.tolist(), np.bitwise_or.reduce(words, axis=0).byteswap().tobytes()


class FeedbackBatch:
    """Decodes the newest feedback of every motor in one go, equal to `decode_feedback`.

    Args:
        models: One per motor.
    """

    __slots__ = ("_fields", "_low", "_scale", "_shifts")

    def __init__(self, models: Sequence[MotorModel]) -> None:
        high = np.array([(m.position_max_rad, m.velocity_max_rad_per_s, m.torque_max_nm) for m in models]).T
        temperature = np.zeros((1, len(models)))
        self._low: Block = np.vstack([-high, temperature])
        self._scale: Block = np.vstack([2.0 * high / TOP_16, temperature + TEMPERATURE_STEP_DEGC])
        # In full, not as a column: numpy takes three times as long to stretch one.
        self._shifts: NDArray[np.int64] = np.array([(48, 32, 16, 0)] * len(models), dtype=np.int64).T.copy()
        self._fields: NDArray[np.int64] = np.zeros((4, len(models)), dtype=np.int64)

    def decode(self, words: NDArray[np.int64], values: Block) -> None:
        """Decode one frame per motor.

        Args:
            words: (n,) the 8 data bytes of each frame as one big-endian number.
            values: (at least 4, n), written in place: position, velocity, torque, temperature.
        """
        fields = self._fields
        # Numbers of one type and shape in each operation: numpy takes three times as long where it has to convert.
        fields[...] = words
        np.right_shift(fields, self._shifts, out=fields)
        np.bitwise_and(fields, TOP_16, out=fields)
        motion = values[:4]
        motion[...] = fields
        motion *= self._scale
        motion += self._low
