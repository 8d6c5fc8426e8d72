"""The guardian's watch: which standing may follow which."""

from __future__ import annotations

import pytest

from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.guardian.messages import Kind
from supervisor.guardian.watch import Fault, Phase, Standing, may_follow
from supervisor.safety.arming import Situation, press, situations
from tests.guardian.beats import ARMED, DISARMED, LIVE, RUNNING, STANDINGS, A, Loop, running_loop


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
    loop = running_loop()
    loop.beat(A.STOPPED, Level.DAMP)
    assert loop.beat(A.STOPPED, Level.SETTLE) is Fault.LOWERED


def test_a_loop_that_begins_armed_is_a_fault() -> None:
    assert Loop().beat(*ARMED) is Fault.LOWERED


def test_a_whole_run_with_a_trip_and_a_reset_is_no_fault() -> None:
    loop = running_loop()
    loop.run((A.STOPPED, Level.HOLD), (A.STOPPED, Level.SETTLE), (A.STOPPED, Level.CUT))
    loop.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    loop.run(*LIVE, (A.STOPPED, Level.HOLD), RUNNING, (A.STOPPED, Level.SETTLE))
    loop.beat(A.STOPPED, Level.SETTLE, is_at_rest=True)
    assert loop.beat(*DISARMED, kind=Kind.FAREWELL) is Fault.NONE
    assert loop.watch.phase is Phase.RELEASED
