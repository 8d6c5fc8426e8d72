"""Recorded observation → action pairs of other people's policies, met from raw state by our own pipeline."""

import numpy as np
import pytest

from supervisor.core.joints import frozen_vector
from supervisor.policy.policy import Policy, load_policy
from tests.cases import (
    CASES,
    VELOCITY_CASES,
    needs_cases,
    read_reference,
    read_spec,
    robot_of,
    state_of,
    write_contract,
)

TOLERANCE = 1e-5


def load_case(name: str, folder) -> tuple[Policy, dict, dict]:
    spec = read_spec(CASES / name)
    policy = load_policy(write_contract(CASES / name, folder), robot_of(spec))
    return policy, spec, read_reference(CASES / name)


def largest_error(ours: np.ndarray, recorded: list[float]) -> float:
    """Largest difference, relative where the recorded value is above 1: untrained arms reach actions of 400."""
    expected = np.array(recorded)
    return float((np.abs(ours - expected) / np.maximum(1.0, np.abs(expected))).max())


@needs_cases
@pytest.mark.parametrize("name", VELOCITY_CASES)
def test_a_recorded_run_is_met_step_by_step_from_raw_state(name, tmp_path):
    policy, spec, reference = load_case(name, tmp_path)
    robot = robot_of(spec)
    observation_errors, action_errors = [], []
    for pair in reference["pairs_consecutive_first_50"]:
        recorded = pair["state"]
        state = state_of(recorded, spec, robot)
        assert policy.step(state, frozen_vector(recorded["command"]), 1.0, state.now_s) is not None
        action_errors.append(largest_error(policy.action, pair["action"]))
        if "obs" in pair:  # wide histories are recorded for a few steps only
            observation_errors.append(largest_error(policy.observation, pair["obs"]))
    assert len(action_errors) == 50
    assert len(observation_errors) >= 5
    assert max(observation_errors) <= TOLERANCE
    assert max(action_errors) <= TOLERANCE


@needs_cases
@pytest.mark.parametrize("name", VELOCITY_CASES)
def test_recorded_pairs_over_the_whole_schedule_are_met_by_the_network(name, tmp_path):
    policy, _, _ = load_case(name, tmp_path)
    assert policy.contract.golden is not None
    assert max(policy.golden_errors()) <= TOLERANCE


@needs_cases
@pytest.mark.parametrize("name", ["go1_playground", "go2_robot_lab", "g1_unitree_rl_mjlab", "go2w_robot_lab"])
def test_joint_targets_are_those_that_were_recorded(name, tmp_path):
    policy, spec, reference = load_case(name, tmp_path)
    robot = robot_of(spec)
    for pair in reference["pairs_consecutive_first_50"]:
        state = state_of(pair["state"], spec, robot)
        targets = policy.step(state, frozen_vector(pair["state"]["command"]), 1.0, state.now_s)
        scale = np.broadcast_to(np.array(spec["action"]["scale"]), len(pair["action"]))
        for i, joint in enumerate(spec["joints"]["policy_order"]):
            moved = float(scale[i]) * pair["action"][i]
            j = robot.order.index(joint)
            if joint in spec["action"].get("velocity_joints", []):
                assert targets.velocity_rad_per_s[j] == pytest.approx(moved, abs=TOLERANCE * 10)
                assert targets.kp_nm_per_rad[j] == spec["joints"]["kp"][i]
            else:
                assert targets.position_rad[j] == pytest.approx(spec["joints"]["default_pos"][i] + moved, abs=TOLERANCE)
                assert targets.kp_nm_per_rad[j] == spec["joints"]["kp"][i]
