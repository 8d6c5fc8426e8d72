"""Dynamixel protocol 2.0: instruction packets out, a stream parser, status packets in. Pure but for the parser.

Register values stay integers here; what they mean in SI is at the end of this file and in `batch`.

Encoding raises `EncodeError` on NaN, infinity and out of range: a servo ignores a bad goal in a sync write silently.

Source: see `tables`. The vendor's Python library works out byte stuffing but sends the packet without it
(`dynamixel-sdk` 4.1.0, `addStuffing` rebinds its argument); packets here are stuffed as the manual says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from drivers.serial.dynamixel.crc import crc16
from drivers.serial.dynamixel.tables import (
    ALERT_BIT,
    BROADCAST_ID,
    CENTRE_COUNT,
    ERROR_NAMES,
    HARDWARE_ERROR_BITS,
    HEAD_BYTES,
    HEADER,
    MAXIMUM_ID,
    MAXIMUM_PACKET_BYTES,
    POSITION_COUNT_RAD,
    SINGLE_TURN_COUNTS,
    STATUS,
    WATCHDOG_COUNT_S,
    WATCHDOG_COUNTS,
)
from supervisor.core.errors import EncodeError, FrameError

_MARK: Final = b"\xff\xff\xfd"
_STUFFED: Final = b"\xff\xff\xfd\xfd"
_CRC_BYTES: Final = 2
HALF_COUNT: Final = 0.499_999
"""How far beyond a limit a value may be and still be rounded to it; at a whole half it would be rounded away."""

_MINIMUM_LENGTH: Final = 1 + _CRC_BYTES
_FAST_BLOCK_BYTES: Final = 4
"""Of a servo's part in a fast status packet, beside its data: error, id and checksum."""


class Packet(NamedTuple):
    """One packet whose checksum was right, stuffing removed.

    Attributes:
        id: The servo it is for, or from; 0xFE for all, or from all.
        instruction: What is asked; 0x55 in a status packet.
        params: The rest.
    """

    id: int
    instruction: int
    params: bytes


class Status(NamedTuple):
    """What one servo answered.

    Attributes:
        id: The servo.
        error_code: 0 if it did what was asked; names in `ERROR_NAMES`.
        has_alert: Register 70 has a hardware error to tell. The data are valid all the same.
        data: What was read, empty for an acknowledgment.
    """

    id: int
    error_code: int
    has_alert: bool
    data: bytes


