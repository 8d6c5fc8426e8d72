"""Commands and feedback of many motors at once, in arrays made once: what the control loop uses.

A position command in passthrough mode is an impedance command whose gains are sent apart from it:

    torque = velocity gain * (position gain * (position - estimate) + velocity - estimate) + torque

so damping is the velocity gain, and stiffness the product of both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.can.impedance import RANGE_SLACK, command_ranges
from drivers.can.odrive.tables import FEEDFORWARD, POSITION_GAIN_MAX_PER_S
from drivers.devices import POSITION, TEMPERATURE, TORQUE, VELOCITY, Block, WiredMotor
from supervisor.core.joints import Vector

Floats = NDArray[np.float32]

REPEATS: Final = 3
"""New gains are sent this often: nothing says that they have arrived. With a third of all frames lost, one motor in
thirty misses them all, and is told again when its turn comes."""

SAME_GAIN: Final = 1e-6
"""Of a gain: differences below this are rounding."""

_POSITION, _VELOCITY, _KP, _KD, _TORQUE = range(5)
"""Rows of a command block."""

_INPUT_POSITION: Final = np.dtype([("position", "<f4"), ("feedforward", "<i2", 2)])
_INT16_MAX: Final = (1 << 15) - 1


def turns(motors: Sequence[WiredMotor]) -> Vector:
    """(n,) turns that each drive counts per turn of its output shaft."""
    drives = [motor.config.drive for motor in motors]
    return np.array([1.0 if drive is None else drive.motor_turns_per_output_turn for drive in drives])


class CommandBatch:
    """Turns impedance commands into SET_INPUT_POSITION data and gains, byte for byte as `codec` would.

    Args:
        motors: The motors.

    Attributes:
        valid: After `encode`: (n,) which commands may be sent. Not those that are not finite or out of range, nor those
            with stiffness but hardly any damping, which no position gain can express.
        all_valid: Whether all are.
        gains: (2, n) position gain (1/s) and velocity gain (N·m·s/rev) of the newest command, as the drive counts.
    """

    __slots__ = (
        "_counts",
        "_feedforward_scale",
        "_high",
        "_inside",
        "_low",
        "_packed",
        "_per_turn",
        "_position",
        "_ratio",
        "_velocity_scale",
        "all_valid",
        "gains",
        "valid",
    )

    def __init__(self, motors: Sequence[WiredMotor]) -> None:
        count, per_output = len(motors), turns(motors)
        ranges = np.array([command_ranges(motor.model) for motor in motors], dtype=np.float64).transpose(2, 1, 0)
        slack = RANGE_SLACK * (ranges[1] - ranges[0])
        self._low: Block = np.ascontiguousarray(ranges[0] - slack)
        self._high: Block = np.ascontiguousarray(ranges[1] + slack)
        # Of a stiffness or damping slightly below 0 nothing good comes.
        self._low[_KP : _KD + 1] = 0.0
        self._per_turn: Vector = per_output / (2.0 * math.pi)
        self._velocity_scale: Vector = 2.0 * math.pi / per_output**2
        self._feedforward_scale: Block = np.array([self._per_turn, 1.0 / per_output])
        self._inside: NDArray[np.bool_] = np.zeros((2, 5, count), dtype=np.bool_)
        self._counts: Block = np.zeros((2, count))
        self._position: Vector = np.zeros(count)
        self._ratio: Vector = np.zeros(count)
        self._packed: NDArray[Any] = np.zeros(count, dtype=_INPUT_POSITION)
        self.gains: Floats = np.zeros((2, count), dtype=np.float32)
        self.valid: NDArray[np.bool_] = np.ones(count, dtype=np.bool_)
        self.all_valid = True

    def encode(self, command: Block, measured_rad: Vector) -> bytes:
        """Encode one command per motor.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; motor frame. Not changed.
            measured_rad: (n,) newest positions. Sent in the place of positions without stiffness, which mean nothing:
                should a motor miss its new gains, the old ones have nothing to pull at.

        Returns:
            8 bytes per motor, in order; `all_valid` and `valid` say which of them may be sent.
        """
        valid, ratio, counts = self.valid, self._ratio, self._counts
        np.greater_equal(command, self._low, out=self._inside[0])
        np.less_equal(command, self._high, out=self._inside[1])
        np.logical_and.reduce(self._inside, axis=(0, 1), out=valid)
        if not valid.all():
            command = np.where(valid, command, 0.0)
        stiffness, damping = command[_KP], command[_KD]
        ratio[:] = 0.0
        is_stiff = stiffness > 0.0
        # Damping that is almost nothing divides to infinity, which is refused right below.
        with np.errstate(over="ignore", divide="ignore"):
            np.divide(stiffness, damping, out=ratio, where=is_stiff)
        np.multiply(command[_VELOCITY], self._feedforward_scale[0], out=counts[0])
        np.multiply(command[_TORQUE], self._feedforward_scale[1], out=counts[1])
        counts /= FEEDFORWARD
        np.rint(counts, out=counts)
        valid &= ratio <= POSITION_GAIN_MAX_PER_S
        valid &= (np.abs(counts) <= _INT16_MAX).all(axis=0)
        self.all_valid = bool(valid.all())
        if not self.all_valid:
            counts[:, ~valid] = 0.0
            ratio[~valid] = 0.0
        position = self._position
        np.copyto(position, command[_POSITION])
        np.copyto(position, measured_rad, where=~is_stiff & np.isfinite(measured_rad))
        position *= self._per_turn
        self._packed["position"] = position
        self._packed["feedforward"] = counts.T
        self.gains[0] = ratio
        np.multiply(damping, self._velocity_scale, out=self.gains[1], casting="same_kind")
        return self._packed.tobytes()


class GainBook:
    """Knows which gains each motor was told, and which frames are due.

    Args:
        count: Motors.

    Attributes:
        told: (2, n) position and velocity gain that each motor was told last; 0 after `forget`.
    """

    __slots__ = ("_due", "told")

    def __init__(self, count: int) -> None:
        self.told: Floats = np.zeros((2, count), dtype=np.float32)
        self._due: NDArray[np.int64] = np.zeros((2, count), dtype=np.int64)

    def forget(self) -> None:
        """Note that all motors were told gains of 0, and that some may have missed it."""
        self.told[:] = 0.0
        self._due[:] = REPEATS

    def remind(self, slot: int) -> None:
        """Tell a motor its gains once more, even where they are the same."""
        np.maximum(self._due[:, slot], 1, out=self._due[:, slot])

    def due(self, gains: Floats, valid: NDArray[np.bool_]) -> list[tuple[int, tuple[int, ...]]]:
        """What has to be sent in this cycle, and note it as told.

        Args:
            gains: (2, n) gains that the motors should have.
            valid: (n,) motors that may be sent anything.

        Returns:
            Motors, and which of their gains in which order: 0 is the position gain, 1 the velocity gain. Where both
            change, the order is the one in between which stiffness, their product, stays below its larger end.
        """
        due, told = self._due, self.told
        changed = np.abs(gains - told) > SAME_GAIN * np.abs(told)
        due[changed] = REPEATS
        if not due.any():
            return []
        orders: list[tuple[int, tuple[int, ...]]] = []
        for slot in np.flatnonzero(due.any(axis=0) & valid).tolist():
            position_first = gains[0, slot] * told[1, slot] <= told[0, slot] * gains[1, slot]
            order = (0, 1) if position_first else (1, 0)
            which = tuple(gain for gain in order if due[gain, slot])
            orders.append((slot, which))
            for gain in which:
                due[gain, slot] -= 1
                told[gain, slot] = gains[gain, slot]
        return orders


class FeedbackBatch:
    """Decodes the newest reports of every motor in one go, equal to `decode_report`.

    Args:
        motors: The motors.
    """

    __slots__ = ("_rad", "_torque")

    def __init__(self, motors: Sequence[WiredMotor]) -> None:
        per_output = turns(motors)
        self._rad: Vector = 2.0 * math.pi / per_output
        self._torque: Vector = per_output

    def decode(self, words: NDArray[np.int64], values: Block) -> None:
        """Decode three reports per motor.

        Args:
            words: (3, n) the 8 data bytes of encoder estimates, torques and temperatures, as little-endian numbers.
            values: (at least 4, n), written in place: position, velocity, torque, temperature of the hottest sensor.
        """
        pairs = words.view(np.float32).reshape(3, -1, 2)
        np.multiply(pairs[0, :, 0], self._rad, out=values[POSITION])
        np.multiply(pairs[0, :, 1], self._rad, out=values[VELOCITY])
        np.multiply(pairs[1, :, 1], self._torque, out=values[TORQUE])
        # A sensor that is not fitted reads NaN, perhaps one that numpy would complain about.
        with np.errstate(invalid="ignore"):
            values[TEMPERATURE] = np.fmax(pairs[2, :, 0], pairs[2, :, 1])
