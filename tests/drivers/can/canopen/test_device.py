from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.canopen import codec
from drivers.can.canopen.tables import HEARTBEAT_CYCLES, HOST_ID, NmtCommand
from drivers.devices import FAULT, POSITION, STAMP, STATUS, TEMPERATURE, TORQUE, VELOCITY
from drivers.sim.motors import canopen as twin
from drivers.sim.motors.conditions import MotorCondition
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.can.canopen.bench import DRIVE, NO_COMMAND, Bench

PUSH = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [3.0, -3.0]])
ON, OFF, ILL = int(MotorStatus.ENABLED), int(MotorStatus.DISABLED), int(MotorStatus.FAULT)


@pytest.fixture
def bench() -> Bench:
    return Bench().set_up()


def controlwords(bench: Bench) -> list[int]:
    """What the drives were last told, by id."""
    told = {frame.arbitration_id: frame.data for frame in bench.bus.sent}
    return [int.from_bytes(told[0x200 + number][:2], "little") for number in (1, 2)]


def torques(bench: Bench) -> list[int]:
    told = {frame.arbitration_id: frame.data for frame in bench.bus.sent}
    return [int.from_bytes(told[0x200 + number][2:], "little", signed=True) for number in (1, 2)]


def test_feedback_is_what_the_drives_measure_at_the_output_shaft(bench: Bench) -> None:
    bench.bus.position[:], bench.bus.velocity[:] = (0.5, -1.25), (2.0, -0.25)
    bench.cycle(Drive.POLL)
    assert bench.values[POSITION].tolist() == pytest.approx([0.5, -1.25], abs=1e-4)
    assert bench.values[VELOCITY].tolist() == pytest.approx([2.0, -0.25], abs=1e-4)
    assert bench.values[TORQUE].tolist() == [0.0, 0.0]
    assert bench.values[TEMPERATURE].tolist() == pytest.approx([25.0, 25.0])
    assert bench.values[STAMP].tolist() == [bench.now_s] * 2
    assert bench.codes.tolist() == [[OFF, OFF], [0, 0]]


def test_a_torque_arrives_as_it_was_meant_and_is_reported_back(bench: Bench) -> None:
    bench.enable()
    for _ in range(3):
        bench.cycle(Drive.COMMAND, PUSH)
    assert torques(bench) == [222, -222]
    assert bench.drives.torque(bench.bus.position, bench.bus.velocity, bench.now_s).tolist() == pytest.approx(
        [2.997, -2.997]
    )
    assert bench.values[TORQUE].tolist() == pytest.approx([2.997, -2.997])


def test_stiffness_and_damping_are_closed_here(bench: Bench) -> None:
    bench.enable()
    bench.bus.position[:], bench.bus.velocity[:] = (0.1, -0.1), (1.0, 0.0)
    command = np.array([[0.3, -0.3], [0.0, 0.0], [20.0, 10.0], [1.0, 1.0], [0.0, 0.5]])
    bench.cycle(Drive.COMMAND, command)
    bench.cycle(Drive.COMMAND, command)
    assert np.array(torques(bench)) * 0.0135 == pytest.approx([20.0 * 0.2 - 1.0, -10.0 * 0.2 + 0.5], abs=0.02)


def test_enabling_walks_the_state_machine_without_torque_and_one_sync_is_sent_per_cycle(bench: Bench) -> None:
    words: list[int] = []
    bench.cycle(Drive.ENABLE, PUSH)
    words.append(controlwords(bench)[0])
    for _ in range(5):
        bench.bus.sent.clear()
        bench.cycle(Drive.COMMAND, PUSH)
        assert torques(bench) == [0, 0]
        assert bench.bus.sent.count(codec.SYNC) == 1
        words.append(controlwords(bench)[0])
    assert words == [0x06, 0x06, 0x07, 0x07, 0x0F, 0x0F]
    assert bench.codes[STATUS].tolist() == [ON, ON]
    bench.cycle(Drive.COMMAND, PUSH)
    assert torques(bench) == [222, -222]


def test_a_command_alone_never_switches_on(bench: Bench) -> None:
    for _ in range(60):
        bench.cycle(Drive.COMMAND, PUSH)
        assert controlwords(bench) == [0, 0]
        assert torques(bench) == [0, 0]
    assert bench.codes[STATUS].tolist() == [OFF, OFF]


def test_a_drive_that_left_by_itself_is_not_led_back(bench: Bench) -> None:
    bench.enable()
    bench.drives.state[0] = twin.DISABLED
    bench.drives.switch(0, on=False)
    for _ in range(50):
        bench.cycle(Drive.COMMAND, PUSH)
    assert bench.codes[STATUS].tolist() == [OFF, ON]
    assert controlwords(bench) == [0x00, 0x0F]
    assert torques(bench) == [0, -222]


