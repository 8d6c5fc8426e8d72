"""A simulated Xsens inertial unit: MTData2 messages, and the Xbus commands between configuration and measurement."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

from drivers.sim.imu.unit import Sensed, SimulatedUnit
from supervisor.core.robot import ImuConfig

_COUNTER, _TIME, _QUATERNION, _ACCELERATION, _RATE, _STATUS = 0x1020, 0x1060, 0x2010, 0x4020, 0x8020, 0xE020
_POWER_UP: Final = (_COUNTER, _TIME, _QUATERNION, _ACCELERATION, _RATE, _STATUS)
_SAMPLED: Final = frozenset((_QUATERNION, _ACCELERATION, _RATE))
_STATUS_WORD: Final = 0b11
"""Self test passed, filter valid."""

_MTDATA2, _ERROR = 0x36, 0x42
_TO_CONFIG, _TO_MEASUREMENT, _SET_OUTPUTS, _DEVICE_ID, _FIRMWARE = 0x30, 0x10, 0xC0, 0x00, 0x12
_INVALID_PERIOD, _INVALID_MESSAGE, _INVALID_PARAMETER = 0x03, 0x04, 0x21
_MAXIMUM_RATE_HZ: Final = 400
_OVERHEAD_BYTES: Final = 5


class XsensImu(SimulatedUnit):
    """One Xsens unit. A `SimulatedImu`.

    Args:
        config: Packet, rate and mounting.
        seed: Of the noise.
        noise_scale: Multiplies the noise.

    Raises:
        SimulationError: A packet that this twin does not send.
    """

    maker = "Xsens"
    packets = ("mtdata2",)

    def __init__(self, config: ImuConfig, *, seed: Sequence[int], noise_scale: float = 1.0) -> None:
        super().__init__(config, seed=seed, noise_scale=noise_scale)
        self._outputs = _POWER_UP
        self._counter = 0
        self._heard = b""
        self.save()

    def _settings(self) -> tuple[Any, ...]:
        return self._outputs, self.period_s

    def _set(self, settings: tuple[Any, ...]) -> None:
        self._outputs, self.period_s = settings
        # It measures from power-up, whatever it did before.
        self._is_streaming = True

    def _pack(self, sensed: Sensed) -> bytes:
        items = {
            _COUNTER: struct.pack(">H", self._counter),
            _TIME: struct.pack(">I", round(self._now_s * 1e4) & 0xFFFFFFFF),
            _QUATERNION: struct.pack(">4f", *sensed.orientation_wxyz),
            _ACCELERATION: struct.pack(">3f", *sensed.acceleration_m_per_s2),
            _RATE: struct.pack(">3f", *sensed.rate_rad_per_s),
            _STATUS: struct.pack(">I", _STATUS_WORD),
        }
        self._counter = (self._counter + 1) & 0xFFFF
        data = b"".join(struct.pack(">HB", kind, len(items[kind])) + items[kind] for kind in self._outputs)
        return _message(_MTDATA2, data)

    def hear(self, data: bytes) -> bytes:
        """Take commands and acknowledge them; settings only in the configuration state."""
        self._heard += data
        answers = b""
        while len(self._heard) >= _OVERHEAD_BYTES:
            size = self._heard[3] + _OVERHEAD_BYTES
            if self._heard[0] != 0xFA:
                self._heard = self._heard[1:]
            elif len(self._heard) < size:
                break
            elif sum(self._heard[1:size]) & 0xFF:
                self._heard = self._heard[1:]
            else:
                command, self._heard = self._heard[:size], self._heard[size:]
                answers += self._obey(command[2], command[4:-1])
        return answers

    def _obey(self, command: int, data: bytes) -> bytes:
        answer = b""
        if command == _TO_CONFIG:
            self._is_streaming = False
        elif command == _TO_MEASUREMENT:
            self._is_streaming = True
        elif self._is_streaming:
            return _message(_ERROR, bytes((_INVALID_MESSAGE,)))
        elif command == _SET_OUTPUTS and not data:
            rate = round(1.0 / self.period_s)
            answer = b"".join(struct.pack(">HH", kind, rate if kind in _SAMPLED else 0xFFFF) for kind in self._outputs)
        elif command == _SET_OUTPUTS:
            problem = self._configure(data)
            if problem:
                return _message(_ERROR, bytes((problem,)))
            answer = data
        elif command == _DEVICE_ID:
            answer = bytes.fromhex("03700000")
        elif command == _FIRMWARE:
            answer = bytes((1, 10, 0))
        else:
            return _message(_ERROR, bytes((_INVALID_MESSAGE,)))
        return _message(command + 1, answer)

    def _configure(self, data: bytes) -> int:
        """Set what is streamed; an error code, 0 for none."""
        if not data or len(data) % 4:
            return _INVALID_PARAMETER
        outputs = list(struct.iter_unpack(">HH", data))
        if any(kind not in _POWER_UP for kind, _ in outputs):
            return _INVALID_PARAMETER
        rates = {rate for kind, rate in outputs if kind in _SAMPLED}
        if len(rates) != 1 or not all(rate and _MAXIMUM_RATE_HZ % rate == 0 for rate in rates):
            return _INVALID_PERIOD
        self._outputs = tuple(kind for kind, _ in outputs)
        self.period_s = 1.0 / rates.pop()
        self.save()
        return 0


def _message(kind: int, data: bytes) -> bytes:
    body = bytes((0xFF, kind, len(data))) + data
    return b"\xfa" + body + bytes((-sum(body) & 0xFF,))
