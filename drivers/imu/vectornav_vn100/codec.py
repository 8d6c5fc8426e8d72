"""VectorNav packets, binary and text on one line: a stream parser and pure decoding.

Values keep the units of the packets, which are SI but for degrees and gauss; `measure` has SI only.

Source: see `tables`.
"""

from __future__ import annotations

import re
import struct
from binascii import crc_hqx
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from operator import xor
from typing import Final, NamedTuple

from drivers.imu.measurement import DEGREE_RAD, NAN3, NAN4, Measurement, quaternion_of_angles, turned_up
from drivers.imu.stream import INCOMPLETE, StreamParser
from drivers.imu.vectornav_vn100.tables import (
    BAD_QUALITY,
    CRC_BYTES,
    DOLLAR,
    GROUPS,
    MAXIMUM_TEXT_BYTES,
    MOTION_FIELDS,
    SYNC,
    TEXT_FIELDS,
    WARNING_MASK,
)
from supervisor.core.errors import FrameError

_START: Final = re.compile(rb"[$\xfa]")
_PRINTABLE: Final = re.compile(rb"\$[ -#%-~]*")
_TEXT: Final = re.compile(rb"\$(VN[^*]*)\*(?:([0-9A-Fa-f]{4}|[0-9A-Fa-f]{2})|XX|XXXX)\r\n")
KNOWN_MASKS: Final = {group: (1 << len(fields)) - 1 for group, fields in GROUPS.items()}
_SHORT_CHECK_DIGITS: Final = 2


class Layout(NamedTuple):
    """What a binary header says of the packet behind it.

    Attributes:
        groups: The group byte.
        masks: Field masks of the groups that are set, in their order.
        header_bytes: Up to the payload, sync byte included.
        size: Of the whole packet, checksum included.
        fields: Name, layout and place from the start of the packet, of each field.
        motion: Start and end of the fields that show whether a sample repeats.
    """

    groups: int
    masks: tuple[int, ...]
    header_bytes: int
    size: int
    fields: tuple[tuple[str, struct.Struct, int], ...]
    motion: tuple[tuple[int, int], ...]


class Binary(NamedTuple):
    """One binary packet; single numbers are tuples of one."""

    groups: int
    masks: tuple[int, ...]
    fields: Mapping[str, tuple[float, ...]]


class Text(NamedTuple):
    """One text message.

    Attributes:
        kind: First word, as VNYMR.
        parameters: The other words.
        is_checked: False for a message that carries XX in place of a checksum.
    """

    kind: str
    parameters: tuple[str, ...]
    is_checked: bool


class FrameParser(StreamParser):
    """Finds binary packets and text messages in a stream of bytes."""

    def _find(self, buffer: bytes, at: int) -> int:
        match = _START.search(buffer, at)
        return match.start() if match else -1

    def _examine(self, buffer: bytes, at: int) -> int | str:
        return _examine_text(buffer, at) if buffer[at] == DOLLAR else _examine_binary(buffer, at)


def _examine_binary(buffer: bytes, at: int) -> int | str:
    room = len(buffer) - at
    if room < 1 + 1:
        return INCOMPLETE
    header_bytes = 2 + 2 * buffer[at + 1].bit_count()
    if room < header_bytes:
        return INCOMPLETE
    layout = layout_of(buffer[at : at + header_bytes])
    if layout is None:
        return "header"
    if room < layout.size:
        return INCOMPLETE
    # Over packet and checksum together it is zero: the checksum is stored high byte first.
    return "checksum" if crc_hqx(buffer[at + 1 : at + layout.size], 0) else layout.size


def _examine_text(buffer: bytes, at: int) -> int | str:
    match = _PRINTABLE.match(buffer, at, at + MAXIMUM_TEXT_BYTES)
    stop = match.end() if match else at
    if stop - at == MAXIMUM_TEXT_BYTES:
        return "length"
    if stop == len(buffer) or (stop + 1 == len(buffer) and buffer[stop] == ord("\r")):
        return INCOMPLETE
    text = _TEXT.fullmatch(buffer, at, min(stop + 2, len(buffer)))
    if text is None:
        return "text"
    body, check = text.groups()
    if check is not None and int(check, 16) != (
        text_xor(body) if len(check) == _SHORT_CHECK_DIGITS else crc_hqx(body, 0)
    ):
        return "checksum"
    return stop + 2 - at


def text_xor(body: bytes) -> int:
    """The 8-bit checksum of a text message: exclusive or of everything between $ and *."""
    return reduce(xor, body, 0)


