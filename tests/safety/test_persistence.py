from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.guard import Persistence
from supervisor.safety.persistence import TripBudget


def feed(budget: TripBudget, pattern: str) -> list[bool]:
    """x is a failed cycle, . a good one."""
    return [budget.update(mark == "x") for mark in pattern]


@pytest.mark.parametrize(
    ("needed", "of", "pattern", "trips_at"),
    [
        (1, 1, "x", 0),
        (3, 3, "xxx", 2),
        (3, 3, "xx........xxx", 12),
        (3, 3, "xx.xx", 4),
        (3, 5, "x.x.x", 4),
        (3, 5, "xx", None),
        (3, 5, "x...x...", None),
    ],
)
def test_n_of_m_trips_in_the_very_cycle(needed: int, of: int, pattern: str, trips_at: int | None) -> None:
    seen = feed(TripBudget(Persistence(needed, of)), pattern)
    assert (seen.index(True) if True in seen else None) == trips_at


@pytest.mark.parametrize("good", [1, 2, 3])
def test_a_fault_that_toggles_trips_although_the_window_never_sees_enough(good: int) -> None:
    seen = feed(TripBudget(Persistence(10, 10)), ("x" + "." * good) * 60)
    assert True in seen


def test_the_budget_drains_a_quarter_as_fast_as_it_fills() -> None:
    assert True not in feed(TripBudget(Persistence(10, 10)), "x...." * 1000)
    budget = TripBudget(Persistence(10, 10))
    feed(budget, "x" * 9)
    assert feed(budget, "." * 35 + "x") == [False] * 36
    assert not budget.is_empty
    feed(budget, "." * 40)
    assert budget.is_empty


def test_a_trip_ends_only_when_window_and_budget_are_clean() -> None:
    budget = TripBudget(Persistence(3, 5))
    feed(budget, "xxx")
    seen = feed(budget, "." * 12)
    assert seen == [True] * 11 + [False]


@given(st.lists(st.booleans(), max_size=200), st.integers(1, 8), st.integers(0, 8))
def test_the_window_counts_as_a_list_would(history: list[bool], needed: int, slack: int) -> None:
    budget, of = TripBudget(Persistence(needed, needed + slack)), needed + slack
    for i, failed in enumerate(history):
        tripped = budget.update(failed)
        if sum(history[max(0, i + 1 - of) : i + 1]) >= needed:
            assert tripped
        if not any(history[: i + 1]):
            assert not tripped
