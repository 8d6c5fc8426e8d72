from __future__ import annotations

import pytest

from drivers.serial.feetech import codec, instructions
from drivers.serial.half_duplex import IDLE_SWITCH_CYCLES, SWITCH_CYCLES, Line, Question
from tests.drivers.sim.servo_bench import MemoryLine

MOTIONS = (Question(b"m1", 1), Question(b"m2", 1))
SWITCHES = (Question(b"s1", 1), Question(b"s2", 1))
OTHERS = (Question(b"o", 1),)


@pytest.fixture
def port() -> MemoryLine:
    return MemoryLine()


@pytest.fixture
def line(port: MemoryLine) -> Line:
    line = Line("tty0", port, [0, 1], [1, 2], codec.make_parser())
    line.motions += MOTIONS
    line.switches += SWITCHES
    line.others += OTHERS
    return line


def asked(line: Line, count: int, *, is_commanding: bool) -> list[str]:
    return [line.next_question(is_commanding=is_commanding).data.decode() for _ in range(count)]


def test_while_commands_are_sent_motion_is_asked_in_all_cycles_but_a_few(line: Line) -> None:
    questions = asked(line, 8 * SWITCH_CYCLES, is_commanding=True)
    assert sum(question[0] == "m" for question in questions) == 8 * (SWITCH_CYCLES - 1)
    assert set(questions) == {"m1", "m2", "s1", "s2", "o"}


@pytest.mark.parametrize(("motions", "cycles"), [(1, 2), (2, IDLE_SWITCH_CYCLES)])
def test_otherwise_some_cycles_more_ask_who_is_on(line: Line, motions: int, cycles: int) -> None:
    del line.motions[motions:]
    questions = asked(line, 6 * cycles, is_commanding=False)
    assert [question[0] == "m" for question in questions] == [*[True] * (cycles - 1), False] * 6


def test_after_a_doubt_every_switch_is_asked_and_then_everybody_has_moved_before_the_next(line: Line) -> None:
    for _ in range(3):
        line.doubt()
        assert sorted(asked(line, 2, is_commanding=True)) == ["s1", "s2"]
        line.doubt()
        assert [question[0] for question in asked(line, 4, is_commanding=True)].count("m") >= 3


def test_what_is_not_answered_and_one_question_go_in_one_write(line: Line, port: MemoryLine) -> None:
    line.send(b"goals", MOTIONS[0])
    assert port.written == [b"goalsm1"]
    assert port.counters.expected == 1


def test_an_inventory_asks_in_the_place_of_the_cycle_and_leaves_some_in_between(line: Line, port: MemoryLine) -> None:
    line.waiting += (b"i1", b"i2")
    for _ in range(7):
        line.send(b"", MOTIONS[0])
    assert port.written == [b"m1", b"m1", b"i1", b"m1", b"m1", b"i2", b"m1"]


def test_a_late_half_is_waited_for_and_a_lost_one_is_not(line: Line, port: MemoryLine) -> None:
    answer = codec.make_status(1, 0, bytes(10))
    for half in (answer[:7], answer[7:]):
        port.pending = half
        packets = line.parse(line.read(0.0))
        line.send(b"", MOTIONS[0])
    assert [packet.id for packet in packets] == [1]
    port.pending = answer[:7]
    assert line.parse(line.read(0.0)) == []
    line.send(b"", MOTIONS[0])
    assert line.parse(line.read(0.0)) == []
    line.send(b"", MOTIONS[0])
    port.pending = answer
    assert len(line.parse(line.read(0.0))) == 1
    assert port.counters.dropped == 7


def test_only_what_an_inventory_hears_counts_as_spoilt_there(line: Line, port: MemoryLine) -> None:
    line.send(b"", MOTIONS[0])
    port.pending = b"noise"
    line.parse(line.read(0.0))
    assert line.spoilt_bytes == 0
    line.waiting.append(instructions.make_ping(1))
    line.send(b"", MOTIONS[0])
    line.send(b"", MOTIONS[0])
    port.pending = b"noise"
    line.parse(line.read(0.0))
    assert (line.spoilt_bytes, port.counters.dropped) == (5, 10)
