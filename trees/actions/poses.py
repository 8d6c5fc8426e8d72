"""Moving to a pose, holding it, and trying single joints from it."""

from __future__ import annotations

from typing import Final

import numpy as np
from py_trees.common import Status

from supervisor.core.joints import Vector
from supervisor.core.levels import Support
from supervisor.core.moves import MINIMUM_JERK_PEAK_SPEED, MovePlan, minimum_jerk
from trees.actions.dwell import Dwell
from trees.actions.moving import MovingLeaf
from trees.base import RUNNING, SUCCESS
from trees.context import MissionContext
from trees.motion import Motion

SHORTEST_MOVE_S: Final = 0.5
"""Even a tiny way takes this long: a step would ring."""


SETTLE_S: Final = 1.0
"""A robot that was just moved stops shaking within this time: several periods of a leg under its PD gains."""


class MoveToPose(MovingLeaf):
    """Moves to the default pose on a minimum-jerk path at bounded speed.

    The way begins at the measured pose. A robot that already follows commands under load begins at the command in
    force instead: jumping to the measured pose would drop the torque that carries it.

    Args:
        speed_rad_per_s: Largest joint speed on the way.
        context: The mission's context.
        motion: What carries the robot.
    """

    def __init__(self, speed_rad_per_s: float, context: MissionContext, motion: Motion) -> None:
        super().__init__("MoveToPose", context, motion)
        self.details = (f"default pose, at most {speed_rad_per_s:g} rad/s",)
        self._speed_rad_per_s = speed_rad_per_s
        self._start: Vector | None = None
        self._target: Vector | None = None
        self._duration_s = SHORTEST_MOVE_S
        self._began_s = 0.0

    def initialise(self) -> None:
        """The way is planned in the first tick in which the robot follows."""
        self._start = None

    def move(self) -> Status:
        """One tick along the way."""
        context = self.context
        if self._start is None or self._target is None:
            measured = context.snapshot.state.position_rad
            self._start = self.motion.last_command().position_rad if self.motion.carries else measured
            self._target = context.robot.vector("default_rad")
            way_rad = float(np.max(np.abs(self._target - self._start)))
            self._duration_s = max(SHORTEST_MOVE_S, MINIMUM_JERK_PEAK_SPEED * way_rad / self._speed_rad_per_s)
            self._began_s = context.now_s
        share = (context.now_s - self._began_s) / self._duration_s
        path = minimum_jerk(share)
        self.motion.pose(self._start + path * (self._target - self._start), self.name)
        self.sample("approach")
        return SUCCESS if share >= 1.0 else RUNNING


class HoldPose(MovingLeaf):
    """Holds the pose in force and measures, once what shook has settled.

    Args:
        dwell: How long to measure.
        context: The mission's context.
        motion: What carries the robot.
    """

    def __init__(self, dwell: Dwell, context: MissionContext, motion: Motion) -> None:
        super().__init__("HoldPose", context, motion)
        self.details = (dwell.text,)
        self._dwell = dwell
        self._began_s = 0.0
        self._pose: Vector | None = None

    def initialise(self) -> None:
        """Hold what is in force."""
        self._began_s = self.context.now_s
        self._pose = None
        self._dwell.reset()

    def move(self) -> Status:
        """One tick of holding."""
        if self._pose is None:
            self._pose = self.motion.last_command().position_rad
        self.motion.pose(self._pose, self.name)
        if self.context.now_s - self._began_s < SETTLE_S:
            self.sample("settle")
            return RUNNING
        self._dwell.begin(self.context)
        self.sample("steady")
        return SUCCESS if self._dwell.is_over(self.context) else RUNNING


class SingleJointMoves(MovingLeaf):
    """Moves one joint at a time, out and back, by the plan that the robot's signature was made with.

    Args:
        support: Makes the plan's moves on this support.
        context: The mission's context.
        motion: What carries the robot.
    """

    def __init__(self, support: Support, context: MissionContext, motion: Motion) -> None:
        super().__init__(f"SingleJointMoves {support.value}", context, motion)
        self.details = ("each joint out, held, measured, back", "the rest holds the default pose")
        self._support = support
        self._plan: MovePlan | None = None
        self._phases: list[tuple[float, str, int, float, float]] = []
        self._phase = 0
        self._phase_began_s = 0.0
        self._default: Vector | None = None

    def initialise(self) -> None:
        """Lay the plan out as phases with a duration each."""
        context = self.context
        plan = context.judge.move_plan()
        order = context.robot.order
        self._default = context.robot.vector("default_rad")
        support = self._support
        self._phases = [
            (plan.settle_s, f"{support.value}/settle", -1, 0.0, 0.0),
            (plan.baseline_s, plan.baseline_label(support), -1, 0.0, 0.0),
        ]
        for move in plan.moves:
            if move.support is not support:
                continue
            joint, offset = order.index(move.joint), move.offset_rad
            self._phases += [
                (plan.move_s, move.label("out"), joint, 0.0, offset),
                (plan.hold_s, move.label("hold"), joint, offset, offset),
                (plan.measure_s, move.label("measure"), joint, offset, offset),
                (plan.move_s, move.label("back"), joint, offset, 0.0),
                (plan.rest_s, move.label("rest"), -1, 0.0, 0.0),
            ]
        self._phase = 0
        self._phase_began_s = context.now_s

    def move(self) -> Status:
        """One tick of the plan."""
        now_s = self.context.now_s
        while self._phase < len(self._phases):
            duration_s, label, joint, start_rad, end_rad = self._phases[self._phase]
            if now_s - self._phase_began_s < duration_s - 1e-9:
                break
            # From planned end to planned begin: rounding to ticks must not add up over a hundred phases.
            self._phase_began_s += duration_s
            self._phase += 1
        else:
            self._propose(-1, 0.0)
            return SUCCESS
        share = (now_s - self._phase_began_s) / duration_s
        self._propose(joint, start_rad + minimum_jerk(share) * (end_rad - start_rad))
        self.sample(label)
        if self.feedback_message != label:
            self.feedback_message = label
        return RUNNING

    def _propose(self, joint: int, offset_rad: float) -> None:
        default = self._default
        if default is None:
            raise RuntimeError("the plan was not laid out")
        pose = default.copy()
        if joint >= 0:
            pose[joint] += offset_rad
        self.motion.pose(pose, self.name)
