"""What the core answers to presses and requests: refusals, reports of drills, and when nothing is refused any more."""

from __future__ import annotations

import math

import pytest

from supervisor.core.command import Drive
from supervisor.core.exchange import DrillReport, Request
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.state import MotorStatus
from supervisor.safety.core import KEPT_DEADLINE_S
from tests.safety.bench import PERIOD_S, Bench
from tests.safety.test_core import TILTED
from tests.safety.test_restart import Paper


def failed(bench: Bench) -> tuple[str, ...]:
    """The problems of a drill that is reported as not passed, and never off."""
    drill = bench.decision.drill
    assert isinstance(drill, DrillReport)
    assert drill.passed is False
    assert math.isnan(drill.off_after_s)
    return drill.problems


def checking(bench: Bench) -> Bench:
    """A drilled robot that was armed too soon after a trip, and waits."""
    bench.drilled()
    bench.imu_changes = TILTED
    bench.run(0.1)
    bench.imu_changes = {}
    bench.step()
    bench.press(OperatorAction.ARM)
    assert bench.decision.arming is ArmingState.CHECKING
    return bench


@pytest.mark.parametrize("request_", [Request.INVENTORY, Request.CLEAR_FAULTS])
def test_what_needs_motors_off_is_refused_until_they_are(request_: Request) -> None:
    bench = Bench().running()
    bench.obey = lambda: None
    bench.press(OperatorAction.CUT)
    bench.step(request=request_)
    words = "needs motors that are off; the robot is"
    assert bench.decision.refusals == (f"{request_.name} {words} stopped",)
    bench.status[:] = MotorStatus.DISABLED
    bench.step()
    assert bench.decision.is_at_rest
    decision = bench.step(request=request_)
    assert decision.refusals == ()
    assert decision.inventory_requested is (request_ is Request.INVENTORY)
    assert (decision.actuation.drive is Drive.CLEAR_FAULT) is (request_ is Request.CLEAR_FAULTS)
    bench = checking(Bench())
    bench.step(request=request_)
    assert bench.decision.refusals == (f"{request_.name} {words} checking",)
    assert bench.decision.inventory_requested is False


def test_refusals_are_those_of_the_newest_press_or_request() -> None:
    bench = Bench()
    bench.run(0.02)
    assert bench.press(OperatorAction.ARM).refusals == ("no emergency-stop drill was made",)
    assert bench.step().refusals == ("no emergency-stop drill was made",)
    assert bench.step(request=Request.INVENTORY).refusals == ()
    assert bench.press(OperatorAction.START).refusals == ("START needs an armed robot; it is disarmed",)
    assert bench.press(OperatorAction.CONFIRM).refusals == ()


@pytest.mark.parametrize("request_", [Request.SETTLE, Request.DISARM])
def test_the_end_of_a_mission_leaves_no_stop_where_there_is_no_power(request_: Request) -> None:
    for bench in (Bench().drilled(), checking(Bench())):
        bench.step(request=request_)
        assert (bench.decision.arming, bench.decision.stop) == (ArmingState.DISARMED, None)
        assert bench.decision.refusals == ()
        assert bench.decision.drill is not None
        assert bench.decision.drill.passed


def test_a_drill_under_power_is_refused_with_the_state() -> None:
    bench = Bench().armed()
    bench.step(request=Request.DRILL)
    assert failed(bench) == bench.decision.refusals == ("DRILL needs a disarmed robot; it is armed",)


def test_a_drill_is_refused_with_every_guard_that_would_end_it() -> None:
    bench = Bench()
    bench.run(0.6)
    bench.imu_changes = TILTED
    bench.inputs.hashes_match = False
    bench.run(0.1)
    bench.step(request=Request.DRILL)
    tripped = [reading.id for reading in bench.decision.board if reading.tripped]
    assert set(tripped) == {"tilt", "hashes"}
    words = f"DRILL needs the guards OK; tripped: {tripped[0]}, {tripped[1]}"
    assert failed(bench) == bench.decision.refusals == (words,)


@pytest.mark.parametrize(("way", "cause"), [("press", "operator"), ("guard", "emergency_stop")])
def test_a_drill_that_is_interrupted_says_by_what_and_says_it_once(way: str, cause: str) -> None:
    bench = Bench()
    bench.run(0.6)
    bench.step(request=Request.DRILL)
    bench.run(0.1)
    assert bench.decision.arming is ArmingState.CHECKING
    bench.inputs.emergency_stop = way == "guard"
    bench.step(*((OperatorAction.CUT,) if way == "press" else ()))
    assert bench.decision.arming is ArmingState.STOPPED
    assert failed(bench) == (f"interrupted by {cause}",)
    report = bench.decision.drill
    bench.inputs.emergency_stop = True
    bench.run(0.01)
    assert bench.decision.drill is report


def test_a_stop_leaves_the_report_of_a_drill_that_has_ended() -> None:
    for bench in (Bench().drilled(), Bench().running()):
        report = bench.decision.drill
        bench.inputs.emergency_stop = True
        bench.run(0.01)
        assert bench.decision.arming is ArmingState.STOPPED
        assert bench.decision.drill is report


def test_the_disk_has_its_time_to_the_cycle() -> None:
    memory = Paper()
    bench = Bench(memory=memory)
    cycles = round(KEPT_DEADLINE_S / PERIOD_S)
    while bench.cycle < cycles // 2:
        bench.step()
    memory.is_kept = False
    began_s = bench.now_s
    bench.step(request=Request.DRILL)
    while bench.cycle < cycles // 2 + cycles:
        bench.step()
    assert bench.now_s - began_s == KEPT_DEADLINE_S
    assert bench.step().arming is ArmingState.CHECKING
    assert bench.step().arming is ArmingState.DISARMED


def test_a_disk_that_fails_while_the_motors_are_switched_on_changes_nothing() -> None:
    memory = Paper()
    bench = Bench(memory=memory).drilled()
    bench.press(OperatorAction.ARM)
    for _ in range(round(3.0 / PERIOD_S)):
        if bench.decision.actuation.drive is Drive.ENABLE:
            break
        bench.step()
    memory.is_kept = False
    assert bench.step().arming is ArmingState.ARMED
