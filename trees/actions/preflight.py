"""What is looked at before anything moves: devices, guards, the emergency stop."""

from __future__ import annotations

from typing import Final

from py_trees.common import Status

from supervisor.core.exchange import Request
from supervisor.core.levels import ArmingState
from trees.base import RUNNING, SUCCESS, Leaf
from trees.context import MissionContext

TIMEOUT_S: Final = 10.0
"""Inventory and drill take about a second; longer means that an answer does not come."""

ANSWER_S: Final = 0.1
"""The control loop has taken a request, and dropped its older answer, within this time."""


class _Asking(Leaf):
    """Requests something of the control loop once per activation, and waits for the answer."""

    request: Request
    _asked_s = 0.0

    def initialise(self) -> None:
        """Ask."""
        self._asked_s = self.context.now_s
        self.context.request(self.request)

    def waited_s(self) -> float:
        """Time since the request."""
        return self.context.now_s - self._asked_s

    def measure(self) -> None:
        """Measure one tick."""
        context = self.context
        context.begin_measuring()
        context.judge.sample(context.snapshot, context.policy_health, None, self.request.value)


class TakeInventory(_Asking):
    """Has every device say who and how it is. What a device lacks goes into the stage's notes.

    Nothing is measured before the answer is there: devices that are being set up say nothing else meanwhile.
    """

    request = Request.INVENTORY

    def __init__(self, context: MissionContext) -> None:
        super().__init__("TakeInventory", context)
        self.details = ("identity, ranges, faults, timeouts read back",)

    def update(self) -> Status:
        """SUCCESS when every device answered as the robot file says."""
        waited_s = self.waited_s()
        reports = self.context.snapshot.inventory
        if not reports or waited_s < ANSWER_S:
            if waited_s > TIMEOUT_S:
                self.measure()
                return self.fail(f"no inventory after {waited_s:.1f} s, allowed: {TIMEOUT_S:g} s")
            return RUNNING
        self.measure()
        problems = [f"{report.name} on {report.bus}: {text}" for report in reports for text in report.problems]
        problems += [f"{r.name} on {r.bus}: does not answer" for r in reports if not r.answered and not r.problems]
        if problems:
            self.context.stage_notes += problems
            return self.fail("; ".join(problems))
        return SUCCESS


class RunDrill(_Asking):
    """Emergency-stop drill: motors on without stiffness, stop, proof that they are off."""

    request = Request.DRILL

    def __init__(self, context: MissionContext) -> None:
        super().__init__("RunDrill", context)
        self.details = ("motors on without stiffness, stop, proven off",)

    def update(self) -> Status:
        """SUCCESS with proof that the motors were on and are off."""
        self.measure()
        waited_s = self.waited_s()
        report = self.context.snapshot.drill
        # While the drill goes on, the snapshot still shows the one before.
        is_drilling = self.context.snapshot.arming is ArmingState.CHECKING
        if report is None or is_drilling or waited_s < ANSWER_S:
            if waited_s > TIMEOUT_S:
                return self.fail(f"no drill report after {waited_s:.1f} s, allowed: {TIMEOUT_S:g} s")
            return RUNNING
        if not report.passed:
            problems = report.problems or ("the drill did not pass",)
            self.context.stage_notes += problems
            return self.fail("; ".join(problems))
        return SUCCESS
