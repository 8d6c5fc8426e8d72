"""What a Damiao motor keeps in its flash and needs: control mode and command timeout.

Registers show what is in force. That is what is kept only until somebody sets another value, as every inventory does:
right after power-up.
"""

from __future__ import annotations

from typing import Final

from drivers.can.damiao import codec
from drivers.can.damiao.inventory import MotorLine, await_register
from drivers.can.damiao.tables import CONTROL_MODE_MIT, REGISTER_CONTROL_MODE, REGISTER_NAMES, REGISTER_TIMEOUT
from drivers.devices import Changing, Found, Setting, Settings
from supervisor.core.errors import DeviceError

STORE_WAIT_S: Final = 1.0
"""How long writing the flash may take."""

_NOTES: Final = {REGISTER_CONTROL_MODE: "1 is MIT", REGISTER_TIMEOUT: "50 us each; 0 never stops"}
_REGISTERS: Final = {REGISTER_NAMES[register]: register for register in _NOTES}


def find_settings(line: MotorLine, timeout_s: float, now_s: float) -> Found:
    """Compare control mode and timeout; see `MotorsOnBuses.settings`."""
    config, joint = line.motor.config, line.motor.joint
    wanted = {REGISTER_CONTROL_MODE: CONTROL_MODE_MIT, REGISTER_TIMEOUT: codec.timeout_counts(timeout_s)}
    settings: list[Setting] = []
    for register, value in wanted.items():
        name = REGISTER_NAMES[register]
        now_s, found = yield from await_register(line, codec.make_register_read(config.id, register), now_s)
        if found is None:
            raise DeviceError(f"motor of {joint} does not answer a read of {name}")
        if found != value:
            settings.append(Setting(joint, name, found, value, "flash", _NOTES[register]))
    return now_s, tuple(settings)


def write_settings(line: MotorLine, settings: Settings, now_s: float) -> Changing:
    """Write registers, then have the motor store all of them, once; see `MotorsOnBuses.configure`."""
    config, joint = line.motor.config, line.motor.joint
    for setting in settings:
        register, wanted = _REGISTERS[setting.name], int(setting.wanted)
        now_s, _ = yield from await_register(line, codec.make_register_write(config.id, register, wanted), now_s)
        now_s, found = yield from await_register(line, codec.make_register_read(config.id, register), now_s)
        if found != wanted:
            raise DeviceError(f"motor of {joint}: {setting.name} reads back {found} after setting {wanted}")
    request = line.ask(codec.make_store(config.id), now_s)
    deadline_s = now_s + STORE_WAIT_S
    while not request.answers and now_s < deadline_s:
        now_s = yield
    if not request.answers:
        raise DeviceError(
            f"motor of {joint} does not say that it has stored its settings: power-cycle it, and look again"
        )
    return now_s
