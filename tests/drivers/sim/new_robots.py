"""Robots made from models: made, refused, and seen to hang, stand and lie down."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from drivers.sim.new_robot import NewRobotResult, new_robot
from drivers.sim.plant import Plant
from supervisor.core.errors import ConfigError
from supervisor.core.levels import Support
from supervisor.core.robot_file import Robot
from tests.drivers.sim.models import write

PUP = Path(__file__).resolve().parents[3] / "config" / "robots" / "pup" / "pup.xml"


class Body:
    """The plant of a robot with its joints under the position control of the robot file."""

    def __init__(self, robot: Robot) -> None:
        assert robot.model_path is not None
        config = robot.config
        self.plant = Plant(robot.model_path, config)
        self.kp, self.kd = config.vector("kp_nm_per_rad"), config.vector("kd_nm_s_per_rad")
        self.torque_nm = config.vector("torque_nm")
        self.default_rad, self.rest_rad = config.vector("default_rad"), config.vector("rest_rad")
        self.most_tilt_rad = 0.0

    def move(self, target_rad: np.ndarray, duration_s: float, powered: bool = True) -> None:
        plant, start = self.plant, self.plant.position_rad.copy()
        steps = round(duration_s / plant.timestep_s)
        for i in range(steps):
            way = min(1.5 * i / steps, 1.0)
            goal = start + way * way * (3.0 - 2.0 * way) * (target_rad - start)
            torque = self.kp * (goal - plant.position_rad) - self.kd * plant.velocity_rad_per_s
            plant.step(np.clip(torque, -self.torque_nm, self.torque_nm) * powered)
            if i % 25 == 0:
                self.most_tilt_rad = max(self.most_tilt_rad, plant.truth.tilt_rad)


def assert_hangs_and_stands(robot: Robot) -> Body:
    """On the gantry nothing touches the floor, limp or in the default pose; lowered, it stands still and level."""
    body = Body(robot)
    assert body.plant.truth.floor_force_n == 0.0
    body.move(body.default_rad, 1.5)
    assert body.plant.truth.floor_force_n == 0.0
    body.plant.set_support(Support.LOWERED)
    body.move(body.default_rad, 5.0)
    truth = body.plant.truth
    assert truth.floor_force_n / truth.weight_n == pytest.approx(0.6, abs=0.05)
    assert body.most_tilt_rad < 0.15
    assert np.abs(body.plant.velocity_rad_per_s).max() < 0.1
    assert np.abs(body.plant.position_rad - body.default_rad).max() < 0.1
    return body


def assert_lies_down(body: Body) -> None:
    """Without the gantry it stands, moves to the rest pose, and stays there when the motors are off."""
    body.plant.set_support(Support.GROUND)
    body.move(body.default_rad, 2.5)
    assert body.most_tilt_rad < 0.15
    body.move(body.rest_rad, 4.0)
    body.move(body.rest_rad, 2.0, powered=False)
    assert body.most_tilt_rad < 0.5
    assert body.plant.truth.tilt_rad < 0.3
    assert np.abs(body.plant.velocity_rad_per_s).max() < 0.2


def make(tmp_path: Path, text: str, **options: object) -> NewRobotResult:
    return new_robot("test", write(tmp_path, text), tmp_path / "robot", **options)  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        make(tmp_path, text, **options)
    assert not (tmp_path / "robot").exists()
    return str(caught.value)


def model_of(result: NewRobotResult) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(result.robot.model_path))
