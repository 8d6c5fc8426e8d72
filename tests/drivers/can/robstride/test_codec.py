from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.impedance import command_ranges
from drivers.can.robstride import codec, commissioning
from drivers.can.robstride.tables import MODELS, PARAMETERS
from supervisor.core.errors import EncodeError, FrameError

models = st.sampled_from(sorted(MODELS.values(), key=lambda model: model.name))
RS03 = MODELS["RS03"]
DECODERS = (
    lambda frame: codec.decode_feedback(frame, RS03),
    codec.decode_parameter_reply,
    codec.decode_fault_report,
    codec.decode_device_id,
)
frames = st.builds(
    Frame, st.integers(0, 0x1FFFFFFF), st.binary(max_size=12), st.booleans(), st.booleans(), st.floats(0.0, 1e6)
)


@st.composite
def commands(draw: st.DrawFn):
    model = draw(models)
    return model, [draw(st.floats(low, high)) for low, high in command_ranges(model)]


@given(commands(), st.integers(0, 255))
def test_what_is_commanded_and_reported_unchanged_is_the_same_within_a_count(given_command, motor_id: int) -> None:
    model, values = given_command
    command = codec.make_operation(model, motor_id, values)
    assert command.arbitration_id >> 24 == 1
    assert command.arbitration_id & 0xFF == motor_id
    torque = (command.arbitration_id >> 8 & 0xFFFF).to_bytes(2, "big")
    reply = Frame(0x02_80_00_FD | motor_id << 8, command.data[:4] + torque + b"\x00\xfa", is_extended=True)
    feedback = codec.decode_feedback(reply, model)
    assert (feedback.motor_id, feedback.host_id, feedback.mode_code, feedback.fault_bits) == (motor_id, 0xFD, 2, 0)
    assert feedback.position_rad == pytest.approx(values[0], abs=2.1 * model.position_max_rad / 65535)
    assert feedback.velocity_rad_per_s == pytest.approx(values[1], abs=2.1 * model.velocity_max_rad_per_s / 65535)
    assert feedback.torque_nm == pytest.approx(values[4], abs=2.1 * model.torque_max_nm / 65535)
    assert feedback.temperature_degc == pytest.approx(25.0)


@pytest.mark.parametrize("field", range(5))
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e9, -1e9])
def test_a_command_that_the_wire_cannot_carry_is_refused(field: int, bad: float) -> None:
    values = [0.0] * 5
    values[field] = bad
    with pytest.raises(EncodeError):
        codec.make_operation(RS03, 1, values)


@given(frames)
def test_a_frame_is_at_most_one_message_and_anything_else_is_a_frame_error(frame: Frame) -> None:
    decoded = 0
    for decode in DECODERS:
        try:
            decode(frame)
            decoded += 1
        except FrameError:
            pass
    kind = frame.arbitration_id >> 24
    fits = frame.is_extended and len(frame.data) == 8
    if kind in (2, 24):
        fits = fits and frame.data[:3] != b"\x00\xc4\x56"
    elif kind == 0:
        fits = fits and frame.arbitration_id & 0xFF == 0xFE
    else:
        fits = fits and kind in (17, 21)
    assert decoded == int(fits)


def test_the_firmwares_version_is_not_feedback() -> None:
    frame = Frame(0x0200_01FD, bytes.fromhex("00c4560001030400"), is_extended=True)
    with pytest.raises(FrameError, match="version"):
        codec.decode_feedback(frame, RS03)
    assert codec.make_version_request(1) == Frame(0x0400FD01, bytes.fromhex("00c4000000000000"), is_extended=True)


def test_a_failed_read_is_not_a_zero() -> None:
    reply = codec.decode_parameter_reply(Frame(0x1101_06FD, bytes.fromhex("1970000000000000"), is_extended=True))
    assert not reply.is_success


@given(st.sampled_from(sorted(PARAMETERS.values(), key=lambda row: row.index)), st.integers(0, 255))
def test_a_written_parameter_comes_back(parameter, value: int) -> None:
    frame = codec.make_write(5, parameter, value)
    assert frame.arbitration_id == 0x1200FD05
    assert codec.parameter_value(frame.data[4:], parameter.kind) == value
    assert frame.data[:4] == bytes((parameter.index & 0xFF, parameter.index >> 8, 0, 0))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("uint16", 65536),
        ("uint32", 2**32),
        ("uint32", 1.5),
        ("int16", 32768),
        ("uint32", math.nan),
        ("uint32", math.inf),
        ("float32", math.nan),
        ("float32", math.inf),
        ("float32", 1e39),
    ],
)
def test_a_value_that_does_not_fit_its_parameter_is_refused(kind, value: float) -> None:
    with pytest.raises(EncodeError):
        codec.make_parameter_write(1, 0x7028, kind, value)


@pytest.mark.parametrize(("timeout_s", "counts"), [(0.0, 0), (50e-6, 1), (0.1, 2000), (0.3, 6000), (1.0, 20_000)])
def test_a_timeout_is_counted_in_50_microseconds(timeout_s: float, counts: int) -> None:
    frame = codec.make_set_timeout(1, timeout_s)
    assert frame.data == bytes.fromhex("28700000") + counts.to_bytes(4, "little")


@pytest.mark.parametrize("timeout_s", [-0.001, 49e-6, 1e-12, math.nan, math.inf, 1e9])
def test_a_timeout_that_would_not_protect_is_refused(timeout_s: float) -> None:
    with pytest.raises(EncodeError):
        codec.make_set_timeout(1, timeout_s)


@pytest.mark.parametrize(
    "make",
    [
        lambda: codec.make_enable(256),
        lambda: codec.make_enable(-1),
        lambda: codec.make_stop(1, 256),
        lambda: commissioning.make_set_can_id(1, 256),
        lambda: codec.make_parameter_read(1, 0x10000),
        lambda: commissioning.make_set_bitrate(1, 0),
        lambda: commissioning.make_set_bitrate(1, 5),
        lambda: commissioning.make_active_report(1, 2),
        lambda: commissioning.make_set_protocol(1, 3),
    ],
)
def test_what_no_motor_understands_is_refused(make) -> None:
    with pytest.raises(EncodeError):
        make()


def test_only_stop_with_its_flag_clears_faults_and_nothing_but_enable_enables() -> None:
    assert codec.make_stop(1).data == bytes(8)
    assert codec.make_stop(1, clear_fault=True).data == b"\x01" + bytes(7)
    assert {codec.make_stop(1).arbitration_id >> 24, codec.make_version_request(1).arbitration_id >> 24} == {4}
    assert codec.make_enable(1).arbitration_id >> 24 == 3


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_every_row_has_ranges_above_zero_and_a_source(model) -> None:
    assert model.position_max_rad == 12.57
    assert 10.0 <= model.velocity_max_rad_per_s <= 60.0
    assert 5.0 <= model.torque_max_nm <= 120.0
    assert (model.kp_max_nm_per_rad, model.kd_max_nm_s_per_rad) in {(500.0, 5.0), (5000.0, 100.0)}
    assert model.source
    assert MODELS[model.name] is model
