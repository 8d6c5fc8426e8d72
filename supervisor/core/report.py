"""What a stage measured, why it passed or not, and what a failure means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from supervisor.core.exchange import Knobs

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
