"""What one mission knows and wishes. The runtime writes it before a tick and takes the wishes after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast

from supervisor.core.command import JointCommand, Proposal
from supervisor.core.exchange import Knobs, MissionOutput, PolicyHealth, Request, Snapshot
from supervisor.core.levels import ArmingState, Support
from supervisor.core.ports import Judge, Operator, Pilot, PolicyPort
from supervisor.core.report import StageOutcome, StageReport
from supervisor.core.robot import RobotConfig
from supervisor.core.velocity import Steered, VelocityAsk
from trees.values import LeafFault, MissionResult, StageHead, missed

IDLE_POLICY: Final = PolicyHealth()
"""What the policy guards see while no stage drives with the policy."""

NO_LIMIT_S: Final = float("inf")


class _Unwired:
    """Stands in for a port where a mission is only drawn: any use is a programming error."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> object:
        raise RuntimeError(f"{self._name}.{attribute} was used in a tree that was built without a robot")


class _NoPilot:
    """Stands in where nobody can steer."""

    def asked(self) -> VelocityAsk | None:
        """Nothing, ever."""
        return None


class MissionContext:
    """One mission's knowledge and wishes. Leaves read the left half and call the methods of the right half.

    Args:
        robot: The robot.
        policy: The trained policy.
        judge: Measures and judges stages.
        operator: The person in charge.
        pilot: The person who steers, None where nobody can.
        mission_limit_s: The mission's time limit.
        timer_s: Clock for the leaves' deadlines, None where time stands still during a tick (lockstep).
        leaf_deadline_s: Longest time one leaf may take in a tick.
    """

    __slots__ = (
        "_command",
        "_keys",
        "_previous_s",
        "_proposal",
        "_request",
        "_stage_elapsed_s",
        "_stage_started_s",
        "_waited",
        "failure",
        "faults",
        "is_measuring",
        "judge",
        "leaf_deadline_s",
        "mission_limit_s",
        "now_s",
        "operator",
        "passed",
        "pilot",
        "policy",
        "policy_health",
        "reports",
        "request_number",
        "result",
        "robot",
        "snapshot",
        "stage",
        "stage_notes",
        "started_s",
        "steered",
        "support",
        "tick",
        "timer_s",
        "waiting_for",
        "was_armed",
    )

    def __init__(
        self,
        robot: RobotConfig,
        policy: PolicyPort,
        judge: Judge,
        operator: Operator,
        *,
        pilot: Pilot | None = None,
        mission_limit_s: float = NO_LIMIT_S,
        timer_s: Callable[[], float] | None = None,
        leaf_deadline_s: float = 0.02,
    ) -> None:
        self.robot = robot
        self.policy = policy
        self.judge = judge
        self.operator = operator
        self.pilot: Pilot = _NoPilot() if pilot is None else pilot
        self.mission_limit_s = mission_limit_s
        self.timer_s = timer_s
        self.leaf_deadline_s = leaf_deadline_s
        # Written by the runtime once per tick, through begin_tick.
        self.snapshot: Snapshot = cast(Snapshot, _Unwired("snapshot"))
        self.now_s = 0.0
        self.tick = 0
        # What the mission remembers.
        self.result = MissionResult.RUNNING
        self.stage: StageHead | None = None
        self.support: Support | None = None
        self.was_armed = False
        self.is_measuring = False
        self.started_s = float("nan")
        self.passed: set[str] = set()
        self.reports: list[StageReport] = []
        self.faults: list[LeafFault] = []
        self.stage_notes: list[str] = []
        self.failure = ""
        self.waiting_for = ""
        # What it hands over.
        self.request_number = 0
        self.policy_health: PolicyHealth = IDLE_POLICY
        self.steered: Steered | None = None
        self._proposal: Proposal | None = None
        self._request: Request | None = None
        self._stage_started_s = 0.0
        self._stage_elapsed_s = 0.0
        self._previous_s = float("nan")
        self._waited = False
        self._keys = 0

    @classmethod
    def unwired(cls) -> MissionContext:
        """A context to draw a mission with: no robot, no ports. Ticking a tree built on it faults."""
        ports: Any = _Unwired
        return cls(ports("robot"), ports("policy"), ports("judge"), ports("operator"))

    # --- the runtime's side -------------------------------------------------------------------------------------

    def begin_tick(self, snapshot: Snapshot, now_s: float) -> None:
        """Take in what the control loop published; called once, before the tree is ticked.

        Args:
            snapshot: Newest snapshot.
            now_s: Clock of the tick.
        """
        if self.tick == 0:
            self.started_s = self._previous_s = now_s
        if not self._waited:
            # Waiting for a person does not count against the stage's time limit.
            self._stage_elapsed_s += now_s - self._previous_s
        self._previous_s = now_s
        self.snapshot = snapshot
        self.now_s = now_s
        self.tick += 1
        self._proposal = None
        self._waited = False
        self.waiting_for = ""
        self.policy_health = IDLE_POLICY
        self.steered = None
        if snapshot.arming in (ArmingState.ARMED, ArmingState.RUNNING):
            self.was_armed = True

    def take_output(self) -> MissionOutput:
        """What the mission hands over to the control loop; called once, after the tree was ticked."""
        stage = self.stage
        return MissionOutput(
            tick=self.tick,
            stamp_s=self.now_s,
            proposal=self._proposal,
            request=self._request,
            request_number=self.request_number,
            stage=stage.name if stage else "",
            stage_elapsed_s=self._stage_elapsed_s if stage else 0.0,
            stage_limit_s=stage.limit_s if stage else NO_LIMIT_S,
            mission_elapsed_s=self.now_s - self.started_s,
            mission_limit_s=self.mission_limit_s,
            knobs=stage.knobs if stage else Knobs(),
            guard_limits=stage.guard_limits if stage else {},
            policy=self.policy_health,
            needs_motion=stage.needs_motion if stage else False,
        )

    @property
    def is_finished(self) -> bool:
        """True when the result is final; the tree need not be ticked any more."""
        return self.result is not MissionResult.RUNNING

    @property
    def stage_elapsed_s(self) -> float:
        """How long the active stage has run, waiting for the operator not counted."""
        return self._stage_elapsed_s if self.stage else 0.0

    # --- the leaves' side ---------------------------------------------------------------------------------------

    def propose(self, command: JointCommand, origin: str, stamp_s: float | None = None) -> None:
        """Wish for a joint command in this tick.

        Args:
            command: The wish.
            origin: The leaf's name.
            stamp_s: When the command was computed, if that was before this tick.
        """
        self._proposal = Proposal(
            command,
            origin,
            self.stage.name if self.stage else "",
            self.tick,
            self.now_s if stamp_s is None else stamp_s,
        )

    @property
    def proposal(self) -> Proposal | None:
        """What was proposed in this tick, None when nothing was."""
        return self._proposal

    def request(self, request: Request) -> None:
        """Ask something of the control loop, once."""
        self._request = request
        self.request_number += 1

    def wait(self, reason: str) -> None:
        """Mark this tick as waiting for a person; it does not count against the stage's time limit."""
        self._waited = True
        self.waiting_for = reason

    def new_key(self, topic: str) -> str:
        """A prompt key that was never used before in this mission."""
        self._keys += 1
        return f"{topic}/{self._keys}"

    def drive_with_policy(self) -> None:
        """Publish the policy's health in this tick, so that the policy guards judge it."""
        health = self.policy.health
        self.policy_health = health if health.is_active else replace(health, is_active=True)

    def record_fault(self, leaf: str, kind: str, text: str) -> None:
        """Keep a leaf's misbehaviour for the record."""
        self.faults.append(LeafFault(leaf, kind, text, self.now_s))
        self.failure = f"{leaf}: {text}"

    def enter_stage(self, head: StageHead) -> None:
        """Make a stage the active one. A stage that was left open has failed on the way."""
        self.close_stage("failed")
        self.stage = head
        self.is_measuring = False
        self.stage_notes = list(head.remarks)
        self.failure = ""
        self._stage_started_s = self.now_s
        self._stage_elapsed_s = 0.0

    def begin_measuring(self, *, again: bool = False) -> None:
        """Start the judge on the active stage, unless it has been started.

        Args:
            again: Drop what was measured so far: a new window.
        """
        stage = self.stage
        if stage is not None and (again or not self.is_measuring):
            self.judge.begin(stage.name, stage.kind, self.now_s)
            self.is_measuring = True

    def close_stage(self, outcome: StageOutcome) -> StageReport | None:
        """End the active stage with a report.

        Args:
            outcome: `passed` becomes `failed` when a criterion is not met.

        Returns:
            The report, None when no stage was active.
        """
        stage = self.stage
        if stage is None:
            return None
        metrics = dict(self.judge.metrics()) if self.is_measuring else {}
        criteria = self.judge.judge(stage.criteria) if self.is_measuring else ()
        if outcome == "passed" and not (self.is_measuring and all(result.passed for result in criteria)):
            outcome = "failed"
        notes = list(self.stage_notes)
        if outcome == "failed" and not self.failure:
            notes += [missed(result) for result in criteria if not result.passed]
        if outcome != "passed" and self.failure:
            notes.append(self.failure)
        report = StageReport(
            stage.name,
            stage.kind,
            outcome,
            self._stage_started_s,
            self.now_s,
            stage.knobs,
            metrics,
            criteria,
            tuple(notes),
        )
        self.reports.append(report)
        if outcome == "passed":
            self.passed.add(stage.name)
        self.stage = None
        return report

    def finish(self, result: MissionResult) -> None:
        """Give the mission its final result; the first one stands."""
        if self.result is MissionResult.RUNNING:
            self.result = result
