from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.devices import POSITION, STAMP, TEMPERATURE, TORQUE, VELOCITY
from drivers.serial.lx16a import codec
from drivers.serial.lx16a.tables import MODELS, READ_LOAD, READ_POSITION, READ_TEMPERATURE, READ_VOLTAGE
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.sim.servo_bench import STEP_S, Bench

ON, OFF, FAULT = MotorStatus.ENABLED, MotorStatus.DISABLED, MotorStatus.FAULT
K = MODELS["LX-16A"].stiffness_nm_per_rad
IDS = (1, 2, 3)
CENTRE_RAD = math.radians(120.0)


@pytest.fixture
def bench() -> Bench:
    return Bench("lx16a", {"tty0": IDS}, "LX-16A")


def moves(*positions: float, ids: tuple[int, ...] = IDS) -> bytes:
    return b"".join(codec.make_move(i, p + CENTRE_RAD, 0) for i, p in zip(ids, positions, strict=True))


def questions(bench: Bench, since: int) -> list[tuple[int, int]]:
    """Id and command of what was asked, the last packet of each cycle."""
    return [(data[-4], data[-2]) for data in bench.lines["tty0"].written[since:]]


def test_a_poll_asks_one_servo_in_each_cycle_and_each_in_turn(bench: Bench) -> None:
    bench.steps(24, Drive.POLL)
    asked = questions(bench, 0)
    assert {servo for servo, command in asked if command == READ_POSITION} == set(IDS)
    assert {servo for servo, command in asked if command == READ_LOAD} == set(IDS)
    assert {len(data) for data in bench.lines["tty0"].written} == {6}
    assert bench.status == [OFF, OFF, OFF]
    assert bench.values[POSITION] == pytest.approx(bench.position, abs=2.2e-3)


def test_every_temperature_is_known_at_once(bench: Bench) -> None:
    bench.steps(8, Drive.POLL)
    assert bench.values[TEMPERATURE].tolist() == [25.0] * 3
    assert [command for _, command in questions(bench, 0)[:3]] == [READ_TEMPERATURE] * 3


def test_a_cycle_moves_every_servo_and_asks_one(bench: Bench) -> None:
    bench.on()
    since = len(bench.lines["tty0"].written)
    bench.steps(64, Drive.COMMAND, bench.command(0.2, K))
    cycles = bench.lines["tty0"].written[since:]
    assert {data[:-6] for data in cycles} == {moves(0.2, 0.2, 0.2)}
    asked = [command for _, command in questions(bench, since)]
    assert asked.count(READ_POSITION) == 56
    assert {READ_LOAD, READ_TEMPERATURE, READ_VOLTAGE} <= set(asked)
    counters = bench.lines["tty0"].counters
    assert (counters.dropped, counters.errors) == (0, 0)


def test_servos_are_switched_on_where_they_are(bench: Bench) -> None:
    bench.twin.goal[:] = 1.5
    assert bench.on().status == [ON, ON, ON]
    assert bench.twin.goal == pytest.approx(bench.position, abs=2.2e-3)
    assert np.abs(bench.torque).max() < 0.05


@pytest.mark.parametrize("drive", [Drive.POLL, Drive.DISABLE, Drive.CLEAR_FAULT, Drive.COMMAND])
def test_nothing_but_enable_switches_on(bench: Bench, drive: Drive) -> None:
    bench.steps(12, Drive.POLL)
    bench.steps(30, drive, bench.command(0.2, K))
    assert not bench.twin.is_on.any()


def test_disable_switches_off_and_says_so_once_every_servo_was_asked(bench: Bench) -> None:
    bench.on().step(Drive.DISABLE)
    assert not bench.twin.is_on.any()
    assert bench.steps(3, Drive.DISABLE) == [OFF, OFF, OFF]


