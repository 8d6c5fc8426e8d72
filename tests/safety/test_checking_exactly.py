"""The way to motors that are on, to the cycle and to the word."""

from __future__ import annotations

import math

import pytest

from supervisor.core.command import Drive
from supervisor.core.exchange import Request
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.safety.checking import KEPT_DEADLINE_S
from tests.safety.bench import PERIOD_S, Bench, failed
from tests.safety.paper import Paper


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


def test_a_stop_before_any_drill_reports_none() -> None:
    bench = Bench()
    bench.inputs.emergency_stop = True
    bench.run(0.1)
    assert bench.decision.arming is ArmingState.STOPPED
    assert bench.decision.drill is None


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


@pytest.mark.parametrize("begin", ["drill", "arm"])
def test_a_disk_that_is_too_slow_is_told_whole(begin: str) -> None:
    memory = Paper()
    bench = Bench(memory=memory).drilled() if begin == "arm" else Bench(memory=memory)
    bench.run(0.7)
    memory.is_kept, memory.problem = False, "the disk is full"
    began_s = bench.now_s
    if begin == "arm":
        bench.press(OperatorAction.ARM)
    else:
        bench.step(request=Request.DRILL)
    while bench.step().arming is ArmingState.CHECKING:
        assert bench.now_s - began_s < KEPT_DEADLINE_S + 3 * PERIOD_S
    assert bench.now_s - began_s >= KEPT_DEADLINE_S
    words = f"the latch is not on the disk after {KEPT_DEADLINE_S:g} s: the disk is full"
    assert bench.decision.refusals == (words,)
    assert bench.decision.arming is ArmingState.DISARMED
    drill = bench.decision.drill
    assert drill is not None
    assert drill.passed is (begin == "arm")
    if begin == "drill":
        assert drill.problems == (words,)
        assert math.isnan(drill.off_after_s)


def test_a_disk_that_fails_under_power_changes_nothing() -> None:
    paper = Paper()
    bench = Bench(memory=paper).armed()
    paper.is_kept = False
    assert bench.press(OperatorAction.START).arming is ArmingState.RUNNING
    bench.run(1.0)
    assert bench.decision.arming is ArmingState.RUNNING
