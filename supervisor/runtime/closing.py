"""The end of a run: its outcome, its diagnosis, its summary and its report.

Control and mission each leave a part, made where they ran: in one process or in two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import py_trees

from supervisor.core.errors import HandrailError
from supervisor.core.exchange import GateCounts, Snapshot, Stop
from supervisor.core.report import Diagnosis, StageReport
from supervisor.core.state import MotorStatus
from supervisor.diagnosis.causes import diagnose
from supervisor.diagnosis.evidence import Evidence
from supervisor.diagnosis.judge import StageJudge
from supervisor.evidence.events import EventKind, EventLog
from supervisor.evidence.report import report_text
from supervisor.evidence.run_folder import RunFolder
from supervisor.evidence.summary import Outcome, Summary, Timing, summary_document, write_summary
from supervisor.evidence.timing import Percentiles
from supervisor.runtime.options import RunOptions
from supervisor.runtime.parts import ControlPart
from supervisor.runtime.preparation import Prepared
from supervisor.runtime.witness import Witness
from trees.context import MissionContext, MissionResult
from trees.render import render

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MissionPart:
    """What is left of the mission.

    Attributes:
        result: How the tree ended.
        stages: What the stages came to.
        diagnosis: What the evidence means, where something failed.
        policy_us, tree_us: How long the policy's steps and the tree's ticks took.
        failure: What broke the tree itself, "" when nothing did.
        has_moved: Whether the robot ever followed a proposal.
        drawing: The mission's tree, as SVG; "" when it could not be drawn.
    """

    result: MissionResult = MissionResult.RUNNING
    stages: tuple[StageReport, ...] = ()
    diagnosis: tuple[Diagnosis, ...] = ()
    policy_us: Percentiles = field(default_factory=Percentiles)
    tree_us: Percentiles = field(default_factory=Percentiles)
    failure: str = ""
    has_moved: bool = False
    drawing: str = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """Everything that is known when the loops have ended.

    Attributes:
        options: What was asked for.
        prepared: What was read.
        folder: The run's folder.
        control: What is left of the control loop.
        mission: What is left of the mission.
        last: The last snapshot, None when not even one cycle ran.
        was_interrupted: Whether a person interrupted the run.
        failure: What broke the program, "" when nothing did.
        refusal: Why nothing could begin, "" when it could.
    """

    options: RunOptions
    prepared: Prepared
    folder: RunFolder
    control: ControlPart
    mission: MissionPart
    last: Snapshot | None
    was_interrupted: bool
    failure: str
    refusal: str = ""


def mission_part(
    context: MissionContext,
    judge: StageJudge,
    witness: Witness,
    prepared: Prepared,
    last: Snapshot | None,
    fault_name: Callable[[int, int], str],
    drawing: py_trees.behaviour.Behaviour,
    *,
    policy_us: Percentiles,
    tree_us: Percentiles,
    failure: str,
    has_moved: bool,
) -> MissionPart:
    """What is left of a mission that is over.

    Args:
        context: The mission's knowledge; a stage that is open still is closed.
        judge: What measured the stages.
        witness: What happened meanwhile.
        prepared: What was read.
        last: The last snapshot, None when not even one cycle ran.
        fault_name: The make's name of a motor's fault code.
        drawing: The mission's tree.
        policy_us: How long the policy's steps took.
        tree_us: How long the tree's ticks took.
        failure: What broke the tree itself.
        has_moved: Whether the robot ever followed a proposal.
    """
    context.close_stage("interrupted")
    return MissionPart(
        context.result,
        tuple(context.reports),
        _find_causes(context, judge, witness, prepared, last, fault_name),
        policy_us,
        tree_us,
        failure,
        has_moved,
        _draw(drawing),
    )


def outcome_of(closing: Closing) -> Outcome:
    """How a run ended. What broke outranks what was asked, and what was asked outranks what was measured."""
    if closing.failure or closing.mission.failure:
        return "error"
    stop = _real_stop(closing.last)
    if closing.was_interrupted or (stop is not None and stop.guard == "operator"):
        return "operator_stop"
    if stop is not None:
        return "guard_stop" if closing.mission.has_moved else "refused"
    outcomes: dict[MissionResult, Outcome] = {
        MissionResult.COMPLETED: "completed",
        MissionResult.REFUSED: "refused",
        MissionResult.NOT_ACCEPTED: "not_accepted",
    }
    return outcomes.get(closing.mission.result, "error")


def close_run(closing: Closing, log: EventLog, now_s: float) -> dict[str, Any]:
    """Write everything that is left of a run.

    Returns:
        The content of summary.json.
    """
    outcome = outcome_of(closing)
    last, control, mission, prepared = closing.last, closing.control, closing.mission, closing.prepared
    failure = closing.failure or mission.failure
    # Where a run went as it should, or a person ended it, there is nothing to explain.
    diagnosis = () if outcome in ("completed", "operator_stop") else mission.diagnosis
    stop = _real_stop(last)
    summary = Summary(
        outcome=outcome,
        robot=prepared.robot.config.name,
        policy=prepared.policy.contract.name,
        mission=prepared.mission.name,
        mode=closing.options.mode,
        seed=closing.options.seed,
        hashes=closing.folder.hashes,
        timing=Timing(
            prepared.robot.config.control_hz,
            control.cycle_us,
            control.overruns,
            mission.policy_us,
            mission.tree_us,
        ),
        stages=mission.stages,
        stop=stop,
        cause_to_command_s=float("nan") if stop is None else stop.time_s - stop.since_s,
        diagnosis=diagnosis,
        gate=last.gate if last is not None else GateCounts(),
        buses=last.buses if last is not None else {},
    )
    document = summary_document(summary)
    for found in diagnosis:
        log.append(EventKind.NOTE, now_s, f"diagnosis: {found.symptom}: {found.cause}; {found.remedy}")
    if failure:
        log.append(EventKind.NOTE, now_s, f"failure: {failure}")
    if closing.refusal:
        log.append(EventKind.NOTE, now_s, " ".join(closing.refusal.split()))
    if control.wake_us.max:
        late = control.wake_us
        log.append(
            EventKind.NOTE,
            now_s,
            f"cycles began {late.p50:g} us late in the middle, {late.p99:g} at p99, {late.p999:g} at p99.9, at most "
            f"{late.max:g}; {control.missed} of {control.cycles + control.missed} periods were missed",
            {"wake_us": asdict(late), "missed": control.missed, "cycles": control.cycles},
        )
    log.append(EventKind.END, now_s, outcome, {"exit_code": document["exit_code"]})
    log.close()
    write_summary(closing.folder.summary, document)
    _write_for_people(closing)
    return document


def _find_causes(
    context: MissionContext,
    judge: StageJudge,
    witness: Witness,
    prepared: Prepared,
    last: Snapshot | None,
    fault_name: Callable[[int, int], str],
) -> tuple[Diagnosis, ...]:
    """What the evidence of a run means, if it did not go as it should."""
    snapshot = witness.snapshot
    evidence = Evidence(
        robot=prepared.robot.config,
        stop=_real_stop(last),
        snapshot=snapshot,
        stages=tuple(context.reports),
        explanation=judge.explanation(),
        signature=prepared.signature,
        passive_pose_rad=witness.passive_pose_rad,
        passive_gravity=witness.passive_gravity,
        reply_ratios=witness.reply_ratios,
        policy=witness.policy,
        observation_names=prepared.policy.observation_names,
        fault_names={} if snapshot is None else _fault_names(snapshot, fault_name),
        oscillating_joint=judge.oscillating_joint(),
        refusals=witness.refusals,
    )
    return diagnose(evidence)


def _fault_names(snapshot: Snapshot, fault_name: Callable[[int, int], str]) -> dict[str, str]:
    """The make's name of each motor's fault, by joint."""
    state = snapshot.state
    return {
        name: fault_name(joint, int(state.fault_code[joint]))
        for joint, name in enumerate(state.order)
        if state.motor_status[joint] == MotorStatus.FAULT
    }


def _draw(drawing: py_trees.behaviour.Behaviour) -> str:
    """The mission's tree; a run is complete without it."""
    try:
        return render(drawing, "svg")
    except HandrailError:
        _LOG.exception("the mission could not be drawn")
        return ""


def _write_for_people(closing: Closing) -> None:
    """The drawing and the report; a run is complete without them."""
    try:
        if closing.mission.drawing:
            closing.folder.drawing.write_text(closing.mission.drawing, encoding="utf-8")
        closing.folder.report.write_text(report_text(closing.folder.path), encoding="utf-8")
    except (OSError, HandrailError):
        _LOG.exception("the report could not be written")


def _real_stop(last: Snapshot | None) -> Stop | None:
    """The latched stop, unless it is the planned end of the mission."""
    return last.stop if last is not None and last.stop is not None and not last.stop.planned else None
