"""Simulated Dynamixel servos as the joints of a robot, driven by the code that drives real ones."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.robot_io import RobotIO
from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.instructions import make_ping
from drivers.sim.motors.dynamixel import DynamixelMotors
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Drive
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import Rig, fitted
from tests.drivers.sim.simulated import script

VICTIM = "fl_thigh"


def started(*faults: dict[str, object]) -> Rig:
    robot = fitted("dynamixel")
    rig = Rig(robot)
    if faults:
        rig.world = SimulatedWorld(robot, faults=script(*faults))
        rig.robot = RobotIO(rig.config, rig.world)
    rig.inventory()
    rig.step(Drive.ENABLE)
    for _ in range(100):
        rig.step(Drive.COMMAND)
    return rig


def twin(rig: Rig) -> DynamixelMotors:
    (group,) = rig.world._groups
    assert isinstance(group.motors, DynamixelMotors)
    return group.motors


def names(rig: Rig, codes: np.ndarray) -> set[str]:
    return {rig.robot.fault_name(joint, int(code)) for joint, code in enumerate(codes)}


def test_when_the_host_dies_the_servos_go_limp_with_their_torque_switches_on() -> None:
    rig = started()
    motors = twin(rig)
    assert np.abs(motors.target[4]).max() > 0.5
    for _ in range(38):
        rig.step(None)
    assert np.abs(motors.target[4]).max() > 0.5
    for _ in range(10):
        rig.step(None)
    assert (motors.target[4] == 0.0).all()
    assert all(servo.has_torque for servo in motors.servos)
    assert {servo.table[t.BUS_WATCHDOG] for servo in motors.servos} == {t.WATCHDOG_EXPIRED}


def test_a_host_that_comes_back_is_told_and_moves_nothing_until_faults_are_cleared() -> None:
    rig = started()
    for _ in range(60):
        rig.step(None)
    state = rig.step(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.FAULT).all()
    assert names(rig, state.fault_code) == {"BUS_WATCHDOG"}
    rig.step(Drive.COMMAND)
    assert (twin(rig).target[4] == 0.0).all()
    rig.step(Drive.CLEAR_FAULT)
    rig.step(Drive.DISABLE)
    assert (rig.step(Drive.DISABLE).motor_status == MotorStatus.DISABLED).all()
    assert (rig.step(Drive.ENABLE).motor_status == MotorStatus.ENABLED).all()
    assert (twin(rig).target[4] == 0.0).all()


def test_a_brown_out_is_a_fault_and_what_was_set_is_gone() -> None:
    rig = started(
        {"kind": "brown_out", "bus": "dynamixel_can0", "at": {"stage": "start", "after_s": 1.5}, "for_s": 0.1}
    )
    for _ in range(700):
        state = rig.step(Drive.COMMAND)
    hit = np.array([joint.motor.bus == "dynamixel_can0" for joint in rig.config.joints.values()])
    assert (state.motor_status[hit] == MotorStatus.FAULT).all()
    assert names(rig, state.fault_code[:3]) == {"RESTARTED"}
    assert (rig.now_s - state.motor_stamp_s[hit] > 0.1).all()
    assert (state.motor_status[~hit] == MotorStatus.ENABLED).all()


@pytest.mark.parametrize("fault", list(t.HARDWARE_ERROR_BITS.values()))
def test_a_hardware_error_is_a_fault_and_those_in_the_mask_cut_the_torque(fault: str) -> None:
    rig = started({"kind": "motor_fault", "joints": [VICTIM], "code": fault, "at": {"stage": "start", "after_s": 1.5}})
    for _ in range(700):
        state = rig.step(Drive.COMMAND)
    joint = rig.config.order.index(VICTIM)
    assert names(rig, state.fault_code[[joint]]) == {fault}
    assert twin(rig).servos[joint].has_torque == (fault in ("INPUT_VOLTAGE", "ENCODER"))


def test_heat_switches_a_servo_off_by_itself() -> None:
    rig = started(
        {"kind": "motor_hot", "joints": [VICTIM], "temperature_degc": 90.0, "at": {"stage": "start", "after_s": 1.5}}
    )
    for _ in range(700):
        state = rig.step(Drive.COMMAND)
    joint = rig.config.order.index(VICTIM)
    assert names(rig, state.fault_code[[joint]]) == {"OVERHEATING"}
    assert not twin(rig).servos[joint].has_torque


def test_the_shaft_is_the_joint_and_the_current_is_its_torque() -> None:
    rig = started()
    for _ in range(300):
        state = rig.step(Drive.COMMAND)
    motors = twin(rig)
    counts = np.array([servo.table[t.PRESENT_POSITION] for servo in motors.servos])
    joints = [joint.motor.model for joint in rig.config.joints.values()]
    signs = np.array([joint.direction for joint in rig.config.joints.values()])
    assert (counts - 2048) * t.POSITION_COUNT_RAD * signs == pytest.approx(rig.world.plant.position_rad, abs=0.02)
    currents = np.array([servo.table[t.PRESENT_CURRENT] for servo in motors.servos])
    per_count = np.array([t.SERVOS[model].torque_count_nm for model in joints])
    assert currents * per_count * signs == pytest.approx(state.torque_nm, abs=0.2)


def test_an_answer_takes_as_long_as_its_bytes_and_its_return_delays() -> None:
    rig = started()
    motors = twin(rig)
    ping = [Frame(0, make_ping(1))]
    (quick,) = motors.converse(0, ping, 10.0, 10.0)
    for servo in motors.servos:
        servo.table[t.RETURN_DELAY] = 250
    (slow,) = motors.converse(0, ping, 10.0, 10.0)
    assert quick.stamp_s == pytest.approx(10.0 + 24 * 10 / 4e6 + 100e-6)
    assert slow.stamp_s - quick.stamp_s == pytest.approx(3 * 500e-6)
