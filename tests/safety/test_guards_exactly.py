"""What each guard returns: the measurement, what its limit is a fraction of, and the joint."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.exchange import PolicyHealth
from supervisor.core.levels import ArmingState
from supervisor.core.state import MotorStatus
from supervisor.safety.guards import GUARDS, NOTHING
from supervisor.safety.guards.imu import (
    REST_ACCELERATION_M_PER_S2,
    REST_RATE_RAD_PER_S,
    STANDARD_GRAVITY_M_PER_S2,
)
from supervisor.safety.guards.kinds import Sample
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import (
    COUNT,
    LOW,
    PERIOD_S,
    REST,
    ROBOT,
    START_S,
    make_command,
    make_imu,
    make_inputs,
    make_output,
    make_state,
)

SPEED, TORQUE = ROBOT.vector("velocity_rad_per_s"), ROBOT.vector("torque_nm")
HEALTH = PolicyHealth(
    True, START_S - 0.004, 0.003, 0.02, True, action_peak=0.5, action_step_peak=0.25, saturated_fraction=0.125,
    observation_excess=0.0625,
)  # fmt: skip


def sample(identifier: str, inputs: GuardInputs) -> Sample:
    return GUARDS[identifier].function(inputs)


def with_imu(**changes: object) -> GuardInputs:
    inputs = make_inputs()
    inputs.state = make_state(START_S, imu=make_imu(START_S, **changes))
    return inputs


def moving() -> GuardInputs:
    """Each joint elsewhere, at another speed, torque and temperature: the last is the worst of all."""
    inputs = make_inputs()
    share = np.arange(1, COUNT + 1) / 100.0
    before = make_state(START_S - PERIOD_S)
    inputs.joints.fill(before, None, START_S - PERIOD_S)
    status = np.full(COUNT, int(MotorStatus.DISABLED))
    status[:4] = int(MotorStatus.ENABLED)
    status[2] = int(MotorStatus.FAULT)
    inputs.state = make_state(
        START_S, position_rad=REST + share, velocity_rad_per_s=-share * SPEED, torque_nm=-share * TORQUE,
        temperature_degc=40.0 + share, motor_stamp_s=START_S - share / 10.0, motor_status=status,
    )  # fmt: skip
    inputs.applied = make_command(REST)
    inputs.joints.fill(inputs.state, inputs.applied, START_S)
    return inputs


def is_close(found: Sample, expected: Sample) -> bool:
    return found[0] == pytest.approx(expected[0], rel=1e-9) and found[1:] == expected[1:]


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("joint_velocity", (0.12 * SPEED[-1], SPEED[-1], COUNT - 1)),
        ("joint_torque", (0.12 * TORQUE[-1], TORQUE[-1], COUNT - 1)),
        ("tracking_error", (0.12, 1.0, COUNT - 1)),
        ("motor_temperature", (40.12, 1.0, COUNT - 1)),
        ("motor_age", (0.012, 1.0, COUNT - 1)),
        ("motor_fault", (1.0, 1.0, 2)),
        ("encoder_jump", (0.12 / (SPEED[-1] * PERIOD_S), 1.0, COUNT - 1)),
    ],
)
def test_of_the_joints_the_worst_is_measured(identifier: str, expected: Sample) -> None:
    assert is_close(sample(identifier, moving()), expected)


def test_a_motor_that_is_off_is_named_where_it_matters() -> None:
    inputs = moving()
    assert sample("motor_disabled", inputs) is NOTHING
    inputs.expects_power = True
    assert sample("motor_disabled", inputs) == (1.0, 1.0, 4)


def test_joints_of_motors_that_are_well_are_not_named() -> None:
    inputs = make_inputs()
    inputs.expects_power = True
    inputs.state = make_state(START_S, motor_status=np.full(COUNT, int(MotorStatus.ENABLED)))
    inputs.joints.fill(inputs.state, None, START_S)
    assert sample("motor_fault", inputs) == (0.0, 1.0, -1)
    assert sample("motor_disabled", inputs) == (0.0, 1.0, -1)


def test_joint_position_is_negative_inside() -> None:
    inputs = make_inputs()
    position = 0.5 * (ROBOT.position_minimum_rad + ROBOT.position_maximum_rad)
    position[5] = LOW[5] + 0.01
    inputs.state = make_state(START_S, position_rad=position)
    inputs.joints.fill(inputs.state, None, START_S)
    assert is_close(sample("joint_position", inputs), (-0.01, 1.0, 5))


@pytest.mark.parametrize("offset_s", [-0.25, 0.25])
def test_the_age_of_the_imu_is_positive_either_way(offset_s: float) -> None:
    assert sample("imu_age", with_imu(stamp_s=START_S + offset_s)) == (0.25, 1.0, -1)


@pytest.mark.parametrize(
    ("wxyz", "gravity", "expected"),
    [
        ((1.5, 0.0, 0.0, 0.0), (0.0, 0.0, -1.0), 0.5),
        ((0.0, 0.25, 0.0, 0.0), (0.0, 0.0, -1.0), 0.75),
        ((0.2, 0.4, 0.5, 0.6), (0.0, 0.0, -1.0), 1.0 - 0.9),
        ((1.0, 0.0, 0.0, 0.0), (2.0, 3.0, -6.0), 6.0),
        ((1.25, 0.0, 0.0, 0.0), (1.25, 0.0, 0.0), 0.25),
        ((1.5, 0.0, 0.0, 0.0), (0.0, 1.25, 0.0), 0.5),
        ((math.nan, 0.0, 0.0, 0.0), (0.0, 0.0, -1.0), math.nan),
        ((1.5, 0.0, 0.0, 0.0), (math.nan, 0.0, -1.0), math.nan),
    ],
)
def test_imu_norm_is_the_larger_departure_from_one(
    wxyz: tuple[float, ...], gravity: tuple[float, ...], expected: float
) -> None:
    inputs = with_imu(orientation_base_in_world_wxyz=np.array(wxyz), gravity_in_base=np.array(gravity))
    measured, *rest = sample("imu_norm", inputs)
    assert measured == pytest.approx(expected, nan_ok=True)
    assert rest == [1.0, -1]


@pytest.mark.parametrize(
    ("up", "gravity"),
    [
        ((0.0, 0.0, 1.0), (0.0, 0.0, -1.0)),
        ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
        ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
        ((0.6, 0.0, 0.8), (0.0, 0.6, -0.8)),
        ((1 / 3, 2 / 3, 2 / 3), (-2 / 3, -1 / 3, -2 / 3)),
        ((1 / 3, -2 / 3, 2 / 3), (2 / 3, 1 / 3, -2 / 3)),
        ((2 / 7, 3 / 7, 6 / 7), (3 / 7, -6 / 7, 2 / 7)),
        ((0.0, 0.0, 1.0), (0.0, 0.0, 1.0)),
    ],
)
def test_imu_gravity_is_the_angle_between_the_two(up: tuple[float, ...], gravity: tuple[float, ...]) -> None:
    inputs = with_imu(
        acceleration_base_in_base_m_per_s2=STANDARD_GRAVITY_M_PER_S2 * np.array(up), gravity_in_base=np.array(gravity)
    )
    measured, *rest = sample("imu_gravity", inputs)
    assert measured == pytest.approx(math.acos(-np.dot(up, gravity)), abs=1e-7)
    assert rest == [1.0, -1]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_imu_gravity_looks_only_at_a_body_at_rest(axis: int, sign: float) -> None:
    for inside in (True, False):
        just = REST_ACCELERATION_M_PER_S2 * (0.999 if inside else 1.001)
        acceleration = np.zeros(3)
        acceleration[axis] = STANDARD_GRAVITY_M_PER_S2 + sign * just
        assert (
            sample("imu_gravity", with_imu(acceleration_base_in_base_m_per_s2=acceleration)) is NOTHING
        ) is not inside
        rate = np.zeros(3)
        rate[axis] = sign * (REST_RATE_RAD_PER_S if inside else np.nextafter(REST_RATE_RAD_PER_S, 1.0))
        assert (sample("imu_gravity", with_imu(angular_velocity_base_in_base_rad_per_s=rate)) is NOTHING) is not inside


def test_imu_gravity_looks_at_the_body_at_the_very_edge_of_rest() -> None:
    edge = STANDARD_GRAVITY_M_PER_S2 + REST_ACCELERATION_M_PER_S2
    assert edge - STANDARD_GRAVITY_M_PER_S2 == REST_ACCELERATION_M_PER_S2
    inputs = with_imu(acceleration_base_in_base_m_per_s2=np.array([0.0, 0.0, edge]))
    assert sample("imu_gravity", inputs) is not NOTHING


def test_all_three_rates_count_for_rest_and_for_the_rate() -> None:
    inputs = with_imu(angular_velocity_base_in_base_rad_per_s=np.array([0.2, 0.2, 0.2]))
    assert sample("imu_gravity", inputs) is NOTHING
    inputs = with_imu(angular_velocity_base_in_base_rad_per_s=np.array([2.0, -3.0, 6.0]))
    assert sample("base_angular_rate", inputs) == (7.0, 1.0, -1)


@pytest.mark.parametrize(
    ("gravity", "angle"),
    [
        ((0.0, 0.0, -1.0), 0.0),
        ((0.0, 0.0, 1.0), math.pi),
        ((0.6, 0.0, -0.8), math.asin(0.6)),
        ((0.0, -0.6, -0.8), math.asin(0.6)),
    ],
)
def test_tilt_is_measured_from_upright(gravity: tuple[float, ...], angle: float) -> None:
    assert is_close(sample("tilt", with_imu(gravity_in_base=np.array(gravity))), (angle, 1.0, -1))


@pytest.mark.parametrize(("unchanged", "warning", "expected"), [(0, False, 0.0), (3, True, 1.0)])
def test_the_units_own_complaints(unchanged: int, warning: bool, expected: float) -> None:
    inputs = with_imu(unchanged=unchanged, warning=warning)
    assert sample("imu_frozen", inputs) == (float(unchanged), 1.0, -1)
    assert isinstance(sample("imu_frozen", inputs)[0], float)
    assert sample("imu_warning", inputs) == (expected, 1.0, -1)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("policy_deadline", (0.003, 0.02, -1)),
        ("action_finite", (0.0, 1.0, -1)),
        ("action_bound", (0.5, 1.0, -1)),
        ("action_rate", (0.25, 1.0, -1)),
        ("action_saturated", (0.125, 1.0, -1)),
        ("observation_range", (0.0625, 1.0, -1)),
        ("stage_timeout", (1.5, 30.0, -1)),
        ("mission_timeout", (2.5, 60.0, -1)),
    ],
)
def test_of_the_mission_each_guard_measures_its_own(identifier: str, expected: Sample) -> None:
    inputs = make_inputs()
    inputs.output = make_output(
        START_S - 0.5,
        policy=HEALTH,
        stage_elapsed_s=1.0,
        stage_limit_s=30.0,
        mission_elapsed_s=2.0,
        mission_limit_s=60.0,
    )
    assert sample(identifier, inputs) == expected


def test_an_output_that_is_not_finite_is_one() -> None:
    inputs = make_inputs()
    inputs.output = make_output(START_S, policy=replace(HEALTH, is_finite=False))
    assert sample("action_finite", inputs) == (1.0, 1.0, -1)


@pytest.mark.parametrize(
    ("ahead_s", "expected_s"), [(-0.25, 0.25), (0.0, 0.0), (0.001953125, -0.001953125), (0.25, math.inf)]
)
def test_policy_age_is_infinite_a_period_ahead(ahead_s: float, expected_s: float) -> None:
    inputs = make_inputs()
    inputs.output = make_output(START_S, policy=replace(HEALTH, stamp_s=START_S + ahead_s))
    assert sample("policy_age", inputs) == (expected_s, 0.02, -1)


@pytest.mark.parametrize("needs_motion", [True, False])
@pytest.mark.parametrize(("ahead_s", "expected_s"), [(-0.25, 0.25), (0.0, 0.0), (0.5, -0.5), (0.5 + 2**-20, math.inf)])
def test_proposal_age_is_infinite_beyond_a_period_ahead(needs_motion: bool, ahead_s: float, expected_s: float) -> None:
    inputs = make_inputs()
    inputs.period_s = 0.5
    inputs.arming, inputs.running_since_s = ArmingState.RUNNING, START_S - 1.0
    inputs.output = make_output(START_S + ahead_s, needs_motion=needs_motion)
    assert sample("proposal_age", inputs) == (expected_s, 1.0, -1)


def test_policy_age_a_whole_period_ahead_is_not_fresh() -> None:
    inputs = make_inputs()
    inputs.period_s = 0.5
    inputs.output = make_output(START_S, policy=replace(HEALTH, stamp_s=START_S + 0.5))
    assert sample("policy_age", inputs)[0] == math.inf


def test_a_proposal_counts_from_the_newer_of_its_stamp_and_the_start() -> None:
    inputs = make_inputs()
    inputs.arming = ArmingState.RUNNING
    inputs.output = make_output(START_S - 0.5)
    for running_since_s, expected_s in ((START_S - 0.25, 0.25), (START_S - 1.0, 0.5)):
        inputs.running_since_s = running_since_s
        assert sample("proposal_age", inputs) == (expected_s, 1.0, -1)
    inputs.output = make_output(START_S, proposal=None)
    inputs.running_since_s = START_S - 0.125
    assert sample("proposal_age", inputs) == (0.125, 1.0, -1)


def test_what_the_runtime_measures_is_passed_on() -> None:
    inputs = make_inputs()
    inputs.period_s = 0.002
    inputs.operator_link_age_s, inputs.guardian_age_s = 0.25, 0.5
    inputs.loop_lag_mean_s, inputs.loop_lag_worst_s, inputs.bus_loss = 0.001, 0.003, 0.0625
    inputs.bus_off, inputs.bus_errors, inputs.foreign_commands, inputs.clock_step_s = 1, 2, 3, -4.0
    expected = {
        "operator_link": (0.25, 1.0, -1), "guardian": (0.5, 1.0, -1), "loop_lag_mean": (0.001, 0.002, -1),
        "loop_lag_worst": (0.003, 0.002, -1), "bus_loss": (0.0625, 1.0, -1), "bus_off": (1.0, 1.0, -1),
        "bus_errors": (2.0, 1.0, -1), "second_writer": (3.0, 1.0, -1), "clock_step": (4.0, 1.0, -1),
    }  # fmt: skip
    assert {identifier: sample(identifier, inputs) for identifier in expected} == expected
    assert {type(sample(identifier, inputs)[0]) for identifier in expected} == {float}


@pytest.mark.parametrize(("is_well", "expected"), [(True, 0.0), (False, 1.0)])
def test_flags_are_zero_when_well(is_well: bool, expected: float) -> None:
    inputs = make_inputs()
    inputs.emergency_stop, inputs.recorder_ok, inputs.hashes_match = not is_well, is_well, is_well
    for identifier in ("emergency_stop", "recorder", "hashes"):
        assert sample(identifier, inputs) == (expected, 1.0, -1)


@pytest.mark.parametrize(
    ("expected_guards", "evaluated", "unknown", "missing"),
    [(5, 4, 0, 0.0), (5, 2, 0, 2.0), (5, 6, 0, 2.0), (5, 3, 4, 5.0)],
)
def test_guard_count_is_what_is_missing_and_what_is_unknown(
    expected_guards: int, evaluated: int, unknown: int, missing: float
) -> None:
    inputs = make_inputs()
    inputs.expected_guards, inputs.evaluated_guards, inputs.unknown_tightenings = expected_guards, evaluated, unknown
    assert sample("guard_count", inputs) == (missing, 1.0, -1)
