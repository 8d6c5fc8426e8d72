"""A simulated HiPNUC inertial unit: HI91 or HI83 packets, and the text commands that start and stop them."""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Sequence
from typing import Final

from drivers.sim.imu.unit import Sensed, SimulatedUnit, euler_rad
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
_LINE_LIMIT: Final = 256


class HipnucImu(SimulatedUnit):
    """One HiPNUC unit. A `SimulatedImu`.

    Args:
        config: Packet, rate and mounting.
        seed: Of the noise.
        noise_scale: Multiplies the noise.

    Raises:
        SimulationError: A packet that this twin does not send.
    """

    maker = "HiPNUC"
    packets = (HI91, HI83)

    def __init__(self, config: ImuConfig, *, seed: Sequence[int], noise_scale: float = 1.0) -> None:
        super().__init__(config, seed=seed, noise_scale=noise_scale)
        self._line = b""

    def _pack(self, sensed: Sensed) -> bytes:
        (ax, ay, az), (gx, gy, gz), (mx, my, mz), (w, x, y, z) = sensed
        if self._packet == HI91:
            roll, pitch, yaw = euler_rad((w, x, y, z))
            time_ms = round(self._now_s * 1e3) & 0xFFFFFFFF
            payload = _HI91_LAYOUT.pack(
                *(0x91, 0, _TEMPERATURE_DEGC, _PRESSURE_PA, time_ms),
                *(ax / _G_M_PER_S2, ay / _G_M_PER_S2, az / _G_M_PER_S2),
                *(gx * _DEGREES, gy * _DEGREES, gz * _DEGREES),
                *(mx, my, mz, roll * _DEGREES, pitch * _DEGREES, yaw * _DEGREES, w, x, y, z),
            )
        else:
            time_us = round(self._now_s * 1e6)
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
            case ["SAVECONFIG"]:
                self.save()
            case ["REBOOT"]:
                self.restart()
            case ["SERIALCONFIG", _]:
                pass
            case _:
                return b""
        return b"OK\r\n"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
