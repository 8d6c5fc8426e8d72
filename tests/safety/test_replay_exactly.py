"""Where one walk of a replay ends and the next begins, to the cycle."""

from __future__ import annotations

import pytest

from supervisor.core.levels import GuardValue
from tests.safety.test_replay import NAN, OK, STALE, UNREAD, VIOLATED, replay

ERROR = GuardValue.ERROR


def test_a_violation_right_after_a_recovery_is_seen() -> None:
    found = replay([2.0, 0.0, 2.0, 0.0, 0.0, 2.0], persistence=(1, 1))
    assert found.values.tolist() == [VIOLATED, OK, VIOLATED, OK, OK, VIOLATED]
    assert found.tripped.tolist()[0] is True


@pytest.mark.parametrize("first", [2.0, 0.0])
def test_what_fails_in_the_last_cycle_is_counted_once(first: float) -> None:
    found = replay([first, 2.0, 2.0], persistence=(4, 4))
    assert found.tripped.tolist() == [False] * 3
    found = replay([first, 2.0, 2.0], persistence=(3, 3))
    assert found.tripped.tolist() == [False, False, first == 2.0]


def test_a_cycle_that_was_not_evaluated_ends_the_hold_of_a_violation() -> None:
    found = replay([2.0, NAN, 0.9, 0.9], [VIOLATED, UNREAD, VIOLATED, VIOLATED])
    assert found.values.tolist() == [VIOLATED, UNREAD, OK, OK]


@pytest.mark.parametrize("value", [STALE, ERROR])
def test_what_was_no_number_ends_the_hold_of_a_violation_and_fails(value: int) -> None:
    found = replay([2.0, NAN, 0.9], [VIOLATED, value, VIOLATED], persistence=(2, 3))
    assert found.values.tolist() == [VIOLATED, value, OK]
    assert found.tripped.tolist() == [False, True, True]


@pytest.mark.parametrize("value", [STALE, ERROR])
def test_a_walk_begins_at_what_was_no_number(value: int) -> None:
    found = replay([0.0, NAN, 0.0], [OK, value, OK], persistence=(1, 1))
    assert found.values.tolist() == [OK, value, OK]
    assert found.tripped.tolist()[:2] == [False, True]


@pytest.mark.parametrize(("at", "value"), [(1.0, OK), (1.0000001, VIOLATED)])
def test_a_reading_at_its_limit_is_well(at: float, value: int) -> None:
    assert replay([at]).values.tolist() == [value]
