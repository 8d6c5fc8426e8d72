"""The stop that a new process makes for itself, field by field."""

from __future__ import annotations

import math

import pytest

from supervisor.core.levels import ArmingState, Level
from supervisor.safety.restart import STATE_FILE, UNFINISHED, Found, Kept, begin


@pytest.mark.parametrize(
    ("found", "cause"),
    [(Found(None, "torn", 7.0), STATE_FILE), (Found(Kept(ArmingState.RUNNING), now_s=7.0), UNFINISHED)],
)
def test_a_stop_of_the_new_process_measures_nothing_and_begins_now(found: Found, cause: str) -> None:
    stop = begin(found).stop
    assert stop is not None
    assert (stop.level, stop.first_level, stop.guard) == (Level.CUT, Level.CUT, cause)
    assert (stop.time_s, stop.since_s, stop.unit, stop.stage) == (7.0, 7.0, "", "")
    assert (stop.joints, stop.further, stop.planned, stop.inherited) == ((), (), False, True)
    assert math.isnan(stop.measured)
    assert math.isnan(stop.limit)


def test_notes_are_those_that_were_found_and_begin_with_the_problem_if_there_is_one() -> None:
    kept = Kept(ArmingState.RUNNING)
    assert begin(Found(kept, notes=("note",))).notes == ("note",)
    assert begin(Found(kept, "torn", notes=("note",))).notes == ("torn", "note")
    first = begin(Found(None, notes=("note",)))
    assert (first.arming, first.stop, first.trips, first.notes) == (ArmingState.DISARMED, None, {}, ("note",))
