from __future__ import annotations

import math
from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.dynamixel import codec
from drivers.serial.dynamixel.codec import Packet, PacketParser
from drivers.serial.dynamixel.crc import crc16, shares
from supervisor.core.errors import EncodeError, FrameError

MARK = b"\xff\xff\xfd"
HEADER = b"\xff\xff\xfd\x00"

ids = st.one_of(st.integers(0, 252), st.just(0xFE))
# Bytes of which headers and stuffing are made come up often enough to matter.
params = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([0xFF, 0xFD, 0x00, 0x55, 0xFE]), max_size=60).map(bytes),
)
packets = st.builds(codec.make_packet, ids, st.sampled_from([0x01, 0x02, 0x03, 0x55, 0x83]), params)
noise = st.one_of(
    st.binary(max_size=80), st.lists(st.sampled_from([0xFF, 0xFD, 0x00, 0x55, 3, 9]), max_size=80).map(bytes)
)


def crc_by_hand(data: bytes) -> int:
    """CRC-16/BUYPASS bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def is_sound(packet: bytes) -> bool:
    return crc_by_hand(packet[:-2]) == int.from_bytes(packet[-2:], "little")


def feed_in_parts(data: bytes, sizes: list[int]) -> tuple[PacketParser, list[Packet]]:
    parser = PacketParser()
    found: list[Packet] = []
    at = 0
    for size in sizes:
        found += parser.feed(data[at : at + size])
        at += size
    return parser, found + parser.feed(data[at:])


def counters(parser: PacketParser) -> tuple[int, ...]:
    return parser.packets, parser.bad_crc, parser.bad_length, parser.cut_short, parser.dropped_bytes


def test_the_check_value_of_the_checksum() -> None:
    assert crc16(b"123456789") == crc_by_hand(b"123456789") == 0xFEE8


@given(st.binary(max_size=3000), st.integers(0, 3000))
def test_the_checksum_is_that_of_single_bits_and_can_be_continued(data: bytes, at: int) -> None:
    assert crc16(data) == crc_by_hand(data)
    assert crc16(data[at:], crc16(data[:at])) == crc16(data)


SHARES = shares(24)


@given(st.binary(min_size=24, max_size=24))
def test_the_shares_of_all_bytes_make_the_checksum_and_with_it_nothing(data: bytes) -> None:
    parts = [int(SHARES[place, value]) for place, value in enumerate(data)]
    crc = crc_by_hand(data)
    assert reduce(xor, parts) == crc
    assert crc ^ int(SHARES[24, crc & 0xFF]) ^ int(SHARES[25, crc >> 8]) == 0


@given(ids, st.sampled_from([0x01, 0x03, 0x83]), params)
def test_any_packet_comes_back(servo_id: int, instruction: int, data: bytes) -> None:
    whole = codec.make_packet(servo_id, instruction, data)
    assert is_sound(whole)
    assert PacketParser().feed(whole) == [Packet(servo_id, instruction, data)]


@given(ids, params)
def test_inside_a_packet_there_is_never_a_header(servo_id: int, data: bytes) -> None:
    whole = codec.make_packet(servo_id, 0x03, data)
    assert HEADER not in whole[7:-2]
    assert whole[5] | whole[6] << 8 == len(whole) - 7


@given(st.lists(st.one_of(noise, packets), max_size=6), st.lists(st.integers(0, 40), max_size=12))
def test_however_the_bytes_are_cut_the_packets_are_the_same(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    whole = PacketParser()
    expected = whole.feed(data)
    parser, found = feed_in_parts(data, sizes)
    assert found == expected
    assert counters(parser) == counters(whole)
    assert parser.unfinished_bytes == whole.unfinished_bytes


@given(st.lists(st.one_of(noise, packets), max_size=30).map(b"".join))
def test_every_byte_is_accepted_dropped_or_waiting_and_none_waits_for_ever(data: bytes) -> None:
    parser = PacketParser()
    parser.feed(data)
    assert parser.unfinished_bytes < 1024
    # A good packet behind 1024 zeros is found whatever was there before.
    found = parser.feed(bytes(1024) + codec.make_packet(9, 0x55, b"\x00ok"))
    assert found[-1] == Packet(9, 0x55, b"\x00ok")
    assert parser.unfinished_bytes == 0


@given(st.lists(st.one_of(noise, packets), max_size=8).map(b"".join))
def test_nothing_with_a_wrong_checksum_is_a_packet(data: bytes) -> None:
    for packet in PacketParser().feed(data):
        body = bytes((packet.instruction,)) + packet.params
        bodies = {body, body.replace(MARK, MARK + b"\xfd")}
        heads = [HEADER + bytes((packet.id,)) + (len(each) + 2).to_bytes(2, "little") + each for each in bodies]
        assert any(head + crc_by_hand(head).to_bytes(2, "little") in data for head in heads)


@given(packets, st.data())
def test_one_flipped_bit_is_never_accepted(packet: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(packet) - 1))
    damaged = bytearray(packet)
    damaged[bit // 8] ^= 1 << bit % 8
    expected = PacketParser().feed(packet)
    assert expected[0] not in PacketParser().feed(bytes(damaged) + bytes(1024))


def test_a_good_packet_after_a_damaged_one_is_found_and_the_rest_is_counted() -> None:
    bad = bytearray(codec.make_status(1, 0, b"abcd"))
    bad[10] ^= 0x10
    parser = PacketParser()
    assert parser.feed(bytes(bad) + codec.make_status(2, 0, b"efgh")) == [Packet(2, 0x55, b"\0efgh")]
    assert counters(parser) == (1, 1, 0, 0, len(bad))


def test_a_packet_cut_short_does_not_hold_up_the_next_one() -> None:
    cut = codec.make_status(1, 0, bytes(10))[:9]
    cut = cut[:5] + b"\x00\x03" + cut[7:]
    parser = PacketParser()
    assert parser.feed(cut) == []
    assert parser.feed(codec.make_status(2, 0)) == [Packet(2, 0x55, b"\0")]
    assert counters(parser) == (1, 0, 0, 1, 9)


@pytest.mark.parametrize("head", ["01 0000", "01 0200", "01 fa03", "fd 0400", "ff 0400"])
def test_a_head_that_cannot_be_is_skipped_at_once(head: str) -> None:
    good = codec.make_status(2, 0)
    parser = PacketParser()
    assert parser.feed(HEADER + bytes.fromhex(head) + b"\x55" + good) == [Packet(2, 0x55, b"\0")]
    assert counters(parser) == (1, 0, 1, 0, 8)


def test_a_fast_status_packet_is_not_stuffed_and_may_hold_a_header() -> None:
    data = HEADER + bytes(6)
    body = b"\x55\x00\x01" + data
    whole = HEADER + b"\xfe" + (len(body) + 2).to_bytes(2, "little") + body
    whole += crc_by_hand(whole).to_bytes(2, "little")
    (packet,) = PacketParser().feed(whole)
    assert codec.decode_fast_status(packet, [(1, 10)]) == [codec.Status(1, 0, False, data)]


def test_an_alert_is_no_error_and_its_data_are_valid() -> None:
    (packet,) = PacketParser().feed(codec.make_status(3, 0x80, b"\x20"))
    status = codec.decode_status(packet)
    assert status == codec.Status(3, 0, True, b"\x20")
    assert codec.hardware_error_names(status.data[0]) == ["OVERLOAD"]


def test_an_error_with_an_alert_keeps_both() -> None:
    status = codec.decode_status(Packet(3, 0x55, b"\x86"))
    assert (codec.error_name(status.error_code), status.has_alert) == ("data_limit", True)
    assert codec.error_name(99) == "error_99"


@pytest.mark.parametrize(
    "packet", [Packet(1, 0x01, b""), Packet(1, 0x03, b"\0"), Packet(0xFE, 0x55, b"\0"), Packet(1, 0x55, b"")]
)
def test_what_is_no_answer_of_one_servo_is_refused(packet: Packet) -> None:
    with pytest.raises(FrameError):
        codec.decode_status(packet)


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (Packet(1, 0x55, bytes(6)), "of id 1"),
        (Packet(0xFE, 0x02, bytes(6)), "packet 0x02"),
        (Packet(0xFE, 0x55, bytes(5)), "5 bytes"),
        (Packet(0xFE, 0x55, b"\0\x02" + bytes(4)), "servo 2"),
    ],
)
def test_a_fast_status_of_something_else_is_refused(packet: Packet, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        codec.decode_fast_status(packet, [(1, 4)])


@given(st.builds(Packet, st.integers(0, 254), st.integers(0, 255), st.binary(max_size=40)))
def test_decoding_any_packet_raises_nothing_but_a_frame_error(packet: Packet) -> None:
    for decode in (codec.decode_status, lambda it: codec.decode_fast_status(it, [(1, 4), (2, 4)])):
        try:
            decode(packet)
        except FrameError:
            continue


@given(st.integers(0, 4095))
def test_positions_come_back(count: int) -> None:
    assert codec.position_count(codec.position_from_count(count)) == count


def test_the_centre_is_zero_and_a_turn_has_4096_counts() -> None:
    assert codec.position_count(0.0) == 2048
    assert codec.position_count(math.pi / 2) == 3072
    assert codec.position_count(-math.pi) == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, math.pi, -math.pi - 0.001, 1e308])
def test_a_position_that_the_servo_would_ignore_is_refused(value: float) -> None:
    with pytest.raises(EncodeError, match="position"):
        codec.position_count(value)


def test_a_limit_is_reached_and_not_passed() -> None:
    limits = (1001, 3001)
    for count in limits:
        assert codec.position_count(codec.position_from_count(count), limits) == count
    assert codec.position_count((3001.4 - 2048) * codec.POSITION_COUNT_RAD, limits) == 3001
    with pytest.raises(EncodeError):
        codec.position_count((3001.6 - 2048) * codec.POSITION_COUNT_RAD, limits)


@pytest.mark.parametrize(("timeout_s", "count"), [(0.02, 1), (0.06, 3), (0.1, 5), (0.119, 5), (2.54, 127)])
def test_a_watchdog_is_never_longer_than_asked(timeout_s: float, count: int) -> None:
    assert codec.watchdog_count(timeout_s) == count


@pytest.mark.parametrize("timeout_s", [0.0, 0.019, 2.6, -1.0, math.nan, math.inf])
def test_a_watchdog_that_would_be_off_or_cut_is_refused(timeout_s: float) -> None:
    with pytest.raises(EncodeError, match="watchdog"):
        codec.watchdog_count(timeout_s)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("is_signed", [False, True])
def test_a_register_takes_its_range_and_no_more(size: int, is_signed: bool) -> None:
    low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if is_signed else (0, (1 << 8 * size) - 1)
    for value in (low, high):
        assert codec.unpack(codec.pack(value, size, is_signed=is_signed), is_signed=is_signed) == value
    for value in (low - 1, high + 1, 1.0, math.nan, math.inf):
        with pytest.raises(EncodeError):
            codec.pack(value, size, is_signed=is_signed)  # type: ignore[arg-type]
