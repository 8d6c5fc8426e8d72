"""Every actuation of the gate, field by field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.command import Actuation, Drive, Proposal
from supervisor.core.exchange import GateCounts, Knobs
from supervisor.core.joints import Vector
from supervisor.core.levels import Level
from supervisor.core.moves import MINIMUM_JERK_PEAK_SPEED, minimum_jerk
from supervisor.core.state import MotorStatus
from supervisor.safety.gate import ARRIVED_S, LIMIT_FRACTION, OFF_CYCLES, Gate, Mode
from tests.safety.bench import (
    COUNT,
    DEFAULT,
    HIGH,
    KD,
    KP,
    PERIOD_S,
    REST,
    ROBOT,
    SAFETY,
    SPEED,
    ZEROS,
    make_command,
    measured,
)

PROFILE = SAFETY.profile
DAMPING = np.full(COUNT, PROFILE.damp_kd_nm_s_per_rad)
OFF = np.full(COUNT, int(MotorStatus.DISABLED))
KNOBS = Knobs(1.0)


def propose(position: Vector, stamp_s: float = 1.0) -> Proposal:
    return Proposal(make_command(position), "test", "walk", 0, stamp_s)


def check(made: Actuation, drive: Drive, level: Level, position: Vector, kp: Vector, kd: Vector) -> None:
    assert (made.drive, made.level) == (drive, level)
    command = made.command
    np.testing.assert_allclose(command.position_rad, position, atol=1e-12)
    np.testing.assert_array_equal(command.velocity_rad_per_s, ZEROS)
    np.testing.assert_array_equal(command.kp_nm_per_rad, kp)
    np.testing.assert_array_equal(command.kd_nm_s_per_rad, kd)
    np.testing.assert_array_equal(command.torque_nm, ZEROS)


def test_a_new_gate_polls_damped_and_has_changed_nothing() -> None:
    gate = Gate(ROBOT, SAFETY)
    check(gate.newest, Drive.POLL, Level.NONE, REST, ZEROS, DAMPING)
    assert (gate.mode, gate.is_finished, gate.is_powered) == (Mode.OFF, True, False)
    assert gate.counts == GateCounts()
    assert not gate.newest.command.velocity_rad_per_s.flags.writeable


def test_off_says_the_level_and_repeats_the_last_command(gate: Gate) -> None:
    check(gate.off(measured(), Level.CUT, 1.0), Drive.DISABLE, Level.CUT, DEFAULT, KP, KD)
    assert (gate.mode, gate.is_finished, gate.is_powered) == (Mode.OFF, True, False)
    assert gate.newest.level is Level.CUT


def test_off_begins_to_count_again_after_power(gate: Gate) -> None:
    off = measured(status=OFF)
    for _ in range(2):
        drives = [gate.off(off, Level.NONE, 1.0).drive for _ in range(OFF_CYCLES + 2)]
        assert drives == [Drive.DISABLE] * OFF_CYCLES + [Drive.POLL] * 2
        gate.relax(2.0, enable=True)


def test_one_motor_that_is_on_is_written_off(gate: Gate) -> None:
    one = OFF.copy()
    one[-1] = int(MotorStatus.ENABLED)
    assert {gate.off(measured(status=one), Level.NONE, 1.0).drive for _ in range(3 * OFF_CYCLES)} == {Drive.DISABLE}


def test_clear_faults_says_the_level_and_repeats_the_last_command(gate: Gate) -> None:
    check(gate.clear_faults(Level.DAMP), Drive.CLEAR_FAULT, Level.DAMP, DEFAULT, KP, KD)


@pytest.mark.parametrize(("enable", "drive"), [(True, Drive.ENABLE), (False, Drive.COMMAND)])
def test_relax_damps_where_the_robot_is(gate: Gate, enable: bool, drive: Drive) -> None:
    check(gate.relax(1.0, enable=enable), drive, Level.NONE, DEFAULT, ZEROS, KD)
    assert (gate.mode, gate.is_finished) == (Mode.RELAX, False)


def test_what_was_only_written_to_enable_is_not_repeated(gate: Gate) -> None:
    gate.relax(1.0, enable=True)
    check(gate.off(measured(), Level.NONE, 1.1), Drive.DISABLE, Level.NONE, DEFAULT, KP, KD)
    gate.relax(1.2, enable=False)
    check(gate.off(measured(), Level.NONE, 1.3), Drive.DISABLE, Level.NONE, DEFAULT, ZEROS, KD)


def test_hold_is_stiff_and_counts_nothing(gate: Gate) -> None:
    gate.relax(0.5, enable=False)
    gate.measure(measured(HIGH + 0.05))
    check(gate.hold(Level.HOLD, 1.0), Drive.COMMAND, Level.HOLD, HIGH - SAFETY.gate.position_margin_rad, KP, KD)
    gate.measure(measured(DEFAULT))
    gate.hold(Level.HOLD, 1.1)
    assert gate.counts == GateCounts()
    assert (gate.mode, gate.is_finished) == (Mode.HOLD, False)


def test_following_counts_what_it_changes_and_says_the_level(gate: Gate) -> None:
    made = gate.follow(propose(DEFAULT + 0.3), KNOBS, 0.5, Level.WARN, 1.0)
    step = SPEED * SAFETY.gate.target_speed_fraction * PERIOD_S
    check(made, Drive.COMMAND, Level.WARN, DEFAULT + step, KP, KD)
    assert gate.counts == GateCounts(rate=COUNT)
    assert (gate.mode, gate.is_finished) == (Mode.FOLLOW, False)


@pytest.mark.parametrize(("level", "share"), [(Level.NONE, 1.0), (Level.LIMIT, LIMIT_FRACTION)])
def test_the_stages_fractions_and_the_level_bound_speed_and_torque(gate: Gate, level: Level, share: float) -> None:
    knobs = Knobs(1.0, torque_fraction=0.5, speed_fraction=0.25)
    step = SPEED * SAFETY.gate.target_speed_fraction * PERIOD_S * 0.25 * share
    made = gate.follow(propose(DEFAULT + 0.3), knobs, 0.5, level, 1.0)
    np.testing.assert_allclose(made.command.position_rad, DEFAULT + step)
    torque = replace(make_command(DEFAULT, kp=ZEROS, kd=ZEROS), torque_nm=np.full(COUNT, 1e3))
    made = gate.follow(Proposal(torque, "test", "walk", 0, 1.1), knobs, 0.5, level, 1.1)
    allowed = ROBOT.vector("torque_nm") * SAFETY.gate.torque_fraction * 0.5 * share
    np.testing.assert_allclose(made.command.torque_nm, allowed)


@pytest.mark.parametrize("fraction", [5e-324, 1.0])
def test_fractions_above_nothing_up_to_all_are_sound(gate: Gate, fraction: float) -> None:
    for knobs in (Knobs(1.0, fraction, 1.0), Knobs(1.0, 1.0, fraction)):
        gate.follow(propose(DEFAULT), knobs, 0.5, Level.NONE, 1.0)
        assert gate.counts.rejected == 0


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.0 + 1e-9, float("nan")])
def test_fractions_beyond_that_refuse_the_proposal(fraction: float) -> None:
    for knobs in (Knobs(1.0, fraction, 1.0), Knobs(1.0, 1.0, fraction)):
        gate = Gate(ROBOT, SAFETY)
        gate.measure(measured())
        gate.follow(propose(DEFAULT), knobs, 0.5, Level.NONE, 1.0)
        assert gate.counts.rejected == COUNT


@pytest.mark.parametrize("stamp_s", [0.5, 1.0])
def test_a_proposal_as_old_as_the_start_or_as_new_as_now_is_followed(gate: Gate, stamp_s: float) -> None:
    made = gate.follow(propose(DEFAULT + 0.02, stamp_s), KNOBS, 0.5, Level.NONE, 1.0)
    np.testing.assert_allclose(made.command.position_rad, DEFAULT + 0.02)


def test_following_again_refuses_again_and_accepts_again(gate: Gate) -> None:
    good, bad = propose(DEFAULT + 0.02), propose(DEFAULT * float("nan"))
    for round_number in (1, 2):
        gate.follow(good, KNOBS, 0.5, Level.NONE, 1.0)
        for _ in range(3):
            gate.follow(bad, KNOBS, 0.5, Level.NONE, 1.0)
        assert gate.counts.rejected == round_number * COUNT
        np.testing.assert_allclose(gate.newest.command.position_rad, DEFAULT + 0.02)
        gate.measure(measured())
        gate.relax(1.1, enable=False)
        gate.hold(Level.NONE, 1.2)
        np.testing.assert_allclose(gate.newest.command.position_rad, DEFAULT)


def test_a_proposal_is_taken_once_with_the_fractions_of_its_time(gate: Gate) -> None:
    one = propose(DEFAULT + 0.5)
    step = SPEED * SAFETY.gate.target_speed_fraction * PERIOD_S
    gate.follow(one, Knobs(1.0, speed_fraction=0.5), 0.5, Level.NONE, 1.0)
    made = gate.follow(one, Knobs(1.0, speed_fraction=0.1), 0.5, Level.NONE, 1.1)
    np.testing.assert_allclose(made.command.position_rad, DEFAULT + 2 * 0.5 * step)


def test_hold_under_a_stop_holds_and_settle_and_damp_say_their_level(gate: Gate) -> None:
    check(gate.stop(Level.HOLD, measured(), 1.0), Drive.COMMAND, Level.HOLD, DEFAULT, KP, KD)
    check(gate.stop(Level.SETTLE, measured(), 1.1), Drive.COMMAND, Level.SETTLE, DEFAULT, KP, KD)
    assert (gate.mode, gate.is_finished) == (Mode.SETTLE, False)
    check(gate.stop(Level.DAMP, measured(), 1.2), Drive.COMMAND, Level.DAMP, DEFAULT, ZEROS, DAMPING)
    assert (gate.mode, gate.is_finished) == (Mode.DAMP, False)
    check(gate.stop(Level.CUT, measured(), 1.3), Drive.DISABLE, Level.CUT, DEFAULT, ZEROS, DAMPING)
    assert (gate.mode, gate.is_finished) == (Mode.OFF, True)
    assert gate.counts == GateCounts()


def test_a_stop_that_has_ended_goes_on_writing_disable_with_its_level(gate: Gate) -> None:
    gate.stop(Level.DAMP, measured(), 1.0)
    end_s = 1.0 + PROFILE.damp_duration_s
    check(gate.stop(Level.DAMP, measured(), end_s), Drive.DISABLE, Level.DAMP, DEFAULT, ZEROS, DAMPING)
    off = measured(status=OFF)
    assert {gate.stop(Level.DAMP, off, end_s).drive for _ in range(3 * OFF_CYCLES)} == {Drive.DISABLE}


@pytest.mark.parametrize("start", [DEFAULT + 0.05, REST + 0.02])
def test_settle_follows_minimum_jerk_from_where_it_began(gate: Gate, start: Vector) -> None:
    duration_s = np.abs(REST - start).max() * MINIMUM_JERK_PEAK_SPEED / PROFILE.settle_speed_rad_per_s
    position, now_s = start, 3.0
    gate.measure(measured(start))
    while now_s < 3.0 + duration_s:
        made = gate.stop(Level.SETTLE, measured(position), now_s)
        share = minimum_jerk((now_s - 3.0) / duration_s)
        check(made, Drive.COMMAND, Level.SETTLE, start + (REST - start) * share, KP, KD)
        position, now_s = made.command.position_rad, now_s + PERIOD_S
        gate.measure(measured(position))
    assert gate.counts == GateCounts()


def test_without_any_proposal_the_whole_fractions_bound_torque_and_speed() -> None:
    gate = Gate(ROBOT, SAFETY)
    gate.measure(measured(REST + 1.0))
    command = gate.follow(None, KNOBS, 0.5, Level.NONE, 1.0).command
    pull = command.kp_nm_per_rad * (command.position_rad - REST - 1.0) + command.torque_nm
    np.testing.assert_allclose(np.abs(pull), ROBOT.vector("torque_nm") * SAFETY.gate.torque_fraction)
    step = SPEED * SAFETY.gate.target_speed_fraction * PERIOD_S
    np.testing.assert_allclose(command.position_rad - REST, step)


@pytest.mark.parametrize("level", [Level.HOLD, Level.SETTLE])
def test_before_anything_was_measured_a_stop_damps(level: Level) -> None:
    gate = Gate(ROBOT, SAFETY)
    gate.relax(0.0, enable=True)
    check(gate.stop(level, measured(), 0.1), Drive.COMMAND, level, REST, ZEROS, DAMPING)


@pytest.mark.parametrize("timeout_s", [None, 0.5])
def test_settle_ends_at_its_time_and_not_before(timeout_s: float | None) -> None:
    profile = replace(PROFILE, settle_timeout_s=timeout_s) if timeout_s else PROFILE
    gate = Gate(ROBOT, replace(SAFETY, profile=profile))
    gate.measure(measured())
    gate.relax(0.0, enable=True)
    duration_s = np.abs(REST - DEFAULT).max() * MINIMUM_JERK_PEAK_SPEED / PROFILE.settle_speed_rad_per_s + ARRIVED_S
    lasts_s = timeout_s or duration_s
    assert gate.stop(Level.SETTLE, measured(), 0.0).drive is Drive.COMMAND
    assert gate.stop(Level.SETTLE, measured(), np.nextafter(lasts_s, 0.0)).drive is Drive.COMMAND
    assert gate.stop(Level.SETTLE, measured(), lasts_s).drive is Drive.DISABLE


def test_time_in_another_mode_does_not_end_a_level(gate: Gate) -> None:
    gate.stop(Level.SETTLE, measured(), 1.0)
    assert gate.stop(Level.DAMP, measured(), 1e3).drive is Drive.COMMAND
    gate.stop(Level.DAMP, measured(), 1e3)
    assert gate.stop(Level.SETTLE, measured(), 1e3 + PROFILE.damp_duration_s).drive is Drive.COMMAND


def test_damp_ends_at_its_time_and_not_before(gate: Gate) -> None:
    assert gate.stop(Level.DAMP, measured(), 0.0).drive is Drive.COMMAND
    assert gate.stop(Level.DAMP, measured(), np.nextafter(PROFILE.damp_duration_s, 0.0)).drive is Drive.COMMAND
    assert gate.stop(Level.DAMP, measured(), PROFILE.damp_duration_s).drive is Drive.DISABLE


def test_the_last_resort_is_damping_field_by_field(gate: Gate) -> None:
    check(gate.last_resort(Level.SETTLE, 5.0), Drive.COMMAND, Level.SETTLE, DEFAULT, ZEROS, DAMPING)
    assert (gate.mode, gate.is_finished, gate.newest.level) == (Mode.DAMP, False, Level.SETTLE)
    gate.last_resort(Level.DAMP, np.nextafter(5.0 + PROFILE.damp_duration_s, 0.0))
    assert not gate.is_finished
    check(
        gate.last_resort(Level.DAMP, 5.0 + PROFILE.damp_duration_s), Drive.DISABLE, Level.DAMP, DEFAULT, ZEROS, DAMPING
    )
    assert gate.is_finished


@pytest.mark.parametrize("level", [Level.CUT, Level.TERMINAL])
def test_the_last_resort_of_a_cut_is_off(gate: Gate, level: Level) -> None:
    check(gate.last_resort(level, 5.0), Drive.DISABLE, level, DEFAULT, ZEROS, DAMPING)
    assert gate.is_finished


def test_the_last_resort_goes_on_with_a_damping_that_has_begun(gate: Gate) -> None:
    gate.stop(Level.DAMP, measured(), 1.0)
    assert gate.last_resort(Level.DAMP, np.nextafter(1.0 + PROFILE.damp_duration_s, 0.0)).drive is Drive.COMMAND
    assert gate.last_resort(Level.DAMP, 1.0 + PROFILE.damp_duration_s).drive is Drive.DISABLE


def test_a_pose_that_cannot_be_used_is_told(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate._limiter, "accept", lambda command: False)
    gate.relax(1.0, enable=False)
    with pytest.raises(FloatingPointError) as caught:
        gate.hold(Level.NONE, 1.0)
    assert str(caught.value) == f"a pose of the gate itself is not usable: {gate.newest.command.position_rad}"


@pytest.mark.parametrize("level", [Level.HOLD, Level.SETTLE])
def test_what_is_changed_of_the_gates_own_poses_is_not_counted(gate: Gate, level: Level) -> None:
    gate.stop(level, measured(), 1.0)
    gate.measure(measured(DEFAULT + 1.0))
    made = gate.stop(level, measured(), 1.0 + PERIOD_S)
    assert (made.command.position_rad > DEFAULT + 0.01).all()
    assert gate.counts == GateCounts()
