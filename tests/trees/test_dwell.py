"""How long a stage measures."""

from __future__ import annotations

import pytest

from supervisor.core.exchange import Knobs
from supervisor.core.report import Criterion
from tests.trees.stand_ins import TICK_S, Bench, make_snapshot
from trees.actions.dwell import Dwell
from trees.missions.schema import Duration
from trees.values import StageHead

CRITERIA = (Criterion("tilt_max_rad", "<=", 0.2, "a test's number"),)


def lasts(duration: Duration, windows: list[float]) -> tuple[float, float, int]:
    """Time a dwell takes while successive windows measure these tilts, the last tilt, and how often it began anew."""
    bench = Bench()
    bench.judge.script["s"] = list(windows)
    bench.context.enter_stage(StageHead("s", "ramp", Knobs(), 100.0, True, {}, CRITERIA))
    dwell = Dwell(duration, CRITERIA)
    while True:
        bench.context.begin_tick(make_snapshot(bench.robot), bench.now_s)
        dwell.begin(bench.context)
        if dwell.is_over(bench.context):
            return bench.now_s, bench.judge.values["tilt_max_rad"], len(bench.judge.begun)
        bench.now_s += TICK_S
        assert bench.now_s < 100.0


@pytest.mark.parametrize(
    ("duration", "windows", "expected_s", "begun"),
    [
        (Duration(3.0, 9.0), [0.9], 3.0, 1),
        (Duration(2.0, 9.0, 2.0), [0.1], 2.0, 1),
        (Duration(1.0, 9.0, 2.0), [0.1], 2.0, 1),
        (Duration(2.0, 9.0, 2.0), [0.9, 0.9, 0.1], 6.0, 3),
        (Duration(5.0, 9.0, 2.0), [0.1, 0.1, 0.1], 6.0, 3),
        (Duration(2.0, 9.0, 2.0), [0.9] * 9, 8.0, 4),
        (Duration(2.0, 2.0, 2.0), [0.9] * 9, 2.0, 1),
    ],
)
def test_a_dwell_ends(duration: Duration, windows: list[float], expected_s: float, begun: int) -> None:
    ended_s, _, count = lasts(duration, windows)
    assert ended_s == pytest.approx(expected_s, abs=TICK_S + 1e-9)
    assert count == begun


def test_the_last_window_is_what_the_stage_is_judged_by() -> None:
    assert lasts(Duration(2.0, 6.0, 2.0), [0.9, 0.8, 0.7])[1] == 0.7
    assert lasts(Duration(2.0, 6.0, 2.0), [0.9, 0.1, 0.7])[1] == 0.1


def test_the_drawing_says_how_long() -> None:
    assert Dwell(Duration(2.0, 2.0), CRITERIA).text == "measure 2 s"
    assert Dwell(Duration(600.0, 700.0, 10.0), CRITERIA).text == "until stable for 10 s, 600 to 700 s"
