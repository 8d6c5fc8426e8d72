"""One HiPNUC unit: bytes in, samples in the base frame out. It streams by itself; nothing is sent to it."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np

from drivers.bus import SerialPort
from drivers.devices import Probe
from drivers.imu.hipnuc import codec
from drivers.imu.hipnuc.tables import (
    HI91_BYTES,
    PACKET_NAMES,
    PACKET_TAGS,
    STANDARD_GRAVITY_M_PER_S2,
    STATUS_BITS,
    TAG_HI91,
    WARNING_MASK,
)
from supervisor.core.errors import FrameError
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import ImuConfig
from supervisor.core.state import NEVER_S, ImuReading

PROBE_S = 0.5
"""How long the inventory listens: 50 samples of a unit as slow as 100 Hz."""

RATE_TOLERANCE = 0.1
"""Of the expected packet rate: counting over half a second is exact to one packet."""

_HI91_MOTION = struct.Struct("<xH9x6f24x4f")
"""Of a HI91 packet only what a reading needs: status, acceleration, rate, quaternion."""

_DEGREE_RAD = math.pi / 180.0
_NAN = math.nan
_NAN3 = (_NAN, _NAN, _NAN)
_NAN4 = (_NAN, _NAN, _NAN, _NAN)


class HipnucImu:
    """One HiPNUC unit. Implements `Imu`.

    Args:
        config: How it is wired and mounted.
        port: Its open serial port.
    """

    def __init__(self, config: ImuConfig, port: SerialPort) -> None:
        self._config = config
        self._port = port
        self._parser = codec.FrameParser()
        self._tag = PACKET_TAGS[config.packet]
        w, x, y, z = config.orientation_imu_in_base_wxyz
        norm = math.sqrt(w * w + x * x + y * y + z * z)
        w, x, y, z = w / norm, x / norm, y / norm, z / norm
        self._mounting = (w, x, y, z)
        self._rotation = (
            (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        )
        self._is_hi91 = self._tag == TAG_HI91
        self._motion_bytes = b""
        self._unchanged = 0
        self._sequence = 0
        self._foreign_tags: set[int] = set()
        self._status = 0
        self._reading = self._make_reading(_NAN3, _NAN3, _NAN4, NEVER_S)

    def read(self, now_s: float) -> ImuReading:
        """Take everything that has arrived and return the newest sample, NaN before the first."""
        data = self._port.read(now_s)
        if data:
            parser, counters = self._parser, self._port.counters
            before = parser.dropped_bytes
            payloads = parser.feed(data)
            counters.dropped += parser.dropped_bytes - before
            accepted = [payload for payload in payloads if self._accept(payload)]
            counters.received += len(accepted)
            if accepted:
                self._reading = self._decode(accepted[-1], now_s)
        return self._reading

    def _accept(self, payload: bytes) -> bool:
        """Count one packet of the expected kind; any other is dropped."""
        if not payload or payload[0] != self._tag:
            self._port.counters.dropped += len(payload)
            if payload:
                self._foreign_tags.add(payload[0])
            return False
        motion = self._motion(payload)
        if motion is None:
            self._port.counters.dropped += len(payload)
            return False
        self._unchanged = self._unchanged + 1 if motion == self._motion_bytes else 0
        self._motion_bytes = motion
        self._sequence += 1
        return True

    def _motion(self, payload: bytes) -> bytes | None:
        """The bytes of acceleration, rate and attitude, to see whether a sample repeats; None if it is damaged."""
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

    def _decode(self, payload: bytes, now_s: float) -> ImuReading:
        """Turn one accepted packet into a reading."""
        if self._is_hi91:
            status, *motion = _HI91_MOTION.unpack_from(payload)
            ax, ay, az, gx, gy, gz = motion[:6]
            g, deg = STANDARD_GRAVITY_M_PER_S2, _DEGREE_RAD
            acc, gyro, quat = (ax * g, ay * g, az * g), (gx * deg, gy * deg, gz * deg), motion[6:]
        else:
            sample, _ = codec.decode_hi83(payload)
            status, fields = sample.main_status, sample.fields
            acc = fields.get("acc_m_per_s2", _NAN3)
            gyro = fields.get("gyro_rad_per_s", _NAN3)
            quat = fields.get("quat_wxyz", _NAN4)
        self._status = status
        return self._make_reading(acc, gyro, quat, now_s)

    def _make_reading(
        self, acc: Sequence[float], gyro: Sequence[float], quat: Sequence[float], stamp_s: float
    ) -> ImuReading:
        """A reading in the base frame from values in the unit's frame, SI.

        Plain numbers, because they are faster than arrays this small, and turn infinity times zero into NaN without
        a warning. NaN stays NaN, and a zero quaternion becomes NaN.
        """
        w, x, y, z = quat
        norm = math.sqrt(w * w + x * x + y * y + z * z)
        scale = 1.0 / norm if norm > 0.0 else _NAN
        w, x, y, z = w * scale, x * scale, y * scale, z * scale
        # base in world = imu in world * base in imu, and base in imu is the conjugate of imu in base.
        a, b, c, d = self._mounting
        w, x, y, z = (
            w * a + x * b + y * c + z * d,
            x * a - w * b - y * d + z * c,
            y * a - w * c + x * d - z * b,
            z * a - w * d - x * c + y * b,
        )
        ax, ay, az = acc
        gx, gy, gz = gyro
        (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = self._rotation
        values = np.array(
            (
                *(w, x, y, z),
                *(xx * gx + xy * gy + xz * gz, yx * gx + yy * gy + yz * gz, zx * gx + zy * gy + zz * gz),
                *(xx * ax + xy * ay + xz * az, yx * ax + yy * ay + yz * az, zx * ax + zy * ay + zz * az),
                *(2.0 * (w * y - x * z), -2.0 * (y * z + w * x), 2.0 * (x * x + y * y) - 1.0),
            )
        )
        values.setflags(write=False)
        return ImuReading(
            orientation_base_in_world_wxyz=values[0:4],
            angular_velocity_base_in_base_rad_per_s=values[4:7],
            acceleration_base_in_base_m_per_s2=values[7:10],
            gravity_in_base=values[10:13],
            stamp_s=stamp_s,
            sequence=self._sequence,
            unchanged=self._unchanged,
            warning=bool(self._status & WARNING_MASK),
        )

    def probe(self) -> Probe:
        """Listen for a while: does it stream, what, how fast, and what does it say of itself?"""
        config = self._config
        began_s = now_s = yield
        last = self._sequence
        arrivals: list[tuple[float, int]] = []
        self._foreign_tags.clear()
        while now_s < began_s + PROBE_S:
            now_s = yield
            if self._sequence != last:
                last = self._sequence
                arrivals.append((now_s, last))
        problems: list[str] = []
        facts: dict[str, float | str] = {"make": config.make, "packet": config.packet}
        others = ", ".join(PACKET_NAMES.get(tag, f"0x{tag:02X}") for tag in sorted(self._foreign_tags))
        answered = bool(arrivals)
        if others:
            problems.append(f"streams {others}, the robot file expects {config.packet}: configure the unit")
        elif not answered:
            problems.append(f"no {config.packet} packet in {PROBE_S:g} s on {config.bus}: check cable, port, baud rate")
        if answered:
            (first_s, first), (last_s, last) = arrivals[0], arrivals[-1]
            rate_hz = (last - first) / (last_s - first_s) if last_s > first_s else 0.0
            facts["rate_hz"] = round(rate_hz, 1)
            facts["status"] = ", ".join(name for bit, name in STATUS_BITS.items() if self._status >> bit & 1) or "none"
            if abs(rate_hz - config.rate_hz) > RATE_TOLERANCE * config.rate_hz:
                problems.append(f"streams {rate_hz:.1f} packets/s, the robot file expects {config.rate_hz:g}")
            if np.isnan(self._reading.gravity_in_base).any():
                problems.append("sends no usable quaternion: switch on attitude output")
            if self._status & WARNING_MASK:
                problems.append(f"warns: {facts['status']}; keep it still, or power it up again")
        return (DeviceReport("imu", config.bus, answered, tuple(problems), facts),)
