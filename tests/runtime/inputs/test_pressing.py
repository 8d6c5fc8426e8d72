"""What becomes of a press is what the control loop says after it has taken it."""

from __future__ import annotations

import pytest

from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.ports import Prompt
from supervisor.runtime.inputs.pressing import QUEUE_PLACES, REACTION_S, Outcome, Press, Presses
from tests.runtime.inputs.desks import FakeDesk, snapshot

ARM, START, STOP, HOLD = OperatorAction.ARM, OperatorAction.START, OperatorAction.STOP, OperatorAction.HOLD
RESET, RESUME, CONFIRM, CUT = OperatorAction.RESET, OperatorAction.RESUME, OperatorAction.CONFIRM, OperatorAction.CUT


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


def settled(presses: Presses, press: Press, *seen: object) -> Press:
    """Look at snapshots in turn, a poll of 20 ms each."""
    now_s = 10.02
    presses.look(None, now_s)
    for one in seen:
        now_s += 0.02
        presses.look(one, now_s)  # type: ignore[arg-type]
    return press


@pytest.mark.parametrize(
    ("action", "arming", "refusals", "outcome", "line"),
    [
        (STOP, ArmingState.STOPPED, (), Outcome.ACCEPTED, "the robot is stopped"),
        (STOP, ArmingState.DISARMED, (), Outcome.ACCEPTED, "the robot is disarmed"),
        (CUT, ArmingState.STOPPED, (), Outcome.ACCEPTED, "the robot is stopped"),
        (HOLD, ArmingState.STOPPED, (), Outcome.ACCEPTED, "the robot is stopped"),
        (HOLD, ArmingState.DISARMED, ("HOLD needs power",), Outcome.REFUSED, "HOLD needs power"),
        (ARM, ArmingState.ARMED, (), Outcome.ACCEPTED, "the robot is armed"),
        (ARM, ArmingState.DISARMED, ("tilt", "fl_hip is silent"), Outcome.REFUSED, "fl_hip is silent"),
        (ARM, ArmingState.CHECKING, ("it is checking",), Outcome.REFUSED, "it is checking"),
        (ARM, ArmingState.DISARMED, (), Outcome.REFUSED, "the robot is disarmed"),
        (START, ArmingState.RUNNING, (), Outcome.ACCEPTED, "the robot is running"),
        (START, ArmingState.ARMED, ("tilt",), Outcome.REFUSED, "tilt"),
        (START, ArmingState.RUNNING, ("it is running",), Outcome.REFUSED, "it is running"),
        (RESUME, ArmingState.RUNNING, (), Outcome.ACCEPTED, "the robot is running"),
        (RESUME, ArmingState.STOPPED, ("RESUME ends only",), Outcome.REFUSED, "RESUME ends only"),
        (RESET, ArmingState.DISARMED, (), Outcome.ACCEPTED, "the robot is disarmed"),
        (RESET, ArmingState.ARMED, (), Outcome.ACCEPTED, "the robot is armed"),
        (RESET, ArmingState.DISARMED, ("RESET needs a stop",), Outcome.REFUSED, "RESET needs a stop"),
        (RESET, ArmingState.STOPPED, ("not at rest", "tilt"), Outcome.REFUSED, "not at rest"),
    ],
)
def test_the_snapshot_after_it_tells(
    desk: FakeDesk,
    action: OperatorAction,
    arming: ArmingState,
    refusals: tuple[str, ...],
    outcome: Outcome,
    line: str,
) -> None:
    done: list[Press] = []
    presses = Presses(desk, on_done=done.append)
    press = settled(presses, presses.press(action, "terminal", 10.0), snapshot(10.03, arming, *refusals))
    assert press.outcome is outcome
    assert any(line in one for one in press.lines)
    assert set(refusals) <= set(press.lines)
    assert (desk.pressed, done) == ([action], [press])


def test_a_snapshot_from_before_the_press_tells_nothing(desk: FakeDesk) -> None:
    presses = Presses(desk)
    press = presses.press(ARM, "terminal", 10.0)
    settled(presses, press, snapshot(10.019, ArmingState.DISARMED, "an old refusal"))
    assert press.outcome is Outcome.WAITING


def test_a_start_that_ends_in_a_stop_at_once_names_the_guard(desk: FakeDesk) -> None:
    presses = Presses(desk)
    press = presses.press(START, "terminal", 10.0)
    after = snapshot(10.03, ArmingState.STOPPED, level=Level.DAMP, guard="tilt")
    assert settled(presses, press, after).lines == ("the robot is stopped, level DAMP because of tilt",)
    assert press.outcome is Outcome.REFUSED


def test_an_arm_that_is_being_checked_is_waited_for(desk: FakeDesk) -> None:
    presses = Presses(desk)
    press = presses.press(ARM, "terminal", 10.0)
    presses.look(None, 10.01)
    for now_s, outcome in ((10.1, Outcome.WAITING), (10.4, Outcome.WAITING), (10.51, Outcome.ACCEPTED)):
        presses.look(snapshot(now_s, ArmingState.CHECKING), now_s)
        assert press.outcome is outcome
    assert "being checked" in press.lines[0]


