"""Metrics of synthetic windows whose answers are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from supervisor.core.command import JointCommand
from supervisor.core.exchange import DeviceReport, DrillReport, GateCounts, PolicyHealth, Snapshot
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.levels import GuardValue, Level
from supervisor.core.report import METRIC_NAMES, Criterion
from supervisor.core.robot import RobotConfig
from supervisor.core.state import NEVER_S, BaseVelocity, BusStatistics, MotorStatus
from supervisor.diagnosis.judge import StageJudge
from supervisor.diagnosis.metrics import largest_slope, metric_names, oscillation
from supervisor.diagnosis.window import Window

COMMANDS = ("vx_m_per_s", "vy_m_per_s", "wz_rad_per_s")
At = Callable[..., Snapshot]


def measure(robot: RobotConfig, snapshots: list[Snapshot], health: PolicyHealth, kind: str = "zero_action"):
    judge = StageJudge(robot, COMMANDS)
    judge.begin("stage", kind, snapshots[0].state.now_s if snapshots else 0.0)
    for snapshot in snapshots:
        judge.sample(snapshot, health, None, "hold")
    return judge.metrics()


def ticks(count: int) -> list[float]:
    return [1.0 + 0.02 * i for i in range(count)]


def test_drift_is_the_slope_of_the_joint_that_drifts_most(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    found = measure(robot, [snapshot_at(t, position_rad=np.array([0.0, 0.01, -0.05]) * t) for t in ticks(50)], idle)
    assert found["drift_rad_per_s"] == pytest.approx(0.05)
    assert found["duration_s"] == pytest.approx(0.98)


def test_oscillation_finds_amplitude_frequency_and_joint():
    time = np.arange(200) * 0.02
    values = np.zeros((200, 3))
    values[:, 1] = 0.1 * np.sin(2 * np.pi * 7.0 * time) + 0.5 * time
    deviation, frequency, worst = oscillation(values, time)
    assert deviation == pytest.approx(0.1 / np.sqrt(2), rel=0.02)
    assert frequency == pytest.approx(7.0, abs=0.3)
    assert worst == 1
    assert np.isnan(oscillation(values[:5], time[:5])[0])
    assert np.isnan(largest_slope(values[:2], time[:2]))


def test_tilt_rates_torque_ages_and_temperature(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    tilted = np.array([np.sin(0.3), 0.0, -np.cos(0.3)])
    found = measure(
        robot,
        [
            snapshot_at(1.0),
            snapshot_at(
                1.02,
                gravity_in_base=tilted,
                angular_velocity_base_in_base_rad_per_s=np.array([0.0, 3.0, 4.0]),
                velocity_rad_per_s=np.array([0.0, -2.0, 1.0]),
                torque_nm=np.array([0.0, -10.0, 1.0]),
                temperature_degc=np.array([30.0, 61.0, 30.0]),
                motor_stamp_s=np.array([1.02, 0.95, 1.02]),
            ),
        ],
        idle,
    )
    assert found["tilt_max_rad"] == pytest.approx(0.3)
    assert found["tilt_mean_rad"] == pytest.approx(0.15)
    assert found["base_rate_max_rad_per_s"] == pytest.approx(5.0)
    assert found["joint_speed_max_rad_per_s"] == pytest.approx(2.0)
    assert found["torque_max_fraction"] == pytest.approx(0.5)
    assert found["torque_mean_fraction"] == pytest.approx(0.25)
    assert found["temperature_max_degc"] == 61.0
    assert found["motor_age_max_s"] == pytest.approx(0.07)
    assert found["imu_age_max_s"] == pytest.approx(0.002)


def test_tracking_error_counts_driven_joints_only(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    status = np.array([MotorStatus.ENABLED, MotorStatus.ENABLED, MotorStatus.DISABLED], dtype=np.int64)
    found = measure(
        robot,
        [snapshot_at(t, position_rad=np.array([0.3, -0.4, 2.0]), motor_status=status) for t in ticks(3)],
        idle,
    )
    assert found["tracking_error_max_rad"] == pytest.approx(0.4)
    assert found["tracking_error_rms_rad"] == pytest.approx(np.sqrt((0.09 + 0.16) / 2))
    limp = JointCommand(np.zeros(3), np.zeros(3), np.array([35.0, 0.0, 35.0]), np.zeros(3), np.zeros(3))
    found = measure(
        robot,
        [snapshot_at(t, position_rad=np.array([0.3, -0.4, 2.0]), motor_status=status, applied=limp) for t in ticks(3)],
        idle,
    )
    assert found["tracking_error_max_rad"] == pytest.approx(0.3)
    off = measure(robot, [snapshot_at(t, motor_status=np.ones(3, np.int64)) for t in ticks(3)], idle)
    assert "tracking_error_max_rad" not in off


def test_a_not_finite_measurement_is_absent_and_fails(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    judge = StageJudge(robot)
    judge.begin("s", "observe", 1.0)
    judge.sample(snapshot_at(1.0), idle, None, "")
    judge.sample(snapshot_at(1.02, gravity_in_base=np.full(3, np.nan)), idle, None, "")
    judge.sample(snapshot_at(1.04), idle, None, "")
    (tilt, unknown) = judge.judge([Criterion("tilt_max_rad", "<=", 1.0), Criterion("action_peak_max", ">=", -1.0)])
    assert not tilt.passed
    assert np.isnan(tilt.value)
    assert not unknown.passed


def test_begin_forgets_the_attempt_before(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    judge = StageJudge(robot)
    judge.begin("s", "stand", 1.0)
    judge.sample(snapshot_at(1.0, torque_nm=np.full(3, 20.0)), idle, None, "")
    judge.begin("s", "stand", 2.0)
    judge.sample(snapshot_at(2.0), idle, None, "")
    assert judge.metrics()["torque_max_fraction"] == 0.0


def test_reply_ratio_is_the_worst_second_of_the_worst_bus(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    counts = [BusStatistics(received=150 * i, expected=150 * i) for i in range(10)]
    lossy = [BusStatistics(received=150 * i - 45 * min(max(i - 3, 0), 2), expected=150 * i) for i in range(10)]
    found = measure(
        robot,
        [
            snapshot_at(1.0 + 0.5 * i, buses={"can0": counts[i], "can1": lossy[i], "imu0": BusStatistics(received=i)})
            for i in range(10)
        ],
        idle,
    )
    assert found["reply_ratio_min"] == pytest.approx(0.85)


def test_policy_metrics_come_from_active_ticks(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    health = PolicyHealth(
        is_active=True,
        elapsed_s=0.005,
        period_s=0.02,
        is_finite=True,
        action_peak=0.7,
        saturated_fraction=0.1,
        observation_excess=0.2,
    )
    found = measure(robot, [snapshot_at(t) for t in ticks(3)], health)
    assert found["policy_period_fraction_max"] == pytest.approx(0.25)
    assert found["policy_finite_fraction"] == 1.0
    assert found["action_peak_max"] == pytest.approx(0.7)
    assert found["observation_excess_max"] == pytest.approx(0.2)
    assert found["saturated_fraction_max"] == pytest.approx(0.1)
    assert "action_peak_max" not in measure(robot, [snapshot_at(t) for t in ticks(3)], idle)


def test_devices_drill_gate_and_guards(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    tilt = GuardReading("tilt", GuardValue.VIOLATED, 0.3, 0.2, "rad", -1, False, Level.DAMP, 1.0)
    lag = GuardReading("loop_lag", GuardValue.OK, 0.001, 0.004, "s", -1, False, Level.DAMP, 1.0)
    inventory = (DeviceReport("hip", "can0", True, (), {}), DeviceReport("thigh", "can0", False, ("silent",), {}))
    found = measure(
        robot,
        [
            snapshot_at(1.0, board=GuardBoard((lag,), Level.NONE)),
            snapshot_at(
                1.02,
                board=GuardBoard((tilt, lag), Level.NONE),
                inventory=inventory,
                drill=DrillReport(True, (), 0.004),
                gate=GateCounts(position=3, rate=3),
            ),
        ],
        idle,
    )
    assert found["guards_ok_fraction"] == 0.5
    assert found["guard_margin_fraction_min"] == pytest.approx(-0.5)
    assert found["tilt_margin_fraction_min"] == pytest.approx(-0.5)
    assert found["devices_ok_fraction"] == 0.5
    assert (found["drill_passed"], found["drill_off_after_s"]) == (1.0, 0.004)
    assert found["gate_clamped_fraction"] == pytest.approx(6 / (10 * 3))


def test_command_tracking_drops_the_start_of_each_segment(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    judge = StageJudge(robot, COMMANDS)
    judge.begin("rollout", "rollout", 0.0)
    for i in range(300):
        now = 0.02 * i
        command = np.array([0.4, 0.0, 0.0]) if i < 150 else np.array([0.0, 0.0, 0.5])
        settled = (now % 3.0) > 1.49
        velocity = np.array([0.47 if i < 150 else 0.0, 0.0, 0.0]) if settled else np.full(3, 9.0)
        gyro = np.array([0.0, 0.0, 0.4 if i >= 150 else 0.0])
        judge.sample(
            snapshot_at(now, base_velocity=BaseVelocity(velocity, now), angular_velocity_base_in_base_rad_per_s=gyro),
            idle,
            command,
            "",
        )
    found = judge.metrics()
    assert found["vx_m_per_s_error_max"] == pytest.approx(0.07)
    assert found["wz_rad_per_s_error_max"] == pytest.approx(0.1)
    assert found["vx_m_per_s_segment0_mean"] == pytest.approx(0.47)
    assert found["vx_m_per_s_mean"] == pytest.approx(0.235, abs=0.01)


def test_velocity_is_not_measured_without_an_estimator(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    judge = StageJudge(robot, COMMANDS)
    judge.begin("rollout", "rollout", 0.0)
    for i in range(120):
        snapshot = snapshot_at(0.02 * i, base_velocity=BaseVelocity(np.zeros(3), NEVER_S))
        judge.sample(snapshot, idle, np.zeros(3), "")
    found = judge.metrics()
    assert "vx_m_per_s_error_max" not in found
    assert found["wz_rad_per_s_error_max"] == 0.0


def test_every_metric_of_a_stage_is_a_declared_name(robot: RobotConfig, snapshot_at: At, idle: PolicyHealth):
    found = measure(robot, [snapshot_at(t) for t in ticks(60)], PolicyHealth(is_active=True, period_s=0.02))
    assert set(found) <= set(metric_names(COMMANDS))
    assert set(METRIC_NAMES) < set(metric_names(COMMANDS))
    assert "vx_m_per_s_error_max" in metric_names(COMMANDS)


def test_a_full_window_keeps_the_newest_in_order(snapshot_at: At):
    window = Window(3, capacity=10)
    for i in range(25):
        window.add(snapshot_at(float(i)).state, f"label{i // 10}")
    kept = window.samples()
    assert list(kept.time_s) == [float(i) for i in range(15, 25)]
    assert [kept.labels[i] for i in kept.label_index] == ["label1"] * 5 + ["label2"] * 5
    assert (len(window), window.total) == (10, 25)
