"""LX-16A: packets out and in. Position only; the servo holds its last goal for ever, there is no command timeout.

Positions are rad from the lower end of the servo's 240 degrees.

Encoding raises `EncodeError` on NaN, infinity and out of range.

Source: see `tables`.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from drivers.serial.framing import Packet, SummedParser, inverted_sum
from drivers.serial.lx16a.tables import (
    BROADCAST_ID,
    LAYOUT,
    MAXIMUM_ID,
    MAXIMUM_PACKET_BYTES,
    MOTOR_SPEEDS,
    MOVE,
    MOVE_START,
    MOVE_STOP,
    MOVE_WAIT,
    POSITION_COUNT_RAD,
    POSITION_COUNTS,
    READ_POSITION,
    READ_TEMPERATURE,
    READ_VOLTAGE,
    REPLY_BYTES,
    TIME_MS,
    WRITE_LOAD,
    WRITE_MODE,
)
from supervisor.core.errors import EncodeError, FrameError

_MOVE: Final = Struct("<HH")
_MODE: Final = Struct("<BBh")
_DUST_DIGITS: Final = 6
"""Digits of a count to keep before rounding: what converting between degrees and radians adds is far below."""


def make_parser() -> SummedParser:
    """A stream parser for these packets."""
    return SummedParser(LAYOUT)


def make_packet(servo_id: int, command: int, params: bytes = b"") -> bytes:
    """One whole packet.

    Raises:
        EncodeError: No such id or command, or too long.
    """
    if not LAYOUT.has_id(servo_id):
        raise EncodeError(f"servo id {servo_id}, allowed: 0 to {MAXIMUM_ID}, or {BROADCAST_ID} for all")
    if not 0 <= command <= 0xFF:
        raise EncodeError(f"command {command}, allowed: 0 to 255")
    length = len(params) + 3
    if length + LAYOUT.uncounted_bytes > MAXIMUM_PACKET_BYTES:
        raise EncodeError(f"a packet of {length + 3} bytes, at most {MAXIMUM_PACKET_BYTES} are allowed")
    body = bytes((servo_id, length, command)) + params
    return LAYOUT.sync + body + bytes((inverted_sum(body),))


def make_read(servo_id: int, command: int) -> bytes:
    """Ask one servo a question, one of `REPLY_BYTES`.

    Raises:
        EncodeError: No question, or to all servos at once: their answers would collide.
    """
    if command not in REPLY_BYTES:
        raise EncodeError(f"command {command} is no question")
    if not 0 <= servo_id <= MAXIMUM_ID:
        raise EncodeError(f"servo id {servo_id}, allowed: 0 to {MAXIMUM_ID}")
    return make_packet(servo_id, command)


def make_move(servo_id: int, position_rad: float, time_ms: int) -> bytes:
    """Move to a position within a time; 0 is as fast as it can.

    Raises:
        EncodeError: Not finite, or out of range.
    """
    return make_packet(servo_id, MOVE, _move(position_rad, time_ms))


def make_move_wait(servo_id: int, position_rad: float, time_ms: int) -> bytes:
    """As `make_move`, to be started by `make_move_start`."""
    return make_packet(servo_id, MOVE_WAIT, _move(position_rad, time_ms))


def make_move_start(servo_id: int) -> bytes:
    """Start what `make_move_wait` has left."""
    return make_packet(servo_id, MOVE_START)


def make_move_stop(servo_id: int) -> bytes:
    """Stop where it is, torque kept."""
    return make_packet(servo_id, MOVE_STOP)


def make_load(servo_id: int, *, is_loaded: bool) -> bytes:
    """Switch the motor's power on, or off (the limb falls)."""
    return make_packet(servo_id, WRITE_LOAD, bytes((is_loaded,)))


def make_motor_mode(servo_id: int, speed: int) -> bytes:
    """Turn without end.

    Args:
        servo_id: The servo.
        speed: Duty cycle, -1000 to 1000.

    Raises:
        EncodeError: Not a whole number, or out of range.
    """
    return make_packet(servo_id, WRITE_MODE, _MODE.pack(1, 0, _whole(speed, MOTOR_SPEEDS, "speed")))


def make_servo_mode(servo_id: int) -> bytes:
    """Go back to positions."""
    return make_packet(servo_id, WRITE_MODE, _MODE.pack(0, 0, 0))


def match_reply(packet: Packet, servo_id: int, command: int) -> bytes | None:
    """The answer's bytes, if it is that servo's to that question and of the right size; else None."""
    if packet.id != servo_id or packet.instruction != command or len(packet.params) != REPLY_BYTES.get(command):
        return None
    return packet.params


def decode_position(packet: Packet) -> float:
    """The position of a servo, rad; it may lie outside the 240 degrees near an end stop.

    Raises:
        FrameError: Another packet.
    """
    return int.from_bytes(_reply(packet, READ_POSITION), "little", signed=True) * POSITION_COUNT_RAD


def decode_voltage(packet: Packet) -> float:
    """The supply of a servo, V.

    Raises:
        FrameError: Another packet.
    """
    return int.from_bytes(_reply(packet, READ_VOLTAGE), "little") / 1000.0


def decode_temperature(packet: Packet) -> float:
    """The temperature of a servo, degC.

    Raises:
        FrameError: Another packet.
    """
    return float(_reply(packet, READ_TEMPERATURE)[0])


def position_count(position_rad: float) -> int:
    """A goal position in counts.

    Raises:
        EncodeError: Not finite, or out of range.
    """
    low, high = POSITION_COUNTS
    scaled = position_rad / POSITION_COUNT_RAD
    # NaN fails this comparison, and must not reach `round`.
    if not low - 0.5 < scaled < high + 0.5:
        raise EncodeError(f"position {position_rad} rad, allowed: 0 to {high * POSITION_COUNT_RAD:.4f}")
    return round(round(scaled, _DUST_DIGITS))


def _move(position_rad: float, time_ms: int) -> bytes:
    return _MOVE.pack(position_count(position_rad), _whole(time_ms, TIME_MS, "time in ms"))


def _whole(value: int, limits: tuple[int, int], what: str) -> int:
    low, high = limits
    if not isinstance(value, int) or not low <= value <= high:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise EncodeError(f"{what} {value}, allowed: whole numbers, {low} to {high}")
    return value


def _reply(packet: Packet, command: int) -> bytes:
    data = match_reply(packet, packet.id, command)
    if data is None or packet.id == BROADCAST_ID:
        raise FrameError(f"command {packet.instruction} with {len(packet.params)} bytes is no answer to {command}")
    return data
