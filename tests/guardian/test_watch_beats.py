"""The guardian's watch: what a beat says, and what it contradicts."""

from __future__ import annotations

import pytest

from supervisor.core.levels import Level
from supervisor.guardian.messages import Beat, Kind
from supervisor.guardian.watch import PROOF_S, Fault, Watch
from tests.guardian.beats import (
    ALL,
    ARMED,
    CHECKING,
    DISARMED,
    LIVE,
    PERIOD_S,
    RUNNING,
    WINDOW_S,
    A,
    Loop,
    beat,
    running_loop,
)

# What a beat says


@pytest.mark.parametrize("step", [-3, -1, 0, 2, 100])
def test_a_beat_that_is_repeated_or_skipped_is_a_fault(step: int) -> None:
    loop = running_loop()
    loop.watch.hear(beat(loop.number + step, *RUNNING), loop.now_s + PERIOD_S)
    assert loop.watch.fault is Fault.SEQUENCE


def test_the_first_beat_is_number_one() -> None:
    loop = Loop()
    loop.watch.hear(beat(2), loop.now_s)
    assert loop.watch.fault is Fault.SEQUENCE


def test_what_is_no_beat_is_a_fault() -> None:
    loop = running_loop()
    loop.watch.hear(None, loop.now_s)
    assert loop.watch.fault is Fault.TOKEN


@pytest.mark.parametrize(("arming", "level"), [(5, 0), (255, 0), (0, 8), (0, 255), (4, 0), (4, 2)])
def test_a_standing_that_does_not_exist_is_a_fault(arming: int, level: int) -> None:
    loop = running_loop()
    loop.watch.hear(Beat(Kind.BEAT, level, arming, False, loop.number + 1, ALL, 0, loop.now_s), loop.now_s + PERIOD_S)
    assert loop.watch.fault is Fault.TOKEN


@pytest.mark.parametrize("evaluated", [0, 0b011, 0b110, 0b1111])
def test_a_guard_that_was_not_evaluated_is_a_fault(evaluated: int) -> None:
    assert running_loop().beat(*RUNNING, evaluated=evaluated) is Fault.UNEVALUATED


@pytest.mark.parametrize("level", [Level.DAMP, Level.CUT, Level.TERMINAL])
def test_a_stop_that_needs_no_guards_needs_none(level: Level) -> None:
    assert running_loop().beat(A.STOPPED, level, evaluated=0) is Fault.NONE


def test_a_stop_that_needs_guards_needs_all() -> None:
    assert running_loop().beat(A.STOPPED, Level.SETTLE, evaluated=0b11) is Fault.UNEVALUATED


# Disagreement


def test_a_live_robot_with_a_level_that_latches_is_a_fault_after_two_beats() -> None:
    loop = running_loop()
    assert [loop.beat(A.RUNNING, Level.HOLD) for _ in range(3)] == [Fault.NONE, Fault.NONE, Fault.DISAGREED]


def test_two_beats_of_disagreement_and_one_without_are_no_fault() -> None:
    loop = running_loop()
    for _ in range(20):
        loop.run((A.RUNNING, Level.HOLD), (A.RUNNING, Level.HOLD), RUNNING)
    assert loop.watch.fault is Fault.NONE


@pytest.mark.parametrize(("standing", "fault"), [(RUNNING, Fault.DISAGREED), (ARMED, Fault.DISAGREED)])
def test_a_tripped_guard_whose_level_is_not_in_force_is_a_fault(standing, fault: Fault) -> None:
    loop = Loop()
    loop.run(DISARMED, CHECKING, ARMED)
    assert [loop.beat(*standing, tripped=0b010) for _ in range(3)] == [Fault.NONE, Fault.NONE, fault]


def test_a_tripped_guard_of_the_lowest_level_that_latches_counts() -> None:
    watch = Watch(window_s=WINDOW_S, period_s=PERIOD_S, guard_levels=(Level.HOLD,), is_latched=False, now_s=0.0)
    for number, standing in enumerate((*LIVE, RUNNING, RUNNING)):
        tripped = int(standing == RUNNING)
        watch.hear(beat(number + 1, *standing, evaluated=1, tripped=tripped), number * PERIOD_S)
    assert watch.fault is Fault.DISAGREED


def test_a_tripped_guard_that_only_warns_is_none() -> None:
    loop = running_loop()
    assert [loop.beat(A.RUNNING, Level.WARN, tripped=0b100) for _ in range(5)] == [Fault.NONE] * 5


def test_while_checking_a_tripped_guard_only_stands_in_the_way() -> None:
    loop = Loop()
    loop.beat(*DISARMED)
    assert [loop.beat(*CHECKING, tripped=0b011) for _ in range(5)] == [Fault.NONE] * 5


def test_a_robot_that_goes_live_with_a_latch_of_an_earlier_run_is_cut() -> None:
    loop = Loop(is_latched=True)
    loop.beat(*DISARMED)
    assert loop.watch.is_latched
    assert [loop.beat(*CHECKING) for _ in range(3)] == [Fault.NONE, Fault.NONE, Fault.DISAGREED]
    assert not loop.watch.may_damp


def test_an_operators_reset_clears_the_latch_of_an_earlier_run() -> None:
    loop = Loop(is_latched=True)
    loop.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    assert loop.watch.is_latched
    loop.beat(*DISARMED)
    assert not loop.watch.is_latched
    assert [loop.beat(*CHECKING) for _ in range(5)] == [Fault.NONE] * 5


def test_a_reset_and_an_arming_in_one_cycle_are_no_disagreement() -> None:
    loop = Loop(is_latched=True)
    loop.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    assert [loop.beat(*CHECKING, is_at_rest=True) for _ in range(5)] == [Fault.NONE] * 5


def test_motors_that_are_not_known_to_be_off_after_a_cut_are_a_fault() -> None:
    loop = running_loop()
    beats = 0
    while loop.beat(A.STOPPED, Level.CUT) is Fault.NONE:
        beats += 1
    assert loop.watch.fault is Fault.NOT_OFF
    assert beats * PERIOD_S == pytest.approx(PROOF_S, abs=2.0 * PERIOD_S)


def test_the_time_until_motors_must_be_known_to_be_off_is_all_theirs() -> None:
    loop = running_loop()
    loop.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    cut_s = loop.now_s = 1024.0
    loop.beat(A.STOPPED, Level.CUT, is_at_rest=True, after_s=0.0)
    while loop.now_s < cut_s + PROOF_S:
        loop.beat(A.STOPPED, Level.CUT, after_s=1.0 / 256.0)
    assert loop.now_s == cut_s + PROOF_S
    assert loop.watch.fault is Fault.NONE
    loop.beat(A.STOPPED, Level.CUT, after_s=1.0 / 256.0)
    assert loop.watch.fault is Fault.NOT_OFF


def test_motors_that_become_known_to_be_off_in_time_are_none() -> None:
    loop = running_loop()
    for _ in range(3):
        loop.silent(0.01)
        loop.beat(A.STOPPED, Level.CUT)
    for _ in range(500):
        loop.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    assert loop.watch.fault is Fault.NONE


def test_a_robot_that_damps_is_given_its_time() -> None:
    loop = running_loop()
    for _ in range(2000):
        loop.beat(A.STOPPED, Level.DAMP)
    assert loop.watch.fault is Fault.NONE
