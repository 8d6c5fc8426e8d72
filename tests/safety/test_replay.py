"""A replayed row says what the board said."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.guard import Persistence
from supervisor.core.levels import GuardValue
from supervisor.safety import board as board_module
from supervisor.safety.board import GuardBoardEvaluator
from supervisor.safety.guards import GUARDS, GuardKind
from supervisor.safety.replay import replay_row
from tests.safety.bench import make_inputs, with_rows

OK, VIOLATED, STALE, UNREAD = GuardValue.OK, GuardValue.VIOLATED, GuardValue.STALE, GuardValue.NOT_EVALUATED
NAN = float("nan")


def replay(measured: list[float], values: list[int] | None = None, persistence: tuple[int, int] = (2, 3)) -> Any:
    """Replay with limit 1 and hysteresis 0.2."""
    count = len(measured)
    return replay_row(
        np.array(measured),
        np.zeros(count, np.uint8) if values is None else np.array(values, np.uint8),
        np.ones(count),
        np.full(count, 0.2),
        Persistence(*persistence),
    )


@given(
    answers=st.lists(st.sampled_from([0.0, 0.7, 0.8, 0.81, 0.95, 1.0, 1.01, 3.0, NAN]), min_size=1, max_size=80),
    cycles=st.integers(1, 4),
    slack=st.integers(0, 3),
)
def test_a_replay_says_in_every_cycle_what_the_board_said(answers: list[float], cycles: int, slack: int) -> None:
    iterator = iter(answers)
    kind = GuardKind(lambda _: (next(iterator), 1.0, -1), "rad", "rad", "SAF-000", "")
    changes = {"limit": 1.0, "hysteresis": 0.2, "persistence": Persistence(cycles, cycles + slack)}
    known = dict(board_module.GUARDS)
    board_module.GUARDS = {**GUARDS, "tilt": kind}
    try:
        evaluator = GuardBoardEvaluator(with_rows(tilt=changes))
        readings = []
        for _ in answers:
            evaluator.evaluate(make_inputs())
            readings.append(evaluator.reading("tilt"))
    finally:
        board_module.GUARDS = known
    found = replay(
        [reading.measured for reading in readings],
        [reading.value for reading in readings],
        (cycles, cycles + slack),
    )
    assert found.values.tolist() == [reading.value for reading in readings]
    assert found.tripped.tolist() == [reading.tripped for reading in readings]


def test_what_was_no_number_fails_under_any_limit() -> None:
    found = replay([NAN, NAN, 0.0], [STALE, STALE, OK])
    assert found.values.tolist() == [STALE, STALE, OK]
    assert found.tripped.tolist() == [False, True, True]


def test_a_cycle_without_an_evaluation_counts_as_nothing() -> None:
    found = replay([2.0, NAN, 0.9, 2.0], [VIOLATED, UNREAD, OK, VIOLATED], (2, 2))
    assert found.values.tolist() == [VIOLATED, UNREAD, OK, VIOLATED]
    assert found.tripped.tolist() == [False, False, False, False]


def test_hysteresis_holds_a_violation_as_on_the_board() -> None:
    assert replay([1.1, 0.9, 0.8, 0.9]).values.tolist() == [VIOLATED, VIOLATED, OK, OK]


def test_a_trip_ends_when_nothing_is_remembered_and_may_come_again() -> None:
    found = replay([2.0, 2.0, *[0.0] * 20, 2.0, 2.0])
    assert found.tripped.tolist() == [False, True, *[True] * 7, *[False] * 13, False, True]


def test_a_limit_of_each_cycle_is_its_own() -> None:
    found = replay_row(
        np.array([0.5, 0.5, 0.5]), np.zeros(3, np.uint8), np.array([1.0, 0.4, 1.0]), np.zeros(3), Persistence(1, 1)
    )
    assert found.values.tolist() == [OK, VIOLATED, OK]


def test_a_replay_answers_in_the_types_of_the_record() -> None:
    found = replay([0.0, 2.0, NAN], [OK, OK, STALE])
    assert (found.values.dtype, found.tripped.dtype) == (np.uint8, np.bool_)
