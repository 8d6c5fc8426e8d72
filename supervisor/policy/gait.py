"""The gait clock: the phase that a policy steps to."""

from __future__ import annotations

import math

from supervisor.core.joints import Vector
from supervisor.policy.contract import GaitClock

_TURN_RAD = 2.0 * math.pi
_FUNCTIONS = {"sin": math.sin, "cos": math.cos}


class GaitPhase:
    """Counts policy steps and writes the clock's observation.

    Args:
        clock: The contract's clock.
        policy_hz: Steps per second.
    """

    __slots__ = ("_clock", "_first", "_increment", "_parts", "_standing", "_step", "_threshold")

    def __init__(self, clock: GaitClock, policy_hz: float) -> None:
        self._clock = clock
        self._increment = clock.frequency_hz / policy_hz
        # Counting steps, not adding phases: after an hour the clock still is where training had it.
        parts = [(_FUNCTIONS[name], offset) for name in clock.outputs for offset in clock.offsets]
        self._parts = [(i, function, offset) for i, (function, offset) in enumerate(parts)]
        self._standing = clock.standing_value
        threshold = clock.moving_threshold
        self._threshold = 0.0 if threshold is None else threshold
        self._first = 1 if clock.advance == "before" else 0
        self._step = self._first

    def reset(self) -> None:
        """Back to the start of a stride."""
        self._step = self._first

    def write(self, command: Vector, out: Vector) -> None:
        """Observe the clock, then advance it by one step.

        Args:
            command: What the policy is told; decides whether the robot moves or stands.
            out: (width,) receives the values.
        """
        if math.hypot(*command.tolist()) < self._threshold:
            out[:] = self._standing
            self._step = self._first if self._clock.standing_phase == "restart" else self._step + 1
            return
        phase = self._step * self._increment % 1.0
        for i, function, offset in self._parts:
            out[i] = function(_TURN_RAD * (phase + offset))
        self._step += 1
