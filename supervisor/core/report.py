"""What a stage measured, why it passed or not, and what a failure means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from supervisor.core.exchange import Knobs

METRIC_NAMES: tuple[str, ...] = (
    "duration_s",
    "tilt_max_rad",
    "tilt_mean_rad",
    "base_rate_max_rad_per_s",
    "joint_speed_max_rad_per_s",
    "torque_max_fraction",
    "torque_mean_fraction",
    "tracking_error_max_rad",
    "tracking_error_rms_rad",
    "temperature_max_degc",
    "drift_rad_per_s",
    "oscillation_rad",
    "oscillation_hz",
    "pose_error_max_rad",
    "move_error_max_rad",
    "move_crosstalk_max_rad",
    "reply_ratio_min",
    "imu_age_max_s",
    "motor_age_max_s",
    "observation_excess_max",
    "action_peak_max",
    "saturated_fraction_max",
    "policy_period_fraction_max",
    "policy_finite_fraction",
    "gate_clamped_fraction",
    "signature_distance",
    "signature_margin",
    "signature_coverage",
    "devices_ok_fraction",
    "drill_passed",
    "drill_off_after_s",
    "guards_ok_fraction",
    "guard_margin_fraction_min",
)
"""Every metric that does not depend on the policy's command names; what a mission file may ask for."""

StageOutcome = Literal["passed", "failed", "skipped", "interrupted"]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One acceptance criterion of a stage, as the mission file states it.

    Attributes:
        metric: Name of a measured quantity, unit included (`drift_rad_per_s`).
        op: How the value is compared with the limit.
        limit: The limit.
        reason: Why this number.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "allow_inf_nan": False}

    metric: str
    op: Literal["<=", ">="]
    limit: float
    reason: str = ""

    def accepts(self, value: float) -> bool:
        """Whether a measured value passes; NaN never does."""
        return value <= self.limit if self.op == "<=" else value >= self.limit


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion, judged. `value` is NaN where nothing was measured; that never passes."""

    metric: str
    op: Literal["<=", ">="]
    limit: float
    value: float
    passed: bool


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage as it went; one entry of `stages` in summary.json."""

    name: str
    kind: str
    outcome: StageOutcome
    started_s: float
    ended_s: float
    knobs: Knobs
    metrics: Mapping[str, float]
    criteria: tuple[CriterionResult, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """From evidence to cause and remedy; one entry of `diagnosis` in summary.json, the likeliest first.

    Attributes:
        symptom: What was seen ("joint reads outside its limits").
        cause: What it means ("direction of fl_calf flipped").
        remedy: What to do, in words a person can act on.
        joints: Joints concerned, the likeliest first.
        evidence: The numbers.
    """

    symptom: str
    cause: str
    remedy: str
    joints: tuple[str, ...] = ()
    evidence: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