def test_speed_is_what_two_positions_make_of_it_and_torque_what_the_distance_does(bench: Bench) -> None:
    bench.on()
    for _ in range(60):
        bench.position += 1.0 * STEP_S
        bench.step(Drive.COMMAND, bench.command(0.45, K))
    assert bench.values[VELOCITY] == pytest.approx([1.0] * 3, abs=0.8)
    assert np.isfinite(bench.values[TEMPERATURE]).all()
    still = bench.steps(20, Drive.COMMAND, bench.command(0.45, K))
    assert still == [ON, ON, ON]
    assert bench.values[VELOCITY] == pytest.approx([0.0] * 3, abs=1e-9)
    assert bench.values[TORQUE] == pytest.approx(bench.torque, abs=K * 4.4e-3)


def test_a_servo_that_is_off_gives_no_torque(bench: Bench) -> None:
    bench.on().steps(9, Drive.COMMAND, bench.command(0.45, K))
    bench.steps(20, Drive.DISABLE)
    assert bench.values[TORQUE].tolist() == [0.0, 0.0, 0.0]


def test_a_servo_asked_for_nothing_is_limp_and_still_enabled_and_comes_back(bench: Bench) -> None:
    bench.on()
    wish = bench.command(0.2, K)
    wish[2, 1] = 0.0
    assert bench.steps(20, Drive.COMMAND, wish) == [ON, ON, ON]
    assert bench.twin.is_on.tolist() == [True, False, True]
    assert bench.steps(20, Drive.COMMAND, bench.command(0.2, K)) == [ON, ON, ON]
    assert bench.twin.is_on.all()


def test_a_servo_that_lets_go_by_itself_is_a_fault_until_it_is_cleared(bench: Bench) -> None:
    bench.on()
    bench.spoil_servo(1, fault="STALLED")
    assert bench.steps(60, Drive.COMMAND, bench.command(0.2, K)) == [ON, FAULT, ON]
    assert bench.faults == ["", "UNLOADED", ""]
    bench.spoil_servo(1)
    bench.steps(12, Drive.CLEAR_FAULT)
    assert bench.steps(12, Drive.POLL) == [OFF, OFF, OFF]


def test_heat_and_voltage_beyond_what_the_inventory_has_read_are_faults(bench: Bench) -> None:
    bench.inventory()
    bench.spoil_servo(0, temperature_degc=90.0)
    bench.twin.supply_v[2] = 12.5
    bench.steps(60, Drive.POLL)
    assert bench.faults == ["OVER_TEMPERATURE", "", "OVER_VOLTAGE"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, 2.1, -2.1])
def test_a_goal_that_cannot_be_told_is_left_out_and_counted(bench: Bench, bad: float) -> None:
    bench.position[:] = bad if math.isfinite(bad) else 0.2
    bench.on()
    wish = bench.command(0.2, K)
    wish[0, 0] = bad
    errors = bench.lines["tty0"].counters.errors
    bench.step(Drive.COMMAND, wish)
    assert bench.lines["tty0"].counters.errors > errors
    assert codec.make_move(2, 0.2 + CENTRE_RAD, 0)[:4] in bench.lines["tty0"].written[-1] or not bench.twin.is_on[1]
    assert moves(0.2, ids=(1,)) not in bench.lines["tty0"].written[-1]


def test_an_echo_of_our_own_is_no_feedback(bench: Bench) -> None:
    bench.steps(12, Drive.POLL)
    stamps = bench.values[STAMP].copy()
    bench.lines["tty0"].spoil = lambda data: bench.lines["tty0"].written[-1]
    bench.steps(12, Drive.POLL)
    assert bench.values[STAMP].tolist() == stamps.tolist()


def test_a_zero_cannot_be_set(bench: Bench) -> None:
    with pytest.raises(DeviceError, match="the zero of lx16a cannot be set"):
        next(bench.servos.set_zero("joint0", 0.0))


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(b"\x55\x55\x01\x05\x1c")), max_size=12))
def test_no_bytes_make_it_raise(chunks: list[bytes]) -> None:
    bench = Bench("lx16a", {"tty0": IDS}, "LX-16A")
    line, stream = bench.lines["tty0"], iter(chunks)
    line.spoil = lambda data: next(stream, b"")
    bench.steps(len(chunks) + 2, Drive.POLL)
    assert (bench.values[STAMP] == NEVER_S).sum() + line.counters.received >= 3
