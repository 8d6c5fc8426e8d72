from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices import POSITION, STAMP, TORQUE, VELOCITY
from drivers.host_impedance import STALE_CYCLES
from drivers.serial.feetech import codec, instructions
from drivers.serial.feetech.tables import MODELS, SERIES
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.sim.servo_bench import Bench

ON, OFF, FAULT = MotorStatus.ENABLED, MotorStatus.DISABLED, MotorStatus.FAULT
ROW = MODELS["STS3250"]
K = ROW.stiffness_nm_per_rad
IDS = (1, 2, 3)
MOTION = instructions.make_sync_read(56, 10, IDS)
SWITCH = instructions.make_sync_read(40, 1, IDS)


@pytest.fixture
def bench() -> Bench:
    return Bench("feetech", {"tty0": IDS}, "STS3250")


def goals(*positions: float, ids: tuple[int, ...] = IDS) -> bytes:
    words = [codec.pack_word(codec.position_count(SERIES["STS"], p), "little") for p in positions]
    return instructions.make_sync_write(42, 2, list(zip(ids, words, strict=True)))


def last(bench: Bench) -> bytes:
    return bench.lines["tty0"].written[-1]


def test_a_poll_asks_in_turns_where_all_are_and_whether_they_are_on(bench: Bench) -> None:
    assert bench.steps(4, Drive.POLL) == [OFF, OFF, OFF]
    assert set(bench.lines["tty0"].written) == {MOTION, SWITCH}
    assert bench.values[POSITION] == pytest.approx(bench.position, abs=8e-4)
    counters = bench.lines["tty0"].counters
    assert (counters.expected, counters.received, counters.dropped) == (12, 12, 0)


def test_a_cycle_writes_goals_and_one_question_in_one_go(bench: Bench) -> None:
    bench.on()
    written = len(bench.lines["tty0"].written)
    bench.steps(16, Drive.COMMAND, bench.command(0.2, K))
    cycles = bench.lines["tty0"].written[written:]
    assert len(cycles) == 16
    assert {cycle.replace(MOTION, b"").replace(SWITCH, b"") for cycle in cycles} == {goals(0.2, 0.2, 0.2)}
    assert sum(cycle.endswith(SWITCH) for cycle in cycles) == 2


def test_servos_are_switched_on_where_they_are_whatever_goal_they_had(bench: Bench) -> None:
    for servo in range(3):
        bench.twin.set(servo, "goal_position", 4000)
        bench.twin.set(servo, "goal_speed", 300)
        bench.twin.set(servo, "acceleration", 7)
    assert bench.on().status == [ON, ON, ON]
    assert bench.twin.goal == pytest.approx(bench.position, abs=8e-4)
    assert np.abs(bench.torque).max() < 0.05
    assert [bench.twin.get(0, name) for name in ("goal_speed", "goal_time", "acceleration")] == [0, 0, 0]


def test_repeating_enable_does_not_move_the_goal_of_a_servo_that_is_on(bench: Bench) -> None:
    bench.on()
    before = bench.twin.goal.copy()
    bench.position += 0.05
    bench.steps(4, Drive.ENABLE)
    assert bench.twin.goal.tolist() == before.tolist()


def test_a_servo_not_heard_lately_is_not_switched_on(bench: Bench) -> None:
    bench.steps(6, Drive.POLL)
    bench.lines["tty0"].spoil = lambda data: b""
    bench.steps(3 * STALE_CYCLES, Drive.POLL)
    bench.step(Drive.ENABLE)
    assert last(bench) in (MOTION, SWITCH)
    assert bench.lines["tty0"].counters.errors == 3
    assert not bench.twin.is_on.any()


@pytest.mark.parametrize("drive", [Drive.POLL, Drive.DISABLE, Drive.CLEAR_FAULT, Drive.COMMAND])
def test_nothing_but_enable_switches_on(bench: Bench, drive: Drive) -> None:
    bench.steps(6, Drive.POLL)
    bench.steps(20, drive, bench.command(0.2, K))
    assert not bench.twin.is_on.any()


def test_disable_and_clear_fault_switch_off(bench: Bench) -> None:
    assert bench.on().step(Drive.DISABLE) == [OFF, OFF, OFF]
    assert not bench.twin.is_on.any()
    bench.on().step(Drive.CLEAR_FAULT)
    assert not bench.twin.is_on.any()


