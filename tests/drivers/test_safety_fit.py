"""What a safety file asks of motors that they cannot do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.safety_fit import age_problems, damping_problems
from supervisor.core.robot import RobotConfig
from tests.drivers.sim.fitted import fitted


def of_unknown_make(robot: RobotConfig) -> RobotConfig:
    joints = {name: replace(joint, motor=replace(joint.motor, make="acme")) for name, joint in robot.joints.items()}
    return replace(robot, joints=joints)


@pytest.mark.parametrize(("gear", "most"), [(1.0, 5.0), (2.0, 20.0)])
def test_damping_is_allowed_up_to_what_the_motor_can_be_told_behind_its_gear(gear: float, most: float) -> None:
    robot = fitted("damiao", gear=gear).config
    assert damping_problems(robot, most) == []
    (problem,) = damping_problems(robot, most * 1.001)
    assert f"fl_hip {most:.4g} (DM8009, gear {gear:g}), fl_thigh" in problem
    assert f"lower it in the safety file to {most:g}, " in problem


def test_what_it_says_to_lower_damping_to_is_allowed() -> None:
    robot = fitted("feetech").config
    (problem,) = damping_problems(robot, 2.0)
    assert "in the safety file to 1.245, " in problem
    assert damping_problems(robot, 1.245) == []


@pytest.mark.parametrize(("make", "age_s"), [("damiao", 0.002), ("unitree", 0.01), ("lx16a", 0.05)])
def test_feedback_is_as_old_as_the_motors_that_share_a_line_make_it(make: str, age_s: float) -> None:
    robot = fitted(make).config
    assert age_problems(robot, age_s) == []
    assert len(age_problems(robot, age_s * 0.99)) == 4


def test_motors_of_unknown_makes_are_the_business_of_others() -> None:
    robot = of_unknown_make(fitted("damiao").config)
    assert damping_problems(robot, 1000.0) == []
    assert age_problems(robot, 1e-6) == []
