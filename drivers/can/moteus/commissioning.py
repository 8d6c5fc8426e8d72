"""Changing what a controller keeps in flash, on its console, while it is off. See `settings` for what it must be."""

from __future__ import annotations

from typing import Final

from drivers.can.moteus import codec
from drivers.can.moteus.console import DIGITS, DONE, KEEP, make_listen, make_say, make_set_setting
from drivers.can.moteus.inventory import read_setting, read_settings, silence
from drivers.can.moteus.line import MotorLine
from drivers.can.moteus.settings import needed_settings
from drivers.devices import Changing, Found, Setting, Settings
from supervisor.core.errors import DeviceError

WRITES: Final = 3
KEEP_WAIT_S: Final = 1.0
"""How long writing the flash may take."""


def find_settings(line: MotorLine, now_s: float) -> Found:
    """Read every setting that matters and compare it; see `MotorsOnBuses.settings`."""
    joint = line.motor.joint
    problems: list[str] = []
    now_s, values = yield from read_settings(line, problems, now_s)
    if problems:
        raise DeviceError(f"motor of {joint} {'; '.join(problems)}")
    return now_s, tuple(
        Setting(joint, name, values[name], float(f"{wanted:.{DIGITS}g}"), "flash")
        for name, wanted in needed_settings(line.motor, values)
    )


def write_settings(line: MotorLine, settings: Settings, now_s: float) -> Changing:
    """Set each and read it back, then have all of them stored, once; see `MotorsOnBuses.configure`."""
    address, joint = codec.Address(line.motor.config.id), line.motor.joint
    for setting in settings:
        wanted = float(setting.wanted)
        found: float | None = None
        for _ in range(WRITES):
            now_s = yield from silence(line, address, now_s)
            line.tell(make_set_setting(address, setting.name, wanted))
            now_s, found = yield from read_setting(line, setting.name, now_s)
            if found is not None and f"{found:.{DIGITS}g}" == f"{wanted:.{DIGITS}g}":
                break
        else:
            raise DeviceError(f"motor of {joint}: {setting.name} reads back {found} after setting {wanted:g}")
    now_s = yield from silence(line, address, now_s)
    line.tell(make_say(address, KEEP))
    deadline_s = now_s + KEEP_WAIT_S
    while b"\n" not in line.answers.text and now_s < deadline_s:
        line.send(make_listen(address))
        now_s = yield
    if line.answers.text.strip() != DONE:
        raise DeviceError(
            f"motor of {joint} does not say that it has stored its settings: power-cycle it, and look again"
        )
    return now_s