@lru_cache(maxsize=64)
def layout_of(header: bytes) -> Layout | None:
    """What a binary header announces; None where it names no group, or a group or field that is not known.

    Args:
        header: Sync byte, group byte, and a field mask per group that is set.
    """
    groups = header[1]
    order = [group for group in GROUPS if groups >> group & 1]
    header_bytes = 2 + 2 * groups.bit_count()
    if not order or len(order) != groups.bit_count() or len(header) != header_bytes:
        return None
    masks = struct.unpack(f"<{len(order)}H", header[2:])
    if not all(mask and not mask & ~KNOWN_MASKS[group] for group, mask in zip(order, masks, strict=True)):
        return None
    fields: list[tuple[str, struct.Struct, int]] = []
    motion: list[tuple[int, int]] = []
    place = header_bytes
    for group, mask in zip(order, masks, strict=True):
        for name, layout in (field for bit, field in enumerate(GROUPS[group]) if mask >> bit & 1):
            packed = struct.Struct("<" + layout)
            fields.append((name, packed, place))
            if name in MOTION_FIELDS:
                motion.append((place, place + packed.size))
            place += packed.size
    return Layout(groups, masks, header_bytes, place + CRC_BYTES, tuple(fields), tuple(motion))


def layout_of_packet(packet: bytes) -> Layout:
    """The layout of a binary packet that the parser has accepted.

    Raises:
        FrameError: The parser cannot have accepted it.
    """
    layout = layout_of(packet[: 2 + 2 * packet[1].bit_count()]) if len(packet) > 1 else None
    if layout is None or len(packet) != layout.size:
        raise FrameError(f"{len(packet)} bytes that are no binary packet")
    return layout


def decode_binary(packet: bytes) -> Binary:
    """Decode one whole binary packet.

    Raises:
        FrameError: Unknown groups or fields, wrong length or checksum.
    """
    layout = layout_of_packet(packet)
    if packet[0] != SYNC or crc_hqx(packet[1:], 0):
        raise FrameError("binary packet with a wrong sync byte or checksum")
    return Binary(
        layout.groups,
        layout.masks,
        {name: packed.unpack_from(packet, place) for name, packed, place in layout.fields},
    )


def decode_text(line: bytes) -> Text:
    """Decode one whole text message, from $ to the end of its line.

    Raises:
        FrameError: Not of that form, or with a wrong checksum.
    """
    if not line or _examine_text(line, 0) != len(line):
        raise FrameError(f"{line[:40]!r} is not one whole text message with a right checksum")
    body, check = line[1:-2].split(b"*")
    kind, *parameters = body.decode("ascii").split(",")
    return Text(kind, tuple(parameters), check.strip(b"X") != b"")


def decode_streamed(text: Text) -> dict[str, tuple[float, ...]]:
    """The numbers of a streamed text message, by name.

    Raises:
        FrameError: Another message, too few numbers, or words that are none.
    """
    fields = TEXT_FIELDS.get(text.kind)
    if fields is None:
        raise FrameError(f"{text.kind} is no message that is streamed")
    count = sum(size for _, size in fields)
    words, extra = text.parameters[:count], text.parameters[count:]
    # A status or time may be appended, marked by its letter.
    if len(words) != count or any(word[:1] not in ("S", "T") for word in extra):
        raise FrameError(f"{text.kind} has {len(text.parameters)} parameters, not {count}")
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise FrameError(f"{text.kind}: {error}") from None
    places = _places([size for _, size in fields])
    return {name: tuple(numbers[at : at + size]) for (name, size), at in zip(fields, places, strict=True)}


def _places(sizes: Sequence[int]) -> Iterator[int]:
    at = 0
    for size in sizes:
        yield at
        at += size


def decode_error(text: Text) -> int:
    """The code of an error message.

    Raises:
        FrameError: Another message, or one without a code.
    """
    if text.kind != "VNERR" or not text.parameters or not re.fullmatch("[0-9A-Fa-f]{1,2}", text.parameters[0]):
        raise FrameError(f"{text.kind} is no error message with a code")
    return int(text.parameters[0], 16)


def measure(fields: Mapping[str, tuple[float, ...]]) -> Measurement:
    """What the fields of one packet say, SI; NaN for what is not among them.

    The axes stay the unit's own, z down; the world is turned up.
    """
    status = int(fields["vpe_status"][0]) if "vpe_status" in fields else 0
    orientation = NAN4
    if "quat_xyzw" in fields:
        x, y, z, w = fields["quat_xyzw"]
        orientation = turned_up((w, x, y, z))
    elif "ypr_deg" in fields:
        yaw, pitch, roll = (angle * DEGREE_RAD for angle in fields["ypr_deg"])
        orientation = turned_up(quaternion_of_angles(roll, pitch, yaw))
    return Measurement(
        fields.get("acc_m_per_s2", NAN3),
        fields.get("gyro_rad_per_s", NAN3),
        orientation,
        status,
        bool(status & WARNING_MASK) or status & 3 >= BAD_QUALITY,
    )
