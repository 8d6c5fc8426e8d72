from __future__ import annotations

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.impedance import encode_mit
from drivers.can.robstride import mit_codec as codec
from drivers.can.robstride_mit.tables import MODELS
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.robstride_mit import RobStrideMitMotors
from supervisor.core.command import Drive
from supervisor.core.errors import SimulationError
from supervisor.core.robot import JointConfig, MotorConfig
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import Rig, fitted

RS06 = MODELS["RS06"]
PERIOD_S = 0.002
ENABLE, STOP, ZERO = Frame(1, codec.ENABLE), Frame(1, codec.DISABLE), Frame(1, codec.SET_ZERO)
QUESTION, CLEAR = codec.make_fault_request(1, 0), codec.make_fault_request(1, 0xFF)


def joint(number: int, model: str = "RS06") -> JointConfig:
    motor = MotorConfig("robstride_mit", model, "can0", number)
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)


class Bench:
    """Two motors on a bench, their joints moved by hand."""

    def __init__(self) -> None:
        self.motors = RobStrideMitMotors([joint(1), joint(2)], ["can0"], seed=[7], noise_scale=0.0)
        self.position, self.velocity = np.zeros(2), np.zeros(2)
        self.now_s = 0.0

    def say(self, *frames: Frame) -> list[Frame]:
        (replies,) = self.motors.exchange([list(frames)], self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return replies

    def ask(self, frame: Frame) -> codec.MotorFeedback:
        (reply,) = self.say(frame)
        assert (reply.arbitration_id, reply.is_extended) == (0xFD, False)
        return codec.decode_feedback(reply.data, RS06)

    def faults(self) -> int:
        (reply,) = self.say(QUESTION)
        return codec.decode_fault_reply(reply.data).fault_bits

    def torque(self) -> np.ndarray:
        return self.motors.torque(self.position, self.velocity, self.now_s).copy()


def command(*values: float) -> Frame:
    return Frame(1, encode_mit(RS06, [*values, *[0.0] * (5 - len(values))]))


def test_a_motor_that_is_off_answers_and_produces_nothing() -> None:
    bench = Bench()
    assert bench.ask(command(1.0, 0.0, 50.0)).motor_id == 1
    assert not bench.torque().any()


def test_a_motor_that_is_on_runs_its_own_impedance_control() -> None:
    bench = Bench()
    bench.say(ENABLE)
    bench.say(command(0.5, 1.0, 20.0, 2.0, 1.0))
    bench.position[:], bench.velocity[:] = 0.2, -0.5
    assert bench.torque().tolist() == [pytest.approx(20.0 * 0.3 + 2.0 * 1.5 + 1.0, abs=0.6), 0.0]
    feedback = bench.ask(command(0.5, 1.0, 20.0, 2.0, 1.0))
    assert feedback.position_rad == pytest.approx(0.2, abs=1e-3)
    assert feedback.velocity_rad_per_s == pytest.approx(-0.5, abs=0.03)
    assert feedback.temperature_degc == pytest.approx(25.0)
    bench.say(STOP)
    assert not bench.torque().any()


def test_without_commands_it_goes_on_and_with_a_saved_timeout_it_resets() -> None:
    bench = Bench()
    bench.say(ENABLE, command(0.0, 0.0, 0.0, 0.0, 5.0))
    bench.now_s += 100.0
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.02)
    bench.motors.timeout_s[0] = 0.1
    bench.say(command(0.0, 0.0, 0.0, 0.0, 5.0))
    bench.now_s += 0.2
    assert bench.torque()[0] == 0.0
    bench.say(command(0.0, 0.0, 0.0, 0.0, 5.0))
    assert bench.torque()[0] == 0.0


def test_a_fault_switches_off_shows_only_when_asked_and_is_cleared_once_its_cause_is_gone() -> None:
    bench = Bench()
    bench.say(ENABLE, command(0.0, 0.0, 0.0, 0.0, 5.0))
    bench.motors.set_conditions([MotorCondition(0, fault="STALL_OVERLOAD"), MotorCondition(1)])
    assert not bench.torque().any()
    assert bench.faults() == 1 << 14
    bench.say(CLEAR)
    assert bench.faults() == 1 << 14
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    bench.say(ENABLE, command(0.0, 0.0, 0.0, 0.0, 5.0))
    assert not bench.torque().any()
    bench.say(CLEAR)
    assert bench.faults() == 0
    assert not bench.torque().any()
    with pytest.raises(SimulationError, match="no fault 'RUST'"):
        bench.motors.set_conditions([MotorCondition(0, fault="RUST"), MotorCondition(1)])


def test_another_mode_of_control_ignores_commands_until_power_is_cut() -> None:
    bench = Bench()
    bench.say(codec.make_set_mode(1, 2), ENABLE, command(0.0, 0.0, 0.0, 0.0, 5.0))
    assert not bench.torque().any()
    bench.motors.set_conditions([MotorCondition(0, is_browned_out=True), MotorCondition(1)])
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    bench.say(CLEAR, ENABLE, command(0.0, 0.0, 0.0, 0.0, 5.0))
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.02)


def test_zero_is_set_only_while_off() -> None:
    bench = Bench()
    bench.position[0] = 0.4
    bench.say(ENABLE)
    assert bench.ask(ZERO).position_rad == pytest.approx(0.4, abs=1e-3)
    bench.say(STOP)
    assert bench.ask(ZERO).position_rad == pytest.approx(0.0, abs=1e-3)


def test_silence_and_strange_frames_are_not_answered() -> None:
    bench = Bench()
    bench.motors.set_conditions([MotorCondition(0, is_silent=True), MotorCondition(1)])
    assert (
        bench.say(ENABLE, Frame(3, codec.ENABLE), Frame(2, b""), Frame(2, bytes(8), True), Frame(0x102, bytes(8))) == []
    )


def test_models_whose_manuals_disagree_are_refused() -> None:
    with pytest.raises(SimulationError, match="no model RS03"):
        RobStrideMitMotors([joint(1, "RS03")], ["can0"], seed=[7])


def test_when_the_host_dies_the_motors_go_on_holding() -> None:
    rig = Rig(fitted("robstride_mit", independent_cut_off="contactor K1"))
    rig.inventory()
    rig.settle(Drive.ENABLE)
    for _ in range(400):
        before = rig.step(Drive.COMMAND)
    for _ in range(500):
        rig.step(None)
    assert np.abs(rig.world.plant.position_rad - before.position_rad).max() < 0.02
    assert (rig.settle(Drive.COMMAND).motor_status == MotorStatus.ENABLED).all()
