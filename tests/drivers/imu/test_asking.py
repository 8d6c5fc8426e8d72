from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from drivers.imu.asking import ANSWER_S, ATTEMPTS, UnitLine, pause
from tests.drivers.fake_devices import MemoryPort
from tests.drivers.imu.units import UNITS

T = TypeVar("T")
STEP_S = 0.05


class Port(MemoryPort):
    """Remembers what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.written.append(data)
        return len(data)


def line_and_port() -> tuple[UnitLine, Port]:
    port = Port()
    return UnitLine(UNITS["hipnuc"].config, port), port


def carry_out(work: Generator[None, float, T], line: UnitLine, *heard: bytes) -> T:
    """Resume until it ends, with more bytes heard each time."""
    next(work)
    now_s = 0.0
    parts = iter(heard)
    while True:
        now_s += STEP_S
        line.heard += next(parts, b"")
        try:
            work.send(now_s)
        except StopIteration as end:
            return end.value


def answer_in(heard: bytes) -> bytes | None:
    return b"yes" if b"yes" in heard else None


def test_an_answer_in_parts_is_found_and_asked_for_once() -> None:
    line, port = line_and_port()
    now_s, answer = carry_out(line.ask(b"well?", answer_in, 0.0), line, b"stream y", b"es stream")
    assert (now_s, answer) == (2 * STEP_S, b"yes")
    assert port.written == [b"well?"]


def test_what_was_heard_before_the_question_is_no_answer() -> None:
    line, port = line_and_port()
    line.heard = b"yes"
    now_s, answer = carry_out(line.ask(b"well?", answer_in, 0.0), line)
    assert answer is None
    assert now_s >= ATTEMPTS * ANSWER_S
    assert port.written == [b"well?"] * ATTEMPTS


def test_a_pause_lasts_as_long_as_it_should() -> None:
    line, _ = line_and_port()
    assert 0.5 <= carry_out(pause(0.5, 0.0), line) < 0.5 + 2 * STEP_S
