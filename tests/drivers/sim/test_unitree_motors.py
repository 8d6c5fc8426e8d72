from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.robot_io import RobotIO
from drivers.serial.unitree import codec
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.unitree import BOOT_S, UnitreeMotors
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Drive
from supervisor.core.errors import SimulationError
from supervisor.core.robot import JointConfig, MotorConfig
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import Rig, fitted
from tests.drivers.sim.simulated import script

PERIOD_S = 0.002
TURN_RAD = math.tau / 6.33
BRAKE, FOC, EVERYBODY = 0, 1, 15


def joint(
    number: int, *, direction: int = 1, gear: float = 1.0, offset: float = 0.0, model: str = "GO-M8010-6"
) -> JointConfig:
    motor = MotorConfig("unitree", model, "rs0", number)
    return JointConfig(motor, direction, offset, gear, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)  # type: ignore[arg-type]


def command(number: int, mode: int = FOC, *values: float, lost_turns: int = 0) -> bytes:
    """Position, velocity, kp, kd, torque; at the output."""
    position, *rest = codec.rotor_from_output([*values, *[0.0] * (5 - len(values))])
    return codec.encode_command(number, mode, [position - math.tau * lost_turns, *rest])


class Bench:
    """Motors on a bench, their joints moved by hand."""

    def __init__(self, *joints: JointConfig, at_rad: float = 0.0, noise_scale: float = 0.0) -> None:
        self.joints = joints or (joint(0), joint(1))
        self.motors = UnitreeMotors(self.joints, ["rs0"], seed=[7], noise_scale=noise_scale)
        self.position, self.velocity = np.full(len(self.joints), at_rad), np.zeros(len(self.joints))
        self.now_s = 0.0

    def say(self, *written: bytes) -> bytes:
        """What comes back of what is written in one cycle."""
        frames = [Frame(0, data) for data in written]
        (replies,) = self.motors.exchange([frames], self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return b"".join(frame.data for frame in replies)

    def ask(self, data: bytes) -> codec.Feedback:
        return codec.decode_reply(self.say(data))

    def torque(self) -> np.ndarray:
        return self.motors.torque(self.position, self.velocity, self.now_s).copy()


def test_a_motor_follows_a_command_in_mode_foc_and_brakes_in_the_other() -> None:
    bench = Bench(at_rad=0.1)
    feedback = bench.ask(command(0, FOC, 0.3, 0.0, 50.0, 1.0, 2.0))
    assert (feedback.motor_id, feedback.mode) == (0, FOC)
    bench.velocity[:] = -1.0
    assert bench.torque().tolist() == [pytest.approx(50.0 * 0.2 + 1.0 + 2.0, abs=0.15), 0.0]
    assert bench.ask(command(0, FOC, 0.3, 0.0, 50.0, 1.0, 2.0)).output_torque_nm == pytest.approx(13.0, abs=0.15)
    assert bench.ask(command(0, BRAKE, 0.3, 0.0, 50.0)).mode == BRAKE
    assert bench.torque().tolist() == [0.0, 0.0]


def test_it_gives_no_more_than_it_can() -> None:
    bench = Bench()
    bench.say(command(0, FOC, 0.0, 0.0, 0.0, 0.0, -200.0))
    assert bench.torque()[0] == pytest.approx(-23.7)


def test_a_reply_is_at_the_rotor() -> None:
    bench = Bench(at_rad=0.1)
    bench.velocity[:] = 2.0
    feedback = bench.ask(command(1, BRAKE))
    assert feedback.position_rad == pytest.approx(0.1 * 6.33, abs=2e-4)
    assert feedback.velocity_rad_per_s == pytest.approx(2.0 * 6.33, abs=0.03)
    assert (feedback.temperature_degc, feedback.error_code, feedback.motor_id) == (25.0, 0, 1)


@pytest.mark.parametrize("at_rad", [-2.5, -0.2, 0.3, 1.2, 2.9])
def test_it_wakes_up_knowing_its_place_within_one_turn_of_the_rotor_only_and_counts_from_there(at_rad: float) -> None:
    bench = Bench(at_rad=at_rad)
    first = bench.ask(command(0, BRAKE)).position_rad
    assert 0.0 <= first < math.tau
    assert math.remainder(first - at_rad * 6.33, math.tau) == pytest.approx(0.0, abs=3e-4)
    bench.position[:] += 2.5
    assert bench.ask(command(0, BRAKE)).position_rad - first == pytest.approx(2.5 * 6.33, abs=3e-4)
    lost = math.floor(at_rad / TURN_RAD)
    bench.say(command(0, FOC, at_rad + 2.6, 0.0, 50.0, lost_turns=lost))
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.1)


