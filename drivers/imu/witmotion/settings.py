"""What a WitMotion unit streams from power-up: content and rate registers, and how to change them.

Source: see `tables`.
"""

from __future__ import annotations

import struct
from typing import Final

from drivers.devices import Changing, Found, Setting, Settings
from drivers.imu.asking import UnitLine, pause
from drivers.imu.witmotion.codec import FrameParser, make_register_read, make_register_write
from drivers.imu.witmotion.tables import (
    CONTENT_BITS,
    PACKET_TYPES,
    RATE_CODES,
    REGISTER_CONTENT,
    REGISTER_RATE,
    REGISTER_SAVE,
    REGISTER_UNLOCK,
    TYPE_REGISTER,
    TYPE_TIME,
    UNLOCK_VALUE,
)
from supervisor.core.errors import DeviceError

STEP_S: Final = 0.1
"""Between two writes, which are not answered."""

SAVE_S: Final = 0.5
"""How long a unit is left alone while it saves."""

_NAMES: Final = {REGISTER_CONTENT: "content", REGISTER_RATE: "rate"}
_REGISTERS: Final = {name: register for register, name in _NAMES.items()}


def _words(heard: bytes) -> tuple[int, ...] | None:
    """The values of four registers."""
    frames = [frame for frame in FrameParser().feed(heard) if frame[1] == TYPE_REGISTER]
    return struct.unpack_from("<4H", frames[-1], 2) if frames else None


def find_settings(line: UnitLine, now_s: float) -> Found:
    """Read both registers and compare them; see `Imu.settings`."""
    config = line.config
    if config.rate_hz not in RATE_CODES:
        allowed = ", ".join(f"{rate:g}" for rate in RATE_CODES)
        raise DeviceError(f"imu cannot stream at rate_hz {config.rate_hz:g}; allowed: {allowed}")
    now_s, words = yield from line.ask(make_register_read(REGISTER_CONTENT), _words, now_s)
    if words is None:
        raise DeviceError("imu does not answer a read of its registers: check cable, port, baud rate")
    found: dict[int, int] = dict(zip((REGISTER_CONTENT, REGISTER_RATE), words, strict=False))
    content = sum(CONTENT_BITS[kind] for kind in PACKET_TYPES[config.packet])
    # A frame with the time does no harm.
    shown = found[REGISTER_CONTENT] & ~CONTENT_BITS[TYPE_TIME]
    settings: list[Setting] = []
    if shown != content:
        settings.append(_setting(REGISTER_CONTENT, found, content, "bits: 2 acc, 4 gyro, 8 angle, 512 quaternion"))
    if found[REGISTER_RATE] != RATE_CODES[config.rate_hz]:
        settings.append(_setting(REGISTER_RATE, found, RATE_CODES[config.rate_hz], f"code of {config.rate_hz:g} Hz"))
    return now_s, tuple(settings)


def _setting(register: int, found: dict[int, int], wanted: int, note: str) -> Setting:
    return Setting("imu", _NAMES[register], found[register], wanted, "flash", f"register {register}; {note}")


def write_settings(line: UnitLine, settings: Settings, now_s: float) -> Changing:
    """Unlock, write, read back, and save; see `Imu.configure`."""
    line.tell(make_register_write(REGISTER_UNLOCK, UNLOCK_VALUE))
    now_s = yield from pause(STEP_S, now_s)
    for setting in settings:
        line.tell(make_register_write(_REGISTERS[setting.name], int(setting.wanted)))
        now_s = yield from pause(STEP_S, now_s)
    now_s, left = yield from find_settings(line, now_s)
    if left:
        said = "; ".join(f"{s.name} reads back {s.found} after setting {s.wanted}" for s in left)
        raise DeviceError(f"imu: {said}; nothing was saved")
    line.tell(make_register_write(REGISTER_SAVE, 0))
    return (yield from pause(SAVE_S, now_s))
