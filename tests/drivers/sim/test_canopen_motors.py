from __future__ import annotations

import numpy as np
import pytest

from drivers.bus import Frame
from drivers.sim.motors.canopen import FAULT_CODES, CanOpenMotors
from drivers.sim.motors.conditions import MotorCondition
from supervisor.core.command import Drive
from supervisor.core.robot import DriveConfig, JointConfig, MotorConfig
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import Rig, fitted

PERIOD_S = 0.002
SYNC = Frame(0x080, b"")
HEARTBEAT = Frame(0x77F, b"\x05")
OPERATE, RESET = Frame(0x000, b"\x01\x00"), Frame(0x000, b"\x81\x01")
RATED_OUTPUT_NM = 13.5


def joint(number: int, model: str = "EPOS4") -> JointConfig:
    drive = DriveConfig(30.0, 20.0, 9.0, 16_384, rated_torque_nm=1.5)
    motor = MotorConfig("canopen", model, "can0", number, 0, drive)
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 10.0, 20.0, 1.0, 0.0, 0.0)


class Bench:
    """Two drives on a bench, their joints moved by hand."""

    def __init__(self, model: str = "EPOS4") -> None:
        self.motors = CanOpenMotors([joint(1, model), joint(2, model)], ["can0"], seed=[7], noise_scale=0.0)
        self.position, self.velocity = np.zeros(2), np.zeros(2)
        self.now_s = 0.0

    def say(self, *frames: Frame) -> list[Frame]:
        (replies,) = self.motors.exchange([list(frames)], self.position, self.velocity, self.now_s)
        self.now_s += PERIOD_S
        return replies

    def ask(self, request: str) -> str:
        (reply,) = self.say(Frame(0x601, bytes.fromhex(request)))
        assert reply.arbitration_id == 0x581
        return reply.data.hex()

    def write(self, *requests: str) -> None:
        for request in requests:
            assert self.ask(request).startswith("60"), request

    def torque(self) -> float:
        return float(self.motors.torque(self.position, self.velocity, self.now_s)[0])

    def control(self, word: int, torque: int = 0) -> list[Frame]:
        return self.say(Frame(0x201, word.to_bytes(2, "little") + torque.to_bytes(2, "little", signed=True)), SYNC)

    def set_up(self, timeout_ms: int = 100, option: int = 2, behaviour: int = 1) -> Bench:
        """Cyclic torque, a command of two objects and a statusword at each SYNC, and a watch."""
        self.write(
            "2f6060000a000000",
            "23001401010200 80".replace(" ", ""),
            "2f00140201000000",
            "2f00160000000000",
            "2300160110004060",
            "2300160210007160",
            "2f00160002000000",
            "2300140101020000",
            "2f00180201000000",
            f"2b076000{option:02x}000000",
            f"2f291001{behaviour:02x}000000",
            f"23161001{timeout_ms:02x}007f00",
        )
        self.say(OPERATE)
        return self

    def enable(self, torque: int = 100) -> Bench:
        for word in (0x06, 0x07, 0x0F):
            self.control(word, torque)
        return self


def test_its_objects_are_read_and_unknown_ones_are_refused() -> None:
    bench = Bench()
    assert bench.ask("4000100000000000") == "4300100092010200"
    assert bench.ask("4041600000000000") == "4b41600050020000"
    assert bench.ask("4076600000000000") == "43766000dc050000"
    assert bench.ask("4000200000000000") == "8000200000000206"
    assert bench.ask("4018100900000000") == "8018100911000906"
    assert bench.ask("2b41600000000000") == "8041600002000106"
    assert bench.ask("2f40600006000000") == "8040600013000706"
    assert bench.ask("2b07600009000000") == "8007600030000906"
    assert bench.ask("c608100000000000") == "8008100001000405"


