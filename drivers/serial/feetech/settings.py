"""What a Feetech servo keeps in its EEPROM and needs: one turn of positions, gains, and answers without delay.

The EEPROM is locked but for the write of one register: servos were lost by writing whole tables with it open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from drivers.devices import Changing, Found, Setting, Settings
from drivers.serial.feetech.inventory import Block, ServoLine, wanted_registers
from drivers.serial.feetech.tables import (
    IDENTITY_ADDRESS,
    RETURN_DELAY_MAX_COUNT,
    SERIES,
    SWITCH_ADDRESS,
)
from supervisor.core.errors import DeviceError

WRITES: Final = 3
"""How often a write is repeated that does not show when it is read back."""

_OPEN, _LOCKED = 0, 1


def needed_settings(line: ServoLine, stored: Block) -> Iterator[Setting]:
    """What a servo has stored otherwise than its table has it; its id and model are not among it."""
    registers, joint = SERIES[line.model.series].registers, line.motor.joint
    rows = [(name, value, value) for name, value in wanted_registers(line).items() if name not in ("model", "id")]
    # What does as well: a stiffer servo is known to the loop, and a short delay costs little.
    rows += [("return_delay", 0, RETURN_DELAY_MAX_COUNT), ("p_gain", line.model.p_gain, 255)]
    for name, wanted, highest in rows:
        if name in stored and not wanted <= stored[name] <= highest:
            yield Setting(joint, name, stored[name], wanted, "EEPROM", f"register {registers[name].address}")


def find_settings(line: ServoLine, now_s: float) -> Found:
    """Read what is stored and compare it; see `MotorsOnBuses.settings`."""
    now_s, data = yield from line.read_identity(now_s)
    if data is None:
        raise DeviceError(f"motor of {line.motor.joint} does not answer a read of what it has stored")
    stored = Block(line.model, IDENTITY_ADDRESS, data)
    if stored["model"] != line.model.number:
        raise DeviceError(
            f"motor of {line.motor.joint} is model {stored['model']}, the robot file says {line.model.number} "
            f"({line.model.name}): correct the model, or the wiring"
        )
    return now_s, tuple(needed_settings(line, stored))


def write_settings(line: ServoLine, settings: Settings, now_s: float) -> Changing:
    """Write register after register, each with the EEPROM open for it alone; see `MotorsOnBuses.configure`."""
    try:
        for setting in settings:
            now_s = yield from _write(line, "lock", _OPEN, now_s)
            now_s = yield from _write(line, setting.name, int(setting.wanted), now_s)
            now_s = yield from _write(line, "lock", _LOCKED, now_s)
    except DeviceError:
        line.write("lock", bytes((_LOCKED,)))
        raise
    return now_s


def _write(line: ServoLine, name: str, wanted: int, now_s: float) -> Changing:
    """Write one register and read it back."""
    register, order = SERIES[line.model.series].registers[name], SERIES[line.model.series].order
    found: int | None = None
    for _ in range(WRITES):
        line.write(name, wanted.to_bytes(register.size, order))
        address = IDENTITY_ADDRESS if register.is_stored else SWITCH_ADDRESS
        now_s, data = yield from (line.read_identity(now_s) if register.is_stored else line.read_state(now_s))
        found = None if data is None else Block(line.model, address, data)[name]
        if found == wanted:
            return now_s
    raise DeviceError(f"motor of {line.motor.joint}: {name} reads back {found} after setting {wanted}")
