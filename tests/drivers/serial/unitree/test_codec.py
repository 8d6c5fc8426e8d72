from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.unitree import codec
from drivers.serial.unitree.tables import GEAR, MODE_FOC, MODELS, TORQUE_MAX_NM, VELOCITY_MAX_RAD_PER_S
from supervisor.core.errors import EncodeError, FrameError

HEADS = [0xFD, 0xEE, 0xFE]


def crc_by_hand(data: bytes) -> int:
    """CRC-16/KERMIT bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8408 if crc & 1 else crc >> 1
    return crc


def reply(motor_id: int = 0, body: bytes = bytes(11)) -> bytes:
    frame = b"\xfd\xee" + bytes((motor_id | 0x10,)) + body
    return frame + struct.pack("<H", crc_by_hand(frame))


replies = st.builds(reply, st.integers(0, 14), st.binary(min_size=11, max_size=11))
noise = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from([*HEADS, 0]), max_size=40).map(bytes))
streams = st.lists(st.one_of(noise, replies), max_size=8).map(b"".join)
inside = st.tuples(*(st.floats(low, high) for low, high in codec.COMMAND_RANGES))


def test_the_check_value_of_the_checksum() -> None:
    assert crc_by_hand(b"123456789") == 0x2189
    assert codec.frame_crc(b"123456789") == b"\x89\x21"


@given(st.binary(max_size=40))
def test_the_checksum_is_that_of_single_bits(data: bytes) -> None:
    assert codec.frame_crc(data) == struct.pack("<H", crc_by_hand(data))


@given(st.integers(0, 15), st.sampled_from([0, 1, 2]), inside)
def test_every_command_in_range_is_truncated_towards_zero(motor_id: int, mode: int, values: tuple[float, ...]) -> None:
    frame = codec.encode_command(motor_id, mode, values)
    (whole,) = codec.make_command_parser().feed(frame)
    head, tau, dq, q, kp, kd, crc = struct.unpack("<2xBhhiHHH", whole)
    assert (head, crc) == (mode << 4 | motor_id, crc_by_hand(frame[:-2]))
    scales = (32768 / math.tau, 256 / math.tau, 1280.0, 1280.0, 256.0)
    for count, value, scale in zip((q, dq, kp, kd, tau), values, scales, strict=True):
        assert abs(count) <= abs(value * scale) * (1 + 1e-15) < abs(count) + 1.000_001


@pytest.mark.parametrize("field", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e9, -1e9])
def test_what_is_not_finite_or_out_of_range_is_refused(field: int, value: float) -> None:
    values = [0.0] * 5
    values[field] = value
    with pytest.raises(EncodeError, match="at the rotor"):
        codec.encode_command(1, MODE_FOC, values)


@pytest.mark.parametrize(("motor_id", "mode"), [(16, 1), (-1, 1), (1, 3), (1, -1)])
def test_an_id_or_a_mode_that_is_none_is_refused(motor_id: int, mode: int) -> None:
    with pytest.raises(EncodeError):
        codec.encode_command(motor_id, mode, [0.0] * 5)


def test_the_largest_values_at_the_output_reach_the_rotor_and_no_more_do() -> None:
    model = MODELS["GO-M8010-6"]
    top = [
        model.position_max_rad,
        VELOCITY_MAX_RAD_PER_S / GEAR,
        model.kp_max_nm_per_rad,
        model.kd_max_nm_s_per_rad,
        TORQUE_MAX_NM * GEAR,
    ]
    codec.encode_command(1, MODE_FOC, codec.rotor_from_output(top))
    assert model.kp_max_nm_per_rad == pytest.approx(1025.7, abs=0.1)
    assert model.velocity_max_rad_per_s < top[1]
    assert model.torque_max_nm < top[4]
    for field in range(5):
        beyond = list(top)
        beyond[field] *= 1.0001
        with pytest.raises(EncodeError):
            codec.encode_command(1, MODE_FOC, codec.rotor_from_output(beyond))


def test_output_and_rotor_do_the_same_work() -> None:
    position, velocity, kp, kd, torque = codec.rotor_from_output((1.0, 2.0, 40.0, 2.0, 6.33))
    assert (position, velocity) == (GEAR, 2.0 * GEAR)
    assert torque * velocity == pytest.approx(6.33 * 2.0)
    assert (kp * position * GEAR, kd * velocity * GEAR) == pytest.approx((40.0, 4.0))


def test_a_reply_is_decoded_on_both_sides_of_the_gear() -> None:
    body = struct.pack("<hhibH", 256, 256, 32768, -5, 3 | 100 << 3)
    feedback = codec.decode_reply(reply(7, body))
    assert feedback == codec.Feedback(7, 1, math.tau, math.tau, 1.0, -5.0, 3, 100)
    assert feedback.output_position_rad == pytest.approx(math.tau / 6.33)
    assert feedback.output_velocity_rad_per_s == pytest.approx(math.tau / 6.33)
    assert feedback.output_torque_nm == pytest.approx(6.33)
    assert codec.error_name(feedback.error_code) == "over_voltage"
    assert codec.error_name(6) == "error_6"


def test_only_the_motor_that_was_asked_answers() -> None:
    assert codec.match_reply(reply(3), 3) is not None
    assert codec.match_reply(reply(3), 4) is None
    assert codec.match_reply(codec.encode_command(3, MODE_FOC, [0.0] * 5), 3) is None


@given(st.one_of(st.binary(max_size=20), replies))
def test_decoding_any_bytes_raises_nothing_but_a_frame_error(frame: bytes) -> None:
    try:
        codec.decode_reply(frame)
    except FrameError:
        assert codec.match_reply(frame, 0) is None
    else:
        assert crc_by_hand(frame[:-2]) == int.from_bytes(frame[-2:], "little")


@pytest.mark.parametrize(("at", "why"), [(0, "head"), (1, "head"), (5, "checksum"), (15, "checksum")])
def test_a_damaged_reply_says_what_is_wrong(at: int, why: str) -> None:
    damaged = bytearray(reply())
    damaged[at] ^= 1
    with pytest.raises(FrameError, match=why):
        codec.decode_reply(bytes(damaged))
    with pytest.raises(FrameError, match="15 bytes"):
        codec.decode_reply(reply()[:-1])


@given(streams, st.lists(st.integers(0, 20), max_size=10))
def test_however_the_bytes_are_cut_the_frames_are_the_same(data: bytes, sizes: list[int]) -> None:
    whole, parser = codec.FrameParser(), codec.FrameParser()
    expected = whole.feed(data)
    found: list[bytes] = []
    rest = data
    for size in sizes:
        found += parser.feed(rest[:size])
        rest = rest[size:]
    assert found + parser.feed(rest) == expected
    assert parser == whole


@given(streams)
def test_no_frame_has_a_wrong_checksum_and_no_byte_is_lost_track_of(data: bytes) -> None:
    parser = codec.FrameParser()
    frames = parser.feed(data)
    for frame in frames:
        assert frame in data
        assert crc_by_hand(frame[:-2]) == int.from_bytes(frame[-2:], "little")
    assert len(data) == 16 * len(frames) + parser.dropped_bytes + parser.unfinished_bytes
    assert parser.unfinished_bytes < 16


@given(replies, st.integers(0, 127))
def test_one_flipped_bit_is_never_accepted(frame: bytes, bit: int) -> None:
    damaged = bytearray(frame)
    damaged[bit // 8] ^= 1 << bit % 8
    assert codec.FrameParser().feed(bytes(damaged) + bytes(16)) == []


def test_a_good_reply_after_a_damaged_one_is_found() -> None:
    bad = bytearray(reply(1))
    bad[6] ^= 1
    parser = codec.FrameParser()
    assert parser.feed(bytes(bad) + reply(2)) == [reply(2)]
    assert (parser.frames, parser.bad_crc, parser.dropped_bytes) == (1, 1, 16)


def test_an_echo_of_our_own_command_is_thrown_away() -> None:
    parser = codec.FrameParser()
    assert parser.feed(codec.encode_command(1, MODE_FOC, [0.0] * 5) + reply(1)) == [reply(1)]
    assert parser.dropped_bytes == 17
