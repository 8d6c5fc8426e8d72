"""How a run is told: its outcome, and when causes are looked for at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.core.levels import Level
from supervisor.runtime.closing import MissionPart, outcome_of
from tests.trees.stand_ins import make_snapshot, make_stop
from trees.values import MissionResult

GUARD = make_stop()
PLANNED = make_stop(Level.SETTLE, planned=True, guard="mission")
PRESSED = make_stop(Level.SETTLE, guard="operator")


def closing(result: MissionResult = MissionResult.COMPLETED, stop: object = None, **changes: object) -> Any:
    """What decides the outcome."""
    facts = {"failure": "", "was_interrupted": False, "last": make_snapshot(stop=stop)}
    has_moved = bool(changes.pop("has_moved", True))
    mission = MissionPart(result=result, has_moved=has_moved, failure=str(changes.pop("tree_failure", "")))
    return SimpleNamespace(**(facts | {"mission": mission} | changes))


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        (closing(stop=PLANNED), "completed"),
        (closing(MissionResult.REFUSED, has_moved=False), "refused"),
        (closing(MissionResult.NOT_ACCEPTED, PLANNED), "not_accepted"),
        (closing(MissionResult.INTERRUPTED, GUARD), "guard_stop"),
        (closing(MissionResult.INTERRUPTED, GUARD, has_moved=False), "refused"),
        (closing(MissionResult.COMPLETED, GUARD), "guard_stop"),
        (closing(MissionResult.INTERRUPTED, PRESSED), "operator_stop"),
        (closing(MissionResult.RUNNING, was_interrupted=True, has_moved=False), "operator_stop"),
        (closing(MissionResult.INTERRUPTED, GUARD, was_interrupted=True), "operator_stop"),
        (closing(MissionResult.COMPLETED, failure="ValueError: broken"), "error"),
        (closing(MissionResult.INTERRUPTED, GUARD, was_interrupted=True, failure="broken"), "error"),
        (closing(MissionResult.COMPLETED, tree_failure="ValueError: broken"), "error"),
        (closing(MissionResult.INTERRUPTED, PLANNED), "error"),
        (closing(MissionResult.RUNNING), "error"),
        (closing(MissionResult.RUNNING, last=None), "error"),
        (closing(MissionResult.RUNNING, last=None, was_interrupted=True), "operator_stop"),
    ],
)
def test_what_broke_outranks_what_was_asked_and_that_what_was_measured(facts: Any, outcome: str) -> None:
    assert outcome_of(facts) == outcome