def test_a_joint_that_is_turned_round_and_geared_is_seen_from_the_motor() -> None:
    bench = Bench(joint(0, direction=-1, gear=2.0, offset=-0.2), at_rad=0.1)
    assert bench.ask(command(0, BRAKE)).output_position_rad == pytest.approx(0.2, abs=1e-3)
    bench.say(command(0, FOC, 0.0, 0.0, 0.0, 0.0, 3.0))
    assert bench.torque()[0] == pytest.approx(-6.0, abs=0.05)


def test_without_commands_it_goes_on_with_the_last_one() -> None:
    bench = Bench()
    bench.say(command(0, FOC, 0.0, 0.0, 0.0, 0.0, 5.0))
    bench.now_s += 1000.0
    assert bench.torque()[0] == pytest.approx(5.0, abs=0.03)


def test_all_obey_a_command_to_everybody_and_none_answers() -> None:
    bench = Bench()
    for number in (0, 1):
        bench.say(command(number, FOC, 0.0, 0.0, 0.0, 0.0, 5.0))
    assert bench.say(command(EVERYBODY, BRAKE)) == b""
    assert not bench.torque().any()


def test_a_second_command_in_the_same_breath_meets_the_answer_to_the_first_and_both_are_lost() -> None:
    bench = Bench()
    both = command(0, FOC, 0.0, 0.0, 0.0, 0.0, 5.0), command(1, FOC, 0.0, 0.0, 0.0, 0.0, 5.0)
    for mixed in (bench.say(*both), bench.say(b"".join(both))):
        assert codec.FrameParser().feed(mixed) == []
        assert mixed != b""
    assert bench.torque().tolist() == [pytest.approx(5.0, abs=0.03), 0.0]


def test_a_command_to_everybody_is_answered_by_none_and_meets_nothing() -> None:
    bench = Bench()
    assert bench.ask(command(EVERYBODY, BRAKE) + command(1, FOC)).motor_id == 1


def test_two_motors_on_one_id_spoil_each_others_answers() -> None:
    bench = Bench(joint(0), joint(0))
    bench.position[:] = (0.1, 0.2)
    mixed = bench.say(command(0, BRAKE))
    assert len(mixed) == 16
    assert codec.FrameParser().feed(mixed) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xfe\xee",
        command(3),
        command(0)[:-1],
        command(0)[:5] + b"\x01" + command(0)[6:],
        b"\xfd" + command(0)[1:],
    ],
    ids=["nothing", "head", "nobody", "short", "checksum", "reply's head"],
)
def test_what_is_no_command_of_its_own_is_not_answered(data: bytes) -> None:
    bench = Bench()
    assert bench.say(data) == b""
    assert bench.ask(b"\xfe\xee\xfe" + data[:9] + command(0, BRAKE)).mode == BRAKE


def test_an_error_switches_off_and_lasts_as_long_as_its_cause() -> None:
    bench = Bench()
    bench.say(command(0, FOC, 0.0, 0.0, 0.0, 0.0, 5.0))
    bench.motors.set_conditions([MotorCondition(0, fault="over_current"), MotorCondition(1)])
    assert not bench.torque().any()
    feedback = bench.ask(command(0, FOC, 0.0, 0.0, 0.0, 0.0, 5.0))
    assert (feedback.error_code, feedback.mode) == (2, BRAKE)
    assert not bench.torque().any()
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    assert bench.ask(command(0, BRAKE)).error_code == 0
    assert bench.ask(command(0, FOC)).mode == FOC
    with pytest.raises(SimulationError, match="no fault 'rust'"):
        bench.motors.set_conditions([MotorCondition(0, fault="rust"), MotorCondition(1)])


@pytest.mark.parametrize("condition", [MotorCondition(0, is_silent=True), MotorCondition(0, is_browned_out=True)])
def test_after_a_cut_of_its_power_it_boots_silently_brakes_and_counts_anew(condition: MotorCondition) -> None:
    bench = Bench(at_rad=0.2)
    bench.say(command(0, FOC, 0.0, 0.0, 0.0, 0.0, 5.0))
    bench.position[:] = 0.2 + 2.0 * TURN_RAD
    assert bench.ask(command(0)).output_position_rad == pytest.approx(0.2 + 2.0 * TURN_RAD, abs=1e-3)
    bench.motors.set_conditions([condition, MotorCondition(1)])
    assert bench.say(command(0)) == b""
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    assert bench.say(command(0)) == b""
    assert not bench.torque().any()
    bench.now_s += BOOT_S
    feedback = bench.ask(command(0, BRAKE))
    assert (feedback.mode, feedback.error_code) == (BRAKE, 0)
    assert feedback.output_position_rad == pytest.approx(0.2, abs=1e-3)


