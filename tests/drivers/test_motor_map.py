from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices import POSITION, STAMP, TEMPERATURE, TORQUE, VELOCITY
from drivers.motor_map import MotorMap
from supervisor.core.command import JointCommand
from supervisor.core.robot import JointConfig
from tests.drivers.fake_devices import joint

directions = st.sampled_from((1, -1))
offsets = st.floats(-3.0, 3.0)
gears = st.floats(0.1, 20.0)
values = st.floats(-50.0, 50.0)
gains = st.floats(0.0, 400.0)
joints = st.builds(
    lambda direction, offset, gear: joint("can0", 1, direction=direction, offset=offset, gear=gear),
    directions,
    offsets,
    gears,
)


def command(*rows: float) -> JointCommand:
    return JointCommand(*(np.array([row]) for row in rows))


def feedback(position: float, velocity: float, torque: float) -> np.ndarray:
    return np.array([[position], [velocity], [torque], [40.0], [7.0]])


def test_the_formula_of_the_robot_file() -> None:
    config = joint("can0", 1, direction=-1, offset=0.2, gear=3.0)
    found = MotorMap([config]).to_joint(feedback(0.9, 6.0, 2.0))[:, 0]
    assert found[POSITION] == pytest.approx(-1 * 0.9 / 3.0 - 0.2)
    assert found[VELOCITY] == pytest.approx(-2.0)
    assert found[TORQUE] == pytest.approx(-6.0)
    assert (found[TEMPERATURE], found[STAMP]) == (40.0, 7.0)


@given(joints, values, values, values)
def test_there_and_back_is_the_same_command(config: JointConfig, q: float, dq: float, tau: float) -> None:
    both = MotorMap([config])
    motor = both.to_motor(command(q, dq, 0.0, 0.0, tau))[:, 0]
    found = both.to_joint(feedback(motor[0], motor[1], motor[4]))[:, 0]
    assert found[:3] == pytest.approx([q, dq, tau], abs=1e-9)


@given(joints, values, values, values)
def test_back_and_there_is_the_same_feedback(config: JointConfig, p: float, v: float, t: float) -> None:
    both = MotorMap([config])
    q, dq, tau = both.to_joint(feedback(p, v, t))[:3, 0]
    motor = both.to_motor(command(q, dq, 0.0, 0.0, tau))[:, 0]
    assert [motor[0], motor[1], motor[4]] == pytest.approx([p, v, t], abs=1e-6)


@given(joints, values, values)
def test_power_is_the_same_on_both_sides(config: JointConfig, v: float, t: float) -> None:
    found = MotorMap([config]).to_joint(feedback(0.0, v, t))[:, 0]
    assert found[VELOCITY] * found[TORQUE] == pytest.approx(v * t, rel=1e-9, abs=1e-9)


@given(joints, values, values, values, values, gains, gains, values)
def test_the_motor_makes_the_torque_that_the_joint_was_promised(
    config: JointConfig, q: float, dq: float, target: float, speed: float, kp: float, kd: float, feed: float
) -> None:
    both = MotorMap([config])
    wanted = kp * (target - q) + kd * (speed - dq) + feed
    p, v = both.to_motor(command(q, dq, 0.0, 0.0, 0.0))[:2, 0]
    p_target, v_target, motor_kp, motor_kd, motor_feed = both.to_motor(command(target, speed, kp, kd, feed))[:, 0]
    torque = motor_kp * (p_target - p) + motor_kd * (v_target - v) + motor_feed
    assert both.to_joint(feedback(p, v, torque))[TORQUE, 0] == pytest.approx(wanted, rel=1e-6, abs=1e-6)


@given(joints)
def test_a_positive_joint_move_turns_the_motor_in_its_direction(config: JointConfig) -> None:
    both = MotorMap([config])
    before = both.to_motor(command(0.0, 0.0, 0.0, 0.0, 0.0))[0, 0]
    after = both.to_motor(command(0.1, 0.0, 0.0, 0.0, 0.0))[0, 0]
    assert np.sign(after - before) == config.direction


def test_joints_do_not_mix() -> None:
    configs = [joint("can0", 1, gear=2.0), joint("can0", 2, direction=-1, offset=1.0)]
    rows = np.array([1.0, 10.0])
    motor = MotorMap(configs).to_motor(JointCommand(rows, rows, rows, rows, rows))
    assert motor[:, 0].tolist() == pytest.approx([2.0, 2.0, 0.25, 0.25, 0.5], rel=1e-14)
    assert motor[:, 1].tolist() == [-11.0, -10.0, 10.0, 10.0, -10.0]


def test_what_the_check_lets_through_is_never_rounded_beyond_the_motor() -> None:
    largest = 5.0
    configs = [joint("can0", 1, gear=1.0 + 0.01 * step) for step in range(1, 900)]
    gears = np.array([config.gear for config in configs])
    gain, torque = largest * gears**2, largest * gears
    motor = MotorMap(configs).to_motor(JointCommand(gears, gears, gain, gain, -torque))
    assert np.abs(motor[2:]).max() <= largest


def test_what_is_not_known_stays_unknown() -> None:
    found = MotorMap([joint("can0", 1)]).to_joint(np.array([[np.nan], [np.nan], [np.nan], [np.nan], [-np.inf]]))
    assert np.isnan(found[:4]).all()
    assert found[STAMP, 0] == -np.inf
