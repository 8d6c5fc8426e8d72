"""How a mission ends: settled, with a result; or in the safe branch."""

from __future__ import annotations

from typing import Final

from py_trees.common import Status

from supervisor.core.exchange import Request
from supervisor.core.levels import ArmingState, Level
from trees.base import RUNNING, SUCCESS, Leaf
from trees.context import MissionContext
from trees.values import MissionResult

ANSWER_S: Final = 0.1
"""The control loop has taken a request within this time."""

SETTLE_TIMEOUT_S: Final = 60.0
"""The control loop cuts long before (`settle_timeout_s` of the safety file); longer means that it does not answer."""


class Settle(Leaf):
    """Has the control loop bring the robot to its rest pose and switch off; nothing to do when it is off."""

    def __init__(self, context: MissionContext) -> None:
        super().__init__("Settle", context)
        self.details = ("to the rest pose, then motors off",)
        self._asked_s: float | None = None

    def initialise(self) -> None:
        """Ask, when there is anything to switch off."""
        self.context.close_stage("failed")
        self._asked_s = None
        if self.context.snapshot.arming is not ArmingState.DISARMED:
            self.context.request(Request.SETTLE)
            self._asked_s = self.context.now_s

    def update(self) -> Status:
        """SUCCESS at rest with the motors off."""
        if self._asked_s is None:
            return SUCCESS
        waited_s = self.context.now_s - self._asked_s
        snapshot = self.context.snapshot
        if waited_s >= ANSWER_S and (snapshot.is_at_rest or snapshot.arming is ArmingState.DISARMED):
            return SUCCESS
        if waited_s > SETTLE_TIMEOUT_S:
            # Nothing gentler is left; and a mission that cannot end must not stay open.
            self.context.request(Request.DISARM)
            self.context.finish(MissionResult.NOT_ACCEPTED)
            return self.fail(f"not at rest after {waited_s:.1f} s, allowed: {SETTLE_TIMEOUT_S:g} s")
        return RUNNING


class EndMission(Leaf):
    """Gives the mission its result.

    Args:
        result: The result; a mission that is not accepted before the robot was ever armed was refused.
        context: The mission's context.
    """

    def __init__(self, result: MissionResult, context: MissionContext) -> None:
        super().__init__(f"EndMission {result.value}", context)
        self._result = result

    def update(self) -> Status:
        """SUCCESS."""
        context = self.context
        result = self._result
        if result is MissionResult.NOT_ACCEPTED and not context.was_armed:
            result = MissionResult.REFUSED
        context.finish(result)
        return SUCCESS


class Wait(Leaf):
    """Lets time pass.

    Args:
        duration_s: How long.
        context: The mission's context.
    """

    def __init__(self, duration_s: float, context: MissionContext) -> None:
        super().__init__("Wait", context)
        self.details = (f"{duration_s:g} s",)
        self._duration_s = duration_s
        self._began_s = 0.0

    def initialise(self) -> None:
        """Start the clock."""
        self._began_s = self.context.now_s

    def update(self) -> Status:
        """SUCCESS when the time has passed."""
        return SUCCESS if self.context.now_s - self._began_s >= self._duration_s - 1e-9 else RUNNING


class SafeBranch(Leaf):
    """Where the mission is while it must not move: proposes nothing, keeps the interruption on record, and stays.

    A HOLD pauses the mission: when an operator has resumed, the ladder goes on with the interrupted stage. Every
    higher level ends it: after a reset a new mission climbs from the beginning.
    """

    def __init__(self, context: MissionContext) -> None:
        super().__init__("SafeBranch", context)
        self.details = ("proposes nothing; the gate sends the level's command",)

    def initialise(self) -> None:
        """Put the interruption on record."""
        self.context.close_stage("interrupted")
        self.say("")

    def update(self) -> Status:
        """RUNNING, always."""
        context = self.context
        snapshot = context.snapshot
        level = max(snapshot.level, snapshot.stop.level if snapshot.stop is not None else Level.NONE)
        if level > Level.HOLD and not context.is_finished:
            context.finish(MissionResult.INTERRUPTED if context.was_armed else MissionResult.REFUSED)
        elif level is Level.HOLD and not context.is_finished:
            context.wait(
                "operator: the robot holds; clear the cause, then reset and start; resume, if you asked for the hold."
            )
        return RUNNING
