"""A simulated WitMotion inertial unit: bursts of 11-byte frames, and the register frames that change them.

Its words cannot be NaN: a unit that can say nothing sends zeros.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, Final

from drivers.sim.imu.unit import Sensed, SimulatedUnit, euler_rad
from supervisor.core.robot import ImuConfig

_ACCELERATION, _RATE, _ANGLE, _MAGNETIC, _QUATERNION, _ANSWER = 0x51, 0x52, 0x53, 0x54, 0x59, 0x5F
_CONTENT_OF_PACKET: Final = {
    "acc_gyro_quaternion": 0x206,
    "acc_gyro_angle": 0x00E,
    "acc_gyro_angle_quaternion": 0x20E,
}
"""Bits of the content register by packet."""

_CONTENT_BITS: Final = {_ACCELERATION: 0x02, _RATE: 0x04, _ANGLE: 0x08, _MAGNETIC: 0x10, _QUATERNION: 0x200}
_RATES_HZ: Final = {1: 0.2, 2: 0.5, 3: 1.0, 4: 2.0, 5: 5.0, 6: 10.0, 7: 20.0, 8: 50.0, 9: 100.0, 10: 125.0, 11: 200.0}
_SAVE, _CONTENT, _RATE_REGISTER, _READ, _UNLOCK, _UNLOCK_VALUE = 0x00, 0x02, 0x03, 0x27, 0x69, 0xB588
_UNLOCKED_S: Final = 10.0

_ACCELERATION_RANGE_M_PER_S2: Final = 16.0 * 9.8
_RATE_RANGE_RAD_PER_S: Final = math.radians(2000.0)
_FIELD_RANGE_UT: Final = 32768.0 / 100.0
_TEMPERATURE_RAW: Final = 3500
_VERSION: Final = 1
_WRITE_BYTES: Final = 5


class WitmotionImu(SimulatedUnit):
    """One WitMotion unit. A `SimulatedImu`.

    Args:
        config: Packet, rate and mounting.
        seed: Of the noise.
        noise_scale: Multiplies the noise.

    Raises:
        SimulationError: A packet that this twin does not send.
    """

    maker = "WitMotion"
    packets = tuple(_CONTENT_OF_PACKET)

    def __init__(self, config: ImuConfig, *, seed: Sequence[int], noise_scale: float = 1.0) -> None:
        super().__init__(config, seed=seed, noise_scale=noise_scale)
        rate = next((code for code, hz in _RATES_HZ.items() if hz == config.rate_hz), 0)
        self._registers = {_CONTENT: _CONTENT_OF_PACKET[config.packet], _RATE_REGISTER: rate}
        self._unlocked_until_s = -math.inf
        self._heard = b""
        self.save()

    def _settings(self) -> tuple[Any, ...]:
        return *super()._settings(), dict(self._registers)

    def _set(self, settings: tuple[Any, ...]) -> None:
        *rest, registers = settings
        super()._set(tuple(rest))
        self._registers = dict(registers)

    def _pack(self, sensed: Sensed) -> bytes:
        content = self._registers[_CONTENT]
        words = {
            _ACCELERATION: (*_raw(sensed.acceleration_m_per_s2, _ACCELERATION_RANGE_M_PER_S2), _TEMPERATURE_RAW),
            _RATE: (*_raw(sensed.rate_rad_per_s, _RATE_RANGE_RAD_PER_S), 0),
            _ANGLE: (*_raw(euler_rad(sensed.orientation_wxyz), math.pi), _VERSION),
            _MAGNETIC: (*_raw(sensed.field_ut, _FIELD_RANGE_UT), _TEMPERATURE_RAW),
            _QUATERNION: _raw(sensed.orientation_wxyz, 1.0),
        }
        return b"".join(_frame(kind, *words[kind]) for kind, bit in _CONTENT_BITS.items() if content & bit)

    def hear(self, data: bytes) -> bytes:
        """Take register frames: FF AA, register, value. Only a read is answered; most writes need the unlock first."""
        self._heard += data
        answers = b""
        while len(self._heard) >= _WRITE_BYTES:
            if self._heard[:2] != b"\xff\xaa":
                self._heard = self._heard[1:]
                continue
            register, value = struct.unpack_from("<BH", self._heard, 2)
            self._heard = self._heard[_WRITE_BYTES:]
            answers += self._obey(register, value)
        return answers

    def _obey(self, register: int, value: int) -> bytes:
        if register == _READ:
            return _frame(_ANSWER, *(_signed(self._registers.get(value + place, 0)) for place in range(4)))
        if register == _UNLOCK and value == _UNLOCK_VALUE:
            self._unlocked_until_s = self._now_s + _UNLOCKED_S
        elif register == _SAVE and not value and self._now_s < self._unlocked_until_s:
            self.save()
        elif self._now_s < self._unlocked_until_s:
            self._registers[register] = value
            if register == _RATE_REGISTER:
                self._is_streaming = value in _RATES_HZ
                self.period_s = 1.0 / _RATES_HZ[value] if self._is_streaming else self.period_s
        return b""


def _raw(values: Sequence[float], full_scale: float) -> tuple[int, ...]:
    """Words of values, as far as they reach."""
    return tuple(
        0 if math.isnan(value) else min(32767, max(-32768, round(value / full_scale * 32768.0))) for value in values
    )


def _signed(value: int) -> int:
    return value - 0x1_0000 if value & 0x8000 else value


def _frame(kind: int, *words: int) -> bytes:
    body = struct.pack("<BB4h", 0x55, kind, *words)
    return body + bytes((sum(body) & 0xFF,))
