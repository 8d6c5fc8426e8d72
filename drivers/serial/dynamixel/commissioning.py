"""Writing what a servo keeps in its EEPROM, with the torque off. See `settings` for what it must be, and why."""

from __future__ import annotations

from drivers.devices import Changing, Found, Setting, Settings
from drivers.serial.dynamixel.asking import Probed, write_register
from drivers.serial.dynamixel.inventory import identify
from drivers.serial.dynamixel.tables import REGISTERS
from supervisor.core.errors import DeviceError


def find_settings(probed: Probed, now_s: float) -> Found:
    """Read what is stored and compare it; see `MotorsOnBuses.settings`."""
    joint = probed.line.motor.joint
    now_s, is_known = yield from identify(probed, now_s)
    if not is_known:
        raise DeviceError(f"motor of {joint} {'; '.join(probed.problems)}")
    return now_s, tuple(
        Setting(joint, change.name, change.found, change.wanted, "EEPROM", change.reason) for change in probed.changes
    )


def write_settings(probed: Probed, settings: Settings, now_s: float) -> Changing:
    """Write registers, which a servo stores at once, and read each back; see `MotorsOnBuses.configure`."""
    for setting in settings:
        wanted = int(setting.wanted)
        now_s, found = yield from write_register(probed, REGISTERS[setting.name], wanted, now_s)
        if found != wanted:
            joint = probed.line.motor.joint
            raise DeviceError(f"motor of {joint}: {setting.name} reads back {found} after setting {wanted}")
    return now_s
