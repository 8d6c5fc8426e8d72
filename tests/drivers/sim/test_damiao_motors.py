from __future__ import annotations

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.can.damiao.codec import (
    CLEAR_ERROR,
    DISABLE,
    ENABLE,
    SET_ZERO,
    decode_feedback,
    decode_register_reply,
    make_poll,
    make_register_read,
    make_register_write,
    make_set_timeout,
    make_store,
)
from drivers.can.damiao.tables import MODELS
from drivers.can.impedance import encode_mit
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.damiao import DamiaoMotors
from supervisor.core.errors import SimulationError
from supervisor.core.robot import JointConfig, MotorConfig

MODEL = MODELS["DM8009"]
PERIOD_S = 0.002


def joint(number: int, *, bus: str = "can0", direction: int = 1, gear: float = 1.0, offset: float = 0.0) -> JointConfig:
    motor = MotorConfig("damiao", "DM8009", bus, number, number + 16)
    return JointConfig(motor, direction, offset, gear, (-3.0, 3.0), 10.0, 20.0, 20.0, 1.0, 0.0, 0.0)  # type: ignore[arg-type]


class Bench:
    """Motors on a bench, their joints moved by hand."""

    def __init__(self, *joints: JointConfig, noise_scale: float = 0.0) -> None:
        self.joints = joints or (joint(1), joint(2))
        self.buses = sorted({j.motor.bus for j in self.joints})
        self.motors = DamiaoMotors(self.joints, self.buses, seed=[7], noise_scale=noise_scale)
        self.position, self.velocity = np.zeros(len(self.joints)), np.zeros(len(self.joints))
        self.now_s = 0.0

    def say(self, *frames: Frame, bus: str = "can0") -> list[Frame]:
        inboxes = [list(frames) if name == bus else [] for name in self.buses]
        replies = self.motors.exchange(inboxes, self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return [frame for batch in replies for frame in batch]

    def torque(self) -> np.ndarray:
        return self.motors.torque(self.position, self.velocity, self.now_s).copy()

    def status(self, number: int = 1) -> int:
        return decode_feedback(self.say(make_poll(number))[0].data, MODEL).status_code


def mit(
    number: int, position: float = 0.0, velocity: float = 0.0, kp: float = 0.0, kd: float = 0.0, torque: float = 0.0
) -> Frame:
    return Frame(number, encode_mit(MODEL, (position, velocity, kp, kd, torque)))


def test_a_disabled_motor_answers_a_command_and_produces_nothing() -> None:
    bench = Bench()
    (reply,) = bench.say(mit(1, torque=5.0))
    assert reply.arbitration_id == 17
    assert decode_feedback(reply.data, MODEL).status_code == 0
    assert not bench.torque().any()


def test_an_enabled_motor_runs_its_own_impedance_control() -> None:
    bench = Bench()
    bench.say(Frame(1, ENABLE))
    bench.say(mit(1, position=0.5, velocity=1.0, kp=20.0, kd=2.0, torque=1.0))
    bench.position[:], bench.velocity[:] = 0.2, -0.5
    torque = bench.torque()
    assert torque[0] == pytest.approx(20.0 * 0.3 + 2.0 * 1.5 + 1.0, abs=0.3)
    assert torque[1] == 0.0


def test_torque_ends_at_the_motors_own_limit() -> None:
    bench = Bench()
    bench.say(Frame(1, ENABLE))
    bench.say(mit(1, position=12.0, kp=500.0))
    assert bench.torque()[0] == MODEL.torque_max_nm


def test_feedback_is_cut_to_the_protocols_counts() -> None:
    bench = Bench()
    bench.position[0], bench.velocity[0] = 1.23456789, -3.21
    feedback = decode_feedback(bench.say(make_poll(1))[0].data, MODEL)
    assert feedback.position_rad == pytest.approx(1.23456789, abs=2 * 12.5 / 65535)
    assert feedback.velocity_rad_per_s == pytest.approx(-3.21, abs=2 * 45.0 / 4095)
    assert feedback.position_rad != 1.23456789
    assert (feedback.mosfet_degc, feedback.rotor_degc) == (25.0, 25.0)


def test_a_target_is_forgotten_when_the_motor_is_switched_off() -> None:
    bench = Bench()
    bench.say(Frame(1, ENABLE))
    bench.say(mit(1, torque=5.0))
    bench.say(Frame(1, DISABLE))
    assert not bench.torque().any()
    bench.say(Frame(1, ENABLE))
    assert not bench.torque().any()


@pytest.mark.parametrize(
    ("direction", "gear", "offset"), [(1, 1.0, 0.0), (-1, 1.0, 0.2), (1, 3.0, -0.1), (-1, 2.5, 0.4)]
)
def test_direction_gear_and_offset_turn_joint_into_motor_and_back(direction: int, gear: float, offset: float) -> None:
    bench = Bench(joint(1, direction=direction, gear=gear, offset=offset))
    bench.position[0], bench.velocity[0] = 0.3, 0.5
    feedback = decode_feedback(bench.say(Frame(1, ENABLE))[0].data, MODEL)
    assert direction * feedback.position_rad / gear - offset == pytest.approx(0.3, abs=1e-3)
    assert direction * feedback.velocity_rad_per_s / gear == pytest.approx(0.5, abs=0.03)
    bench.say(mit(1, torque=2.0))
    assert bench.torque()[0] == pytest.approx(2.0 * direction * gear, abs=0.1)


def test_two_commands_in_one_cycle_both_get_an_answer_and_the_last_one_counts() -> None:
    bench = Bench()
    bench.say(Frame(1, ENABLE), Frame(2, ENABLE))
    replies = bench.say(mit(1, torque=1.0), mit(1, torque=3.0))
    assert [frame.arbitration_id for frame in replies] == [17, 17]
    assert bench.torque()[0] == pytest.approx(3.0, abs=0.05)


def test_enable_and_command_in_one_cycle_take_effect_in_their_order() -> None:
    bench = Bench()
    bench.say(mit(1, torque=4.0), Frame(1, ENABLE))
    assert bench.torque()[0] == 0.0
    bench = Bench()
    bench.say(Frame(1, ENABLE), mit(1, torque=4.0))
    assert bench.torque()[0] == pytest.approx(4.0, abs=0.05)


def test_an_enabled_motor_without_commands_switches_off_after_its_timeout() -> None:
    bench = Bench()
    bench.say(make_set_timeout(1, 0.02))
    bench.say(Frame(1, ENABLE), Frame(2, ENABLE))
    last_s = bench.now_s
    bench.say(mit(1, torque=1.0), mit(2, torque=1.0))
    bench.now_s = last_s + 0.0199
    assert bench.torque()[0] != 0.0
    bench.now_s = last_s + 0.0201
    torque = bench.torque()
    assert torque[0] == 0.0
    assert torque[1] != 0.0
    assert bench.status(1) == 0xD
    assert bench.status(2) == 1


def test_polls_do_not_feed_the_timeout() -> None:
    bench = Bench()
    bench.say(make_set_timeout(1, 0.02))
    bench.say(Frame(1, ENABLE))
    for _ in range(15):
        bench.say(make_poll(1))
        bench.torque()
    assert bench.status() == 0xD


def test_commands_feed_the_timeout_whether_all_motors_get_one_or_only_some() -> None:
    bench = Bench()
    bench.say(make_set_timeout(1, 0.02), make_set_timeout(2, 0.02))
    bench.say(Frame(1, ENABLE))
    for _ in range(20):
        bench.say(mit(1))
        bench.torque()
    assert bench.status(1) == 1
    bench.say(Frame(2, ENABLE))
    for _ in range(20):
        bench.say(mit(1), mit(2))
        bench.torque()
    bench.say(mit(1))
    bench.torque()
    assert (bench.status(1), bench.status(2)) == (1, 1)


def test_a_lost_communication_needs_clear_and_then_enable() -> None:
    bench = Bench()
    bench.say(make_set_timeout(1, 0.02))
    bench.say(Frame(1, ENABLE))
    bench.now_s += 0.05
    bench.torque()
    bench.say(Frame(1, ENABLE))
    assert bench.status() == 0xD
    bench.say(Frame(1, CLEAR_ERROR))
    assert bench.status() == 0
    bench.say(Frame(1, ENABLE))
    assert bench.status() == 1


def test_clearing_a_healthy_motor_neither_enables_nor_disables_it() -> None:
    bench = Bench()
    bench.say(Frame(1, CLEAR_ERROR))
    assert bench.status() == 0
    bench.say(Frame(1, ENABLE))
    bench.say(Frame(1, CLEAR_ERROR))
    assert bench.status() == 1


@pytest.mark.parametrize(("register", "value"), [(7, 17), (8, 1), (9, 0), (10, 1), (21, 12.5), (22, 45.0), (23, 54.0)])
def test_registers_can_be_read(register: int, value: float) -> None:
    (reply,) = Bench().say(make_register_read(1, register))
    assert reply.arbitration_id == 17
    assert decode_register_reply(reply.data)[2:] == (register, value)


def test_a_written_register_is_echoed_and_lost_without_a_store() -> None:
    bench = Bench()
    (reply,) = bench.say(make_register_write(1, 9, 2000))
    assert decode_register_reply(reply.data)[1:] == (0x55, 9, 2000)
    bench.motors.set_conditions([MotorCondition(0, is_browned_out=True), MotorCondition(1)])
    assert decode_register_reply(bench.say(make_register_read(1, 9))[0].data).value == 0


def test_a_stored_register_survives_a_loss_of_power() -> None:
    bench = Bench()
    bench.say(make_register_write(1, 9, 2000))
    bench.say(make_store(1))
    bench.motors.set_conditions([MotorCondition(0, is_browned_out=True), MotorCondition(1)])
    assert decode_register_reply(bench.say(make_register_read(1, 9))[0].data).value == 2000


def test_nothing_is_stored_while_enabled() -> None:
    bench = Bench()
    bench.say(Frame(1, ENABLE))
    assert bench.say(make_store(1)) == []


def test_a_motor_in_another_mode_keeps_still_and_answers() -> None:
    bench = Bench()
    bench.say(make_register_write(1, 10, 2))
    bench.say(Frame(1, ENABLE))
    assert len(bench.say(mit(1, torque=5.0))) == 1
    assert not bench.torque().any()


def test_a_smaller_range_register_changes_what_the_same_bytes_mean() -> None:
    bench = Bench()
    bench.say(Frame(1, ENABLE))
    bench.say(make_register_write(1, 23, 27.0))
    bench.say(mit(1, torque=10.0))
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.05)


