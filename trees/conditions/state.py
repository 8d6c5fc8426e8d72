"""Questions about the mission, the latch, arming and support."""

from __future__ import annotations

from py_trees.common import Status

from supervisor.core.levels import ArmingState, Level, Support
from trees.base import FAILURE, SUCCESS, Condition
from trees.context import MissionContext


class IsMissionOpen(Condition):
    """Whether the mission still has no result. A finished mission never starts again: a new one is made."""

    def __init__(self, context: MissionContext) -> None:
        super().__init__("IsMissionOpen", context)

    def update(self) -> Status:
        """SUCCESS until the mission has a result."""
        return FAILURE if self.context.is_finished else SUCCESS


class NoStopLatched(Condition):
    """Whether no stop is in force. The mission's own end is planned and does not count."""

    def __init__(self, context: MissionContext) -> None:
        super().__init__("NoStopLatched", context)
        self.details = ("no level of HOLD or above in force",)

    def update(self) -> Status:
        """SUCCESS unless a stop that nobody planned is latched."""
        snapshot = self.context.snapshot
        stop = snapshot.stop
        if stop is None:
            if snapshot.level < Level.HOLD:
                return SUCCESS
            self.say(f"level {snapshot.level.name} is in force")
            return FAILURE
        if stop.planned:
            return SUCCESS
        self.say(f"{stop.level.name} latched by {stop.guard}: {stop.measured:.3g} {stop.unit} > {stop.limit:.3g}")
        return FAILURE


class IsArmed(Condition):
    """Whether the motors are on, holding or following."""

    def __init__(self, context: MissionContext) -> None:
        super().__init__("IsArmed", context)

    def update(self) -> Status:
        """SUCCESS while armed or running."""
        return SUCCESS if self.context.snapshot.arming in (ArmingState.ARMED, ArmingState.RUNNING) else FAILURE


class IsRunning(Condition):
    """Whether proposals are followed."""

    def __init__(self, context: MissionContext) -> None:
        super().__init__("IsRunning", context)

    def update(self) -> Status:
        """SUCCESS while running."""
        return SUCCESS if self.context.snapshot.arming is ArmingState.RUNNING else FAILURE


class SupportIs(Condition):
    """Whether the robot is on a given support, as the operator last said.

    Args:
        support: Which.
        context: The mission's context.
    """

    def __init__(self, support: Support, context: MissionContext) -> None:
        super().__init__(f"SupportIs {support.value}", context)
        self._support = support

    def update(self) -> Status:
        """SUCCESS when that support was reached."""
        return SUCCESS if self.context.support is self._support else FAILURE


class StageIsPassed(Condition):
    """Whether a stage has passed in this mission already: after a HOLD the ladder goes on where it was.

    Args:
        stage: Name of the stage.
        context: The mission's context.
    """

    def __init__(self, stage: str, context: MissionContext) -> None:
        super().__init__(f"StageIsPassed {stage}", context)
        self._stage = stage

    def update(self) -> Status:
        """SUCCESS when the stage needs no second run."""
        return SUCCESS if self._stage in self.context.passed else FAILURE
