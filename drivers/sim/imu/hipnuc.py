"""A simulated HiPNUC inertial unit: HI91 or HI83 packets, and the text commands that start and stop them."""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.sim.imu.conditions import (
    ACCELERATION_NOISE_M_PER_S2,
    ATTITUDE_NOISE_RAD,
    GYRO_NOISE_RAD_PER_S,
    ImuCondition,
    Motion,
    quaternion_of,
    rotation_of,
    turn_about,
)
from supervisor.core.errors import SimulationError
from supervisor.core.robot import ImuConfig

HI91: Final = "hi91"
HI83: Final = "hi83"
_HI91_LAYOUT: Final = struct.Struct("<BHbfI16f")
_HI83_LAYOUT: Final = struct.Struct("<BHBI10fQ")
_HI83_FIELDS: Final = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5
"""Acceleration, angular rate, quaternion and system time."""

_DEGREES: Final = 180.0 / math.pi
_G_M_PER_S2: Final = 9.8
"""What the firmware divides by."""

_TEMPERATURE_DEGC: Final = 35
_PRESSURE_PA: Final = 101325.0
_MAGNETIC_FIELD_UT: Final = np.array([0.0, 20.0, -40.0])
"""Of the earth at middle latitudes, world frame with y to the north."""

_MAGNETIC_NOISE_UT: Final = 0.2
_NOISE: Final = np.array(
    [ACCELERATION_NOISE_M_PER_S2, GYRO_NOISE_RAD_PER_S, _MAGNETIC_NOISE_UT, 0.5 * ATTITUDE_NOISE_RAD]
)[:, None]
"""By row: specific force, rate, field, and half the angle by which the attitude is off."""
_NOISE_BLOCK: Final = 256
_LINE_LIMIT: Final = 256


