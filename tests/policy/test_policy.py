"""One policy step from end to end."""

import math
import subprocess
import sys

import numpy as np
import pytest

from supervisor.core.clock import VirtualClock
from supervisor.core.errors import ConfigError, PolicyError
from supervisor.core.joints import JointOrder, frozen_vector
from supervisor.core.ports import PolicyPort
from supervisor.policy.policy import Policy, load_policy
from tests.policy.making import PUP_WALK, content, make_state, pup, robot_with, term, write_policy

WALK = frozen_vector([0.4, 0.0, 0.0])
ROBOT = robot_with(("b", "x", "a"))
RATE = [term("base_angular_velocity", 3)]


@pytest.fixture(scope="module")
def pup_policy() -> Policy:
    return load_policy(PUP_WALK, pup())


@pytest.fixture
def walker(pup_policy) -> Policy:
    pup_policy.reset()
    return pup_policy


def standing_pup(**values):
    robot = pup()
    return make_state(robot.order, **({"position": robot.vector("default_rad")} | values))


def small_policy(folder, weight, *, states=False, clock=None, **more) -> Policy:
    """A policy of two joints that sees the angular velocity."""
    made = content(RATE, **more)
    # The robot's default poses are 0.1, 0.2, 0.3 in its order b, x, a.
    made["joints"]["a"]["default_rad"], made["joints"]["b"]["default_rad"] = 0.3, 0.1
    return load_policy(write_policy(folder, made, np.array(weight, float), states=states), ROBOT, clock=clock)


def turning(*rate, now_s=1.0):
    return make_state(ROBOT.order, rate=rate, now_s=now_s)


def test_it_is_a_policy_port(walker):
    port: PolicyPort = walker
    assert port.period_s == pytest.approx(0.02)


def test_the_shipped_golden_pairs_are_met(walker):
    errors = walker.golden_errors()
    assert len(errors) == 20
    assert max(errors) <= 1e-5


def test_golden_pairs_notice_another_network(tmp_path):
    golden = {"tolerance": 1e-4, "pairs": [{"observation": [1.0, 0.0, 0.0], "action": [0.5, 0.0]}]}
    with pytest.raises(ConfigError, match=r"golden\.pairs\[0\]: found an action that is 0\.25 away"):
        small_policy(tmp_path, [[0.75, 0.0], [0, 0], [0, 0]], golden=golden)


def test_a_golden_pair_is_met_through_the_whole_step_from_raw_state(walker):
    golden = walker.contract.golden
    assert golden is not None
    neutral = golden.pairs[0]  # upright, still, at the default pose, told nothing
    targets = walker.step(standing_pup(), frozen_vector([0.0, 0.0, 0.0]), 1.0, 1.0)
    assert walker.observation == pytest.approx(np.array(neutral.observation), abs=1e-6)
    assert walker.action == pytest.approx(np.array(neutral.action), abs=1e-5)
    expected = pup().vector("default_rad") + 0.4 * np.array(neutral.action)
    assert targets.position_rad == pytest.approx(expected, abs=1e-5)


def test_the_second_step_sees_the_first_ones_action_and_the_clock_one_step_on(walker):
    walker.step(standing_pup(), WALK, 0.3, 1.0)
    first = walker.action
    walker.step(standing_pup(), WALK, 0.3, 1.02)
    assert walker.observation[33:45] == pytest.approx(first)
    angle = 2.0 * math.pi / 20.0
    assert walker.observation[45:47] == pytest.approx([math.sin(angle), math.cos(angle)])


def test_a_reset_makes_the_same_steps_again(walker):
    def run():
        return [walker.step(standing_pup(), WALK, 1.0, 0.02 * i).position_rad.tolist() for i in range(5)]

    first = run()
    walker.reset()
    assert not walker.health.is_active
    assert run() == first


def test_at_gain_0_the_target_is_the_default_pose(walker):
    targets = walker.step(standing_pup(), WALK, 0.0, 1.0)
    assert targets.position_rad.tolist() == pup().vector("default_rad").tolist()
    assert targets.kp_nm_per_rad.tolist() == [35.0] * 12


