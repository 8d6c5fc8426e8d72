"""How every stage begins and ends."""

from __future__ import annotations

from py_trees.common import Status

from trees.base import SUCCESS, Leaf
from trees.context import MissionContext
from trees.values import StageHead, missed


class EnterStage(Leaf):
    """Makes a stage the active one: its knobs, tightened guards and time limit are in force from this tick on.

    Args:
        head: What is fixed about the stage.
        context: The mission's context.
    """

    def __init__(self, head: StageHead, context: MissionContext) -> None:
        super().__init__("EnterStage", context)
        self._head = head
        knobs = head.knobs
        self.details = (
            f"gain {knobs.action_gain:g}, torque {knobs.torque_fraction:.0%}, speed {knobs.speed_fraction:.0%}",
            f"limit {head.limit_s:g} s",
            *(f"guard {guard} ≤ {limit:g}" for guard, limit in head.guard_limits.items()),
        )

    def update(self) -> Status:
        """SUCCESS; the stage is open."""
        self.context.enter_stage(self._head)
        return SUCCESS


class JudgeStage(Leaf):
    """Closes a stage with its report: accepted when every criterion is met by what was measured.

    Args:
        head: What is fixed about the stage.
        context: The mission's context.
    """

    # Weighing every fault hypothesis against the measured answers takes longer than any other leaf, once a stage. The
    # gate bridges it with the last proposal.
    deadline_factor = 3.0

    def __init__(self, head: StageHead, context: MissionContext) -> None:
        super().__init__("JudgeStage", context)
        self.details = tuple(f"{c.metric} {'≤' if c.op == '<=' else '≥'} {c.limit:g}" for c in head.criteria)
        self.hints = tuple(f"{c.metric}: {c.reason}" for c in head.criteria)

    def update(self) -> Status:
        """SUCCESS when accepted; otherwise FAILURE with every criterion that was missed."""
        report = self.context.close_stage("passed")
        if report is None:
            return self.fail("no stage is open")
        if report.outcome == "passed":
            self.say("")
            return SUCCESS
        reasons = [missed(result) for result in report.criteria if not result.passed]
        return self.fail("; ".join(reasons) or "nothing was measured")
