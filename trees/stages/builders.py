"""One builder per kind of stage. Each reads as its drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from py_trees.behaviour import Behaviour
from py_trees.composites import Sequence

from trees.actions.dwell import Dwell
from trees.actions.operator import Arm, ChangeSupport, Confirm, Start
from trees.actions.policy import RunPolicy, WatchPolicy, WatchSensors
from trees.actions.poses import HoldPose, MoveToPose, SingleJointMoves
from trees.actions.preflight import RunDrill, TakeInventory
from trees.actions.steering import SteerPolicy
from trees.context import MissionContext
from trees.missions.metrics import unmeasurable
from trees.missions.schema import MOTION_KINDS, StageSpec
from trees.motion import Motion
from trees.stages.parts import EnterStage, JudgeStage
from trees.values import StageHead


@dataclass(frozen=True, slots=True)
class Parts:
    """What all stages of a mission share.

    Attributes:
        context: The mission's context.
        motion: What carries the robot.
        is_wired: False when the tree is built for a drawing only.
    """

    context: MissionContext
    motion: Motion
    is_wired: bool


def preflight(spec: StageSpec, parts: Parts) -> list[Behaviour]:
    """Devices answer as the file says, the guards stay OK for a while, and the emergency stop takes the torque away."""
    context = parts.context
    return [TakeInventory(context), WatchSensors(_dwell(spec), context), RunDrill(context)]


def observe(spec: StageSpec, parts: Parts) -> list[Behaviour]:
    """The policy thinks on live data; nothing moves."""
    return [WatchPolicy(_dwell(spec), parts.context)]


def stand(spec: StageSpec, parts: Parts) -> list[Behaviour]:
    """From the measured pose to the default pose, and measure while it is held."""
    speed = spec.move_speed_rad_per_s or 0.0
    return [
        MoveToPose(speed, parts.context, parts.motion),
        HoldPose(_dwell(spec), parts.context, parts.motion),
    ]


def run_policy(spec: StageSpec, parts: Parts) -> list[Behaviour]:
    """The policy drives at the stage's action gain."""
    return [RunPolicy(spec.knobs.action_gain, _dwell(spec), spec.schedule, parts.context, parts.motion)]


def rollout(spec: StageSpec, parts: Parts) -> list[Behaviour]:
    """The policy drives along a schedule, or where a person steers."""
    if spec.steering is None:
        return run_policy(spec, parts)
    gain = spec.knobs.action_gain
    return [SteerPolicy(gain, spec.duration, spec.steering, parts.context, parts.motion)]


def single_joint(spec: StageSpec, parts: Parts) -> list[Behaviour]:
    """One joint at a time, on one support and then on the other."""
    speed = spec.move_speed_rad_per_s or 0.0
    leaves: list[Behaviour] = [
        MoveToPose(speed, parts.context, parts.motion),
        SingleJointMoves(spec.support, parts.context, parts.motion),
    ]
    if spec.then_support is not None:
        leaves += [
            ChangeSupport(spec.then_support, parts.context, parts.motion),
            SingleJointMoves(spec.then_support, parts.context, parts.motion),
        ]
    return leaves


BUILDERS: Mapping[str, Callable[[StageSpec, Parts], list[Behaviour]]] = MappingProxyType(
    {
        "preflight": preflight,
        "observe": observe,
        "stand": stand,
        "zero_action": run_policy,
        "single_joint": single_joint,
        "small_amplitude": run_policy,
        "ramp": run_policy,
        "rollout": rollout,
    }
)


def build_stage(spec: StageSpec, parts: Parts, name: str) -> Behaviour:
    """One run of a stage: enter, bring the robot where it must be, run, judge.

    Args:
        spec: The stage.
        parts: What all stages share.
        name: What this run is called; a stage may stand in the tree several times.
    """
    context, motion = parts.context, parts.motion
    head = stage_head(spec, parts)
    spec = replace(spec, accept=head.criteria)
    leaves: list[Behaviour] = [EnterStage(head, context), ChangeSupport(spec.support, context, motion)]
    if head.needs_motion:
        leaves += [Arm(context, motion), Start(context, motion)]
    if spec.confirm:
        leaves.append(Confirm(spec.name, context, motion))
    leaves += BUILDERS[spec.kind](spec, parts)
    leaves.append(JudgeStage(head, context))
    return Sequence(name, memory=True, children=leaves)


def stage_head(spec: StageSpec, parts: Parts) -> StageHead:
    """What is fixed about a stage, as the context and the record take it.

    Tracking that cannot be measured here (no estimator, no such command) is not judged, and the report says so.
    """
    criteria, remarks = spec.accept, ()
    if parts.is_wired:
        context = parts.context
        names, has_estimator = context.policy.command_names, context.robot.estimator != "none"
        reasons = [unmeasurable(c.metric, names, has_estimator=has_estimator) for c in spec.accept]
        criteria = tuple(c for c, reason in zip(spec.accept, reasons, strict=True) if not reason)
        remarks = tuple(reason for reason in reasons if reason)
    return StageHead(
        name=spec.name,
        kind=spec.kind,
        knobs=spec.knobs.knobs,
        limit_s=spec.timeout_s,
        needs_motion=spec.kind in MOTION_KINDS,
        guard_limits=spec.guards,
        criteria=criteria,
        remarks=remarks,
    )


def _dwell(spec: StageSpec) -> Dwell:
    return Dwell(spec.duration, spec.accept)
