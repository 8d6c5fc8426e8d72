from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can import impedance
from drivers.can.damiao import codec
from drivers.can.damiao.tables import MODELS
from supervisor.core.errors import EncodeError, FrameError

models = st.sampled_from(sorted(MODELS.values(), key=lambda model: model.name))
DM8009 = MODELS["DM8009"]
ZERO = (0.0, 0.0, 0.0, 0.0, 0.0)
FIELDS = range(5)


@st.composite
def commands(draw: st.DrawFn):
    model = draw(models)
    return model, [draw(st.floats(low, high)) for low, high in impedance.command_ranges(model)]


def unpack(data: bytes) -> list[int]:
    word = int.from_bytes(data, "big")
    return [word >> 48, word >> 36 & 0xFFF, word >> 24 & 0xFFF, word >> 12 & 0xFFF, word & 0xFFF]


def test_a_command_without_anything_is_mid_scale() -> None:
    assert impedance.encode_mit(DM8009, ZERO).hex() == "7fff7ff0000007ff"


@given(commands())
def test_a_command_comes_back_within_one_count(given_command) -> None:
    model, values = given_command
    counts = unpack(impedance.encode_mit(model, values))
    for value, count, (low, high), top in zip(
        values, counts, impedance.command_ranges(model), (65535, 4095, 4095, 4095, 4095), strict=True
    ):
        step = (high - low) / top
        assert low + count * step <= value + 1e-9 * (high - low)
        assert value < low + (count + 1) * step + 1e-9 * (high - low)


@given(commands())
def test_what_is_commanded_and_reported_unchanged_is_the_same_within_a_count(given_command) -> None:
    model, values = given_command
    counts = unpack(impedance.encode_mit(model, values))
    word = 0x11 << 56 | counts[0] << 40 | counts[1] << 28 | counts[4] << 16
    feedback = codec.decode_feedback(word.to_bytes(8, "big"), model)
    assert feedback.position_rad == pytest.approx(values[0], abs=2.1 * model.position_max_rad / 65535)
    assert feedback.velocity_rad_per_s == pytest.approx(values[1], abs=2.1 * model.velocity_max_rad_per_s / 4095)
    assert feedback.torque_nm == pytest.approx(values[4], abs=2.1 * model.torque_max_nm / 4095)


@pytest.mark.parametrize("size", [0, 7, 9, 64])
def test_a_frame_of_the_wrong_length_is_a_frame_error(size: int) -> None:
    with pytest.raises(FrameError):
        codec.decode_feedback(bytes(size), DM8009)
    with pytest.raises(FrameError):
        codec.decode_register_reply(bytes(size))


@given(st.binary(max_size=64), st.integers(0, 2047), st.sampled_from([0x33, 0x55, 0xAA]), st.integers(0, 255))
def test_matching_a_register_reply_never_raises_and_matches_only_its_own(
    data: bytes, motor_id: int, operation: int, register: int
) -> None:
    reply = codec.match_register_reply(data, motor_id, operation, register)
    is_own = len(data) == 8 and data[:4] == struct.pack("<HBB", motor_id, operation, register)
    assert (reply is not None) == is_own


@given(st.integers(0, 2047), st.sampled_from([7, 8, 9, 10, 35]), st.integers(0, 0xFFFFFFFF))
def test_an_integer_register_comes_back(motor_id: int, register: int, value: int) -> None:
    data = codec.make_register_write(motor_id, register, value).data
    assert codec.decode_register_reply(data) == (motor_id, codec.WRITE, register, value)


@given(st.integers(0, 2047), st.sampled_from([0, 21, 22, 23, 80]), st.floats(width=32, allow_nan=False))
def test_a_float_register_comes_back(motor_id: int, register: int, value: float) -> None:
    if math.isinf(value):
        with pytest.raises(EncodeError):
            codec.make_register_write(motor_id, register, value)
    else:
        data = codec.make_register_write(motor_id, register, value).data
        assert codec.decode_register_reply(data) == (motor_id, codec.WRITE, register, value)


@pytest.mark.parametrize("value", [-1, 1.5, 2**32, math.nan, math.inf])
def test_an_integer_register_refuses_what_is_not_a_whole_number_of_32_bits(value: float) -> None:
    with pytest.raises(EncodeError):
        codec.make_register_write(1, 10, value)


@pytest.mark.parametrize(
    ("timeout_s", "counts"), [(0.0, 0), (50e-6, 1), (0.02, 400), (0.1, 2000), (0.3, 6000), (1.0, 20_000), (0.7, 14_000)]
)
def test_a_timeout_is_counted_in_50_microseconds(timeout_s: float, counts: int) -> None:
    assert codec.timeout_counts(timeout_s) == counts


@pytest.mark.parametrize("timeout_s", [-0.001, -1e-9, 49e-6, 1e-12, math.nan, math.inf, 1e9])
def test_a_timeout_that_would_not_protect_is_refused(timeout_s: float) -> None:
    with pytest.raises(EncodeError):
        codec.make_set_timeout(1, timeout_s)


@given(st.integers(1, 60_000))
def test_every_whole_millisecond_is_exact(milliseconds: int) -> None:
    assert codec.timeout_counts(milliseconds / 1000.0) == milliseconds * 20


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e39])
def test_float_commands_refuse_what_a_float32_cannot_hold(value: float) -> None:
    for encode in (
        lambda: codec.encode_position_velocity(value, 0.0),
        lambda: codec.encode_position_velocity(0.0, value),
        lambda: codec.encode_velocity(value),
        lambda: codec.encode_force_position(value, 0.0, 0.0),
        lambda: codec.encode_force_position(0.0, value, 0.0),
        lambda: codec.encode_force_position(0.0, 0.0, value),
    ):
        with pytest.raises(EncodeError):
            encode()


@pytest.mark.parametrize(("motor_id", "register"), [(-1, 0), (2048, 0), (1, -1), (1, 256)])
def test_identifiers_that_do_not_fit_are_refused(motor_id: int, register: int) -> None:
    with pytest.raises(EncodeError):
        codec.make_register_read(motor_id, register)


def test_an_unnamed_status_still_has_a_name() -> None:
    assert codec.status_name(3) == "STATUS_3"
