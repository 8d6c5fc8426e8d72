"""Action decoding: gain, clip, order, and what the next observation sees of it."""

import numpy as np
import pytest

from supervisor.core.loading import Document, validate_document
from supervisor.policy.action import ActionDecoder, predicted_torque
from supervisor.policy.contract import Contract
from tests.policy.making import content, make_contract, make_state, robot_with, term

TERMS = [term("joint_position", 2)]
ROBOT = robot_with(("b", "x", "a"))
"""Default poses 0.1, 0.2, 0.3; the contract's own for a is 0.1 and for b 0.2."""


def decoder(**action) -> ActionDecoder:
    contract = make_contract(TERMS, action={"kind": "position_offset", "last_action": "raw"} | action)
    return ActionDecoder(contract, ROBOT)


def test_targets_are_in_the_robots_order_and_other_joints_hold_their_default_pose():
    command = decoder().decode(np.array([1.0, -1.0]), 1.0)
    assert command.position_rad.tolist() == pytest.approx([0.2 - 0.5, 0.2, 0.1 + 0.5])
    assert command.velocity_rad_per_s.tolist() == [0.0, 0.0, 0.0]
    assert command.torque_nm.tolist() == [0.0, 0.0, 0.0]
    assert command.kp_nm_per_rad.tolist() == [20.0, 35.0, 20.0]
    assert command.kd_nm_s_per_rad.tolist() == [0.5, 0.8, 0.5]


def test_where_the_orders_agree_the_targets_are_the_same():
    contract = make_contract(TERMS)
    command = ActionDecoder(contract, robot_with(("a", "b"))).decode(np.array([1.0, -1.0]), 0.5)
    assert command.position_rad.tolist() == pytest.approx([0.1 + 0.25, 0.2 - 0.25])


@pytest.mark.parametrize("gain", [0.0, 0.1, 0.5, 1.0])
def test_the_gain_scales_the_way_from_the_default_pose(gain):
    decode = decoder()
    for _ in range(2):  # the second time from the kept factor
        command = decode.decode(np.array([1.0, -1.0]), gain)
        assert command.position_rad[2] == pytest.approx(0.1 + gain * 0.5)
        assert command.position_rad[0] == pytest.approx(0.2 - gain * 0.5)


def test_a_clip_before_the_scale_bounds_the_action():
    command = decoder(clip=[-1.0, 1.0], clip_order="before_scale").decode(np.array([3.0, -0.5]), 1.0)
    assert command.position_rad[2] == pytest.approx(0.1 + 0.5)
    assert command.position_rad[0] == pytest.approx(0.2 - 0.25)


def test_a_clip_after_the_scale_bounds_the_offset():
    command = decoder(clip=[-0.3, 0.3], clip_order="after_scale").decode(np.array([3.0, -0.5]), 0.5)
    assert command.position_rad[2] == pytest.approx(0.1 + 0.5 * 0.3)
    assert command.position_rad[0] == pytest.approx(0.2 - 0.5 * 0.25)


def test_an_action_said_to_be_within_bounds_is_still_clipped_after_the_scale():
    decode = decoder(clip=[-0.3, 0.3], clip_order="after_scale")
    assert decode.decode(np.array([1.0, 0.0]), 1.0, within_bounds=True).position_rad[2] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("meaning", "expected"),
    [("raw", [3.0, -0.5]), ("clipped", [1.0, -0.5]), ("scaled", [0.5, -0.25]), ("gained", [0.2, -0.1])],
)
def test_the_last_action_is_what_the_contract_says(meaning, expected):
    decode = decoder(clip=[-1.0, 1.0], last_action=meaning)
    decode.decode(np.array([3.0, -0.5]), 0.2)
    assert decode.last.tolist() == pytest.approx(expected)


def test_decoding_leaves_the_action_as_it_was():
    action = np.array([3.0, -0.5])
    decoder(clip=[-1.0, 1.0]).decode(action, 0.5)
    assert action.tolist() == [3.0, -0.5]


def test_wheels_get_velocity_targets_and_an_own_offset_replaces_the_default():
    joints = {
        "a": {"default_rad": 0.3, "scale_rad_per_s": 5.0, "kp_nm_per_rad": 0.0, "kd_nm_s_per_rad": 0.5},
        "b": {"default_rad": 0.1, "scale_rad": 0.5, "offset_rad": 0.7, "kp_nm_per_rad": 9.0, "kd_nm_s_per_rad": 1.0},
    }
    contract = validate_document(Document("made_up.yaml", content(TERMS) | {"joints": joints}), Contract)
    command = ActionDecoder(contract, ROBOT).decode(np.array([1.0, 1.0]), 0.5)
    assert command.velocity_rad_per_s.tolist() == pytest.approx([0.0, 0.0, 2.5])
    assert command.position_rad.tolist() == pytest.approx([0.7 + 0.25, 0.2, 0.3])
    assert command.kp_nm_per_rad.tolist() == [9.0, 35.0, 0.0]


def test_what_comes_out_cannot_be_written_to():
    command = decoder().decode(np.array([0.0, 0.0]), 1.0)
    for array in (command.position_rad, command.velocity_rad_per_s, command.kp_nm_per_rad, command.torque_nm):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_the_predicted_torque_is_that_of_the_impedance_law():
    command = decoder().decode(np.array([1.0, -1.0]), 1.0)
    state = make_state(ROBOT.order, position=[0.0, 0.2, 0.1], velocity=[1.0, 0.0, -2.0])
    expected = [20.0 * (-0.3 - 0.0) - 0.5 * 1.0, 0.0, 20.0 * (0.6 - 0.1) + 0.5 * 2.0]
    assert predicted_torque(command, state).tolist() == pytest.approx(expected)
