from __future__ import annotations

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.cybergear.tables import MODELS as CYBERGEAR
from drivers.can.robstride import codec, commissioning
from drivers.can.robstride.tables import CAN_TIMEOUT, MODELS, RUN_MODE
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.robstride import CyberGearMotors, RobStrideMotors
from supervisor.core.errors import SimulationError
from supervisor.core.robot import JointConfig, MotorConfig

RS02 = MODELS["RS02"]
PERIOD_S = 0.002


def joint(
    number: int, *, direction: int = 1, gear: float = 1.0, offset: float = 0.0, model: str = "RS02"
) -> JointConfig:
    motor = MotorConfig("robstride", model, "can0", number)
    return JointConfig(motor, direction, offset, gear, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)  # type: ignore[arg-type]


class Bench:
    """Motors on a bench, their joints moved by hand."""

    def __init__(self, *joints: JointConfig, noise_scale: float = 0.0, is_cybergear: bool = False) -> None:
        self.model = CYBERGEAR["CyberGear"] if is_cybergear else RS02
        self.joints = joints or (joint(1, model=self.model.name), joint(2, model=self.model.name))
        make = CyberGearMotors if is_cybergear else RobStrideMotors
        self.motors = make(self.joints, ["can0"], seed=[7], noise_scale=noise_scale)
        self.position, self.velocity = np.zeros(len(self.joints)), np.zeros(len(self.joints))
        self.now_s = 0.0

    def say(self, *frames: Frame) -> list[Frame]:
        (replies,) = self.motors.exchange([list(frames)], self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return replies

    def ask(self, frame: Frame) -> codec.MotorFeedback:
        (reply,) = self.say(frame)
        return codec.decode_feedback(reply, self.model)

    def read(self, number: int, parameter) -> int | float | None:
        (reply,) = self.say(codec.make_parameter_read(number, parameter.index))
        answer = codec.decode_parameter_reply(reply)
        return codec.parameter_value(answer.raw_value, parameter.kind) if answer.is_success else None

    def torque(self) -> np.ndarray:
        return self.motors.torque(self.position, self.velocity, self.now_s).copy()

    def command(self, number: int, *values: float) -> Frame:
        return codec.make_operation(self.model, number, [*values, *[0.0] * (5 - len(values))])


def test_a_motor_that_is_off_answers_a_command_and_produces_nothing() -> None:
    bench = Bench()
    bench.say(codec.make_stop(1))
    feedback = bench.ask(bench.command(1, 1.0, 0.0, 50.0))
    assert (feedback.motor_id, feedback.host_id, feedback.mode_code) == (1, 0xFD, 0)
    assert not bench.torque().any()


def test_an_enabled_motor_runs_its_own_impedance_control() -> None:
    bench = Bench()
    assert bench.ask(codec.make_enable(1)).mode_code == 2
    bench.say(bench.command(1, 0.5, 1.0, 20.0, 2.0, 1.0))
    bench.position[:], bench.velocity[:] = 0.2, -0.5
    torque = bench.torque()
    assert torque[0] == pytest.approx(20.0 * 0.3 + 2.0 * 1.5 + 1.0, abs=0.02)
    assert torque[1] == 0.0
    feedback = bench.ask(bench.command(1, 0.5, 1.0, 20.0, 2.0, 1.0))
    assert feedback.position_rad == pytest.approx(0.2, abs=1e-3)
    assert feedback.velocity_rad_per_s == pytest.approx(-0.5, abs=2e-3)
    assert feedback.torque_nm == pytest.approx(10.0, abs=0.02)
    assert feedback.temperature_degc == pytest.approx(25.0, abs=0.2)


def test_one_joint_is_held_against_gravity_and_let_go_without_commands() -> None:
    bench = Bench()
    bench.say(codec.make_set_timeout(1, 0.1), codec.make_enable(1))
    inertia, load_nm, step_s = 0.05, 2.0, 0.0005

    def fall(*frames: Frame) -> None:
        bench.say(*frames)
        for _ in range(4):
            torque = bench.motors.torque(bench.position, bench.velocity, bench.now_s)
            bench.velocity[0] += (torque[0] - load_nm) / inertia * step_s
            bench.position[0] += bench.velocity[0] * step_s

    for _ in range(500):
        fall(bench.command(1, 0.3, 0.0, 60.0, 2.0))
    assert bench.position[0] == pytest.approx(0.3 - load_nm / 60.0, abs=0.01)
    for _ in range(150):
        fall()
    assert bench.position[0] < 0.0
    assert bench.ask(codec.make_stop(1)).mode_code == 0


def test_a_joint_that_is_turned_round_and_geared_is_seen_from_the_motor() -> None:
    bench = Bench(joint(1, direction=-1, gear=2.0, offset=0.1))
    bench.position[0], bench.velocity[0] = 0.4, 1.0
    feedback = bench.ask(codec.make_stop(1))
    assert feedback.position_rad == pytest.approx(-2.0 * 0.5, abs=1e-3)
    assert feedback.velocity_rad_per_s == pytest.approx(-2.0, abs=2e-3)
    bench.say(codec.make_enable(1))
    bench.say(bench.command(1, 0.0, 0.0, 0.0, 0.0, 3.0))
    assert bench.torque()[0] == pytest.approx(-6.0, abs=0.01)


def test_a_motor_wraps_its_position_at_the_end_of_its_range() -> None:
    bench = Bench()
    bench.position[0] = 12.6
    assert bench.ask(codec.make_stop(1)).position_rad == pytest.approx(12.6 - 2 * 12.57, abs=1e-3)


def test_without_commands_it_goes_to_reset_mode_and_needs_an_enable() -> None:
    bench = Bench()
    bench.say(codec.make_set_timeout(1, 0.1), codec.make_enable(1), codec.make_enable(2))
    bench.say(bench.command(1, 0.0, 0.0, 0.0, 0.0, 5.0), bench.command(2, 0.0, 0.0, 0.0, 0.0, 5.0))
    bench.now_s += 0.0979
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.01)
    bench.now_s += 0.003
    assert bench.torque().tolist() == [0.0, pytest.approx(5.0, abs=0.01)]
    feedback = bench.ask(bench.command(1, 0.0, 0.0, 0.0, 0.0, 5.0))
    assert (feedback.mode_code, feedback.fault_bits) == (0, 0)
    assert bench.torque()[0] == 0.0
    assert bench.ask(codec.make_enable(1)).mode_code == 2


