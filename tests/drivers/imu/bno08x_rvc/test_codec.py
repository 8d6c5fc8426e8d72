from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.imu.bno08x_rvc import codec
from supervisor.core.errors import FrameError
from tests.drivers.imu.units import rvc_frame

word = st.integers(-32768, 32767)


@given(st.integers(0, 255), st.tuples(*[word] * 6))
def test_any_words_come_back(index: int, words: tuple[int, ...]) -> None:
    rvc = codec.decode_frame(rvc_frame(index, *words))
    assert rvc.number == index
    assert rvc.ypr_deg == pytest.approx([value / 100 for value in words[:3]])
    assert rvc.acc_mg == words[3:]


@given(st.binary(max_size=40))
def test_decoding_raises_nothing_but_frame_errors(data: bytes) -> None:
    try:
        codec.decode_frame(data)
    except FrameError:
        assert codec.FrameParser().feed(data) != [data]


def test_a_header_inside_a_damaged_frame_is_found() -> None:
    good = rvc_frame(1, 2, 3, 4, 5, 6, 7)
    parser = codec.FrameParser()
    assert parser.feed(b"\xaa\xaa\xaa" + good[:9] + good) == [good]
    assert parser.dropped_bytes == 12
    assert parser.rejected["checksum"] >= 1


def test_a_frame_becomes_si_without_a_rate() -> None:
    measured = codec.measure(codec.decode_frame(rvc_frame(0, 0, 9000, 0, 0, -1000, 500)))
    half = math.sqrt(0.5)
    assert measured.orientation_imu_in_world_wxyz == pytest.approx((half, 0.0, half, 0.0))
    assert measured.acceleration_m_per_s2 == pytest.approx((0.0, -9.80665, 4.903325))
    assert all(map(math.isnan, measured.angular_velocity_rad_per_s))


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ((18000, 9000, -18000), True),
        ((18001, 0, 0), False),
        ((0, -9001, 0), False),
        ((0, 0, 18001), False),
    ],
)
def test_angles_that_cannot_be_are_seen(angles: tuple[int, int, int], expected: bool) -> None:
    assert codec.is_plausible(codec.decode_frame(rvc_frame(0, *angles, 0, 0, 1000))) == expected
