"""What a policy says of its own steps."""

import math

import pytest

from supervisor.policy.health import HealthMonitor
from tests.policy.making import make_contract, term

RANGED = term("base_angular_velocity", 3, minimum=[-1.0, -2.0, 0.0], maximum=[1.0, 2.0, 10.0])
FREE = term("joint_velocity", 2)


def monitor(clip=(-2.0, 2.0), **action) -> HealthMonitor:
    action = {"kind": "position_offset", "last_action": "raw"} | action
    if clip is not None:
        action["clip"] = list(clip)
    made = HealthMonitor(make_contract([FREE, RANGED], action=action, policy_hz=4.0))
    made.raw[:] = [0.0, 0.0, 0.0, 0.0, 5.0]
    return made


def step(made, action, now_s=1.0):
    made.action[:] = action
    assert made.measure()
    made.accept(now_s, 0.001)
    return made.health


def test_before_the_first_step_it_is_inactive_and_after_it_active():
    made = monitor()
    assert not made.health.is_active
    health = step(made, [0.0, 0.0], 7.0)
    assert (health.is_active, health.is_finite, health.stamp_s, health.elapsed_s) == (True, True, 7.0, 0.001)
    assert health.period_s == 0.25


def test_peak_and_step_are_relative_to_the_bound():
    made = monitor()
    assert step(made, [0.5, -1.0]).action_peak == pytest.approx(0.5)
    health = step(made, [0.5, 3.0])
    assert health.action_peak == pytest.approx(1.5)
    assert health.action_step_peak == pytest.approx(2.0)


def test_the_first_step_has_no_change_even_after_a_reset():
    made = monitor()
    assert step(made, [1.0, 1.0]).action_step_peak == 0.0
    made.reset()
    assert step(made, [-1.0, 1.0]).action_step_peak == 0.0


def test_without_a_bound_nothing_is_relative_to_it():
    made = monitor(clip=None)
    step(made, [100.0, -3.0])
    health = step(made, [0.0, 400.0])
    assert health.action_peak < 1e-200
    assert health.action_step_peak < 1e-200
    assert health.saturated_fraction == 0.0


def test_a_clip_after_the_scale_bounds_the_scaled_action():
    assert step(monitor((-0.5, 0.5), clip_order="after_scale"), [0.5, 0.0]).action_peak == pytest.approx(0.5)


def test_an_uneven_bound_reads_1_at_either_end():
    made = monitor((-1.0, 3.0))
    assert step(made, [-1.0, 1.0]).action_peak == pytest.approx(1.0)
    assert step(made, [3.0, 1.0]).action_peak == pytest.approx(1.0)
    assert step(made, [1.0, 1.0]).action_peak == pytest.approx(0.0)


def test_saturation_is_counted_over_the_last_second():
    made = monitor()
    fractions = [step(made, action).saturated_fraction for action in ([2, 0], [2, -2], [0, 0], [0, 0], [0, 0], [0, 0])]
    assert fractions == pytest.approx([1 / 2, 3 / 4, 3 / 6, 3 / 8, 2 / 8, 0.0])


@pytest.mark.parametrize(
    ("rate", "excess", "index"),
    [
        ([1.0, 2.0, 10.0], 0.0, -1),
        ([-1.0, -2.0, 0.0], 0.0, -1),
        ([1.5, 0.0, 5.0], 0.25, 2),
        ([0.0, -3.0, 5.0], 0.25, 3),
        ([1.1, 0.0, 15.0], 0.5, 4),
    ],
)
def test_the_observation_furthest_outside_its_range_is_named(rate, excess, index):
    made = monitor()
    made.raw[2:] = rate
    health = step(made, [0.0, 0.0])
    assert health.observation_excess == pytest.approx(excess)
    assert health.observation_index == index


def test_a_value_without_a_range_is_never_outside():
    made = monitor()
    made.raw[0] = 9e5
    assert step(made, [0.0, 0.0]).observation_index == -1


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("clip", [(-2.0, 2.0), None])
def test_an_action_that_is_no_number_is_refused_and_the_stamp_stays(bad, clip):
    made = monitor(clip)
    step(made, [1.0, 0.0], 3.0)
    made.action[:] = [0.0, bad]
    assert not made.measure()
    made.refuse(0.002)
    assert (made.health.is_finite, made.health.stamp_s, made.health.is_active) == (False, 3.0, True)
    assert step(made, [2.0, 0.0], 4.0).is_finite


def test_a_refused_action_is_not_what_the_next_one_is_compared_with():
    made = monitor()
    step(made, [1.0, 0.0])
    made.action[:] = [math.nan, 0.0]
    assert not made.measure()
    assert step(made, [2.0, 0.0]).action_step_peak == pytest.approx(0.5)
