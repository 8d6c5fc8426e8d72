from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.devices import FAULT, POSITION, STAMP, STATUS, TEMPERATURE, TORQUE, VELOCITY
from drivers.serial.dynamixel import codec, instructions
from drivers.serial.dynamixel import tables as t
from supervisor.core.command import Drive
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.serial.dynamixel.fake import Rig, servo

ON, OFF, FAULTY, UNKNOWN = MotorStatus.ENABLED, MotorStatus.DISABLED, MotorStatus.FAULT, MotorStatus.UNKNOWN


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def running() -> Rig:
    rig = Rig()
    rig.inventory()
    rig.step(Drive.ENABLE)
    rig.step(Drive.COMMAND, 3)
    return rig


def status(rig: Rig) -> list[int]:
    return rig.codes[STATUS].tolist()


def names(rig: Rig) -> list[str]:
    return [rig.group.fault_name(int(code)) for code in rig.codes[FAULT]]


def test_nobody_is_known_before_the_first_answer_and_a_poll_sets_what_is_asked_for(rig: Rig) -> None:
    rig.step(None)
    assert status(rig) == [UNKNOWN] * 3
    assert np.isnan(rig.values[: TEMPERATURE + 1]).all()
    assert rig.values[STAMP].tolist() == [NEVER_S] * 3
    rig.step(Drive.POLL)
    assert status(rig) == [OFF] * 3
    assert rig.values[STAMP].tolist() == [rig.now_s] * 3


def test_an_answer_without_the_list_is_no_feedback(rig: Rig) -> None:
    rig.port.spoil = lambda _: codec.make_status(1, 0, bytes(15))
    rig.step(Drive.POLL, 3)
    assert rig.values[STAMP, 0] == NEVER_S
    assert status(rig)[0] == UNKNOWN


def test_feedback_is_in_si_and_has_the_time_of_its_arrival(rig: Rig) -> None:
    first = rig.servos[0]
    first.shaft_count, first.table[t.HOMING_OFFSET] = 2048.0 - 1024.0, 10
    rig.step(Drive.POLL, 3)
    assert rig.values[POSITION, 0] == pytest.approx(-1014 * 2 * math.pi / 4096)
    assert rig.values[VELOCITY].tolist() == [0.0] * 3
    assert rig.values[TEMPERATURE].tolist() == [30.0] * 3
    assert rig.values[STAMP].tolist() == [rig.now_s] * 3


def test_a_torque_becomes_a_current_by_the_constant_of_the_model(running: Rig) -> None:
    running.command[:] = [[0.0] * 3, [0.0] * 3, [0.0] * 3, [0.0] * 3, [1.0, -2.0, 0.1]]
    running.step(Drive.COMMAND)
    # 4.8 N·m at 2.7 A in steps of 2.69 mA; 0.6 N·m at 1.74 A in steps of 1 mA.
    expected = [round(1.0 * 2.7 / 4.8 / 0.00269), round(-2.0 * 2.7 / 4.8 / 0.00269), round(0.1 * 1.74 / 0.6 / 0.001)]
    assert [one.table[t.GOAL_CURRENT] for one in running.servos] == expected
    running.step(Drive.COMMAND, 2)
    assert running.values[TORQUE].tolist() == pytest.approx([1.0, -2.0, 0.1], abs=0.005)


def test_stiffness_and_damping_become_a_torque_here(running: Rig) -> None:
    running.servos[0].shaft_count = 2048.0 + 100.0
    running.step(Drive.COMMAND, 2)
    torque_nm = running.servos[0].table[t.GOAL_CURRENT] * t.SERVOS["XM430-W350"].torque_count_nm
    assert torque_nm == pytest.approx(-10.0 * 100 * t.POSITION_COUNT_RAD, abs=0.005)


def test_more_torque_than_the_servo_has_becomes_what_it_has(running: Rig) -> None:
    running.command[4] = 1e6
    running.step(Drive.COMMAND)
    assert [one.table[t.GOAL_CURRENT] for one in running.servos] == [1002, 1002, 1740]


def test_a_cycle_is_one_write_per_line_with_one_question_at_its_end(running: Rig) -> None:
    written = len(running.port.written)
    running.step(Drive.COMMAND)
    assert len(running.port.written) == written + 1
    assert [packet.instruction for packet in running.port.told()] == [t.SYNC_WRITE, t.SYNC_READ]
    assert running.port.counters.dropped == 0


