from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.moteus.multiplex import READ, READ_ERROR, REPLY, WRITE, WRITE_ERROR, Access, Refusal, encode, parse
from drivers.can.moteus.tables import Resolution
from supervisor.core.errors import FrameError

RAW = {
    Resolution.INT8: st.integers(-128, 127),
    Resolution.INT16: st.integers(-32768, 32767),
    Resolution.INT32: st.integers(-(1 << 31), (1 << 31) - 1),
    Resolution.F32: st.floats(width=32, allow_nan=False),
}


@st.composite
def accesses(draw: st.DrawFn) -> Access:
    command, resolution = draw(st.sampled_from([READ, WRITE, REPLY])), draw(st.sampled_from(Resolution))
    raw = None if command == READ else draw(RAW[resolution])
    return Access(command, draw(st.integers(0, 0x3000)), resolution, raw)


@given(st.lists(accesses(), max_size=12))
def test_what_is_encoded_is_parsed(items: list[Access]) -> None:
    assert list(parse(encode(items))) == items


@given(st.integers(1, 20), st.sampled_from(Resolution))
def test_neighbours_share_a_subframe(count: int, resolution: Resolution) -> None:
    items = [Access(READ, 5 + place, resolution, None) for place in range(count)]
    head = READ | resolution << 2
    assert encode(items) == (bytes((head | count, 5)) if count <= 3 else bytes((head, count, 5)))


@given(st.one_of(st.binary(max_size=64), st.lists(accesses(), max_size=8).map(encode)), st.integers(0, 64))
def test_any_bytes_are_parsed_or_a_frame_error(data: bytes, size: int) -> None:
    for part in (data, data[:size]):
        try:
            found = list(parse(part))
        except FrameError:
            continue
        assert len(found) <= 64 * max(len(part), 1)


@pytest.mark.parametrize(
    "text",
    [
        "2f01000000",  # three floats, and not even one
        "24040000",  # four values, and half of one
        "20",  # no count
        "2001",  # no register
        "1180",  # a register that does not end
        "11808080808001",  # a number of six bytes
        "10ff7f00",  # more registers than a frame can hold
        "30",
        "3001",
        "60",
        "4101",
        "410105aabb",  # text that ends behind its frame
        "430101",
    ],
)
def test_a_damaged_frame_is_a_frame_error(text: str) -> None:
    with pytest.raises(FrameError):
        list(parse(bytes.fromhex(text)))


def test_refusals_text_and_padding_are_told_apart() -> None:
    data = bytes.fromhex("300105 310402 4001026869 41010168 420130 43010502aabb 44010530 5050 210009")
    assert list(parse(data)) == [
        Refusal(WRITE_ERROR, 1, 5),
        Refusal(READ_ERROR, 4, 2),
        Access(REPLY, 0, Resolution.INT8, 9),
    ]


def test_a_subframe_without_registers_is_passed_over() -> None:
    assert list(parse(bytes.fromhex("1000 2000 0000 210009"))) == [Access(REPLY, 0, Resolution.INT8, 9)]


def test_register_numbers_beyond_seven_bits_take_two() -> None:
    assert encode([Access(WRITE, 0x130, Resolution.F32, 0.25)]).hex() == "0db002" + struct.pack("<f", 0.25).hex()
