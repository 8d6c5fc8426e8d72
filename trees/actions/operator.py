"""What needs a person: confirming, arming, starting, and changing what carries the robot."""

from __future__ import annotations

from typing import Final

from py_trees.common import Status

from supervisor.core.levels import ArmingState, OperatorAction, Support
from supervisor.core.ports import Prompt
from trees.actions.moving import WaitingLeaf
from trees.base import SUCCESS
from trees.context import MissionContext
from trees.motion import Motion

REACTION_S: Final = 0.2
"""The control loop has answered a press within this time: ten ticks at 50 Hz, a hundred cycles at 500 Hz."""

ARMING_TIMEOUT_S: Final = 15.0
"""Checks, enabling and holding take a few seconds; longer means that something does not come."""

SUPPORT_TEXTS: Final = {
    Support.GANTRY: "Lift the robot until no foot touches the floor, then confirm.",
    Support.LOWERED: "Lower the robot until its feet carry most of the weight, gantry still attached, then confirm.",
    Support.GROUND: "Lower the robot to its feet and slacken the gantry fully, then confirm.",
}


class AskOperator(WaitingLeaf):
    """Puts a question and waits for the answer. Each activation asks anew.

    Args:
        name: What the drawing calls it.
        text: What to do, in words a person can act on.
        action: The press that answers.
        context: The mission's context.
        motion: What carries the robot meanwhile.
        support: The support the robot must be on afterwards.
    """

    def __init__(
        self,
        name: str,
        text: str,
        action: OperatorAction,
        context: MissionContext,
        motion: Motion,
        support: Support | None = None,
    ) -> None:
        super().__init__(name, context, motion)
        self._text = text
        self._action = action
        self._support = support
        self._prompt: Prompt | None = None
        self.answered_s: float | None = None

    def initialise(self) -> None:
        """A new question: an old answer does not count."""
        self._prompt = None
        self.answered_s = None

    def update(self) -> Status:
        """RUNNING until answered."""
        if not self.is_answered():
            return self.keep_waiting(f"operator: {self._text}")
        return SUCCESS

    def is_answered(self) -> bool:
        """Put the question, once per activation, and see whether it was answered."""
        if self.answered_s is not None:
            return True
        operator = self.context.operator
        if self._prompt is None:
            key = self.context.new_key(self.name.replace(" ", "_").lower())
            self._prompt = Prompt(key, self._text, self._action, self._support)
        operator.ask(self._prompt)
        if operator.answered(self._prompt.key):
            self.answered_s = self.context.now_s
            return True
        return False


class Confirm(AskOperator):
    """Waits until the operator lets a stage begin.

    Args:
        stage: Name of the stage.
        context: The mission's context.
        motion: What carries the robot meanwhile.
    """

    def __init__(self, stage: str, context: MissionContext, motion: Motion) -> None:
        super().__init__("Confirm", f"Confirm to begin {stage}.", OperatorAction.CONFIRM, context, motion)
        self.details = ("operator confirms",)


class ChangeSupport(AskOperator):
    """Has the robot brought onto a support, unless it is there.

    Args:
        support: Which.
        context: The mission's context.
        motion: What carries the robot meanwhile.
    """

    def __init__(self, support: Support, context: MissionContext, motion: Motion) -> None:
        name = f"ChangeSupport {support.value}"
        super().__init__(name, SUPPORT_TEXTS[support], OperatorAction.CONFIRM, context, motion, support)
        self._target = support

    def update(self) -> Status:
        """SUCCESS when the robot is on the support."""
        context = self.context
        if context.support is self._target:
            return SUCCESS
        if not self.is_answered():
            # Half way between two supports neither is true.
            context.support = None
            return self.keep_waiting(f"operator: {SUPPORT_TEXTS[self._target]}")
        context.support = self._target
        return SUCCESS


class _Press(AskOperator):
    """Asks for a press that changes the arming state, and waits for that state."""

    def __init__(
        self, name: str, text: str, action: OperatorAction, reached: tuple[ArmingState, ...], context: MissionContext,
        motion: Motion,
    ) -> None:  # fmt: skip
        super().__init__(name, text, action, context, motion)
        self._reached = reached

    def update(self) -> Status:
        """SUCCESS in the wanted state; FAILURE with every reason when the control loop refuses."""
        snapshot = self.context.snapshot
        if snapshot.arming in self._reached:
            return SUCCESS
        if not self.is_answered() or self.answered_s is None:
            return self.keep_waiting(f"operator: {self._text}")
        waited_s = self.context.now_s - self.answered_s
        if snapshot.arming in (ArmingState.DISARMED, ArmingState.STOPPED) and waited_s > REACTION_S:
            reasons = "; ".join(snapshot.refusals) or f"the robot is {snapshot.arming.value}"
            return self.fail(f"refused: {reasons}")
        if waited_s > ARMING_TIMEOUT_S:
            return self.fail(f"still {snapshot.arming.value} after {waited_s:.1f} s, allowed: {ARMING_TIMEOUT_S:g} s")
        return self.keep_waiting(f"robot is {snapshot.arming.value}")


class Arm(_Press):
    """Has the operator arm: checks, then motors on, holding the measured pose."""

    def __init__(self, context: MissionContext, motion: Motion) -> None:
        text = "Arm: the motors switch on and hold the pose."
        reached = (ArmingState.ARMED, ArmingState.RUNNING)
        super().__init__("Arm", text, OperatorAction.ARM, reached, context, motion)


class Start(_Press):
    """Has the operator start: from now on proposals are followed."""

    def __init__(self, context: MissionContext, motion: Motion) -> None:
        text = "Start: the robot begins to move."
        super().__init__("Start", text, OperatorAction.START, (ArmingState.RUNNING,), context, motion)
