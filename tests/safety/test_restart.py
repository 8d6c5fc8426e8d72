"""A restart is not a reset: what a process leaves, and what the next one makes of it, with the whole core."""

from __future__ import annotations

import itertools

import pytest

from supervisor.core.command import Drive
from supervisor.core.exchange import Request, Stop
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.state import MotorStatus
from supervisor.safety.restart import STATE_FILE, UNFINISHED, Found, Kept, begin
from supervisor.safety.severity import REPEAT_WINDOW_S
from tests.safety.bench import OFF, SAFETY, START_S, TILTED, Bench, drives, with_rows
from tests.safety.paper import Paper, found, stop_of

NAN = float("nan")
PROFILE, ARMING = SAFETY.profile, SAFETY.arming


LATCHING = [level for level in Level if level.latches]
ARMINGS = list(ArmingState)


def test_nothing_found_begins_disarmed() -> None:
    beginning = begin(Found(None))
    assert (beginning.arming, beginning.stop, beginning.trips) == (ArmingState.DISARMED, None, {})


def test_a_robot_that_was_switched_off_in_order_begins_disarmed_with_its_trips() -> None:
    beginning = begin(found(ArmingState.DISARMED, trips={"tilt": (1.0,)}, notes=("note",)))
    assert (beginning.arming, beginning.stop) == (ArmingState.DISARMED, None)
    assert beginning.trips == {"tilt": (1.0,)}
    assert beginning.notes == ("note",)


@pytest.mark.parametrize("arming", ARMINGS)
@pytest.mark.parametrize("level", LATCHING)
def test_a_latched_stop_begins_stopped_with_its_cause_and_cut(arming: ArmingState, level: Level) -> None:
    beginning = begin(found(arming, stop_of(level)))
    assert beginning.arming is ArmingState.STOPPED
    assert (beginning.stop.guard, beginning.stop.level, beginning.stop.first_level) == ("tilt", Level.CUT, level)
    assert beginning.stop.inherited


@pytest.mark.parametrize("arming", [state for state in ARMINGS if state is not ArmingState.DISARMED])
@pytest.mark.parametrize("stop", [None, stop_of(Level.SETTLE, "mission", planned=True)], ids=["no stop", "planned"])
def test_a_process_that_ended_under_power_is_a_trip(arming: ArmingState, stop: Stop | None) -> None:
    beginning = begin(found(arming, stop))
    assert (beginning.arming, beginning.stop.guard) == (ArmingState.STOPPED, UNFINISHED)
    assert beginning.stop.level is Level.CUT
    assert not beginning.stop.planned
    assert beginning.trips == {UNFINISHED: (START_S,)}


def test_the_third_process_that_ends_under_power_within_an_hour_is_terminal() -> None:
    trips = {UNFINISHED: (START_S - REPEAT_WINDOW_S, START_S - 1.0), "tilt": (1.0, 2.0)}
    beginning = begin(found(ArmingState.RUNNING, trips=trips))
    assert beginning.stop.level is Level.TERMINAL
    assert beginning.trips[UNFINISHED] == (START_S - REPEAT_WINDOW_S, START_S - 1.0, START_S)
    old = {UNFINISHED: (START_S - REPEAT_WINDOW_S - 0.1, START_S - 1.0)}
    assert begin(found(ArmingState.RUNNING, trips=old)).stop.level is Level.CUT


@pytest.mark.parametrize("arming", ARMINGS)
@pytest.mark.parametrize("stop", [None, stop_of(), stop_of(planned=True)], ids=["no stop", "latched", "planned"])
def test_a_file_with_a_problem_begins_stopped(arming: ArmingState, stop: Stop | None) -> None:
    beginning = begin(found(arming, stop, problem="torn", trips={"tilt": (1.0,)}, notes=("note",)))
    is_latched = stop is not None and not stop.planned
    assert beginning.arming is ArmingState.STOPPED
    assert beginning.stop.level is Level.CUT
    assert (beginning.stop.guard, beginning.stop.further) == (
        ("tilt", (STATE_FILE,)) if is_latched else (STATE_FILE, ())
    )
    assert beginning.trips == {"tilt": (1.0,)}
    assert beginning.notes == ("torn", "note")
    again = begin(Found(Kept(ArmingState.STOPPED, beginning.stop), "torn", START_S))
    assert [again.stop.guard, *again.stop.further].count(STATE_FILE) == 1


def test_a_file_that_cannot_be_read_at_all_begins_stopped() -> None:
    beginning = begin(Found(None, "unreadable", START_S))
    assert (beginning.arming, beginning.stop.guard) == (ArmingState.STOPPED, STATE_FILE)
    assert (beginning.stop.time_s, beginning.notes) == (START_S, ("unreadable",))


