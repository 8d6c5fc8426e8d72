from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.feetech.tables import LAYOUT as FEETECH
from drivers.serial.framing import EchoFilter, Packet, SummedLayout, SummedParser, inverted_sum
from drivers.serial.lx16a.tables import LAYOUT as LX16A

layouts = st.sampled_from([FEETECH, LX16A])
bodies = st.tuples(st.integers(0, 252), st.integers(0, 255), st.binary(max_size=4))


def frame(layout: SummedLayout, body: tuple[int, int, bytes]) -> bytes:
    servo_id, instruction, params = body
    length = len(params) + 6 - layout.uncounted_bytes
    inside = bytes((servo_id, length, instruction)) + params
    return layout.sync + inside + bytes((255 - sum(inside) % 256,))


def noise(layout: SummedLayout) -> st.SearchStrategy[bytes]:
    likely = [layout.sync[0], 0x00, 0x01, 0x03, 0x05]
    return st.one_of(st.binary(max_size=30), st.lists(st.sampled_from(likely), max_size=30).map(bytes))


def streams(layout: SummedLayout) -> st.SearchStrategy[bytes]:
    parts = st.one_of(noise(layout), bodies.map(lambda body: frame(layout, body)))
    return st.lists(parts, max_size=8).map(b"".join)


def counters(parser: SummedParser) -> tuple[int, ...]:
    return parser.packets, parser.bad_sum, parser.bad_head, parser.dropped_bytes, parser.unfinished_bytes


def test_the_sum_is_inverted_and_has_eight_bits() -> None:
    assert inverted_sum(b"\x01\x02\x01") == 0xFB
    assert inverted_sum(b"\xff\xff\x03") == 0xFE


@given(layouts, bodies)
def test_any_packet_comes_back(layout: SummedLayout, body: tuple[int, int, bytes]) -> None:
    assert SummedParser(layout).feed(frame(layout, body)) == [Packet(*body)]


@given(layouts.flatmap(lambda it: st.tuples(st.just(it), streams(it))), st.lists(st.integers(0, 30), max_size=10))
def test_however_the_bytes_are_cut_the_packets_are_the_same(
    given_stream: tuple[SummedLayout, bytes], sizes: list[int]
) -> None:
    layout, data = given_stream
    whole, parser = SummedParser(layout), SummedParser(layout)
    expected = whole.feed(data)
    found: list[Packet] = []
    for size in sizes:
        found += parser.feed(data[:size])
        data = data[size:]
    assert found + parser.feed(data) == expected
    assert counters(parser) == counters(whole)


@given(layouts.flatmap(lambda it: st.tuples(st.just(it), streams(it))))
def test_nothing_with_a_wrong_sum_is_a_packet_and_no_byte_is_lost_track_of(
    given_stream: tuple[SummedLayout, bytes],
) -> None:
    layout, data = given_stream
    parser = SummedParser(layout)
    packets = parser.feed(data)
    whole = [frame(layout, packet) for packet in packets]
    assert all(each in data for each in whole)
    assert len(data) == sum(len(each) for each in whole) + parser.dropped_bytes + parser.unfinished_bytes
    assert parser.unfinished_bytes < layout.maximum_bytes


@given(layouts, bodies, st.data())
def test_one_flipped_bit_is_never_accepted(
    layout: SummedLayout, body: tuple[int, int, bytes], data: st.DataObject
) -> None:
    good = frame(layout, body)
    bit = data.draw(st.integers(0, 8 * len(good) - 1))
    damaged = bytearray(good)
    damaged[bit // 8] ^= 1 << bit % 8
    assert Packet(*body) not in SummedParser(layout).feed(bytes(damaged))


@pytest.mark.parametrize("layout", [FEETECH, LX16A])
def test_after_giving_up_the_next_answer_is_found_at_once(layout: SummedLayout) -> None:
    good = frame(layout, (1, 0, b"ab"))
    parser = SummedParser(layout)
    assert parser.feed(good[:3]) == []
    parser.give_up()
    assert parser.feed(good) == [Packet(1, 0, b"ab")]
    assert (parser.given_up, parser.dropped_bytes) == (1, 3)
    parser.give_up()
    assert parser.given_up == 1


@pytest.mark.parametrize("head", ["ffff", "ff02", "0101", "01ff"])
def test_a_head_that_cannot_be_is_skipped_at_once(head: str) -> None:
    good = frame(FEETECH, (1, 0, b"ab"))
    parser = SummedParser(FEETECH)
    assert parser.feed(b"\xff\xff" + bytes.fromhex(head) + good) == [Packet(1, 0, b"ab")]
    assert parser.bad_head > 0


def test_a_damaged_frame_is_counted_and_the_next_one_found() -> None:
    bad = bytearray(frame(FEETECH, (1, 0, b"ab")))
    bad[-1] ^= 1
    parser = SummedParser(FEETECH)
    assert parser.feed(bytes(bad) + frame(FEETECH, (2, 0, b""))) == [Packet(2, 0, b"")]
    assert (parser.bad_sum, parser.dropped_bytes) == (1, len(bad))


@given(st.binary(min_size=1, max_size=20), st.binary(max_size=20), st.lists(st.integers(0, 10), max_size=6))
def test_an_echo_is_taken_away_however_it_arrives(sent: bytes, answer: bytes, sizes: list[int]) -> None:
    echo = EchoFilter()
    echo.sent(sent)
    data, found = sent + answer, b""
    for size in sizes:
        found += echo.received(data[:size])
        data = data[size:]
    assert found + echo.received(data) == answer
    assert (echo.missing, echo.broken) == (0, 0)


def test_of_a_broken_echo_nothing_is_kept() -> None:
    echo = EchoFilter()
    echo.sent(b"abc")
    assert echo.received(b"abX answer") == b""
    assert echo.broken == 1
    assert echo.received(b"next") == b"next"


def test_an_echo_that_never_came_is_counted_when_the_next_one_is_due() -> None:
    echo = EchoFilter()
    echo.sent(b"abc")
    assert echo.received(b"ab") == b""
    echo.sent(b"def")
    assert echo.missing == 1
    assert echo.received(b"def!") == b"!"
