"""HiPNUC packets: a stream parser that finds its way back after damage, and pure decoding.

Values stay in the packet's own units; the device converts.

Source: see `tables`.
"""

from __future__ import annotations

import struct
from binascii import crc_hqx
from typing import Final, NamedTuple

from drivers.imu.hipnuc.tables import (
    HEADER_BYTES,
    HI81_BYTES,
    HI83_FIELDS,
    HI83_SHORT_TIME_LAYOUT,
    HI91_BYTES,
    MAXIMUM_PAYLOAD_BYTES,
    SYNC,
    TAG_HI81,
    TAG_HI83,
    TAG_HI91,
)
from drivers.imu.stream import INCOMPLETE, StreamParser
from supervisor.core.errors import FrameError

_HI91: Final = struct.Struct("<BHbfI16f")
_HI83_HEAD: Final = struct.Struct("<BHBI")
_HI81: Final = struct.Struct("<BHBHIH3h3h3hhhb5BH2hH4h3i7Bh B3h3h14x".replace(" ", ""))
_HI83_KNOWN: Final = sum(1 << bit for bit in HI83_FIELDS)
_HI83_TIME_BIT: Final = 5


class Hi91(NamedTuple):
    """One 0x91 packet, wire units."""

    main_status: int
    temperature_degc: int
    pressure_pa: float
    time_ms: int
    acc_g: tuple[float, ...]
    gyro_deg_per_s: tuple[float, ...]
    mag_ut: tuple[float, ...]
    rpy_deg: tuple[float, ...]
    quat_wxyz: tuple[float, ...]


class Hi83(NamedTuple):
    """One 0x83 packet: only the fields whose bit is set; single numbers are tuples of one."""

    main_status: int
    ins_status: int
    bitmap: int
    fields: dict[str, tuple[float, ...]]


class Hi81(NamedTuple):
    """One 0x81 packet: the inertial part of it, scaled from fixed point. Its attitude refers to north."""

    main_status: int
    ins_status: int
    gyro_rad_per_s: tuple[float, ...]
    acc_m_per_s2: tuple[float, ...]
    mag_ut: tuple[float, ...]
    pressure_pa: float
    temperature_degc: int
    rpy_deg: tuple[float, ...]
    quat_wxyz: tuple[float, ...]


Packet = Hi91 | Hi83 | Hi81


def frame_crc(head: bytes, payload: bytes) -> int:
    """CRC-16/XMODEM over the first four header bytes and the payload; the CRC field itself is skipped."""
    return crc_hqx(payload, crc_hqx(head, 0))


class FrameParser(StreamParser):
    """Finds HiPNUC frames in a stream of bytes."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they arrive.

        Returns:
            The payloads of the frames completed by them, oldest first.
        """
        return [frame[HEADER_BYTES:] for frame in super().feed(data)]

    def _find(self, buffer: bytes, at: int) -> int:
        start = buffer.find(SYNC, at)
        # The last byte may be the first half of a header.
        return len(buffer) - 1 if start < 0 and buffer[-1] == SYNC[0] else start

    def _examine(self, buffer: bytes, at: int) -> int | str:
        if len(buffer) - at < HEADER_BYTES:
            return INCOMPLETE
        length = buffer[at + 2] | buffer[at + 3] << 8
        if length > MAXIMUM_PAYLOAD_BYTES:
            return "length"
        stop = at + HEADER_BYTES + length
        if stop > len(buffer):
            return INCOMPLETE
        crc = frame_crc(buffer[at : at + 4], buffer[at + HEADER_BYTES : stop])
        return stop - at if crc == buffer[at + 4] | buffer[at + 5] << 8 else "checksum"


def decode_hi91(payload: bytes, offset: int = 0) -> Hi91:
    """Decode one 0x91 packet.

    Raises:
        FrameError: Too short.
    """
    if len(payload) - offset < HI91_BYTES:
        raise FrameError(f"{len(payload) - offset} bytes where a HI91 packet has {HI91_BYTES}")
    v = _HI91.unpack_from(payload, offset)
    return Hi91(v[1], v[2], v[3], v[4], v[5:8], v[8:11], v[11:14], v[14:17], v[17:21])


def decode_hi83(payload: bytes, offset: int = 0) -> tuple[Hi83, int]:
    """Decode one 0x83 packet.

    Returns:
        The packet, and how many bytes it took.

    Raises:
        FrameError: Too short, or with fields that only the vendor knows.
    """
    room = len(payload) - offset
    if room < _HI83_HEAD.size:
        raise FrameError(f"{room} bytes where a HI83 packet has at least {_HI83_HEAD.size}")
    _, main_status, ins_status, bitmap = _HI83_HEAD.unpack_from(payload, offset)
    if bitmap & ~_HI83_KNOWN:
        raise FrameError(f"HI83 bitmap 0x{bitmap:08X} has unknown bits 0x{bitmap & ~_HI83_KNOWN:08X}")
    present = [(bit, name, layout) for bit, (name, layout) in HI83_FIELDS.items() if bitmap >> bit & 1]
    size = _HI83_HEAD.size + sum(struct.calcsize("<" + layout) for _, _, layout in present)
    is_short = size > room and bitmap >> _HI83_TIME_BIT & 1 and size - 4 == room
    if size > room and not is_short:
        raise FrameError(f"{room} bytes where this HI83 packet has {size}")
    at = offset + _HI83_HEAD.size
    fields: dict[str, tuple[float, ...]] = {}
    for bit, name, layout in present:
        wire = "<" + (HI83_SHORT_TIME_LAYOUT if is_short and bit == _HI83_TIME_BIT else layout)
        fields[name] = struct.unpack_from(wire, payload, at)
        at += struct.calcsize(wire)
    return Hi83(main_status, ins_status, bitmap, fields), at - offset


def decode_hi81(payload: bytes, offset: int = 0) -> Hi81:
    """Decode one 0x81 packet.

    Raises:
        FrameError: Too short.
    """
    if len(payload) - offset < HI81_BYTES:
        raise FrameError(f"{len(payload) - offset} bytes where a HI81 packet has {HI81_BYTES}")
    v = _HI81.unpack_from(payload, offset)
    return Hi81(
        main_status=v[1],
        ins_status=v[2],
        gyro_rad_per_s=tuple(0.001 * x for x in v[6:9]),
        acc_m_per_s2=tuple(0.0048828 * x for x in v[9:12]),
        mag_ut=tuple(0.030517 * x for x in v[12:15]),
        pressure_pa=100_000.0 + v[15],
        temperature_degc=v[17],
        rpy_deg=tuple(0.01 * x for x in v[24:27]),
        quat_wxyz=tuple(0.0001 * x for x in v[27:31]),
    )


def decode_packets(payload: bytes) -> list[Packet]:
    """All packets in one frame's payload. Never raises: bytes that are no packet are skipped one by one."""
    packets: list[Packet] = []
    at = 0
    while at < len(payload):
        tag, size = payload[at], 1
        try:
            if tag == TAG_HI91:
                packets.append(decode_hi91(payload, at))
                size = HI91_BYTES
            elif tag == TAG_HI83:
                packet, size = decode_hi83(payload, at)
                packets.append(packet)
            elif tag == TAG_HI81:
                packets.append(decode_hi81(payload, at))
                size = HI81_BYTES
        except FrameError:
            size = 1
        at += size
    return packets