def test_a_drive_that_never_gets_there_is_given_up_for(bench: Bench) -> None:
    bench.drives.set_conditions([MotorCondition(0, is_silent=True), MotorCondition(1)])
    bench.enable(60)
    assert controlwords(bench) == [0x00, 0x0F]


@pytest.mark.parametrize("drive", [Drive.POLL, Drive.DISABLE, Drive.CLEAR_FAULT])
def test_every_other_drive_switches_off_and_asks(bench: Bench, drive: Drive) -> None:
    bench.enable()
    bench.cycle(drive)
    bench.cycle(drive)
    assert controlwords(bench) == [0, 0]
    assert bench.codes[STATUS].tolist() == [OFF, OFF]
    assert bench.drives.is_on.tolist() == [False, False]
    assert bench.values[STAMP].tolist() == [bench.now_s] * 2


def test_a_fault_has_its_name_and_only_clear_fault_takes_it_away(bench: Bench) -> None:
    bench.enable()
    bench.drives.set_conditions([MotorCondition(0, fault="DC_LINK_OVERVOLTAGE"), MotorCondition(1)])
    bench.cycle(Drive.COMMAND)
    bench.cycle(Drive.COMMAND)
    assert bench.codes[STATUS].tolist() == [ILL, ON]
    assert bench.motors.fault_name(int(bench.codes[FAULT, 0])) == "DC_LINK_OVERVOLTAGE"
    bench.drives.set_conditions([MotorCondition(0), MotorCondition(1)])
    for drive in (Drive.COMMAND, Drive.ENABLE, Drive.POLL, Drive.DISABLE):
        for _ in range(5):
            bench.cycle(drive)
        assert bench.codes[STATUS, 0] == ILL
    bench.cycle(Drive.CLEAR_FAULT)
    for _ in range(3):
        bench.cycle(Drive.POLL)
    assert bench.codes.tolist() == [[OFF, OFF], [0, 0]]
    assert bench.drives.is_on.tolist() == [False, False]


def test_a_fault_whose_message_was_lost_is_asked_for(bench: Bench) -> None:
    bench.bus.wrap = lambda frames: [frame for frame in frames if frame.arbitration_id != 0x081]
    bench.drives.set_conditions([MotorCondition(0, fault="SHORT_CIRCUIT"), MotorCondition(1)])
    names: list[str] = []
    for _ in range(45):
        bench.cycle(Drive.POLL)
        names.append(bench.motors.fault_name(int(bench.codes[FAULT, 0])))
    assert names[2] == "FAULT"
    assert names[-1] == "SHORT_CIRCUIT"


def test_a_drive_that_is_neither_on_nor_off_is_a_fault_with_the_states_name(bench: Bench) -> None:
    word = 0x0217
    bench.take(Frame(0x181, word.to_bytes(2, "little") + bytes(6), stamp_s=9.0))
    assert bench.codes[STATUS, 0] == ILL
    assert bench.motors.fault_name(int(bench.codes[FAULT, 0])) == "QUICK STOP ACTIVE"


def test_codes_beyond_the_profile_have_their_group_and_number(bench: Bench) -> None:
    assert bench.motors.fault_name(0x2399) == "Current 0x2399"
    assert bench.motors.fault_name(0x4310) == "EXCESS_TEMPERATURE_DRIVE"
    assert bench.motors.fault_name(0xA000) == "unknown 0xA000"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_who_cannot_be_commanded_is_given_no_torque_instead_of_the_last_one(bench: Bench, bad: float) -> None:
    bench.enable()
    bench.cycle(Drive.COMMAND, PUSH)
    errors = bench.bus.counters.errors
    command = PUSH.copy()
    command[0, 0] = bad
    bench.cycle(Drive.COMMAND, command)
    assert torques(bench) == [0, -222]
    assert bench.bus.counters.errors == errors + 1


def test_a_silent_drive_gets_no_torque_from_old_feedback(bench: Bench) -> None:
    bench.enable()
    bench.bus.wrap = lambda frames: [frame for frame in frames if frame.arbitration_id & 0x7F != 1]
    for _ in range(6):
        bench.cycle(Drive.COMMAND, PUSH)
    assert torques(bench) == [0, -222]


def test_feedback_is_as_old_as_the_older_of_its_two_frames(bench: Bench) -> None:
    before_s = bench.now_s
    bench.bus.wrap = lambda frames: [frame for frame in frames if frame.arbitration_id != 0x281]
    bench.cycle(Drive.POLL)
    assert bench.values[STAMP].tolist() == [before_s, bench.now_s]


def test_the_hosts_heartbeat_goes_out_all_the_time(bench: Bench) -> None:
    bench.bus.sent.clear()
    for drive in (*[Drive.POLL] * 10, *[Drive.COMMAND] * 10):
        bench.cycle(drive)
    assert bench.bus.sent.count(codec.make_heartbeat(HOST_ID, 5)) == 20 // HEARTBEAT_CYCLES


