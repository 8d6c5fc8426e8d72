from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.canopen import sdo
from drivers.can.canopen.codec import SdoAbort
from drivers.can.canopen.tables import (
    ABORT_CONNECTION_OPTION,
    ATTEMPTS,
    DEVICE_NAME,
    DEVICE_TYPE,
    REPLY_TIMEOUT_S,
    STATUSWORD,
)

PERIOD_S = 0.002
Server = Callable[[bytes], list[bytes]]


class Line:
    """One drive whose replies come from a function, a cycle later."""

    def __init__(self, server: Server) -> None:
        self.node_id = 5
        self.replies: deque[bytes] = deque()
        self.server = server
        self.sent: list[bytes] = []
        self.told: list[bytes] = []
        self.coming: list[bytes] = []

    def send(self, frame: Frame) -> None:
        assert frame.arbitration_id == 0x605
        self.sent.append(frame.data)
        self.coming += self.server(frame.data)

    def tell(self, frame: Frame) -> None:
        self.told.append(frame.data)


def run(line: Line, generator: Generator[None, float, Any], cycles: int = 5000) -> tuple[float, Any]:
    now_s = 0.0
    try:
        next(generator)
        for _ in range(cycles):
            now_s += PERIOD_S
            line.replies.extend(line.coming)
            line.coming = []
            generator.send(now_s)
    except StopIteration as end:
        return end.value
    raise AssertionError("the generator does not end")


def silent(_: bytes) -> list[bytes]:
    return []


def test_an_object_is_read() -> None:
    line = Line(lambda data: [bytes.fromhex("4b416000370200 00")])
    assert run(line, sdo.read(line, STATUSWORD, 0.0)) == (PERIOD_S, 0x237)
    assert line.sent == [bytes.fromhex("4041600000000000")]


def test_a_refusal_is_an_answer_too() -> None:
    line = Line(lambda data: [bytes.fromhex("8041600000000206")])
    _, found = run(line, sdo.read(line, STATUSWORD, 0.0))
    assert isinstance(found, SdoAbort)
    assert found.reason == "no such object"
    assert len(line.sent) == 1


def test_answers_to_something_else_are_passed_over() -> None:
    other, wanted = bytes.fromhex("4b40600001000000"), bytes.fromhex("4b41600037020000")
    line = Line(lambda data: [other, b"", bytes(8), bytes.fromhex("6041600000000000")[:7], wanted])
    assert run(line, sdo.read(line, STATUSWORD, 0.0))[1] == 0x237


def test_an_object_of_another_size_is_not_the_one_meant() -> None:
    line = Line(lambda data: [bytes.fromhex("4f41600037000000")])
    assert isinstance(run(line, sdo.read(line, STATUSWORD, 0.0))[1], SdoAbort)


def test_a_silent_drive_is_asked_a_few_times_and_never_for_ever() -> None:
    line = Line(silent)
    now_s, found = run(line, sdo.read(line, DEVICE_TYPE, 0.0))
    assert found is None
    assert len(line.sent) == ATTEMPTS
    assert now_s == pytest.approx(ATTEMPTS * REPLY_TIMEOUT_S, rel=0.1)


def test_a_write_is_read_back_and_repeated_until_it_is_kept() -> None:
    kept = iter([0, 0, 2])

    def server(data: bytes) -> list[bytes]:
        if data[0] == 0x2B:
            return [b"\x60" + data[1:4] + bytes(4)]
        return [b"\x4b" + data[1:4] + bytes((next(kept), 0, 0, 0))]

    line = Line(server)
    assert run(line, sdo.write(line, ABORT_CONNECTION_OPTION, 2, 0.0))[1] == 2
    assert [data[0] for data in line.sent] == [0x2B, 0x40] * 3


def test_what_is_never_kept_is_told_with_what_it_reads() -> None:
    line = Line(lambda data: [bytes((0x60 if data[0] == 0x2B else 0x4B,)) + data[1:4] + b"\xff\xff\0\0"])
    assert run(line, sdo.write(line, ABORT_CONNECTION_OPTION, 2, 0.0))[1] == -1
    assert len(line.sent) == 2 * ATTEMPTS


