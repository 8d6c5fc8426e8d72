"""Every reading on the board, field by field."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.guard import GuardReading, Persistence
from supervisor.core.levels import GuardValue, Level
from supervisor.core.safety import SafetyConfig
from supervisor.safety import board as board_module
from supervisor.safety.board import GuardBoardEvaluator, board_problems, is_blocking
from supervisor.safety.guards import GUARDS, REQUIRED, GuardKind, Source
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import SAFETY, START_S, make_inputs, make_output, make_row, make_state

BASE = (make_row("emergency_stop", 0.5, "flag"), make_row("motor_age", 0.25, "s"), make_row("imu_age", 0.5, "s"))
NAN = math.nan


def as_tuple(reading: GuardReading) -> tuple[object, ...]:
    """All fields, NaN as a word: it equals nothing."""
    values = (getattr(reading, field.name) for field in fields(reading))
    return tuple("nan" if value != value else value for value in values)


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., GuardBoardEvaluator]:
    """An evaluator with one more guard, `probe`, that answers what `answers` says next."""

    def make(answers: list[object], source: Source = Source.OWN, **changes: object) -> GuardBoardEvaluator:
        iterator = iter(answers)
        kind = GuardKind(lambda _: next(iterator), "rad", "turns", "SAF-000", "", source)
        monkeypatch.setattr(board_module, "GUARDS", {**GUARDS, "probe": kind})
        return GuardBoardEvaluator(replace(SAFETY, guards=(*BASE, make_row("probe", 1.0, "rad", **changes))))

    return make


def inputs_at(now_s: float) -> GuardInputs:
    inputs = make_inputs(now_s)
    inputs.state = make_state(now_s)
    return inputs


def last(evaluator: GuardBoardEvaluator, count: int = 1) -> tuple[object, ...]:
    for cycle in range(count):
        evaluator.evaluate(inputs_at(START_S + cycle))
    return as_tuple(evaluator.reading("probe"))


UNREAD = ("probe", GuardValue.NOT_EVALUATED, "nan", 1.0, "turns", -1, False, Level.DAMP, "nan")


def test_before_the_first_evaluation_every_field_says_so(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator = probe([])
    assert as_tuple(evaluator.board.by_id()["probe"]) == UNREAD
    assert (evaluator.board.level, evaluator.blocking) == (Level.NONE, 4)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((0.5, 1.0, 3), (GuardValue.OK, 0.5, 1.0, "turns", 3, False, "nan")),
        ((1.0, 1.0, -1), (GuardValue.OK, 1.0, 1.0, "turns", -1, False, "nan")),
        ((5.0, 10.0, 0), (GuardValue.OK, 5.0, 10.0, "turns", 0, False, "nan")),
        ((-1e299, 1.0, -1), (GuardValue.OK, -1e299, 1.0, "turns", -1, False, "nan")),
        ((2.0, 1.0, 4), (GuardValue.VIOLATED, 2.0, 1.0, "turns", 4, True, START_S)),
        ((-1e300, 1.0, 4), (GuardValue.ERROR, "nan", 1.0, "turns", 4, True, START_S)),
        ((0.5, -1e300, 4), (GuardValue.ERROR, "nan", -1e300, "turns", 4, True, START_S)),
        ((0.5, NAN, 4), (GuardValue.ERROR, "nan", "nan", "turns", 4, True, START_S)),
        ((NAN, 1.0, 4), (GuardValue.ERROR, "nan", 1.0, "turns", 4, True, START_S)),
        ((0.5, 1.0, True), (GuardValue.ERROR, "nan", 1.0, "turns", -1, True, START_S)),
        ((1, 1.0, 2), (GuardValue.ERROR, "nan", 1.0, "turns", 2, True, START_S)),
        (None, (GuardValue.ERROR, "nan", 1.0, "turns", -1, True, START_S)),
        ((0.5, 1.0), (GuardValue.ERROR, "nan", 1.0, "turns", -1, True, START_S)),
    ],
)
def test_an_answer_becomes_a_reading(
    probe: Callable[..., GuardBoardEvaluator], answer: object, expected: tuple[object, ...]
) -> None:
    value, measured, limit, unit, joint, tripped, since = expected
    assert last(probe([answer])) == ("probe", value, measured, limit, unit, joint, tripped, Level.DAMP, since)


def test_a_guard_that_stays_healthy_is_read_in_full_in_every_cycle(probe: Callable[..., GuardBoardEvaluator]) -> None:
    answers = [(0.5, 1.0, 3), (0.5, 1.0, 3), (0.25, 1.0, 3), (0.25, 2.0, 3), (0.25, 2.0, 4), (0.25, 2.0, 4)]
    evaluator = probe(answers)
    for number, (measured, limit, joint) in enumerate(answers, start=1):
        assert last(evaluator) == ("probe", GuardValue.OK, measured, limit, "turns", joint, False, Level.DAMP, "nan"), (
            number
        )


def test_a_board_on_which_nothing_has_changed_is_the_same_board(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator, inputs = probe([(0.5, 1.0, 3)] * 8), inputs_at(START_S)
    boards = [evaluator.evaluate(inputs) for _ in range(4)]
    assert boards[2] is boards[3] is evaluator.board


@pytest.mark.parametrize("edge", [(1.0, 1.0, -1), (-1e299, 1.0, -1)])
def test_a_healthy_guard_at_the_very_edge_stays_healthy(
    probe: Callable[..., GuardBoardEvaluator], edge: object
) -> None:
    assert last(probe([(0.5, 1.0, -1), (0.5, 1.0, -1), edge]), 3)[1] is GuardValue.OK


@pytest.mark.parametrize(
    "answer",
    [(math.nextafter(1.0, 2.0), 1.0, -1), (-1e300, 1.0, -1), (-math.inf, 1.0, -1), (1, 1.0, -1), (0.5, 1.0, None)],
)
def test_a_healthy_guard_beyond_it_does_not(probe: Callable[..., GuardBoardEvaluator], answer: object) -> None:
    found = last(probe([(0.5, 1.0, -1), (0.5, 1.0, -1), answer]), 3)
    assert found[1] is not GuardValue.OK
    assert (found[6], found[8]) == (True, START_S + 2)


def test_a_broken_guard_names_no_joint_and_has_its_own_limit(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator = probe([])
    expected = ("probe", GuardValue.ERROR, "nan", 1.0, "turns", -1, True, Level.DAMP, START_S)
    assert last(evaluator) == expected


def test_an_old_source_is_stale_field_by_field(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator, inputs = probe([(0.5, 2.0, 3)] * 4, Source.MOTORS), inputs_at(START_S)
    evaluator.evaluate(inputs)
    inputs.now_s += 0.375
    evaluator.evaluate(inputs)
    expected = ("probe", GuardValue.STALE, "nan", 2.0, "turns", 3, True, Level.DAMP, START_S + 0.375)
    assert as_tuple(evaluator.reading("probe")) == expected


def test_a_failure_keeps_the_time_when_it_began_whatever_it_turns_into(
    probe: Callable[..., GuardBoardEvaluator],
) -> None:
    evaluator = probe([(2.0, 1.0, -1), None, (0.5, 1.0, -1), (2.0, 1.0, -1)])
    since = []
    for cycle in range(4):
        evaluator.evaluate(inputs_at(START_S + cycle))
        since.append(as_tuple(evaluator.reading("probe"))[-1])
    assert since == [START_S, START_S, "nan", START_S + 3]


def test_hysteresis_holds_only_what_was_violated_and_at_its_very_edge_lets_go(
    probe: Callable[..., GuardBoardEvaluator],
) -> None:
    evaluator = probe(
        [(0.75, 1.0, -1), None, (0.75, 1.0, -1), (2.0, 1.0, -1), (0.75, 1.0, -1), (0.5, 1.0, -1)], hysteresis=0.5
    )
    values = []
    for cycle in range(6):
        evaluator.evaluate(inputs_at(START_S + cycle))
        values.append(evaluator.reading("probe").value)
    ok, bad = GuardValue.OK, GuardValue.VIOLATED
    assert values == [ok, GuardValue.ERROR, ok, bad, bad, ok]


def test_a_guard_with_a_past_is_judged_until_it_is_forgotten(probe: Callable[..., GuardBoardEvaluator]) -> None:
    answers = [(2.0, 1.0, -1)] * 2 + [(0.5, 1.0, -1)] * 40
    evaluator = probe(answers, persistence=Persistence(2, 4))
    tripped = []
    for cycle in range(42):
        evaluator.evaluate(inputs_at(START_S + cycle))
        tripped.append((evaluator.reading("probe").tripped, is_blocking(evaluator.reading("probe"))))
    assert tripped[0] == (False, True)
    assert tripped[1] == (True, True)
    assert tripped[-1] == (False, False)
    assert any(is_tripped and blocks for is_tripped, blocks in tripped[2:])


def test_blocking_counts_the_latching_ones_anew_in_every_cycle(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator = probe([(2.0, 1.0, -1)] * 3 + [(0.5, 1.0, -1)] * 40, level=Level.HOLD)
    blocking = []
    for _ in range(43):
        level = evaluator.evaluate(inputs_at(START_S)).level
        blocking.append(evaluator.blocking)
        assert level is (Level.HOLD if evaluator.blocking else Level.NONE)
    assert blocking[:4] == [1, 1, 1, 1]
    assert (max(blocking), blocking[-1]) == (1, 0)


@pytest.mark.parametrize("level", [Level.WARN, Level.LIMIT])
def test_what_does_not_latch_does_not_block(probe: Callable[..., GuardBoardEvaluator], level: Level) -> None:
    evaluator = probe([(2.0, 1.0, -1)] * 2, level=level)
    for _ in range(2):
        assert evaluator.evaluate(inputs_at(START_S)).level is level
        assert evaluator.blocking == 0


def test_the_evaluation_tells_the_counting_guard_how_far_it_is(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator, inputs = probe([(0.5, 1.0, -1)] * 4), inputs_at(START_S)
    evaluator.evaluate(inputs)
    assert (inputs.expected_guards, inputs.evaluated_guards, inputs.unknown_tightenings) == (4, 3, 0)
    inputs.output = make_output(START_S, guard_limits={"tlit": 0.1, "no_such": 0.2, "probe": 0.75})
    for _ in range(2):
        evaluator.evaluate(inputs)
        assert inputs.unknown_tightenings == 2
    inputs.output = make_output(START_S, guard_limits={"tlit": 0.1, "probe": 0.5})
    evaluator.evaluate(inputs)
    assert inputs.unknown_tightenings == 1
    assert evaluator.reading("probe").limit == 0.5


def test_a_tightening_after_an_unknown_one_is_taken(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator, inputs = probe([(0.5, 1.0, -1)]), inputs_at(START_S)
    inputs.output = make_output(START_S, guard_limits={"tlit": 0.1, "probe": 0.25})
    evaluator.evaluate(inputs)
    assert evaluator.reading("probe").value is GuardValue.VIOLATED


def test_a_blank_board_says_in_every_field_that_nothing_was_evaluated(
    probe: Callable[..., GuardBoardEvaluator],
) -> None:
    evaluator, inputs = probe([(0.5, 1.0, 3)] * 4), inputs_at(START_S)
    for _ in range(2):
        evaluator.evaluate(inputs)
    board = evaluator.blank()
    assert board is evaluator.board
    assert board.level is Level.NONE
    assert as_tuple(board.by_id()["probe"]) == UNREAD
    # The next evaluation looks at everything again: nothing is "still healthy" after a blank board.
    evaluator.evaluate(inputs)
    assert {reading.value for reading in evaluator.board} == {GuardValue.OK}
    assert as_tuple(evaluator.reading("probe"))[2:6] == (0.5, 1.0, "turns", 3)


def test_problems_say_where_what_and_what_is_allowed() -> None:
    safety: SafetyConfig = replace(SAFETY, guards=(make_row("tlit", 1.0, "rad"), make_row("tilt", 30.0, "deg")))
    rows = ", ".join(REQUIRED)
    expected = [
        Problem("a.yaml", None, "guards[0].id", "tlit", f"one of {', '.join(GUARDS)}"),
        Problem("a.yaml", None, "guards[1].unit", "deg", "rad, the unit of tilt"),
        *[Problem("a.yaml", None, "guards", f"no row {name}", f"the rows {rows} are required") for name in REQUIRED],
    ]
    assert list(board_problems(safety, "a.yaml")) == expected
    with pytest.raises(ConfigError) as caught:
        GuardBoardEvaluator(safety)
    assert caught.value.problems == tuple(board_problems(safety, "safety file"))


def test_every_guard_in_the_way_is_counted(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator, inputs = probe([(2.0, 1.0, -1)]), inputs_at(START_S)
    inputs.emergency_stop = True
    evaluator.evaluate(inputs)
    assert evaluator.blocking == 2


def test_a_blank_board_does_not_end_a_trip(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator = probe([(2.0, 1.0, -1), (0.5, 1.0, -1)])
    assert last(evaluator)[6] is True
    evaluator.blank()
    assert last(evaluator)[1:7:5] == (GuardValue.OK, True)