def test_a_long_text_comes_in_segments_whose_toggle_is_checked() -> None:
    bench = Bench()
    assert bench.ask("4008100000000000") == "410810000f000000"
    assert bytes.fromhex(bench.ask("6000000000000000"))[1:] == b"simulat"
    assert bytes.fromhex(bench.ask("7000000000000000"))[1:] == b"ed driv"
    assert bench.ask("6000000000000000") == "0d" + b"e".hex() + "00" * 6
    bench.ask("4008100000000000")
    assert bench.ask("7000000000000000").endswith("00000305")
    assert bench.ask("6000000000000000").endswith("01000405")


def test_process_data_are_mapped_while_they_are_off_and_outside_operational() -> None:
    bench = Bench()
    assert bench.ask("2f00160000000000").endswith("22000008")
    bench.write("2300140101020080", "2f00160000000000")
    assert bench.ask("2300160110002060").endswith("41000406")
    bench.write("2300160110004060", "2f00160001000000", "2300140101020000")
    bench.say(OPERATE)
    assert bench.ask("2300140101020080").endswith("22000008")


def test_only_in_operational_a_sync_is_answered_and_a_command_acts() -> None:
    bench = Bench()
    assert bench.say(SYNC) == []
    bench.set_up()
    (status,) = [frame for frame in bench.say(SYNC) if frame.arbitration_id == 0x181]
    assert status.data == bytes.fromhex("5002")
    bench.say(Frame(0x000, b"\x80\x01"))
    assert bench.control(0x06) == []
    assert bench.motors.state[0] == 0x0250


def test_each_step_of_the_state_machine_is_seen_one_sync_later() -> None:
    bench = Bench().set_up()
    seen = [bench.control(word)[0].data.hex() for word in (0x06, 0x07, 0x0F, 0x0F, 0x07, 0x06, 0x00, 0x00)]
    assert seen == ["5002", "3102", "3302", "3702", "3702", "3302", "3102", "5002"]


def test_torque_follows_the_target_only_in_operation_enabled_and_in_a_torque_mode() -> None:
    bench = Bench().set_up()
    bench.control(0x06, 200)
    assert bench.torque() == 0.0
    bench.enable(200)
    assert bench.torque() == pytest.approx(0.2 * RATED_OUTPUT_NM)
    bench.control(0x00, 200)
    assert bench.torque() == 0.0
    bench.write("2f60600008000000")
    bench.enable(200)
    assert bench.torque() == 0.0


def test_it_measures_in_counts_thousandths_and_tenths() -> None:
    bench = Bench().set_up().enable()
    bench.position[0], bench.velocity[0] = 0.5, -1.0
    bench.torque()
    counts = round(0.5 * 9 * 16_384 / (2 * np.pi))
    assert bench.ask("4064600000000000")[8:] == counts.to_bytes(4, "little").hex()
    speed = round(-9 * 60e3 / (2 * np.pi))
    assert bench.ask("406c600000000000")[8:] == speed.to_bytes(4, "little", signed=True).hex()
    assert bench.ask("4077600000000000") == "4b77600064000000"
    assert bench.ask("4001320100000000") == "4b013201fa000000"


def test_a_drive_of_another_make_has_no_temperature() -> None:
    assert Bench("CiA402").ask("4001320100000000").endswith("00000206")


def test_nobody_is_watched_before_the_first_heartbeat() -> None:
    bench = Bench().set_up().enable()
    bench.now_s += 100.0
    assert bench.torque() == pytest.approx(0.1 * RATED_OUTPUT_NM)


@pytest.mark.parametrize(
    ("option", "status", "torque"), [(0, "3702", 1.35), (1, "1802", 0.0), (2, "5002", 0.0), (3, "5002", 0.0)]
)
def test_a_late_heartbeat_ends_as_the_abort_connection_option_says(option: int, status: str, torque: float) -> None:
    bench = Bench().set_up(option=option).enable()
    bench.say(HEARTBEAT)
    bench.now_s += 0.097
    assert bench.torque() == pytest.approx(1.35)
    bench.now_s += 0.004
    assert bench.torque() == pytest.approx(torque)
    said = {frame.arbitration_id: frame.data.hex() for frame in bench.say(SYNC)}
    assert said[0x081][:4] == "3081"
    assert said[0x181] == status