def test_a_whole_mission_is_kept_step_by_step_and_leaves_nothing_latched() -> None:
    paper = Paper()
    bench = Bench(memory=paper).running()
    bench.step(request=Request.SETTLE)
    bench.run(4.0)
    assert bench.decision.is_at_rest
    states = [kept.arming for kept in paper.stored]
    assert states == [
        ArmingState.DISARMED, ArmingState.CHECKING, ArmingState.DISARMED, ArmingState.CHECKING, ArmingState.ARMED,
        ArmingState.RUNNING, ArmingState.STOPPED, ArmingState.DISARMED,
    ]  # fmt: skip
    assert begin(paper.left()).arming is ArmingState.DISARMED
    assert paper.stored[-1].trips == {}


def test_a_stop_is_kept_before_its_command_is_handed_out() -> None:
    paper = Paper()
    bench = Bench(memory=paper).running()
    before = len(paper.stored)
    seen: list[tuple[int, Drive]] = []
    store = paper.store
    paper.store = lambda kept: (store(kept), seen.append((len(bench.drives), bench.drives[-1])))[0]
    bench.press(OperatorAction.CUT)
    assert paper.stored[before].stop.guard == "operator"
    assert seen == [(len(bench.drives) - 1, Drive.COMMAND)]
    assert bench.drives[-1] is Drive.DISABLE


def test_a_stop_that_gets_worse_is_kept_again_and_nothing_else_is() -> None:
    paper = Paper()
    bench = Bench(memory=paper).running()
    count = len(paper.stored)
    bench.run(0.5)
    assert len(paper.stored) == count
    bench.press(OperatorAction.HOLD)
    bench.run(0.1)
    bench.imu_changes = TILTED
    bench.run(PROFILE.damp_duration_s + 1.0)
    assert [kept.stop.level for kept in paper.stored[count:]] == [Level.HOLD, Level.DAMP]
    assert paper.stored[-1].stop.further == ("tilt",)


def test_trips_are_kept_with_the_stop() -> None:
    paper = Paper(found(ArmingState.DISARMED, trips={"tilt": (START_S - 60.0,)}))
    bench = Bench(memory=paper).running()
    bench.imu_changes = TILTED
    bench.until(ArmingState.STOPPED)
    assert paper.stored[-1].trips == {"tilt": (START_S - 60.0, bench.decision.stop.time_s)}
    assert bench.decision.stop.level is Level.DAMP


def test_the_third_trip_counts_across_processes_and_the_next_process_may_be_reset() -> None:
    paper = Paper(found(ArmingState.DISARMED, trips={"tilt": (START_S - 3000.0, START_S - 60.0)}))
    bench = Bench(memory=paper).running()
    bench.imu_changes = TILTED
    bench.until(ArmingState.STOPPED)
    assert bench.decision.stop.level is Level.TERMINAL
    bench.imu_changes = {}
    bench.run(1.0)
    assert "TERMINAL" in bench.press(OperatorAction.RESET).refusals[0]
    then = Bench(memory=Paper(paper.left(bench.now_s)))
    assert (then.decision.stop.level, then.decision.stop.first_level) == (Level.CUT, Level.TERMINAL)
    then.run(1.0)
    assert then.press(OperatorAction.RESET).arming is ArmingState.DISARMED
    again = then.running()
    again.imu_changes = TILTED
    again.until(ArmingState.STOPPED)
    assert again.decision.stop.level is Level.TERMINAL


def test_a_stop_of_the_process_before_is_shown_and_written_every_cycle_until_reset() -> None:
    bench = Bench(memory=Paper(found(ArmingState.STOPPED, stop_of(Level.HOLD))))
    first = bench.decision
    assert (first.arming, first.stop.guard, first.level) == (ArmingState.STOPPED, "tilt", Level.CUT)
    assert drives(bench.run(2.0)) == {Drive.DISABLE}
    assert bench.decision.stop.further == ()
    assert bench.press(OperatorAction.ARM).refusals
    assert bench.press(OperatorAction.START).refusals
    assert bench.press(OperatorAction.RESUME).refusals
    assert bench.press(OperatorAction.RESET).arming is ArmingState.DISARMED
    assert bench.decision.stop is None
    bench.running()


def test_what_is_not_measured_yet_does_not_add_to_the_stop_of_the_process_before() -> None:
    bench = Bench(memory=Paper(found(ArmingState.STOPPED, stop_of())))
    bench.status[:] = MotorStatus.ENABLED
    bench.obey = lambda: None
    bench.inputs.hashes_match = False
    bench.run(0.5)
    assert not bench.decision.is_at_rest
    assert bench.decision.stop.further == ()
    assert bench.press(OperatorAction.RESET).refusals == ("the stop has not come to its end",)


