from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.guardian.messages import Beat, Kind
from supervisor.guardian.watch import (
    BEYOND_S,
    OFF,
    OFF_WINDOW_S,
    PROOF_S,
    TO_CUT,
    WORDS,
    Fault,
    Phase,
    Standing,
    Watch,
    may_follow,
    standing_of,
)
from supervisor.safety.arming import Situation, press, situations
from tests.guardian.beats import (
    ALL,
    ARMED,
    CHECKING,
    DISARMED,
    LEVELS,
    LIVE,
    PERIOD_S,
    RUNNING,
    WINDOW_S,
    A,
    Loop,
    beat,
)


def running() -> Loop:
    loop = Loop()
    assert loop.run(*LIVE) is Fault.NONE
    return loop


# Silence


def test_nobody_has_begun_and_nobody_is_missed() -> None:
    loop = Loop()
    assert loop.silent(3600.0, step_s=1.0) is Fault.NONE
    assert loop.watch.phase is Phase.WAITING


def test_silence_up_to_the_window_is_no_fault_and_beyond_it_is() -> None:
    loop = running()
    assert loop.silent(WINDOW_S) is Fault.NONE
    assert loop.silent(0.0001) is Fault.SILENT
    assert loop.watch.phase is Phase.STOPPING
    assert loop.watch.silence_s == pytest.approx(WINDOW_S + 0.0001)


def test_a_beat_within_the_window_begins_it_anew() -> None:
    loop = running()
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
    loop = running()
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
    loop = running()
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
    loop = running()
    assert loop.beat(*RUNNING, after_s=0.004, stamp_s=stamp_s) is Fault.NONE
    assert loop.watch.silence_s == pytest.approx(0.004)


def test_a_stamp_from_the_future_gains_nothing() -> None:
    loop = running()
    loop.beat(*RUNNING, stamp_s=loop.now_s + 3600.0)
    assert loop.watch.silence_s == 0.0
    assert loop.silent(WINDOW_S + 0.001) is Fault.SILENT


def test_it_says_how_long_it_need_not_look() -> None:
    loop = running()
    assert loop.watch.wait_s == loop.watch.slice_s
    loop.silent(0.018)
    assert loop.watch.wait_s == pytest.approx(0.002 + BEYOND_S)
    loop.now_s += loop.watch.wait_s
    loop.watch.look(loop.now_s)
    assert loop.watch.fault is Fault.SILENT


def test_time_in_which_the_guardian_itself_stood_still_proves_little() -> None:
    loop = running()
    loop.now_s += 0.2
    loop.watch.look(loop.now_s)
    assert loop.watch.fault is Fault.NONE
    assert loop.watch.silence_s == pytest.approx(2.0 * loop.watch.slice_s)
    assert loop.silent(WINDOW_S) is Fault.SILENT


def test_beats_that_waited_while_the_guardian_stood_still_are_no_burst() -> None:
    loop = running()
    stood_s = loop.now_s
    for _ in range(100):
        loop.number += 1
        loop.watch.hear(beat(loop.number, *RUNNING), stood_s + 0.2)
    loop.watch.look(stood_s + 0.2)
    loop.now_s = stood_s + 0.2
    assert loop.beat(*RUNNING) is Fault.NONE


# Too early


def test_a_loop_that_was_late_and_then_on_time_is_no_fault() -> None:
    loop = running()
    for late_s in (0.0019, 0.0059, 0.0099, 0.0139):
        loop.beat(*RUNNING, after_s=PERIOD_S + late_s)
        loop.beat(*RUNNING, after_s=PERIOD_S - late_s % PERIOD_S)
    assert loop.watch.fault is Fault.NONE


def test_a_beat_that_was_held_up_on_its_way_is_no_fault() -> None:
    loop = running()
    for _ in range(50):
        loop.beat(*RUNNING, after_s=2.9 * PERIOD_S)
        loop.beat(*RUNNING, after_s=0.05 * PERIOD_S)
        assert loop.beat(*RUNNING, after_s=0.05 * PERIOD_S) is Fault.NONE


def test_more_beats_than_there_can_be_cycles_are_a_fault() -> None:
    loop = running()
    faults = [loop.beat(*RUNNING, after_s=0.0) for _ in range(4)]
    assert faults[:2] == [Fault.NONE, Fault.NONE]
    assert faults[-1] is Fault.EARLY


