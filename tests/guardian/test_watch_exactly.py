"""The watch at the edges of its counts, and before its first beat."""

from __future__ import annotations

from supervisor.core.levels import Level
from supervisor.guardian.watch import RATE_MARGIN, Fault, Watch
from tests.guardian.beats import CHECKING, DISARMED, LEVELS, WINDOW_S, A, Loop, beat


def test_before_the_first_beat_nobody_was_silent() -> None:
    loop = Loop()
    assert loop.watch.silence_s == 0.0
    loop.watch.end()
    assert loop.watch.silence_s == 0.0


def test_two_beats_may_disagree_and_no_more_from_the_very_first() -> None:
    loop = Loop()
    faults = [loop.beat(*CHECKING, Level.HOLD) for _ in range(3)]
    assert faults == [Fault.NONE, Fault.NONE, Fault.DISAGREED]


def test_a_latch_that_an_operator_has_reset_is_no_latch() -> None:
    loop = Loop(is_latched=True)
    loop.run(DISARMED, (A.STOPPED, Level.CUT))
    assert loop.watch.is_latched is True
    loop.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    assert loop.beat(*DISARMED) is Fault.NONE
    assert loop.watch.is_latched is False


def test_a_burst_of_just_what_is_allowed_is_not_early() -> None:
    # One beat a second may come; the first one has waited half a second, and so is half a beat ahead.
    watch = Watch(window_s=WINDOW_S, period_s=RATE_MARGIN, guard_levels=LEVELS, is_latched=False, now_s=100.0)
    faults = []
    for sequence in range(1, 6):
        watch.hear(beat(sequence, stamp_s=99.5), 100.0)
        faults.append(watch.fault)
    assert faults == [Fault.NONE] * 4 + [Fault.EARLY]


def test_time_that_was_not_used_is_a_reserve_of_one_beat() -> None:
    loop = Loop()
    loop.beat(*DISARMED)
    loop.silent(0.1)
    faults = []
    for sequence in range(2, 6):
        loop.watch.hear(beat(sequence), loop.now_s)
        faults.append(loop.watch.fault)
    assert faults == [Fault.NONE] * 3 + [Fault.EARLY]
