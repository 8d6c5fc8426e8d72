"""The end of a run: its outcome, its diagnosis, its summary and its report."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import py_trees

from supervisor.core.errors import HandrailError
from supervisor.core.exchange import GateCounts, Snapshot, Stop
from supervisor.core.report import Diagnosis
from supervisor.core.state import MotorStatus
from supervisor.diagnosis.causes import diagnose
from supervisor.diagnosis.evidence import Evidence
from supervisor.diagnosis.judge import StageJudge
from supervisor.evidence.events import EventKind, EventLog
from supervisor.evidence.report import report_text
from supervisor.evidence.run_folder import RunFolder
from supervisor.evidence.summary import Outcome, Summary, Timing, summary_document, write_summary
from supervisor.evidence.timing import DurationHistogram
from supervisor.runtime.control import ControlCore
from supervisor.runtime.options import RunOptions
from supervisor.runtime.preparation import Prepared
from supervisor.runtime.witness import Witness
from trees.context import MissionContext, MissionResult
from trees.render import render

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Closing:
    """Everything that is known when the loops have ended.

    Attributes:
        options: What was asked for.
        prepared: What was read.
        folder: The run's folder.
        control: The control loop.
        context: The mission's knowledge.
        judge: What measured the stages.
        last: The last snapshot, None when not even one cycle ran.
        witness: What happened meanwhile.
        fault_name: The make's name of a motor's fault code.
        policy_durations: Of the policy's steps.
        tick_durations: Of the mission's ticks.
        has_moved: Whether the robot ever followed a proposal.
        was_interrupted: Whether a person interrupted the run.
        failure: What broke the program, "" when nothing did.
        drawing: The mission's tree.
    """

    options: RunOptions
    prepared: Prepared
    folder: RunFolder
    control: ControlCore
    context: MissionContext
    judge: StageJudge
    last: Snapshot | None
    witness: Witness
    fault_name: Callable[[int, int], str]
    policy_durations: DurationHistogram
    tick_durations: DurationHistogram
    has_moved: bool
    was_interrupted: bool
    failure: str
    drawing: py_trees.behaviour.Behaviour


def outcome_of(closing: Closing) -> Outcome:
    """How a run ended. What broke outranks what was asked, and what was asked outranks what was measured."""
    if closing.failure:
        return "error"
    stop = _real_stop(closing.last)
    if closing.was_interrupted or (stop is not None and stop.guard == "operator"):
        return "operator_stop"
    if stop is not None:
        return "guard_stop" if closing.has_moved else "refused"
    outcomes: dict[MissionResult, Outcome] = {
        MissionResult.COMPLETED: "completed",
        MissionResult.REFUSED: "refused",
        MissionResult.NOT_ACCEPTED: "not_accepted",
    }
    return outcomes.get(closing.context.result, "error")


def close_run(closing: Closing, log: EventLog, now_s: float) -> dict[str, Any]:
    """Write everything that is left of a run.

    Returns:
        The content of summary.json.
    """
    closing.context.close_stage("interrupted")
    outcome = outcome_of(closing)
    diagnosis = find_causes(closing, outcome)
    last, control, prepared = closing.last, closing.control, closing.prepared
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
            control.durations.percentiles(),
            control.overruns,
            closing.policy_durations.percentiles(),
            closing.tick_durations.percentiles(),
        ),
        stages=tuple(closing.context.reports),
        stop=stop,
        cause_to_command_s=float("nan") if stop is None else stop.time_s - stop.since_s,
        diagnosis=diagnosis,
        gate=last.gate if last is not None else GateCounts(),
        buses=last.buses if last is not None else {},
    )
    document = summary_document(summary)
    for found in diagnosis:
        log.append(EventKind.NOTE, now_s, f"diagnosis: {found.symptom}: {found.cause}; {found.remedy}")
    if closing.failure:
        log.append(EventKind.NOTE, now_s, f"failure: {closing.failure}")
    log.append(EventKind.END, now_s, outcome, {"exit_code": document["exit_code"]})
    log.close()
    write_summary(closing.folder.summary, document)
    _write_for_people(closing)
    return document


def find_causes(closing: Closing, outcome: Outcome) -> tuple[Diagnosis, ...]:
    """What the evidence of a run that did not complete means."""
    if outcome in ("completed", "operator_stop"):
        return ()
    witness, prepared = closing.witness, closing.prepared
    snapshot = witness.snapshot
    evidence = Evidence(
        robot=prepared.robot.config,
        stop=_real_stop(closing.last),
        snapshot=snapshot,
        stages=tuple(closing.context.reports),
        explanation=closing.judge.explanation(),
        signature=prepared.signature,
        passive_pose_rad=witness.passive_pose_rad,
        passive_gravity=witness.passive_gravity,
        reply_ratios=witness.reply_ratios,
        policy=witness.policy,
        observation_names=prepared.policy.observation_names,
        fault_names={} if snapshot is None else _fault_names(snapshot, closing.fault_name),
        oscillating_joint=closing.judge.oscillating_joint(),
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


def _write_for_people(closing: Closing) -> None:
    """The drawing and the report; a run is complete without them."""
    try:
        closing.folder.drawing.write_text(render(closing.drawing, "svg"), encoding="utf-8")
        closing.folder.report.write_text(report_text(closing.folder.path), encoding="utf-8")
    except (OSError, HandrailError):
        _LOG.exception("the report could not be written")


def _real_stop(last: Snapshot | None) -> Stop | None:
    """The latched stop, unless it is the planned end of the mission."""
    return last.stop if last is not None and last.stop is not None and not last.stop.planned else None
