from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.imu.witmotion import codec
from supervisor.core.errors import EncodeError, FrameError
from tests.drivers.imu.units import witmotion_frame

word = st.integers(-32768, 32767)


@given(st.integers(0x50, 0x5F), st.tuples(word, word, word, word))
def test_any_words_come_back_whatever_the_type(kind: int, words: tuple[int, int, int, int]) -> None:
    content = codec.decode_frame(witmotion_frame(kind, *words))
    scale = {0x51: 16 / 32768, 0x52: 2000 / 32768, 0x53: 180 / 32768, 0x59: 1 / 32768}.get(kind, 1.0)
    assert content[0][:3] == pytest.approx([value * scale for value in words[:3]])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (b"\x55\x51", "2 bytes where a frame has 11"),
        (b"\x54" + witmotion_frame(0x51)[1:], "begins with 0x54"),
        (witmotion_frame(0x60), "begins with 0x55 0x60"),
        (witmotion_frame(0x51, 1)[:-1] + b"\x00", "sum 0x00 where the bytes add up to 0xA7"),
    ],
)
def test_a_frame_that_is_none_says_why(frame: bytes, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        codec.decode_frame(frame)


@given(st.binary(max_size=24))
def test_decoding_raises_nothing_but_frame_errors(data: bytes) -> None:
    try:
        codec.decode_frame(data)
    except FrameError:
        assert codec.FrameParser().feed(data) != [data]


def test_the_parser_says_why_it_refused() -> None:
    parser = codec.FrameParser()
    good = witmotion_frame(0x51, 1, 2, 3, 4)
    assert parser.feed(b"\x55\x20" + good[:-1] + b"\x00" + good) == [good]
    assert parser.rejected == {"type": 1, "checksum": 1}
    assert parser.dropped_bytes == 13


def test_temperature_is_signed_and_the_version_is_not() -> None:
    acceleration = codec.decode_frame(witmotion_frame(0x51, 0, 0, 0, -500))
    assert isinstance(acceleration, codec.Acceleration)
    assert acceleration.temperature_degc == -5.0
    angle = codec.decode_frame(witmotion_frame(0x53, 0, 0, 0, -1))
    assert isinstance(angle, codec.Angle)
    assert angle.version == 0xFFFF


def burst(*frames: bytes) -> dict[int, bytes]:
    return {frame[1]: frame for frame in frames}


def test_a_burst_becomes_si() -> None:
    level = witmotion_frame(0x59, 32767)
    measured = codec.measure(burst(witmotion_frame(0x51, 0, 0, 2048), witmotion_frame(0x52, 16384), level))
    assert measured.acceleration_m_per_s2 == pytest.approx((0.0, 0.0, 9.8))
    assert measured.angular_velocity_rad_per_s == pytest.approx((math.radians(1000.0), 0.0, 0.0))
    assert not measured.is_doubtful


@pytest.mark.parametrize("kind", [0x51, 0x52])
@pytest.mark.parametrize(("raw", "is_doubtful"), [(32767, True), (-32768, True), (32000, False)])
def test_a_sensor_at_the_end_of_its_range_is_doubtful(kind: int, raw: int, is_doubtful: bool) -> None:
    frames = burst(witmotion_frame(0x51), witmotion_frame(0x52), witmotion_frame(0x59, 32767))
    measured = codec.measure(frames | burst(witmotion_frame(kind, 0, raw, 0)))
    assert measured.is_doubtful == is_doubtful


@pytest.mark.parametrize(
    ("words", "expected"),
    [((0, 0, 0, 0), True), ((32767, 0, 0, 0), True), ((-16384, 16384, -16384, 16384), True), ((9000, 0, 0, 0), False)],
)
def test_a_quaternion_that_is_none_is_seen(words: tuple[int, int, int, int], expected: bool) -> None:
    assert codec.is_plausible_quaternion(witmotion_frame(0x59, *words)) == expected


@pytest.mark.parametrize(("register", "value"), [(-1, 0), (256, 0), (3, -1), (3, 0x1_0000)])
def test_what_a_register_frame_cannot_carry_is_refused(register: int, value: int) -> None:
    with pytest.raises(EncodeError):
        codec.make_register_write(register, value)


def test_registers_are_written_and_asked_for() -> None:
    assert codec.make_register_write(0x69, 0xB588) == bytes.fromhex("ffaa6988b5")
    assert codec.make_register_read(2) == bytes.fromhex("ffaa270200")
    with pytest.raises(EncodeError):
        codec.make_register_read(256)
