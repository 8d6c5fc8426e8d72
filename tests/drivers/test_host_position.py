from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.host_impedance import STALE_CYCLES
from drivers.host_position import HostPosition, ServoModel
from supervisor.core.state import NEVER_S

K = 20.0
MODEL = ServoModel("S", 3.0, 6.0, 2.0, K, 1.0, "made up", stiffness_nm_per_rad=K, damping_nm_s_per_rad=0.5)
REACH_RAD = 2.0 / K


def command(position: float, velocity: float, kp: float, kd: float, torque: float, servos: int = 1) -> np.ndarray:
    return np.array([[position], [velocity], [kp], [kd], [torque]]) * np.ones(servos)


def feedback(position: float, velocity: float, servos: int = 1) -> np.ndarray:
    return np.array([[position], [velocity], [0.0], [25.0]]) * np.ones(servos)


def at(stamp_s: float) -> np.ndarray:
    return np.array([stamp_s])


@pytest.mark.parametrize("seen_rad", [0.123456789, 0.0, -2.5])
def test_a_servo_asked_for_its_own_stiffness_gets_the_commanded_position_itself(seen_rad: float) -> None:
    goal = HostPosition([MODEL]).goal(command(0.1, 7.0, K, 0.0, 0.0), feedback(seen_rad, 3.0), at(0.1))
    assert goal[0] == 0.1


@pytest.mark.parametrize(
    ("kp", "kd", "torque"), [(5.0, 0.0, 0.0), (K, 0.4, 0.0), (K, 0.0, 0.3), (0.0, 0.7, 0.0), (0.0, 0.0, -0.5)]
)
def test_the_servos_own_stiffness_gives_the_commanded_torque(kp: float, kd: float, torque: float) -> None:
    goal = HostPosition([MODEL]).goal(command(0.55, 1.0, kp, kd, torque), feedback(0.5, 0.25), at(0.1))
    assert K * (goal[0] - 0.5) == pytest.approx(kp * 0.05 + kd * 0.75 + torque)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_torque_stays_within_what_the_servo_can(sign: float) -> None:
    goal = HostPosition([MODEL]).goal(command(sign * 2.0, 0.0, 10.0, 0.0, 0.0), feedback(0.0, 0.0), at(0.1))
    assert goal[0] == pytest.approx(sign * REACH_RAD)


def test_no_stiffness_no_damping_and_no_torque_is_limp() -> None:
    loop = HostPosition([MODEL] * 4)
    wish = command(0.5, 0.0, 0.0, 0.0, 0.0, 4)
    wish[2:, 1:] = np.diag([1.0, 0.1, 0.1])
    loop.goal(wish, feedback(0.0, 0.0, 4), np.full(4, 0.1))
    assert loop.limp.tolist() == [True, False, False, False]
    assert loop.valid.all()


@pytest.mark.parametrize("row", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("gain", [0.0, K])
def test_a_command_that_is_not_finite_is_not_valid(row: int, value: float, gain: float) -> None:
    loop = HostPosition([MODEL, MODEL])
    wish = command(0.1, 0.0, gain, 0.0, 0.0, 2)
    wish[row, 0] = value
    goal = loop.goal(wish, feedback(0.0, 0.0, 2), np.full(2, 0.1))
    assert loop.valid.tolist() == [False, True]
    assert np.isfinite(goal[1])


def test_an_unknown_velocity_counts_as_none() -> None:
    loop = HostPosition([MODEL])
    goal = loop.goal(command(0.5, 0.2, 5.0, 0.5, 0.0), feedback(0.48, math.nan), at(0.1))
    assert K * (goal[0] - 0.48) == pytest.approx(5.0 * 0.02 + 0.5 * 0.2)
    assert loop.valid.all()


def test_a_servo_never_heard_gets_no_goal_but_may_go_limp() -> None:
    loop = HostPosition([MODEL])
    loop.goal(command(0.5, 0.0, K, 0.0, 0.0), feedback(math.nan, math.nan), at(NEVER_S))
    assert not loop.valid.any()
    loop.goal(command(0.5, 0.0, 0.0, 0.0, 0.0), feedback(math.nan, math.nan), at(NEVER_S))
    assert loop.valid.all()
    assert loop.limp.all()


@pytest.mark.parametrize("patience", [STALE_CYCLES, 3 * STALE_CYCLES])
def test_a_servo_no_longer_heard_is_held_where_it_was_last_seen(patience: int) -> None:
    loop = HostPosition([MODEL], [patience])
    wish, seen = command(0.9, 0.0, K, 0.0, 0.0), feedback(0.4, 0.0)
    goals = [float(loop.goal(wish, seen, at(0.1))[0]) for _ in range(patience + 1)]
    assert goals == [0.9] * patience + [0.4]
    assert loop.valid.all()
    assert loop.goal(wish, seen, at(0.2))[0] == 0.9


def test_a_servo_known_to_be_stiffer_gets_a_closer_goal() -> None:
    loop = HostPosition([MODEL])
    loop.stiffness[0] = 2.0 * K
    goal = loop.goal(command(0.55, 0.0, K, 0.0, 0.0), feedback(0.5, 0.0), at(0.1))
    assert goal[0] - 0.5 == pytest.approx(0.025)
