"""A policy whose steps are timed by the machine's clock, for the record only: no decision depends on it."""

from __future__ import annotations

import time

from supervisor.core.command import JointCommand
from supervisor.core.exchange import PolicyHealth
from supervisor.core.joints import Vector
from supervisor.core.ports import PolicyPort
from supervisor.core.state import RobotState
from supervisor.evidence.timing import DurationHistogram


class TimedPolicy:
    """A `PolicyPort` around another one.

    Attributes:
        durations: How long the steps took.
    """

    def __init__(self, policy: PolicyPort) -> None:
        self._policy = policy
        self.durations = DurationHistogram()

    @property
    def period_s(self) -> float:
        """One step's period."""
        return self._policy.period_s

    @property
    def command_names(self) -> tuple[str, ...]:
        """What the command vector means."""
        return self._policy.command_names

    @property
    def command_range(self) -> tuple[Vector, Vector]:
        """Recommended smallest and largest command."""
        return self._policy.command_range

    @property
    def health(self) -> PolicyHealth:
        """What the last step said of itself."""
        return self._policy.health

    def reset(self) -> None:
        """Forget history."""
        self._policy.reset()

    def step(self, state: RobotState, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        """Run one step and time it."""
        started_s = time.perf_counter()
        result = self._policy.step(state, command, action_gain, now_s)
        self.durations.add(time.perf_counter() - started_s)
        return result
