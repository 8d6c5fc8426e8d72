from __future__ import annotations

import pytest

from drivers.scanning import Found, scan_serial
from drivers.serial.unitree.scan import SCAN
from tests.drivers.serial.unitree.fake import FakeLine, FakeMotor, reply

BRAKE = 0


def scanned(line: FakeLine) -> list[Found]:
    scan = scan_serial(line, "unitree", SCAN, range(4))
    next(scan)
    for cycle in range(1000):
        try:
            scan.send(0.002 * cycle)
        except StopIteration as end:
            return end.value
    raise AssertionError("the scan does not end")


@pytest.mark.parametrize("echoes", [False, True])
def test_every_motor_is_found_and_none_energised(echoes: bool) -> None:
    line = FakeLine(FakeMotor(0), FakeMotor(2))
    line.motors[1].counts |= {"error": 1, "temperature": 96}
    line.echoes = echoes
    assert scanned(line) == [
        Found("unitree", 0, ("25 degC, none",)),
        Found("unitree", 2, ("96 degC, over_temperature",)),
    ]
    assert {mode for _, mode in line.told()} == {BRAKE}


def test_two_motors_that_spoil_each_others_answers_are_shown_as_such() -> None:
    line = FakeLine(FakeMotor(1))
    line.spoils = {1}
    ((_, identifier, (text,)),) = scanned(line)
    assert identifier == 1
    assert "two motors with this id speak at once" in text


def test_two_answers_are_two_motors() -> None:
    assert scanned(FakeLine(FakeMotor(1, 0.1), FakeMotor(1, 0.2))) == [Found("unitree", 1, ("25 degC, none",) * 2)]


@pytest.mark.parametrize("data", [b"", b"\xfd\xee\x00", reply(3)], ids=["nothing", "a little noise", "another motor"])
def test_what_is_no_answer_is_nobody(data: bytes) -> None:
    assert SCAN.recognise(1, data) == []
