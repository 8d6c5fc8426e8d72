"""Values of a mission: its result, the head of a stage, a leaf's fault, and a missed criterion in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from supervisor.core.exchange import Knobs
from supervisor.core.report import Criterion, CriterionResult


class MissionResult(Enum):
    """How a mission stands. Everything but RUNNING is final."""

    RUNNING = "running"
    COMPLETED = "completed"
    """Every stage passed and the robot is at rest."""
    REFUSED = "refused"
    """A check failed before the robot was ever armed; the drill apart, nothing was energised."""
    NOT_ACCEPTED = "not_accepted"
    """A stage was not accepted; the robot was settled."""
    INTERRUPTED = "interrupted"
    """A guard or an operator stopped it; the snapshot's stop says which."""


@dataclass(frozen=True, slots=True)
class LeafFault:
    """A leaf that misbehaved: its tick became FAILURE.

    Attributes:
        leaf: Name of the leaf.
        kind: `exception`, `bad_result` or `deadline`.
        text: What happened.
        time_s: When.
    """

    leaf: str
    kind: str
    text: str
    time_s: float


@dataclass(frozen=True, slots=True)
class StageHead:
    """What is fixed about a stage before it runs.

    Attributes:
        name: As the mission calls it.
        kind: Which builder made it.
        knobs: In force while it runs.
        limit_s: Its time limit, waiting for the operator not counted.
        needs_motion: True when the robot must be armed and running.
        guard_limits: Tightened limits by guard id.
        criteria: What it is judged by.
        remarks: What its report says from the start, such as criteria that this robot cannot be judged by.
    """

    name: str
    kind: str
    knobs: Knobs
    limit_s: float
    needs_motion: bool
    guard_limits: Mapping[str, float]
    criteria: tuple[Criterion, ...]
    remarks: tuple[str, ...] = ()


def missed(result: CriterionResult) -> str:
    """A criterion that was not met, measured against allowed."""
    if math.isnan(result.value):
        return f"{result.metric} was not measured"
    return f"{result.metric} {result.value:.4g} {'>' if result.op == '<=' else '<'} {result.limit:g}"
