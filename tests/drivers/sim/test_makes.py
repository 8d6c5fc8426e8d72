"""The same robot with every make of motor: device, registry and simulated twin speak to each other in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from drivers.devices import NO_TIMEOUT_PROBLEM
from drivers.registry import MOTOR_MAKES, wiring_problems
from drivers.robot_io import RobotIO
from drivers.sim.motors import makes
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Actuation, Drive, JointCommand
from supervisor.core.joints import frozen_vector
from supervisor.core.levels import Level
from supervisor.core.robot import JointConfig
from supervisor.core.robot_file import Robot
from supervisor.core.state import MotorStatus
from tests.drivers.sim.simulated import pup

MODELS = {"robstride": "RS03", "cybergear": "CyberGear", "cubemars": "AK70-10", "myactuator": "RMD"}
"""Makes that speak impedance control over CAN, and a model that carries what the robot asks."""


def robot_of(makes: Sequence[str]) -> Robot:
    """The robot with other motors in the same places: the makes take turns, joint by joint."""
    robot = pup()

    def changed(joint: JointConfig, make: str) -> JointConfig:
        if make == joint.motor.make:
            return joint
        row = MOTOR_MAKES[make].models[MODELS[make]]
        wiring = replace(joint.motor, make=make, model=row.name, feedback_id=0)
        return replace(joint, motor=wiring, torque_nm=min(joint.torque_nm, row.torque_max_nm))

    pairs = zip(robot.config.joints.items(), cycle(makes), strict=False)
    joints = {name: changed(joint, make) for (name, joint), make in pairs}
    return replace(robot, config=replace(robot.config, joints=joints))


class Rig:
    """A simulated robot and the code that drives real ones."""

    def __init__(self, *makes: str, independent_cut_off: str = "") -> None:
        robot = robot_of(makes)
        robot = replace(robot, config=replace(robot.config, independent_cut_off=independent_cut_off))
        self.config = robot.config
        self.world = SimulatedWorld(robot)
        self.robot = RobotIO(robot.config, self.world)
        self.cycle = 0
        zeros = frozen_vector(np.zeros(len(robot.config.joints)))
        self.target = JointCommand(
            self.config.vector("default_rad"),
            zeros,
            self.config.vector("kp_nm_per_rad"),
            self.config.vector("kd_nm_s_per_rad"),
            zeros,
        )

    def read(self):
        return self.robot.read(self.cycle * self.config.control_period_s)

    def step(self, drive: Drive | None):
        now_s = self.cycle * self.config.control_period_s
        if drive is not None:
            self.robot.write(Actuation(drive, self.target, Level.NONE), now_s)
        self.cycle += 1
        self.world.advance_to(self.cycle * self.config.control_period_s)
        return self.read()

    def inventory(self):
        generator = self.robot.inventory(0.0)
        for _ in range(5000):
            self.step(Drive.POLL)
            try:
                generator.send(self.cycle * self.config.control_period_s)
            except StopIteration as end:
                return end.value
        raise AssertionError("the inventory does not end")


@pytest.mark.parametrize("make", MODELS)
def test_a_robot_is_probed_enabled_held_and_switched_off(make: str) -> None:
    rig = Rig(make)
    assert wiring_problems(rig.config) == []
    reports = {report.name: report for report in rig.inventory()}
    expected = () if make in ("robstride", "myactuator") else (NO_TIMEOUT_PROBLEM,)
    assert {report.problems for name, report in reports.items() if name != "imu"} == {expected}
    assert (rig.step(Drive.POLL).motor_status == MotorStatus.DISABLED).all()
    assert (rig.step(Drive.ENABLE).motor_status == MotorStatus.ENABLED).all()
    for _ in range(500):
        state = rig.step(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.ENABLED).all()
    assert np.abs(state.position_rad - rig.config.vector("default_rad")).max() < 0.15
    assert np.abs(state.position_rad - rig.world.plant.position_rad).max() < 0.02
    assert np.abs(state.torque_nm).max() > 0.5
    state = rig.step(Drive.DISABLE)
    state = rig.step(Drive.DISABLE)
    assert (state.motor_status == MotorStatus.DISABLED).all()
    assert np.abs(state.torque_nm).max() < 0.2
    assert all(bus.dropped == 0 and bus.foreign_commands == 0 for bus in rig.robot.statistics().values())


def test_makes_share_a_bus_without_hearing_each_other() -> None:
    rig = Rig("damiao", "robstride", "cubemars")
    reports = rig.inventory()
    assert [report.answered for report in reports] == [True] * 13
    assert (rig.step(Drive.ENABLE).motor_status == MotorStatus.ENABLED).all()
    for _ in range(500):
        state = rig.step(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.ENABLED).all()
    assert np.abs(state.position_rad - rig.config.vector("default_rad")).max() < 0.15
    assert np.abs(state.position_rad - rig.world.plant.position_rad).max() < 0.02
    assert all(bus.dropped == 0 and bus.foreign_commands == 0 for bus in rig.robot.statistics().values())


def test_robstride_motors_let_go_when_the_host_dies() -> None:
    rig = Rig("robstride")
    rig.inventory()
    rig.step(Drive.ENABLE)
    for _ in range(100):
        rig.step(Drive.COMMAND)
    for _ in range(60):
        rig.step(None)
    assert (rig.step(Drive.COMMAND).motor_status == MotorStatus.DISABLED).all()


def test_myactuator_motors_let_go_when_the_host_dies_and_do_not_start_again_by_themselves() -> None:
    rig = Rig("myactuator")
    rig.inventory()
    rig.step(Drive.ENABLE)
    for _ in range(100):
        rig.step(Drive.COMMAND)
    for _ in range(60):
        rig.step(None)
    state = rig.step(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.FAULT).all()
    assert {rig.robot.fault_name(joint, int(code)) for joint, code in enumerate(state.fault_code)} == {"TIMED_OUT"}
    assert (rig.step(Drive.DISABLE).motor_status == MotorStatus.FAULT).all()
    rig.step(Drive.CLEAR_FAULT)
    assert (rig.step(Drive.DISABLE).motor_status == MotorStatus.DISABLED).all()


def test_every_simulated_make_names_its_faults_and_has_a_driver() -> None:
    assert makes.MOTOR_MAKES.keys() == makes.FAULT_NAMES.keys()
    assert makes.MOTOR_MAKES.keys() <= MOTOR_MAKES.keys()
    assert all(makes.FAULT_NAMES.values())


def test_a_make_without_a_timeout_is_accepted_where_something_else_cuts_its_power() -> None:
    rig = Rig("cubemars", independent_cut_off="contactor K1, opened by the radio stop")
    motors = [report for report in rig.inventory() if report.name != "imu"]
    assert {report.problems for report in motors} == {()}
    assert {report.facts["independent_cut_off"] for report in motors} == {"contactor K1, opened by the radio stop"}
