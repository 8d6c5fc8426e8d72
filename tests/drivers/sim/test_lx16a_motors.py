from __future__ import annotations

import math

import pytest

from drivers.serial.framing import Packet
from drivers.serial.lx16a import codec
from drivers.serial.lx16a.tables import MODELS, READ_LOAD, READ_POSITION, READ_TEMPERATURE
from tests.drivers.sim.servo_bench import Bench

ROW = MODELS["LX-16A"]
CENTRE_RAD = math.radians(120.0)


@pytest.fixture
def bench() -> Bench:
    return Bench("lx16a", {"tty0": (1, 2)}, "LX-16A")


def ask(bench: Bench, data: bytes) -> list[Packet]:
    heard: list[bytes] = []
    bench.lines["tty0"].spoil = lambda data: heard.append(data) or b""
    bench.lines["tty0"].write(data)
    bench.step(None)
    return codec.make_parser().feed(b"".join(heard))


def go(bench: Bench, servo_id: int, position_rad: float, time_ms: int = 0) -> None:
    ask(bench, codec.make_load(servo_id, is_loaded=True) + codec.make_move(servo_id, position_rad, time_ms))


def test_a_position_read_may_be_negative(bench: Bench) -> None:
    bench.position[:] = (-CENTRE_RAD - 0.02, 0.3)
    (answer,) = ask(bench, codec.make_read(1, READ_POSITION))
    assert codec.decode_position(answer) == pytest.approx(-0.02, abs=2.2e-3)


def test_it_pulls_towards_its_goal_and_holds_it_for_ever_when_the_host_dies(bench: Bench) -> None:
    bench.position[:] = 0.0
    go(bench, 1, CENTRE_RAD + 0.05)
    held = bench.torque[0]
    assert held == pytest.approx(ROW.stiffness_nm_per_rad * 0.05, rel=0.05)
    for _ in range(5000):
        bench.step(None)
    assert (bool(bench.twin.is_on[0]), bench.torque[0]) == (True, held)


def test_a_move_with_a_time_takes_that_time(bench: Bench) -> None:
    bench.position[:] = 0.0
    ask(bench, codec.make_move(1, CENTRE_RAD, 0))
    ask(bench, codec.make_load(1, is_loaded=True))
    ask(bench, codec.make_move(1, CENTRE_RAD + 1.0, 100))
    for _ in range(24):
        bench.step(None)
    assert bench.twin.target[0, 0] == pytest.approx(0.5, abs=0.02)


def test_servos_on_one_id_answer_over_each_other(bench: Bench) -> None:
    bench.spoil_servo(1, address_of=0)
    assert ask(bench, codec.make_read(1, READ_POSITION)) == []


def test_whoever_goes_on_talking_spoils_the_answer(bench: Bench) -> None:
    question = codec.make_read(1, READ_POSITION)
    assert ask(bench, question + codec.make_move(2, 1.0, 0)) == []
    assert len(ask(bench, codec.make_move(2, 1.0, 0) + question)) == 1


def test_a_stalled_servo_lets_go_and_says_nothing(bench: Bench) -> None:
    bench.position[:] = 0.0
    go(bench, 1, CENTRE_RAD + 1.0)
    for _ in range(1100):
        ask(bench, codec.make_read(1, READ_TEMPERATURE))
    (answer,) = ask(bench, codec.make_read(1, READ_LOAD))
    assert answer.params == b"\0"
    assert bench.torque[0] == 0.0


@pytest.mark.parametrize(("degc", "volt"), [(85.0, 7.4), (25.0, 12.1)])
def test_heat_and_voltage_let_it_go(bench: Bench, degc: float, volt: float) -> None:
    go(bench, 1, CENTRE_RAD)
    bench.spoil_servo(0, temperature_degc=degc)
    bench.twin.supply_v[0] = volt
    (answer,) = ask(bench, codec.make_read(1, READ_LOAD))
    assert answer.params == b"\0"


def test_a_move_that_waits_is_done_at_the_start(bench: Bench) -> None:
    ask(bench, codec.make_move_wait(1, CENTRE_RAD + 0.5, 0))
    assert bench.twin.goal[0] == 0.0
    ask(bench, codec.make_move_start(254))
    assert bench.twin.goal[0] == pytest.approx(0.5, abs=2.2e-3)
    bench.position[0] = 0.1
    ask(bench, codec.make_move_stop(1))
    assert bench.twin.goal[0] == pytest.approx(0.1)


def test_a_spoilt_packet_is_ignored(bench: Bench) -> None:
    packet = bytearray(codec.make_load(1, is_loaded=True))
    packet[-1] ^= 1
    assert ask(bench, bytes(packet) + b"\x55\x55\x01") == []
    assert not bench.twin.is_on.any()
