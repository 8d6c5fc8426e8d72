"""The whole small state space, with the real core: every state × every press × a trip of every level × a restart.

Which guard trips plays no part, so one stands for all of them, the guardian's among them. What a press alone does is
taken from the table that SAFETY.md shows; here the core is held to it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from supervisor.core.command import Drive
from supervisor.core.guard import Persistence
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.safety import SafetyConfig
from supervisor.safety.arming import Situation, press
from supervisor.safety.decision import Decision
from supervisor.safety.restart import UNFINISHED, Found, begin
from tests.safety.bench import START_S, TILTED, Bench, with_rows
from tests.safety.paper import Paper, found, stop_of

LATCHING = [level for level in Level if level.latches]
ENERGISING = (Drive.ENABLE, Drive.COMMAND)
GUARD = "recorder"
"""The guard that trips: it looks at one flag of the inputs and at nothing else."""


def rules(tilt: Level = Level.DAMP) -> SafetyConfig:
    clear = "never" if tilt is Level.TERMINAL else "operator"
    safety = with_rows(tilt={"level": tilt, "clear": clear}, **{GUARD: {"persistence": Persistence(1, 1)}})
    profile = replace(safety.profile, hold_timeout_s=1e3, settle_timeout_s=1e3, settle_speed_rad_per_s=0.05)
    return replace(safety, profile=replace(profile, damp_duration_s=2.0))


def fresh(tilt: Level = Level.DAMP, before: Found | None = None) -> Bench:
    return Bench(rules(tilt), memory=Paper(before))


def disarmed() -> Bench:
    bench = fresh().drilled()
    bench.run(1.0)
    return bench


def checking() -> Bench:
    """ARM was accepted; the motors are still off, because the guards were not clear for long enough yet."""
    bench = disarmed()
    bench.imu_changes = TILTED
    bench.run(0.1)
    bench.imu_changes = {}
    bench.run(0.05)
    bench.press(OperatorAction.ARM)
    return bench


def switching_on() -> Bench:
    bench = disarmed()
    bench.obey = lambda: None  # The motors do not answer, so that it stays like this.
    bench.press(OperatorAction.ARM)
    bench.run(0.02)
    return bench


def operators_hold() -> Bench:
    bench = fresh().running()
    bench.press(OperatorAction.HOLD)
    bench.run(1.0)
    return bench


def tripped(level: Level, *, is_over: bool) -> Bench:
    bench = fresh(level).running()
    bench.imu_changes = TILTED
    bench.until(ArmingState.STOPPED)
    bench.imu_changes = {}
    bench.run(0.9)
    if is_over:
        bench.until_at_rest()
    return bench


def inherited(before: Found) -> Bench:
    bench = fresh(before=before)
    bench.run(1.0)
    return bench


THIRD = found(ArmingState.RUNNING, trips={UNFINISHED: (START_S - 2.0, START_S - 1.0)})


@dataclass(frozen=True)
class State:
    """A state of the core, how it is reached, and what a press meets there."""

    name: str
    make: Callable[[], Bench]
    situation: Situation
    is_powered: bool


def stopped(level: Level, *, is_over: bool) -> State:
    name = f"STOPPED at {level.name}{', over' if is_over else ''}"
    situation = Situation(ArmingState.STOPPED, level, is_at_rest=is_over)
    make = functools.partial(tripped, level, is_over=is_over)
    return State(name, make, situation, is_powered=not is_over)


STATES = (
    State("DISARMED", disarmed, Situation(ArmingState.DISARMED), is_powered=False),
    State("CHECKING", checking, Situation(ArmingState.CHECKING), is_powered=False),
    State("CHECKING, on", switching_on, Situation(ArmingState.CHECKING, is_at_rest=False), is_powered=True),
    State("ARMED", lambda: fresh().armed(), Situation(ArmingState.ARMED, is_at_rest=False), is_powered=True),
    State("RUNNING", lambda: fresh().running(), Situation(ArmingState.RUNNING, is_at_rest=False), is_powered=True),
    State("STOPPED by the operator's HOLD", operators_hold,
          Situation(ArmingState.STOPPED, Level.HOLD, is_operator_hold=True, is_at_rest=False), is_powered=True),
    stopped(Level.HOLD, is_over=False),
    stopped(Level.SETTLE, is_over=False), stopped(Level.SETTLE, is_over=True),
    stopped(Level.DAMP, is_over=False), stopped(Level.DAMP, is_over=True),
    stopped(Level.CUT, is_over=True), stopped(Level.TERMINAL, is_over=True),
    State("STOPPED before", functools.partial(inherited, found(ArmingState.STOPPED, stop_of(Level.HOLD))),
          Situation(ArmingState.STOPPED, Level.CUT), is_powered=False),
    State("STOPPED before, TERMINAL", functools.partial(inherited, THIRD),
          Situation(ArmingState.STOPPED, Level.TERMINAL), is_powered=False),
)  # fmt: skip
ACTIONS: tuple[OperatorAction | None, ...] = (None, *OperatorAction)
IDS = {"ids": lambda value: getattr(value, "name", "nothing") if value is not None else "nothing"}


@functools.cache
def _made(state: State) -> Bench:
    return state.make()


def made(state: State) -> Bench:
    """One of one's own."""
    return copy.deepcopy(_made(state))


