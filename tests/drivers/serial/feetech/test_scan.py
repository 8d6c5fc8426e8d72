from __future__ import annotations

from drivers.serial.feetech import codec
from drivers.serial.feetech.scan import SCAN
from tests.drivers.sim.servo_bench import Bench


def scan(bench: Bench, servo_id: int) -> list[str]:
    heard: list[bytes] = []
    bench.lines["tty0"].spoil = lambda data: heard.append(data) or b""
    bench.lines["tty0"].write(SCAN.ask(servo_id))
    bench.step(None)
    return list(SCAN.recognise(servo_id, b"".join(heard)))


def test_a_servo_tells_its_model_firmware_and_faults_whatever_its_series() -> None:
    bench = Bench("feetech", {"tty0": (1, 2, 3)}, ["STS3250", "SCS0009", "STS3215"])
    assert scan(bench, 1) == ["STS3250, firmware 3.10, no fault"]
    assert scan(bench, 2) == ["SCS0009, firmware 3.10, no fault"]
    bench.spoil_servo(2, fault="OVERHEAT")
    assert scan(bench, 3) == ["STS3215 or STS3215-12V, firmware 3.10, OVERHEAT"]
    assert scan(bench, 4) == []
    assert not bench.twin.is_on.any()


def test_an_unknown_model_is_shown_as_read_and_an_echo_is_nobody() -> None:
    assert list(SCAN.recognise(1, codec.make_status(1, 0, b"\x03\x0a\x00\x12\x34"))) == [
        "unknown model 1234, firmware 3.10, no fault"
    ]
    assert list(SCAN.recognise(1, SCAN.ask(1))) == []


def test_two_servos_with_one_id_are_seen_by_what_cannot_be_understood() -> None:
    bench = Bench("feetech", {"tty0": (1, 2)}, ["STS3250", "SCS0009"])
    bench.spoil_servo(1, address_of=0)
    assert "more than one servo with this id" in scan(bench, 1)[0]
