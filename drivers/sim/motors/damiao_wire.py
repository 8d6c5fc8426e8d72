"""How a simulated Damiao motor takes commands apart and puts feedback together, for all motors of a robot at once.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.can.damiao.tables import (
    CONTROL_MODE_MIT,
    MODELS,
    REGISTER_BITRATE,
    REGISTER_CONTROL_MODE,
    REGISTER_MASTER_ID,
    REGISTER_MOTOR_ID,
    REGISTER_POSITION_MAX,
    REGISTER_TIMEOUT,
    REGISTER_TORQUE_MAX,
    REGISTER_VELOCITY_MAX,
    UINT32_REGISTERS,
)
from supervisor.core.robot import MotorConfig

Matrix = NDArray[np.float64]
Words = NDArray[np.int64]

_SHIFTS = (48, 36, 24, 12, 0)
_TOPS = (0xFFFF, 0xFFF, 0xFFF, 0xFFF, 0xFFF)
_FEEDBACK_TOPS = (0xFFFF, 0xFFF, 0xFFF)
_FEEDBACK_SHIFTS = (40, 28, 16)

BITRATE_1M = 4


def factory_registers(motor: MotorConfig) -> dict[int, float]:
    """The registers of a motor whose ids and ranges were set up, and whose command timeout was not."""
    model = MODELS[motor.model]
    return {
        REGISTER_MASTER_ID: motor.feedback_id,
        REGISTER_MOTOR_ID: motor.id,
        REGISTER_TIMEOUT: 0,
        REGISTER_CONTROL_MODE: CONTROL_MODE_MIT,
        REGISTER_POSITION_MAX: model.position_max_rad,
        REGISTER_VELOCITY_MAX: model.velocity_max_rad_per_s,
        REGISTER_TORQUE_MAX: model.torque_max_nm,
        REGISTER_BITRATE: BITRATE_1M,
    }


def read_register(registers: Mapping[int, float], register: int) -> bytes:
    """A register's value as 4 bytes."""
    value = registers[register]
    return int(value).to_bytes(4, "little") if register in UINT32_REGISTERS else struct.pack("<f", value)


def write_register(registers: dict[int, float], register: int, raw: bytes) -> None:
    """Set a register from 4 bytes."""
    registers[register] = struct.unpack("<I" if register in UINT32_REGISTERS else "<f", raw)[0]


def _spread(column: Sequence[int], count: int) -> Words:
    """The same column for every motor."""
    return np.array([column] * count, dtype=np.int64).T.copy()


class WireRanges:
    """Scaling between counts and values, by each motor's own range registers.

    Args:
        models: Names of the motors' models, which fix the ranges of the gains.
        registers: The motors' registers.

    Attributes:
        high: (3, n) largest position, velocity and torque.
    """

    def __init__(self, models: Sequence[str], registers: Sequence[Mapping[int, float]]) -> None:
        keys = (REGISTER_POSITION_MAX, REGISTER_VELOCITY_MAX, REGISTER_TORQUE_MAX)
        self.high: Matrix = np.array([[r[key] for r in registers] for key in keys], dtype=np.float64)
        rows = [MODELS[model] for model in models]
        gains = np.array([[m.kp_max_nm_per_rad for m in rows], [m.kd_max_nm_s_per_rad for m in rows]])
        # In full, not as columns: numpy takes three times as long to stretch one.
        count = len(rows)
        self._shifts, self._tops = _spread(_SHIFTS, count), _spread(_TOPS, count)
        self._feedback_shifts = _spread(_FEEDBACK_SHIFTS, count)
        self._feedback_tops: Matrix = _spread(_FEEDBACK_TOPS, count).astype(np.float64)
        self._fields: Words = np.zeros((len(_SHIFTS), count), dtype=np.int64)
        self._scale: Matrix = self._feedback_tops / (2.0 * self.high)
        self._command_low: Matrix = np.vstack([-self.high[:2], np.zeros_like(gains), -self.high[2:]])
        self._command_scale: Matrix = np.vstack([2.0 * self.high[:2], gains, 2.0 * self.high[2:]]) / self._tops
        self._shown: Matrix = np.zeros_like(self.high)

    def decode(self, data: bytes, motors: Sequence[int] | slice, out: Matrix | None = None) -> Matrix:
        """Take MIT commands apart.

        Args:
            data: 8 bytes for each command.
            motors: Whom each is for.
            out: Where the values go; a new array where None.

        Returns:
            (5, k) for k commands: position, velocity, kp, kd, torque.
        """
        # Signed: what the shift drags in from the top bit is masked off, and int64 turns into float64 faster.
        words = np.frombuffer(data, dtype=">i8")
        fields, shifts, tops = self._fields, self._shifts, self._tops
        if len(words) != fields.shape[1]:
            fields, shifts, tops = (np.repeat(table[:, :1], len(words), axis=1) for table in (fields, shifts, tops))
        fields[...] = words
        fields >>= shifts
        fields &= tops
        values = np.empty(fields.shape) if out is None else out
        values[...] = fields
        values *= self._command_scale[:, motors]
        values += self._command_low[:, motors]
        return values

    def readings(self, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """What `encode` adds to the scaled motion: the middle of the range, and noise.

        Args:
            noise: (k, 2, n) for k frames, of velocity and torque.

        Returns:
            (k, 3, n) in counts.
        """
        middle = np.broadcast_to(self.high * self._scale, (len(noise), *self.high.shape)).copy()
        middle[:, 1:] += noise * self._scale[1:]
        return middle

    def encode(self, motion: Matrix, reading: Matrix, heads: Words) -> bytes:
        """Put feedback together.

        Args:
            motion: (3, n) position, velocity, torque.
            reading: (3, n) one of `readings`.
            heads: (n,) first byte (status and id) and last two bytes (temperatures) of each frame, in their places.

        Returns:
            8 bytes per motor.
        """
        shown = self._shown
        np.multiply(motion, self._scale, out=shown)
        shown += reading
        np.maximum(shown, 0.0, out=shown)
        np.minimum(shown, self._feedback_tops, out=shown)
        fields = shown.astype(np.int64)
        fields <<= self._feedback_shifts
        words = fields[0]
        words |= fields[1]
        words |= fields[2]
        words |= heads
        return words.byteswap().tobytes()
