"""One HiPNUC unit: bytes in, samples in the base frame out. It streams by itself; a run sends it nothing."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar

from drivers.bus import SerialPort
from drivers.imu.asking import UnitSettings
from drivers.imu.hipnuc import codec, settings
from drivers.imu.hipnuc.tables import (
    HI91_BYTES,
    PACKET_NAMES,
    PACKET_TAGS,
    STANDARD_GRAVITY_M_PER_S2,
    STATUS_BITS,
    TAG_HI91,
    WARNING_MASK,
)
from drivers.imu.measurement import DEGREE_RAD, NAN3, NAN4, Measurement
from drivers.imu.streaming import StreamingImu
from supervisor.core.errors import FrameError
from supervisor.core.robot import ImuConfig

_HI91_MOTION = struct.Struct("<xH9x6f24x4f")
"""Of a HI91 packet only what a reading needs: status, acceleration, rate, quaternion."""


class HipnucImu(StreamingImu[bytes]):
    """One HiPNUC unit. Implements `Imu`.

    Args:
        config: How it is wired and mounted.
        port: Its open serial port.
    """

    kept: ClassVar[UnitSettings | None] = settings

    def __init__(self, config: ImuConfig, port: SerialPort) -> None:
        super().__init__(config, port, codec.FrameParser())
        self._tag = PACKET_TAGS[config.packet]
        self._is_hi91 = self._tag == TAG_HI91

    def _samples(self, frames: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """The payloads with a packet of the expected kind."""
        for payload in frames:
            if not payload or payload[0] != self._tag:
                self._refuse(len(payload), PACKET_NAMES.get(payload[0], f"0x{payload[0]:02X}") if payload else "")
                continue
            motion = self._motion_of(payload)
            if motion is None:
                self._refuse(len(payload))
                continue
            yield motion, payload

    def _motion_of(self, payload: bytes) -> bytes | None:
        """The bytes of acceleration, rate and attitude; None if the packet is damaged."""
        if self._is_hi91:
            return payload[12:36] + payload[60:76] if len(payload) >= HI91_BYTES else None
        try:
            packet, _ = codec.decode_hi83(payload)
        except FrameError:
            return None
        start = 8
        acc_gyro = 12 * ((packet.bitmap & 1) + (packet.bitmap >> 1 & 1))
        skipped = 12 * ((packet.bitmap >> 2 & 1) + (packet.bitmap >> 3 & 1))
        quaternion = start + acc_gyro + skipped
        size = 16 if packet.bitmap >> 4 & 1 else 0
        return payload[start : start + acc_gyro] + payload[quaternion : quaternion + size]

    def _measure(self, sample: bytes) -> Measurement:
        if self._is_hi91:
            status, *motion = _HI91_MOTION.unpack_from(sample)
            ax, ay, az, gx, gy, gz = motion[:6]
            g, deg = STANDARD_GRAVITY_M_PER_S2, DEGREE_RAD
            acc, gyro, quat = (ax * g, ay * g, az * g), (gx * deg, gy * deg, gz * deg), motion[6:]
        else:
            packet, _ = codec.decode_hi83(sample)
            status, fields = packet.main_status, packet.fields
            acc = fields.get("acc_m_per_s2", NAN3)
            gyro = fields.get("gyro_rad_per_s", NAN3)
            quat = fields.get("quat_wxyz", NAN4)
        return Measurement(acc, gyro, quat, status, bool(status & WARNING_MASK))

    def _status_text(self) -> str:
        return ", ".join(name for bit, name in STATUS_BITS.items() if self._measured.status >> bit & 1) or "none"