@dataclass(slots=True)
class PacketParser:
    """Finds packets in a stream of bytes. Never raises; keeps less than one packet of unfinished bytes.

    Stuffing keeps the header out of a packet's inside, so a header there says at once that the packet was cut short.
    Only a fast status packet is not stuffed (its first servo states the length for all of them), and only its
    length and checksum can tell.

    Attributes:
        packets: Packets accepted.
        bad_crc: Headers whose packet failed its checksum.
        bad_length: Headers with a length, or an id, that cannot be.
        cut_short: Packets in which the next one began.
        dropped_bytes: Bytes that belong to no accepted packet.
    """

    packets: int = 0
    bad_crc: int = 0
    bad_length: int = 0
    cut_short: int = 0
    dropped_bytes: int = 0
    _rest: bytes = b""

    @property
    def unfinished_bytes(self) -> int:
        """How many bytes wait for the rest of their packet."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Packet]:
        """Take bytes as they arrive.

        Returns:
            The packets completed by them, oldest first.
        """
        buffer = self._rest + data if self._rest else data
        found: list[Packet] = []
        at, end = 0, len(buffer)
        while True:
            start = buffer.find(HEADER, at)
            if start < 0:
                start = end - _header_begun(buffer, at)
                self.dropped_bytes += start - at
                at = start
                break
            self.dropped_bytes += start - at
            at = start
            if end - at <= HEAD_BYTES:
                break
            length = buffer[at + 5] | buffer[at + 6] << 8
            stop = at + HEAD_BYTES + length
            if not self._is_possible(buffer[at + 4], length):
                self.dropped_bytes += 1
                at += 1
                continue
            is_fast = buffer[at + 4] == BROADCAST_ID and buffer[at + HEAD_BYTES] == STATUS
            inner = -1 if is_fast else buffer.find(HEADER, at + HEAD_BYTES, min(stop - _CRC_BYTES, end))
            if inner >= 0:
                self.cut_short += 1
                self.dropped_bytes += inner - at
                at = inner
                continue
            if stop > end:
                break
            if crc16(buffer[at : stop - _CRC_BYTES]) != buffer[stop - 2] | buffer[stop - 1] << 8:
                # The header may have been data, or its length wrong: only this byte is known to be no use.
                self.bad_crc += 1
                self.dropped_bytes += 1
                at += 1
                continue
            params = buffer[at + HEAD_BYTES + 1 : stop - _CRC_BYTES]
            found.append(
                Packet(
                    buffer[at + 4],
                    buffer[at + HEAD_BYTES],
                    params if is_fast else params.replace(_STUFFED, _MARK),
                )
            )
            self.packets += 1
            at = stop
        self._rest = buffer[at:]
        return found

    def _is_possible(self, servo_id: int, length: int) -> bool:
        """Whether a packet can have this id and length; counts it if not."""
        if _MINIMUM_LENGTH <= length <= MAXIMUM_PACKET_BYTES - HEAD_BYTES and (
            servo_id <= MAXIMUM_ID or servo_id == BROADCAST_ID
        ):
            return True
        self.bad_length += 1
        return False


def _header_begun(buffer: bytes, at: int) -> int:
    """How many bytes at the end of the buffer may be the beginning of a header."""
    for size in range(min(len(HEADER) - 1, len(buffer) - at), 0, -1):
        if buffer.endswith(HEADER[:size]):
            return size
    return 0


def make_packet(servo_id: int, instruction: int, params: bytes = b"") -> bytes:
    """One whole packet: header, stuffing, length and checksum.

    Raises:
        EncodeError: No such id or instruction, or too long.
    """
    if not (0 <= servo_id <= MAXIMUM_ID or servo_id == BROADCAST_ID):
        raise EncodeError(f"servo id {servo_id}, allowed: 0 to {MAXIMUM_ID}, or {BROADCAST_ID} for all")
    if not 0 <= instruction <= 0xFF:
        raise EncodeError(f"instruction {instruction}, allowed: 0 to 255")
    body = bytes((instruction,)) + params
    if _MARK in body:
        body = body.replace(_MARK, _STUFFED)
    length = len(body) + _CRC_BYTES
    if length > MAXIMUM_PACKET_BYTES - HEAD_BYTES:
        raise EncodeError(f"a packet of {length + HEAD_BYTES} bytes, at most {MAXIMUM_PACKET_BYTES} are allowed")
    packet = HEADER + bytes((servo_id, length & 0xFF, length >> 8)) + body
    return packet + crc16(packet).to_bytes(2, "little")


def make_status(servo_id: int, error: int, data: bytes = b"") -> bytes:
    """A status packet, as servos send it.

    Args:
        servo_id: 0 to 252.
        error: Error code, with bit 7 for the alert.
        data: What was read.
    """
    return make_packet(servo_id, STATUS, bytes((error,)) + data)


def pack(value: int, size: int, *, is_signed: bool) -> bytes:
    """A register's bytes.

    Raises:
        EncodeError: Not an integer, or one that the register cannot hold.
    """
    low, high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if is_signed else (0, (1 << 8 * size) - 1)
    # NaN and infinity are no integers, and a float that is one has not been through the scaling.
    if not isinstance(value, int) or not low <= value <= high:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise EncodeError(f"register value {value}, allowed: whole numbers, {low} to {high}")
    return value.to_bytes(size, "little", signed=is_signed)


def unpack(data: bytes, *, is_signed: bool) -> int:
    """A register's value from its bytes."""
    return int.from_bytes(data, "little", signed=is_signed)


