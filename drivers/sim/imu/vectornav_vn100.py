"""A simulated VectorNav VN-100: binary packets or text, and the text commands that choose and pause them.

Its world has z down, and its text cannot be NaN: a unit that can say nothing sends zeros there.
"""

from __future__ import annotations

import binascii
import functools
import math
import operator
import struct
from collections.abc import Sequence
from typing import Any, Final

from drivers.sim.imu.unit import Sensed, SimulatedUnit, euler_rad, north_east_down
from supervisor.core.robot import ImuConfig

BINARY, YMR, QMR = "binary", "vnymr", "vnqmr"
_HEADER: Final = bytes.fromhex("1131010100")
"""Common group: time, quaternion, rate, acceleration; attitude group: filter status."""

_PAYLOAD: Final = struct.Struct("<Q10fH")
_ASYNC_PACKETS: Final = {14: YMR, 8: QMR}
_TEXT_RATES_HZ: Final = (1, 2, 4, 5, 10, 20, 25, 40, 50, 100, 200)
_INTERNAL_HZ: Final = 800.0
_UT_PER_GAUSS: Final = 100.0
_ASYNC_TYPE, _ASYNC_RATE, _BINARY_OUTPUT = "06", "07", "75"
_FIXED_REGISTERS: Final = {"01": "VN-100", "05": "921600"}
_BAD_CHECKSUM, _BAD_COMMAND, _TOO_FEW, _BAD_PARAMETER, _BAD_REGISTER = 3, 4, 5, 7, 8
_LINE_LIMIT: Final = 256


class VectornavImu(SimulatedUnit):
    """One VectorNav unit. A `SimulatedImu`.

    Args:
        config: Packet, rate and mounting.
        seed: Of the noise.
        noise_scale: Multiplies the noise.

    Raises:
        SimulationError: A packet that this twin does not send.
    """

    maker = "VectorNav"
    packets = (BINARY, YMR, QMR)

    def __init__(self, config: ImuConfig, *, seed: Sequence[int], noise_scale: float = 1.0) -> None:
        super().__init__(config, seed=seed, noise_scale=noise_scale)
        self._line = b""
        self._has_binary = self._packet == BINARY
        self._message = "" if self._has_binary else self._packet
        """What it streams as text, besides the binary output or not; both at one rate here."""
        self.save()

    def _settings(self) -> tuple[Any, ...]:
        return self._has_binary, self._message, self.period_s

    def _set(self, settings: tuple[Any, ...]) -> None:
        self._has_binary, self._message, self.period_s = settings
        self._is_streaming = True

    def _pack(self, sensed: Sensed) -> bytes:
        w, x, y, z = attitude = north_east_down(sensed.orientation_wxyz)
        binary = b""
        if self._has_binary:
            time_ns = round(self._now_s * 1e9)
            motion = (*sensed.rate_rad_per_s, *sensed.acceleration_m_per_s2)
            body = _HEADER + _PAYLOAD.pack(time_ns, x, y, z, w, *motion, 0)
            binary = b"\xfa" + body + binascii.crc_hqx(body, 0).to_bytes(2, "big")
        if not self._message:
            return binary
        rest = _numbers([value / _UT_PER_GAUSS for value in sensed.field_ut], 7, 4)
        rest += _numbers(sensed.acceleration_m_per_s2, 7, 3) + _numbers(sensed.rate_rad_per_s, 10, 6)
        if self._message == YMR:
            roll, pitch, yaw = map(math.degrees, euler_rad(attitude))
            return binary + _text("VNYMR" + _numbers((yaw, pitch, roll), 8, 3) + rest)
        return binary + _text("VNQMR" + _numbers((x, y, z, w), 9, 6) + rest)

    def hear(self, data: bytes) -> bytes:
        """Take text commands, each ending in CR LF, and answer them."""
        *lines, self._line = (self._line + data)[-_LINE_LIMIT:].split(b"\r\n")
        return b"".join(self._answer(line) for line in lines if line.startswith(b"$"))

    def _answer(self, line: bytes) -> bytes:
        body, _, check = line[1:].decode("ascii", "replace").partition("*")
        if check not in ("XX", _short_check(body), f"{binascii.crc_hqx(body.encode(), 0):04X}"):
            return _error(_BAD_CHECKSUM)
        problem, answer = self._obey(body.split(","))
        return _error(problem) if problem else _text(answer or body)

    def _obey(self, words: list[str]) -> tuple[int, str]:
        """Error code, 0 for none, and the answer where it is not an echo."""
        match words:
            case ["VNASY", "0" | "1" as flag]:
                self._is_streaming = flag == "1"
            case ["VNRRG", register]:
                value = self._registers().get(register.zfill(2))
                return (0, f"VNRRG,{register},{value}") if value is not None else (_BAD_REGISTER, "")
            case ["VNWRG", register, *values]:
                return self._write(register.zfill(2), values), ""
            case ["VNWNV"]:
                self.save()
            case ["VNRST"]:
                self.restart()
            case ["VNTAR" | "VNSGB"]:
                pass
            case _:
                return _BAD_COMMAND, ""
        return 0, ""

    def _registers(self) -> dict[str, str]:
        kinds = {packet: kind for kind, packet in _ASYNC_PACKETS.items()}
        binary = f"1,{round(_INTERNAL_HZ * self.period_s)},11,131,1" if self._has_binary else "0,0,0"
        text = {_ASYNC_TYPE: str(kinds.get(self._message, 0)), _ASYNC_RATE: f"{1.0 / self.period_s:.0f}"}
        return {**_FIXED_REGISTERS, **text, _BINARY_OUTPUT: binary}

    def _write(self, register: str, values: list[str]) -> int:
        """Error code, 0 for none."""
        if register not in self._registers():
            return _BAD_REGISTER
        if not values or not all(value.isalnum() for value in values):
            return _TOO_FEW
        number = int(values[0]) if values[0].isdecimal() else -1
        if register == _ASYNC_TYPE and (number == 0 or number in _ASYNC_PACKETS):
            self._message = _ASYNC_PACKETS.get(number, "")
        elif register == _ASYNC_RATE and number in _TEXT_RATES_HZ:
            self.period_s = 1.0 / number
        elif register == _BINARY_OUTPUT and number == 0:
            self._has_binary = False
        elif register == _BINARY_OUTPUT and values[2:] == ["11", "131", "1"] and values[1].isdecimal():
            if not int(values[1]):
                return _BAD_PARAMETER
            self._has_binary, self.period_s = True, int(values[1]) / _INTERNAL_HZ
        else:
            return _BAD_PARAMETER
        return 0


def _numbers(values: Sequence[float], width: int, digits: int) -> str:
    return "".join(f",{0.0 if math.isnan(value) else value:+0{width}.{digits}f}" for value in values)


def _short_check(body: str) -> str:
    return f"{functools.reduce(operator.xor, body.encode(), 0):02X}"


def _text(body: str) -> bytes:
    return f"${body}*{_short_check(body)}\r\n".encode()


def _error(code: int) -> bytes:
    return _text(f"VNERR,{code:02X}")