def test_a_refused_write_is_not_repeated() -> None:
    line = Line(lambda data: [b"\x80" + data[1:4] + bytes.fromhex("02000106")])
    _, found = run(line, sdo.write(line, ABORT_CONNECTION_OPTION, 2, 0.0))
    assert isinstance(found, SdoAbort)
    assert found.reason == "read-only object"
    assert len(line.sent) == 1


class Texts:
    """A server with one text, in segments where it is long. Loses its n-th answers."""

    def __init__(self, text: bytes, lost: tuple[int, ...] = ()) -> None:
        self.text, self.lost = text, lost
        self.rest = b""
        self.toggle = 0
        self.count = 0

    def __call__(self, data: bytes) -> list[bytes]:
        self.count += 1
        if data[0] == 0x40:
            self.rest, self.toggle = self.text, 0
            if len(self.text) > 4:
                answer = b"\x41" + data[1:4] + len(self.text).to_bytes(4, "little")
            else:
                answer = bytes((0x43 | 4 - len(self.text) << 2,)) + data[1:4] + self.text.ljust(4, b"\0")
        elif data[0] == 0x60 | self.toggle << 4:
            part, self.rest = self.rest[:7], self.rest[7:]
            answer = bytes((self.toggle << 4 | 7 - len(part) << 1 | (not self.rest),)) + part.ljust(7, b"\0")
            self.toggle = 1 - self.toggle
        else:
            answer = b"\x80" + bytes(3) + bytes.fromhex("00000305")
        return [] if self.count in self.lost else [answer]


@pytest.mark.parametrize("text", [b"a", b"v1.2", b"drive", b"sevenby", b"a drive with a long name"])
def test_texts_of_any_length_are_read(text: bytes) -> None:
    line = Line(Texts(text))
    assert run(line, sdo.read_text(line, DEVICE_NAME, 0.0))[1] == text.decode()


@pytest.mark.parametrize("lost", range(1, 5))
def test_a_lost_segment_begins_the_text_again(lost: int) -> None:
    line = Line(Texts(b"a drive with a long name", (lost,)))
    assert run(line, sdo.read_text(line, DEVICE_NAME, 0.0))[1] == "a drive with a long name"
    assert [data[:1] for data in line.told] == [b"\x80"] * (lost > 1)


def test_a_drive_without_the_text_has_none() -> None:
    line = Line(lambda data: [b"\x80" + data[1:4] + bytes.fromhex("00000206")])
    assert run(line, sdo.read_text(line, DEVICE_NAME, 0.0))[1] == ""
    assert run(line, sdo.read_text(Line(silent), DEVICE_NAME, 0.0))[1] == ""


def test_a_text_without_end_is_cut_off() -> None:
    line = Line(Texts(b"x" * 10_000))
    assert run(line, sdo.read_text(line, DEVICE_NAME, 0.0))[1] == ""


@given(st.lists(st.one_of(st.binary(max_size=9), st.binary(min_size=8, max_size=8)), max_size=4))
def test_no_answer_makes_it_raise_or_hang(answers: list[bytes]) -> None:
    for ask in (
        lambda line: sdo.read(line, STATUSWORD, 0.0),
        lambda line: sdo.write(line, ABORT_CONNECTION_OPTION, 2, 0.0),
        lambda line: sdo.read_text(line, DEVICE_NAME, 0.0),
    ):
        line = Line(lambda data: list(answers))
        run(line, ask(line))


def test_the_numbers_of_all_answers_are_told_apart() -> None:
    line = Line(silent)
    line.replies.extend(bytes.fromhex(text) for text in ("4b41600037020000", "4b41600038020000", "8041600000000206"))
    assert sdo.numbers(line, STATUSWORD) == {0x237, 0x238}
    assert not line.replies
