from __future__ import annotations

from drivers.scanning import scan_serial
from drivers.serial.dynamixel.scan import SCAN
from drivers.sim.servos.dynamixel_servo import DynamixelServo
from tests.drivers.serial.dynamixel.fake import FakePort, servo


def scanned(*servos: DynamixelServo) -> dict[int, tuple[str, ...]]:
    port, cycles = FakePort(*servos), 0
    work = scan_serial(port, "dynamixel", SCAN, range(5))
    next(work)
    while True:
        cycles += 1
        try:
            work.send(0.002 * cycles)
        except StopIteration as end:
            return {found.id: found.details for found in end.value}


def test_model_and_firmware_are_told_and_nobody_is_energised() -> None:
    servos = servo(1), servo(3, "XL330-M288", 51)
    assert scanned(*servos) == {1: ("XM430-W350, firmware 52",), 3: ("XL330-M288, firmware 51",)}
    assert not any(one.has_torque for one in servos)


def test_different_servos_with_one_id_are_bytes_that_are_no_packet() -> None:
    (text,) = scanned(servo(1), servo(1, "XL330-M288"))[1]
    assert text.startswith("bytes that are no packet: more than one motor with this id")


def test_a_packet_of_somebody_else_is_no_answer() -> None:
    assert list(SCAN.recognise(1, SCAN.ask(1))) == []
    assert list(SCAN.recognise(1, b"")) == []