def test_without_its_error_behaviour_a_drive_leaves_operational_and_falls_silent() -> None:
    bench = Bench().set_up(behaviour=0).enable()
    bench.say(HEARTBEAT)
    bench.now_s += 0.2
    bench.torque()
    assert 0x181 not in {frame.arbitration_id for frame in bench.say(SYNC)}


def test_a_fault_is_told_once_and_reset_by_a_rising_edge_once_its_cause_is_gone() -> None:
    bench = Bench().set_up().enable()
    bench.motors.set_conditions([MotorCondition(0, fault="FOLLOWING_ERROR"), MotorCondition(1)])
    said = bench.say(SYNC)
    assert (said[0].arbitration_id, said[0].data[:2]) == (0x181, b"\x18\x02")
    assert [f.data[:3] for f in said if f.arbitration_id == 0x081] == [b"\x11\x86\x01"]
    assert bench.torque() == 0.0
    assert not [f for f in bench.control(0x80) if f.arbitration_id == 0x081]
    bench.motors.set_conditions([MotorCondition(0), MotorCondition(1)])
    bench.control(0x80)
    assert bench.motors.fault[0] == FAULT_CODES["FOLLOWING_ERROR"]
    bench.control(0x00)
    assert [f.data for f in bench.control(0x80) if f.arbitration_id == 0x081] == [bytes(8)]
    assert bench.motors.state[0] == 0x0250


def test_a_brown_out_forgets_what_was_set_up_and_says_that_it_is_back() -> None:
    bench = Bench().set_up().enable()
    bench.motors.set_conditions([MotorCondition(0, is_browned_out=True), MotorCondition(1)])
    said = [(frame.arbitration_id, frame.data[:2]) for frame in bench.say(SYNC)]
    assert (0x701, b"\x00") in said
    assert (0x081, b"\x20\x32") in said
    assert bench.ask("4016100100000000") == "4316100100000000"
    assert bench.torque() == 0.0


def test_a_reset_boots_again_and_stopped_drives_hear_nothing_but_management() -> None:
    bench = Bench().set_up().enable()
    assert [frame.data for frame in bench.say(RESET)] == [b"\x00"]
    assert bench.torque() == 0.0
    bench.say(Frame(0x000, b"\x02\x01"))
    assert bench.say(Frame(0x601, bytes.fromhex("4000100000000000"))) == []


def test_drives_whose_ids_were_swapped_answer_to_each_others() -> None:
    bench = Bench()
    bench.motors.set_conditions([MotorCondition(1), MotorCondition(0)])
    assert bench.ask("4018100400000000") == "4318100401100000"
    assert bench.ask("4000180100000000") == "4300180181010040"


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x603, bytes.fromhex("4000100000000000")),
        Frame(0x601, bytes(7)),
        Frame(0x601, bytes(8), True),
        Frame(0x601, bytes(8), False, True),
        Frame(0x601, bytes.fromhex("8000000000000000")),
        Frame(0x000, b"\x81"),
        Frame(0x000, b"\x77\x00"),
        Frame(0x201, b""),
    ],
)
def test_what_is_not_for_it_is_ignored(frame: Frame) -> None:
    assert Bench().say(frame) == []


def test_drives_let_go_when_the_host_dies_and_do_not_start_again_by_themselves() -> None:
    rig = Rig(fitted("canopen"))
    rig.inventory()
    rig.settle(Drive.ENABLE)
    for _ in range(100):
        assert (rig.step(Drive.COMMAND).motor_status == MotorStatus.ENABLED).all()
    for _ in range(60):
        rig.step(None)
    for _ in range(100):
        state = rig.step(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.DISABLED).all()
    assert np.abs(state.torque_nm).max() < 0.2
    assert (rig.settle(Drive.ENABLE).motor_status == MotorStatus.ENABLED).all()
