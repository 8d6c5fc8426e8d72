"""From each kind of evidence to its cause, the joints and a remedy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.exchange import DeviceReport, DrillReport, Knobs, PolicyHealth, Snapshot, Stop
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.levels import GuardValue, Level
from supervisor.core.report import CriterionResult, Diagnosis, StageReport
from supervisor.core.robot import RobotConfig
from supervisor.core.signature import Hypothesis
from supervisor.core.state import NEVER_S, BusStatistics, MotorStatus
from supervisor.diagnosis.causes import MOST, diagnose
from supervisor.diagnosis.evidence import Evidence
from supervisor.diagnosis.pose import explain_pose, hanging_pose, imu_rotation
from supervisor.diagnosis.signature import Explanation

At = Callable[..., Snapshot]
LEGS = tuple(f"{leg}_{joint}" for leg in ("fl", "fr") for joint in ("hip", "thigh", "calf"))
HANGING = np.array([-0.75, 0.6, -1.4, 0.75, 0.6, -1.4])
SPREAD = np.full(6, 0.12)


def stop(guard: str, stage: str = "rollout", joints: tuple[str, ...] = (), measured: float = 1.0) -> Stop:
    return Stop(Level.DAMP, guard, measured, 0.5, "rad", 10.0, 9.9, stage, joints)


def failed_stage(kind: str, metric: str, value: float, **metrics: float) -> StageReport:
    criterion = CriterionResult(metric, "<=", 0.5 * value, value, passed=False)
    return StageReport(kind, kind, "failed", 0.0, 9.0, Knobs(), {metric: value, **metrics}, (criterion,))


def first(evidence: Evidence) -> Diagnosis:
    found = diagnose(evidence)
    assert found
    assert len(found) <= MOST
    assert found[0].remedy
    for value in found[0].evidence.values():
        assert isinstance(value, str) or math.isfinite(value)
    return found[0]


def test_a_run_without_trouble_has_no_diagnosis(robot: RobotConfig, snapshot_at: At):
    assert diagnose(Evidence(robot, snapshot=snapshot_at(1.0))) == ()
    planned = Stop(Level.SETTLE, "mission", 0.0, 0.0, "", 1.0, 1.0, "rollout", planned=True)
    assert diagnose(Evidence(robot, stop=planned, snapshot=snapshot_at(1.0))) == ()


def test_what_nothing_explains_is_still_said(robot: RobotConfig):
    report = failed_stage("stand", "torque_mean_fraction", 0.9)
    assert "torque_mean_fraction 0.9" in first(Evidence(robot, stages=(report,))).symptom
    assert first(Evidence(robot, refusals=("no clearance",))).symptom == "no clearance"


def test_one_silent_motor_is_named_with_its_id(robot: RobotConfig, snapshot_at: At):
    snapshot = snapshot_at(10.0, motor_stamp_s=np.array([10.0, 9.5, 10.0]))
    found = first(Evidence(robot, stop("motor_age", joints=("thigh",)), snapshot))
    assert "motor of thigh is silent" in found.cause
    assert found.joints == ("thigh",)
    assert found.evidence["silent_for_s"] == pytest.approx(0.5)
    assert "id 2 on can0" in found.remedy


def test_a_motor_that_does_not_answer_the_inventory_is_silent(robot: RobotConfig, snapshot_at: At):
    inventory = (DeviceReport("calf", "can0", False, ("no answer",), {}),)
    evidence = Evidence(
        robot,
        snapshot=snapshot_at(1.0, inventory=inventory, motor_stamp_s=np.array([1.0, 1.0, NEVER_S])),
        stages=(failed_stage("preflight", "devices_ok_fraction", 0.7),),
        reply_ratios={"can0": 0.667},
    )
    assert first(evidence).joints == ("calf",)
    assert first(evidence).evidence["silent_for_s"] == "never heard"


def test_a_whole_bus_that_is_silent_is_the_bus(robot: RobotConfig, snapshot_at: At):
    snapshot = snapshot_at(10.0, motor_stamp_s=np.full(3, 9.5))
    found = first(Evidence(robot, stop("motor_age"), snapshot))
    assert "bus can0 is cut" in found.cause
    assert found.joints == ("hip", "thigh", "calf")
    off = snapshot_at(10.0, buses={"can0": BusStatistics(is_off=True)})
    assert "bus can0 is off" in first(Evidence(robot, stop("bus_off"), off)).cause


def test_lost_replies_are_a_lossy_bus(robot: RobotConfig, snapshot_at: At):
    found = first(Evidence(robot, stop("bus_loss"), snapshot_at(10.0), reply_ratios={"can0": 0.7}))
    assert found.cause == "bus can0 loses frames"
    assert found.joints == ("hip", "thigh", "calf")
    assert found.evidence["reply_ratio"] == pytest.approx(0.7)
    report = failed_stage("observe", "reply_ratio_min", 0.7)
    counted = snapshot_at(10.0, buses={"can0": BusStatistics(received=70, expected=100)})
    assert first(Evidence(robot, snapshot=counted, stages=(report,))).cause == "bus can0 loses frames"


def test_a_motor_fault_is_called_by_its_name(robot: RobotConfig, snapshot_at: At):
    status = np.array([MotorStatus.ENABLED, MotorStatus.FAULT, MotorStatus.ENABLED], dtype=np.int64)
    snapshot = snapshot_at(10.0, motor_status=status, fault_code=np.array([0, 9, 0]))
    found = first(
        Evidence(robot, stop("motor_fault", joints=("thigh",)), snapshot, fault_names={"thigh": "OVERCURRENT"})
    )
    assert "OVERCURRENT" in found.cause
    assert found.joints == ("thigh",)


def test_the_hottest_motor_overheats(robot: RobotConfig, snapshot_at: At):
    snapshot = snapshot_at(10.0, temperature_degc=np.array([40.0, 41.0, 95.0]))
    found = first(Evidence(robot, stop("motor_temperature", joints=("calf",)), snapshot))
    assert "calf overheats" in found.cause
    assert found.evidence["temperature_degc"] == 95.0


def test_imu_lost_not_finite_and_frozen_are_told_apart(robot: RobotConfig, snapshot_at: At):
    lost = snapshot_at(10.0)
    object.__setattr__(lost.state.imu, "stamp_s", 9.0)
    assert first(Evidence(robot, stop("imu_age"), lost)).cause == "IMU is lost"
    nan = snapshot_at(10.0, gravity_in_base=np.full(3, np.nan))
    assert "not finite" in first(Evidence(robot, stop("imu_norm"), nan)).cause
    frozen = snapshot_at(10.0, unchanged=60)
    assert "frozen" in first(Evidence(robot, stop("imu_frozen"), frozen)).cause


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("angle", [math.pi / 2.0, -math.pi / 2.0])
def test_an_imu_turned_about_a_level_axis_shows_while_the_robot_hangs(
    robot: RobotConfig, snapshot_at: At, axis: str, angle: float
):
    gravity = {"x": np.array([0.03, -math.sin(angle), 0.02]), "y": np.array([math.sin(angle), 0.03, 0.02])}[axis]
    gravity /= np.linalg.norm(gravity)
    assert imu_rotation(gravity)[:2] == (axis, pytest.approx(angle))
    evidence = Evidence(robot, stop("tilt", "observe"), snapshot_at(10.0, gravity_in_base=gravity))
    found = first(evidence)
    assert found.cause == f"IMU is mounted turned by {math.degrees(angle):+.0f}° about {axis}"
    assert "0.7071" in found.remedy


def test_a_fall_in_rollout_is_not_taken_for_a_turned_imu(robot: RobotConfig, snapshot_at: At):
    gravity = np.array([0.0, math.sin(1.0), -math.cos(1.0)])
    evidence = Evidence(
        robot,
        stop("tilt", measured=1.0),
        snapshot_at(10.0, gravity_in_base=gravity),
        passive_gravity=np.array([0.0, 0.0, -1.0]),
    )
    found = first(evidence)
    assert "push or fall to the left" in found.cause
    assert found.evidence["tilt_rad"] == pytest.approx(1.0)


def test_an_imu_turned_about_z_is_named_by_the_answers(robot: RobotConfig, snapshot_at: At):
    ranked = (
        Explanation(Hypothesis("imu_rotated", (), math.pi / 2.0, "z"), 0.4, math.pi / 2.0),
        Explanation(Hypothesis("nominal"), 3.6),
    )
    evidence = Evidence(
        robot,
        snapshot=snapshot_at(10.0),
        stages=(failed_stage("single_joint", "signature_distance", 3.6),),
        explanation=ranked,
    )
    assert first(evidence).cause == "IMU is mounted turned by +90° about z"
    assert "[0.7071, 0.0000, 0.0000, 0.7071]" in first(evidence).remedy


@pytest.mark.parametrize(
    ("hypothesis", "cause", "remedy"),
    [
        (Hypothesis("swapped_ids", ("hip", "calf")), "motor ids of hip and calf are swapped", "exchange the ids"),
        (Hypothesis("sign_flip", ("calf",)), "direction of calf is flipped", "joints.calf.direction to -1"),
        (Hypothesis("encoder_offset", ("thigh",), 0.3), "zero of thigh is wrong", "offset_rad to 0.300"),
        (Hypothesis("motor_weak", ("hip",), 0.3), "motor of hip is weak: about 30 %", "torque constant"),
    ],
)
def test_the_best_explanation_of_the_answers_names_joints_and_remedy(
    robot: RobotConfig, snapshot_at: At, hypothesis: Hypothesis, cause: str, remedy: str
):
    other = Hypothesis("sign_flip", ("hip",))
    ranked = (
        Explanation(hypothesis, 0.5, hypothesis.parameter),
        Explanation(other, 0.9),
        Explanation(Hypothesis("nominal"), 4.0),
    )
    evidence = Evidence(
        robot,
        snapshot=snapshot_at(10.0),
        stages=(failed_stage("single_joint", "signature_margin", 3.5),),
        explanation=ranked,
    )
    found = first(evidence)
    assert cause in found.cause
    assert remedy in found.remedy
    assert found.joints == hypothesis.joints
    assert found.evidence["lead_over_next"] == pytest.approx(1.8)
    assert found.evidence["signature_distance"] == pytest.approx(4.0)
    assert len(diagnose(evidence)) == 1


def test_close_explanations_are_all_given_and_equal_ones_once(robot: RobotConfig, snapshot_at: At):
    ranked = (
        Explanation(Hypothesis("encoder_offset", ("calf",), 0.3), 0.50, 0.25),
        Explanation(Hypothesis("encoder_offset", ("calf",), 0.15), 0.51, 0.22),
        Explanation(Hypothesis("motor_weak", ("calf",), 0.6), 0.52, 0.5),
        Explanation(Hypothesis("nominal"), 4.0),
    )
    evidence = Evidence(robot, stop("tracking_error", "single_joint", ("calf",)), snapshot_at(10.0), explanation=ranked)
    causes = [found.cause for found in diagnose(evidence)]
    assert causes[0].startswith("zero of calf is wrong: it reads about +0.25 rad")
    assert causes[1].startswith("motor of calf is weak")
    assert sum(cause.startswith("zero of calf") for cause in causes) == 1


def test_answers_that_no_fault_explains_are_said_to_be_so(robot: RobotConfig, snapshot_at: At):
    ranked = (Explanation(Hypothesis("nominal"), 2.0), Explanation(Hypothesis("sign_flip", ("hip",)), 5.0))
    evidence = Evidence(
        robot,
        snapshot=snapshot_at(10.0),
        stages=(failed_stage("single_joint", "signature_distance", 2.0),),
        explanation=ranked,
    )
    assert "no single fault" in first(evidence).cause


@pytest.mark.parametrize(
    ("kind", "joints", "change"),
    [
        ("sign_flip", ("fl_calf",), lambda q: np.array([q[0], q[1], -q[2], *q[3:]])),
        ("swapped_ids", ("fl_hip", "fl_calf"), lambda q: q[[2, 1, 0, 3, 4, 5]]),
        ("swapped_ids", ("fr_thigh", "fl_calf"), lambda q: q[[0, 1, 4, 3, 2, 5]]),
        ("encoder_offset", ("fr_hip",), lambda q: q + np.array([0, 0, 0, 0.3, 0, 0])),
    ],
)
def test_readings_of_a_limp_robot_name_the_fault(
    make_robot: Callable[..., RobotConfig],
    snapshot_at: At,
    kind: str,
    joints: tuple[str, ...],
    change: Callable[[np.ndarray], np.ndarray],
):
    robot = make_robot(LEGS)
    rng = np.random.default_rng(0)
    for _ in range(20):
        readings = change(HANGING + 0.05 * rng.uniform(-1.0, 1.0, 6))
        best = explain_pose(readings, robot, HANGING, SPREAD)[0].hypothesis
        assert (best.kind, set(best.joints)) == (kind, set(joints))
    if kind == "sign_flip":
        evidence = Evidence(
            robot,
            stop("joint_position", "preflight", joints),
            snapshot_at(10.0, names=LEGS, position_rad=readings, motor_status=np.ones(6, np.int64)),
        )
        found = first(evidence)
        assert found.joints == joints
        assert "flipped" in found.cause
        assert found.evidence["reading_rad"] == pytest.approx(1.4, abs=0.1)


def test_readings_are_turned_back_with_each_joint_s_own_direction_gear_and_offset(
    make_robot: Callable[..., RobotConfig],
):
    robot = make_robot(LEGS)
    joints = dict(robot.joints)
    joints["fl_calf"] = replace(joints["fl_calf"], direction=-1, gear=2.0, offset_rad=0.2)
    joints["fl_hip"] = replace(joints["fl_hip"], offset_rad=-0.3)
    robot = replace(robot, joints=joints)
    tight = np.full(6, 0.01)
    # Motor turns are direction * gear * (joint + offset) of the joint it sits on; read back as the other joint's.
    calf_motor, hip_motor = -1 * 2.0 * (HANGING[2] + 0.2), HANGING[0] - 0.3
    swapped = HANGING.copy()
    swapped[0] = calf_motor + 0.3
    swapped[2] = hip_motor / (-1 * 2.0) - 0.2
    best = explain_pose(swapped, robot, HANGING, tight)[0]
    assert best.hypothesis == Hypothesis("swapped_ids", ("fl_hip", "fl_calf"))
    flipped = HANGING.copy()
    flipped[2] = -calf_motor / (-1 * 2.0) - 0.2
    best = explain_pose(flipped, robot, HANGING, tight)[0]
    assert best.hypothesis == Hypothesis("sign_flip", ("fl_calf",))
    assert best.cost < 10.0


def test_a_clean_limp_robot_is_nominal_and_never_refused_for_its_pose(
    make_robot: Callable[..., RobotConfig], snapshot_at: At
):
    robot = make_robot(LEGS)
    rng = np.random.default_rng(1)
    for _ in range(50):
        readings = HANGING + 0.25 * rng.normal(size=6)
        np.clip(readings, robot.position_minimum_rad, robot.position_maximum_rad, out=readings)
        evidence = Evidence(
            robot,
            snapshot=snapshot_at(1.0, names=LEGS, position_rad=readings),
            stages=(failed_stage("observe", "policy_finite_fraction", 1.0),),
        )
        assert all("flipped" not in found.cause and "swapped" not in found.cause for found in diagnose(evidence))
    assert explain_pose(HANGING, robot, HANGING, SPREAD)[0].hypothesis.kind == "nominal"
    assert explain_pose(np.full(6, np.nan), robot, HANGING, SPREAD) == ()
    assert hanging_pose(robot)[1].min() >= 0.4


def test_policy_troubles(robot: RobotConfig, snapshot_at: At):
    nan = PolicyHealth(is_active=True, is_finite=False, period_s=0.02)
    assert "not finite" in first(Evidence(robot, stop("action_finite"), snapshot_at(10.0), policy=nan)).cause
    slow = PolicyHealth(is_active=True, elapsed_s=0.06, period_s=0.02)
    found = first(Evidence(robot, stop("policy_deadline"), snapshot_at(10.0), policy=slow))
    assert "inference is too slow" in found.cause
    assert found.evidence["share_of_period"] == pytest.approx(3.0)
    saturated = PolicyHealth(is_active=True, saturated_fraction=0.9, action_peak=1.0)
    found = first(Evidence(robot, stop("action_saturated"), snapshot_at(10.0), policy=saturated))
    assert "saturated" in found.cause
    outside = PolicyHealth(is_active=True, observation_excess=0.8, observation_index=1)
    found = first(
        Evidence(
            robot,
            stop("observation_range"),
            snapshot_at(10.0),
            policy=outside,
            observation_names=("base_angular_velocity x", "joint_position thigh"),
        )
    )
    assert "outside the training range: joint_position thigh" in found.cause
    assert found.joints == ("thigh",)


@pytest.mark.parametrize(
    ("metric", "kind", "cause"),
    [
        ("policy_finite_fraction", "observe", "not finite"),
        ("policy_period_fraction_max", "observe", "inference is too slow"),
        ("observation_excess_max", "small_amplitude", "outside the training range"),
        ("saturated_fraction_max", "ramp", "saturated"),
        ("gate_clamped_fraction", "ramp", "asks for more"),
        ("drift_rad_per_s", "zero_action", "default pose or a zero"),
        ("pose_error_max_rad", "stand", "does not reach"),
    ],
)
def test_a_criterion_that_was_not_met_has_its_cause(
    robot: RobotConfig, snapshot_at: At, metric: str, kind: str, cause: str
):
    snapshot = snapshot_at(10.0, position_rad=robot.vector("default_rad"))
    evidence = Evidence(robot, snapshot=snapshot, stages=(failed_stage(kind, metric, 0.9),))
    assert cause in first(evidence).cause


def test_oscillation_is_wrong_gains_of_the_joint_that_swings(robot: RobotConfig, snapshot_at: At):
    report = failed_stage("zero_action", "oscillation_rad", 0.08, oscillation_hz=9.5)
    evidence = Evidence(robot, snapshot=snapshot_at(10.0), stages=(report,), oscillating_joint="calf")
    found = first(evidence)
    assert "gains are wrong" in found.cause
    assert found.joints == ("calf",)
    assert found.evidence["oscillation_hz"] == 9.5
    assert "35 N·m/rad" in found.remedy


@pytest.mark.parametrize(
    ("guard", "cause"),
    [
        ("joint_velocity", "over-speed of calf"),
        ("encoder_jump", "encoder of calf jumped"),
        ("tracking_error", "calf does not follow"),
        ("joint_torque", "torque of calf at its limit"),
        ("stage_timeout", "took longer"),
        ("proposal_age", "stopped proposing"),
        ("emergency_stop", "pressed"),
        ("second_writer", "second program"),
    ],
)
def test_each_guard_has_a_cause(robot: RobotConfig, snapshot_at: At, guard: str, cause: str):
    found = first(Evidence(robot, stop(guard, joints=("calf",)), snapshot_at(10.0)))
    assert cause in found.cause
    assert found.joints == ("calf",)
    assert found.evidence["guard"] == guard


def test_a_device_that_is_set_up_otherwise_and_a_failed_drill(robot: RobotConfig, snapshot_at: At):
    inventory = (DeviceReport("hip", "can0", True, ("TMAX is 10 N·m, expected 54 N·m",), {}),)
    report = failed_stage("preflight", "devices_ok_fraction", 0.9)
    pose = robot.vector("default_rad")
    snapshot = snapshot_at(1.0, inventory=inventory, position_rad=pose)
    found = first(Evidence(robot, snapshot=snapshot, stages=(report,)))
    assert "TMAX" in found.symptom
    assert found.joints == ("hip",)
    drill = DrillReport(False, ("calf stays enabled",), float("nan"))
    snapshot = snapshot_at(1.0, drill=drill, position_rad=pose)
    found = first(Evidence(robot, snapshot=snapshot, stages=(report,)))
    assert "do not provably switch off" in found.cause
    assert found.joints == ("calf",)


def test_guards_that_could_not_be_evaluated_are_no_cause(robot: RobotConfig, snapshot_at: At):
    board = GuardBoard(
        (GuardReading("motor_temperature", GuardValue.STALE, math.nan, 80.0, "degC", -1, True, Level.DAMP, 1.0),),
        Level.DAMP,
    )
    snapshot = snapshot_at(10.0, board=board, motor_stamp_s=np.array([10.0, 9.5, 10.0]))
    causes = [found.cause for found in diagnose(Evidence(robot, stop("motor_age"), snapshot))]
    assert not any("overheats" in cause for cause in causes)
