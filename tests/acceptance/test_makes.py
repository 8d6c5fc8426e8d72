"""The demo robot with motors of every make: those that are strong enough climb the whole ladder, the others are told.

The same policy, mission and signature as for the shipped robot; only motors and buses differ.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.registry import MOTOR_MAKES
from supervisor.core.errors import ConfigError, RefusedError
from supervisor.core.robot_file import Robot
from supervisor.runtime.preparation import check_all
from tests.acceptance.made_of import write_mission_on_the_gantry, write_policy, write_robot
from tests.acceptance.running import run
from tests.drivers.sim.fitted import fitted
from tests.drivers.sim.simulated import pup

STAGES = (
    *("preflight", "observe", "stand", "zero_action", "single_joint", "small_amplitude"),
    *("ramp_10", "ramp_25", "ramp_50", "ramp_75", "ramp_100", "rollout"),
)

CUT_OFF = "contactor K1, opened by the radio stop"

GEARED = {"cybergear": 2.0}
"""Makes whose strongest motor is enough only behind a belt."""

QUICK = ("moteus", "unitree")
"""Tried in every run of the tests, one on CAN FD and one on serial lines; the others take as long."""

TOO_WEAK = ("dynamixel", "feetech", "lx16a")

CLIMBERS = [
    pytest.param(make, marks=() if make in QUICK else pytest.mark.slow) for make in MOTOR_MAKES if make not in TOO_WEAK
]


def asked_for_everything(make: str) -> Robot:
    """The demo robot's own limits, whatever the motors can do."""
    robot, limits = fitted(make, independent_cut_off=CUT_OFF), pup().config.joints
    joints = {
        name: replace(joint, torque_nm=limits[name].torque_nm, velocity_rad_per_s=limits[name].velocity_rad_per_s)
        for name, joint in robot.config.joints.items()
    }
    return replace(robot, config=replace(robot.config, joints=joints))


@pytest.mark.parametrize("make", CLIMBERS)
def test_a_robot_of_every_strong_make_climbs_the_ladder_to_the_end(make: str, tmp_path: Path) -> None:
    robot = fitted(make, independent_cut_off=CUT_OFF, gear=GEARED.get(make, 1.0))
    result = run(tmp_path, robot=write_robot(tmp_path / "robot", robot))
    assert [(stage["name"], stage["outcome"]) for stage in result.summary["stages"]] == [(n, "passed") for n in STAGES]
    assert result.summary["outcome"] == "completed"
    assert result.summary["stop"] is None


@pytest.mark.parametrize("make", TOO_WEAK)
def test_servos_that_are_too_weak_are_refused_by_the_check_with_what_is_missing(make: str, tmp_path: Path) -> None:
    folder = write_robot(tmp_path / "robot", asked_for_everything(make))
    with pytest.raises(RefusedError) as caught:
        check_all(str(folder), None, "deployment")
    reasons = " ".join(caught.value.reasons)
    assert "joint fl_hip: torque_nm asks 20 N·m of the motor (gear 1)" in reasons
    assert "joint fl_hip: velocity_rad_per_s asks 18 rad/s of the motor" in reasons


@pytest.mark.parametrize("make", TOO_WEAK)
def test_a_robot_of_servos_within_their_limits_may_not_climb_on_another_robot_s_signature(
    make: str, tmp_path: Path
) -> None:
    robot = fitted(make, independent_cut_off=CUT_OFF)
    folder, policy = write_robot(tmp_path / "robot", robot), write_policy(tmp_path / "policy", robot)
    with pytest.raises(RefusedError, match="single_joint judges the robot by its signature"):
        run(tmp_path, robot=folder, policy=policy)


def test_a_policy_that_is_stiffer_than_the_servos_is_refused(tmp_path: Path) -> None:
    folder = write_robot(tmp_path / "robot", fitted("lx16a", independent_cut_off=CUT_OFF))
    with pytest.raises(ConfigError, match=r"kp_nm_per_rad: found 35\.0; allowed: at most 16\.7, what the motor can be"):
        run(tmp_path, robot=folder)


@pytest.mark.parametrize("make", TOO_WEAK)
def test_servos_stand_on_the_gantry_as_far_as_their_limits_permit(make: str, tmp_path: Path) -> None:
    robot = fitted(make, independent_cut_off=CUT_OFF)
    mission = write_mission_on_the_gantry(tmp_path / "gantry.yaml")
    folder, policy = write_robot(tmp_path / "robot", robot), write_policy(tmp_path / "policy", robot)
    result = run(tmp_path, robot=folder, policy=policy, mission=mission)
    stages = [(stage["name"], stage["outcome"]) for stage in result.summary["stages"]]
    assert stages == [(name, "passed") for name in STAGES[:3]]
    assert result.summary["outcome"] == "completed"
