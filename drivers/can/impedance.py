"""Impedance commands as counts, for every make of motor that packs five of them into one frame.

A command is position, velocity, kp, kd and torque. Each becomes a count from 0 to 2^bits - 1 over its range. Makes
differ in bits and places only. Scaling truncates towards zero, as the vendors' own code does; 2^bits is never produced,
which would wrap to the opposite limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.devices import Block, MotorModel
from supervisor.core.errors import EncodeError

RANGE_SLACK: Final = 1e-9
"""Of a range: what converting between joint and motor may add by rounding at a limit. Far below one count."""

TOP_16: Final = (1 << 16) - 1
TOP_12: Final = (1 << 12) - 1

Counts = tuple[int, int, int, int, int]
"""One number for each field: position, velocity, kp, kd, torque."""

MIT_TOPS: Final[Counts] = (TOP_16, TOP_12, TOP_12, TOP_12, TOP_12)
MIT_SHIFTS: Final[Counts] = (48, 36, 24, 12, 0)
"""Largest count and place of each field of an MIT command, the frame of the mini cheetah that many makes copied."""

MIT_ENABLE: Final = bytes.fromhex("fffffffffffffffc")
MIT_DISABLE: Final = bytes.fromhex("fffffffffffffffd")
MIT_SET_ZERO: Final = bytes.fromhex("fffffffffffffffe")

_FIELDS: Final = ("position", "velocity", "kp", "kd", "torque")
_UNITS: Final = ("rad", "rad/s", "N·m/rad", "N·m·s/rad", "N·m")


def command_ranges(model: MotorModel) -> tuple[tuple[float, float], ...]:
    """Lowest and highest value of each field of a command: position, velocity, kp, kd, torque."""
    return (
        (-model.position_max_rad, model.position_max_rad),
        (-model.velocity_max_rad_per_s, model.velocity_max_rad_per_s),
        (0.0, model.kp_max_nm_per_rad),
        (0.0, model.kd_max_nm_s_per_rad),
        (-model.torque_max_nm, model.torque_max_nm),
    )


def command_counts(model: MotorModel, values: Sequence[float], tops: Counts) -> list[int]:
    """One command as counts.

    Args:
        model: Wire ranges of the motor.
        values: Position (rad), velocity (rad/s), kp (N·m/rad), kd (N·m·s/rad), torque (N·m); motor frame.
        tops: Largest count of each field.

    Raises:
        EncodeError: A value is not finite, or outside the motor's range.
    """
    counts: list[int] = []
    for field, (value, (low, high)) in enumerate(zip(values, command_ranges(model), strict=True)):
        slack = RANGE_SLACK * (high - low)
        if not low - slack <= value <= high + slack:
            raise EncodeError(
                f"{_FIELDS[field]} {value} {_UNITS[field]} outside the range of {model.name}, {low:g} to {high:g}"
            )
        counts.append(int((value - low) * tops[field] / (high - low)))
    return counts


def encode_mit(model: MotorModel, values: Sequence[float], shifts: Counts = MIT_SHIFTS) -> bytes:
    """Encode one MIT command.

    Args:
        model: Wire ranges of the motor.
        values: Position (rad), velocity (rad/s), kp (N·m/rad), kd (N·m·s/rad), torque (N·m); motor frame.
        shifts: Place of each field.

    Raises:
        EncodeError: A value is not finite, or outside the motor's range.
    """
    word = 0
    for count, shift in zip(command_counts(model, values, MIT_TOPS), shifts, strict=True):
        word |= count << shift
    return word.to_bytes(8, "big")


class CommandScaler:
    """Scales one command per motor in one go, count for count as `command_counts` would.

    Args:
        models: One per motor.
        tops: Largest count of each field.

    Attributes:
        all_valid: After `scale`: False when a command was not finite or out of range.
        valid: (n,) which commands were fine, up to date only when not `all_valid`. The counts of the others are those
            of a command without stiffness, damping and torque, and must not be sent.
    """

    __slots__ = (
        "_above",
        "_below",
        "_bounds",
        "_counts",
        "_inside",
        "_low",
        "_scaled",
        "_size",
        "_span",
        "_tops",
        "all_valid",
        "valid",
    )

    def __init__(self, models: Sequence[MotorModel], tops: Counts) -> None:
        ranges = np.array([command_ranges(model) for model in models], dtype=np.float64).transpose(2, 1, 0)
        self._low: Block = np.ascontiguousarray(ranges[0])
        self._span: Block = np.ascontiguousarray(ranges[1] - ranges[0])
        slack = RANGE_SLACK * self._span
        self._bounds: tuple[Block, Block] = (self._low - slack, np.ascontiguousarray(ranges[1] + slack))
        # In full, not as a column: numpy takes three times as long to stretch one.
        self._tops: Block = np.array([tops] * len(models), dtype=np.float64).T.copy()
        self._scaled: Block = np.zeros_like(self._low)
        self._counts: NDArray[np.int64] = np.zeros(self._low.shape, dtype=np.int64)
        self._inside: NDArray[np.bool_] = np.zeros((2, *self._low.shape), dtype=np.bool_)
        self._above, self._below = self._inside
        self._size: int = self._inside.size
        self.valid: NDArray[np.bool_] = np.ones(len(models), dtype=np.bool_)
        self.all_valid = True

    def scale(self, command: Block) -> NDArray[np.int64]:
        """Scale one command per motor.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; motor frame. Not changed.

        Returns:
            (5, n) counts. The same array every time, and the caller's to work in until the next call; `all_valid` and
            `valid` say which of them may be sent.
        """
        inside = self._inside
        np.greater_equal(command, self._bounds[0], out=self._above)
        np.less_equal(command, self._bounds[1], out=self._below)
        self.all_valid = bool(np.count_nonzero(inside) == self._size)
        if not self.all_valid:
            np.logical_and.reduce(inside.reshape(-1, len(self.valid)), axis=0, out=self.valid)
            command = np.where(self.valid, command, 0.0)
        scaled, counts = self._scaled, self._counts
        # The order of these three is the order of the vendors' code: another one is off by a count now and then.
        np.subtract(command, self._low, out=scaled)
        scaled *= self._tops
        scaled /= self._span
        counts[...] = scaled
        return counts


class MitBatch:
    """Encodes one MIT command per motor in one go, byte for byte as `encode_mit` would.

    Args:
        models: One per motor.
    """

    __slots__ = ("_scaler", "_shifts")

    def __init__(self, models: Sequence[MotorModel]) -> None:
        self._scaler = CommandScaler(models, MIT_TOPS)
        self._shifts: NDArray[np.int64] = np.array([MIT_SHIFTS] * len(models), dtype=np.int64).T.copy()

    @property
    def all_valid(self) -> bool:
        """See `CommandScaler`."""
        return self._scaler.all_valid

    @property
    def valid(self) -> NDArray[np.bool_]:
        """See `CommandScaler`."""
        return self._scaler.valid

    def encode(self, command: Block) -> bytes:
        """Encode one command per motor.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; motor frame. Not changed.

        Returns:
            8 bytes per motor, in order; `all_valid` and `valid` say which of them may be sent.
        """
        words = self._scaler.scale(command)
        np.left_shift(words, self._shifts, out=words)
        return np.bitwise_or.reduce(words, axis=0).byteswap().tobytes()