def decode_status(packet: Packet) -> Status:
    """What one servo answered.

    Raises:
        FrameError: Not a status packet of one servo: an instruction (an echo of our own, or a second host's), or a
            fast status packet.
    """
    if packet.instruction != STATUS:
        raise FrameError(f"instruction 0x{packet.instruction:02X} where a status packet has 0x{STATUS:02X}")
    if packet.id == BROADCAST_ID:
        raise FrameError("a fast status packet where one servo was asked")
    if not packet.params:
        raise FrameError("a status packet without its error byte")
    error = packet.params[0]
    return Status(packet.id, error & ~ALERT_BIT, bool(error & ALERT_BIT), packet.params[1:])


def decode_fast_status(packet: Packet, items: Sequence[tuple[int, int]]) -> list[Status]:
    """What many servos answered together to a fast sync read or a fast bulk read.

    The packet's own checksum covers all of it; the checksums between the servos' parts repeat that, and are skipped.

    Args:
        packet: From the parser.
        items: Id and number of data bytes of each servo, in the order in which they were asked.

    Raises:
        FrameError: Not a fast status packet, or not the servos, the order or the sizes that were asked for.
    """
    if packet.instruction != STATUS or packet.id != BROADCAST_ID:
        raise FrameError(f"packet 0x{packet.instruction:02X} of id {packet.id} where a fast status packet is due")
    # The last part's checksum is the packet's, which the parser has taken off.
    wanted = sum(length + _FAST_BLOCK_BYTES for _, length in items) - _CRC_BYTES
    if len(packet.params) != wanted:
        raise FrameError(f"{len(packet.params)} bytes in a fast status packet, {wanted} are due")
    answers: list[Status] = []
    at = 0
    for servo_id, length in items:
        error, found = packet.params[at], packet.params[at + 1]
        if found != servo_id:
            raise FrameError(f"servo {found} answers in the place of servo {servo_id}")
        data = packet.params[at + 2 : at + 2 + length]
        answers.append(Status(servo_id, error & ~ALERT_BIT, bool(error & ALERT_BIT), data))
        at += length + _FAST_BLOCK_BYTES
    return answers


def error_name(error_code: int) -> str:
    """The name of a status packet's error code."""
    return ERROR_NAMES.get(error_code, f"error_{error_code}")


def hardware_error_names(raw_error: int) -> list[str]:
    """The names of the bits set in register 70."""
    return [HARDWARE_ERROR_BITS.get(bit, f"BIT_{bit}") for bit in range(8) if raw_error >> bit & 1]


def position_count(position_rad: float, limits: tuple[int, int] = SINGLE_TURN_COUNTS) -> int:
    """A goal position as the register has it.

    Args:
        position_rad: From the centre, 2048 counts.
        limits: Lowest and highest count that the servo takes.

    Raises:
        EncodeError: Not finite, or outside the limits: a sync write of it would be ignored silently.
    """
    low, high = limits
    scaled = position_rad / POSITION_COUNT_RAD + CENTRE_COUNT
    if not low - HALF_COUNT <= scaled <= high + HALF_COUNT:
        raise EncodeError(
            f"position {position_rad} rad, allowed: {position_from_count(low):.4f} to {position_from_count(high):.4f}"
        )
    return round(scaled)


def position_from_count(count: int) -> float:
    """A position register in rad from the centre."""
    return (count - CENTRE_COUNT) * POSITION_COUNT_RAD


def watchdog_count(timeout_s: float) -> int:
    """Register 98 for a command timeout: at most that long, in steps of 20 ms.

    Raises:
        EncodeError: Not 20 ms to 2.54 s. (Off is `0` in the register, never a rounding of a timeout.)
    """
    low, high = WATCHDOG_COUNTS
    if not low * WATCHDOG_COUNT_S <= timeout_s <= high * WATCHDOG_COUNT_S:
        raise EncodeError(
            f"watchdog {timeout_s} s, allowed: {low * WATCHDOG_COUNT_S:g} to {high * WATCHDOG_COUNT_S:g} s"
        )
    # Rounded down, but not by the dust of the division: 0.06 / 0.02 is 2.9999999999999996.
    return int(timeout_s / WATCHDOG_COUNT_S + 1e-9)
