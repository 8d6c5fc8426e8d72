"""What a RobStride motor keeps in its flash and needs: command timeout, and within which turn it wakes up.

Parameters show what is in force. That is what is kept only until somebody sets another value, as every inventory does:
right after power-up.
"""

from __future__ import annotations

from typing import Final

from drivers.can.robstride import codec
from drivers.can.robstride.commissioning import make_save
from drivers.can.robstride.inventory import ZERO_SYMMETRIC, MotorLine, await_parameter, set_parameter
from drivers.can.robstride.tables import CAN_TIMEOUT, ZERO_STATE
from drivers.devices import Changing, Found, Setting, Settings
from supervisor.core.errors import DeviceError

SAVE_S: Final = 0.5
"""How long a motor is left alone while it writes its flash, of whose end it says nothing."""

_PARAMETERS: Final = {parameter.name: parameter for parameter in (CAN_TIMEOUT, ZERO_STATE)}


def find_settings(line: MotorLine, timeout_s: float, now_s: float) -> Found:
    """Compare both; see `MotorsOnBuses.settings`. A parameter that the firmware lacks is left to the inventory."""
    joint = line.motor.joint
    rows = (
        (CAN_TIMEOUT, codec.timeout_counts(timeout_s), "50 us each; 0 never stops", False),
        (ZERO_STATE, ZERO_SYMMETRIC, "1 wakes up within -pi to pi, 0 within 0 to 2 pi", True),
    )
    settings: list[Setting] = []
    for parameter, wanted, note, needs_power_cycle in rows:
        now_s, found = yield from await_parameter(line, parameter, now_s)
        if found is None and parameter.index not in line.answers.values:
            raise DeviceError(f"motor of {joint} does not answer a read of {parameter.name}")
        if found is not None and found != wanted:
            settings.append(Setting(joint, parameter.name, found, wanted, "flash", note, needs_power_cycle))
    return now_s, tuple(settings)


def write_settings(line: MotorLine, settings: Settings, now_s: float) -> Changing:
    """Write parameters, then have the motor save all of them, once; see `MotorsOnBuses.configure`."""
    identifier, joint = line.motor.config.id, line.motor.joint
    for setting in settings:
        parameter, wanted = _PARAMETERS[setting.name], int(setting.wanted)
        write = codec.make_write(identifier, parameter, wanted)
        now_s, found = yield from set_parameter(line, write, parameter, wanted, now_s)
        if found != wanted:
            raise DeviceError(f"motor of {joint}: {setting.name} reads back {found} after setting {wanted}")
    line.send(make_save(identifier))
    saved_s = now_s + SAVE_S
    while now_s < saved_s:
        now_s = yield
    return now_s
