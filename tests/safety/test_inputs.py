"""The table of per-joint quantities beside the same table computed plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest

from supervisor.core.command import JointCommand
from supervisor.core.state import MotorStatus, RobotState
from supervisor.safety.inputs import (
    AGE,
    DISABLED,
    FAULT,
    JUMP,
    LONG_AGO_S,
    POSITION,
    ROWS,
    TEMPERATURE,
    TORQUE,
    TRACKING,
    VELOCITY,
    GuardInputs,
    JointTable,
)
from tests.safety.bench import COUNT, HIGH, LOW, PERIOD_S, ROBOT, START_S, make_command, make_imu, make_state

SPEED_LIMIT, TORQUE_LIMIT = ROBOT.vector("velocity_rad_per_s"), ROBOT.vector("torque_nm")


def expected_rows(
    state: RobotState, before: RobotState | None, applied: JointCommand | None, now_s: float
) -> np.ndarray:
    """(ROWS, n) by the book: magnitudes of ratios, distances and ages; 1 where a motor is faulty or off."""
    rows = np.full((ROWS, COUNT), math.nan)
    for i in range(COUNT):
        q, stamp_s = state.position_rad[i], state.motor_stamp_s[i]
        rows[VELOCITY, i] = abs(state.velocity_rad_per_s[i] / SPEED_LIMIT[i])
        rows[TORQUE, i] = abs(state.torque_nm[i] / TORQUE_LIMIT[i])
        rows[TRACKING, i] = 0.0 if applied is None else abs(applied.position_rad[i] - q)
        if before is not None:
            elapsed_s = max(stamp_s, LONG_AGO_S) - max(before.motor_stamp_s[i], LONG_AGO_S)
            rows[JUMP, i] = abs(q - before.position_rad[i]) / (max(elapsed_s, PERIOD_S) * SPEED_LIMIT[i])
        rows[POSITION, i] = max(q - HIGH[i], LOW[i] - q)
        rows[TEMPERATURE, i] = abs(state.temperature_degc[i])
        rows[AGE, i] = abs(now_s - stamp_s)
        rows[FAULT, i] = state.motor_status[i] == MotorStatus.FAULT
        rows[DISABLED, i] = state.motor_status[i] == MotorStatus.DISABLED
    return rows


def random_state(random: np.random.Generator, now_s: float) -> RobotState:
    status = random.choice([int(s) for s in MotorStatus], COUNT)
    return make_state(
        now_s, position_rad=random.uniform(-4.0, 4.0, COUNT), velocity_rad_per_s=random.uniform(-30.0, 30.0, COUNT),
        torque_nm=random.uniform(-40.0, 40.0, COUNT), temperature_degc=random.uniform(-20.0, 120.0, COUNT),
        motor_stamp_s=now_s - random.uniform(-0.01, 0.03, COUNT), motor_status=status,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_every_row_is_what_the_book_says_and_the_worst_is_named(seed: int) -> None:
    random = np.random.default_rng(seed)
    table, before = JointTable(ROBOT), None
    for cycle in range(8):
        now_s = START_S + cycle * PERIOD_S
        state = random_state(random, now_s)
        applied = make_command(random.uniform(-3.0, 3.0, COUNT)) if cycle % 2 else None
        table.fill(state, applied, now_s)
        rows = expected_rows(state, before, applied, now_s)
        np.testing.assert_allclose(np.array(table.rows), rows, rtol=1e-12, atol=1e-12)
        assert table.worst == np.array(table.rows).argmax(1).tolist()
        before = state


def test_limits_are_the_robots() -> None:
    table = JointTable(ROBOT)
    np.testing.assert_array_equal(table.velocity_rad_per_s, SPEED_LIMIT)
    np.testing.assert_array_equal(table.torque_nm, TORQUE_LIMIT)


def is_blank(table: JointTable) -> bool:
    return len(table.rows) == ROWS and np.isnan(np.array(table.rows)).all() and table.worst == [-1] * ROWS


def test_an_empty_table_knows_nothing() -> None:
    assert is_blank(JointTable(ROBOT))
    assert np.array(JointTable(ROBOT).rows).shape == (ROWS, COUNT)


def test_a_cleared_table_knows_nothing_and_begins_anew() -> None:
    random = np.random.default_rng(1)
    table, state = JointTable(ROBOT), random_state(random, START_S)
    table.fill(state, None, START_S)
    table.clear()
    assert is_blank(table)
    # The same statuses again: rows that depend on them are filled although they have not changed.
    table.fill(state, None, START_S + PERIOD_S)
    np.testing.assert_allclose(np.array(table.rows), expected_rows(state, None, None, START_S + PERIOD_S), atol=1e-12)


def test_the_first_reading_of_a_joint_is_no_jump_and_the_second_is_judged_over_its_time() -> None:
    table = JointTable(ROBOT)
    never = make_state(START_S, motor_stamp_s=np.full(COUNT, -math.inf))
    table.fill(never, None, START_S)
    assert np.isnan(table.rows[JUMP]).all()
    later = make_state(START_S, position_rad=never.position_rad + 1.0)
    table.fill(later, None, START_S)
    np.testing.assert_allclose(table.rows[JUMP], 1.0 / ((START_S - LONG_AGO_S) * SPEED_LIMIT))


def test_nan_is_the_worst_of_its_row() -> None:
    state = make_state(START_S)
    state.torque_nm[7] = math.nan
    state.torque_nm[8] = 1e9
    table = JointTable(ROBOT)
    table.fill(state, None, START_S)
    assert table.worst[TORQUE] == 7


def test_inputs_of_a_robot_have_its_period_and_nothing_measured() -> None:
    inputs = GuardInputs.of(ROBOT)
    assert inputs.period_s == PERIOD_S
    assert is_blank(inputs.joints)
    with pytest.raises(LookupError) as caught:
        inputs.newest()
    assert str(caught.value) == "nothing measured yet"
    inputs.state = make_state()
    assert inputs.newest() is inputs.state


@pytest.mark.parametrize("late_s", [0.0, 2.0**-30])
def test_a_source_is_stale_beyond_its_age_and_not_at_it(late_s: float) -> None:
    inputs = GuardInputs.of(ROBOT)
    inputs.now_s = START_S
    stamps = np.full(COUNT, START_S)
    stamps[3] -= 0.25 + late_s
    inputs.state = make_state(START_S, imu=make_imu(START_S - 0.5 - late_s), motor_stamp_s=stamps)
    inputs.prepare(0.5, 0.25)
    assert (inputs.imu_stale, inputs.motors_stale) == (late_s > 0.0, late_s > 0.0)


def test_each_source_is_judged_by_its_own_age() -> None:
    inputs = GuardInputs.of(ROBOT)
    inputs.now_s = START_S
    inputs.state = make_state(START_S, imu=make_imu(START_S - 0.3))
    inputs.prepare(0.5, 0.25)
    assert (inputs.imu_stale, inputs.motors_stale) == (False, False)
    inputs.prepare(0.25, 0.5)
    assert (inputs.imu_stale, inputs.motors_stale) == (True, False)
    inputs.state = make_state(START_S, motor_stamp_s=np.full(COUNT, START_S - 0.3))
    inputs.prepare(0.25, 0.25)
    assert (inputs.imu_stale, inputs.motors_stale) == (False, True)


def test_what_is_applied_and_when_reaches_the_table() -> None:
    inputs = GuardInputs.of(ROBOT)
    inputs.now_s, inputs.state = START_S + 0.5, make_state(START_S)
    inputs.applied = make_command(inputs.state.position_rad + 0.25)
    inputs.prepare(1.0, 1.0)
    np.testing.assert_allclose(inputs.joints.rows[TRACKING], 0.25)
    np.testing.assert_allclose(inputs.joints.rows[AGE], 0.5)


def test_what_cannot_be_read_is_stale_and_forgets_what_was() -> None:
    inputs = GuardInputs.of(ROBOT)
    inputs.now_s, inputs.state = START_S, make_state(START_S)
    inputs.prepare(1.0, 1.0)
    assert not inputs.imu_stale
    inputs.state = make_state(START_S, position_rad=np.zeros(3))
    inputs.prepare(1.0, 1.0)
    assert (inputs.imu_stale, inputs.motors_stale) == (True, True)
    assert is_blank(inputs.joints)
