from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.myactuator import codec
from drivers.can.myactuator.tables import MODELS, Command
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.myactuator import MyActuatorMotors
from supervisor.core.robot import JointConfig, MotorConfig

RMD = MODELS["RMD"]
PERIOD_S = 0.002
SHUTDOWN, RESET = codec.make_request(1, Command.SHUTDOWN), codec.make_request(1, Command.RESET)
STATUS_1, ANGLE = codec.make_request(1, Command.READ_STATUS_1), codec.make_request(1, Command.READ_MULTI_TURN_ANGLE)


def joint(number: int) -> JointConfig:
    motor = MotorConfig("myactuator", "RMD", "can0", number)
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)


class Bench:
    """Two motors on a bench, their joints moved by hand."""

    def __init__(self) -> None:
        self.motors = MyActuatorMotors([joint(1), joint(2)], ["can0"], seed=[7], noise_scale=0.0)
        self.position, self.velocity = np.zeros(2), np.zeros(2)
        self.now_s = 0.0

    def say(self, *frames: Frame) -> list[Frame]:
        (replies,) = self.motors.exchange([list(frames)], self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return replies

    def ask(self, frame: Frame):
        (reply,) = self.say(frame)
        assert codec.sender(reply) == (codec.ReplyKind.COMMAND, 1)
        return codec.decode_reply(reply.data)

    def torque(self) -> float:
        return float(self.motors.torque(self.position, self.velocity, self.now_s)[0])

    def fall_silent(self, duration_s: float) -> None:
        self.now_s += duration_s - PERIOD_S
        self.torque()


def push(torque_nm: float = 5.0) -> Frame:
    return codec.make_motion_command(1, RMD, [0.0, 0.0, 0.0, 0.0, torque_nm])


def test_a_motion_command_energises_by_itself_and_shutdown_frees() -> None:
    bench = Bench()
    bench.position[0], bench.velocity[0] = 0.2, -0.5
    (reply,) = bench.say(codec.make_motion_command(1, RMD, [0.5, 1.0, 10.0, 2.0, 1.0]))
    assert bench.torque() == pytest.approx(10.0 * 0.3 + 2.0 * 1.5 + 1.0, abs=0.1)
    assert codec.sender(reply) == (codec.ReplyKind.MOTION, 1)
    feedback = codec.decode_motion_feedback(reply.data, RMD)
    assert feedback.position_rad == pytest.approx(0.2, abs=1e-3)
    assert feedback.velocity_rad_per_s == pytest.approx(-0.5, abs=0.03)
    assert bench.ask(SHUTDOWN) == codec.Acknowledged(0x80, 0)
    assert bench.torque() == 0.0


def test_requests_are_answered_and_energise_nothing() -> None:
    bench = Bench()
    bench.position[0], bench.velocity[0] = -0.4, 1.0
    assert bench.ask(ANGLE).angle_deg == pytest.approx(math.degrees(-0.4), abs=0.005)
    assert bench.ask(STATUS_1) == codec.Status1(25.0, True, pytest.approx(48.0), 0)
    status_2 = bench.ask(codec.make_request(1, Command.READ_STATUS_2))
    assert (status_2.speed_deg_per_s, status_2.angle_deg) == (57.0, -23.0)
    assert bench.torque() == 0.0


def test_as_delivered_it_goes_on_with_its_last_command() -> None:
    bench = Bench()
    bench.say(push())
    bench.fall_silent(100.0)
    assert bench.torque() == pytest.approx(5.0, abs=0.02)


def test_after_its_timeout_it_is_off_says_so_repeats_one_command_and_obeys_the_next() -> None:
    bench = Bench()
    assert bench.ask(codec.make_set_timeout(1, 0.1)) == codec.Acknowledged(0xB3, 100)
    bench.say(push())
    bench.fall_silent(0.099)
    assert bench.torque() == pytest.approx(5.0, abs=0.02)
    bench.fall_silent(0.005)
    assert bench.torque() == 0.0
    cry, echo = bench.say(push())
    assert codec.decode_reply(cry.data) == codec.TimedOut()
    assert codec.is_echo(push().data, echo.data)
    assert bench.torque() == 0.0
    bench.say(push())
    assert bench.torque() == pytest.approx(5.0, abs=0.02)


def test_an_error_switches_off_and_is_cleared_by_a_restart_once_its_cause_is_gone() -> None:
    bench = Bench()
    bench.say(push())
    bench.motors.set_conditions([MotorCondition(0, fault="STALL", temperature_degc=-12.0), MotorCondition(1)])
    bench.say(push())
    assert bench.torque() == 0.0
    status = bench.ask(STATUS_1)
    assert (codec.error_names(status.error_bits), status.temperature_degc) == (("STALL",), -12.0)
    assert bench.say(RESET) == []
    assert bench.ask(STATUS_1).error_bits == 2
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    bench.say(RESET)
    assert bench.ask(STATUS_1).error_bits == 0


def test_setting_its_zero_makes_the_present_angle_zero() -> None:
    bench = Bench()
    bench.position[0] = 0.4
    bench.say(codec.make_request(1, Command.SET_POSITION_ZERO))
    assert bench.ask(ANGLE).angle_deg == 0.0


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x143, bytes(8)),
        Frame(0x400, bytes(8)),
        Frame(0x421, bytes(8)),
        Frame(0x140, bytes(8)),
        Frame(0x401, bytes(7)),
        Frame(0x401, bytes(8), True),
        Frame(0x401, bytes(8), False, True),
        Frame(0x241, struct.pack("<B7x", 0x92)),
    ],
)
def test_what_is_not_for_it_is_ignored(frame: Frame) -> None:
    assert Bench().say(frame) == []