def test_an_arm_that_fails_its_checks_is_refused_with_all_reasons(desk: FakeDesk) -> None:
    presses = Presses(desk)
    press = presses.press(ARM, "terminal", 10.0)
    reasons = ("fl_hip stays off", "fr_hip stays off")
    settled(presses, press, snapshot(10.03, ArmingState.CHECKING), snapshot(10.05, ArmingState.DISARMED, *reasons))
    assert (press.outcome, press.lines) == (Outcome.REFUSED, reasons)


@pytest.mark.parametrize("newest", [None, snapshot(9.0, ArmingState.RUNNING)])
def test_a_control_loop_that_does_not_react_is_told(desk: FakeDesk, newest: object) -> None:
    presses = Presses(desk)
    press = presses.press(STOP, "command", 10.0)
    presses.look(newest, 10.02)  # type: ignore[arg-type]
    presses.look(newest, 10.0 + REACTION_S)  # type: ignore[arg-type]
    assert press.outcome is Outcome.WAITING
    presses.look(newest, 10.01 + REACTION_S)  # type: ignore[arg-type]
    assert press.outcome is Outcome.UNANSWERED
    assert "hardware emergency stop" in press.lines[0]


def test_a_second_press_waits_until_the_first_is_judged(desk: FakeDesk) -> None:
    presses = Presses(desk)
    first, second = presses.press(ARM, "terminal", 10.0), presses.press(START, "terminal", 10.0)
    assert desk.pressed == [ARM]
    settled(presses, first, snapshot(10.03, ArmingState.ARMED))
    assert (first.outcome, desk.pressed) == (Outcome.ACCEPTED, [ARM, START])
    assert second.outcome is Outcome.WAITING


@pytest.mark.parametrize("stop", [STOP, HOLD, CUT])
def test_a_stop_waits_for_nobody_and_ends_what_waits(desk: FakeDesk, stop: OperatorAction) -> None:
    presses = Presses(desk)
    first, second = presses.press(RESET, "terminal", 10.0), presses.press(START, "terminal", 10.0)
    last = presses.press(stop, "gamepad", 10.0)
    assert desk.pressed == [RESET, stop]
    assert [one.outcome for one in (first, second)] == [Outcome.REFUSED, Outcome.REFUSED]
    assert second.lines == (f"overtaken by {stop.name}",)
    settled(presses, last, snapshot(10.03, ArmingState.STOPPED))
    assert last.outcome is Outcome.ACCEPTED
    presses.look(snapshot(11.0, ArmingState.STOPPED), 11.0)
    assert desk.pressed == [RESET, stop]


def test_two_stops_are_both_answered(desk: FakeDesk) -> None:
    presses = Presses(desk)
    stops = [presses.press(STOP, "terminal", 10.0), presses.press(CUT, "command", 10.0)]
    settled(presses, stops[0], snapshot(10.03, ArmingState.STOPPED))
    assert [one.outcome for one in stops] == [Outcome.ACCEPTED, Outcome.ACCEPTED]


def test_presses_without_end_are_refused(desk: FakeDesk) -> None:
    presses = Presses(desk)
    made = [presses.press(ARM, "command", 10.0) for _ in range(QUEUE_PLACES + 2)]
    assert [one.outcome for one in made].count(Outcome.REFUSED) == 1
    assert made[-1].lines == ("8 presses wait already",)


def test_a_confirmation_answers_the_open_question(desk: FakeDesk) -> None:
    desk.prompt = Prompt("k", "Confirm to begin stand.", CONFIRM)
    press = Presses(desk).press(CONFIRM, "terminal", 10.0)
    assert (press.outcome, press.lines) == (Outcome.ACCEPTED, ("confirmed: Confirm to begin stand.",))


def test_a_confirmation_of_nothing_is_refused(desk: FakeDesk) -> None:
    press = Presses(desk).press(CONFIRM, "terminal", 10.0)
    assert (press.outcome, press.lines) == (Outcome.REFUSED, ("no question is open",))


def test_a_confirmation_where_another_press_is_wanted_is_refused(desk: FakeDesk) -> None:
    desk.prompt = Prompt("k", "Arm: the motors switch on.", ARM)
    press = Presses(desk).press(CONFIRM, "terminal", 10.0)
    assert (press.outcome, press.lines) == (
        Outcome.REFUSED,
        ("the open question wants ARM: Arm: the motors switch on.",),
    )


@pytest.mark.parametrize("action", list(OperatorAction))
def test_only_motion_is_hindered(desk: FakeDesk, action: OperatorAction) -> None:
    press = Presses(desk, lambda: "the deadman held").press(action, "terminal", 10.0)
    is_motion = action in (START, RESUME)
    assert (action in desk.pressed) is not is_motion
    assert (press.lines == (f"{action.name} needs the deadman held",)) is is_motion