def test_a_cybergear_has_no_timeout_and_goes_on() -> None:
    bench = Bench(is_cybergear=True)
    bench.say(codec.make_set_timeout(1, 0.1), codec.make_enable(1))
    bench.say(bench.command(1, 0.0, 0.0, 0.0, 0.0, 5.0))
    bench.now_s += 100.0
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.01)
    assert bench.read(1, CAN_TIMEOUT) is None
    assert bench.say(commissioning.make_save(1)) == []


def test_run_mode_changes_only_while_off_and_other_modes_ignore_commands() -> None:
    bench = Bench()
    bench.say(codec.make_set_run_mode(1, 2), codec.make_enable(1), codec.make_set_run_mode(1, 0))
    assert bench.read(1, RUN_MODE) == 2
    bench.say(bench.command(1, 0.0, 0.0, 0.0, 0.0, 5.0))
    assert not bench.torque().any()


def test_a_fault_switches_off_and_stays_until_its_cause_is_gone_and_it_is_cleared() -> None:
    bench = Bench()
    bench.say(codec.make_enable(1))
    bench.say(bench.command(1, 0.0, 0.0, 0.0, 0.0, 5.0))
    bench.motors.set_conditions([MotorCondition(0, fault="OVERTEMPERATURE"), MotorCondition(1)])
    assert not bench.torque().any()
    feedback = bench.ask(codec.make_stop(1, clear_fault=True))
    assert (feedback.fault_bits, feedback.mode_code) == (4, 0)
    assert bench.ask(codec.make_enable(1)).mode_code == 0
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    assert bench.ask(codec.make_stop(1)).fault_bits == 4
    assert bench.ask(codec.make_stop(1, clear_fault=True)).fault_bits == 0


