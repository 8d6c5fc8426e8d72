from __future__ import annotations

import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.can.impedance import command_ranges
from drivers.can.myactuator import codec
from drivers.can.myactuator.tables import MODELS, Command
from supervisor.core.errors import EncodeError, FrameError

RMD = MODELS["RMD"]
motor_ids = st.integers(1, 32)
replies = st.one_of(
    st.binary(max_size=12),
    st.tuples(st.sampled_from([*Command, 0xF1]), st.binary(min_size=7, max_size=7)).map(
        lambda parts: bytes(parts[:1]) + parts[1]
    ),
)


@given(motor_ids, st.floats(-327.67, 327.67))
def test_a_current_comes_back_within_half_a_count(motor_id: int, current_a: float) -> None:
    frame = codec.make_torque_current(motor_id, current_a)
    assert frame.arbitration_id == 0x140 + motor_id
    assert struct.unpack("<B3xhxx", frame.data) == (0xA1, pytest.approx(current_a * 100, abs=0.5001))


@given(st.floats(-21_474_836.0, 21_474_836.0), st.integers(0, 0xFFFF), st.booleans())
def test_a_position_comes_back_within_half_a_count(angle_deg: float, speed: int, is_incremental: bool) -> None:
    data = codec.make_position(1, angle_deg, speed, is_incremental=is_incremental).data
    first = 0xA8 if is_incremental else 0xA4
    assert struct.unpack("<BxHi", data) == (first, speed, pytest.approx(angle_deg * 100, abs=0.5001))


def test_a_single_turn_position_says_its_sense() -> None:
    data = codec.make_single_turn_position(1, 359.99, 500, is_counter_clockwise=True).data
    assert data == bytes((0xA6, 1)) + struct.pack("<HHH", 500, 35_999, 0)
    assert codec.make_single_turn_position(1, 0.0, 500).data[1] == 0


def test_a_speed_carries_the_torque_limit_of_newer_firmware() -> None:
    assert codec.make_speed(1, -1.0, 50).data == bytes((0xA2, 50, 0, 0)) + struct.pack("<i", -100)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e12, -1e12])