def test_replies_that_are_due_are_those_of_drives_that_were_set_up(bench: Bench) -> None:
    before = bench.bus.counters.statistics()
    bench.cycle(Drive.POLL)
    after = bench.bus.counters.statistics()
    assert (after.expected - before.expected, after.received - before.received) == (4, 4)
    bench.bus.room = 1
    bench.cycle(Drive.POLL)
    assert bench.bus.counters.expected == after.expected


def test_before_the_inventory_nothing_is_believed() -> None:
    bench = Bench()
    bench.cycle(Drive.POLL)
    rest = bench.take(Frame(0x181, bytes(8), stamp_s=1.0), Frame(0x281, bytes(6), stamp_s=1.0))
    assert len(rest) == 2
    assert bench.values[STAMP].tolist() == [NEVER_S] * 2
    assert bench.bus.counters.expected == 0
    bench.cycle(Drive.ENABLE)
    assert controlwords(bench) == [0, 0]


def test_a_drive_that_restarted_is_not_believed_until_it_is_set_up_again(bench: Bench) -> None:
    bench.enable()
    bench.take(Frame(0x701, b"\x00", stamp_s=bench.now_s))
    bench.cycle(Drive.COMMAND, PUSH)
    assert controlwords(bench) == [0x00, 0x0F]
    assert bench.values[STAMP, 0] < bench.now_s
    bench.bus.sent.clear()
    bench.cycle(Drive.CLEAR_FAULT)
    started = [frame for frame in bench.bus.sent if frame.arbitration_id == 0]
    assert started == [codec.make_nmt(NmtCommand.OPERATIONAL, 2)]


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x181, bytes(7)),
        Frame(0x281, bytes(8)),
        Frame(0x183, bytes(8)),
        Frame(0x381, bytes(8)),
        Frame(0x181, bytes(8), True),
        Frame(0x181, bytes(8), False, True),
        Frame(0x581, bytes(7)),
        Frame(0x081, bytes(7)),
        Frame(0x701, b"\x09"),
        Frame(0x601, bytes.fromhex("4000100000000000")),
    ],
)
def test_what_no_drive_of_ours_says_is_handed_on(bench: Bench, frame: Frame) -> None:
    received = bench.bus.counters.received
    stamps = bench.values[STAMP].tolist()
    assert bench.take(frame._replace(stamp_s=99.0)) == [frame._replace(stamp_s=99.0)]
    assert bench.values[STAMP].tolist() == stamps
    assert bench.bus.counters.received == received


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x201, bytes(4)),
        Frame(0x502, bytes(8)),
        Frame(0x602, bytes.fromhex("2b40600006000000")),
        Frame(0x000, b"\x81\x00"),
        Frame(0x000, b"\x02\x01"),
        Frame(0x080, b""),
        Frame(0x77F, b"\x05"),
    ],
)
def test_somebody_else_commanding_our_drives_is_counted(bench: Bench, frame: Frame) -> None:
    assert bench.take(frame) == []
    assert bench.bus.counters.foreign_commands == 1


@pytest.mark.parametrize("frame", [Frame(0x203, bytes(4)), Frame(0x000, b"\x01\x05"), Frame(0x000, b"\x01")])
def test_commands_to_other_drives_are_none_of_ours(bench: Bench, frame: Frame) -> None:
    assert bench.take(frame) == [frame]
    assert bench.bus.counters.foreign_commands == 0


def test_a_zero_cannot_be_set_over_the_bus(bench: Bench) -> None:
    with pytest.raises(DeviceError, match="canopen cannot be set over its bus"):
        next(bench.motors.set_zero("j1", 0.0))


IDENTIFIERS = st.one_of(
    st.integers(0, 0x7FF), st.sampled_from([b + i for b in (0x80, 0x180, 0x280, 0x580, 0x700) for i in (1, 2, 3)])
)


@settings(max_examples=60)
@given(
    st.lists(
        st.builds(
            Frame,
            IDENTIFIERS,
            st.one_of(st.binary(max_size=8), st.binary(min_size=8, max_size=8), st.binary(min_size=6, max_size=6)),
            st.booleans(),
            st.booleans(),
            st.floats(0.0, 1e6),
        ),
        max_size=20,
    )
)
def test_no_frame_makes_it_raise(frames: list[Frame]) -> None:
    bench = SET_UP
    counters = bench.bus.counters
    before = counters.received + counters.foreign_commands
    rest = bench.take(*frames)
    assert counters.received + counters.foreign_commands - before + len(rest) == len(frames)
    for drive in Drive:
        bench.motors.write(drive, NO_COMMAND)
    assert np.isfinite(bench.values[:4]).all()
    assert all(bench.motors.fault_name(int(code)) for code in bench.codes[FAULT])


SET_UP = Bench(DRIVE).set_up()
