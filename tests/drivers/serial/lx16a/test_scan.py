from __future__ import annotations

from drivers.serial.lx16a.scan import SCAN
from tests.drivers.sim.servo_bench import Bench


def scan(bench: Bench, servo_id: int) -> list[str]:
    heard: list[bytes] = []
    bench.lines["tty0"].spoil = lambda data: heard.append(data) or b""
    bench.lines["tty0"].write(SCAN.ask(servo_id))
    bench.step(None)
    return list(SCAN.recognise(servo_id, b"".join(heard)))


def test_a_servo_tells_where_it_is_and_an_echo_is_nobody() -> None:
    bench = Bench("lx16a", {"tty0": (1, 2)}, "LX-16A")
    assert scan(bench, 1) == ["at 2.195 rad"]
    assert scan(bench, 3) == []
    assert list(SCAN.recognise(1, SCAN.ask(1))) == []


def test_two_servos_with_one_id_are_seen_by_what_cannot_be_understood() -> None:
    bench = Bench("lx16a", {"tty0": (1, 2)}, "LX-16A")
    bench.spoil_servo(1, address_of=0)
    assert "more than one servo with this id" in scan(bench, 1)[0]
