"""From any trip, motion takes at least two presses: the whole safety core, stepped for seconds, not only its table.

`test_arming.py` enumerates the table of presses; here the core itself is driven with everything in its way removed,
so that nothing but the missing press can be what keeps the robot still.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass, replace

import numpy as np
import pytest

from supervisor.core.command import Drive
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.safety import SafetyConfig
from supervisor.safety.decision import Decision
from tests.safety.bench import DEFAULT, REST, SAFETY, Bench, with_rows

LEVELS = (Level.HOLD, Level.SETTLE, Level.DAMP, Level.CUT, Level.TERMINAL)
SEQUENCES: tuple[tuple[OperatorAction, ...], ...] = ((), *((action,) for action in OperatorAction))
WATCHED_S = 3.0
"""Far longer than arming and start take, which is about a second."""

FAR = DEFAULT + 0.2
"""Where the mission wants to go after the trip; no stop's own command leads there."""

TILT = np.array([0.0, 0.75, -0.66])
TILTED = {"gravity_in_base": TILT, "acceleration_base_in_base_m_per_s2": -9.81 * TILT}


@dataclass(frozen=True)
class Trip:
    """A stop of some level and how the core got there."""

    level: Level
    is_over: bool
    """Whether the stop has come to its end before the presses."""


TRIPS = [
    Trip(level, is_over) for level in LEVELS for is_over in (False, True) if is_over or level is not Level.TERMINAL
]


def rules(level: Level) -> SafetyConfig:
    """The shipped rules, but for the level of `tilt`; HOLD for ever, so that it can be watched."""
    clear = "never" if level is Level.TERMINAL else "operator"
    safety = with_rows(tilt={"level": level, "clear": clear})
    return replace(safety, profile=replace(safety.profile, hold_timeout_s=1e3))


def tripped(trip: Trip) -> Bench:
    """A robot of one's own that has just tripped."""
    bench = copy.deepcopy(_tripped(trip))
    bench.target = FAR.copy()
    return bench


@functools.cache
def _tripped(trip: Trip) -> Bench:
    """A robot that walked, was tilted until it stopped, and is level again; the mission goes on proposing."""
    bench = Bench(rules(trip.level)).running()
    bench.imu_changes = TILTED
    bench.until(ArmingState.STOPPED)
    bench.imu_changes = {}
    bench.run(4.0 if trip.is_over else 0.02)
    stop = bench.decision.stop
    assert stop is not None
    assert (stop.guard, stop.level, bench.decision.arming) == ("tilt", trip.level, ArmingState.STOPPED)
    return bench


def follows(decisions: list[Decision]) -> bool:
    """Whether any of these cycles was RUNNING, or commanded what the mission wants."""
    running = any(decision.arming is ArmingState.RUNNING for decision in decisions)
    commands = [d.actuation.command.position_rad for d in decisions if d.actuation.drive is Drive.COMMAND]
    return running or any(bool(np.allclose(position, FAR, atol=1e-3)) for position in commands)


@pytest.mark.parametrize("trip", TRIPS, ids=lambda t: f"{t.level.name}-{'over' if t.is_over else 'under way'}")
@pytest.mark.parametrize("presses", SEQUENCES, ids=lambda p: p[0].name if p else "nothing")
def test_no_sequence_of_fewer_than_two_presses_leads_to_motion(trip: Trip, presses: tuple[OperatorAction, ...]) -> None:
    bench = tripped(trip)
    decisions = [bench.press(*presses), *bench.run(WATCHED_S)]
    assert not follows(decisions)
    is_off = trip.level >= Level.CUT or (trip.is_over and trip.level is not Level.HOLD)
    energised = {Drive.COMMAND, Drive.ENABLE} & {decision.actuation.drive for decision in decisions}
    assert not (is_off and energised), "motors that are off stay off until ARM"


@pytest.mark.parametrize("level", [Level.SETTLE, Level.DAMP, Level.CUT])
def test_presses_in_one_cycle_do_not_lead_to_motion_either(level: Level) -> None:
    bench = tripped(Trip(level, True))
    presses = (OperatorAction.RESET, OperatorAction.ARM, OperatorAction.START)
    assert not follows([bench.press(*presses), *bench.run(WATCHED_S)])
    assert bench.decision.arming is ArmingState.ARMED


def test_the_watch_sees_motion_where_there_is_some() -> None:
    held = tripped(Trip(Level.HOLD, True))
    held.press(OperatorAction.RESET)
    assert held.decision.arming is ArmingState.ARMED
    assert follows([held.press(OperatorAction.START), *held.run(WATCHED_S)])
    cut = tripped(Trip(Level.CUT, True))
    cut.press(OperatorAction.RESET)
    cut.press(OperatorAction.ARM)
    cut.until(ArmingState.ARMED)
    assert follows([cut.press(OperatorAction.START), *cut.run(WATCHED_S)])


def test_the_target_is_nowhere_near_where_a_stop_leads() -> None:
    assert float(np.abs(FAR - REST).max()) > 0.1
    assert not np.allclose(FAR, DEFAULT, atol=1e-2)
    assert SAFETY.profile.hold_timeout_s < 1e3