def test_enabling_moves_nothing_whatever_was_commanded_before(running: Rig) -> None:
    running.command[4] = 2.0
    running.step(Drive.COMMAND, 2)
    running.step(Drive.DISABLE, 2)
    assert status(running) == [OFF] * 3
    for one in running.servos:
        one.table[t.GOAL_CURRENT] = 300
    running.step(Drive.ENABLE)
    assert [one.has_torque for one in running.servos] == [True] * 3
    assert [one.pushes_count for one in running.servos] == [0] * 3
    assert status(running) == [ON] * 3


def test_polling_and_clearing_never_switch_on(rig: Rig) -> None:
    rig.inventory()
    for drive in (Drive.POLL, Drive.CLEAR_FAULT, Drive.DISABLE):
        rig.step(drive, 20)
        assert not any(one.has_torque for one in rig.servos)


@pytest.mark.parametrize("row", range(5))
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_command_that_is_no_number_is_no_torque_and_an_error(running: Rig, row: int, bad: float) -> None:
    running.command[4] = 1.0
    running.command[row, 1] = bad
    errors = running.port.counters.errors
    running.step(Drive.COMMAND)
    assert running.servos[1].table[t.GOAL_CURRENT] == 0
    assert running.servos[0].table[t.GOAL_CURRENT] > 0
    assert running.port.counters.errors == errors + 1


def test_a_servo_that_is_no_longer_heard_gets_no_torque(running: Rig) -> None:
    running.command[4] = 1.0
    running.step(Drive.COMMAND, 2)
    seen_s = running.now_s
    running.port.spoil = lambda data: data[:26]
    running.step(Drive.COMMAND, 8)
    assert running.servos[1].table[t.GOAL_CURRENT] == 0
    assert running.servos[0].table[t.GOAL_CURRENT] > 0
    assert running.values[STAMP, 1] == seen_s
    assert running.port.counters.errors == 0


def test_hardware_errors_are_a_fault_with_the_makers_names(running: Rig) -> None:
    running.servos[0].fail(5)
    running.servos[1].fail(2)
    running.servos[1].fail(0)
    running.step(Drive.COMMAND)
    assert status(running) == [FAULTY, FAULTY, ON]
    assert names(running) == ["OVERLOAD", "INPUT_VOLTAGE and OVERHEATING", "NONE"]


def test_clearing_restarts_what_reports_errors_and_sets_it_up_again(running: Rig) -> None:
    running.servos[0].fail(5)
    running.servos[1].fail(2)
    running.step(Drive.COMMAND)
    running.step(Drive.DISABLE, 2)
    running.step(Drive.CLEAR_FAULT)
    running.step(Drive.DISABLE, 10)
    assert status(running) == [OFF] * 3
    assert [one.table[t.BUS_WATCHDOG] for one in running.servos] == [5] * 3
    assert not any(one.has_torque for one in running.servos)
    running.step(Drive.ENABLE)
    assert status(running) == [ON] * 3


def test_a_servo_with_a_fault_is_not_switched_on(running: Rig) -> None:
    running.step(Drive.DISABLE, 2)
    running.servos[0].fail(0)
    running.step(Drive.POLL)
    running.step(Drive.ENABLE)
    assert [one.has_torque for one in running.servos] == [False, True, True]


def test_an_expired_watchdog_is_a_fault_until_it_is_cleared(running: Rig) -> None:
    running.command[4] = 1.0
    running.step(Drive.COMMAND, 2)
    running.step(None, 60)
    assert [one.pushes_count for one in running.servos] == [0] * 3
    assert [one.has_torque for one in running.servos] == [True] * 3
    running.step(Drive.COMMAND, 3)
    assert names(running) == ["BUS_WATCHDOG"] * 3
    assert [one.pushes_count for one in running.servos] == [0] * 3
    running.step(Drive.CLEAR_FAULT)
    running.step(Drive.DISABLE, 3)
    assert status(running) == [OFF] * 3
    running.step(Drive.ENABLE)
    assert status(running) == [ON] * 3
    assert [one.pushes_count for one in running.servos] == [0] * 3