def test_a_servo_asked_for_nothing_is_limp_and_still_enabled_and_comes_back(bench: Bench) -> None:
    bench.on()
    wish = bench.command(0.2, K)
    wish[2, 1] = 0.0
    assert bench.steps(4, Drive.COMMAND, wish) == [ON, ON, ON]
    assert bench.twin.is_on.tolist() == [True, False, True]
    assert last(bench).startswith(goals(0.2, 0.2, ids=(1, 3)))
    assert bench.steps(4, Drive.COMMAND, bench.command(0.2, K)) == [ON, ON, ON]
    assert bench.twin.is_on.all()
    assert last(bench).startswith(goals(0.2, 0.2, 0.2))
    assert bench.twin.goal == pytest.approx([0.2] * 3, abs=8e-4)


def test_a_lost_switch_is_sent_again(bench: Bench) -> None:
    bench.on()
    wish = bench.command(0.2, 0.0)
    bench.lines["tty0"].lose = lambda data: b""
    bench.step(Drive.COMMAND, wish)
    bench.lines["tty0"].lose = lambda data: data
    bench.steps(3, Drive.COMMAND, wish)
    assert not bench.twin.is_on.any()
    bench.lines["tty0"].lose = lambda data: b""
    bench.step(Drive.COMMAND, bench.command(0.2, K))
    bench.lines["tty0"].lose = lambda data: data
    bench.steps(4, Drive.COMMAND, bench.command(0.2, K))
    assert bench.twin.is_on.all()


def test_a_servo_that_has_let_go_by_itself_gets_no_goal(bench: Bench) -> None:
    bench.on()
    bench.twin.restart(1)
    assert bench.steps(10, Drive.COMMAND, bench.command(0.2, K)) == [ON, OFF, ON]
    assert last(bench).startswith(goals(0.2, 0.2, ids=(1, 3)))
    assert not bench.twin.is_on[1]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 3.2, -3.2])
def test_a_goal_that_cannot_be_told_is_left_out_and_counted(bench: Bench, bad: float) -> None:
    bench.on()
    wish = bench.command(0.2, K)
    wish[0, 0] = bad
    bench.step(Drive.COMMAND, wish)
    assert last(bench).startswith(goals(0.2, 0.2, ids=(2, 3)))
    assert bench.lines["tty0"].counters.errors == 1
    assert bench.twin.goal[0] == pytest.approx(bench.position[0], abs=8e-4)


def test_a_silent_servo_is_told_to_stay_where_it_was_seen(bench: Bench) -> None:
    bench.on()
    bench.steps(2, Drive.COMMAND, bench.command(0.2, K))
    bench.lines["tty0"].spoil = lambda data: b""
    bench.steps(STALE_CYCLES + 2, Drive.COMMAND, bench.command(0.3, K))
    assert last(bench).startswith(goals(*(round(float(p), 9) for p in bench.values[POSITION])))


def test_the_torque_is_what_the_drive_gives_less_what_turning_takes(bench: Bench) -> None:
    bench.on()
    bench.velocity[:] = 0.5
    bench.position[:] = 0.2
    bench.steps(3, Drive.COMMAND, bench.command(0.25, K))
    assert bench.values[VELOCITY] == pytest.approx([0.5] * 3, abs=2e-3)
    assert bench.values[TORQUE] == pytest.approx(bench.torque, abs=0.05)
    assert bench.torque == pytest.approx([K * 0.05 - ROW.damping_nm_s_per_rad * 0.5] * 3, abs=0.03)


@pytest.mark.parametrize(("bits", "name"), [(4, "OVERHEAT"), (32, "OVERLOAD"), (1 | 8, "VOLTAGE+OVERCURRENT")])
def test_error_bits_are_a_fault_with_names(bench: Bench, bits: int, name: str) -> None:
    bench.on()
    bench.twin._forced[1] = bits
    bench.steps(3, Drive.COMMAND, bench.command(0.2, K))
    assert bench.status == [ON, FAULT, ON]
    assert bench.faults[1] == name
    bench.twin._forced[1] = 0
    bench.steps(2, Drive.CLEAR_FAULT)
    assert bench.steps(2, Drive.POLL) == [OFF, OFF, OFF]


def test_a_servo_with_a_fault_is_not_switched_on(bench: Bench) -> None:
    bench.spoil_servo(0, fault="OVERHEAT")
    bench.on()
    assert bench.twin.is_on.tolist() == [False, True, True]


