"""What the core decides when it has failed, and while the disk is slow, field by field."""

from __future__ import annotations

import numpy as np
import pytest

from supervisor.core.command import Drive
from supervisor.core.exchange import Request
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction
from supervisor.safety.decision import Decision
from supervisor.safety.restart import Kept
from tests.safety.bench import PERIOD_S, SAFETY, ZEROS, Bench
from tests.safety.paper import Paper

UNKNOWN = SAFETY.profile.unknown


def fail(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> tuple[Decision, float]:
    """The next decision, of a core whose guards cannot be evaluated, and its time."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(bench.core._evaluator, "evaluate", broken)
    return bench.step(), bench.now_s - PERIOD_S


def test_a_failure_is_a_stop_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench().running()
    decision, now_s = fail(bench, monkeypatch)
    stop = decision.stop
    assert stop is not None
    assert (stop.guard, stop.level, stop.stage) == ("internal_error", UNKNOWN, "")
    assert (stop.time_s, stop.since_s, stop.planned) == (pytest.approx(now_s), pytest.approx(now_s), False)
    assert (decision.arming, decision.is_at_rest) == (ArmingState.STOPPED, False)
    assert {reading.value for reading in decision.board} == {GuardValue.NOT_EVALUATED}
    assert decision.level is decision.actuation.level is max(UNKNOWN, Level.DAMP)
    assert decision.actuation.drive is Drive.COMMAND
    np.testing.assert_array_equal(decision.actuation.command.kp_nm_per_rad, ZEROS)


def test_a_failure_does_not_lower_a_stop_that_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench().running()
    bench.press(OperatorAction.CUT)
    decision, _ = fail(bench, monkeypatch)
    assert decision.stop is not None
    assert (decision.stop.level, decision.stop.guard) == (Level.CUT, "operator")
    assert (decision.actuation.drive, decision.actuation.level) == (Drive.DISABLE, Level.CUT)


def test_a_failure_is_kept_as_a_stop_that_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Paper()
    bench = Bench(memory=memory).running()
    decision, _ = fail(bench, monkeypatch)
    kept = memory.stored[-1]
    assert isinstance(kept, Kept)
    assert (kept.arming, kept.stop) == (ArmingState.STOPPED, decision.stop)


def test_a_failure_in_the_midst_of_a_planned_stop_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Paper()
    bench = Bench(memory=memory).running()
    bench.step(request=Request.SETTLE)
    bench.until_at_rest()
    assert memory.stored[-1].stop is None
    decision, _ = fail(bench, monkeypatch)
    assert memory.stored[-1].stop == decision.stop
    assert decision.is_at_rest is False
