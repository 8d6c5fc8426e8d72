from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.serial.feetech import codec, instructions
from drivers.serial.feetech.tables import MODELS
from drivers.sim.motors.position_servos import collide
from tests.drivers.sim.servo_bench import Bench

IDS = (1, 2, 3)
ROW = MODELS["STS3250"]
COUNT_RAD = 2.0 * math.pi / 4096.0


@pytest.fixture
def bench() -> Bench:
    return Bench("feetech", {"tty0": IDS}, "STS3250")


def ask(bench: Bench, data: bytes) -> list[codec.Status]:
    bench.lines["tty0"].write(data)
    bench.step(None)
    return bench_answers(bench)


def bench_answers(bench: Bench) -> list[codec.Status]:
    heard, bench.heard = getattr(bench, "heard", b""), b""
    return [codec.decode_status(packet) for packet in codec.make_parser().feed(heard)]


@pytest.fixture(autouse=True)
def listen(bench: Bench) -> None:
    """Keep what arrives for the test, instead of giving it to the driver."""

    def keep(data: bytes) -> bytes:
        bench.heard = getattr(bench, "heard", b"") + data
        return b""

    bench.lines["tty0"].spoil = keep


def write(bench: Bench, servo_id: int, address: int, *data: int) -> None:
    ask(bench, instructions.make_write(servo_id, address, bytes(data)))


def go(bench: Bench, servo_id: int, count: int, *, on: bool = True) -> None:
    write(bench, servo_id, 42, count & 0xFF, count >> 8)
    write(bench, servo_id, 40, int(on))


def test_it_pulls_with_its_stiffness_until_its_drive_is_full_and_turning_takes_torque(bench: Bench) -> None:
    bench.position[:] = 0.0
    go(bench, 1, 2048 + 65)
    go(bench, 2, 2048 - 1000)
    bench.velocity[:] = 1.0
    bench.step(None)
    k, d = ROW.stiffness_nm_per_rad, ROW.damping_nm_s_per_rad
    assert bench.torque == pytest.approx([k * 65 * COUNT_RAD - d, -ROW.torque_max_nm - d, 0.0])


def test_at_its_no_load_speed_it_has_no_torque_left(bench: Bench) -> None:
    bench.position[:] = 0.0
    go(bench, 1, 4000)
    bench.velocity[0] = ROW.velocity_max_rad_per_s
    bench.step(None)
    assert bench.torque[0] == pytest.approx(0.0, abs=1e-9)


def test_gain_torque_limit_and_goal_speed_act(bench: Bench) -> None:
    bench.position[:] = 0.0
    go(bench, 1, 2048 + 30)
    write(bench, 1, 21, 16)
    go(bench, 2, 4000)
    write(bench, 2, 48, 250, 0)
    write(bench, 3, 46, 100, 0)
    go(bench, 3, 3048)
    before = bench.twin.target[0, 2]
    for _ in range(10):
        bench.step(None)
    assert bench.twin.stiffness[0] == pytest.approx(ROW.stiffness_nm_per_rad / 2.0)
    assert bench.torque[1] == pytest.approx(ROW.torque_max_nm / 4.0)
    assert bench.twin.target[0, 2] - before == pytest.approx(10 * 0.002 * 100 * COUNT_RAD)


def test_when_the_host_dies_it_holds_its_last_goal_for_ever(bench: Bench) -> None:
    bench.position[:] = 0.0
    go(bench, 1, 2048 + 50)
    held = bench.torque[0]
    for _ in range(5000):
        bench.step(None)
    assert bench.twin.is_on[0]
    assert bench.torque[0] == pytest.approx(held)
    assert held > 1.0


def test_every_servo_answers_a_sync_read_with_a_packet_of_its_own(bench: Bench) -> None:
    answers = ask(bench, instructions.make_sync_read(56, 15, (3, 1)))
    assert [answer.id for answer in answers] == [3, 1]
    motion = codec.decode_sts_motion(answers[1].data)
    assert motion.position_rad == pytest.approx(bench.position[0], abs=COUNT_RAD)
    assert (motion.voltage_v, motion.temperature_degc, motion.error_bits) == (12.0, 25.0, 0)


