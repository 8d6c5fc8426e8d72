"""What the core answers to presses and requests: refusals, reports of drills, and when nothing is refused any more."""

from __future__ import annotations

import pytest

from supervisor.core.command import Drive
from supervisor.core.exchange import Request
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.state import MotorStatus
from tests.safety.bench import TILTED, Bench, failed


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
