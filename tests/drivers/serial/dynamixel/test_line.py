from __future__ import annotations

from drivers.serial.dynamixel import instructions
from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.line import Question, ServoLine
from tests.drivers.serial.dynamixel.fake import FakePort, servo

PING = Question(2, instructions.make_ping(2), 3)


def make_line() -> tuple[ServoLine, FakePort]:
    port = FakePort(servo(1), servo(2))
    return ServoLine(port, (1, 2), (224, 224)), port


def cycle(line: ServoLine, port: FakePort, **given: bool) -> int:
    """One cycle; the instruction that was asked in it."""
    line.write(**given)
    line.read(port.now_s + 0.002)
    return port.told()[-1].instruction


def test_a_question_takes_the_place_of_one_read_and_never_of_two_in_a_row() -> None:
    line, port = make_line()
    line.ask(PING)
    line.ask(PING, is_only=False)
    assert [cycle(line, port) for _ in range(4)] == [t.PING, t.SYNC_READ, t.PING, t.SYNC_READ]
    assert (port.counters.expected, port.counters.received) == (6, 6)


def test_the_answer_is_that_of_who_was_asked() -> None:
    line, port = make_line()
    line.ask(PING)
    cycle(line, port)
    assert line.answer is not None
    assert (line.answer.id, line.answer.data) == (2, b"\xfc\x03\x34")


def test_an_answer_of_another_servo_or_size_is_none() -> None:
    line, port = make_line()
    for question in (Question(1, PING.packet, 3), Question(2, PING.packet, 4)):
        line.ask(question)
        cycle(line, port)
        cycle(line, port)
        assert line.answer is None
    assert port.counters.dropped == 2


def test_an_error_is_an_answer_whatever_was_asked_for() -> None:
    line, port = make_line()
    line.ask(Question(2, instructions.make_read(2, 500, 4), 4))
    cycle(line, port)
    assert line.answer is not None
    assert line.answer.error_code == 7


def test_a_question_waits_where_it_may_not_be_asked_and_is_forgotten_on_demand() -> None:
    line, port = make_line()
    line.ask(PING)
    assert cycle(line, port, may_ask=False) == t.SYNC_READ
    assert line.is_waiting
    line.forget()
    assert cycle(line, port) == t.SYNC_READ


def test_a_new_question_replaces_the_one_before_and_its_answer() -> None:
    line, port = make_line()
    line.ask(PING)
    cycle(line, port)
    line.ask(Question(1, instructions.make_ping(1), 3))
    assert line.answer is None
    cycle(line, port)
    cycle(line, port)
    assert line.answer is not None
    assert line.answer.id == 1


def test_rubbish_is_counted() -> None:
    line, port = make_line()
    assert not line.has_heard
    port.spoil = lambda data: b"\x00\x01" + data[:-1]
    cycle(line, port)
    cycle(line, port)
    assert line.garbled == 2
    assert port.counters.dropped > 2
    assert line.has_heard
