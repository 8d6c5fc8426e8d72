"""What a diagnosis is made from, and how a finding is worded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from supervisor.core.exchange import PolicyHealth, Snapshot, Stop
from supervisor.core.joints import Vector
from supervisor.core.levels import GuardValue
from supervisor.core.report import CriterionResult, Diagnosis, StageReport
from supervisor.core.robot import RobotConfig
from supervisor.core.state import RobotState
from supervisor.diagnosis.signature import Explanation, Signature

STALE_S = 0.03
"""A motor silent for 15 cycles at 500 Hz has lost more than single frames."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known when a run ends badly. What is not known is left at its default.

    Attributes:
        robot: The robot.
        stop: The latched stop, if one.
        snapshot: The control loop as it was when the stop latched, else the newest.
        stages: The stages so far.
        explanation: How the single-fault hypotheses explain the answers to single-joint moves, best first.
        signature: The robot's signature.
        passive_pose_rad: (n,) joint positions with the motors off, before anything moved.
        passive_gravity: (3,) gravity in the base frame at that time.
        reply_ratios: Smallest share of due replies that came, by bus, over windows of a second.
        policy: Health of the policy at the end.
        observation_names: Name of each observation value.
        fault_names: The make's name of each reported motor fault, by joint.
        oscillating_joint: The joint that swung most in the last stage.
        refusals: Why arming was refused.
    """

    robot: RobotConfig
    stop: Stop | None = None
    snapshot: Snapshot | None = None
    stages: tuple[StageReport, ...] = ()
    explanation: tuple[Explanation, ...] = ()
    signature: Signature | None = None
    passive_pose_rad: Vector | None = None
    passive_gravity: Vector | None = None
    reply_ratios: Mapping[str, float] = field(default_factory=dict[str, float])
    policy: PolicyHealth = field(default_factory=PolicyHealth)
    observation_names: tuple[str, ...] = ()
    fault_names: Mapping[str, str] = field(default_factory=dict[str, str])
    oscillating_joint: str = ""
    refusals: tuple[str, ...] = ()

    @property
    def guard(self) -> str:
        """The guard that stopped the run, "" when none did."""
        return self.stop.guard if self.stop and not self.stop.planned else ""

    @property
    def stage(self) -> str:
        """Kind of the stage that was active at the end, "" before the first."""
        name = self.stop.stage if self.stop else ""
        kinds = [report.kind for report in self.stages if report.name == name]
        if kinds:
            return kinds[-1]
        return name or (self.stages[-1].kind if self.stages else "")

    @property
    def state(self) -> RobotState | None:
        """The measurements in the snapshot."""
        return self.snapshot.state if self.snapshot else None

    def failed(self, metric: str) -> CriterionResult | None:
        """The newest criterion on a metric that was not met in a stage that failed."""
        for report in reversed(self.stages):
            if report.outcome == "failed":
                for result in report.criteria:
                    if result.metric == metric and not result.passed:
                        return result
        return None

    def violated(self) -> tuple[str, ...]:
        """Guards beyond their limit in the snapshot, in the order of the board; the one that stopped the run first.

        Not those that could not be evaluated: a silent motor makes all of them so, and says nothing of temperature.
        """
        readings = self.snapshot.board.readings if self.snapshot else ()
        others = [reading.id for reading in readings if reading.value is GuardValue.VIOLATED]
        return tuple(dict.fromkeys([self.guard, *others] if self.guard else others))

    def joints_on(self, bus: str) -> tuple[str, ...]:
        """Joints wired to a bus."""
        return tuple(name for name, joint in self.robot.joints.items() if joint.motor.bus == bus)

    def stale_joints(self) -> tuple[str, ...]:
        """Joints whose motors have not been heard for `STALE_S`, the longest first."""
        state = self.state
        if state is None:
            return ()
        age = state.now_s - state.motor_stamp_s
        return tuple(self.robot.order.names[i] for i in np.argsort(-age, kind="stable") if age[i] > STALE_S)


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis with how likely it is; only the order of `weight` means anything.

    Attributes:
        weight: 90 and above: seen directly. 60 to 90: inferred with a lead. Below: possible.
        diagnosis: What is reported.
    """

    weight: float
    diagnosis: Diagnosis


def finding(
    weight: float,
    symptom: str,
    cause: str,
    remedy: str,
    joints: tuple[str, ...] = (),
    /,
    **evidence: float | str,
) -> Finding:
    """A finding; numbers in the evidence are rounded for people, and what is no number is said in words."""
    return Finding(weight, Diagnosis(symptom, cause, remedy, joints, {k: _legible(v) for k, v in evidence.items()}))


def _legible(value: float | str) -> float | str:
    if isinstance(value, str):
        return value
    return round(float(value), 4) if math.isfinite(value) else str(value)


def weight_of(evidence: Evidence, guards: tuple[str, ...], first: float, later: float) -> float:
    """`first` when one of the guards stopped the run, `later` when one is beyond its limit now, else 0."""
    if evidence.guard in guards:
        return first
    return later if set(guards) & set(evidence.violated()) else 0.0


def stop_numbers(evidence: Evidence) -> dict[str, float | str]:
    """The stop in numbers, for the evidence of a finding."""
    stop = evidence.stop
    if stop is None:
        return {}
    return {"guard": stop.guard, "measured": float(stop.measured), "limit": float(stop.limit), "unit": stop.unit}
