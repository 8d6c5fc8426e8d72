from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.framing import Packet
from drivers.serial.lx16a import codec
from drivers.serial.lx16a.tables import READ_POSITION, READ_VOLTAGE, REPLY_BYTES
from supervisor.core.errors import EncodeError, FrameError


@given(st.integers(0, 1000), st.integers(0, 65535))
def test_a_move_comes_back(count: int, time_ms: int) -> None:
    (packet,) = codec.make_parser().feed(codec.make_move(3, math.radians(count * 0.24), time_ms))
    assert packet == Packet(3, 1, count.to_bytes(2, "little") + time_ms.to_bytes(2, "little"))


@pytest.mark.parametrize("angle_deg", [0.12, 0.6, 60.6, 120.12])
def test_half_a_count_goes_to_the_even_one_whatever_the_unit_it_came_from(angle_deg: float) -> None:
    assert codec.position_count(math.radians(angle_deg)) == round(round(angle_deg / 0.24, 9))


@pytest.mark.parametrize(
    "call",
    [
        lambda: codec.make_move(1, math.nan, 0),
        lambda: codec.make_move(1, math.inf, 0),
        lambda: codec.make_move(1, -0.01, 0),
        lambda: codec.make_move(1, 4.2, 0),
        lambda: codec.make_move(1, 1.0, -1),
        lambda: codec.make_move(1, 1.0, 65536),
        lambda: codec.make_move(1, 1.0, math.nan),  # type: ignore[arg-type]
        lambda: codec.make_move(255, 1.0, 0),
        lambda: codec.make_motor_mode(1, 1001),
        lambda: codec.make_motor_mode(1, -1001),
        lambda: codec.make_read(254, READ_POSITION),
        lambda: codec.make_read(1, 31),
        lambda: codec.make_packet(1, 256),
        lambda: codec.make_packet(1, 1, bytes(5)),
    ],
)
def test_what_no_servo_could_take_is_refused(call: Callable[[], bytes]) -> None:
    with pytest.raises(EncodeError):
        call()


@given(st.integers(0, 253), st.sampled_from(sorted(REPLY_BYTES)), st.data())
def test_an_answer_is_matched_with_its_question(servo_id: int, command: int, data: st.DataObject) -> None:
    size = REPLY_BYTES[command]
    answer = data.draw(st.binary(min_size=size, max_size=size))
    (packet,) = codec.make_parser().feed(codec.make_packet(servo_id, command, answer))
    assert codec.match_reply(packet, servo_id, command) == answer
    assert codec.match_reply(packet, servo_id ^ 1, command) is None
    assert codec.match_reply(packet, servo_id, command ^ 64) is None


def test_a_question_that_comes_back_is_no_answer() -> None:
    for command in REPLY_BYTES:
        (packet,) = codec.make_parser().feed(codec.make_read(1, command))
        assert codec.match_reply(packet, 1, command) is None


def test_readings_are_scaled() -> None:
    assert codec.decode_position(Packet(1, READ_POSITION, b"\xec\xff")) == pytest.approx(math.radians(-4.8))
    assert codec.decode_voltage(Packet(1, READ_VOLTAGE, b"\xe8\x1c")) == pytest.approx(7.4)
    assert codec.decode_temperature(Packet(1, 26, b"\x2d")) == 45.0


@pytest.mark.parametrize("decode", [codec.decode_position, codec.decode_voltage, codec.decode_temperature])
@given(packet=st.builds(Packet, st.integers(0, 254), st.sampled_from([26, 27, 28, 1]), st.binary(max_size=5)))
def test_decoding_any_packet_raises_nothing_but_a_frame_error(
    decode: Callable[[Packet], float], packet: Packet
) -> None:
    try:
        assert math.isfinite(decode(packet))
    except FrameError:
        assert (
            len(packet.params) != REPLY_BYTES.get(packet.instruction)
            or packet.id == 254
            or packet.instruction
            != {
                codec.decode_position: 28,
                codec.decode_voltage: 27,
                codec.decode_temperature: 26,
            }.get(decode)
        )


def test_switching_the_load_and_the_mode() -> None:
    assert codec.make_load(1, is_loaded=False).hex() == "555501041f00db"
    assert codec.make_servo_mode(1)[5:9] == bytes(4)
    assert codec.make_move_start(254)[2:5] == b"\xfe\x03\x0b"


def test_a_packet_for_all_is_nobodys_answer() -> None:
    with pytest.raises(FrameError):
        codec.decode_position(Packet(254, READ_POSITION, b"\0\0"))
