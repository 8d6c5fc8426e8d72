"""Watching the policy think, and letting it drive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from py_trees.common import Status

from supervisor.core.joints import Vector
from supervisor.core.ports import PolicyPort
from trees.actions.dwell import Dwell
from trees.actions.moving import MovingLeaf
from trees.base import RUNNING, SUCCESS, Leaf
from trees.context import MissionContext
from trees.missions.schema import Segment
from trees.motion import Motion

GENERIC_NAMES: Final = {"forward": 0, "lateral": 1, "yaw": 2}
"""What a mission may call the first three commands of any velocity policy."""

_EPSILON_S = 1e-6


def command_index(policy: PolicyPort, name: str) -> int | None:
    """Where a command of the mission stands in the policy's command vector, None when it has no such command."""
    names = policy.command_names
    if name in names:
        return names.index(name)
    index = GENERIC_NAMES.get(name)
    return index if index is not None and index < len(names) else None


def command_problems(policy: PolicyPort, segments: Sequence[Segment]) -> list[str]:
    """What a schedule asks for that the policy does not take."""
    allowed = f"allowed: {', '.join(policy.command_names) or 'none'}, or {', '.join(GENERIC_NAMES)}"
    return [
        f"segment {segment.name}: command {name} is not one of the policy's; {allowed}"
        for segment in segments
        for name in segment.command
        if command_index(policy, name) is None
    ]


def command_vector(policy: PolicyPort, fractions: Mapping[str, float]) -> Vector:
    """A command from fractions of the policy's recommended range: 1 is the largest, -1 the smallest.

    Raises:
        ValueError: The policy has no such command.
    """
    low, high = policy.command_range
    command = np.zeros(len(policy.command_names))
    for name, fraction in fractions.items():
        index = command_index(policy, name)
        if index is None:
            raise ValueError(f"the policy has no command {name}; allowed: {', '.join(policy.command_names)}")
        command[index] = fraction * high[index] if fraction >= 0.0 else -fraction * low[index]
    return command


class WatchSensors(Leaf):
    """Watches sensors and guards for a time, motors off.

    Args:
        dwell: How long.
        context: The mission's context.
    """

    def __init__(self, dwell: Dwell, context: MissionContext) -> None:
        super().__init__("WatchSensors", context)
        self.details = (dwell.text,)
        self._dwell = dwell
        self._began_s = 0.0

    def initialise(self) -> None:
        """Start the watch. What the stage measured before stays: the inventory belongs to it."""
        self._dwell.reset()
        self.context.begin_measuring()
        self._began_s = self.context.now_s

    def update(self) -> Status:
        """SUCCESS when the time is over and no latching guard stands tripped: nothing is energised otherwise."""
        context = self.context
        context.judge.sample(context.snapshot, context.policy_health, None, "watch")
        if not self._dwell.has_lasted(context.now_s - self._began_s):
            return RUNNING
        tripped = [reading for reading in context.snapshot.board if reading.tripped and reading.level.latches]
        if tripped:
            problems = [f"guard {r.id}: {r.measured:.4g} of {r.limit:.4g} {r.unit}" for r in tripped]
            context.stage_notes += problems
            return self.fail("; ".join(problems))
        return SUCCESS


class WatchPolicy(Leaf):
    """Lets the policy think on live data, motors off: nothing is proposed.

    Args:
        dwell: How long.
        context: The mission's context.
    """

    def __init__(self, dwell: Dwell, context: MissionContext) -> None:
        super().__init__("WatchPolicy", context)
        self.details = ("policy thinks, proposes nothing", dwell.text)
        self._dwell = dwell
        self._command: Vector | None = None
        self._next_step_s = 0.0

    def initialise(self) -> None:
        """A fresh policy."""
        policy = self.context.policy
        policy.reset()
        self._command = np.zeros(len(policy.command_names))
        self._next_step_s = self.context.now_s
        self._dwell.reset()

    def update(self) -> Status:
        """One step of the policy on live data, its targets thrown away."""
        context = self.context
        command = self._command
        if command is None:
            raise RuntimeError("ticked without initialise")
        if context.now_s + _EPSILON_S >= self._next_step_s:
            self._next_step_s += context.policy.period_s
            context.policy.step(context.snapshot.state, command, 0.0, context.now_s)
        self._dwell.begin(context)
        # Active for the judge only: the policy guards are for a policy that moves the robot.
        health = replace(context.policy.health, is_active=True)
        context.judge.sample(context.snapshot, health, command, "watch")
        return SUCCESS if self._dwell.is_over(context) else RUNNING


class RunPolicy(MovingLeaf):
    """Lets the policy drive at an action gain: with a zero command for a time, or along a schedule.

    The gain is reached smoothly from the one before; measuring begins when it has arrived.

    Args:
        gain: Action gain.
        dwell: How long to measure without a schedule.
        schedule: Commands one after the other.
        context: The mission's context.
        motion: What carries the robot.
    """

    def __init__(
        self, gain: float, dwell: Dwell, schedule: tuple[Segment, ...], context: MissionContext, motion: Motion
    ) -> None:
        super().__init__("RunPolicy", context, motion)
        if schedule:
            self.details = (f"action gain {gain:g}", *(_segment_text(segment) for segment in schedule))
        else:
            self.details = (f"action gain {gain:g}, zero command", dwell.text)
        self._gain = gain
        self._dwell = dwell
        self._schedule = schedule
        self._targets: list[Vector] = []
        self._zero: Vector = np.zeros(0)
        self._segment = -1
        self._segment_began_s = 0.0

    def initialise(self) -> None:
        """Turn the schedule's fractions into commands of this policy."""
        policy = self.context.policy
        self._zero = np.zeros(len(policy.command_names))
        self._targets = [command_vector(policy, segment.command) for segment in self._schedule]
        self._segment = -1
        self._dwell.reset()

    def move(self) -> Status:
        """One tick of driving."""
        if self._schedule and self._segment >= 0:
            return self._follow()
        self.motion.policy(self._zero, self._gain, self.name)
        if not self.motion.is_steady:
            self.sample("approach", self._zero)
            return RUNNING
        self._dwell.begin(self.context)
        if self._schedule:
            self._begin_segment(0)
            return RUNNING
        self.sample("steady", self._zero)
        return SUCCESS if self._dwell.is_over(self.context) else RUNNING

    def _begin_segment(self, index: int) -> None:
        self._segment = index
        self._segment_began_s = self.context.now_s
        self.say(f"segment {self._schedule[index].name}, {index + 1} of {len(self._schedule)}")

    def _follow(self) -> Status:
        """One tick along the schedule."""
        segment = self._schedule[self._segment]
        elapsed_s = self.context.now_s - self._segment_began_s
        target = self._targets[self._segment]
        self.motion.policy(target, self._gain, self.name)
        self.sample(segment.name, target)
        if elapsed_s < segment.duration_s - _EPSILON_S:
            return RUNNING
        if self._segment + 1 < len(self._schedule):
            self._begin_segment(self._segment + 1)
            return RUNNING
        return SUCCESS


def _segment_text(segment: Segment) -> str:
    parts = ", ".join(f"{name} {100.0 * fraction:+.0f} %" for name, fraction in segment.command.items())
    return f"{segment.name}: {parts or 'zero command'} for {segment.duration_s:g} s"
