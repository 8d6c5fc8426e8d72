from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.odrive import codec
from drivers.can.odrive.tables import REPORTS, AxisState, ControlMode, InputMode, Message, RebootAction
from supervisor.core.errors import EncodeError, FrameError

node_ids = st.integers(0, 0x3F)
TOO_LARGE = [math.nan, math.inf, -math.inf, 1e39]

ONE_FLOAT = [
    codec.make_input_torque,
    codec.make_set_trajectory_velocity,
    codec.make_set_trajectory_inertia,
    codec.make_set_position_gain,
    codec.make_set_absolute_position,
]
TWO_FLOATS = [
    codec.make_input_velocity,
    codec.make_set_limits,
    codec.make_set_trajectory_acceleration,
    codec.make_set_velocity_gains,
]


@given(node_ids, st.floats(width=32, allow_nan=False, allow_infinity=False), *[st.floats(-32.768, 32.767)] * 2)
def test_a_position_comes_back_within_half_a_count(node_id: int, position: float, velocity: float, torque: float):
    frame = codec.make_input_position(node_id, position, velocity, torque)
    assert frame.arbitration_id == node_id << 5 | 0x0C
    counts = (pytest.approx(velocity * 1e3, abs=0.5001), pytest.approx(torque * 1e3, abs=0.5001))
    assert struct.unpack("<fhh", frame.data) == (position, *counts)


@pytest.mark.parametrize("value", [*TOO_LARGE, 32.7676, -32.7686, 33.0, 1e9])
def test_a_feed_forward_that_would_overflow_to_the_other_sign_is_refused(value: float) -> None:
    with pytest.raises(EncodeError):
        codec.make_input_position(1, 0.0, value, 0.0)
    with pytest.raises(EncodeError):
        codec.make_input_position(1, 0.0, 0.0, value)


@pytest.mark.parametrize("value", TOO_LARGE)
def test_what_a_float32_cannot_hold_is_refused(value: float) -> None:
    with pytest.raises(EncodeError):
        codec.make_input_position(1, value, 0.0, 0.0)
    for make in ONE_FLOAT:
        with pytest.raises(EncodeError):
            make(1, value)
    for make in TWO_FLOATS:
        with pytest.raises(EncodeError):
            make(1, value, 0.0)
        with pytest.raises(EncodeError):
            make(1, 0.0, value)


@pytest.mark.parametrize("node_id", [-1, 0x40, 1000])
def test_a_node_id_that_does_not_fit_is_refused(node_id: int) -> None:
    for make in (codec.make_estop, codec.make_clear_errors, codec.make_reboot):
        with pytest.raises(EncodeError):
            make(node_id)
    with pytest.raises(EncodeError):
        codec.make_set_address(node_id, 0, 0)


@pytest.mark.parametrize(("serial_number", "connection_id"), [(-1, 0), (1 << 48, 0), (0, -1), (0, 256)])
def test_an_address_that_does_not_fit_is_refused(serial_number: int, connection_id: int) -> None:
    with pytest.raises(EncodeError):
        codec.make_set_address(1, serial_number, connection_id)


def test_an_endpoint_is_read_and_written() -> None:
    assert codec.make_sdo_read(1, 0x0102).data.hex() == "0002010000000000"
    assert codec.make_sdo_write(1, 0x0102, b"\x01").data.hex() == "0102010001000000"
    assert codec.decode_report(Message.SDO_REPLY, bytes.fromhex("000201000000803f")) == (0x0102, b"\0\0\x80\x3f")
    for make in (
        lambda: codec.make_sdo_read(1, 0x10000),
        lambda: codec.make_sdo_read(1, -1),
        lambda: codec.make_sdo_write(1, 0, b""),
        lambda: codec.make_sdo_write(1, 0, bytes(5)),
    ):
        with pytest.raises(EncodeError):
            make()


@given(st.integers(-1, 0x900), st.binary(max_size=9), st.booleans(), st.booleans())
def test_only_what_devices_send_is_taken_and_all_of_it_decodes(
    identifier: int, data: bytes, is_extended: bool, is_fd: bool
) -> None:
    found = codec.sender(Frame(identifier, data, is_extended, is_fd))
    if found is not None:
        assert (found[0] << 5 | found[1], len(data), is_extended, is_fd) == (identifier, 8, False, False)
        assert found[1] in REPORTS
        codec.decode_report(found[1], data)


@pytest.mark.parametrize("message", sorted(REPORTS))
def test_every_report_is_taken(message: Message) -> None:
    frame = Frame(5 << 5 | message, b"\x05" + bytes(7))
    assert codec.sender(frame) == (5, message)
    codec.decode_report(message, frame.data)
    with pytest.raises(FrameError):
        codec.decode_report(message, bytes(7))


@pytest.mark.parametrize("message", sorted(set(Message) - REPORTS))
def test_what_hosts_send_is_no_report(message: Message) -> None:
    assert codec.sender(Frame(5 << 5 | message, bytes(8))) is None
    with pytest.raises(FrameError):
        codec.decode_report(message, bytes(8))


def test_our_own_commands_coming_back_are_no_reports() -> None:
    for frame in (
        codec.make_estop(1),
        codec.make_set_axis_state(1, AxisState.CLOSED_LOOP_CONTROL),
        codec.make_set_controller_mode(1, ControlMode.POSITION, InputMode.PASSTHROUGH),
        codec.make_input_position(1, 0.0, 0.0, 0.0),
        codec.make_reboot(1, RebootAction.SAVE_CONFIGURATION),
        codec.make_set_address(5, 123, 1),
        codec.make_sdo_read(1, 0),
    ):
        assert codec.sender(frame) is None


@given(st.integers(0, 0xFFFFFFFF))
def test_every_error_bit_has_a_name(error_bits: int) -> None:
    assert len(set(codec.error_names(error_bits))) == error_bits.bit_count()
