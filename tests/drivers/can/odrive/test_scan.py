from __future__ import annotations

import pytest

from drivers.bus import Frame
from drivers.can.odrive.scan import SCAN


def test_a_board_tells_what_it_is() -> None:
    assert SCAN.ask(5) == Frame(5 << 5, b"")
    answer = Frame(5 << 5, bytes.fromhex("0204043a00060900"))
    assert SCAN.recognise(5, answer) == "Pro, hardware 4.4.58, firmware 0.6.9"
    assert (
        SCAN.recognise(5, Frame(5 << 5, bytes.fromhex("0207010000060a00"))) == "board, hardware 7.1.0, firmware 0.6.10"
    )


@pytest.mark.parametrize(
    "frame",
    [
        Frame(6 << 5, bytes(8)),
        Frame(5 << 5, b""),
        Frame(5 << 5, bytes(8), is_extended=True),
        Frame(5 << 5 | 0x01, bytes(8)),
    ],
)
def test_everything_else_is_no_answer(frame: Frame) -> None:
    assert SCAN.recognise(5, frame) is None