def test_answers_that_come_alone_and_among_noise_say_the_same(bench: Bench) -> None:
    noisy = Bench("feetech", {"tty0": IDS}, "STS3250")
    noisy.lines["tty0"].spoil = lambda data: b"\x00" + data
    for each in (bench, noisy):
        each.on()
        each.spoil_servo(1, fault="OVERHEAT")
        each.position += 0.01
        each.steps(3, Drive.COMMAND, each.command(0.2, K))
    assert bench.values.tolist() == noisy.values.tolist()
    assert bench.codes.tolist() == noisy.codes.tolist()
    counters, noisy_counters = bench.lines["tty0"].counters, noisy.lines["tty0"].counters
    assert counters.received == noisy_counters.received
    assert (counters.dropped, noisy_counters.dropped) == (0, 29)


def test_an_echo_of_our_own_is_no_feedback(bench: Bench) -> None:
    bench.steps(4, Drive.POLL)
    stamps = bench.values[STAMP].copy()
    bench.lines["tty0"].spoil = lambda data: bench.lines["tty0"].written[-1]
    bench.steps(8, Drive.POLL)
    assert bench.values[STAMP].tolist() == stamps.tolist()
    bench.lines["tty0"].spoil = lambda data: bench.lines["tty0"].written[-1] + data
    bench.steps(8, Drive.POLL)
    assert (bench.values[STAMP] > stamps).all()


def test_series_share_a_line_each_in_its_own_byte_order() -> None:
    bench = Bench("feetech", {"tty0": (1, 2, 3)}, ["STS3215", "SCS0009", "SCS0009"])
    assert bench.on().status == [ON, ON, ON]
    bench.steps(9, Drive.COMMAND, bench.command(0.25, 1.0))
    assert bench.values[POSITION] == pytest.approx(bench.position, abs=5e-3)
    assert bench.twin.goal[1:] == pytest.approx(
        bench.position[1:] + 1.0 * (0.25 - bench.position[1:]) / MODELS["SCS0009"].stiffness_nm_per_rad, abs=5e-3
    )
    counters = bench.lines["tty0"].counters
    assert (counters.dropped, counters.errors) == (0, 0)


def test_lines_are_apart() -> None:
    bench = Bench("feetech", {"tty0": (1, 2), "tty1": (1, 2)}, "STS3215").on()
    assert bench.status == [ON] * 4
    bench.steps(2, Drive.COMMAND, bench.command(0.2, 17.8))
    assert [len(line.written) for line in bench.lines.values()] == [28, 28]


@pytest.mark.parametrize("joint", ["joint0", "joint2"])
def test_a_zero_is_set_and_read_back(bench: Bench, joint: str) -> None:
    bench.steps(4, Drive.POLL)
    position_rad = bench.finish(_started(bench.servos.set_zero(joint, bench.now_s)))
    assert position_rad == pytest.approx(0.0, abs=8e-4)
    bench.steps(2, Drive.POLL)
    assert bench.values[POSITION, int(joint[-1])] == pytest.approx(0.0, abs=8e-4)
    assert bench.values[POSITION, 1] == pytest.approx(bench.position[1], abs=8e-4)


def test_a_zero_is_refused_while_on_and_where_there_is_none(bench: Bench) -> None:
    bench.on()
    with pytest.raises(DeviceError, match="servo 1 of joint0 is on"):
        bench.finish(_started(bench.servos.set_zero("joint0", bench.now_s)))
    scs = Bench("feetech", {"tty0": (1,)}, "SCS0009")
    with pytest.raises(DeviceError, match="SCS0009 has no zero"):
        _started(scs.servos.set_zero("joint0", 0.0))


def _started(generator):
    next(generator)
    return generator


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(b"\xff\xff\x01\x0c\x00")), max_size=12))
def test_no_bytes_make_it_raise_and_none_without_a_checksum_are_feedback(chunks: list[bytes]) -> None:
    bench = Bench("feetech", {"tty0": IDS}, "STS3250")
    line = bench.lines["tty0"]
    stream = iter(chunks)
    line.spoil = lambda data: next(stream, b"")
    bench.steps(len(chunks) + 2, Drive.POLL)
    assert (bench.values[STAMP] == NEVER_S).sum() + line.counters.received >= 3
