"""The guardian's watch: how it ends, and that no garbage ends it otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.levels import Level
from supervisor.guardian.messages import Beat, Kind
from supervisor.guardian.watch import OFF, TO_CUT, WORDS, Fault, Phase, Standing, may_follow, standing_of
from tests.guardian.beats import DISARMED, RUNNING, STANDINGS, A, Loop, beat, running_loop

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
    assert running_loop().beat(*RUNNING, kind=Kind.FAREWELL) is Fault.LEFT


def test_an_end_without_a_farewell_is_a_fault() -> None:
    loop = running_loop()
    loop.watch.end()
    assert loop.watch.fault is Fault.GONE


def test_an_end_before_the_first_beat_is_none() -> None:
    loop = Loop()
    loop.watch.end()
    assert (loop.watch.phase, loop.watch.fault) == (Phase.RELEASED, Fault.NONE)


def test_the_first_fault_is_kept_and_nothing_is_heard_after_it() -> None:
    loop = running_loop()
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
