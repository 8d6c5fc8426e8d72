from __future__ import annotations

import pytest

from drivers.bus import Frame
from drivers.can.canopen.scan import SCAN


def test_a_drive_is_asked_for_its_device_type_and_recognised_by_it() -> None:
    assert SCAN.ask(5) == Frame(0x605, bytes.fromhex("4000100000000000"))
    assert SCAN.recognise(5, Frame(0x585, bytes.fromhex("4300100092010200"))) == "CiA 402 drive"
    other = Frame(0x585, bytes.fromhex("4300100091010300"))
    assert SCAN.recognise(5, other) == "no drive: device profile 401"


@pytest.mark.parametrize(
    ("identifier", "data"),
    [
        (0x586, "4300100092010200"),
        (0x585, "4318100292010200"),
        (0x585, "8000100000000206"),
        (0x585, "4f00100092000000"),
        (0x585, "43001000920102"),
        (0x705, "05"),
        (0x605, "4000100000000000"),
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(identifier: int, data: str) -> None:
    assert SCAN.recognise(5, Frame(identifier, bytes.fromhex(data))) is None