def test_the_emergency_stop_adds_to_the_stop_of_the_process_before() -> None:
    bench = Bench(memory=Paper(found(ArmingState.STOPPED, stop_of())))
    bench.inputs.emergency_stop = True
    bench.step()
    assert bench.decision.stop.further == ("emergency_stop",)
    assert bench.decision.stop.inherited


def test_a_cause_that_is_still_there_is_not_reset() -> None:
    bench = Bench(memory=Paper(found(ArmingState.STOPPED, stop_of())))
    bench.imu_changes = TILTED
    bench.run(1.0)
    assert any("tilt" in refusal for refusal in bench.press(OperatorAction.RESET).refusals)


def test_what_is_never_cleared_in_a_process_is_cleared_in_the_next_one() -> None:
    bench = Bench(memory=Paper(found(ArmingState.STOPPED, stop_of(guard="hashes"))))
    bench.run(1.0)
    assert bench.press(OperatorAction.RESET).arming is ArmingState.DISARMED


def test_notes_are_handed_on() -> None:
    assert Bench(memory=Paper(Found(None, "torn"))).core.notes == ("torn",)
    assert Bench().core.notes == ()


def test_a_memory_that_raises_when_it_is_loaded_is_not_taken_for_an_empty_one() -> None:
    paper = Paper()
    paper.load = lambda: (_ for _ in ()).throw(RuntimeError("broken"))
    bench = Bench(memory=paper)
    assert (bench.decision.arming, bench.decision.stop.guard) == (ArmingState.STOPPED, STATE_FILE)
    assert bench.core.notes == ("RuntimeError: broken",)


def test_a_memory_that_raises_when_it_stores_stops_the_robot_and_keeps_nothing_from_going_out() -> None:
    paper = Paper()
    bench = Bench(memory=paper).running()

    def broken(kept: Kept) -> None:
        raise RuntimeError("broken")

    paper.store = broken
    decision = bench.press(OperatorAction.STOP)
    assert decision.level is PROFILE.unknown
    assert decision.arming is ArmingState.STOPPED
    assert decision.actuation.command.kp_nm_per_rad.max() == 0.0
    assert bench.run(PROFILE.damp_duration_s + 0.1)[-1].actuation.drive is Drive.DISABLE


STOPS = (None, *(stop_of(level) for level in LATCHING), stop_of(planned=True), stop_of(Level.HOLD, "operator"))
EVERY_FOUND = [
    *(
        found(arming, stop, problem=problem)
        for arming, stop, problem in itertools.product(ARMINGS, STOPS, ("", "torn"))
    ),
    Found(None, "unreadable", START_S),
]
STOPPED = [case for case in EVERY_FOUND if begin(case).arming is ArmingState.STOPPED]


def test_only_what_was_switched_off_in_order_does_not_begin_stopped() -> None:
    free = [case.kept for case in EVERY_FOUND if case not in STOPPED]
    assert free == [Kept(ArmingState.DISARMED), Kept(ArmingState.DISARMED, stop_of(planned=True))]


@pytest.mark.parametrize("presses", [(), *((action,) for action in OperatorAction)], ids=str)
def test_after_a_restart_one_press_neither_moves_nor_energises(presses: tuple[OperatorAction, ...]) -> None:
    after = ArmingState.DISARMED if presses == (OperatorAction.RESET,) else ArmingState.STOPPED
    for case in STOPPED:
        bench = Bench(memory=Paper(case))
        bench.run(ARMING.clear_s + 0.1)
        decisions = [bench.press(*presses), *bench.run(0.02)]
        assert {decision.arming for decision in decisions} == {after}
        assert drives(decisions) <= OFF


def test_a_broken_row_is_still_refused_first() -> None:
    with pytest.raises(ValueError, match="unit"):
        Bench(with_rows(tilt={"unit": "deg"}), memory=Paper())


def test_what_was_found_and_asked_of_the_memory_is_told_for_the_record() -> None:
    assert (Bench().core.found, Bench().core.latch_missing) == (None, "")
    paper = Paper(found(ArmingState.DISARMED), is_kept=False)
    bench = Bench(memory=paper)
    assert bench.core.found is paper.found
    bench.run(0.1)
    assert bench.core.latch_missing == ""  # Nobody has asked yet.
    bench.step(request=Request.DRILL)
    bench.run(0.1)
    assert bench.core.latch_missing == "nobody has written it yet"
    paper.is_kept = True
    bench.run(0.1)
    assert bench.core.latch_missing == ""
