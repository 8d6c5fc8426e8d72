"""Timelines on the shipped rules: from the fault to the command, cycle by cycle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.command import Drive
from supervisor.core.guard import GuardRow
from supervisor.core.levels import Level
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import COUNT, KP, PERIOD_S, SAFETY, ZEROS, Bench
from tests.safety.guard_cases import CASES, JOINT

LATCHING = [row for row in SAFETY.guards if row.level.latches]


def only(row: GuardRow) -> Bench:
    """A running robot on which every other guard merely warns: what one guard does is seen alone."""
    rows = tuple(
        other if other.id == row.id else replace(other, level=Level.WARN, clear="automatic") for other in SAFETY.guards
    )
    return Bench(replace(SAFETY, guards=rows)).running()


def tamper_with(row: GuardRow, bench: Bench) -> None:
    value = row.limit * 1.5 if CASES[row.id].is_number else row.limit + 0.6
    if row.id == "tracking_error":
        # The core knows by itself what it applied: so the robot is moved instead.
        def move(inputs: GuardInputs) -> None:
            position = inputs.state.position_rad.copy()
            position[JOINT] -= value
            inputs.state = replace(inputs.state, position_rad=position)

        bench.tamper = move
    else:
        bench.tamper = lambda inputs: CASES[row.id].put(inputs, value)


@pytest.mark.parametrize("row", LATCHING, ids=lambda row: row.id)
def test_the_levels_command_is_written_in_the_very_cycle_in_which_the_persistence_is_met(row: GuardRow) -> None:
    bench = only(row)
    tamper_with(row, bench)
    decisions = [bench.step() for _ in range(row.persistence.cycles)]
    assert all(decision.stop is None for decision in decisions[:-1])
    last = decisions[-1]
    assert (last.stop.guard, last.stop.level, last.level) == (row.id, row.level, row.level)
    command, drive = last.actuation.command, last.actuation.drive
    if row.level is Level.CUT:
        assert drive is Drive.DISABLE
    else:
        assert drive is Drive.COMMAND
        assert np.array_equal(command.kp_nm_per_rad, ZEROS if row.level is Level.DAMP else KP)


@pytest.mark.parametrize("row", LATCHING, ids=lambda row: row.id)
def test_one_cycle_less_than_the_persistence_does_not_stop(row: GuardRow) -> None:
    bench = only(row)
    tamper_with(row, bench)
    for _ in range(row.persistence.cycles - 1):
        bench.step()
    bench.tamper = None
    bench.inputs = fresh_inputs(bench)
    bench.run(0.1)
    assert bench.decision.stop is None


def fresh_inputs(bench: Bench) -> GuardInputs:
    """Undo what a case wrote into inputs that the bench does not write each cycle."""
    inputs = bench.inputs
    healthy = Bench().inputs
    for name in ("emergency_stop", "recorder_ok", "hashes_match", "loop_lag_mean_s", "loop_lag_worst_s", "bus_loss",
                 "bus_off", "bus_errors", "foreign_commands", "operator_link_age_s", "guardian_age_s",
                 "clock_step_s"):  # fmt: skip
        setattr(inputs, name, getattr(healthy, name))
    return inputs


def test_lost_comms_with_the_mission_hold_then_settle_then_off() -> None:
    bench = Bench().running()
    bench.is_mission_alive = False
    silent_s = bench.output.stamp_s
    times = {}
    for _ in range(6000):
        decision = bench.step()
        key = (decision.level, decision.actuation.drive)
        times.setdefault(key, bench.now_s - PERIOD_S - silent_s)
    assert [key for key in times if key[0].latches] == [
        (Level.HOLD, Drive.COMMAND), (Level.SETTLE, Drive.COMMAND), (Level.SETTLE, Drive.DISABLE),
    ]  # fmt: skip
    assert times[Level.HOLD, Drive.COMMAND] == pytest.approx(0.072, abs=1e-6)
    assert times[Level.SETTLE, Drive.COMMAND] == pytest.approx(5.072, abs=PERIOD_S)


def test_a_lost_bus_damps_after_ten_replies_and_is_named_as_the_cause() -> None:
    bench = Bench().running()
    lost_s = bench.now_s - PERIOD_S

    def lose(inputs: GuardInputs) -> None:
        stamps = inputs.state.motor_stamp_s.copy()
        stamps[:3] = lost_s
        inputs.state = replace(inputs.state, motor_stamp_s=stamps)

    bench.tamper = lose
    for _ in range(10):
        assert bench.step().stop is None
    stop = bench.step().stop
    assert (stop.guard, stop.level, stop.joints) == ("motor_age", Level.DAMP, ("fl_hip",))


def test_single_missed_frames_never_trip() -> None:
    bench, rng = Bench().running(), np.random.default_rng(1)
    stamps = {"now": np.full(COUNT, bench.now_s)}

    def drop(inputs: GuardInputs) -> None:
        heard = rng.random(COUNT) > 0.1
        stamps["now"] = np.where(heard, inputs.now_s, stamps["now"])
        imu = inputs.state.imu
        late = replace(imu, stamp_s=inputs.now_s - rng.choice([0.0, 0.004, 0.008]))
        inputs.state = replace(inputs.state, motor_stamp_s=stamps["now"], imu=late)

    bench.tamper = drop
    bench.run(5.0)
    assert bench.decision.stop is None


def test_walking_as_measured_never_trips() -> None:
    """The peaks of the walking robot, all at once and all the time."""
    bench, rng = Bench().running(), np.random.default_rng(2)

    def walk(inputs: GuardInputs) -> None:
        position = inputs.state.position_rad + rng.uniform(-0.009, 0.009, COUNT)
        inputs.state = replace(
            inputs.state, position_rad=position, velocity_rad_per_s=rng.uniform(-8.8, 8.8, COUNT),
            torque_nm=rng.uniform(-18.4, 18.4, COUNT), temperature_degc=np.full(COUNT, 70.0),
        )  # fmt: skip
        tilt = 0.33
        imu = replace(
            inputs.state.imu, gravity_in_base=np.array([np.sin(tilt), 0.0, -np.cos(tilt)]),
            angular_velocity_base_in_base_rad_per_s=np.array([4.5, 0.0, 0.0]),
        )  # fmt: skip
        inputs.state = replace(inputs.state, imu=imu)
        policy = replace(
            inputs.output.policy, action_peak=1.0, action_step_peak=0.88, saturated_fraction=0.09, elapsed_s=0.004,
            observation_excess=0.1,
        )  # fmt: skip
        inputs.output = replace(inputs.output, policy=policy)

    bench.tamper = walk
    bench.run(3.0)
    assert bench.decision.stop is None
    assert bench.decision.level is Level.NONE