def test_a_servo_that_restarts_by_itself_is_a_fault_and_its_last_position_grows_old(running: Rig) -> None:
    running.servos[0].shaft_count = 2148.0
    running.step(Drive.COMMAND, 2)
    position, seen_s = running.values[POSITION, 0], running.now_s
    running.servos[0].reboot()
    running.step(Drive.COMMAND, 3)
    assert status(running) == [FAULTY, ON, ON]
    assert names(running)[0] == "RESTARTED"
    assert (running.values[POSITION, 0], running.values[STAMP, 0]) == (position, seen_s)
    running.step(Drive.DISABLE, 3)
    # It is heard again, but without a watchdog nobody may enable it.
    assert running.values[STAMP, 0] > seen_s
    assert names(running)[0] == "RESTARTED"
    running.step(Drive.CLEAR_FAULT)
    running.step(Drive.DISABLE, 3)
    assert status(running) == [OFF] * 3


def test_whole_turns_are_left_out_while_a_servo_is_off_and_kept_while_it_is_on(rig: Rig) -> None:
    first = rig.servos[0]
    first.shaft_count = 3 * 4096 + 2048 + 512.0
    rig.inventory()
    rig.step(Drive.POLL, 2)
    assert rig.values[POSITION, 0] == pytest.approx(512 * t.POSITION_COUNT_RAD)
    rig.step(Drive.ENABLE, 2)
    first.shaft_count += 4096.0
    rig.step(Drive.COMMAND, 2)
    assert rig.values[POSITION, 0] == pytest.approx(512 * t.POSITION_COUNT_RAD + 2.0 * math.pi)


def test_whole_turns_are_left_out_of_a_servo_that_is_found_on(rig: Rig) -> None:
    rig.servos[0].shaft_count = 3 * 4096 + 2048.0
    rig.servos[0].table[t.TORQUE_ENABLE] = 1
    rig.step(Drive.POLL, 3)
    assert rig.values[POSITION, 0] == pytest.approx(0.0)


def test_a_restart_after_enabling_is_not_repaired_by_faults_cleared_before(running: Rig) -> None:
    running.step(Drive.CLEAR_FAULT)
    running.step(Drive.DISABLE, 3)
    running.step(Drive.ENABLE, 2)
    running.servos[0].reboot()
    running.step(Drive.DISABLE, 5)
    assert names(running)[0] == "RESTARTED"
    assert running.servos[0].table[t.BUS_WATCHDOG] == 0


def test_an_echo_is_dropped_and_somebody_elses_command_is_counted(running: Rig) -> None:
    counters = running.port.counters
    running.port.spoil = lambda data: running.port.written[-1] + data
    running.step(Drive.COMMAND)
    assert (counters.dropped, counters.foreign_commands) == (2, 0)
    assert status(running) == [ON] * 3
    theirs = instructions.make_register_write(1, t.TORQUE_ENABLE, 0)
    running.port.spoil = lambda data: theirs + data
    running.step(Drive.COMMAND)
    assert (counters.dropped, counters.foreign_commands) == (2, 1)


def test_a_write_that_the_port_does_not_take_expects_no_answers(running: Rig) -> None:
    expected = running.port.counters.expected
    running.port.is_full = True
    running.step(Drive.COMMAND, 2)
    assert running.port.counters.expected == expected


def test_every_answer_that_is_due_is_counted(running: Rig) -> None:
    before = running.port.counters.expected, running.port.counters.received
    running.step(Drive.COMMAND, 5)
    assert running.port.counters.expected - before[0] == running.port.counters.received - before[1] == 10


def test_answers_of_strangers_and_of_another_size_move_nothing(running: Rig) -> None:
    values = running.values.copy()
    running.port.spoil = lambda _: codec.make_status(9, 0, bytes(15)) + codec.make_status(1, 0, bytes(14))
    running.step(Drive.COMMAND)
    assert running.values[:, :2].tolist() == values[:, :2].tolist()
    assert running.port.counters.dropped > 0


def test_a_question_outside_the_cycle_waits_for_its_turn(running: Rig) -> None:
    running.step(Drive.DISABLE, 2)
    running.group.send_one(1, instructions.make_register_write(2, t.LED, 1))
    assert running.servos[1].table[t.LED] == 0
    running.step(Drive.DISABLE)
    assert running.servos[1].table[t.LED] == 1
    assert [packet.instruction for packet in running.port.told()][-1] == t.WRITE


def test_servos_of_different_series_share_a_line() -> None:
    rig = Rig(
        servo(1), servo(2, "XL330-M288"), servo(1, "XM540-W270"), models=("XM430-W350", "XL330-M288", "XM540-W270")
    )
    assert {report.problems for report in rig.inventory().values()} == {()}
    rig.step(Drive.ENABLE, 2)
    assert status(rig) == [ON] * 3
    assert rig.port.told()[-1].instruction == t.BULK_READ
