from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.moteus import codec
from drivers.can.moteus.batch import QUERY
from drivers.can.moteus.tables import Mode, Register, Resolution
from drivers.sim.motors import moteus_wire
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.moteus import FAULT_CODES, MoteusMotors
from supervisor.core.command import Drive
from supervisor.core.errors import SimulationError
from supervisor.core.robot import DriveConfig, JointConfig, MotorConfig
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import Rig, fitted

TURN = 2.0 * math.pi
DRIVE = DriveConfig(20.0, 20.0, 6.0, kp_max_nm_per_rad=50.0, kd_max_nm_s_per_rad=2.0)
PERIOD_S = 0.002


def joint(number: int, *, direction: int = 1, gear: float = 1.0, offset: float = 0.0, model: str = "r4") -> JointConfig:
    motor = MotorConfig("moteus", model, "can0", number, 0, DRIVE)
    return JointConfig(motor, direction, offset, gear, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)  # type: ignore[arg-type]


class Bench:
    """Controllers on a bench, their joints moved by hand."""

    def __init__(self, *joints: JointConfig) -> None:
        self.joints = joints or (joint(1), joint(9))
        self.motors = MoteusMotors(self.joints, ["can0"], seed=[7], noise_scale=0.0)
        self.position, self.velocity = np.zeros(len(self.joints)), np.zeros(len(self.joints))
        self.now_s = 0.0

    def say(self, *frames: Frame) -> list[Frame]:
        (replies,) = self.motors.exchange([list(frames)], self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return replies

    def ask(self, frame: Frame) -> dict[int, float]:
        (reply,) = self.say(frame)
        assert codec.sender(reply) == frame.arbitration_id & 0xFF
        return codec.decode_reply(reply.data).values

    def look(self, number: int = 1) -> dict[int, float]:
        return self.ask(codec.make_query(codec.Address(number), QUERY))

    def command(self, number: int = 1, mode: Mode = Mode.POSITION, **values: float) -> dict[int, float]:
        registers = {Register[f"COMMAND_{name.upper()}"]: value for name, value in values.items()}
        return self.ask(codec.make_command(codec.Address(number), mode, registers, query=QUERY))

    def setting(self, name: str, value: float, number: int = 0) -> None:
        self.motors.consoles[number].settings[name] = value

    def torque(self, after_s: float = 0.0) -> np.ndarray:
        return self.motors.torque(self.position, self.velocity, self.now_s + after_s).copy()

    def wait(self, duration_s: float) -> None:
        for _ in range(round(duration_s / PERIOD_S)):
            self.torque()
            self.say()


def test_a_stopped_motor_answers_and_produces_nothing() -> None:
    bench = Bench()
    bench.position[:], bench.velocity[:] = 0.2, -0.5
    values = bench.look()
    assert values[Register.MODE] == Mode.STOPPED
    assert values[Register.POSITION] == pytest.approx(0.2 / TURN)
    assert values[Register.VELOCITY] == pytest.approx(-0.5 / TURN)
    assert (values[Register.TORQUE], values[Register.FAULT]) == (0.0, 0)
    assert values[Register.VOLTAGE] == 48.0
    assert not bench.torque().any()


def test_position_control_takes_shares_of_the_configured_gains() -> None:
    bench = Bench()
    bench.setting("servo.pid_position.kp", 100.0)
    bench.setting("servo.pid_position.kd", 8.0)
    values = bench.command(position=0.1, velocity=0.5, feedforward_torque=1.0, kp_scale=0.5, kd_scale=0.25)
    assert values[Register.MODE] == Mode.POSITION
    bench.position[0], bench.velocity[0] = 0.2, -0.5
    expected = 0.5 * 100.0 * (0.1 - 0.2 / TURN) + 0.25 * 8.0 * (0.5 + 0.5 / TURN) + 1.0
    assert bench.torque()[0] == pytest.approx(expected)
    assert bench.torque()[1] == 0.0


def test_the_commanded_largest_torque_holds_and_the_drives_own_too() -> None:
    bench = Bench()
    bench.command(position=1.0, maximum_torque=3.0)
    assert bench.torque()[0] == pytest.approx(3.0)
    bench.command(position=1.0)
    assert bench.torque()[0] == pytest.approx(20.0)


def test_without_a_position_it_stays_where_it_is() -> None:
    bench = Bench()
    bench.position[0] = 0.7
    bench.ask(
        codec.make_command(codec.Address(1), Mode.POSITION, {Register.COMMAND_POSITION: None}, query=QUERY),
    )
    assert bench.torque()[0] == pytest.approx(0.0)


def test_between_commands_the_target_goes_on_at_its_speed() -> None:
    bench = Bench()
    bench.torque()
    bench.command(position=0.0, velocity=1.0, kp_scale=1.0, kd_scale=0.0, timeout=1.0)
    first = bench.torque()[0]
    assert bench.torque(after_s=0.01)[0] - first == pytest.approx(1.2 * 50.0 * 0.01 * TURN)


def test_a_joint_that_is_turned_round_and_geared_is_seen_from_the_motor() -> None:
    bench = Bench(joint(1, direction=-1, gear=2.0, offset=0.1))
    bench.position[0], bench.velocity[0] = 0.4, 1.0
    values = bench.look()
    assert values[Register.POSITION] == pytest.approx(-1.0 / TURN)
    assert values[Register.VELOCITY] == pytest.approx(-2.0 / TURN)
    bench.command(feedforward_torque=3.0, kp_scale=0.0, kd_scale=0.0)
    assert bench.torque()[0] == pytest.approx(-6.0)


def test_its_timeout_is_on_as_delivered_and_leaves_it_damped_until_it_is_stopped() -> None:
    bench = Bench()
    bench.command(position=0.5, kd_scale=0.5)
    bench.velocity[0] = 1.0
    bench.wait(0.09)
    assert bench.look()[Register.MODE] == Mode.POSITION
    bench.wait(0.03)
    values = bench.look()
    assert (values[Register.MODE], values[Register.FAULT]) == (Mode.TIMEOUT, 0)
    assert bench.torque()[0] == pytest.approx(-0.5 * 1.2 * 2.0 * 1.0)
    bench.velocity[0] = 9.0
    assert bench.torque()[0] == pytest.approx(-5.0)
    assert bench.command(position=0.5)[Register.MODE] == Mode.TIMEOUT
    assert bench.command(mode=Mode.STOPPED)[Register.MODE] == Mode.STOPPED
    assert bench.torque()[0] == 0.0
    assert bench.command(position=0.5)[Register.MODE] == Mode.POSITION


def test_questions_do_not_feed_its_timeout_and_commands_do() -> None:
    bench = Bench()
    for _ in range(60):
        bench.command(position=0.0, timeout=0.05)
        bench.torque()
    assert bench.look()[Register.MODE] == Mode.POSITION
    for _ in range(30):
        bench.look()
        bench.torque()
    assert bench.look()[Register.MODE] == Mode.TIMEOUT


@pytest.mark.parametrize("timeout_s", [-1.0, None])
def test_a_command_may_say_that_there_is_no_timeout(timeout_s: float | None) -> None:
    bench = Bench()
    bench.ask(codec.make_command(codec.Address(1), Mode.POSITION, {Register.COMMAND_TIMEOUT: timeout_s}, query=QUERY))
    bench.wait(1.0)
    assert bench.look()[Register.MODE] == Mode.POSITION


@pytest.mark.parametrize(("behaviour", "torque_nm"), [(0, 0.0), (10, -4.0), (12, -2.4), (15, -2.4)])
def test_what_it_does_after_its_timeout_is_a_setting(behaviour: int, torque_nm: float) -> None:
    bench = Bench()
    bench.setting("servo.timeout_mode", behaviour)
    bench.setting("servo.pid_position.kp", 20.0 * TURN)
    bench.setting("servo.pid_position.kd", 2.0 * TURN)
    bench.position[0] = 0.3
    bench.command(position=0.3 / TURN, kd_scale=1.2)
    bench.wait(0.11)
    bench.position[0], bench.velocity[0] = 0.4, 1.0
    assert bench.torque()[0] == pytest.approx(torque_nm)
    assert bench.look()[Register.MODE] == Mode.TIMEOUT


def test_outside_its_own_limits_it_does_not_start_and_inside_it_does_not_leave() -> None:
    bench = Bench()
    bench.setting("servopos.position_min", -0.01)
    bench.setting("servopos.position_max", 0.01)
    bench.command(position=0.5, kp_scale=0.5, kd_scale=0.0)
    assert bench.torque()[0] == pytest.approx(0.5 * 1.2 * 50.0 * 0.01 * TURN)
    bench.command(mode=Mode.STOPPED)
    bench.position[0] = 0.3
    values = bench.command(position=0.0)
    assert (values[Register.MODE], values[Register.FAULT]) == (Mode.FAULT, 39)


@pytest.mark.parametrize("mode", [Mode.ZERO_VELOCITY, Mode.BRAKE])
def test_other_modes_that_are_simulated_only_damp(mode: Mode) -> None:
    bench = Bench()
    assert bench.command(mode=mode)[Register.MODE] == mode
    bench.position[0], bench.velocity[0] = 0.4, 1.0
    assert bench.torque()[0] == pytest.approx(-1.2 * 2.0)


def test_what_cannot_be_written_or_read_is_refused_by_register() -> None:
    bench = Bench()
    (reply,) = bench.say(codec.make_command(codec.Address(1), Mode.CURRENT, query=QUERY))
    assert (0x30, 0x000, 2) in codec.decode_reply(reply.data).refusals
    question = codec.encode_query([(Register.ENCODER_0_POSITION, Resolution.F32), (Register.FAULT, Resolution.INT8)])
    reply = codec.decode_reply(bench.say(codec.make_query(codec.Address(1), question))[0].data)
    assert reply.refusals == [(0x31, 0x050, 1)]
    assert reply.values == {Register.FAULT: 0}


def test_the_output_is_set_only_while_stopped() -> None:
    bench = Bench()
    bench.position[0] = 0.3
    exact = codec.make_set_output(codec.Address(1), 0.25, is_exact=True, query=QUERY)
    assert bench.ask(exact)[Register.POSITION] == pytest.approx(0.25)
    nearest = codec.make_set_output(codec.Address(1), 2.2, query=QUERY)
    assert bench.ask(nearest)[Register.POSITION] == pytest.approx(2.25)
    bench.command(position=0.0)
    bench.say(exact)
    assert bench.look()[Register.POSITION] == pytest.approx(2.25)


def test_frames_for_others_and_without_fd_are_not_heard() -> None:
    bench = Bench()
    question = codec.make_query(codec.Address(1), QUERY)
    for frame in (
        codec.make_query(codec.Address(2), QUERY),
        question._replace(is_fd=False),
        question._replace(arbitration_id=question.arbitration_id | 1 << 16),
        question._replace(arbitration_id=0x0001),
    ):
        assert bench.say(frame) == []
    assert len(bench.say(question)) == 1


@pytest.mark.parametrize(("number", "source", "is_extended"), [(1, 0, False), (9, 0, True), (1, 3, False)])
def test_answers_go_to_whoever_asked(number: int, source: int, is_extended: bool) -> None:
    (reply,) = Bench().say(codec.make_query(codec.Address(number, source), QUERY))
    assert (reply.arbitration_id, reply.is_extended, reply.is_fd) == (number << 8 | source, is_extended, True)
    assert len(reply.data) == 32
    assert reply.data.endswith(b"\x50" * 4)


@pytest.mark.parametrize("fault", FAULT_CODES)
def test_every_fault_is_reported_cuts_the_output_and_lasts_as_long_as_its_cause(fault: str) -> None:
    bench = Bench()
    bench.command(position=0.5)
    sick, well = MotorCondition(0, fault=fault), MotorCondition(1)
    bench.motors.set_conditions([sick, well])
    values = bench.look()
    assert (values[Register.MODE], values[Register.FAULT]) == (Mode.FAULT, FAULT_CODES[fault])
    assert not bench.torque().any()
    assert bench.command(mode=Mode.STOPPED)[Register.MODE] == Mode.FAULT
    bench.motors.set_conditions([MotorCondition(0), well])
    assert bench.look()[Register.MODE] == Mode.FAULT
    assert bench.command(mode=Mode.STOPPED)[Register.MODE] == Mode.STOPPED


def test_an_unknown_fault_or_model_is_refused() -> None:
    with pytest.raises(SimulationError, match="no fault 'STALL'"):
        Bench().motors.set_conditions([MotorCondition(0, fault="STALL"), MotorCondition(1)])
    with pytest.raises(SimulationError, match="no model"):
        Bench(joint(1, model="r9"))


def test_a_hot_board_cuts_the_output_only_while_it_drives() -> None:
    bench = Bench()
    bench.motors.set_conditions([MotorCondition(0, temperature_degc=80.0), MotorCondition(1)])
    values = bench.look()
    assert (values[Register.MODE], values[Register.TEMPERATURE], values[Register.MOTOR_TEMPERATURE]) == (0, 80.0, 80.0)
    bench.command(position=0.5)
    values = bench.look()
    assert (values[Register.MODE], values[Register.FAULT]) == (Mode.FAULT, 38)
    assert not bench.torque().any()


def test_a_brown_out_restarts_it_with_the_settings_in_flash() -> None:
    bench = Bench()
    bench.say(Frame(0x0001, b"\x40\x01\x26" + b"conf set servo.pid_position.kp 1.0\nd x\n", False, True))
    assert bench.motors.consoles[0].settings["servo.pid_position.kp"] == 1.0
    bench.command(position=0.5)
    bench.motors.set_conditions([MotorCondition(0, is_browned_out=True), MotorCondition(1)])
    assert bench.look()[Register.FAULT] == FAULT_CODES["UNDER_VOLTAGE"]
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    bench.command(mode=Mode.STOPPED)
    assert bench.motors.consoles[0].settings["servo.pid_position.kp"] == pytest.approx(1.2 * 50.0 * TURN)


def test_without_power_it_is_silent_and_stopped_afterwards() -> None:
    bench = Bench()
    bench.command(position=0.5)
    bench.motors.set_conditions([MotorCondition(0, is_silent=True), MotorCondition(1)])
    assert bench.say(codec.make_query(codec.Address(1), QUERY)) == []
    assert not bench.torque().any()
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    assert bench.look()[Register.MODE] == Mode.STOPPED


def type_and_listen(bench: Bench, *lines: bytes) -> bytes:
    for line in lines:
        bench.say(Frame(0x0001, b"\x40\x01" + bytes((len(line),)) + line, False, True))
    (reply,) = bench.say(Frame(0x8001, b"\x42\x01\x30", True, True))
    return reply.data[3 : 3 + reply.data[2]]


def test_the_console_answers_line_by_line_and_keeps_what_is_not_fetched() -> None:
    bench = Bench()
    assert type_and_listen(bench) == b""
    assert type_and_listen(bench, b"tel ", b"stop\nconf get servo.timeout_mode\n") == b"OK\r\n12.000000\r\n"
    assert type_and_listen(bench, b"conf get servopos.position_min\n") == b"nan\r\n"
    assert type_and_listen(bench, b"conf set servo.max_velocity 3\nconf write\n") == b"OK\r\nOK\r\n"
    assert type_and_listen(bench, b"conf get nothing\n").startswith(b"ERR")
    assert type_and_listen(bench, b"conf set servo.max_velocity fast\n").startswith(b"ERR")
    assert len(type_and_listen(bench, *[b"tel stop\n"] * 20)) == 48


@given(st.lists(st.tuples(st.integers(0, 0x1FFFFFFF), st.binary(max_size=64)), max_size=6))
def test_any_frames_are_survived(frames: list[tuple[int, bytes]]) -> None:
    bench = Bench()
    for identifier, data in frames:
        for number in (identifier, 0x8001):
            replies = bench.say(Frame(number, data, True, True))
            assert all(len(reply.data) <= 64 and reply.is_fd for reply in replies)
    assert np.isfinite(bench.torque()).all()


@given(st.binary(max_size=64))
def test_any_bytes_are_taken_apart(data: bytes) -> None:
    parts = list(moteus_wire.subframes(data))
    assert all(len(part.values) <= 64 for part in parts if isinstance(part, moteus_wire.Write))


def test_int8_int16_and_int32_have_their_own_scales_and_saturate() -> None:
    told = [moteus_wire.tell(moteus_wire.Read(1, 1, resolution), {1: 1.5}) for resolution in range(4)]
    assert [text.hex() for text in told[:3]] == ["21017f", "2501983a", "2901f0490200"]
    assert told[3] == b"\x2d\x01" + struct.pack("<f", 1.5)
    assert moteus_wire.tell(moteus_wire.Read(1, 1, 1), {1: math.nan}).hex() == "25010080"


def test_when_the_host_dies_the_motors_are_damped_and_stay_so_until_they_are_stopped() -> None:
    rig = Rig(fitted("moteus"))
    rig.inventory()
    rig.step(Drive.ENABLE)
    for _ in range(300):
        rig.step(Drive.COMMAND)
    for _ in range(40):
        state = rig.step(None)
    assert (state.motor_status == MotorStatus.ENABLED).all()
    for _ in range(20):
        state = rig.step(None)
    for drive in (Drive.POLL, Drive.COMMAND, Drive.ENABLE, Drive.COMMAND):
        state = rig.step(drive)
    assert (state.motor_status == MotorStatus.FAULT).all()
    assert {rig.robot.fault_name(place, int(code)) for place, code in enumerate(state.fault_code)} == {"TIMED_OUT"}
    rig.step(Drive.CLEAR_FAULT)
    assert (rig.step(Drive.POLL).motor_status == MotorStatus.DISABLED).all()
    rig.step(Drive.ENABLE)
    assert (rig.step(Drive.COMMAND).motor_status == MotorStatus.ENABLED).all()


def test_a_damped_robot_sinks_slower_than_a_limp_one() -> None:
    moved: list[float] = []
    for end in (None, Drive.DISABLE):
        rig = Rig(fitted("moteus"))
        rig.inventory()
        rig.step(Drive.ENABLE)
        for _ in range(300):
            rig.step(Drive.COMMAND)
        for _ in range(55):
            rig.step(None)
        start = rig.world.plant.position_rad.copy()
        for _ in range(30):
            rig.step(end)
        moved.append(float(np.abs(rig.world.plant.position_rad - start).max()))
    assert moved[0] < 0.7 * moved[1]
