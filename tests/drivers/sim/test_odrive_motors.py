from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.makes import MOTOR_MAKES
from drivers.sim.motors.odrive import WATCHDOG, ODriveMotors, Settings
from supervisor.core.command import Drive
from supervisor.core.robot import DriveConfig, JointConfig, MotorConfig
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import Rig, fitted

PERIOD_S = 0.002
RATIO = 9.0
TWO_PI = 2.0 * math.pi
BEAT, ERROR, ADDRESS, ESTIMATES, TORQUES, TEMPERATURE = 0x01, 0x03, 0x06, 0x09, 0x1C, 0x15


def joint(number: int) -> JointConfig:
    motor = MotorConfig("odrive", "Pro", "can0", number, 0, DriveConfig(20.0, 20.0, RATIO))
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)


def say(command: int, layout: str, *values: float, node: int = 1) -> Frame:
    return Frame(node << 5 | command, struct.pack("<" + layout, *values))


ON, IDLE, CLEAR, ESTOP = say(0x07, "I", 8), say(0x07, "I", 1), say(0x18, "B", 0), Frame(1 << 5 | 0x02, b"")
POSITION_MODE = say(0x0B, "II", 3, 1)


class Bench:
    """Two boards on a bench, their joints moved by hand."""

    def __init__(self) -> None:
        self.motors = ODriveMotors([joint(1), joint(2)], ["can0"], seed=[7], noise_scale=0.0)
        self.position, self.velocity = np.zeros(2), np.zeros(2)
        self.now_s = 0.0

    def say(self, *frames: Frame) -> list[Frame]:
        (replies,) = self.motors.exchange([list(frames)], self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return replies

    def report(self, command: int, *frames: Frame, node: int = 1, cycles: int = 60) -> bytes:
        """The newest report of a kind, after some cycles in which the host says nothing more."""
        said = self.say(*frames)
        for _ in range(cycles):
            said += self.say()
        return [frame.data for frame in said if frame.arbitration_id == node << 5 | command][-1]

    def beat(self, *frames: Frame) -> tuple[int, int]:
        """Errors and state."""
        errors, state, _, _ = struct.unpack("<IBBBx", self.report(BEAT, *frames, cycles=2))
        return errors, state

    def torque(self) -> np.ndarray:
        return self.motors.torque(self.position, self.velocity, self.now_s).copy()


def push(torque_nm: float) -> tuple[Frame, ...]:
    """On, with a torque and nothing else, at the motor."""
    return (say(0x1B, "ff", 0.0, 0.0), POSITION_MODE, ON, say(0x0C, "fhh", 0.0, 0, round(torque_nm * 1e3)))


def test_an_idle_axis_reports_and_produces_nothing() -> None:
    bench = Bench()
    assert bench.beat(say(0x0C, "fhh", 1.0, 1000, 1000)) == (0, 1)
    assert not bench.torque().any()


def test_position_control_is_impedance_control() -> None:
    bench = Bench()
    # 20 N·m/rad and 2 N·m·s/rad at the output, target 0.5 rad and 1 rad/s, 0.9 N·m.
    gains = say(0x1A, "f4x", 10.0), say(0x1B, "ff", 2.0 * TWO_PI / RATIO**2, 0.0)
    target = say(0x0C, "fhh", 0.5 * RATIO / TWO_PI, round(1e3 * RATIO / TWO_PI), 100)
    bench.say(*gains, POSITION_MODE, ON, target)
    bench.position[:], bench.velocity[:] = 0.2, -0.5
    torque = bench.torque()
    assert torque[0] == pytest.approx(20.0 * 0.3 + 2.0 * 1.5 + 0.9, abs=2e-3)
    assert torque[1] == 0.0
    position, velocity = struct.unpack("<ff", bench.report(ESTIMATES))
    assert (position, velocity) == pytest.approx((0.2 * RATIO / TWO_PI, -0.5 * RATIO / TWO_PI))
    assert struct.unpack("<ff", bench.report(TORQUES))[1] == pytest.approx(torque[0] / RATIO)
    assert struct.unpack("<ff", bench.report(TEMPERATURE))[1] == pytest.approx(25.0, abs=0.2)


@pytest.mark.parametrize(
    ("mode", "frame", "expected"),
    [
        (2, say(0x0D, "ff", RATIO / TWO_PI, 0.1), 2.0 * 1.5 + 0.9),
        (1, say(0x0E, "f4x", 0.1), 0.9),
    ],
)
def test_velocity_and_torque_control_leave_the_rest_out(mode: int, frame: Frame, expected: float) -> None:
    bench = Bench()
    bench.say(say(0x1B, "ff", 2.0 * TWO_PI / RATIO**2, 0.0), say(0x0B, "II", mode, 1), ON, frame)
    bench.velocity[:] = -0.5
    assert bench.torque()[0] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("mode", [(0, 1), (3, 0), (3, 5), (4, 1)])
def test_in_modes_that_are_not_simulated_it_keeps_still(mode: tuple[int, int]) -> None:
    bench = Bench()
    bench.say(say(0x0B, "II", *mode), ON, say(0x0C, "fhh", 1.0, 100, 100))
    assert not bench.torque().any()


def test_an_input_from_before_acts_when_it_is_switched_on_again() -> None:
    bench = Bench()
    bench.say(*push(0.5))
    assert bench.torque()[0] == pytest.approx(4.5)
    bench.say(IDLE)
    assert not bench.torque().any()
    bench.say(ON)
    assert bench.torque()[0] == pytest.approx(4.5)


def test_as_delivered_it_goes_on_with_its_last_command() -> None:
    bench = Bench()
    bench.say(*push(0.5))
    bench.now_s += 100.0
    assert bench.torque()[0] == pytest.approx(4.5)
    assert bench.beat() == (0, 8)


@pytest.mark.parametrize("feed", [Frame(1 << 5 | ERROR, b""), IDLE._replace(arbitration_id=1 << 5 | 0x1A)])
def test_a_watchdog_is_fed_by_everything_that_is_said_to_the_axis(feed: Frame) -> None:
    bench = Bench()
    bench.motors.timeout_s[:] = 0.1
    bench.say(*push(0.5))
    for _ in range(10):
        bench.now_s += 0.09
        bench.torque()
        bench.say(feed)
    assert bench.beat() == (0, 8)


def test_a_watchdog_that_expires_disarms_and_has_to_be_cleared() -> None:
    bench = Bench()
    bench.motors.timeout_s[:] = 0.1
    bench.say(*push(0.5))
    bench.now_s += 0.0979
    assert bench.torque()[0] == pytest.approx(4.5)
    bench.now_s += 0.003
    assert bench.torque()[0] == 0.0
    assert bench.beat(ON) == (WATCHDOG, 1)
    assert struct.unpack("<II", bench.report(ERROR, Frame(1 << 5 | ERROR, b""))) == (0, WATCHDOG)
    assert bench.beat(CLEAR) == (0, 1)
    assert bench.beat(ON) == (0, 8)


@pytest.mark.parametrize("node", [1, 0x3F])
def test_an_emergency_stop_disarms_and_has_to_be_cleared(node: int) -> None:
    bench = Bench()
    bench.say(*push(0.5))
    assert bench.beat(ESTOP._replace(arbitration_id=node << 5 | 0x02)) == (0x2000000, 1)
    assert not bench.torque().any()
    assert bench.beat(ON) == (0x2000000, 1)
    assert bench.beat(CLEAR, ON) == (0, 8)


def test_an_error_lasts_until_its_cause_is_gone_and_it_is_cleared() -> None:
    bench = Bench()
    bench.say(*push(0.5))
    bench.motors.set_conditions([MotorCondition(0, fault="DRV_FAULT", temperature_degc=88.0), MotorCondition(1)])
    assert not bench.torque().any()
    assert bench.beat(CLEAR, ON) == (0x20, 1)
    assert struct.unpack("<II", bench.report(ERROR, Frame(1 << 5 | ERROR, b""))) == (0x20, 0x20)
    assert struct.unpack("<ff", bench.report(TEMPERATURE)) == (40.0, 88.0)
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    assert bench.beat(ON) == (0x20, 1)
    assert bench.beat(CLEAR) == (0, 1)


def test_reports_come_as_often_as_they_are_set_to() -> None:
    bench = Bench()
    bench.motors.periods_s[:, 0] = (0.1, 0.004, math.inf, 0.02, math.inf)
    bench.say()
    said = [frame.arbitration_id for _ in range(500) for frame in bench.say()]
    counts = [said.count(1 << 5 | command) for command in (BEAT, ESTIMATES, TORQUES, TEMPERATURE, 0x17)]
    assert counts == pytest.approx([10, 250, 0, 50, 0], abs=1)


def test_empty_frames_are_answered_where_there_is_something_to_say() -> None:
    bench = Bench()
    bench.motors.periods_s[:] = math.inf
    (version,) = bench.say(Frame(2 << 5, b""))
    assert version == Frame(2 << 5, bytes((2, 4, 4, 58, 0, 6, 11, 0)), stamp_s=version.stamp_s)
    first, second = (bench.say(Frame(node << 5 | ADDRESS, b""))[0].data for node in (1, 2))
    assert (first[0], second[0]) == (1, 2)
    assert first[1:] != second[1:]
    assert bench.say(Frame(1 << 5 | 0x1F, b""), Frame(1 << 5, b"", True), Frame(7 << 5, b"")) == []


def test_a_position_is_set_and_gains_are_lost_with_the_power() -> None:
    bench = Bench()
    bench.position[0] = 0.4
    assert struct.unpack("<ff", bench.report(ESTIMATES, say(0x19, "f4x", 0.25)))[0] == pytest.approx(0.25)
    assert struct.unpack("<ff", bench.report(ESTIMATES, say(0x19, "f4x", 0.0)))[0] == pytest.approx(0.0)
    bench.say(say(0x1B, "ff", 0.5, 0.0))
    assert bench.motors.settings[0].velocity_gain == 0.5
    bench.say(say(0x16, "B", 0))
    assert bench.motors.settings[0] == Settings()
    bench.say(say(0x1B, "ff", 0.5, 0.0))
    bench.motors.set_conditions([MotorCondition(0, is_browned_out=True), MotorCondition(1)])
    assert bench.motors.settings[0] == Settings()
    assert bench.beat() == (0x200, 1)


def test_silence_strange_and_short_frames_do_nothing() -> None:
    bench = Bench()
    bench.motors.periods_s[:] = math.inf
    assert bench.say(ON._replace(is_fd=True), ON._replace(data=b"\x08"), Frame(1 << 5 | 0x0C, bytes(7))) == []
    assert not bench.motors.is_on.any()
    bench.motors.set_conditions([MotorCondition(0, is_silent=True), MotorCondition(1)])
    assert bench.say(ON, Frame(1 << 5, b"")) == []


def walking(timeout_s: float) -> Rig:
    """A robot under command, with the watchdog set in every board."""
    rig = Rig(fitted("odrive", independent_cut_off="contactor K1"))
    (group,) = rig.world._groups
    group.motors.timeout_s[:] = timeout_s
    rig.inventory()
    rig.step(Drive.ENABLE)
    for _ in range(300):
        rig.step(Drive.COMMAND)
    assert all(settings.integrator_gain == 0.0 for settings in group.motors.settings)
    return rig


def test_without_a_watchdog_motors_hold_their_last_pose_when_the_host_dies() -> None:
    rig = walking(math.inf)
    for _ in range(500):
        rig.step(None)
    assert np.abs(rig.world.plant.position_rad - rig.config.vector("default_rad")).max() < 0.15
    assert (rig.step(Drive.COMMAND).motor_status == MotorStatus.ENABLED).all()


def test_with_a_watchdog_they_go_limp_and_do_not_start_again_by_themselves() -> None:
    rig = walking(0.1)
    for _ in range(60):
        state = rig.step(None)
    assert (state.motor_status == MotorStatus.FAULT).all()
    names = {rig.robot.fault_name(joint, int(code)) for joint, code in enumerate(state.fault_code)}
    assert names == {"WATCHDOG_TIMER_EXPIRED"}
    assert np.abs(state.torque_nm).max() < 0.5
    for drive in (Drive.COMMAND, Drive.ENABLE, Drive.DISABLE):
        assert (rig.step(drive).motor_status == MotorStatus.FAULT).all()
    rig.step(Drive.CLEAR_FAULT)
    assert (rig.step(Drive.DISABLE).motor_status == MotorStatus.DISABLED).all()


def test_it_is_the_twin_of_its_make() -> None:
    assert MOTOR_MAKES["odrive"] is ODriveMotors
