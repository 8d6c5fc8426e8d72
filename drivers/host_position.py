"""Impedance control for servos that obey positions only: goals that make their own stiffness give the wanted torque.

A servo pulls with its own stiffness K towards its goal, so the goal for a torque is position + torque / K. Where a
command asks for exactly K, and for neither damping nor torque, the goal is the commanded position itself, and no
feedback is in it. Another stiffness closes a loop here, a delay late: less than K damps the joint, and more takes
(kp - K) * delay from the damping that its motor has by itself. With `GAIN_RATIO` it lasts for delays up to damping / K,
some 20 ms.

A servo that is no longer heard is told to stay where it was last seen. It would hold its last goal by itself, but that
goal holds a torque and a damping from an old position and speed; and it must not follow a path that nobody watches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.devices import POSITION, VELOCITY, Block, MotorModel
from drivers.host_impedance import STALE_CYCLES
from supervisor.core.joints import Vector
from supervisor.core.state import NEVER_S

GAIN_RATIO = 2.0
"""Largest stiffness and damping that may be asked for, of the servo's own, where every cycle brings feedback."""

_KP = 2
"""Row of a command block."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ServoModel(MotorModel):
    """One row of a make whose servos obey positions.

    Attributes:
        stiffness_nm_per_rad: Torque per angle between goal and position, set up as the source says.
        damping_nm_s_per_rad: Torque per speed that its motor loses by turning.
    """

    stiffness_nm_per_rad: float
    damping_nm_s_per_rad: float


class HostPosition:
    """Turns impedance commands into goal positions, for all servos of one group at once.

    Args:
        models: One per servo.
        stale_cycles: Commands in a row after which a silent servo counts as no longer heard, one per servo;
            `STALE_CYCLES` where left out. More where servos are asked one after the other.

    Attributes:
        stiffness: (n,) N·m/rad, of each servo itself. May be written when it is known better.
        valid: After `goal`: (n,) which servos may be sent theirs. Not those whose command is not finite, and, unless
            limp, not those that were never heard.
        limp: After `goal`: (n,) which servos were asked for no stiffness, no damping and no torque. Their goal means
            nothing: switch them off.
        is_stale: After `goal`: (n,) which servos are no longer heard.
    """

    __slots__ = (
        "_delta",
        "_extra",
        "_finite",
        "_goal",
        "_high",
        "_is_own",
        "_is_plain",
        "_reach",
        "_seen_s",
        "_silent",
        "_stale_cycles",
        "is_stale",
        "limp",
        "stiffness",
        "valid",
    )

    def __init__(self, models: Sequence[ServoModel], stale_cycles: Sequence[int] | None = None) -> None:
        count = len(models)
        self.stiffness: Vector = np.array([model.stiffness_nm_per_rad for model in models], dtype=np.float64)
        self._high: Vector = np.array([model.torque_max_nm for model in models], dtype=np.float64)
        cycles = [STALE_CYCLES] * count if stale_cycles is None else stale_cycles
        self._stale_cycles: NDArray[np.int64] = np.array(cycles, dtype=np.int64)
        self._delta: Vector = np.zeros(count)
        self._extra: Vector = np.zeros(count)
        self._reach: Vector = np.zeros(count)
        self._goal: Vector = np.zeros(count)
        self._finite: Mask = np.zeros((5, count), dtype=np.bool_)
        self._is_plain: Mask = np.zeros(count, dtype=np.bool_)
        self._is_own: Mask = np.zeros(count, dtype=np.bool_)
        self._seen_s: Vector = np.full(count, -np.inf)
        self._silent: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self.valid: Mask = np.zeros(count, dtype=np.bool_)
        self.limp: Mask = np.zeros(count, dtype=np.bool_)
        self.is_stale: Mask = np.zeros(count, dtype=np.bool_)

    def goal(self, command: Block, feedback: Block, stamps_s: Vector) -> Vector:
        """The goal that makes each servo give the commanded torque now, within what it can.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; motor frame. Not changed.
            feedback: (at least 2, n) newest position (rad) and velocity (rad/s), motor frame; a velocity that is not
                known (NaN) counts as 0.
            stamps_s: (n,) arrival of that feedback, `NEVER_S` where there is none.

        Returns:
            (n,) rad, motor frame, not limited to the servos' ranges. The same array every time; meaningless where not
            `valid`, or limp.
        """
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is found below
            is_plain = self._fill_goal(command, feedback)
        goal, valid, limp = self._goal, self.valid, self.limp
        np.equal(command[_KP], 0.0, out=limp)
        limp &= is_plain
        self._find_stale(stamps_s)
        np.copyto(goal, feedback[POSITION], where=self.is_stale)
        np.isfinite(goal, out=valid)
        valid &= stamps_s > NEVER_S
        valid |= limp
        np.isfinite(command, out=self._finite)
        if np.count_nonzero(self._finite) < self._finite.size:
            valid &= self._finite.all(axis=0)
        return goal

    def _fill_goal(self, command: Block, feedback: Block) -> Mask:
        """The goals while feedback is fresh; returns who is asked for neither damping nor torque."""
        goal, extra, delta = self._goal, self._extra, self._delta
        target, target_velocity, kp, kd, torque = command
        position, velocity, stiffness = feedback[POSITION], feedback[VELOCITY], self.stiffness
        is_plain, is_own = self._is_plain, self._is_own
        np.equal(kd, 0.0, out=is_plain)
        is_plain &= np.equal(torque, 0.0, out=is_own)
        # goal = position + torque / K, written around the commanded position, which it is where kp is K.
        np.copyto(extra, target_velocity)
        np.subtract(target_velocity, velocity, out=extra, where=np.equal(velocity, velocity, out=is_own))
        extra *= kd
        extra += torque
        np.subtract(target, position, out=delta)
        delta *= np.subtract(kp, stiffness, out=goal)
        extra += delta
        extra /= stiffness
        np.add(target, extra, out=goal)
        reach = np.divide(self._high, stiffness, out=self._reach)
        np.minimum(goal, np.add(position, reach, out=delta), out=goal)
        np.maximum(goal, np.subtract(position, reach, out=delta), out=goal)
        # The servo limits its torque itself: nothing of its feedback goes into what it is told.
        np.equal(kp, stiffness, out=is_own)
        is_own &= is_plain
        np.copyto(goal, target, where=is_own)
        return is_plain

    def _find_stale(self, stamps_s: Vector) -> None:
        silent = self._silent
        silent += 1
        silent[stamps_s > self._seen_s] = 0
        np.copyto(self._seen_s, stamps_s)
        np.greater_equal(silent, self._stale_cycles, out=self.is_stale)
