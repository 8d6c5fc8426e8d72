"""The gait clock, held against the words in which each kind is defined."""

import math

import numpy as np
import pytest

from supervisor.core.joints import frozen_vector
from supervisor.policy.contract import GaitClock
from supervisor.policy.gait import GaitPhase

WALK, STAND = frozen_vector([0.4, 0.0, 0.0]), frozen_vector([0.0, 0.0, 0.0])
RESTARTING = GaitClock(2.5, ("sin", "cos"), "after", (0.0,), 0.1, (0.0, 0.0), "restart")


def observe(phase: GaitPhase, commands, width=2) -> np.ndarray:
    seen = []
    for command in commands:
        out = np.zeros(width)
        phase.write(command, out)
        seen.append(out)
    return np.array(seen)


def test_a_restarting_clock_stands_at_its_standing_value_and_starts_each_walk_at_phase_0():
    seen = observe(GaitPhase(RESTARTING, 50.0), [STAND, STAND, WALK, WALK, WALK, STAND, WALK])
    walked = [[math.sin(2 * math.pi * k / 20), math.cos(2 * math.pi * k / 20)] for k in (0, 1, 2)]
    assert seen == pytest.approx(np.array([[0, 0], [0, 0], *walked, [0, 0], walked[0]]))


def test_a_running_clock_goes_on_while_the_robot_stands():
    clock = GaitClock(2.5, ("sin", "cos"), "after", (0.0,), 0.1, (0.0, 1.0), "run")
    seen = observe(GaitPhase(clock, 50.0), [STAND, STAND, WALK])
    angle = 2 * math.pi * 2 / 20
    assert seen == pytest.approx(np.array([[0.0, 1.0], [0.0, 1.0], [math.sin(angle), math.cos(angle)]]))


@pytest.mark.parametrize(("advance", "first"), [("after", 0.0), ("before", 1.0 / 20.0)])
def test_the_first_phase_depends_on_when_the_clock_advances(advance, first):
    clock = GaitClock(2.5, ("sin",), advance)
    assert observe(GaitPhase(clock, 50.0), [WALK], 1)[0, 0] == pytest.approx(math.sin(2 * math.pi * first))


def test_offsets_are_observed_function_by_function():
    clock = GaitClock(1.5, ("cos", "sin"), "after", (0.0, 0.5))
    assert observe(GaitPhase(clock, 50.0), [WALK], 4)[0] == pytest.approx([1.0, -1.0, 0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize(("speed", "moves"), [(0.0999, False), (0.1, True), (0.1001, True)])
def test_the_threshold_is_on_the_norm_of_the_whole_command(speed, moves):
    part = speed / math.sqrt(3.0) if speed != 0.1 else 0.0
    command = frozen_vector([part] * 3 if part else [0.0, 0.1, 0.0])
    assert bool(observe(GaitPhase(RESTARTING, 50.0), [command])[0, 1]) is moves


def test_the_clock_is_exact_after_an_hour_and_a_reset_starts_it_anew():
    phase = GaitPhase(RESTARTING, 50.0)
    out = np.zeros(2)
    for _ in range(180_001):
        phase.write(WALK, out)
    assert out == pytest.approx([0.0, 1.0], abs=1e-9)
    phase.write(WALK, out)
    phase.reset()
    phase.write(WALK, out)
    assert out == pytest.approx([0.0, 1.0])