def test_a_loop_that_runs_at_another_rate_is_found() -> None:
    loop = running()
    beats = 0
    while loop.beat(*RUNNING, after_s=0.9 * PERIOD_S) is Fault.NONE:
        beats += 1
    assert loop.watch.fault is Fault.EARLY
    assert beats < 40


def test_a_loop_on_time_is_never_early_however_long_it_runs() -> None:
    loop = running()
    for _ in range(20_000):
        loop.beat(*RUNNING, after_s=PERIOD_S * 0.999)
    assert loop.watch.fault is Fault.NONE


@given(st.lists(st.floats(0.0, 0.05), max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_pacing_on_the_beat_is_ever_early(delays: list[float]) -> None:
    # As the pacer has it: cycles begin on multiples of the period, late ones skip what was lost.
    loop = running()
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


# What a beat says


@pytest.mark.parametrize("step", [-3, -1, 0, 2, 100])
def test_a_beat_that_is_repeated_or_skipped_is_a_fault(step: int) -> None:
    loop = running()
    loop.watch.hear(beat(loop.number + step, *RUNNING), loop.now_s + PERIOD_S)
    assert loop.watch.fault is Fault.SEQUENCE


def test_the_first_beat_is_number_one() -> None:
    loop = Loop()
    loop.watch.hear(beat(2), loop.now_s)
    assert loop.watch.fault is Fault.SEQUENCE


def test_what_is_no_beat_is_a_fault() -> None:
    loop = running()
    loop.watch.hear(None, loop.now_s)
    assert loop.watch.fault is Fault.TOKEN


@pytest.mark.parametrize(("arming", "level"), [(5, 0), (255, 0), (0, 8), (0, 255), (4, 0), (4, 2)])
def test_a_standing_that_does_not_exist_is_a_fault(arming: int, level: int) -> None:
    loop = running()
    loop.watch.hear(Beat(Kind.BEAT, level, arming, False, loop.number + 1, ALL, 0, loop.now_s), loop.now_s + PERIOD_S)
    assert loop.watch.fault is Fault.TOKEN


@pytest.mark.parametrize("evaluated", [0, 0b011, 0b110, 0b1111])
def test_a_guard_that_was_not_evaluated_is_a_fault(evaluated: int) -> None:
    assert running().beat(*RUNNING, evaluated=evaluated) is Fault.UNEVALUATED


@pytest.mark.parametrize("level", [Level.DAMP, Level.CUT, Level.TERMINAL])
def test_a_stop_that_needs_no_guards_needs_none(level: Level) -> None:
    assert running().beat(A.STOPPED, level, evaluated=0) is Fault.NONE


def test_a_stop_that_needs_guards_needs_all() -> None:
    assert running().beat(A.STOPPED, Level.SETTLE, evaluated=0b11) is Fault.UNEVALUATED


# Steps from one standing to the next

STANDINGS = [
    Standing(arming, level, is_at_rest)
    for arming, level, is_at_rest in product(ArmingState, Level, (False, True))
    if (arming is ArmingState.STOPPED) == level.latches and (arming is ArmingState.STOPPED or level is Level.NONE)
]


def reached(before: Standing) -> set[tuple[ArmingState, Level]]:
    """Everything that one or two presses can lead to, whatever else holds, by the safety core's own table."""
    found = {(before.arming, before.level)}
    for _ in range(2):
        for arming, level in tuple(found):
            for situation in situations():
                if (situation.arming, situation.level) != (arming, level):
                    continue
                if situation.is_at_rest != before.is_at_rest and arming is before.arming:
                    continue
                for action in OperatorAction:
                    found.add(_after(action, situation))
    return found


def _after(action: OperatorAction, situation: Situation) -> tuple[ArmingState, Level]:
    outcome = press(action, situation)
    level = Level.NONE if outcome.resets else situation.level
    if outcome.stop is not None:
        level = max(level, outcome.stop)
    return outcome.arming, level


@pytest.mark.parametrize("before", STANDINGS, ids=str)
def test_whatever_one_press_leads_to_may_follow(before: Standing) -> None:
    for situation in situations():
        if (situation.arming, situation.level) != (before.arming, before.level):
            continue
        if before.arming is ArmingState.STOPPED and situation.is_at_rest != before.is_at_rest:
            continue
        for action in OperatorAction:
            arming, level = _after(action, situation)
            now = Standing(arming, level, before.is_at_rest)
            assert may_follow(before, now), f"{action} leads from {before} to {now}"


@pytest.mark.parametrize("before", [s for s in STANDINGS if s.arming is ArmingState.STOPPED], ids=str)
def test_nothing_that_presses_do_not_lead_to_may_lower_a_latch(before: Standing) -> None:
    allowed = reached(before)
    for now in STANDINGS:
        is_lower = now.arming is not ArmingState.STOPPED or now.level < before.level
        if is_lower and now.is_at_rest == before.is_at_rest and (now.arming, now.level) not in allowed:
            assert not may_follow(before, now), f"{before} to {now}"


@pytest.mark.parametrize(
    ("before", "now", "is_allowed"),
    [
        ((A.STOPPED, Level.CUT, True), (A.DISARMED, Level.NONE, True), True),
        ((A.STOPPED, Level.CUT, False), (A.DISARMED, Level.NONE, True), True),
        ((A.STOPPED, Level.CUT, False), (A.DISARMED, Level.NONE, False), False),
        ((A.STOPPED, Level.CUT, True), (A.CHECKING, Level.NONE, True), True),
        ((A.STOPPED, Level.CUT, True), (A.ARMED, Level.NONE, True), False),
        ((A.STOPPED, Level.CUT, True), (A.RUNNING, Level.NONE, False), False),
        ((A.STOPPED, Level.HOLD, False), (A.ARMED, Level.NONE, False), True),
        ((A.STOPPED, Level.HOLD, False), (A.RUNNING, Level.NONE, False), True),
        ((A.STOPPED, Level.HOLD, True), (A.DISARMED, Level.NONE, True), False),
        ((A.STOPPED, Level.TERMINAL, True), (A.DISARMED, Level.NONE, True), False),
        ((A.STOPPED, Level.DAMP, False), (A.STOPPED, Level.SETTLE, False), False),
        ((A.STOPPED, Level.DAMP, False), (A.STOPPED, Level.CUT, False), True),
        ((A.DISARMED, Level.NONE, True), (A.ARMED, Level.NONE, False), False),
        ((A.DISARMED, Level.NONE, True), (A.RUNNING, Level.NONE, False), False),
        ((A.DISARMED, Level.NONE, True), (A.CHECKING, Level.NONE, False), True),
        ((A.DISARMED, Level.NONE, True), (A.STOPPED, Level.CUT, True), True),
        ((A.CHECKING, Level.NONE, False), (A.RUNNING, Level.NONE, False), False),
        ((A.CHECKING, Level.NONE, False), (A.ARMED, Level.NONE, False), True),
        ((A.RUNNING, Level.NONE, False), (A.DISARMED, Level.NONE, False), True),
    ],
)
def test_steps_by_hand(before, now, is_allowed: bool) -> None:
    assert may_follow(Standing(*before), Standing(*now)) is is_allowed


def test_a_latched_level_that_falls_is_a_fault() -> None:
    loop = running()
    loop.beat(A.STOPPED, Level.DAMP)
    assert loop.beat(A.STOPPED, Level.SETTLE) is Fault.LOWERED


def test_a_loop_that_begins_armed_is_a_fault() -> None:
    assert Loop().beat(*ARMED) is Fault.LOWERED


def test_a_whole_run_with_a_trip_and_a_reset_is_no_fault() -> None:
    loop = running()
    loop.run((A.STOPPED, Level.HOLD), (A.STOPPED, Level.SETTLE), (A.STOPPED, Level.CUT))
    loop.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    loop.run(*LIVE, (A.STOPPED, Level.HOLD), RUNNING, (A.STOPPED, Level.SETTLE))
    loop.beat(A.STOPPED, Level.SETTLE, is_at_rest=True)
    assert loop.beat(*DISARMED, kind=Kind.FAREWELL) is Fault.NONE
    assert loop.watch.phase is Phase.RELEASED


# Disagreement


def test_a_live_robot_with_a_level_that_latches_is_a_fault_after_two_beats() -> None:
    loop = running()
    assert [loop.beat(A.RUNNING, Level.HOLD) for _ in range(3)] == [Fault.NONE, Fault.NONE, Fault.DISAGREED]


def test_two_beats_of_disagreement_and_one_without_are_no_fault() -> None:
    loop = running()
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
    loop = running()
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
    loop = running()
    beats = 0
    while loop.beat(A.STOPPED, Level.CUT) is Fault.NONE:
        beats += 1
    assert loop.watch.fault is Fault.NOT_OFF
    assert beats * PERIOD_S == pytest.approx(PROOF_S, abs=2.0 * PERIOD_S)


def test_the_time_until_motors_must_be_known_to_be_off_is_all_theirs() -> None:
    loop = running()
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
    loop = running()
    for _ in range(3):
        loop.silent(0.01)
        loop.beat(A.STOPPED, Level.CUT)
    for _ in range(500):
        loop.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    assert loop.watch.fault is Fault.NONE


def test_a_robot_that_damps_is_given_its_time() -> None:
    loop = running()
    for _ in range(2000):
        loop.beat(A.STOPPED, Level.DAMP)
    assert loop.watch.fault is Fault.NONE


# The end


@pytest.mark.parametrize("standing", [DISARMED, (A.STOPPED, Level.CUT)])
def test_a_farewell_with_the_motors_off_is_the_end(standing) -> None:
    loop = Loop()
    loop.beat(*DISARMED)
    loop.beat(*standing, is_at_rest=True, kind=Kind.FAREWELL)
    loop.watch.end()
    assert (loop.watch.phase, loop.watch.fault) == (Phase.RELEASED, Fault.NONE)
    assert loop.silent(10.0, step_s=1.0) is Fault.NONE


def test_a_farewell_with_motors_that_may_be_on_is_a_fault() -> None:
    assert running().beat(*RUNNING, kind=Kind.FAREWELL) is Fault.LEFT


def test_an_end_without_a_farewell_is_a_fault() -> None:
    loop = running()
    loop.watch.end()
    assert loop.watch.fault is Fault.GONE


def test_an_end_before_the_first_beat_is_none() -> None:
    loop = Loop()
    loop.watch.end()
    assert (loop.watch.phase, loop.watch.fault) == (Phase.RELEASED, Fault.NONE)


def test_the_first_fault_is_kept_and_nothing_is_heard_after_it() -> None:
    loop = running()
    loop.watch.stop(Fault.SILENT)
    number = loop.watch.sequence
    loop.beat(*RUNNING)
    loop.watch.stop(Fault.GONE)
    loop.watch.end()
    assert (loop.watch.fault, loop.watch.sequence, loop.watch.is_latched) == (Fault.SILENT, number, True)


@pytest.mark.parametrize("standing", STANDINGS, ids=str)
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
def test_damping_is_for_live_motors_without_a_cut(standing: Standing, fault: Fault) -> None:
    watch = Loop().watch
    watch.standing = standing
    watch.stop(fault)
    may_be_on = standing.arming in (A.CHECKING, A.ARMED, A.RUNNING) or (
        standing.arming is A.STOPPED and not standing.is_at_rest
    )
    assert watch.may_damp is (may_be_on and standing.level < Level.CUT and fault not in TO_CUT)


def test_every_fault_has_words() -> None:
    assert set(WORDS) == set(Fault) - {Fault.NONE}


def test_what_is_off_is_off() -> None:
    assert not OFF.may_be_on
    assert standing_of(beat(1)) == OFF


# Garbage


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.builds(
                Beat,
                st.sampled_from([Kind.BEAT, Kind.FAREWELL]),
                st.integers(0, 255),
                st.integers(0, 255),
                st.booleans(),
                st.integers(0, 20),
                st.integers(0, 2**64 - 1),
                st.integers(0, 2**64 - 1),
                st.floats(),
            ),
        ),
        max_size=30,
    ),
    st.lists(st.floats(0.0, 0.1), min_size=30, max_size=30),
)
@settings(max_examples=200, deadline=None)
def test_no_garbage_raises_and_a_fault_once_found_stays(beats: list[Beat | None], gaps: list[float]) -> None:
    loop = Loop()
    found = Fault.NONE
    for message, gap_s in zip(beats, gaps, strict=False):
        loop.now_s += gap_s
        loop.watch.hear(message, loop.now_s)
        loop.watch.look(loop.now_s)
        assert found in (Fault.NONE, loop.watch.fault)
        found = loop.watch.fault
    assert (found is Fault.NONE) is (loop.watch.phase is not Phase.STOPPING)


@given(st.lists(st.sampled_from(STANDINGS), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_latch_never_falls_unnoticed(standings: list[Standing]) -> None:
    loop, before = Loop(), OFF
    for now in standings:
        fault = loop.beat(now.arming, now.level, is_at_rest=now.is_at_rest)
        if not may_follow(before, now):
            assert fault is not Fault.NONE
        if fault is not Fault.NONE:
            return
        before = now
