"""What is written each cycle, by level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.command import Drive, Proposal
from supervisor.core.exchange import Knobs
from supervisor.core.levels import Level
from supervisor.safety.gate import ARRIVED_S, OFF_CYCLES, Gate, Mode
from tests.safety.bench import (
    COUNT,
    DEFAULT,
    KD,
    KP,
    PERIOD_S,
    REST,
    ROBOT,
    SAFETY,
    ZEROS,
    make_command,
    measured,
)

PROFILE = SAFETY.profile
KNOBS = Knobs(1.0)


def propose(position: np.ndarray, stamp_s: float, **changes: object) -> Proposal:
    return Proposal(replace(make_command(position), **changes), "test", "walk", 0, stamp_s)


def test_off_writes_disable_first_and_while_a_motor_is_on_then_polls() -> None:
    gate = Gate(ROBOT, SAFETY)
    off = measured(status=np.full(COUNT, 1))
    drives = [gate.off(off, Level.NONE, 0.0).drive for _ in range(OFF_CYCLES + 1)]
    # A gate begins switched off: it has not entered, so it counts from its first call.
    assert drives == [Drive.DISABLE] * OFF_CYCLES + [Drive.POLL]
    assert gate.off(measured(), Level.NONE, 0.0).drive is Drive.DISABLE
    assert gate.off(off, Level.NONE, 0.0).drive is Drive.POLL
    assert gate.off(off, Level.CUT, 0.0, always=True).drive is Drive.DISABLE
    assert not gate.is_powered


def test_relax_has_no_stiffness() -> None:
    gate = Gate(ROBOT, SAFETY)
    assert gate.relax(0.0, enable=True).drive is Drive.ENABLE
    actuation = gate.relax(0.1, enable=False)
    assert actuation.drive is Drive.COMMAND
    assert np.array_equal(actuation.command.kp_nm_per_rad, ZEROS)
    assert np.array_equal(actuation.command.kd_nm_s_per_rad, KD)
    assert gate.is_powered


def test_clear_faults_is_not_power(gate: Gate) -> None:
    assert gate.clear_faults(Level.CUT).drive is Drive.CLEAR_FAULT
    assert not gate.is_powered


def test_hold_keeps_the_pose_measured_when_it_began(gate: Gate) -> None:
    for cycle in range(5):
        gate.measure(measured(DEFAULT + 0.01 * cycle))
        command = gate.hold(Level.HOLD, 0.1).command
        assert np.allclose(command.position_rad, DEFAULT)
        assert np.array_equal(command.kp_nm_per_rad, KP)
        assert np.array_equal(command.kd_nm_s_per_rad, KD)


def test_follow_goes_to_the_newest_proposal(gate: Gate) -> None:
    for target in (DEFAULT + 0.02, DEFAULT - 0.01):
        actuation = gate.follow(propose(target, 1.0), KNOBS, 0.5, Level.NONE, 1.0)
        assert actuation.drive is Drive.COMMAND
        assert np.allclose(actuation.command.position_rad, target)
    assert gate.mode is Mode.FOLLOW


def test_without_a_proposal_the_last_applied_targets_stay(gate: Gate) -> None:
    gate.measure(measured(DEFAULT + 0.3))
    assert np.allclose(gate.follow(None, KNOBS, 0.5, Level.NONE, 1.0).command.position_rad, DEFAULT)


@pytest.mark.parametrize("stamp_s", [0.49, 1.01, float("nan"), float("inf")])
def test_a_proposal_from_before_the_start_or_the_future_is_not_followed(gate: Gate, stamp_s: float) -> None:
    command = gate.follow(propose(DEFAULT + 0.02, stamp_s), KNOBS, 0.5, Level.NONE, 1.0).command
    assert np.allclose(command.position_rad, DEFAULT)
    assert gate.counts.rejected == 0


@pytest.mark.parametrize(
    "knobs", [Knobs(1.0, 0.0), Knobs(1.0, float("nan")), Knobs(1.0, 1.0, 1.1), Knobs(1.0, 1.0, -0.5)]
)
def test_a_refused_proposal_is_counted_once_and_the_valid_one_before_stays(gate: Gate, knobs: Knobs) -> None:
    gate.follow(propose(DEFAULT + 0.02, 1.0), KNOBS, 0.5, Level.NONE, 1.0)
    for bad in (propose(DEFAULT * float("nan"), 1.02), propose(DEFAULT - 0.02, 1.02)):
        fractions = KNOBS if np.isnan(bad.command.position_rad).any() else knobs
        before = gate.counts.rejected
        for _ in range(10):
            command = gate.follow(bad, fractions, 0.5, Level.NONE, 1.02).command
            assert np.allclose(command.position_rad, DEFAULT + 0.02)
        assert gate.counts.rejected == before + COUNT


def test_going_from_hold_to_a_far_proposal_is_blended_by_the_rate(gate: Gate) -> None:
    positions = []
    for cycle in range(12):
        command = gate.follow(propose(DEFAULT + 0.3, 1.0), Knobs(1.0, 1.0, 0.5), 0.5, Level.NONE, 1.0 + cycle).command
        gate.measure(measured(command.position_rad))
        positions.append(command.position_rad[0])
    assert np.allclose(np.diff(positions), 0.5 * 18.0 * PERIOD_S)


def test_the_level_limit_halves_the_stages_fractions(gate: Gate) -> None:
    command = gate.follow(propose(DEFAULT + 0.3, 1.0), KNOBS, 0.5, Level.LIMIT, 1.0).command
    assert np.allclose(command.position_rad - DEFAULT, 0.5 * 18.0 * PERIOD_S)


@pytest.mark.parametrize("level", [Level.CUT, Level.TERMINAL])
def test_cut_and_terminal_disable_every_cycle(gate: Gate, level: Level) -> None:
    off = measured(status=np.full(COUNT, 1))
    assert {gate.stop(level, off, 0.01 * i).drive for i in range(200)} == {Drive.DISABLE}
    assert gate.is_finished


def test_damp_has_no_stiffness_and_ends_after_its_time(gate: Gate) -> None:
    gate.measure(measured(DEFAULT + 1.0))
    for share in (0.0, 0.5, 0.999):
        actuation = gate.stop(Level.DAMP, measured(), share * PROFILE.damp_duration_s)
        assert (actuation.drive, actuation.level) == (Drive.COMMAND, Level.DAMP)
        assert np.array_equal(actuation.command.kp_nm_per_rad, ZEROS)
        assert np.array_equal(actuation.command.torque_nm, ZEROS)
        assert np.all(actuation.command.kd_nm_s_per_rad == PROFILE.damp_kd_nm_s_per_rad)
    assert not gate.is_finished
    for later in (1.0, 2.0, 3.0):
        assert gate.stop(Level.DAMP, measured(), later * PROFILE.damp_duration_s).drive is Drive.DISABLE
    assert gate.is_finished


def test_settle_goes_from_the_measured_pose_to_rest_at_bounded_speed_then_disables(gate: Gate) -> None:
    start = DEFAULT + 0.05
    position, steps, now_s = start, [], 0.0
    while True:
        gate.measure(measured(position))
        actuation = gate.stop(Level.SETTLE, measured(position), now_s)
        if actuation.drive is Drive.DISABLE:
            break
        steps.append(np.abs(actuation.command.position_rad - position).max())
        position = actuation.command.position_rad
        now_s += PERIOD_S
    assert np.allclose(position, REST)
    assert max(steps) <= PROFILE.settle_speed_rad_per_s * PERIOD_S * 1.001
    assert max(steps) >= PROFILE.settle_speed_rad_per_s * PERIOD_S * 0.99
    expected_s = np.abs(REST - start).max() * 1.875 / PROFILE.settle_speed_rad_per_s + ARRIVED_S
    assert now_s == pytest.approx(expected_s, abs=2 * PERIOD_S)


def test_settle_cuts_at_its_timeout_arrived_or_not() -> None:
    gate = Gate(ROBOT, replace(SAFETY, profile=replace(PROFILE, settle_timeout_s=0.5)))
    gate.measure(measured())
    gate.relax(0.0, enable=True)
    assert gate.stop(Level.SETTLE, measured(), 1.0).drive is Drive.COMMAND
    assert gate.stop(Level.SETTLE, measured(), 1.499).drive is Drive.COMMAND
    assert gate.stop(Level.SETTLE, measured(), 1.5).drive is Drive.DISABLE


def test_settle_at_the_rest_pose_is_soon_over(gate: Gate) -> None:
    gate.measure(measured(REST))
    gate.stop(Level.SETTLE, measured(REST), 1.0)
    assert gate.stop(Level.SETTLE, measured(REST), 1.0 + ARRIVED_S).drive is Drive.DISABLE


def test_a_raised_level_starts_anew_and_never_powers_up_again(gate: Gate) -> None:
    gate.stop(Level.SETTLE, measured(), 1.0)
    assert gate.stop(Level.DAMP, measured(), 1.1).command.kp_nm_per_rad.max() == 0.0
    assert gate.stop(Level.CUT, measured(), 1.2).drive is Drive.DISABLE
    for level in (Level.HOLD, Level.SETTLE, Level.DAMP):
        assert gate.stop(level, measured(), 1.3).drive is Drive.DISABLE


@pytest.mark.parametrize("level", list(Level)[Level.HOLD :])
def test_a_stop_energises_nothing(level: Level) -> None:
    gate = Gate(ROBOT, SAFETY)
    gate.measure(measured())
    gate.off(measured(), Level.NONE, 0.0)
    assert {gate.stop(level, measured(), 0.1 * i).drive for i in range(100)} == {Drive.DISABLE}


@pytest.mark.parametrize("level", [Level.HOLD, Level.SETTLE])
def test_without_a_measured_pose_hold_and_settle_damp(gate: Gate, level: Level) -> None:
    nowhere = measured(DEFAULT * float("nan"))
    gate.measure(nowhere)
    command = gate.stop(level, nowhere, 1.0).command
    assert np.isfinite(command.position_rad).all()
    assert np.array_equal(command.kp_nm_per_rad, ZEROS)


def test_damp_asks_of_no_motor_more_than_it_can_be_told() -> None:
    greedy = replace(SAFETY, profile=replace(PROFILE, damp_kd_nm_s_per_rad=8.0))
    maximum = np.full(COUNT, 10.0)
    maximum[3] = 5.0
    gate = Gate(ROBOT, greedy, maximum)
    gate.measure(measured())
    gate.relax(0.0, enable=True)
    for actuation in (gate.stop(Level.DAMP, measured(), 1.0), gate.last_resort(Level.DAMP, 1.0)):
        assert actuation.drive is Drive.COMMAND
        assert actuation.command.kd_nm_s_per_rad.tolist() == [5.0 if i == 3 else 8.0 for i in range(COUNT)]


def test_the_last_resort_damps_for_its_time_and_then_disables(gate: Gate) -> None:
    first = gate.last_resort(Level.DAMP, 5.0)
    assert (first.drive, first.level) == (Drive.COMMAND, Level.DAMP)
    assert np.array_equal(first.command.kp_nm_per_rad, ZEROS)
    assert gate.last_resort(Level.DAMP, 5.0 + PROFILE.damp_duration_s - 0.01).drive is Drive.COMMAND
    assert gate.last_resort(Level.DAMP, 5.0 + PROFILE.damp_duration_s).drive is Drive.DISABLE
    assert gate.stop(Level.DAMP, measured(), 5.0).drive is Drive.DISABLE


def test_the_last_resort_disables_at_once_for_cut_or_without_power(gate: Gate) -> None:
    assert gate.last_resort(Level.CUT, 5.0).drive is Drive.DISABLE
    assert Gate(ROBOT, SAFETY).last_resort(Level.DAMP, 5.0).drive is Drive.DISABLE


def test_a_pose_that_the_limiter_refuses_is_an_error(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate._limiter, "accept", lambda command: False)
    gate.relax(1.0, enable=False)
    with pytest.raises(FloatingPointError, match="not usable"):
        gate.hold(Level.NONE, 1.0)
