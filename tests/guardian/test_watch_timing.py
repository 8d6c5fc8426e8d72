"""The guardian's watch: silence, and beats that come too early."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.levels import Level
from supervisor.guardian.watch import BEYOND_S, OFF_WINDOW_S, Fault, Phase, Watch
from tests.guardian.beats import (
    ARMED,
    CHECKING,
    DISARMED,
    LEVELS,
    PERIOD_S,
    RUNNING,
    WINDOW_S,
    A,
    Loop,
    beat,
    running_loop,
)

# Silence


def test_nobody_has_begun_and_nobody_is_missed() -> None:
    loop = Loop()
    assert loop.silent(3600.0, step_s=1.0) is Fault.NONE
    assert loop.watch.phase is Phase.WAITING


def test_silence_up_to_the_window_is_no_fault_and_beyond_it_is() -> None:
    loop = running_loop()
    assert loop.silent(WINDOW_S) is Fault.NONE
    assert loop.silent(0.0001) is Fault.SILENT
    assert loop.watch.phase is Phase.STOPPING
    assert loop.watch.silence_s == pytest.approx(WINDOW_S + 0.0001)


def test_a_beat_within_the_window_begins_it_anew() -> None:
    loop = running_loop()
    for _ in range(10):
        loop.silent(WINDOW_S - PERIOD_S)
        assert loop.beat(*RUNNING) is Fault.NONE


@pytest.mark.parametrize("standing", [DISARMED, (A.STOPPED, Level.CUT)])
def test_while_the_motors_are_off_a_slow_loop_is_no_fault(standing) -> None:
    loop = Loop()
    loop.beat(*standing, is_at_rest=True)
    assert loop.silent(OFF_WINDOW_S) is Fault.NONE
    assert loop.silent(0.001) is Fault.SILENT


@pytest.mark.parametrize("standing", [CHECKING, ARMED, RUNNING, (A.STOPPED, Level.SETTLE)])
def test_whenever_motors_may_be_on_the_window_holds(standing) -> None:
    loop = running_loop()
    if standing == CHECKING:
        loop = Loop()
    elif standing == ARMED:
        loop = Loop()
        loop.beat(*CHECKING)
    assert loop.beat(*standing) is Fault.NONE
    assert loop.silent(WINDOW_S + 0.001) is Fault.SILENT


def test_a_window_longer_than_that_of_motors_that_are_off_holds_for_them_too() -> None:
    watch = Watch(window_s=1.0, period_s=0.1, guard_levels=LEVELS, is_latched=False, now_s=0.0)
    watch.hear(beat(1), 0.0)
    for step in range(10):
        watch.look((step + 1) * 0.1)
    assert watch.fault is Fault.NONE
    watch.look(1.1)
    assert watch.fault is Fault.SILENT


def test_silence_is_counted_from_when_a_beat_was_sent_and_not_from_when_it_was_read() -> None:
    loop = running_loop()
    sent_s = loop.now_s + 0.001
    loop.beat(*RUNNING, after_s=0.004, stamp_s=sent_s)
    assert loop.watch.silence_s == pytest.approx(0.003)
    loop.now_s = sent_s
    assert loop.silent(WINDOW_S) is Fault.NONE
    loop.now_s += loop.watch.wait_s
    loop.watch.look(loop.now_s)
    assert loop.watch.fault is Fault.SILENT


@pytest.mark.parametrize("stamp_s", [-1e9, 0.0, float("nan"), float("-inf")])
def test_a_stamp_from_before_the_last_look_is_not_believed(stamp_s: float) -> None:
    loop = running_loop()
    assert loop.beat(*RUNNING, after_s=0.004, stamp_s=stamp_s) is Fault.NONE
    assert loop.watch.silence_s == pytest.approx(0.004)


def test_a_stamp_from_the_future_gains_nothing() -> None:
    loop = running_loop()
    loop.beat(*RUNNING, stamp_s=loop.now_s + 3600.0)
    assert loop.watch.silence_s == 0.0
    assert loop.silent(WINDOW_S + 0.001) is Fault.SILENT


def test_it_says_how_long_it_need_not_look() -> None:
    loop = running_loop()
    assert loop.watch.wait_s == loop.watch.slice_s
    loop.silent(0.018)
    assert loop.watch.wait_s == pytest.approx(0.002 + BEYOND_S)
    loop.now_s += loop.watch.wait_s
    loop.watch.look(loop.now_s)
    assert loop.watch.fault is Fault.SILENT


def test_time_in_which_the_guardian_itself_stood_still_proves_little() -> None:
    loop = running_loop()
    loop.now_s += 0.2
    loop.watch.look(loop.now_s)
    assert loop.watch.fault is Fault.NONE
    assert loop.watch.silence_s == pytest.approx(2.0 * loop.watch.slice_s)
    assert loop.silent(WINDOW_S) is Fault.SILENT


def test_beats_that_waited_while_the_guardian_stood_still_are_no_burst() -> None:
    loop = running_loop()
    stood_s = loop.now_s
    for _ in range(100):
        loop.number += 1
        loop.watch.hear(beat(loop.number, *RUNNING), stood_s + 0.2)
    loop.watch.look(stood_s + 0.2)
    loop.now_s = stood_s + 0.2
    assert loop.beat(*RUNNING) is Fault.NONE


# Too early


def test_a_loop_that_was_late_and_then_on_time_is_no_fault() -> None:
    loop = running_loop()
    for late_s in (0.0019, 0.0059, 0.0099, 0.0139):
        loop.beat(*RUNNING, after_s=PERIOD_S + late_s)
        loop.beat(*RUNNING, after_s=PERIOD_S - late_s % PERIOD_S)
    assert loop.watch.fault is Fault.NONE


def test_a_beat_that_was_held_up_on_its_way_is_no_fault() -> None:
    loop = running_loop()
    for _ in range(50):
        loop.beat(*RUNNING, after_s=2.9 * PERIOD_S)
        loop.beat(*RUNNING, after_s=0.05 * PERIOD_S)
        assert loop.beat(*RUNNING, after_s=0.05 * PERIOD_S) is Fault.NONE


def test_more_beats_than_there_can_be_cycles_are_a_fault() -> None:
    loop = running_loop()
    faults = [loop.beat(*RUNNING, after_s=0.0) for _ in range(4)]
    assert faults[:2] == [Fault.NONE, Fault.NONE]
    assert faults[-1] is Fault.EARLY


def test_a_loop_that_runs_at_another_rate_is_found() -> None:
    loop = running_loop()
    beats = 0
    while loop.beat(*RUNNING, after_s=0.9 * PERIOD_S) is Fault.NONE:
        beats += 1
    assert loop.watch.fault is Fault.EARLY
    assert beats < 40


def test_a_loop_on_time_is_never_early_however_long_it_runs() -> None:
    loop = running_loop()
    for _ in range(20_000):
        loop.beat(*RUNNING, after_s=PERIOD_S * 0.999)
    assert loop.watch.fault is Fault.NONE


@given(st.lists(st.floats(0.0, 0.05), max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_pacing_on_the_beat_is_ever_early(delays: list[float]) -> None:
    # As the pacer has it: cycles begin on multiples of the period, late ones skip what was lost.
    loop = running_loop()
    due = now_s = loop.now_s
    for delay_s in delays:
        due += PERIOD_S
        if now_s >= due + PERIOD_S:
            due += (now_s - due) // PERIOD_S * PERIOD_S
        now_s = max(now_s, due) + delay_s / 4.0
        loop.number += 1
        loop.watch.hear(beat(loop.number, *RUNNING), now_s)
        loop.watch.look(now_s)
        assert loop.watch.fault is Fault.NONE


@pytest.mark.parametrize("waited_s", [0.0, 0.05, 0.3])
def test_beats_that_waited_until_the_guardian_began_to_look_are_no_burst(waited_s: float) -> None:
    loop = Loop()
    for number in range(1 + int(waited_s / PERIOD_S)):
        loop.watch.hear(beat(number + 1, stamp_s=loop.now_s - waited_s + number * PERIOD_S), loop.now_s)
    assert loop.watch.fault is Fault.NONE


@pytest.mark.parametrize("stamp_s", [float("-inf"), float("inf"), float("nan"), 0.0])
def test_no_stamp_of_the_first_beat_makes_bursts_possible_for_ever(stamp_s: float) -> None:
    loop = Loop()
    loop.beat(stamp_s=stamp_s)
    faults = [loop.beat(after_s=0.0) for _ in range(300)]
    assert faults[-1] is Fault.EARLY
