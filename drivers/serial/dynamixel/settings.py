"""How a servo must be set up before it may be driven, as register values; nothing here is sent.

All of them are stored in EEPROM, which wears and can only be written with the torque off: a run compares, and refuses;
`commissioning` writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from drivers.serial.dynamixel.tables import (
    CURRENT_LIMIT,
    DRIVE_MODE,
    LOWEST_SECONDARY_OFF,
    MODE_CURRENT,
    OPERATING_MODE,
    PROTECTIONS,
    PWM_FULL,
    PWM_LIMIT,
    REGISTERS,
    RETURN_DELAY,
    SECONDARY_ID,
    SHUTDOWN,
    STARTUP_CONFIGURATION,
    Register,
    ServoModel,
)

NAMES: Final[Mapping[Register, str]] = {register: name for name, register in REGISTERS.items()}

Settings = Mapping[Register, int]
"""What a servo's registers read."""


class RegisterChange(NamedTuple):
    """One register that must be set otherwise.

    Attributes:
        register: Which; `needs_eeprom` where it is stored.
        name: The maker's name.
        found: What it reads.
        wanted: What it must read.
        reason: Why.
    """

    register: Register
    name: str
    found: int
    wanted: int
    reason: str

    @property
    def address(self) -> int:
        """Its first byte."""
        return self.register.address

    @property
    def needs_eeprom(self) -> bool:
        """Whether writing it needs the torque off, and wears."""
        return self.register.is_stored

    def describe(self) -> str:
        """One line for an inventory."""
        return (
            f"register {self.address} ({self.name}) is {self.found} and must be {self.wanted}, {self.reason}: see "
            "handrail configure"
        )


_REASONS: Final[Mapping[Register, str]] = {
    RETURN_DELAY: "because 250, as delivered, is half a millisecond of silence per servo",
    DRIVE_MODE: "because its bits mirror the servo, slave it, or let a goal switch it on",
    OPERATING_MODE: "which is current control",
    SECONDARY_ID: "or it obeys what is meant for another id",
    PWM_LIMIT: "or it is weaker than its table says",
    CURRENT_LIMIT: "which is the torque in its table; goals beyond the limit are ignored silently",
    STARTUP_CONFIGURATION: "or it switches itself on with its power",
    SHUTDOWN: "so that it switches off when overheated, shocked or overloaded",
}

COMPARED: Final = tuple(_REASONS)
"""Registers that are judged; not every firmware has all of them."""


def _wanted(servo: ServoModel, register: Register, found: int) -> int:
    """What a register must read; what it does read, where that will do."""
    if register == SECONDARY_ID:
        return found if found >= LOWEST_SECONDARY_OFF else 255
    if register == CURRENT_LIMIT:
        return max(found, servo.torque_max_count)
    if register == SHUTDOWN:
        return found | PROTECTIONS
    return {OPERATING_MODE: MODE_CURRENT, PWM_LIMIT: PWM_FULL}.get(register, 0)


def needed_changes(servo: ServoModel, found: Settings) -> Iterator[RegisterChange]:
    """What must be set otherwise before a servo may be driven.

    Args:
        servo: Its model.
        found: What its registers read; what is missing is not judged.
    """
    for register, reason in _REASONS.items():
        if register in found:
            value = found[register]
            wanted = _wanted(servo, register, value)
            if wanted != value:
                yield RegisterChange(register, NAMES[register], value, wanted, reason)