class HipnucImu:
    """One unit, streaming from power-up as its stored settings say. A `SimulatedImu`.

    Args:
        config: Packet, rate and mounting.
        seed: Of the noise.
        noise_scale: Multiplies the noise.

    Raises:
        SimulationError: A packet that this twin does not send.
    """

    def __init__(self, config: ImuConfig, *, seed: Sequence[int], noise_scale: float = 1.0) -> None:
        if config.packet not in (HI91, HI83):
            raise SimulationError(f"the simulated HiPNUC unit sends {HI91} and {HI83}, not {config.packet!r}")
        self._packet = config.packet
        self._mounting = self._unit_in_base = rotation_of(config.orientation_imu_in_base_wxyz)
        self._rng, self._deviation = np.random.default_rng(list(seed)), _NOISE * noise_scale
        self._noise: NDArray[np.float64] = np.zeros((_NOISE_BLOCK, 4, 3))
        self._noise_at = _NOISE_BLOCK
        self._vectors: NDArray[np.float64] = np.vstack([np.zeros((2, 3)), _MAGNETIC_FIELD_UT])
        self._condition = ImuCondition()
        self._bias: NDArray[np.float64] = np.zeros(3)
        self._is_biased = False
        self._values: tuple[float, ...] = ()
        self._is_streaming = True
        self._line = b""
        self.period_s = 1.0 / config.rate_hz

    def set_condition(self, condition: ImuCondition) -> None:
        """Replace what is wrong with the unit."""
        self._condition = condition
        self._unit_in_base = turn_about(condition.axis, condition.angle_rad) @ self._mounting
        self._bias = np.array(condition.gyro_bias_rad_per_s)
        self._is_biased = bool(self._bias.any())

    def measure(self, motion: Motion) -> bytes:
        """One packet; empty when the unit does not stream."""
        if not self._is_streaming or self._condition.is_lost:
            return b""
        if not self._values or not self._condition.is_frozen:
            self._values = self._sample(motion)
        values = (math.nan,) * 13 if self._condition.is_nan else self._values
        return self._pack(values, motion.stamp_s)

    def _sample(self, motion: Motion) -> tuple[float, ...]:
        """Specific force (m/s²), angular rate (rad/s), magnetic field (µT), quaternion; all in the unit's axes."""
        if self._noise_at >= _NOISE_BLOCK:
            self._noise_at = 0
            self._noise = self._rng.standard_normal(self._noise.shape) * self._deviation
        noise = self._noise[self._noise_at]
        self._noise_at += 1
        unit_in_world = motion.rotation_base_in_world @ self._unit_in_base
        vectors = self._vectors
        vectors[0] = motion.specific_force_in_world_m_per_s2
        vectors[1] = motion.angular_velocity_base_in_world_rad_per_s
        # A row vector times the rotation is the rotation's transpose times the vector: from the world to the unit.
        measured = vectors @ unit_in_world
        measured += noise[:3]
        if self._is_biased:
            measured[1] += self._bias
        w, x, y, z = quaternion_of(unit_in_world)
        # A small turn (a, b, c) in the unit's axes: the quaternion times (1, a, b, c), made a unit one again.
        a, b, c = noise[3].tolist()
        scale = 1.0 / math.sqrt(1.0 + a * a + b * b + c * c)
        return (
            *measured.ravel().tolist(),
            (w - x * a - y * b - z * c) * scale,
            (x + w * a + y * c - z * b) * scale,
            (y + w * b + z * a - x * c) * scale,
            (z + w * c + x * b - y * a) * scale,
        )

    def _pack(self, values: tuple[float, ...], stamp_s: float) -> bytes:
        ax, ay, az, gx, gy, gz, mx, my, mz, w, x, y, z = values
        if self._packet == HI91:
            roll, pitch, yaw = _euler(w, x, y, z)
            time_ms = round(stamp_s * 1e3) & 0xFFFFFFFF
            payload = _HI91_LAYOUT.pack(
                *(0x91, 0, _TEMPERATURE_DEGC, _PRESSURE_PA, time_ms),
                *(ax / _G_M_PER_S2, ay / _G_M_PER_S2, az / _G_M_PER_S2),
                *(gx * _DEGREES, gy * _DEGREES, gz * _DEGREES),
                *(mx, my, mz, roll * _DEGREES, pitch * _DEGREES, yaw * _DEGREES, w, x, y, z),
            )
        else:
            time_us = round(stamp_s * 1e6)
            payload = _HI83_LAYOUT.pack(0x83, 0, 0, _HI83_FIELDS, ax, ay, az, gx, gy, gz, w, x, y, z, time_us)
        head = b"\x5a\xa5" + len(payload).to_bytes(2, "little")
        # CRC-16/XMODEM over everything but the checksum itself.
        return head + binascii.crc_hqx(payload, binascii.crc_hqx(head, 0)).to_bytes(2, "little") + payload

    def hear(self, data: bytes) -> bytes:
        """Take text commands, each ending in CR LF, and answer them; silence for what is not a command."""
        *lines, self._line = (self._line + data)[-_LINE_LIMIT:].split(b"\r\n")
        return b"".join(self._obey(line.decode("ascii", "replace").upper().split()) for line in lines)

    def _obey(self, words: list[str]) -> bytes:
        match words:
            case ["LOG", "ENABLE"]:
                self._is_streaming = True
            case ["LOG", "DISABLE"] | ["UNLOGALL"]:
                self._is_streaming = False
            case ["LOG", "VERSION"]:
                return b"HI14 simulated 1.7.0\r\nOK\r\n"
            case ["LOG", packet, "ONTIME", period] if packet.lower() in (HI91, HI83):
                if not 0.001 <= _number(period) <= 1.0:
                    return b"ERR\r\n"
                self._packet, self.period_s, self._is_streaming = packet.lower(), _number(period), True
            case ["SAVECONFIG"] | ["REBOOT"] | ["SERIALCONFIG", _]:
                pass
            case _:
                return b""
        return b"OK\r\n"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _euler(w: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Roll, pitch and yaw (rad) of a unit quaternion."""
    roll = math.atan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    sine = 2.0 * (w * y - z * x)
    pitch = sine if math.isnan(sine) else math.asin(min(1.0, max(-1.0, sine)))
    return roll, pitch, math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
