"""What an LX-16A keeps and needs: servo mode, and angle limits that do not cut off what it is driven to."""

from __future__ import annotations

from typing import Final

from drivers.devices import Changing, Found, Setting, Settings
from drivers.serial.lx16a import codec
from drivers.serial.lx16a.inventory import ServoLine
from drivers.serial.lx16a.tables import (
    MODE_SERVO,
    POSITION_COUNTS,
    READ_ANGLE_LIMITS,
    READ_MODE,
    WRITE_ANGLE_LIMITS,
)
from supervisor.core.errors import DeviceError

MODE: Final = "mode"
ANGLE_LIMITS: Final = "angle limits"

WRITES: Final = 3
"""An order is not answered: it is repeated until it shows."""

_LIMITS: Final = b"".join(count.to_bytes(2, "little") for count in POSITION_COUNTS)
_QUESTIONS: Final = {MODE: READ_MODE, ANGLE_LIMITS: READ_ANGLE_LIMITS}


def _is_set(name: str, answer: bytes) -> bool:
    return answer[0] == MODE_SERVO if name == MODE else answer == _LIMITS


def _limits_text(data: bytes) -> str:
    return f"{int.from_bytes(data[:2], 'little')} to {int.from_bytes(data[2:], 'little')}"


def find_settings(line: ServoLine, now_s: float) -> Found:
    """Ask for both and compare them; see `MotorsOnBuses.settings`."""
    joint = line.motor.joint
    settings: list[Setting] = []
    for name, question in _QUESTIONS.items():
        now_s, answer = yield from line.read(question, now_s)
        if answer is None:
            raise DeviceError(f"motor of {joint} does not answer a question for its {name}")
        if _is_set(name, answer):
            continue
        if name == MODE:
            note = "whether it is kept is not documented: look again after a power cycle"
            settings.append(Setting(joint, MODE, answer[0], MODE_SERVO, "servo", note))
        else:
            settings.append(Setting(joint, name, _limits_text(answer), _limits_text(_LIMITS), "servo"))
    return now_s, tuple(settings)


def write_settings(line: ServoLine, settings: Settings, now_s: float) -> Changing:
    """Give orders until each shows; see `MotorsOnBuses.configure`."""
    identifier, joint = line.motor.config.id, line.motor.joint
    orders = {
        MODE: codec.make_servo_mode(identifier),
        ANGLE_LIMITS: codec.make_packet(identifier, WRITE_ANGLE_LIMITS, _LIMITS),
    }
    for name in (setting.name for setting in settings):
        answer: bytes | None = None
        for _ in range(WRITES):
            line.order(orders[name])
            now_s, answer = yield from line.read(_QUESTIONS[name], now_s)
            if answer is not None and _is_set(name, answer):
                break
        else:
            found = "nothing" if answer is None else answer.hex(" ")
            raise DeviceError(f"motor of {joint}: {name} reads back {found} after being set")
    return now_s