def test_health_names_the_observation_that_is_outside_its_training_range(walker):
    walker.step(standing_pup(rate=[0.0, 0.0, 2.0]), WALK, 1.0, 5.0)
    health = walker.health
    assert walker.observation_names[health.observation_index] == "base_angular_velocity[2]"
    assert health.observation_excess == pytest.approx((2.0 - 0.8492) / (0.8492 + 1.138))
    assert (health.is_active, health.is_finite, health.stamp_s) == (True, True, 5.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_a_measurement_that_is_no_number_gives_no_output(walker, bad):
    walker.step(standing_pup(), WALK, 1.0, 1.0)
    for state in (
        standing_pup(rate=[bad, 0.0, 0.0]),
        standing_pup(velocity=[0.0] * 11 + [bad]),
        standing_pup(gravity=[0.0, bad, -1.0]),
    ):
        assert walker.step(state, WALK, 1.0, 2.0) is None
        assert (walker.health.is_finite, walker.health.stamp_s) == (False, 1.0)
    assert walker.step(standing_pup(), WALK, 1.0, 3.0) is not None
    assert (walker.health.is_finite, walker.health.stamp_s) == (True, 3.0)


@pytest.mark.parametrize("gain", [math.nan, -0.1, 1.01, math.inf])
def test_a_gain_that_is_none_gives_no_output(walker, gain):
    assert walker.step(standing_pup(), WALK, gain, 1.0) is None
    assert not walker.health.is_finite


def test_a_network_that_answers_no_number_gives_no_output(tmp_path):
    policy = small_policy(tmp_path, [[math.nan, 0.0], [0.0, math.inf], [0.0, 0.0]])
    assert policy.step(turning(0.0, 1.0, 0.0), WALK, 1.0, 1.0) is None
    assert not policy.health.is_finite


@pytest.mark.parametrize("command", [[0.1, 0.2], [0.1], [0.1, 0.2, 0.3, 0.4]])
def test_a_command_of_another_length_is_an_error(walker, command):
    with pytest.raises(PolicyError, match="command values"):
        walker.step(standing_pup(), frozen_vector(command), 1.0, 1.0)


def test_a_state_of_another_robot_is_an_error_and_an_equal_order_is_none(walker):
    names = pup().order.names
    with pytest.raises(PolicyError, match="joints"):
        walker.step(make_state(JointOrder(names[::-1])), WALK, 1.0, 1.0)
    equal = make_state(JointOrder(names), position=pup().vector("default_rad"))
    assert walker.step(equal, WALK, 1.0, 1.0) is not None


def test_recurrent_state_is_carried_but_not_from_a_refused_step(tmp_path):
    policy = small_policy(
        tmp_path,
        np.zeros((3, 2)),
        states=True,
        action={"kind": "position_offset", "last_action": "raw", "clip": [-9.0, 9.0]},
    )
    still = turning(0.0, 0.0, 0.0)
    actions = []
    for state in (still, still, turning(math.nan, 0.0, 0.0), still):
        policy.step(state, WALK, 1.0, 1.0)
        actions.append(policy.action[0])
    assert actions == [0.0, 1.0, 1.0, 2.0]
    policy.reset()
    policy.step(still, WALK, 1.0, 1.0)
    assert policy.action[0] == 0.0


def test_golden_pairs_start_from_zero_state_and_leave_none_behind(tmp_path):
    golden = {"tolerance": 1e-4, "pairs": [{"observation": [0.0] * 3, "action": [0.0] * 2}] * 1}
    policy = small_policy(tmp_path, np.zeros((3, 2)), states=True, golden=golden)
    policy.step(turning(0.0, 0.0, 0.0), WALK, 1.0, 1.0)
    policy.step(turning(0.0, 0.0, 0.0), WALK, 1.0, 1.0)
    assert policy.golden_errors() == (0.0,)
    policy.step(turning(0.0, 0.0, 0.0), WALK, 1.0, 1.0)
    assert policy.action[0] == 0.0


class SlowClock(VirtualClock):
    """Advances by 4 ms each time somebody looks."""

    def now_s(self) -> float:
        self.advance(0.004)
        return super().now_s()


def test_the_time_of_a_step_is_measured_with_the_clock_given(tmp_path):
    policy = small_policy(tmp_path, np.zeros((3, 2)), clock=SlowClock())
    policy.step(turning(0.0, 0.0, 0.0), WALK, 1.0, 1.0)
    assert policy.health.elapsed_s == pytest.approx(0.004)
    policy.step(turning(math.nan, 0.0, 0.0), WALK, 1.0, 1.0)
    assert policy.health.elapsed_s == pytest.approx(0.004)
    assert policy.health.period_s == pytest.approx(0.02)


def test_saturation_and_gained_last_action_reach_the_next_step(tmp_path):
    terms = [term("base_angular_velocity", 3), term("last_action", 2)]
    action = {"kind": "position_offset", "last_action": "gained", "clip": [-1.0, 1.0]}
    made = content(terms, action=action)
    made["joints"]["a"]["default_rad"], made["joints"]["b"]["default_rad"] = 0.3, 0.1
    weight = np.zeros((5, 2))
    weight[0] = [3.0, -0.5]
    policy = load_policy(write_policy(tmp_path, made, weight), ROBOT)
    targets = policy.step(turning(1.0, 0.0, 0.0), WALK, 0.1, 1.0)
    assert policy.health.action_peak == pytest.approx(3.0)
    assert policy.health.saturated_fraction == pytest.approx(0.5)
    assert targets.position_rad.tolist() == pytest.approx([0.1 - 0.1 * 0.25, 0.2, 0.3 + 0.1 * 0.5])
    policy.step(turning(0.0, 0.0, 0.0), WALK, 0.1, 1.02)
    assert policy.observation[3:] == pytest.approx([0.1, -0.05])


def test_the_predicted_torque_is_offered_for_a_dry_run(walker):
    state = standing_pup()
    targets = walker.step(state, WALK, 1.0, 1.0)
    expected = 35.0 * (targets.position_rad - state.position_rad)
    assert walker.predicted_torque(targets, state) == pytest.approx(expected)


def test_importing_the_room_does_not_import_onnxruntime():
    code = "import sys, supervisor.policy.policy; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
