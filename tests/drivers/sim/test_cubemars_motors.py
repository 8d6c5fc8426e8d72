from __future__ import annotations

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.cubemars import codec
from drivers.can.cubemars.tables import MODELS
from drivers.can.impedance import encode_mit
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.cubemars import CubeMarsMotors
from supervisor.core.command import Drive
from supervisor.core.robot import JointConfig, MotorConfig
from tests.drivers.sim.fitted import Rig, fitted

AK70 = MODELS["AK70-10"]
PERIOD_S = 0.002
ENTER, LEAVE = Frame(1, codec.ENTER_MOTOR_MODE), Frame(1, codec.EXIT_MOTOR_MODE)


def joint(number: int) -> JointConfig:
    motor = MotorConfig("cubemars", "AK70-10", "can0", number)
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)


class Bench:
    """Two motors on a bench, their joints moved by hand."""

    def __init__(self) -> None:
        self.motors = CubeMarsMotors([joint(1), joint(2)], ["can0"], seed=[7], noise_scale=0.0)
        self.position, self.velocity = np.zeros(2), np.zeros(2)
        self.now_s = 0.0

    def say(self, *frames: Frame) -> list[Frame]:
        (replies,) = self.motors.exchange([list(frames)], self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return replies

    def ask(self, frame: Frame) -> codec.MotorFeedback:
        (reply,) = self.say(frame)
        assert (reply.arbitration_id, reply.is_extended) == (0, False)
        return codec.decode_mit_feedback(reply.data, AK70)

    def torque(self) -> np.ndarray:
        return self.motors.torque(self.position, self.velocity, self.now_s).copy()


def command(*values: float) -> Frame:
    return Frame(1, encode_mit(AK70, [*values, *[0.0] * (5 - len(values))]))


def test_a_motor_outside_motor_mode_answers_and_produces_nothing() -> None:
    bench = Bench()
    assert bench.ask(command(1.0, 0.0, 50.0)).motor_id == 1
    assert not bench.torque().any()


def test_in_motor_mode_it_runs_its_own_impedance_control() -> None:
    bench = Bench()
    bench.say(ENTER)
    bench.say(command(0.5, 1.0, 20.0, 2.0, 1.0))
    bench.position[:], bench.velocity[:] = 0.2, -0.5
    torque = bench.torque()
    assert torque[0] == pytest.approx(20.0 * 0.3 + 2.0 * 1.5 + 1.0, abs=0.2)
    assert torque[1] == 0.0
    feedback = bench.ask(command(0.5, 1.0, 20.0, 2.0, 1.0))
    assert feedback.position_rad == pytest.approx(0.2, abs=1e-3)
    assert feedback.velocity_rad_per_s == pytest.approx(-0.5, abs=0.03)
    assert feedback.torque_nm == pytest.approx(torque[0], abs=0.02)
    assert (feedback.temperature_degc, feedback.error_code) == (25.0, 0)
    bench.say(LEAVE)
    assert not bench.torque().any()
    bench.say(ENTER)
    assert not bench.torque().any()


def test_as_delivered_it_goes_on_with_its_last_command() -> None:
    bench = Bench()
    bench.say(ENTER)
    bench.say(command(0.0, 0.0, 0.0, 0.0, 5.0))
    bench.now_s += 100.0
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.02)


def test_with_a_timeout_it_drops_its_torque_and_obeys_the_next_command() -> None:
    bench = Bench()
    bench.motors.timeout_s[:] = 0.1
    bench.say(ENTER)
    bench.say(command(0.0, 0.0, 0.0, 0.0, 5.0))
    bench.now_s += 0.0979
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.02)
    bench.now_s += 0.003
    assert bench.torque()[0] == 0.0
    bench.say(command(0.0, 0.0, 0.0, 0.0, 5.0))
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.02)


def test_an_error_switches_off_and_is_cleared_by_leaving_once_its_cause_is_gone() -> None:
    bench = Bench()
    bench.say(ENTER)
    bench.say(command(0.0, 0.0, 0.0, 0.0, 5.0))
    bench.motors.set_conditions([MotorCondition(0, fault="ENCODER", temperature_degc=-12.0), MotorCondition(1)])
    assert not bench.torque().any()
    feedback = bench.ask(LEAVE)
    assert (feedback.error_code, feedback.temperature_degc) == (5, -12.0)
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    assert bench.ask(ENTER).error_code == 5
    assert bench.ask(command(0.0, 0.0, 0.0, 0.0, 5.0)).error_code == 5
    assert not bench.torque().any()
    assert bench.ask(LEAVE).error_code == 0


def test_zero_is_set_only_outside_motor_mode() -> None:
    bench = Bench()
    zero = Frame(1, codec.SET_ZERO)
    bench.position[0] = 0.4
    bench.say(ENTER)
    assert bench.ask(zero).position_rad == pytest.approx(0.4, abs=1e-3)
    bench.say(LEAVE)
    assert bench.say(zero) == []
    bench.now_s += 0.9
    assert bench.say(LEAVE) == []
    bench.now_s += 0.2
    assert bench.ask(LEAVE).position_rad == pytest.approx(0.0, abs=1e-3)


def test_the_zero_of_a_limp_robots_joint_is_set_and_read_back() -> None:
    rig = Rig(fitted("cubemars", independent_cut_off="contactor K1"))
    rig.inventory()
    before = rig.step(Drive.POLL)
    zeroing = rig.robot.set_zero("fl_hip", rig.now_s)
    next(zeroing)
    reading: list[float] = []
    while not reading:
        after = rig.step(Drive.POLL)
        try:
            zeroing.send(rig.now_s)
        except StopIteration as end:
            reading.append(end.value)
    assert abs(reading[0]) < 0.02
    moved = before.position_rad - after.position_rad
    assert moved[0] == pytest.approx(before.position_rad[0], abs=0.02)
    assert np.abs(moved[1:]).max() < 0.02
    assert 1.0 < rig.now_s < 3.0


def test_silence_and_strange_frames_are_not_answered() -> None:
    bench = Bench()
    bench.motors.set_conditions([MotorCondition(0, is_silent=True), MotorCondition(1)])
    assert bench.say(ENTER, Frame(3, codec.ENTER_MOTOR_MODE), Frame(2, b""), Frame(2, bytes(8), True)) == []
