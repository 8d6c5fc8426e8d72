"""A policy whose steps are timed by the machine's clock."""

from __future__ import annotations

import math
import time

from supervisor.core.command import JointCommand
from supervisor.core.joints import Vector
from supervisor.core.ports import PolicyPort
from supervisor.core.state import RobotState
from supervisor.core.wrapped_policy import WrappedPolicy
from supervisor.evidence.timing import DurationHistogram


class TimedPolicy(WrappedPolicy):
    """A `PolicyPort` around another one.

    Args:
        policy: The other one.
        deadline_s: A step that took longer is late, and its result is dropped; infinite in lockstep, where a slow
            machine must not change what happens.

    Attributes:
        durations: How long the steps took.
        late: How many results were dropped.
    """

    def __init__(self, policy: PolicyPort, deadline_s: float = math.inf) -> None:
        super().__init__(policy)
        self._deadline_s = deadline_s
        self.durations = DurationHistogram()
        self.late = 0

    def step(self, state: RobotState, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        """Run one step and time it."""
        started_s = time.perf_counter()
        result = self._policy.step(state, command, action_gain, now_s)
        elapsed_s = time.perf_counter() - started_s
        self.durations.add(elapsed_s)
        if elapsed_s > self._deadline_s:
            # What it answers to is a period old; the next answer is better than this one.
            self.late += 1
            return None
        return result
