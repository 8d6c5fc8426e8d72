"""The product of all situations and presses, enumerated."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import pytest

from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.safety.arming import Outcome, Situation, press, situations

ALL = list(situations())
PRESSES = list(OperatorAction)


def after(action: OperatorAction, now: Situation) -> Situation:
    """The situation after a press."""
    outcome = press(action, now)
    if outcome.stop is not None:
        level = max(now.level, outcome.stop)
        own = outcome.stop is Level.HOLD and now.level is Level.NONE
        return Situation(ArmingState.STOPPED, level, own, False, now.guards, now.causes, now.devices)
    if outcome.resets:
        return Situation(outcome.arming, is_at_rest=now.is_at_rest, guards=now.guards, devices=now.devices)
    return replace(now, arming=outcome.arming)


def by_itself(now: Situation) -> Iterator[Situation]:
    """Everything that can change without a press: reasons come and go, stops end, checks pass, levels fall through."""
    reasons = ((), ("reason",))
    for guards in reasons:
        for causes in reasons:
            for devices in reasons:
                yield replace(now, guards=guards, causes=causes, devices=devices)
    if now.arming is ArmingState.STOPPED:
        yield replace(now, is_at_rest=True)
        yield from (replace(now, level=level, is_operator_hold=False) for level in Level if level > now.level)
        yield replace(now, is_operator_hold=False)
    if now.arming is ArmingState.CHECKING:
        yield replace(now, arming=ArmingState.ARMED)
        yield replace(now, arming=ArmingState.DISARMED)


def presses_to_motion(start: Situation) -> int | None:
    """Fewest presses after which proposals are followed; None when they never are."""
    queue: deque[tuple[int, Situation]] = deque([(0, start)])
    seen: set[Situation] = set()
    while queue:
        count, now = queue.popleft()
        if now in seen:
            continue
        seen.add(now)
        if now.arming is ArmingState.RUNNING:
            return count
        queue.extendleft((count, then) for then in by_itself(now))
        queue.extend((count + 1, after(action, now)) for action in PRESSES)
    return None


def test_the_enumeration_is_complete() -> None:
    assert len(set(ALL)) == len(ALL)
    assert {situation.arming for situation in ALL} == set(ArmingState)
    stopped = {situation.level for situation in ALL if situation.arming is ArmingState.STOPPED}
    assert stopped == {level for level in Level if level.latches}


@pytest.mark.parametrize("situation", [s for s in ALL if s.arming is ArmingState.STOPPED and not s.is_operator_hold])
def test_from_any_trip_motion_takes_at_least_two_presses(situation: Situation) -> None:
    presses = presses_to_motion(situation)
    if situation.level is Level.TERMINAL:
        assert presses is None
    else:
        assert presses is not None
        assert presses >= (2 if situation.level is Level.HOLD else 3)


def test_from_disarmed_motion_takes_two_presses_and_an_operators_hold_one() -> None:
    assert presses_to_motion(Situation(ArmingState.DISARMED)) == 2
    assert presses_to_motion(Situation(ArmingState.STOPPED, Level.HOLD, True)) == 1


@pytest.mark.parametrize("situation", ALL)
@pytest.mark.parametrize("action", PRESSES)
def test_no_press_lowers_a_level_or_energises_except_by_its_own_edge(
    situation: Situation, action: OperatorAction
) -> None:
    outcome = press(action, situation)
    if outcome.refusals:
        assert outcome == replace(outcome, arming=situation.arming, stop=None, resets=False)
    if outcome.resets:
        assert action in (OperatorAction.RESET, OperatorAction.RESUME)
        assert situation.causes == () or action is OperatorAction.RESUME
    if outcome.arming is ArmingState.RUNNING and situation.arming is not ArmingState.RUNNING:
        assert action in (OperatorAction.START, OperatorAction.RESUME)
        assert situation.guards == ()
    if outcome.arming is ArmingState.CHECKING and situation.arming is not ArmingState.CHECKING:
        assert action is OperatorAction.ARM
        assert situation.guards == situation.devices == ()
    if outcome.stop is not None:
        assert outcome.arming is ArmingState.STOPPED
    if action is OperatorAction.CUT:
        assert outcome.stop is Level.CUT
    if action is OperatorAction.CONFIRM:
        assert outcome.arming is situation.arming


@pytest.mark.parametrize("situation", [s for s in ALL if s.level is Level.TERMINAL])
@pytest.mark.parametrize("action", PRESSES)
def test_terminal_is_left_by_no_press(situation: Situation, action: OperatorAction) -> None:
    assert after(action, situation).arming is ArmingState.STOPPED


@pytest.mark.parametrize("situation", [s for s in ALL if s.arming is ArmingState.STOPPED])
def test_reset_needs_the_cause_gone_and_the_stop_at_its_end(situation: Situation) -> None:
    outcome = press(OperatorAction.RESET, situation)
    allowed = situation.level is not Level.TERMINAL and not situation.causes
    if situation.level is Level.HOLD:
        allowed = allowed and not situation.guards
        target = ArmingState.ARMED
    else:
        allowed = allowed and situation.is_at_rest
        target = ArmingState.DISARMED
    assert outcome.resets is allowed
    assert outcome.arming is (target if allowed else ArmingState.STOPPED)


def test_a_refusal_lists_every_reason() -> None:
    now = Situation(ArmingState.DISARMED, guards=("tilt", "imu_age"), devices=("no drill",))
    assert press(OperatorAction.ARM, now).refusals == ("no drill", "tilt", "imu_age")
    stopped = Situation(ArmingState.STOPPED, Level.DAMP, is_at_rest=False, causes=("tilt",))
    assert len(press(OperatorAction.RESET, stopped).refusals) == 2
    assert "RESET first" in press(OperatorAction.ARM, stopped).refusals[0]


@pytest.mark.parametrize(
    ("action", "arming", "result", "stop"),
    [
        (OperatorAction.STOP, ArmingState.DISARMED, ArmingState.DISARMED, None),
        (OperatorAction.STOP, ArmingState.CHECKING, ArmingState.DISARMED, None),
        (OperatorAction.STOP, ArmingState.ARMED, ArmingState.STOPPED, Level.SETTLE),
        (OperatorAction.STOP, ArmingState.RUNNING, ArmingState.STOPPED, Level.SETTLE),
        (OperatorAction.HOLD, ArmingState.RUNNING, ArmingState.STOPPED, Level.HOLD),
        (OperatorAction.HOLD, ArmingState.ARMED, ArmingState.ARMED, None),
        (OperatorAction.HOLD, ArmingState.DISARMED, ArmingState.DISARMED, None),
        (OperatorAction.START, ArmingState.ARMED, ArmingState.RUNNING, None),
        (OperatorAction.START, ArmingState.CHECKING, ArmingState.CHECKING, None),
        (OperatorAction.RESUME, ArmingState.ARMED, ArmingState.ARMED, None),
        (OperatorAction.RESET, ArmingState.RUNNING, ArmingState.RUNNING, None),
    ],
)
def test_what_a_press_does(
    action: OperatorAction, arming: ArmingState, result: ArmingState, stop: Level | None
) -> None:
    outcome = press(action, Situation(arming))
    assert (outcome.arming, outcome.stop) == (result, stop)


def test_every_situation_that_exists_is_enumerated_once() -> None:
    reasons = ((), ("reason",))
    free = [
        Situation(arming, guards=guards, devices=devices)
        for arming in (ArmingState.DISARMED, ArmingState.CHECKING, ArmingState.ARMED, ArmingState.RUNNING)
        for guards in reasons
        for devices in reasons
    ]
    kinds = [(level, False) for level in Level if level.latches] + [(Level.HOLD, True)]
    stopped = [
        Situation(ArmingState.STOPPED, level, is_operator_hold, is_at_rest, guards, causes)
        for level, is_operator_hold in kinds
        for is_at_rest in (False, True)
        for guards in reasons
        for causes in reasons
    ]
    found = list(situations())
    assert len(found) == len(set(found)) == len(free) + len(stopped)
    assert set(found) == {*free, *stopped}


def stopped(level: Level, **more: object) -> Situation:
    return Situation(ArmingState.STOPPED, level, **more)


OWN = {"is_operator_hold": True}
CAUSE, GUARD, DEVICE = "the cause", "the guard", "the device"
RESUME_ONLY = "RESUME ends only a HOLD that the operator asked for; after a trip: RESET, then START"
NOT_ENDED = "the stop has not come to its end"


@pytest.mark.parametrize(
    ("action", "now", "refusals"),
    [
        (OperatorAction.HOLD, Situation(ArmingState.DISARMED), ("HOLD needs a robot under power; it is disarmed",)),
        (OperatorAction.HOLD, Situation(ArmingState.CHECKING), ("HOLD needs a robot under power; it is checking",)),
        (OperatorAction.ARM, Situation(ArmingState.ARMED), ("ARM needs a disarmed robot; it is armed",)),
        (OperatorAction.ARM, stopped(Level.CUT), ("ARM needs a disarmed robot; it is stopped; RESET first",)),
        (OperatorAction.ARM, Situation(ArmingState.DISARMED, guards=(GUARD,), devices=(DEVICE,)), (DEVICE, GUARD)),
        (OperatorAction.START, Situation(ArmingState.DISARMED), ("START needs an armed robot; it is disarmed",)),
        (OperatorAction.START, Situation(ArmingState.ARMED, guards=(GUARD, CAUSE)), (GUARD, CAUSE)),
        (OperatorAction.RESUME, Situation(ArmingState.RUNNING), (RESUME_ONLY,)),
        (OperatorAction.RESUME, Situation(ArmingState.RUNNING, Level.HOLD, is_operator_hold=True), (RESUME_ONLY,)),
        (OperatorAction.RESUME, stopped(Level.HOLD), (RESUME_ONLY,)),
        (OperatorAction.RESUME, stopped(Level.SETTLE, **OWN), (RESUME_ONLY,)),
        (OperatorAction.RESUME, stopped(Level.HOLD, guards=(GUARD, CAUSE), **OWN), (GUARD, CAUSE)),
        (OperatorAction.RESET, Situation(ArmingState.ARMED), ("RESET needs a latched stop; the robot is armed",)),
        (OperatorAction.RESET, stopped(Level.TERMINAL),
         ("TERMINAL is never reset in this process: find the cause, then start anew",)),
        (OperatorAction.RESET, stopped(Level.HOLD, causes=(CAUSE,), guards=(GUARD,)), (CAUSE, GUARD)),
        (OperatorAction.RESET, stopped(Level.CUT, causes=(CAUSE,), guards=(GUARD,)), (CAUSE,)),
        (OperatorAction.RESET, stopped(Level.CUT, causes=(CAUSE,), is_at_rest=False), (NOT_ENDED, CAUSE)),
    ],
)  # fmt: skip
def test_a_refusal_changes_nothing_and_gives_every_reason(
    action: OperatorAction, now: Situation, refusals: tuple[str, ...]
) -> None:
    assert press(action, now) == Outcome(now.arming, None, False, refusals)


@pytest.mark.parametrize(
    ("action", "now", "outcome"),
    [
        (OperatorAction.CONFIRM, Situation(ArmingState.RUNNING), Outcome(ArmingState.RUNNING)),
        (OperatorAction.CUT, Situation(ArmingState.DISARMED), Outcome(ArmingState.STOPPED, Level.CUT)),
        (OperatorAction.STOP, Situation(ArmingState.DISARMED), Outcome(ArmingState.DISARMED)),
        (OperatorAction.STOP, Situation(ArmingState.CHECKING), Outcome(ArmingState.DISARMED)),
        (OperatorAction.STOP, Situation(ArmingState.ARMED), Outcome(ArmingState.STOPPED, Level.SETTLE)),
        (OperatorAction.HOLD, Situation(ArmingState.RUNNING), Outcome(ArmingState.STOPPED, Level.HOLD)),
        (OperatorAction.HOLD, Situation(ArmingState.ARMED), Outcome(ArmingState.ARMED)),
        (OperatorAction.HOLD, stopped(Level.CUT), Outcome(ArmingState.STOPPED)),
        (OperatorAction.ARM, Situation(ArmingState.DISARMED), Outcome(ArmingState.CHECKING)),
        (OperatorAction.START, Situation(ArmingState.ARMED), Outcome(ArmingState.RUNNING)),
        (OperatorAction.RESUME, stopped(Level.HOLD, **OWN), Outcome(ArmingState.RUNNING, None, True)),
        (OperatorAction.RESET, stopped(Level.HOLD, is_at_rest=False), Outcome(ArmingState.ARMED, None, True)),
        (OperatorAction.RESET, stopped(Level.SETTLE), Outcome(ArmingState.DISARMED, None, True)),
    ],
)
def test_an_accepted_press_does_one_thing(action: OperatorAction, now: Situation, outcome: Outcome) -> None:
    assert press(action, now) == outcome
