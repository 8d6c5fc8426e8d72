"""What all leaves that move the robot, or wait while it must stay up, have in common."""

from __future__ import annotations

from py_trees.common import Status

from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState
from trees.base import FAILURE, Leaf
from trees.context import MissionContext
from trees.motion import Motion


class MovingLeaf(Leaf):
    """Proposes commands. Fails when the robot does not follow proposals any more.

    Args:
        name: What the drawing calls it.
        context: The mission's context.
        motion: What carries the robot, shared by the mission's leaves.
    """

    drives = True

    def __init__(self, name: str, context: MissionContext, motion: Motion) -> None:
        super().__init__(name, context)
        self.motion = motion

    def update(self) -> Status:
        """Move on while the robot follows; FAILURE when it does not."""
        if self.context.snapshot.arming is not ArmingState.RUNNING:
            return self.fail(f"the robot is {self.context.snapshot.arming.value}, needed: running")
        return self.move()

    def move(self) -> Status:
        """One tick of motion; called only while proposals are followed."""
        return FAILURE

    def sample(self, label: str, command: Vector | None = None) -> None:
        """Let the judge measure this tick.

        Args:
            label: What is going on.
            command: Velocity command in force, None where there is none.
        """
        context = self.context
        context.begin_measuring()
        context.judge.sample(context.snapshot, context.policy_health, command, label)


class WaitingLeaf(Leaf):
    """Waits for a person or the control loop while whatever carries the robot goes on carrying it."""

    drives = True

    def __init__(self, name: str, context: MissionContext, motion: Motion) -> None:
        super().__init__(name, context)
        self.motion = motion

    def keep_waiting(self, reason: str) -> Status:
        """RUNNING, with the reason shown and the stage's clock stopped."""
        self.say(reason)
        self.context.wait(reason)
        self.motion.keep(self.name)
        return Status.RUNNING
