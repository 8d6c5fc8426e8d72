from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.devices import MotorModel
from drivers.host_impedance import STALE_CYCLES, HostImpedance
from supervisor.core.state import NEVER_S

MODEL = MotorModel("M", 100.0, 50.0, 10.0, 500.0, 20.0, "made up")


def command(position: float, velocity: float, kp: float, kd: float, torque: float, motors: int = 1) -> np.ndarray:
    return np.array([[position], [velocity], [kp], [kd], [torque]]) * np.ones(motors)


def feedback(position: float, velocity: float, motors: int = 1) -> np.ndarray:
    return np.array([[position], [velocity], [0.0], [25.0]]) * np.ones(motors)


def test_the_torque_is_what_the_command_means() -> None:
    loop = HostImpedance([MODEL])
    torque = loop.torque(command(1.0, 2.0, 5.0, 0.5, 0.25), feedback(0.5, 1.0), np.array([0.1]))
    assert torque[0] == pytest.approx(5.0 * 0.5 + 0.5 * 1.0 + 0.25)
    assert loop.all_valid


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_torque_stays_within_what_the_motor_can(sign: float) -> None:
    loop = HostImpedance([MODEL])
    assert loop.torque(command(sign * 9.0, 0.0, 50.0, 0.0, 0.0), feedback(0.0, 0.0), np.array([0.1]))[0] == sign * 10.0


@pytest.mark.parametrize("row", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_command_that_is_not_finite_is_not_sent(row: int, value: float) -> None:
    loop = HostImpedance([MODEL, MODEL])
    wrong = command(0.1, 0.1, 1.0, 1.0, 0.1, motors=2)
    wrong[row, 0] = value
    torque = loop.torque(wrong, feedback(0.0, 0.0, motors=2), np.array([0.1, 0.1]))
    assert loop.valid.tolist() == [False, True]
    assert not loop.all_valid
    assert torque[0] == 0.0
    assert np.isfinite(torque).all()


@pytest.mark.parametrize("value", [math.inf, 1e308])
def test_what_is_beyond_all_numbers_is_refused_without_a_warning(value: float) -> None:
    loop = HostImpedance([MODEL])
    torque = loop.torque(command(value, 0.0, 0.0, 20.0, 0.0), feedback(-value, value), np.array([0.1]))
    assert torque[0] == 0.0
    assert not loop.all_valid


def test_a_motor_that_was_never_heard_is_given_none() -> None:
    loop = HostImpedance([MODEL])
    assert loop.torque(command(0.0, 0.0, 1.0, 1.0, 1.0), feedback(math.nan, math.nan), np.array([NEVER_S]))[0] == 0.0
    assert not loop.all_valid


def test_a_motor_that_falls_silent_is_given_none_until_it_is_heard_again() -> None:
    loop = HostImpedance([MODEL, MODEL])
    push = command(0.0, 0.0, 0.0, 1.0, 0.0, motors=2)
    moving = feedback(0.0, 3.0, motors=2)
    seen = [loop.torque(push, moving, np.array([0.0, 0.002 * i])).tolist() for i in range(STALE_CYCLES + 2)]
    assert [first for first, _ in seen] == [-3.0] * STALE_CYCLES + [0.0, 0.0]
    assert [second for _, second in seen] == [-3.0] * len(seen)
    assert loop.torque(push, moving, np.array([0.1, 0.1])).tolist() == [-3.0, -3.0]
    assert loop.all_valid