def test_a_negative_position_is_within_the_turn(bench: Bench) -> None:
    bench.position[0] = -0.5
    (answer,) = ask(bench, instructions.make_read(1, 56, 2))
    assert int.from_bytes(answer.data, "little") == 2048 - round(0.5 / COUNT_RAD)


def test_servos_on_one_id_answer_over_each_other(bench: Bench) -> None:
    bench.spoil_servo(1, address_of=0)
    assert ask(bench, instructions.make_read(1, 56, 2)) == []
    assert ask(bench, instructions.make_read(2, 56, 2)) == []
    assert collide([b"\xff\x0f", b"\xf0\xff\x81"]) == b"\xf0\x0f\x81"
    assert collide([]) == b""


def test_whoever_goes_on_talking_spoils_the_answer(bench: Bench) -> None:
    question = instructions.make_read(1, 56, 2)
    assert ask(bench, question + instructions.make_read(2, 56, 2)) == []
    assert len(ask(bench, instructions.make_sync_write(42, 2, [(1, b"\0\x08")]) + question)) == 1


def test_a_servo_hears_nothing_at_another_baud_rate(bench: Bench) -> None:
    bench.twin.set(0, "baud", 4)
    assert ask(bench, instructions.make_ping(1)) == []
    assert len(ask(bench, instructions.make_ping(2))) == 1


def test_what_is_written_to_storage_is_lost_at_a_restart_unless_it_is_unlocked(bench: Bench) -> None:
    write(bench, 1, 21, 40)
    write(bench, 2, 55, 0)
    write(bench, 2, 21, 40)
    for servo in range(2):
        bench.twin.restart(servo)
    assert [bench.twin.get(servo, "p_gain") for servo in range(2)] == [32, 40]


def test_an_overloaded_servo_lets_go_and_says_so_until_it_is_switched_off(bench: Bench) -> None:
    bench.position[:] = 0.0
    go(bench, 1, 4000)
    for _ in range(1100):
        ask(bench, instructions.make_read(1, 65, 1))
    (answer,) = ask(bench, instructions.make_read(1, 65, 1))
    assert (answer.error_bits, answer.data) == (32, b"\x20")
    assert not bench.twin.is_on[0]
    write(bench, 1, 40, 0)
    (answer,) = ask(bench, instructions.make_read(1, 65, 1))
    assert answer.error_bits == 0


@pytest.mark.parametrize(("degc", "volt", "bits", "is_on"), [(70.0, 12.0, 4, False), (69.0, 14.2, 1, True)])
def test_heat_lets_it_go_and_voltage_is_told(bench: Bench, degc: float, volt: float, bits: int, is_on: bool) -> None:
    go(bench, 1, 2048)
    bench.spoil_servo(0, temperature_degc=degc)
    bench.twin.supply_v[0] = volt
    ask(bench, instructions.make_read(1, 65, 1))
    (answer,) = ask(bench, instructions.make_read(1, 65, 1))
    assert answer.error_bits == bits
    assert bool(bench.twin.is_on[0]) == is_on


def test_the_middle_is_set_where_it_stands(bench: Bench) -> None:
    write(bench, 1, 40, 128)
    (answer,) = ask(bench, instructions.make_read(1, 56, 2))
    assert int.from_bytes(answer.data, "little") == 2048
    assert not bench.twin.is_on.any()


def test_what_is_left_for_later_is_done_on_action(bench: Bench) -> None:
    ask(bench, instructions.make_reg_write(1, 42, b"\x00\x09"))
    assert bench.twin.get(0, "goal_position") == 0
    ask(bench, instructions.make_action(1))
    assert bench.twin.get(0, "goal_position") == 0x900


def test_spoilt_and_foreign_bytes_are_ignored(bench: Bench) -> None:
    rng = np.random.default_rng(1)
    packet = bytearray(instructions.make_write(1, 40, b"\x01"))
    packet[-1] ^= 1
    for data in (bytes(packet), b"\xff\xff", b"\xff\xff\x01", *(rng.bytes(40) for _ in range(50))):
        assert ask(bench, data) == []
    assert not bench.twin.is_on.any()
