"""Xbus messages: a stream parser, pure encoding and decoding, and the data items of MTData2.

Numbers are big-endian. Values keep the units of the messages, which are SI but for degrees; `measure` has SI only.

Source: see `tables`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from drivers.imu.measurement import DEGREE_RAD, NAN3, NAN4, Measurement, quaternion_of_angles, turned_up
from drivers.imu.stream import INCOMPLETE, StreamParser
from drivers.imu.xsens_xbus.tables import (
    ACCELERATION,
    BUS_ID_MASTER,
    CLIPPING_MASK,
    ERROR,
    EULER,
    EXTENDED_LENGTH,
    FILTER_VALID_MASK,
    FIXED_12_20,
    FIXED_16_32,
    FLOAT64,
    HEADER_BYTES,
    ITEMS,
    MAXIMUM_DATA_BYTES,
    PREAMBLE,
    QUATERNION,
    QUATERNION_NORM,
    RATE_OF_TURN,
    REAL_BYTES,
    SET_OUTPUT_CONFIGURATION,
    STATUS_BYTE,
    STATUS_WORD,
    WORLD_FRAMES,
)
from supervisor.core.errors import EncodeError, FrameError

_EXTRA_LENGTH_BYTES: Final = 2


class Message(NamedTuple):
    """One Xbus message."""

    bus_id: int
    message_id: int
    data: bytes


class DataItem(NamedTuple):
    """One item of an MTData2 message.

    Attributes:
        data_id: As sent, with format and frame in its lowest four bits.
        name: As the tables have it, "" for an item that is not known.
        frame: World axes, "" for an item without.
        values: Numbers as the item's unit says; none for an item that is not known.
        raw: The bytes they were read from.
    """

    data_id: int
    name: str
    frame: str
    values: tuple[float, ...]
    raw: bytes


class _Reader(NamedTuple):
    """How to read one kind of item, and what is wrong with its identifier, if anything."""

    name: str
    frame: str
    problem: str
    size: int
    unpack: Callable[[bytes], tuple[float, ...]]


class FrameParser(StreamParser):
    """Finds Xbus messages in a stream of bytes."""

    def _find(self, buffer: bytes, at: int) -> int:
        return buffer.find(PREAMBLE, at)

    def _examine(self, buffer: bytes, at: int) -> int | str:
        room = len(buffer) - at
        if room < HEADER_BYTES:
            return INCOMPLETE
        length, start = buffer[at + 3], HEADER_BYTES
        if length == EXTENDED_LENGTH:
            start += _EXTRA_LENGTH_BYTES
            if room < start:
                return INCOMPLETE
            length = buffer[at + 4] << 8 | buffer[at + 5]
            if length > MAXIMUM_DATA_BYTES:
                return "length"
        size = start + length + 1
        if room < size:
            return INCOMPLETE
        return "checksum" if sum(buffer[at + 1 : at + size]) & 0xFF else size


def split_message(frame: bytes) -> Message:
    """Take apart a whole message.

    Raises:
        FrameError: Not one whole message with a right checksum.
    """
    parser = FrameParser()
    if parser.feed(frame) != [frame]:
        raise FrameError(f"{len(frame)} bytes that are not one Xbus message with a right checksum")
    return split_checked(frame)


def split_checked(frame: bytes) -> Message:
    """Take apart a message that the parser has accepted."""
    start = HEADER_BYTES + _EXTRA_LENGTH_BYTES * (frame[3] == EXTENDED_LENGTH)
    return Message(frame[1], frame[2], frame[start:-1])


def make_message(message_id: int, data: bytes = b"", bus_id: int = BUS_ID_MASTER) -> bytes:
    """One message as it goes over the wire.

    Raises:
        EncodeError: An identifier outside a byte, or more data than a message may have.
    """
    if not (0 <= message_id <= 0xFF and 0 <= bus_id <= 0xFF):
        raise EncodeError(f"message {message_id} to bus id {bus_id}: both are 0 to 255")
    if len(data) > MAXIMUM_DATA_BYTES:
        raise EncodeError(f"{len(data)} bytes of data, at most {MAXIMUM_DATA_BYTES}")
    length = len(data).to_bytes(1) if len(data) < EXTENDED_LENGTH else b"\xff" + len(data).to_bytes(2)
    body = bytes((bus_id, message_id)) + length + data
    return bytes((PREAMBLE,)) + body + bytes((-sum(body) & 0xFF,))


def make_output_configuration(outputs: Sequence[tuple[int, int]]) -> bytes:
    """The message that chooses what is streamed. The unit keeps it in flash: write only what differs.

    Args:
        outputs: Data identifier and rate (Hz), 0xFFFF for items that belong to every packet.

    Raises:
        EncodeError: A number outside 16 bits.
    """
    if not all(0 <= value <= 0xFFFF for output in outputs for value in output):
        raise EncodeError(f"output configuration {list(outputs)}: identifiers and rates are 0 to 65535")
    return make_message(SET_OUTPUT_CONFIGURATION, b"".join(struct.pack(">HH", *output) for output in outputs))


def decode_output_configuration(data: bytes) -> list[tuple[int, int]]:
    """Data identifiers and rates (Hz), as the unit acknowledges them.

    Raises:
        FrameError: Not whole pairs of 16 bits.
    """
    if len(data) % 4:
        raise FrameError(f"{len(data)} bytes where an output configuration has a multiple of 4")
    return list(struct.iter_unpack(">HH", data))


def decode_error(message: Message) -> int:
    """The code of an error message.

    Raises:
        FrameError: Another message, or one without a code.
    """
    if message.message_id != ERROR or not message.data:
        raise FrameError(f"message 0x{message.message_id:02X} with {len(message.data)} bytes is no error message")
    return message.data[0]


def decode_items(data: bytes) -> list[DataItem]:
    """The items of an MTData2 message.

    Raises:
        FrameError: An item that reaches beyond the message, or whose length is not that of its kind.
    """
    items: list[DataItem] = []
    at, end = 0, len(data)
    while at < end:
        if end - at < 3:
            raise FrameError(f"{end - at} bytes where an item has at least 3")
        data_id, length = data[at] << 8 | data[at + 1], data[at + 2]
        at += 3
        if end - at < length:
            raise FrameError(f"item 0x{data_id:04X} has {length} bytes, of which {end - at} are there")
        items.append(_decode_item(data_id, data[at : at + length]))
        at += length
    return items


def _decode_item(data_id: int, raw: bytes) -> DataItem:
    reader = _reader_of(data_id)
    if reader is None:
        return DataItem(data_id, "", "", (), raw)
    if reader.problem:
        raise FrameError(reader.problem)
    if len(raw) != reader.size:
        raise FrameError(f"item 0x{data_id:04X} has {len(raw)} bytes, not {reader.size}")
    return DataItem(data_id, reader.name, reader.frame, reader.unpack(raw), raw)


@lru_cache(maxsize=256)
def _reader_of(data_id: int) -> _Reader | None:
    """How to read an item; None for one that is not known."""
    kind = ITEMS.get(data_id & 0xFFF0)
    if kind is None:
        return None
    frame = WORLD_FRAMES.get(data_id >> 2 & 3, "") if kind.has_frame else ""
    problem = f"item 0x{data_id:04X} is in a frame that is not known" if kind.has_frame and not frame else ""
    if kind.layout:
        packed = struct.Struct(kind.layout)
        return _Reader(kind.name, frame, problem, packed.size, packed.unpack)
    unpack = _unpack_numbers(data_id & 3, kind.numbers)
    return _Reader(kind.name, frame, problem, kind.numbers * REAL_BYTES[data_id & 3], unpack)


def _unpack_numbers(number_format: int, count: int) -> Callable[[bytes], tuple[float, ...]]:
    if number_format == FIXED_12_20:
        return lambda raw: tuple(value / 2**20 for value in struct.unpack(f">{count}i", raw))
    if number_format == FIXED_16_32:
        # The fraction comes first.
        return lambda raw: tuple(whole + fraction / 2**32 for fraction, whole in struct.iter_unpack(">Ih", raw))
    return struct.Struct(f">{count}{'d' if number_format == FLOAT64 else 'f'}").unpack


def by_kind(items: Sequence[DataItem]) -> dict[int, DataItem]:
    """Items by their identifier, its lowest four bits cleared; the last of several."""
    return {item.data_id & 0xFFF0: item for item in items}


def is_plausible(items: Mapping[int, DataItem]) -> bool:
    """Whether the quaternion among the items, if any, is a unit one, or zero or NaN as from a broken unit."""
    quaternion = items.get(QUATERNION)
    norm = math.hypot(*quaternion.values) if quaternion else 0.0
    low, high = QUATERNION_NORM
    return low <= norm <= high or norm == 0.0 or math.isnan(norm)


def measure(items: Mapping[int, DataItem]) -> Measurement:
    """What the items of one message say, SI; NaN for what is not among them.

    Args:
        items: As `by_kind` has them.
    """
    acceleration, rate = items.get(ACCELERATION), items.get(RATE_OF_TURN)
    word = items.get(STATUS_WORD, items.get(STATUS_BYTE))
    status = int(word.values[0]) if word else FILTER_VALID_MASK
    return Measurement(
        acceleration.values if acceleration else NAN3,
        rate.values if rate else NAN3,
        _orientation(items.get(QUATERNION), items.get(EULER)),
        status,
        not status & FILTER_VALID_MASK or bool(status & CLIPPING_MASK),
    )


def _orientation(quaternion: DataItem | None, euler: DataItem | None) -> tuple[float, ...]:
    """The attitude in a world with z up: the quaternion, else what the angles say."""
    if quaternion is not None:
        item, wxyz = quaternion, quaternion.values
    elif euler is not None:
        roll, pitch, yaw = (angle * DEGREE_RAD for angle in euler.values)
        item, wxyz = euler, quaternion_of_angles(roll, pitch, yaw)
    else:
        return NAN4
    return turned_up(wxyz) if item.frame == "NED" else wxyz
