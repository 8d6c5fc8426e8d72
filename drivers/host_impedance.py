"""Impedance control for motors that cannot do it themselves: the loop is closed here, once a control cycle.

The torque follows from the newest feedback, which is a cycle old when the motor gets it. A motor that is no longer
heard is given no torque: from an old position and speed, a damping command would become a steady push.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.devices import POSITION, VELOCITY, Block, MotorModel
from supervisor.core.joints import Vector

STALE_CYCLES = 5
"""A motor that was silent for so many commands in a row gets no torque until it is heard again."""

_POSITION, _VELOCITY, _KP, _KD, _TORQUE = range(5)
"""Rows of a command block."""


class HostImpedance:
    """Turns impedance commands into torques, for all motors of one group at once.

    Args:
        models: One per motor.

    Attributes:
        valid: After `torque`: (n,) which motors may be sent theirs. Not those whose command is not finite, and not
            those that were never heard, or not for `STALE_CYCLES`.
        all_valid: Whether all are.
    """

    __slots__ = ("_damping", "_error", "_high", "_seen_s", "_silent", "_torque", "all_valid", "valid")

    def __init__(self, models: Sequence[MotorModel]) -> None:
        count = len(models)
        self._high: Vector = np.array([model.torque_max_nm for model in models], dtype=np.float64)
        self._error: Vector = np.zeros(count)
        self._damping: Vector = np.zeros(count)
        self._torque: Vector = np.zeros(count)
        self._seen_s: Vector = np.full(count, -np.inf)
        self._silent: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self.valid: NDArray[np.bool_] = np.zeros(count, dtype=np.bool_)
        self.all_valid = False

    def torque(self, command: Block, feedback: Block, stamps_s: Vector) -> Vector:
        """The torque that each motor should give now, within what it can.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; motor frame. Not changed.
            feedback: (at least 2, n) newest position (rad) and velocity (rad/s), motor frame.
            stamps_s: (n,) arrival of that feedback.

        Returns:
            (n,) N·m. The same array every time; 0 where not `valid`.
        """
        error, damping, torque = self._error, self._damping, self._torque
        # Infinity times nothing, and the like, make NaN: found below.
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(command[_POSITION], feedback[POSITION], out=error)
            error *= command[_KP]
            np.subtract(command[_VELOCITY], feedback[VELOCITY], out=damping)
            damping *= command[_KD]
            np.add(error, damping, out=torque)
            torque += command[_TORQUE]
        silent = self._silent
        silent += 1
        silent[stamps_s > self._seen_s] = 0
        np.copyto(self._seen_s, stamps_s)
        valid = self.valid
        np.isfinite(torque, out=valid)
        valid &= silent < STALE_CYCLES
        np.minimum(torque, self._high, out=torque)
        np.maximum(torque, -self._high, out=torque)
        self.all_valid = bool(valid.all())
        if not self.all_valid:
            torque[~valid] = 0.0
        return torque