def test_what_is_not_finite_or_too_large_is_refused(value: float) -> None:
    for make in (
        lambda: codec.make_torque_current(1, value),
        lambda: codec.make_speed(1, value),
        lambda: codec.make_position(1, value, 0),
        lambda: codec.make_single_turn_position(1, value, 0),
        lambda: codec.make_set_timeout(1, value),
        *(
            lambda field=field: codec.make_motion_command(1, RMD, [value if i == field else 0.0 for i in range(5)])
            for field in range(5)
        ),
    ):
        with pytest.raises(EncodeError):
            make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: codec.make_request(0, Command.STOP),
        lambda: codec.make_request(33, Command.STOP),
        lambda: codec.make_torque_current(1, 327.69),
        lambda: codec.make_torque_current(1, -327.69),
        lambda: codec.make_speed(1, 0.0, 256),
        lambda: codec.make_position(1, 0.0, 65_536),
        lambda: codec.make_position(1, 0.0, -1),
        lambda: codec.make_single_turn_position(1, 360.0, 0),
        lambda: codec.make_single_turn_position(1, -0.01, 0),
        lambda: codec.make_set_acceleration(1, 100, 4),
        lambda: codec.make_set_acceleration(1, -1, 0),
        lambda: codec.make_set_acceleration(1, 1 << 32, 0),
        lambda: codec.make_set_timeout(1, 0.0009),
        lambda: codec.make_set_timeout(1, -0.001),
        lambda: codec.make_motion_command(0, RMD, [0.0] * 5),
        lambda: codec.make_motion_command(1, RMD, [12.6, 0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_what_the_wire_cannot_carry_is_refused(make) -> None:
    with pytest.raises(EncodeError):
        make()


@given(st.integers(0, 100_000))
@example(1001)  # 1000.9999999999999 ms in binary
def test_every_whole_millisecond_of_timeout_is_exact(milliseconds: int) -> None:
    assert codec.timeout_counts(milliseconds / 1000.0) == milliseconds


@given(motor_ids, st.lists(st.floats(-1.0, 1.0), min_size=5, max_size=5))
def test_what_the_motion_mode_is_told_and_reports_is_the_same_within_a_count(motor_id: int, shares: list) -> None:
    values = [
        low + (share + 1) / 2 * (high - low) for share, (low, high) in zip(shares, command_ranges(RMD), strict=True)
    ]
    frame = codec.make_motion_command(motor_id, RMD, values)
    word = int.from_bytes(frame.data, "big")
    told = motor_id << 56 | (word >> 48) << 40 | (word >> 36 & 0xFFF) << 28 | (word & 0xFFF) << 16
    feedback = codec.decode_motion_feedback(told.to_bytes(8, "big"), RMD)
    assert feedback.motor_id == motor_id
    assert feedback.position_rad == pytest.approx(values[0], abs=1.1 * 25.0 / 65535)
    assert feedback.velocity_rad_per_s == pytest.approx(values[1], abs=1.1 * 90.0 / 4095)
    assert feedback.torque_nm == pytest.approx(values[4], abs=1.1 * 48.0 / 4095)


@given(st.integers(0, 0x7FF), replies, st.booleans(), st.booleans())
def test_only_the_two_reply_ids_of_a_motor_are_its_voice(
    identifier: int, data: bytes, is_extended: bool, is_fd: bool
) -> None:
    found = codec.sender(Frame(identifier, data, is_extended, is_fd))
    is_plain = len(data) == 8 and not is_extended and not is_fd
    if is_plain and 0x241 <= identifier <= 0x260:
        assert found == (codec.ReplyKind.COMMAND, identifier - 0x240)
    elif is_plain and 0x501 <= identifier <= 0x520 and data[0] == identifier - 0x500:
        assert found == (codec.ReplyKind.MOTION, identifier - 0x500)
    else:
        assert found is None


def test_a_motion_reply_says_its_id_again() -> None:
    assert codec.sender(Frame(0x503, b"\x03" + bytes(7))) == (codec.ReplyKind.MOTION, 3)
    assert codec.sender(Frame(0x503, b"\x7f\xff\x7f\xf0\x00\x00\x07\xff")) is None


@given(motor_ids)
def test_our_own_commands_coming_back_are_nobodys_voice(motor_id: int) -> None:
    assert codec.sender(codec.make_request(motor_id, Command.READ_STATUS_1)) is None
    assert codec.sender(codec.make_motion_command(motor_id, RMD, [0.0] * 5)) is None
    assert codec.sender(codec.make_broadcast(Command.STOP)) is None


@given(replies)
def test_a_reply_is_decoded_or_a_frame_error(data: bytes) -> None:
    known = {*Command, 0xF1}
    if len(data) == 8 and data[0] in known:
        codec.decode_reply(data)
    else:
        with pytest.raises(FrameError):
            codec.decode_reply(data)


@pytest.mark.parametrize("size", [0, 7, 9])
def test_motion_feedback_of_the_wrong_length_is_a_frame_error(size: int) -> None:
    with pytest.raises(FrameError):
        codec.decode_motion_feedback(bytes(size), RMD)


def test_the_cry_of_a_motor_that_timed_out_and_the_echo_of_its_first_command_are_known() -> None:
    assert codec.decode_reply(b"\xf1" + bytes(7)) == codec.TimedOut()
    command = codec.make_torque_current(1, 1.0).data
    assert codec.is_echo(command, command)
    assert not codec.is_echo(command, command[:-1] + b"\x01")


def test_settings_are_acknowledged_with_their_value() -> None:
    assert codec.decode_reply(codec.make_set_timeout(1, 0.1).data) == codec.Acknowledged(0xB3, 100)


def test_every_error_bit_has_a_name() -> None:
    assert codec.error_names(0x7FDE)[0] == "STALL"
    assert codec.error_names(0x8001) == ("ERROR_0x0001", "ERROR_0x8000")
    assert len(codec.error_names(0xFFFF)) == 16
    assert codec.error_names(0) == ()
