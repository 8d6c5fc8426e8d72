"""Every guard of the shipped file, swept across its limit and fed what no sensor should ever deliver."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.guard import Persistence
from supervisor.core.levels import ArmingState, GuardValue
from supervisor.core.safety import SafetyConfig
from supervisor.safety.board import GuardBoardEvaluator
from supervisor.safety.guards import GUARDS, NOTHING, Source
from supervisor.safety.guards.imu import imu_gravity, imu_norm
from supervisor.safety.guards.motors import motor_disabled, tracking_error
from supervisor.safety.guards.policy import policy_age, proposal_age
from supervisor.safety.guards.timing import mission_timeout, stage_timeout
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import (
    HIGH,
    LOW,
    PERIOD_S,
    ROBOT,
    SAFETY,
    make_imu,
    make_inputs,
    make_output,
    make_state,
)
from tests.safety.guard_cases import CASES, JOINT

AT_ONCE = replace(
    SAFETY, guards=tuple(replace(r, persistence=Persistence(1, 1), hysteresis=0.0) for r in SAFETY.guards)
)
ALL = pytest.mark.parametrize("identifier", list(GUARDS))
ROWS = SAFETY.rows_by_id()


def evaluate(identifier: str, inputs: GuardInputs, safety: SafetyConfig = AT_ONCE):
    evaluator = GuardBoardEvaluator(safety)
    return evaluator.evaluate(inputs).by_id()[identifier]


def test_the_shipped_file_declares_every_guard() -> None:
    assert {row.id for row in SAFETY.guards} == set(GUARDS) == set(CASES)


def test_a_healthy_robot_passes_every_guard() -> None:
    inputs = make_inputs()
    inputs.joints.fill(inputs.state, None, inputs.now_s - PERIOD_S)
    inputs.output = make_output(inputs.now_s)
    board = GuardBoardEvaluator(AT_ONCE).evaluate(inputs)
    assert {r.id: r.value for r in board} == dict.fromkeys([r.id for r in board], GuardValue.OK)


@ALL
def test_guard_is_swept_across_its_limit(identifier: str) -> None:
    case, limit = CASES[identifier], ROWS[identifier].limit
    step = limit * case.tolerance if case.is_number else 0.6
    for value, expected in ((limit - step, GuardValue.OK), (limit + step, GuardValue.VIOLATED)):
        inputs = make_inputs()
        inputs.joints.fill(inputs.state, None, inputs.now_s - PERIOD_S)
        case.put(inputs, max(value, 0.0))
        reading = evaluate(identifier, inputs)
        assert reading.value is expected, f"{identifier} at {value}: {reading}"
        assert reading.tripped is (expected is GuardValue.VIOLATED)
        assert (reading.margin < 0.0) is (expected is GuardValue.VIOLATED)


@pytest.mark.parametrize("identifier", [name for name, case in CASES.items() if case.is_number])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_no_guard_passes_what_is_not_finite(identifier: str, bad: float) -> None:
    inputs = make_inputs()
    inputs.joints.fill(inputs.state, None, inputs.now_s - PERIOD_S)
    with np.errstate(invalid="ignore"):
        CASES[identifier].put(inputs, bad)
        reading = evaluate(identifier, inputs)
    if identifier == "joint_position" and bad == float("-inf"):
        assert reading.value is GuardValue.VIOLATED
    assert reading.value is not GuardValue.OK


@pytest.mark.parametrize("identifier", [name for name, kind in GUARDS.items() if kind.source is Source.IMU])
def test_what_comes_from_an_old_imu_is_stale(identifier: str) -> None:
    inputs = make_inputs()
    limit_s = ROWS["imu_age"].limit
    inputs.state = make_state(inputs.now_s, imu=make_imu(inputs.now_s - limit_s - 1e-6))
    reading = evaluate(identifier, inputs)
    assert reading.value is GuardValue.STALE
    assert np.isnan(reading.measured)
    inputs.state = make_state(inputs.now_s, imu=make_imu(inputs.now_s - limit_s + 1e-6))
    assert evaluate(identifier, inputs).value is GuardValue.OK


@pytest.mark.parametrize("identifier", [name for name, kind in GUARDS.items() if kind.source is Source.MOTORS])
def test_what_comes_from_an_old_motor_is_stale(identifier: str) -> None:
    inputs = make_inputs()
    stamps = inputs.state.motor_stamp_s.copy()
    stamps[JOINT] -= ROWS["motor_age"].limit + 1e-6
    inputs.joints.fill(inputs.state, None, inputs.now_s - PERIOD_S)
    inputs.state = replace(inputs.state, motor_stamp_s=stamps)
    assert evaluate(identifier, inputs).value is GuardValue.STALE


def test_a_motor_never_heard_is_infinitely_old() -> None:
    inputs = make_inputs()
    stamps = inputs.state.motor_stamp_s.copy()
    stamps[JOINT] = float("-inf")
    inputs.state = replace(inputs.state, motor_stamp_s=stamps)
    reading = evaluate("motor_age", inputs)
    assert (reading.value, reading.measured, reading.joint) == (GuardValue.VIOLATED, float("inf"), JOINT)


@pytest.mark.parametrize("identifier", [n for n, k in GUARDS.items() if k.source is not Source.OWN or "motor" in n])
def test_a_missing_state_passes_no_guard_that_needs_one(identifier: str) -> None:
    inputs = make_inputs()
    inputs.expects_power = True
    inputs.applied = None
    inputs.state = None
    assert evaluate(identifier, inputs).value in (GuardValue.ERROR, GuardValue.STALE)


@pytest.mark.parametrize("bad", [np.zeros(3), np.zeros((2, 12)), None, "text"])
@pytest.mark.parametrize(
    ("attribute", "identifier"),
    [
        ("position_rad", "joint_position"),
        ("velocity_rad_per_s", "joint_velocity"),
        ("torque_nm", "joint_torque"),
        ("temperature_degc", "motor_temperature"),
        ("motor_stamp_s", "motor_age"),
        ("motor_status", "motor_fault"),
    ],
)
def test_an_array_of_the_wrong_size_or_type_passes_no_guard_of_its_own(
    attribute: str, identifier: str, bad: object
) -> None:
    inputs = make_inputs()
    inputs.state = replace(inputs.state, **{attribute: bad})
    assert evaluate(identifier, inputs).value in (GuardValue.ERROR, GuardValue.STALE)


@pytest.mark.parametrize("bad", [None, "pressed", 0, 1, float("nan")])
def test_a_flag_of_the_wrong_type_is_never_healthy(bad: object) -> None:
    for field, identifier in (
        ("emergency_stop", "emergency_stop"),
        ("recorder_ok", "recorder"),
        ("hashes_match", "hashes"),
    ):
        inputs = make_inputs()
        setattr(inputs, field, bad)
        assert evaluate(identifier, inputs).value is GuardValue.VIOLATED


def test_inputs_that_nobody_wrote_pass_none_of_the_guards_that_need_them() -> None:
    inputs = GuardInputs.of(ROBOT)
    board = GuardBoardEvaluator(AT_ONCE).evaluate(inputs).by_id()
    for identifier in (
        "emergency_stop",
        "motor_age",
        "imu_age",
        "loop_lag_mean",
        "operator_link",
        "guardian",
        "bus_loss",
        "recorder",
    ):
        assert board[identifier].value is not GuardValue.OK, identifier


def test_readings_name_the_worst_joint_and_its_physical_limit() -> None:
    inputs = make_inputs()
    velocity = np.zeros(12)
    velocity[3], velocity[JOINT] = 2.0, -15.0
    inputs.state = replace(inputs.state, velocity_rad_per_s=velocity)
    reading = evaluate("joint_velocity", inputs)
    assert (reading.measured, reading.unit, reading.joint) == (15.0, "rad/s", JOINT)
    assert reading.limit == pytest.approx(0.8 * 18.0)


def test_joint_position_is_judged_at_both_ends() -> None:
    for edge, sign in ((LOW, -1.0), (HIGH, 1.0)):
        inputs = make_inputs()
        position = inputs.state.position_rad.copy()
        position[JOINT] = edge[JOINT] + sign * 0.081
        inputs.state = replace(inputs.state, position_rad=position)
        assert evaluate("joint_position", inputs).value is GuardValue.VIOLATED


def test_tilt_is_the_angle_to_the_vertical_all_the_way_round() -> None:
    for angle in (0.0, 0.3, 1.6, 3.1):
        inputs = make_inputs()
        CASES["tilt"].put(inputs, angle)
        assert GUARDS["tilt"].function(inputs)[0] == pytest.approx(angle)


def test_a_lost_reply_does_not_make_a_jump_of_an_ordinary_step() -> None:
    inputs = make_inputs()
    before = make_state(inputs.now_s - 3 * PERIOD_S)
    inputs.joints.fill(before, None, before.now_s)
    position = before.position_rad.copy()
    position[JOINT] += 2.0 * 18.0 * PERIOD_S
    inputs.state = replace(inputs.state, position_rad=position)
    assert evaluate("encoder_jump", inputs).measured == pytest.approx(2.0 / 3.0)


def test_imu_norm_takes_the_worse_of_quaternion_and_gravity() -> None:
    inputs = make_inputs()
    inputs.state = make_state(inputs.now_s, imu=make_imu(inputs.now_s, gravity_in_base=np.array([0.0, 0.0, -1.1])))
    assert imu_norm(inputs)[0] == pytest.approx(0.1)
    inputs.state = make_state(
        inputs.now_s, imu=make_imu(inputs.now_s, gravity_in_base=np.array([0.0, 0.0, float("nan")]))
    )
    assert np.isnan(imu_norm(inputs)[0])


def test_imu_gravity_is_quiet_while_the_body_moves() -> None:
    inputs = make_inputs()
    sideways = np.array([9.81, 0.0, 0.0])
    inputs.state = make_state(inputs.now_s, imu=make_imu(inputs.now_s, acceleration_base_in_base_m_per_s2=sideways))
    assert imu_gravity(inputs)[0] == pytest.approx(np.pi / 2)
    turning = make_imu(
        inputs.now_s, acceleration_base_in_base_m_per_s2=sideways,
        angular_velocity_base_in_base_rad_per_s=np.array([0.0, 0.0, 0.31]),
    )  # fmt: skip
    falling = make_imu(inputs.now_s, acceleration_base_in_base_m_per_s2=np.array([5.0, 0.0, 0.0]))
    for imu in (turning, falling):
        inputs.state = make_state(inputs.now_s, imu=imu)
        assert imu_gravity(inputs) is NOTHING


def test_policy_guards_are_quiet_without_a_policy() -> None:
    names = [name for name in GUARDS if name.startswith(("policy", "action", "observation"))]
    for output in (None, make_output(1000.0, policy=replace(make_output(0.0).policy, is_active=False))):
        inputs = make_inputs()
        inputs.output = output
        assert {GUARDS[name].function(inputs) for name in names} == {NOTHING}


def test_timeouts_are_quiet_between_stages_and_count_on_while_the_mission_is_silent() -> None:
    inputs = make_inputs()
    for function in (stage_timeout, mission_timeout):
        inputs.output = make_output(inputs.now_s, stage="")
        assert function(inputs) is NOTHING
        inputs.output = make_output(inputs.now_s - 2.5, stage_elapsed_s=1.0, mission_elapsed_s=1.0)
        assert function(inputs)[0] == pytest.approx(3.5)


def test_power_and_tracking_guards_are_quiet_while_the_motors_are_off() -> None:
    inputs = make_inputs()
    assert motor_disabled(inputs) is NOTHING
    assert tracking_error(inputs) is NOTHING


def test_proposal_age_counts_only_while_running() -> None:
    inputs = make_inputs()
    inputs.output = None
    assert proposal_age(inputs) is NOTHING
    inputs.arming, inputs.running_since_s = ArmingState.RUNNING, inputs.now_s - 0.03
    assert proposal_age(inputs)[0] == pytest.approx(0.03)
    inputs.running_since_s = float("-inf")
    assert proposal_age(inputs)[0] == float("inf")
    inputs.output = make_output(inputs.now_s, proposal=None)
    assert proposal_age(inputs)[0] == float("inf")


def test_a_silent_mission_is_seen_in_a_stage_without_motion_too() -> None:
    inputs = make_inputs()
    inputs.arming, inputs.running_since_s = ArmingState.RUNNING, float("-inf")
    inputs.output = make_output(inputs.now_s - 0.5, proposal=None, needs_motion=False)
    assert proposal_age(inputs)[0] == pytest.approx(0.5)


def test_a_stamp_from_the_future_is_not_fresh() -> None:
    inputs = make_inputs()
    inputs.arming, inputs.running_since_s = ArmingState.RUNNING, float("-inf")
    inputs.output = make_output(inputs.now_s + 5.0)
    assert proposal_age(inputs)[0] == float("inf")
    assert policy_age(inputs)[0] == float("inf")


def test_motors_never_heard_stay_infinitely_old_cycle_after_cycle() -> None:
    inputs, evaluator = make_inputs(), GuardBoardEvaluator(AT_ONCE)
    for _ in range(2):
        inputs.state = replace(inputs.state, motor_stamp_s=np.full(12, float("-inf")))
        reading = evaluator.evaluate(inputs).by_id()["motor_age"]
        assert (reading.value, reading.measured) == (GuardValue.VIOLATED, float("inf"))
