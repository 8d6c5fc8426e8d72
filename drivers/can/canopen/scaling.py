"""What a drive's counts mean at the output shaft of its motor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from drivers.can.canopen.tables import TORQUE_STEP
from drivers.devices import WiredMotor
from supervisor.core.robot import DriveConfig

_NO_DRIVE: Final = DriveConfig(0.0, 0.0)

_TURNS: Final = 0xB4
_COUNTS: Final = 0xB5
_RADIANS: Final = 0x10
_DEGREES: Final = 0x41
_PER: Final = {0x03: 1.0, 0x47: 60.0}
"""Seconds in a unit of time, by its code in 0x60A9."""

_NAMES: Final = {_TURNS: "turns", _COUNTS: "counts", _RADIANS: "rad", _DEGREES: "deg"}


@dataclass(frozen=True, slots=True)
class Scaling:
    """Units of one drive's numbers, output shaft.

    Attributes:
        position_rad: One count of 0x6064.
        velocity_rad_per_s: One count of 0x606C.
        torque_nm: One count of 0x6071 and 0x6077; 0 where the rated torque is not known.
    """

    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float


def scaling_of(motor: WiredMotor, velocity_unit: int) -> Scaling:
    """What the robot file says of a drive, as units.

    Args:
        motor: The motor.
        velocity_unit: A value of 0x60A9 that `is_velocity_unit` accepts.
    """
    drive = motor.config.drive or _NO_DRIVE
    counts_per_turn = drive.encoder_counts_per_turn or math.inf
    turns = drive.motor_turns_per_output_turn
    return Scaling(
        2.0 * math.pi / (counts_per_turn * turns),
        _motor_velocity(velocity_unit, counts_per_turn) / turns,
        drive.rated_torque_nm * TORQUE_STEP * turns,
    )


def is_velocity_unit(code: int) -> bool:
    """Whether a value of 0x60A9 is an angle per time that we know."""
    return code >> 16 & 0xFF in _NAMES and code >> 8 & 0xFF in _PER and -9 <= _exponent(code) <= 9


def velocity_unit_name(code: int) -> str:
    """A value of 0x60A9 in words."""
    if not is_velocity_unit(code):
        return f"0x{code:08X}"
    per = "min" if code >> 8 & 0xFF == 0x47 else "s"
    factor = f"{10.0 ** _exponent(code):g} " if _exponent(code) else ""
    return f"{factor}{_NAMES[code >> 16 & 0xFF]}/{per}"


def is_in_turns(code: int) -> bool:
    """Whether a velocity unit counts turns, or parts of one, and not position counts."""
    return code >> 16 & 0xFF != _COUNTS


def _exponent(code: int) -> int:
    """The power of ten in a value of 0x60A9."""
    power = code >> 24 & 0xFF
    return power - 256 if power > 127 else power


def _motor_velocity(code: int, counts_per_turn: float) -> float:
    """One count of a velocity, in rad/s of the motor."""
    angles_rad = {
        _TURNS: 2.0 * math.pi,
        _COUNTS: 2.0 * math.pi / counts_per_turn,
        _RADIANS: 1.0,
        _DEGREES: math.pi / 180.0,
    }
    return 10.0 ** _exponent(code) * angles_rad[code >> 16 & 0xFF] / _PER[code >> 8 & 0xFF]