def test_conditions_are_seen_where_they_are() -> None:
    bench = Bench(at_rad=0.3)
    bench.say()
    bench.motors.set_conditions([MotorCondition(0, offset_rad=0.2, temperature_degc=91.0), MotorCondition(1)])
    feedback = bench.ask(command(0, BRAKE))
    assert feedback.output_position_rad == pytest.approx(0.5, abs=1e-3)
    assert feedback.temperature_degc == 91.0
    bench.motors.set_conditions([MotorCondition(1), MotorCondition(0, strength=0.5)])
    bench.say(command(0, FOC, 0.0, 0.0, 0.0, 0.0, 4.0))
    assert bench.torque().tolist() == [0.0, pytest.approx(2.0, abs=0.02)]


def test_the_same_seed_gives_the_same_noise() -> None:
    first, second = (Bench(noise_scale=1.0) for _ in range(2))
    replies = [first.say(command(0, FOC)) for _ in range(20)]
    assert replies == [second.say(command(0, FOC)) for _ in range(20)]
    assert len(set(replies)) > 5


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(SimulationError, match="no model A1"):
        Bench(joint(0, model="A1"))


# With the code that drives the real ones


def powered(**options: object) -> Rig:
    rig = Rig(fitted("unitree", independent_cut_off="contactor K1"))
    if options:
        rig.world = SimulatedWorld(fitted("unitree"), faults=script(options))
        rig.robot = RobotIO(rig.config, rig.world)
    rig.inventory()
    rig.settle(Drive.ENABLE)
    for _ in range(400):
        rig.step(Drive.COMMAND)
    return rig


def test_when_the_host_dies_the_motors_go_on_holding_and_answer_when_it_is_back() -> None:
    rig = powered()
    before = rig.step(Drive.COMMAND)
    for _ in range(500):
        state = rig.step(None)
    assert (state.motor_status == MotorStatus.ENABLED).all()
    assert (rig.now_s - state.motor_stamp_s > 0.9).all()
    assert np.abs(rig.world.plant.position_rad - before.position_rad).max() < 0.02
    state = rig.settle(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.DISABLED).all()
    assert np.isnan(state.position_rad).all()


def test_each_motor_is_heard_in_its_turn() -> None:
    rig = powered()
    ages = [rig.now_s - rig.step(Drive.COMMAND).motor_stamp_s.min() for _ in range(30)]
    assert max(ages) <= 0.006 + 1e-9
    assert all(line.expected == line.received for name, line in rig.robot.statistics().items() if name != "imu0")


def test_the_first_write_of_a_stop_takes_the_torque_away_from_every_motor() -> None:
    rig = powered()
    rig.step(Drive.DISABLE)
    assert not any(motor.is_on.any() for motor in (group.motors for group in rig.world._groups))


def test_a_motor_that_was_without_power_stays_braked_and_its_position_unknown() -> None:
    rig = powered(kind="motor_silent", joints=["fl_calf"], at={"stage": "start", "after_s": 1.0}, for_s=0.1)
    slot = rig.config.order.index("fl_calf")
    for _ in range(100):
        state = rig.step(Drive.COMMAND)
    assert rig.now_s - state.motor_stamp_s[slot] > 0.1
    for _ in range(300):
        state = rig.step(Drive.COMMAND)
    assert rig.now_s - state.motor_stamp_s[slot] < 0.01
    assert np.flatnonzero(np.isnan(state.position_rad)).tolist() == [slot]
    assert np.flatnonzero(state.motor_status != MotorStatus.ENABLED).tolist() == [slot]


def test_a_joint_that_starts_elsewhere_is_refused_where_it_shows() -> None:
    robot = fitted("unitree", independent_cut_off="contactor K1")
    joints = dict(robot.config.joints)
    joints["fl_hip"] = replace(joints["fl_hip"], starts_within_rad=(-0.3, -0.1))
    rig = Rig(replace(robot, config=replace(robot.config, joints=joints)))
    first, second = rig.inventory()[:2]
    assert "cannot be between -0.300 and -0.100 rad: the rotor allows -0.750 or 0.242 rad" in first.problems[0]
    assert second.problems == ()