def test_zeroing_moves_the_encoders_zero_and_only_while_disabled() -> None:
    bench = Bench()
    bench.position[0] = 0.7
    bench.say(Frame(1, SET_ZERO))
    assert decode_feedback(bench.say(make_poll(1))[0].data, MODEL).position_rad == pytest.approx(0.0, abs=1e-3)
    bench.say(Frame(1, ENABLE))
    bench.position[0] = 0.9
    bench.say(Frame(1, SET_ZERO))
    assert decode_feedback(bench.say(make_poll(1))[0].data, MODEL).position_rad == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(9, ENABLE),
        Frame(1, b"\xff\xff"),
        Frame(1, ENABLE, is_extended=True),
        Frame(0x7FF, b"\x01\x00\x33"),
        Frame(0x7FF, b"\x01\x00\x33\xc8" + bytes(4)),
        Frame(0x7FF, b"\x09\x00\xcc\x00" + bytes(4)),
        Frame(0x7FF, b"\x01\x00\x99\x09" + bytes(4)),
    ],
)
def test_what_is_not_for_a_motor_is_met_with_silence(frame: Frame) -> None:
    bench = Bench()
    assert bench.say(frame) == []
    assert bench.status() == 0


def test_motors_warm_up_slowly_under_torque() -> None:
    bench = Bench()
    bench.say(Frame(1, ENABLE))
    bench.say(mit(1, torque=27.0))
    for _ in range(100):
        bench.now_s += 0.1
        bench.torque()
        bench.say()
    first = decode_feedback(bench.say(make_poll(1))[0].data, MODEL)
    second = decode_feedback(bench.say(make_poll(2))[0].data, MODEL)
    assert 28.0 < first.rotor_degc < 40.0
    assert second.rotor_degc == 25.0


def test_the_same_seed_gives_the_same_noise_and_another_does_not() -> None:
    first, again = (Bench(noise_scale=1.0).say(make_poll(1)) for _ in range(2))
    assert first == again
    samples = {Bench.say(bench, make_poll(1))[0].data for bench in [Bench(noise_scale=1.0)] for _ in range(20)}
    assert len(samples) > 5


def test_an_unknown_model_or_fault_name_is_refused() -> None:
    with pytest.raises(SimulationError, match="NOBODY"):
        Bench().motors.set_conditions([MotorCondition(0, fault="NOBODY"), MotorCondition(1)])
    strange = JointConfig(
        MotorConfig("damiao", "DM1", "can0", 1, 17), 1, 0.0, 1.0, (-1.0, 1.0), 1.0, 1.0, 1.0, 1.0, 0.0, 0.0
    )
    with pytest.raises(SimulationError, match="DM1"):
        Bench(strange)
