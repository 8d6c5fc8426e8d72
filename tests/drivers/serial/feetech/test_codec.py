from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.feetech import codec
from drivers.serial.feetech.tables import SERIES
from drivers.serial.framing import Packet
from supervisor.core.errors import EncodeError, FrameError

STS, SCS = SERIES["STS"], SERIES["SCS"]


@given(st.sampled_from([10, 11, 15]), st.data())
def test_magnitudes_with_a_sign_come_back(sign_bit: int, data: st.DataObject) -> None:
    top = (1 << sign_bit) - 1
    value = data.draw(st.integers(-top, top))
    raw = codec.sign_magnitude(value, sign_bit)
    assert 0 <= raw < 2 << sign_bit
    assert codec.signed_from_magnitude(raw, sign_bit) == value
    for beyond in (top + 1, -top - 1, 1.0, math.nan):
        with pytest.raises(EncodeError):
            codec.sign_magnitude(beyond, sign_bit)  # type: ignore[arg-type]


def test_minus_one_is_not_32769() -> None:
    assert codec.sign_magnitude(-1, 15) == 32769
    assert codec.signed_from_magnitude(32769, 15) == -1


def test_the_series_differ_in_the_order_of_bytes() -> None:
    assert codec.pack_word(0x0203, STS.order) == b"\x03\x02"
    assert codec.pack_word(0x0203, SCS.order) == b"\x02\x03"
    for bad in (-1, 65536, math.nan):
        with pytest.raises(EncodeError):
            codec.pack_word(bad, "little")  # type: ignore[arg-type]


@given(st.integers(0, 252), st.integers(0, 255), st.binary(max_size=30))
def test_a_status_comes_back(servo_id: int, error_bits: int, data: bytes) -> None:
    (packet,) = codec.make_parser().feed(codec.make_status(servo_id, error_bits, data))
    status = codec.Status(servo_id, error_bits, data)
    assert codec.decode_status(packet) == status
    assert codec.match_status(packet, servo_id, len(data)) == status
    assert codec.match_status(packet, servo_id ^ 1, len(data)) is None
    assert codec.match_status(packet, servo_id, len(data) + 1) is None


def test_a_packet_for_all_is_nobodys_answer() -> None:
    with pytest.raises(FrameError):
        codec.decode_status(Packet(0xFE, 0, b""))


def test_the_longest_packet_is_what_the_parser_takes() -> None:
    assert len(codec.make_parser().feed(codec.make_packet(1, 3, bytes(244)))) == 1
    with pytest.raises(EncodeError):
        codec.make_packet(1, 3, bytes(245))


@pytest.mark.parametrize(("servo_id", "instruction"), [(253, 1), (255, 1), (-1, 1), (1, 256), (1, -1)])
def test_a_packet_that_cannot_be_is_refused(servo_id: int, instruction: int) -> None:
    with pytest.raises(EncodeError):
        codec.make_packet(servo_id, instruction)


def test_error_bits_have_names() -> None:
    assert codec.error_names(0) == []
    assert codec.error_names(0x2F) == ["VOLTAGE", "ANGLE", "OVERHEAT", "OVERCURRENT", "OVERLOAD"]
    assert codec.error_names(0x10) == ["BIT_4"]


def test_a_read_of_motion_is_scaled_and_signed() -> None:
    data = struct.pack("<HHHBBBBBHH", 1024, 0x8000 | 4096, 0x0400 | 500, 74, 41, 0, 0x20, 1, 0, 0x8000 | 100)
    motion = codec.decode_sts_motion(data)
    assert motion[:5] == pytest.approx((-math.pi / 2, -2 * math.pi, -0.5, 7.4, 41.0))
    assert (motion.error_bits, motion.is_moving) == (0x20, True)
    assert motion.current_a == pytest.approx(-0.65)
    with pytest.raises(FrameError):
        codec.decode_sts_motion(data[:-1])


@given(st.binary(min_size=15, max_size=15))
def test_any_bytes_of_motion_are_decoded_to_numbers(data: bytes) -> None:
    assert all(math.isfinite(value) for value in codec.decode_sts_motion(data))


@given(st.sampled_from([STS, SCS]), st.integers(0, 1023))
def test_positions_come_back(series: codec.Series, count: int) -> None:
    assert codec.position_count(series, codec.position_from_count(series, count)) == count


def test_the_middle_is_zero() -> None:
    assert codec.position_count(STS, math.pi / 2) == 3072
    assert codec.position_count(SCS, math.radians(-150.0)) == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, math.pi])
def test_a_position_outside_the_limits_is_refused(value: float) -> None:
    with pytest.raises(EncodeError, match="position"):
        codec.position_count(STS, value, (0, 4095))
    with pytest.raises(EncodeError, match="position"):
        codec.position_count(SCS, value)
