from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.impedance import command_ranges, encode_mit
from drivers.can.robstride import mit_codec
from drivers.can.robstride.tables import MODELS
from supervisor.core.errors import EncodeError, FrameError

RS01 = MODELS["RS01"]


@given(st.binary(max_size=64))
def test_eight_bytes_are_feedback_within_the_ranges_and_nothing_else_is(data: bytes) -> None:
    if len(data) != 8:
        with pytest.raises(FrameError):
            mit_codec.decode_feedback(data, RS01)
        return
    feedback = mit_codec.decode_feedback(data, RS01)
    assert feedback.motor_id == data[0]
    assert abs(feedback.position_rad) <= 12.57 + 1e-9
    assert abs(feedback.velocity_rad_per_s) <= 44.0 + 1e-9
    assert abs(feedback.torque_nm) <= 17.0 + 1e-9
    assert 0.0 <= feedback.temperature_degc <= 6553.5


@given(st.tuples(*(st.floats(low, high) for low, high in command_ranges(RS01))))
def test_a_command_comes_back_as_feedback(values) -> None:
    word = int.from_bytes(encode_mit(RS01, values), "big")
    data = bytes((7,)) + ((word >> 48) << 24 | (word >> 36 & 0xFFF) << 12 | word & 0xFFF).to_bytes(5, "big")
    feedback = mit_codec.decode_feedback(data + b"\x01\x2c", RS01)
    assert feedback.position_rad == pytest.approx(values[0], abs=2.1 * 12.57 / 65535)
    assert feedback.velocity_rad_per_s == pytest.approx(values[1], abs=2.1 * 44.0 / 4095)
    assert feedback.torque_nm == pytest.approx(values[4], abs=2.1 * 17.0 / 4095)
    assert feedback.temperature_degc == pytest.approx(30.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e39])
def test_a_value_that_is_no_float32_is_refused(bad: float) -> None:
    for make in (mit_codec.make_position, mit_codec.make_speed):
        for values in ((bad, 0.0), (0.0, bad)):
            with pytest.raises(EncodeError):
                make(1, *values)


@pytest.mark.parametrize("make", [lambda: mit_codec.make_set_mode(1, 3), lambda: mit_codec.make_fault_request(1, 256)])
def test_an_argument_that_no_motor_understands_is_refused(make) -> None:
    with pytest.raises(EncodeError):
        make()
