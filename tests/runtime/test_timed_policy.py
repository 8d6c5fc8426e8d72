"""Timing a policy changes nothing about it."""

from __future__ import annotations

import numpy as np
import pytest

from supervisor.runtime.timed_policy import TimedPolicy
from tests.trees.stand_ins import FakePolicy, make_robot, make_state

STATE = make_state(make_robot())


def test_everything_is_passed_through() -> None:
    inner = FakePolicy()
    policy = TimedPolicy(inner)
    assert policy.period_s == inner.period_s
    assert policy.command_names is inner.command_names
    assert policy.command_range is inner.command_range
    assert policy.health is inner.health
    policy.reset()
    assert inner.resets == 1
    command = np.array([0.3, 0.1])
    result = policy.step(STATE, command, 0.5, 2.0)
    assert result is not None
    assert result.position_rad == pytest.approx([0.65, 0.65])
    ((now_s, seen, gain),) = inner.steps
    assert (now_s, list(seen), gain) == (2.0, [0.3, 0.1], 0.5)


def test_every_step_is_timed_also_one_without_a_usable_output() -> None:
    inner = FakePolicy()
    policy = TimedPolicy(inner)
    policy.step(STATE, np.zeros(2), 0.0, 0.0)
    inner.is_usable = False
    assert policy.step(STATE, np.zeros(2), 0.0, 0.02) is None
    assert len(policy.durations) == 2
    assert policy.durations.percentiles().max > 0.0
