from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.cubemars import codec
from drivers.can.cubemars.tables import ERROR_NAMES, MODELS, V3_MODELS
from drivers.can.impedance import command_ranges, encode_mit
from supervisor.core.errors import EncodeError, FrameError

AK80_9 = MODELS["AK80-9"]


@given(st.binary(max_size=64))
def test_six_and_eight_bytes_are_feedback_and_nothing_else_is(data: bytes) -> None:
    if len(data) not in (6, 8):
        with pytest.raises(FrameError):
            codec.decode_mit_feedback(data, AK80_9)
        return
    feedback = codec.decode_mit_feedback(data, AK80_9)
    assert feedback.motor_id == data[0]
    assert abs(feedback.position_rad) <= 12.5 + 1e-9
    assert abs(feedback.torque_nm) <= 18.0 + 1e-9
    assert math.isnan(feedback.temperature_degc) == (len(data) == 6)
    assert feedback.error_code == (data[7] if len(data) == 8 else 0)


@given(st.tuples(*(st.floats(low, high) for low, high in command_ranges(AK80_9))))
def test_a_command_comes_back_as_feedback(values) -> None:
    word = int.from_bytes(encode_mit(AK80_9, values), "big")
    data = bytes((7,)) + ((word >> 48) << 24 | (word >> 36 & 0xFFF) << 12 | word & 0xFFF).to_bytes(5, "big")
    feedback = codec.decode_mit_feedback(data + b"\xf6\x00", AK80_9)
    assert feedback.position_rad == pytest.approx(values[0], abs=2.1 * 12.5 / 65535)
    assert feedback.velocity_rad_per_s == pytest.approx(values[1], abs=2.1 * 50.0 / 4095)
    assert feedback.torque_nm == pytest.approx(values[4], abs=2.1 * 18.0 / 4095)
    assert feedback.temperature_degc == -10.0


@given(st.builds(Frame, st.integers(0, 0x1FFFFFFF), st.binary(max_size=12), st.booleans(), st.booleans()))
def test_a_servo_status_is_told_by_identifier_and_length(frame: Frame) -> None:
    fits = frame.is_extended and frame.arbitration_id >> 8 == 0x29 and len(frame.data) == 8
    if fits:
        assert codec.decode_servo_feedback(frame).motor_id == frame.arbitration_id & 0xFF
    else:
        with pytest.raises(FrameError):
            codec.decode_servo_feedback(frame)


@given(st.integers(0, 255), st.binary(min_size=8, max_size=8))
def test_every_servo_status_is_decoded(motor_id: int, data: bytes) -> None:
    feedback = codec.decode_servo_feedback(Frame(0x2900 | motor_id, data, is_extended=True))
    assert feedback.motor_id == motor_id
    assert abs(feedback.position_deg) <= 3276.8
    assert -128.0 <= feedback.temperature_degc <= 127.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e12, -1e12])
def test_what_the_wire_cannot_carry_is_refused(bad: float) -> None:
    for make in (
        lambda: codec.make_duty(1, bad),
        lambda: codec.make_current(1, bad),
        lambda: codec.make_current(1, bad, 1e13),
        lambda: codec.make_brake(1, bad),
        lambda: codec.make_velocity(1, bad),
        lambda: codec.make_position(1, bad),
        lambda: codec.make_position_velocity(1, bad, 0.0, 0.0),
        lambda: codec.make_position_velocity(1, 0.0, bad, 0.0),
        lambda: codec.make_position_velocity(1, 0.0, 0.0, bad),
        lambda: codec.make_v3_command(V3_MODELS["AK80-9-V3"], 1, (bad, 0.0, 0.0, 0.0, 0.0)),
        lambda: codec.make_set_origin(1, 3),
        lambda: codec.make_duty(256, 0.0),
        lambda: codec.make_brake(1, -0.1),
    ):
        with pytest.raises(EncodeError):
            make()


@given(st.integers(-360_000_000, 360_000_000))
def test_every_count_of_a_position_is_exact(count: int) -> None:
    assert int.from_bytes(codec.make_position(1, count / 1e4).data, "big", signed=True) == count


@pytest.mark.parametrize("model", [*MODELS.values(), *V3_MODELS.values()], ids=lambda model: model.name)
def test_every_row_has_ranges_above_zero_and_a_source(model) -> None:
    assert model.position_max_rad in (12.5, 12.56)
    assert 8.0 <= model.velocity_max_rad_per_s <= 76.0
    assert 10.0 <= model.torque_max_nm <= 150.0
    assert (model.kp_max_nm_per_rad, model.kd_max_nm_s_per_rad) == (500.0, 5.0)
    assert model.source


def test_every_error_has_its_own_name() -> None:
    names = [codec.error_name(code) for code in range(1, 256)]
    assert len(set(names)) == len(names)
    assert set(ERROR_NAMES.values()) <= set(names)
