"""Feetech STS, SMS, HLS and SCS: packets out and in, magnitudes with a sign bit, and scaling.

A request and an answer have one form: an echo of our own request reads as an answer with error bits. An adapter that
gives back what it sends needs `drivers.serial.framing.EchoFilter`, and every answer is matched with its question.

Encoding raises `EncodeError` on NaN, infinity and out of range.

Source: see `tables`.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, Literal, NamedTuple

from drivers.serial.feetech.tables import (
    BROADCAST_ID,
    CURRENT_COUNT_A,
    ERROR_BITS,
    LAYOUT,
    LOAD_COUNT,
    MAXIMUM_ID,
    MAXIMUM_PACKET_BYTES,
    SERIES,
    SIGN_LOAD,
    SIGN_POSITION,
    SIGN_SPEED,
    STS_MOTION_BYTES,
    STS_REGISTERS,
    STS_SPEED_COUNT_RAD_PER_S,
    VOLTAGE_COUNT_V,
    Series,
)
from drivers.serial.framing import Packet, SummedParser, inverted_sum
from supervisor.core.errors import EncodeError, FrameError

_HALF_COUNT: Final = 0.499_999
_STS_MOTION: Final = Struct("<HHHBBxBB2xH")


class Status(NamedTuple):
    """What one servo answered.

    Attributes:
        id: The servo.
        error_bits: Of `ERROR_BITS`; 0 if nothing is wrong. The data are valid all the same.
        data: What was read, empty for an acknowledgment.
    """

    id: int
    error_bits: int
    data: bytes


class StsMotion(NamedTuple):
    """What one read of `STS_MOTION_BYTES` brings.

    Attributes:
        position_rad: From the middle of the turn.
        velocity_rad_per_s: Signed.
        load: Share of the largest duty cycle, -1 to 1.
        voltage_v, temperature_degc, current_a: As measured.
        error_bits: Of `ERROR_BITS`.
        is_moving: True while under way to a goal.
    """

    position_rad: float
    velocity_rad_per_s: float
    load: float
    voltage_v: float
    temperature_degc: float
    error_bits: int
    is_moving: bool
    current_a: float


def make_parser() -> SummedParser:
    """A stream parser for these packets."""
    return SummedParser(LAYOUT)


def make_packet(servo_id: int, instruction: int, params: bytes = b"") -> bytes:
    """One whole packet.

    Raises:
        EncodeError: No such id or instruction, or too long.
    """
    if not LAYOUT.has_id(servo_id):
        raise EncodeError(f"servo id {servo_id}, allowed: 0 to {MAXIMUM_ID}, or {BROADCAST_ID} for all")
    if not 0 <= instruction <= 0xFF:
        raise EncodeError(f"instruction {instruction}, allowed: 0 to 255")
    length = len(params) + 2
    if length + LAYOUT.uncounted_bytes > MAXIMUM_PACKET_BYTES:
        raise EncodeError(f"a packet of {length + 4} bytes, at most {MAXIMUM_PACKET_BYTES} are allowed")
    body = bytes((servo_id, length, instruction)) + params
    return LAYOUT.sync + body + bytes((inverted_sum(body),))


def make_status(servo_id: int, error_bits: int, data: bytes = b"") -> bytes:
    """A status packet, as servos send it."""
    return make_packet(servo_id, error_bits, data)


def sign_magnitude(value: int, sign_bit: int) -> int:
    """A value as magnitude with a sign bit.

    Raises:
        EncodeError: Not a whole number, or a magnitude that reaches the sign bit.
    """
    top = (1 << sign_bit) - 1
    if not isinstance(value, int) or not -top <= value <= top:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise EncodeError(f"value {value}, allowed: whole numbers, {-top} to {top}")
    return -value | 1 << sign_bit if value < 0 else value


def signed_from_magnitude(raw: int, sign_bit: int) -> int:
    """A value from magnitude with a sign bit."""
    return -(raw & ~(1 << sign_bit)) if raw >> sign_bit & 1 else raw


def pack_word(raw: int, order: Literal["little", "big"]) -> bytes:
    """A 16-bit register's bytes.

    Raises:
        EncodeError: Not a whole number of 16 bits.
    """
    if not isinstance(raw, int) or not 0 <= raw <= 0xFFFF:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise EncodeError(f"register value {raw}, allowed: whole numbers, 0 to 65535")
    return raw.to_bytes(2, order)


def decode_status(packet: Packet) -> Status:
    """What one servo answered.

    Raises:
        FrameError: From the broadcast id: no servo's answer.
    """
    if packet.id == BROADCAST_ID:
        raise FrameError("a packet for all servos where one answers")
    return Status(packet.id, packet.instruction, packet.params)


def match_status(packet: Packet, servo_id: int, size: int) -> Status | None:
    """What one servo answered, if it is that servo and that many bytes; else None.

    Args:
        packet: From the parser.
        servo_id: Who was asked.
        size: Bytes of data that were asked for; 0 for an acknowledgment.
    """
    if packet.id != servo_id or len(packet.params) != size:
        return None
    return Status(packet.id, packet.instruction, packet.params)


def error_names(error_bits: int) -> list[str]:
    """The names of the bits set in an error byte."""
    return [ERROR_BITS.get(bit, f"BIT_{bit}") for bit in range(8) if error_bits >> bit & 1]


def decode_sts_motion(data: bytes) -> StsMotion:
    """Decode the registers from position to current.

    Raises:
        FrameError: Another number of bytes.
    """
    if len(data) != STS_MOTION_BYTES:
        raise FrameError(f"{len(data)} bytes where a read of motion brings {STS_MOTION_BYTES}")
    position, speed, load, voltage, temperature, errors, moving, current = _STS_MOTION.unpack(data)
    return StsMotion(
        position_from_count(SERIES["STS"], signed_from_magnitude(position, SIGN_POSITION)),
        signed_from_magnitude(speed, SIGN_SPEED) * STS_SPEED_COUNT_RAD_PER_S,
        signed_from_magnitude(load, SIGN_LOAD) * LOAD_COUNT,
        voltage * VOLTAGE_COUNT_V,
        float(temperature),
        errors,
        bool(moving),
        signed_from_magnitude(current, STS_REGISTERS["current"].sign_bit or 0) * CURRENT_COUNT_A,
    )


def position_count(series: Series, position_rad: float, limits: tuple[int, int] | None = None) -> int:
    """A goal position in counts.

    Args:
        series: Of the servo.
        position_rad: From the middle of the turn.
        limits: Lowest and highest count that the servo takes, if narrower than the series'.

    Raises:
        EncodeError: Not finite, or outside the limits.
    """
    low, high = limits or series.position_counts
    scaled = position_rad / series.position_count_rad + series.centre_count
    if not low - _HALF_COUNT <= scaled <= high + _HALF_COUNT:
        raise EncodeError(
            f"position {position_rad} rad, allowed: {position_from_count(series, low):.4f} to"
            f" {position_from_count(series, high):.4f}"
        )
    return round(scaled)


def position_from_count(series: Series, count: int) -> float:
    """A position in rad from the middle of the turn."""
    return (count - series.centre_count) * series.position_count_rad
