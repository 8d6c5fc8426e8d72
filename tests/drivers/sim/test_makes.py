"""The same robot with every make of motor: device, registry and simulated twin speak to each other in bytes."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.capabilities import Timeout
from drivers.devices import NO_TIMEOUT_PROBLEM
from drivers.registry import MOTOR_MAKES
from drivers.sim.motors import makes
from drivers.wiring_check import timeout_problems, wiring_problems
from supervisor.core.command import Drive
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import FITTINGS, Rig, fitted


@pytest.mark.parametrize("make", FITTINGS)
def test_a_robot_is_probed_enabled_held_and_switched_off(make: str) -> None:
    rig = Rig(fitted(make))
    assert wiring_problems(rig.config) == []
    reports = {report.name: report for report in rig.inventory()}
    expected = (NO_TIMEOUT_PROBLEM,) * (MOTOR_MAKES[make].capabilities.timeout is Timeout.NONE)
    assert {report.problems for name, report in reports.items() if name != "imu"} == {expected}
    assert (rig.settle(Drive.POLL).motor_status == MotorStatus.DISABLED).all()
    assert (rig.settle(Drive.ENABLE).motor_status == MotorStatus.ENABLED).all()
    for _ in range(500):
        state = rig.step(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.ENABLED).all()
    assert np.abs(state.position_rad - rig.config.vector("default_rad")).max() < 0.15
    assert np.abs(state.position_rad - rig.world.plant.position_rad).max() < 0.02
    assert np.abs(state.torque_nm).max() > 0.5
    state = rig.settle(Drive.DISABLE)
    assert (state.motor_status == MotorStatus.DISABLED).all()
    assert np.abs(state.torque_nm).max() < 0.2
    assert all(bus.dropped == 0 and bus.foreign_commands == 0 for bus in rig.robot.statistics().values())


def test_makes_share_a_bus_without_hearing_each_other() -> None:
    rig = Rig(fitted("damiao", "robstride", "cubemars"))
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
    rig = Rig(fitted("robstride"))
    rig.inventory()
    rig.step(Drive.ENABLE)
    for _ in range(100):
        rig.step(Drive.COMMAND)
    for _ in range(60):
        rig.step(None)
    assert (rig.step(Drive.COMMAND).motor_status == MotorStatus.DISABLED).all()


def test_myactuator_motors_let_go_when_the_host_dies_and_do_not_start_again_by_themselves() -> None:
    rig = Rig(fitted("myactuator"))
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
    rig = Rig(fitted("cubemars", independent_cut_off="contactor K1, opened by the radio stop"))
    motors = [report for report in rig.inventory() if report.name != "imu"]
    assert {report.problems for report in motors} == {()}
    assert {report.facts["independent_cut_off"] for report in motors} == {"contactor K1, opened by the radio stop"}


def test_a_make_without_a_timeout_may_be_looked_at_but_not_armed() -> None:
    config = fitted("damiao", "cubemars").config
    assert wiring_problems(config) == []
    assert len(timeout_problems(config)) == 6
    assert timeout_problems(config)[0] == f"joint fl_thigh: cubemars {NO_TIMEOUT_PROBLEM}"
    assert timeout_problems(fitted("cubemars", independent_cut_off="contactor K1").config) == []
    assert timeout_problems(fitted("damiao").config) == []


def test_every_make_that_can_be_simulated_is_tried_here() -> None:
    assert FITTINGS.keys() == makes.MOTOR_MAKES.keys()
