from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.imu.xsens_xbus import codec
from drivers.imu.xsens_xbus.tables import FRAME_BYTES, ITEMS, OUTPUT_CONFIGURATION
from supervisor.core.errors import EncodeError, FrameError
from tests.drivers.imu.units import STILL, xsens, xsens_item, xsens_message


@given(st.integers(0, 255), st.binary(max_size=2048), st.integers(0, 255))
def test_any_message_comes_back_whatever_its_length(message_id: int, data: bytes, bus_id: int) -> None:
    frame = codec.make_message(message_id, data, bus_id)
    assert sum(frame[1:]) % 256 == 0
    assert codec.split_message(frame) == (bus_id, message_id, data)


@pytest.mark.parametrize(("size", "overhead"), [(0, 5), (254, 5), (255, 7), (2048, 7)])
def test_from_255_bytes_on_the_length_is_extended(size: int, overhead: int) -> None:
    assert len(codec.make_message(0x36, bytes(size))) == size + overhead


def test_what_a_message_cannot_carry_is_refused() -> None:
    for arguments in ((256,), (-1,), (0, b"", 256), (0, bytes(2049))):
        with pytest.raises(EncodeError):
            codec.make_message(*arguments)
    for output in ((0x1_0000, 0), (0x2010, -1)):
        with pytest.raises(EncodeError):
            codec.make_output_configuration([output])


@pytest.mark.parametrize("frame", [b"", b"\xfa", xsens_message(1, b"")[:-1], xsens_message(1, b"ab") + b"\x00"])
def test_what_is_not_one_whole_message_is_refused(frame: bytes) -> None:
    with pytest.raises(FrameError):
        codec.split_message(frame)


def test_a_length_that_cannot_be_is_skipped_at_once() -> None:
    good = xsens(*STILL, 1)
    parser = codec.FrameParser()
    assert parser.feed(b"\xfa\xff\x36\xff\x08\x01" + good) == [good]
    assert parser.rejected == {"length": 1}


@given(st.binary(max_size=120))
def test_decoding_any_data_raises_nothing_but_frame_errors(data: bytes) -> None:
    try:
        items = codec.decode_items(data)
    except FrameError:
        return
    assert sum(3 + len(item.raw) for item in items) == len(data)
    codec.measure(codec.by_kind(items))


@given(st.lists(st.tuples(st.sampled_from(sorted(ITEMS)), st.integers(0, 15), st.binary(max_size=40)), max_size=6))
def test_items_of_known_kinds_raise_nothing_but_frame_errors(items: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(struct.pack(">HB", kind | bits, len(raw)) + raw for kind, bits, raw in items)
    with contextlib.suppress(FrameError):
        assert len(codec.measure(codec.by_kind(codec.decode_items(data))).acceleration_m_per_s2) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x20\x10", "2 bytes where an item has at least 3"),
        (b"\x20\x10\x10" + bytes(15), "16 bytes, of which 15 are there"),
        (xsens_item(0x2010, ">3f", 1, 0, 0), "has 12 bytes, not 16"),
        (xsens_item(0x201C, ">4f", 1, 0, 0, 0), "in a frame that is not known"),
        (xsens_item(0x1020, ">I", 1), "has 4 bytes, not 2"),
    ],
)
def test_items_that_are_none_say_why(data: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        codec.decode_items(data)


@pytest.mark.parametrize(
    ("data_id", "layout", "wire"),
    [
        (0x4020, ">3f", (1.5, -2.25, 9.75)),
        (0x4021, ">3i", (3 << 19, -9 << 18, 39 << 18)),
        (0x4022, ">IhIhIh", (1 << 31, 1, 3 << 30, -3, 3 << 30, 9)),
        (0x4023, ">3d", (1.5, -2.25, 9.75)),
    ],
)
def test_all_four_number_formats_say_the_same(data_id: int, layout: str, wire: tuple[float, ...]) -> None:
    (item,) = codec.decode_items(xsens_item(data_id, layout, *wire))
    assert item.values == (1.5, -2.25, 9.75)
    assert (item.name, item.frame) == ("acceleration_m_per_s2", "ENU")


def test_an_item_that_is_not_known_is_kept_as_bytes() -> None:
    (item,) = codec.decode_items(b"\x55\x50\x02\xab\xcd")
    assert (item.name, item.values, item.raw) == ("", (), b"\xab\xcd")


def test_the_recommended_items_are_as_long_as_the_load_is_computed_with() -> None:
    frame = xsens(*STILL, 1)
    assert len(frame) == FRAME_BYTES["mtdata2"]
    items = codec.decode_items(codec.split_message(frame).data)
    assert tuple(item.data_id for item in items) == OUTPUT_CONFIGURATION


def test_an_output_configuration_cut_short_is_a_frame_error() -> None:
    with pytest.raises(FrameError):
        codec.decode_output_configuration(b"\x20\x10\x01")
    with pytest.raises(FrameError):
        codec.decode_error(codec.Message(255, 0x42, b""))


def test_angles_are_used_where_there_is_no_quaternion() -> None:
    (item,) = codec.decode_items(xsens_item(0x2030, ">3f", 0.0, 90.0, 0.0))
    assert codec.measure(codec.by_kind([item])).orientation_imu_in_world_wxyz == pytest.approx(
        (math.sqrt(0.5), 0, math.sqrt(0.5), 0)
    )
    (broken,) = codec.decode_items(xsens_item(0x2030, ">3f", math.inf, 0.0, 0.0))
    assert all(map(math.isnan, codec.measure(codec.by_kind([broken])).orientation_imu_in_world_wxyz))


@pytest.mark.parametrize(
    ("status", "is_doubtful"), [(2, False), (0, True), (3 | 1 << 19, True), (3 | 1 << 8, True), (3 | 1 << 13, True)]
)
def test_a_filter_that_is_not_valid_and_clipping_are_doubtful(status: int, is_doubtful: bool) -> None:
    items = codec.decode_items(xsens_item(0xE020, ">I", status))
    assert codec.measure(codec.by_kind(items)).is_doubtful == is_doubtful
