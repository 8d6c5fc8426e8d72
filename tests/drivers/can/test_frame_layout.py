from __future__ import annotations

import struct

import can
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.can.frame_bytes import FD_LENGTHS
from drivers.can.frame_layout import pack_message, unpack_message


def same(one: can.Message, other: can.Message | None) -> bool:
    return other is not None and one.equals(other, timestamp_delta=None, check_direction=False)


@pytest.mark.parametrize(
    ("message", "raw"),
    [
        (
            can.Message(arbitration_id=0x123, is_extended_id=False, data=b"\x01\x02"),
            "23010000 02000000 0102000000000000",
        ),
        (can.Message(arbitration_id=0x12345, is_extended_id=True, data=bytes(8)), "45230180 08000000 0000000000000000"),
        (
            can.Message(arbitration_id=0x7FF, is_extended_id=False, is_remote_frame=True, dlc=5),
            "ff070040 05000000 0000000000000000",
        ),
        (
            can.Message(arbitration_id=0x40, is_error_frame=True, is_extended_id=False, data=bytes(8)),
            "40000020 08000000 0000000000000000",
        ),
        (
            can.Message(arbitration_id=1, is_extended_id=False, is_fd=True, bitrate_switch=True, data=bytes([9] * 12)),
            "01000000 0c050000" + "09" * 12 + "00" * 52,
        ),
    ],
)
def test_a_frame_has_the_kernels_layout(message: can.Message, raw: str) -> None:
    words = bytes.fromhex(raw)
    # Written down for a little-endian machine; the layout is the machine's own.
    native = struct.pack("=I", *struct.unpack("<I", words[:4])) + words[4:]
    assert pack_message(message) == native
    assert same(message, unpack_message(native, 0.0))


@st.composite
def messages(draw: st.DrawFn) -> can.Message:
    is_extended, is_fd = draw(st.booleans()), draw(st.booleans())
    length = draw(st.sampled_from(sorted(FD_LENGTHS)) if is_fd else st.integers(0, 8))
    return can.Message(
        arbitration_id=draw(st.integers(0, 0x1FFF_FFFF if is_extended else 0x7FF)),
        is_extended_id=is_extended,
        is_fd=is_fd,
        bitrate_switch=is_fd and draw(st.booleans()),
        error_state_indicator=is_fd and draw(st.booleans()),
        data=draw(st.binary(min_size=length, max_size=length)),
    )


@given(messages())
def test_every_frame_comes_back(message: can.Message) -> None:
    assert same(message, unpack_message(pack_message(message), 12.5))


def test_a_frame_carries_its_time_of_arrival() -> None:
    message = unpack_message(pack_message(can.Message(arbitration_id=1)), 12.5)
    assert message is not None
    assert message.timestamp == 12.5


def bare(**fields: object) -> can.Message:
    """A message that python-can was told not to check."""
    message = can.Message()
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (bare(arbitration_id=0x800, is_extended_id=False), "0x800 outside 0 to 0x7ff"),
        (bare(arbitration_id=0x2000_0000), "outside 0 to 0x1fffffff"),
        (bare(arbitration_id=-1), "outside"),
        (bare(data=bytearray(9)), "9 bytes in a classic frame"),
        (bare(data=bytearray(13), is_fd=True), "13 bytes in an FD frame"),
        (bare(data=bytearray(65), is_fd=True), "65 bytes in an FD frame"),
        (bare(is_fd=True, is_remote_frame=True), "no remote frames"),
        (bare(is_fd=True, is_error_frame=True), "error frames are classic"),
        (bare(is_remote_frame=True, dlc=9), "9 bytes in a classic frame"),
    ],
)
def test_what_no_controller_could_send_is_refused(message: can.Message, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        pack_message(message)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes(15),
        bytes(17),
        bytes(71),
        bytes(73),
        struct.pack("=IB3x8s", 0x800, 0, b""),
        struct.pack("=IB3x8s", 1, 9, b""),
        struct.pack("=IB3x8s", 0xA000_0000, 8, b""),
        struct.pack("=IB3x8s", 0x6000_0000, 8, b""),
        struct.pack("=IBB2x64s", 1, 13, 4, b""),
        struct.pack("=IBB2x64s", 1, 65, 4, b""),
        struct.pack("=IBB2x64s", 1, 8, 0x10, b""),
        struct.pack("=IBB2x64s", 1 | 0x4000_0000, 8, 4, b""),
        struct.pack("=IBB2x64s", 1 | 0x2000_0000, 8, 4, b""),
    ],
)
def test_bytes_that_are_no_frame_are_none(raw: bytes) -> None:
    assert unpack_message(raw, 0.0) is None


@settings(max_examples=500)
@given(st.one_of(st.binary(max_size=100), st.binary(min_size=16, max_size=16), st.binary(min_size=72, max_size=72)))
def test_any_bytes_are_a_frame_that_could_be_sent_or_none(raw: bytes) -> None:
    message = unpack_message(raw, 0.0)
    if message is not None:
        assert same(message, unpack_message(pack_message(message), 0.0))