def test_a_brown_out_forgets_what_was_never_saved() -> None:
    bench = Bench()
    bench.say(codec.make_set_timeout(1, 0.2), commissioning.make_save(1), codec.make_set_timeout(1, 0.1))
    assert bench.read(1, CAN_TIMEOUT) == 2000
    bench.motors.set_conditions([MotorCondition(0, is_browned_out=True), MotorCondition(1)])
    assert bench.read(1, CAN_TIMEOUT) == 4000
    assert bench.ask(codec.make_stop(1)).fault_bits == 1


def test_conditions_are_seen_where_they_are() -> None:
    bench = Bench()
    bench.motors.set_conditions(
        [MotorCondition(0, offset_rad=0.2, temperature_degc=91.0), MotorCondition(1, is_silent=True)]
    )
    feedback = bench.ask(codec.make_stop(1))
    assert feedback.position_rad == pytest.approx(0.2, abs=1e-3)
    assert feedback.temperature_degc == pytest.approx(91.0)
    assert bench.say(codec.make_stop(2)) == []
    bench.motors.set_conditions([MotorCondition(1), MotorCondition(0)])
    bench.position[:] = (0.1, -0.1)
    assert bench.ask(codec.make_stop(1)).position_rad == pytest.approx(-0.1, abs=1e-3)
    bench.motors.set_conditions([MotorCondition(0, is_flipped=True, strength=0.5), MotorCondition(1, is_stuck=True)])
    bench.position[:] = 0.3
    assert bench.ask(codec.make_stop(1)).position_rad == pytest.approx(-0.3, abs=1e-3)
    assert bench.ask(codec.make_stop(2)).position_rad == pytest.approx(-0.1, abs=1e-3)
    bench.say(codec.make_enable(1))
    bench.say(bench.command(1, 0.0, 0.0, 0.0, 0.0, 4.0))
    assert bench.torque()[0] == pytest.approx(-2.0, abs=0.01)
    with pytest.raises(SimulationError, match="no fault 'RUST'"):
        bench.motors.set_conditions([MotorCondition(0, fault="RUST"), MotorCondition(1)])


def test_zero_is_set_only_while_off() -> None:
    bench = Bench()
    bench.position[0] = 0.4
    bench.say(codec.make_enable(1))
    assert bench.ask(codec.make_set_zero(1)).position_rad == pytest.approx(0.4, abs=1e-3)
    bench.say(codec.make_stop(1))
    assert bench.ask(codec.make_set_zero(1)).position_rad == pytest.approx(0.0, abs=1e-3)
    assert bench.ask(codec.make_stop(1)).position_rad == pytest.approx(0.0, abs=1e-3)


def test_frames_that_are_not_its_own_are_not_answered() -> None:
    bench = Bench()
    strange = codec.make_enable(1)._replace(is_extended=False)
    assert bench.say(codec.make_enable(9), strange, codec.make_enable(1)._replace(data=b"")) == []
    assert bench.ask(codec.make_stop(1)).mode_code == 0


def test_the_same_seed_gives_the_same_noise() -> None:
    first, second = (Bench(noise_scale=1.0) for _ in range(2))
    frames = [first.say(codec.make_stop(1)) for _ in range(20)]
    assert frames == [second.say(codec.make_stop(1)) for _ in range(20)]
    assert len({frame.data for (frame,) in frames}) > 5


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(SimulationError, match="no model RS99"):
        Bench(joint(1, model="RS99"))
