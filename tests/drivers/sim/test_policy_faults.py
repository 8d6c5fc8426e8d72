from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from drivers.sim.policy_faults import FaultyPolicy, SlowedPolicy
from supervisor.core.command import JointCommand
from supervisor.core.exchange import PolicyHealth
from supervisor.core.joints import Vector
from supervisor.core.ports import PolicyPort
from tests.drivers.sim.simulated import pup, script

PERIOD_S = 0.02
ROBOT = pup().config
DEFAULT = ROBOT.vector("default_rad")
COMMAND = np.zeros(3)


class CountingPolicy:
    """Answers with the number of the step as its first target."""

    period_s = PERIOD_S
    command_names = ("vx_m_per_s", "vy_m_per_s", "wz_rad_per_s")
    command_range = (np.full(3, -1.0), np.full(3, 1.0))

    def __init__(self) -> None:
        self.health = PolicyHealth()
        self.steps = 0

    def reset(self) -> None:
        self.steps = 0

    def step(self, state: object, command: Vector, action_gain: float, now_s: float) -> JointCommand | None:
        self.steps += 1
        self.health = PolicyHealth(True, stamp_s=now_s, elapsed_s=0.001, period_s=PERIOD_S, action_peak=0.2)
        position = DEFAULT + 0.01 * np.array([1.0, -1.0] * 6)
        position[0] = self.steps
        zero = np.zeros(12)
        return JointCommand(position, zero, zero, zero, zero)


class Faults:
    def __init__(self, *faults: dict[str, Any]) -> None:
        self.active = script(*faults).faults

    def __call__(self, now_s: float) -> tuple[Any, ...]:
        return self.active


def make(*faults: dict[str, Any]) -> tuple[FaultyPolicy, CountingPolicy, Faults]:
    inner, injected = CountingPolicy(), Faults(*faults)
    return FaultyPolicy(inner, ROBOT, injected), inner, injected


def step(policy: PolicyPort, tick: int) -> JointCommand | None:
    return policy.step(None, COMMAND, 0.5, tick * PERIOD_S)  # type: ignore[arg-type]


def test_without_faults_it_is_the_policy_itself() -> None:
    policy, inner, _ = make()
    result = step(policy, 1)
    assert result is not None
    assert result.position_rad[0] == 1
    assert policy.health == inner.health
    assert (policy.period_s, policy.command_names, policy.command_range) == (
        inner.period_s,
        inner.command_names,
        inner.command_range,
    )
    policy.reset()
    assert inner.steps == 0


def test_nan_gives_no_command_and_says_why() -> None:
    policy, _, injected = make({"kind": "policy_nan"})
    assert step(policy, 1) is None
    assert not policy.health.is_finite
    injected.active = ()
    assert step(policy, 2) is not None
    assert policy.health.is_finite


def test_a_slow_step_counts_only_when_it_is_done_and_says_how_long_it_took() -> None:
    policy, inner, injected = make()
    step(policy, 0)
    injected.active = script({"kind": "policy_slow", "delay_s": 0.05}).faults
    seen = [step(policy, tick) for tick in range(1, 8)]
    numbers = [None if command is None else int(command.position_rad[0]) for command in seen]
    # Step 2 begins at tick 1 (0.02 s) and is done at 0.07 s: tick 4 takes it over and begins step 3, done for tick 7.
    assert numbers == [1, 1, 1, 2, 2, 2, 3]
    assert inner.steps == 4
    assert policy.health.elapsed_s == pytest.approx(0.051)
    assert policy.health.stamp_s == pytest.approx(0.08 + 0.05)


def test_while_a_slow_step_runs_its_age_and_duration_grow() -> None:
    policy, _, injected = make()
    step(policy, 0)
    injected.active = script({"kind": "policy_slow", "delay_s": 1.0}).faults
    elapsed = []
    for tick in range(1, 5):
        step(policy, tick)
        elapsed.append(policy.health.elapsed_s)
        assert policy.health.stamp_s == 0.0
    assert elapsed == sorted(elapsed)
    assert elapsed[-1] == pytest.approx(0.06)


def test_a_delay_within_the_period_is_late_by_one_tick() -> None:
    policy, _, _ = make({"kind": "policy_slow", "delay_s": 0.01})
    numbers = [command and int(command.position_rad[0]) for command in (step(policy, tick) for tick in range(1, 5))]
    assert numbers == [None, 1, 2, 3]


def test_saturation_sends_every_joint_to_its_end_and_fills_the_window() -> None:
    policy, _, injected = make({"kind": "policy_saturated"})
    result = step(policy, 1)
    assert result is not None
    low, high = ROBOT.position_minimum_rad, ROBOT.position_maximum_rad
    expected = DEFAULT + 0.5 * (np.where(np.array([1.0, -1.0] * 6) < 0, low, high) - DEFAULT)
    assert result.position_rad == pytest.approx(expected)
    assert policy.health.action_peak == 1.0
    assert policy.health.saturated_fraction == 0.0
    for tick in range(2, 60):
        step(policy, tick)
    assert policy.health.saturated_fraction == 1.0
    injected.active = ()
    step(policy, 60)
    assert policy.health == replace(policy.health, saturated_fraction=0.0, action_peak=0.2)


# In real time


def slowed(*faults: dict[str, Any]) -> tuple[SlowedPolicy, CountingPolicy, Faults, list[float]]:
    inner, injected, slept = CountingPolicy(), Faults(*faults), list[float]()
    return SlowedPolicy(inner, injected, slept.append), inner, injected, slept


def test_in_real_time_a_slow_step_takes_its_time_and_says_so() -> None:
    policy, inner, faults, slept = slowed({"kind": "policy_slow", "delay_s": 0.05})
    result = step(policy, 1)
    assert result is not None
    assert result.position_rad[0] == 1
    assert slept == [0.05]
    assert policy.health == replace(inner.health, elapsed_s=inner.health.elapsed_s + 0.05)
    faults.active = ()
    step(policy, 2)
    assert slept == [0.05]
    assert policy.health == inner.health
    assert (policy.period_s, policy.command_names) == (inner.period_s, inner.command_names)
    assert policy.command_range == inner.command_range


def test_in_real_time_other_faults_take_no_time_and_a_fresh_policy_is_not_slow_yet() -> None:
    policy, inner, faults, slept = slowed({"kind": "policy_nan"})
    step(policy, 1)
    assert slept == []
    faults.active = script({"kind": "policy_slow", "delay_s": 0.05}, {"kind": "policy_slow", "delay_s": 0.01}).faults
    step(policy, 2)
    assert slept == [pytest.approx(0.06)]
    policy.reset()
    assert inner.steps == 0
    assert policy.health == inner.health
