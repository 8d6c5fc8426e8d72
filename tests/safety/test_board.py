"""The total wrapper: five values, whatever a guard does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import ConfigError
from supervisor.core.guard import GuardReading, Persistence
from supervisor.core.levels import GuardValue, Level
from supervisor.core.safety import SafetyConfig
from supervisor.safety import board as board_module
from supervisor.safety.board import GuardBoardEvaluator, board_problems, is_blocking
from supervisor.safety.guards import GUARDS, GuardKind, Source
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import PERIOD_S, SAFETY, make_inputs, make_output, make_row, make_state

BASE = (make_row("emergency_stop", 0.5, "flag"), make_row("motor_age", 0.02, "s"), make_row("imu_age", 0.04, "s"))


def config(*rows: object) -> SafetyConfig:
    return replace(SAFETY, guards=(*BASE, *rows))


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[..., GuardBoardEvaluator]:
    """An evaluator with one more guard, `probe`, that returns what it is told to."""

    def make(answers: list[object], source: Source = Source.OWN, **changes: object) -> GuardBoardEvaluator:
        iterator = iter(answers)

        def function(_: GuardInputs) -> object:
            answer = next(iterator)
            if isinstance(answer, Exception):
                raise answer
            return answer

        kind = GuardKind(function, "rad", "rad", "SAF-000", "", source)
        monkeypatch.setattr(board_module, "GUARDS", {**GUARDS, "probe": kind})
        return GuardBoardEvaluator(config(make_row("probe", 1.0, "rad", **changes)))

    return make


def readings(evaluator: GuardBoardEvaluator, count: int) -> list[GuardReading]:
    inputs = make_inputs()
    found = []
    for cycle in range(count):
        inputs.now_s = 1000.0 + cycle * PERIOD_S
        inputs.state = make_state(inputs.now_s)
        found.append(evaluator.evaluate(inputs).by_id()["probe"])
    return found


NAN = float("nan")


@pytest.mark.parametrize("with_history", [False, True])
@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ((0.5, 1.0, -1), GuardValue.OK),
        ((1.0, 1.0, 3), GuardValue.OK),
        ((np.float64(0.5), 1.0, -1), GuardValue.OK),
        ((np.nextafter(1.0, 2.0).item(), 1.0, -1), GuardValue.VIOLATED),
        ((1.5, 2.0, -1), GuardValue.OK),
        ((0.5, 0.4, -1), GuardValue.VIOLATED),
        ((float("inf"), 1.0, -1), GuardValue.VIOLATED),
        ((float("-inf"), 1.0, -1), GuardValue.ERROR),
        ((NAN, 1.0, -1), GuardValue.ERROR),
        ((0.5, NAN, -1), GuardValue.ERROR),
        ((0.5, 1.0, "fl_hip"), GuardValue.ERROR),
        ((0.5, 1.0, None), GuardValue.ERROR),
        ((None, 1.0, -1), GuardValue.ERROR),
        ((0, 1.0, -1), GuardValue.ERROR),
        ((False, 1.0, -1), GuardValue.ERROR),
        (("0.5", 1.0, -1), GuardValue.ERROR),
        ((np.array([0.1, 0.2]), 1.0, -1), GuardValue.ERROR),
        ((0.5, "1.0", -1), GuardValue.ERROR),
        ((0.5, 1.0), GuardValue.ERROR),
        (True, GuardValue.ERROR),
        (None, GuardValue.ERROR),
        ("OK", GuardValue.ERROR),
        (ZeroDivisionError(), GuardValue.ERROR),
        (RuntimeError("broken"), GuardValue.ERROR),
    ],
)
def test_every_answer_has_a_value_and_only_a_good_one_is_ok(
    probe: Callable[..., GuardBoardEvaluator], answer: object, value: GuardValue, with_history: bool
) -> None:
    before: list[object] = [(0.1, 1.0, -1)] * 10 if with_history else []
    found = readings(probe([*before, answer]), len(before) + 1)[-1]
    assert found.value is value
    assert found.tripped is (value is not GuardValue.OK)
    assert np.isnan(found.measured) == (value is GuardValue.ERROR)


def test_nothing_is_ok_before_the_first_evaluation() -> None:
    board = GuardBoardEvaluator(SAFETY).board
    assert {reading.value for reading in board} == {GuardValue.NOT_EVALUATED}
    assert all(is_blocking(reading) for reading in board)


def test_a_blank_board_forgets_that_guards_were_well() -> None:
    evaluator, inputs = GuardBoardEvaluator(SAFETY), make_inputs()
    evaluator.evaluate(inputs)
    assert {reading.value for reading in evaluator.blank()} == {GuardValue.NOT_EVALUATED}
    assert evaluator.blocking == len(SAFETY.guards)


def test_hysteresis_holds_the_violation_until_the_value_has_come_back(
    probe: Callable[..., GuardBoardEvaluator],
) -> None:
    values = [0.95, 1.01, 0.95, 0.91, 0.9, 0.95]
    evaluator = probe([(value, 1.0, -1) for value in values], hysteresis=0.1)
    ok, bad = GuardValue.OK, GuardValue.VIOLATED
    assert [reading.value for reading in readings(evaluator, 6)] == [ok, bad, bad, bad, ok, ok]


def test_hysteresis_scales_with_the_reference(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator = probe([(value, 10.0, -1) for value in (10.1, 9.1, 8.9)], hysteresis=0.1)
    found = readings(evaluator, 3)
    assert [reading.value for reading in found] == [GuardValue.VIOLATED, GuardValue.VIOLATED, GuardValue.OK]
    assert found[0].limit == 10.0


@pytest.mark.parametrize("bad", [(2.0, 1.0, -1), (NAN, 1.0, -1), None, ValueError()])
def test_persistence_counts_every_kind_of_failure(probe: Callable[..., GuardBoardEvaluator], bad: object) -> None:
    good = (0.1, 1.0, -1)
    evaluator = probe([good] * 5 + [bad, bad, good, bad], persistence=Persistence(3, 4))
    assert [reading.tripped for reading in readings(evaluator, 9)] == [False] * 8 + [True]


def test_a_toggling_fault_trips(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator = probe([(2.0, 1.0, -1), (0.1, 1.0, -1), (0.1, 1.0, -1)] * 40, persistence=Persistence(8, 8))
    assert any(reading.tripped for reading in readings(evaluator, 120))


def test_since_is_the_first_failed_cycle_and_nan_when_well(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator = probe([(0.1, 1.0, -1), (2.0, 1.0, -1), (3.0, 1.0, -1), (0.1, 1.0, -1)])
    found = readings(evaluator, 4)
    assert [reading.since_s for reading in found[1:3]] == [1000.0 + PERIOD_S] * 2
    assert np.isnan(found[0].since_s)
    assert np.isnan(found[3].since_s)


def test_an_old_source_is_stale_also_for_a_guard_that_was_well(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator, inputs = probe([(0.1, 1.0, -1)] * 10, Source.IMU), make_inputs()
    for _ in range(6):
        assert evaluator.evaluate(inputs).by_id()["probe"].value is GuardValue.OK
    inputs.now_s += 0.05
    assert evaluator.evaluate(inputs).by_id()["probe"].value is GuardValue.STALE


def test_measured_is_always_this_cycles(probe: Callable[..., GuardBoardEvaluator]) -> None:
    values = [0.1 + 0.01 * i for i in range(20)]
    evaluator = probe([(value, 1.0, i % 3) for i, value in enumerate(values)])
    found = readings(evaluator, 20)
    assert [(reading.measured, reading.joint) for reading in found] == [(v, i % 3) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    ("wished", "in_force"), [({}, 1.0), ({"probe": 0.3}, 0.3), ({"probe": 5.0}, 1.0), ({"probe": -1.0}, -1.0)]
)
def test_a_stage_tightens_and_never_loosens(
    probe: Callable[..., GuardBoardEvaluator], wished: dict[str, float], in_force: float
) -> None:
    evaluator, inputs = probe([(0.2, 1.0, -1)] * 3), make_inputs()
    evaluator.evaluate(inputs)
    inputs.output = make_output(inputs.now_s, guard_limits=wished)
    assert evaluator.evaluate(inputs).by_id()["probe"].limit == in_force
    inputs.output = make_output(inputs.now_s)
    assert evaluator.evaluate(inputs).by_id()["probe"].limit == 1.0


@pytest.mark.parametrize("wrong", [NAN, "0.3", None, 1])
def test_a_tightening_that_is_no_number_is_an_error_of_its_guard(
    probe: Callable[..., GuardBoardEvaluator], wrong: object
) -> None:
    evaluator, inputs = probe([(0.2, 1.0, -1)]), make_inputs()
    inputs.output = make_output(inputs.now_s, guard_limits={"probe": wrong})
    assert evaluator.evaluate(inputs).by_id()["probe"].value is GuardValue.ERROR


def test_the_board_level_is_the_largest_of_the_tripped(probe: Callable[..., GuardBoardEvaluator]) -> None:
    evaluator, inputs = probe([(0.2, 1.0, -1), (2.0, 1.0, -1)], level=Level.WARN), make_inputs()
    assert evaluator.evaluate(inputs).level is Level.NONE
    assert evaluator.evaluate(inputs).level is Level.WARN
    assert evaluator.blocking == 0
    inputs.now_s += 0.021
    assert evaluator.evaluate(inputs).level is Level.DAMP
    assert evaluator.blocking == 1


def test_the_counting_guard_stands_last_and_counts_every_row() -> None:
    rows = (make_row("guard_count", 0.5, "guards"), make_row("tilt", 1.0, "rad"))
    board = GuardBoardEvaluator(config(*rows)).evaluate(make_inputs())
    assert board.readings[-1].id == "guard_count"
    assert board.readings[-1].measured == 0.0


def test_a_reading_that_is_not_declared_is_none() -> None:
    evaluator = GuardBoardEvaluator(config())
    assert evaluator.reading("tilt") is None
    assert evaluator.reading("imu_age") is not None


def test_all_problems_of_the_rows_are_named_at_once() -> None:
    safety = replace(SAFETY, guards=(make_row("tlit", 1.0, "rad"), make_row("tilt", 30.0, "deg")))
    found = [(problem.key, problem.found) for problem in board_problems(safety)]
    assert found == [
        ("guards[0].id", "tlit"),
        ("guards[1].unit", "deg"),
        ("guards", "no row emergency_stop"),
        ("guards", "no row motor_age"),
        ("guards", "no row imu_age"),
    ]
    with pytest.raises(ConfigError, match="tlit"):
        GuardBoardEvaluator(safety)


@given(
    st.dictionaries(
        st.sampled_from(["position_rad", "velocity_rad_per_s", "torque_nm", "temperature_degc", "motor_stamp_s"]),
        st.lists(st.floats(width=32), min_size=12, max_size=12).map(np.array),
    )
)
def test_no_measurement_makes_the_board_raise_or_lose_a_row(changes: dict[str, object]) -> None:
    inputs = make_inputs()
    inputs.state = replace(inputs.state, **changes)
    with np.errstate(all="ignore"):
        board = GuardBoardEvaluator(SAFETY).evaluate(inputs)
    assert [reading.id for reading in board] == [row.id for row in SAFETY.guards]
    for attribute, identifier in (("velocity_rad_per_s", "joint_velocity"), ("torque_nm", "joint_torque")):
        if attribute in changes and not np.isfinite(changes[attribute]).all():
            assert board.by_id()[identifier].value is not GuardValue.OK