def step(bench: Bench, action: OperatorAction | None) -> Decision:
    return bench.step() if action is None else bench.press(action)


def level_of(decision: Decision) -> Level:
    return Level.NONE if decision.stop is None else decision.stop.level


def after(situation: Situation, action: OperatorAction | None) -> tuple[ArmingState, Level]:
    """What the table says of one press."""
    if action is None:
        return situation.arming, situation.level
    outcome = press(action, situation)
    if outcome.stop is not None:
        return outcome.arming, max(situation.level, outcome.stop)
    return outcome.arming, Level.NONE if outcome.resets else situation.level


def test_the_states_are_all_there_are() -> None:
    assert {state.situation.arming for state in STATES} == set(ArmingState)
    assert {state.situation.level for state in STATES} == {Level.NONE, *LATCHING}


@pytest.mark.parametrize("state", STATES, **IDS)
def test_each_state_is_what_it_says(state: State) -> None:
    bench = made(state)
    assert (bench.decision.arming, level_of(bench.decision)) == (state.situation.arming, state.situation.level)
    assert (bench.drives[-1] in ENERGISING) is state.is_powered
    assert bench.core._severity.is_operator_hold is state.situation.is_operator_hold


@pytest.mark.parametrize("action", ACTIONS, **IDS)
@pytest.mark.parametrize("state", STATES, **IDS)
def test_a_press_does_what_the_table_says(state: State, action: OperatorAction | None) -> None:
    bench = made(state)
    decision = step(bench, action)
    assert (decision.arming, level_of(decision)) == after(state.situation, action)


@pytest.mark.parametrize("level", LATCHING, **IDS)
@pytest.mark.parametrize("action", ACTIONS, **IDS)
@pytest.mark.parametrize("state", [state for state in STATES if state.is_powered], **IDS)
def test_a_trip_under_power_stops_at_the_largest_level_whatever_is_pressed(
    state: State, action: OperatorAction | None, level: Level
) -> None:
    bench = made(state)
    with_trip(bench, level)
    decision = step(bench, action)
    pressed = {OperatorAction.STOP: Level.SETTLE, OperatorAction.CUT: Level.CUT}.get(action, Level.NONE)
    assert decision.arming is ArmingState.STOPPED
    assert level_of(decision) is max(state.situation.level, level, pressed)
    assert GUARD in (decision.stop.guard, *decision.stop.further)


@pytest.mark.parametrize("level", LATCHING, **IDS)
@pytest.mark.parametrize("action", ACTIONS, **IDS)
@pytest.mark.parametrize("state", [state for state in STATES if not state.is_powered], **IDS)
def test_a_trip_while_off_energises_nothing_and_only_stands_in_the_way(
    state: State, action: OperatorAction | None, level: Level
) -> None:
    bench = made(state)
    with_trip(bench, level)
    decision = step(bench, action)
    with_reasons = replace(state.situation, guards=("guard",))
    allowed = {after(state.situation, action), after(with_reasons, action), (ArmingState.DISARMED, Level.NONE)}
    if state.situation.arming is ArmingState.STOPPED:
        allowed = {after(state.situation, action)}
    assert (decision.arming, level_of(decision)) in allowed
    assert decision.arming is not ArmingState.CHECKING
    assert decision.actuation.drive not in ENERGISING


def with_trip(bench: Bench, level: Level) -> None:
    """Let the guard trip at this level in the next cycle."""
    rows = bench.core._evaluator._rows
    place = next(index for index, row in enumerate(rows) if row.id == GUARD)
    rows[place] = replace(rows[place], level=level)
    bench.inputs.recorder_ok = False


@pytest.mark.parametrize("level", [None, *LATCHING], **IDS)
@pytest.mark.parametrize("action", ACTIONS, **IDS)
@pytest.mark.parametrize("state", STATES, **IDS)
def test_a_process_that_ends_after_any_of_these_leaves_a_stop_or_a_robot_that_is_off(
    state: State, action: OperatorAction | None, level: Level | None
) -> None:
    bench = made(state)
    if level is not None:
        with_trip(bench, level)
    decision = step(bench, action)
    paper = bench.core._keeping._memory
    beginning = begin(paper.left(bench.now_s))
    cause = UNFINISHED if decision.stop is None else decision.stop.guard
    is_free = decision.arming is ArmingState.DISARMED
    expected = (ArmingState.DISARMED, "") if is_free else (ArmingState.STOPPED, cause)
    assert (beginning.arming, "" if beginning.stop is None else beginning.stop.guard) == expected
