"""Every stop of the core, field by field: who asked for it, at which stage and when, and what is added to it."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.command import Drive
from supervisor.core.exchange import Request, Stop
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.state import MotorStatus
from tests.safety.bench import COUNT, PERIOD_S, SAFETY, START_S, TILTED, Bench

PROFILE, ARMING = SAFETY.profile, SAFETY.arming


def time_s(cycle: int) -> float:
    return START_S + cycle * PERIOD_S


def told(bench: Bench) -> tuple[str, Level, str, float, float, bool, tuple[str, ...]]:
    """What a stop tells of itself, but for what a guard has measured."""
    stop = bench.decision.stop
    assert isinstance(stop, Stop)
    return stop.guard, stop.level, stop.stage, stop.time_s, stop.since_s, stop.planned, stop.further


def without_mission(bench: Bench) -> Bench:
    bench.is_mission_alive, bench.output = False, None
    return bench


@pytest.mark.parametrize(
    ("action", "level"),
    [(OperatorAction.HOLD, Level.HOLD), (OperatorAction.STOP, Level.SETTLE), (OperatorAction.CUT, Level.CUT)],
)
def test_a_stop_of_the_operator_is_told_whole(action: OperatorAction, level: Level) -> None:
    bench = Bench().running()
    now_s = bench.now_s
    bench.press(action)
    assert told(bench) == ("operator", level, "walk", now_s, now_s, False, ())
    assert bench.decision.level is bench.decision.actuation.level is level


def test_a_stop_of_the_mission_is_told_whole_and_is_planned() -> None:
    bench = Bench().running()
    now_s = bench.now_s
    bench.step(request=Request.SETTLE)
    assert told(bench) == ("mission", Level.SETTLE, "walk", now_s, now_s, True, ())
    assert bench.decision.refusals == ()


def test_a_stop_of_a_guard_under_power_is_told_whole() -> None:
    bench = Bench().running()
    now_s = bench.now_s
    bench.inputs.emergency_stop = True
    bench.step()
    assert told(bench) == ("emergency_stop", Level.CUT, "walk", now_s, now_s, False, ())


@pytest.mark.parametrize("has_mission", [True, False])
@pytest.mark.parametrize("guard", ["operator", "emergency_stop"])
def test_a_stop_while_the_motors_are_off_is_told_whole(guard: str, has_mission: bool) -> None:
    bench = Bench() if has_mission else without_mission(Bench())
    now_s = bench.now_s
    bench.inputs.emergency_stop = guard == "emergency_stop"
    bench.step(*((OperatorAction.CUT,) if guard == "operator" else ()))
    assert told(bench) == (guard, Level.CUT, "walk" if has_mission else "", now_s, now_s, False, ())
    assert bench.decision.drill is None


@pytest.mark.parametrize("has_mission", [True, False])
def test_an_armed_robot_waits_for_its_start_to_the_cycle(has_mission: bool) -> None:
    armed = Bench().armed().cycle - 1
    timeout_s = time_s(armed + 40) - time_s(armed)
    bench = Bench(replace(SAFETY, arming=replace(ARMING, start_timeout_s=timeout_s))).armed()
    assert bench.cycle - 1 == armed
    assert {bench.step().arming for _ in range(40)} == {ArmingState.ARMED}
    now_s = bench.now_s
    decision = bench.step() if has_mission else without_mission(bench).step()
    assert told(bench) == ("start_timeout", Level.SETTLE, "walk" if has_mission else "", now_s, now_s, True, ())
    assert (decision.arming, decision.level) == (ArmingState.STOPPED, Level.SETTLE)
    assert (decision.actuation.drive, decision.actuation.level) == (Drive.COMMAND, Level.SETTLE)


@pytest.mark.parametrize(
    ("actions", "request_", "guard"), [((), Request.SETTLE, "mission"), ((OperatorAction.HOLD,), None, "operator")]
)
def test_disarming_deepens_the_stop_that_is_there_and_adds_nothing_to_it(
    actions: tuple[OperatorAction, ...], request_: Request | None, guard: str
) -> None:
    bench = Bench().running()
    began_s = bench.now_s
    bench.step(*actions, request=request_)
    bench.run(0.01)
    bench.step(request=Request.DISARM)
    assert told(bench) == (guard, Level.CUT, "walk", began_s, began_s, guard == "mission", ())
    assert bench.decision.arming is ArmingState.STOPPED


def test_a_guard_adds_to_a_stop_as_long_as_a_motor_is_still_on() -> None:
    bench = Bench().running()
    bench.obey = lambda: None
    bench.press(OperatorAction.CUT)
    bench.imu_changes = TILTED
    bench.run(0.1)
    assert not bench.decision.is_at_rest
    assert told(bench)[0] == "operator"
    assert told(bench)[-1] == ("tilt",)


def test_a_trip_while_the_motors_are_limp_damps_them_and_nothing_fails() -> None:
    bench = Bench()
    bench.run(0.6)
    bench.step(request=Request.DRILL)
    bench.run(0.1)
    bench.imu_changes = TILTED
    bench.until(ArmingState.STOPPED)
    bench.run(0.02)
    assert (told(bench)[:3], told(bench)[-1]) == (("tilt", Level.DAMP, "walk"), ())
    assert (bench.decision.actuation.drive, bench.decision.level) == (Drive.COMMAND, Level.DAMP)


def test_a_guard_adds_nothing_to_a_stop_that_has_ended() -> None:
    bench = Bench().running()
    bench.press(OperatorAction.CUT)
    bench.until_at_rest()
    bench.imu_changes = TILTED
    bench.run(0.1)
    assert "tilt" in {reading.id for reading in bench.decision.board if reading.tripped}
    assert told(bench)[-1] == ()


def test_a_guard_stops_nothing_that_this_process_never_armed() -> None:
    bench = Bench()
    bench.obey = lambda: None
    bench.status[3] = MotorStatus.ENABLED
    bench.imu_changes = TILTED
    bench.run(0.1)
    assert not bench.decision.is_at_rest
    assert bench.decision.stop is None
    assert bench.decision.actuation.drive is Drive.DISABLE


def test_a_guard_stops_nothing_that_is_disarmed_again() -> None:
    bench = Bench().drilled()
    bench.obey = lambda: None
    bench.status[3] = MotorStatus.ENABLED
    bench.imu_changes = TILTED
    bench.run(0.1)
    assert not bench.decision.is_at_rest
    assert bench.decision.stop is None


def test_a_stop_that_has_ended_falls_no_further() -> None:
    bench = Bench().running()
    bench.step(request=Request.SETTLE)
    bench.until_at_rest()
    bench.state_changes = {"motor_stamp_s": np.full(COUNT, bench.now_s)}
    bench.run(0.1)
    assert bench.inputs.motors_stale
    assert told(bench)[:2] == ("mission", Level.SETTLE)


def test_every_press_lets_the_time_of_hold_begin_again() -> None:
    bench = Bench(replace(SAFETY, profile=replace(PROFILE, hold_timeout_s=0.1))).running()
    bench.press(OperatorAction.HOLD)
    for _ in range(3):
        bench.run(0.06)
        bench.press(OperatorAction.CONFIRM)
    assert told(bench)[:2] == ("operator", Level.HOLD)
    bench.run(0.11)
    assert told(bench)[:2] == ("operator", PROFILE.hold_falls_to)


def test_what_is_logged_of_a_failure_names_the_level_and_carries_the_cause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A library that sets up logging in another test turns off every logger that it does not know.
    monkeypatch.setattr(logging.getLogger("supervisor.safety.core"), "disabled", False)

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    bench = Bench()
    monkeypatch.setattr(bench.core._evaluator, "evaluate", broken)
    bench.run(0.01)
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "CRITICAL", f"the safety core failed; going to {PROFILE.unknown.name}",
    )  # fmt: skip
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "broken"


def test_a_way_to_rest_without_feedback_is_given_up_whatever_the_guards_say() -> None:
    rows = tuple(replace(row, level=Level.WARN, clear="automatic") for row in SAFETY.guards)
    bench = Bench(replace(SAFETY, guards=rows)).running()
    bench.press(OperatorAction.STOP)
    bench.run(0.02)
    assert told(bench)[:2] == ("operator", Level.SETTLE)
    bench.state_changes = {"motor_stamp_s": np.full(COUNT, bench.now_s)}
    bench.run(0.1)
    assert (told(bench)[:2], told(bench)[-1]) == (("operator", PROFILE.settle_falls_to), ())
