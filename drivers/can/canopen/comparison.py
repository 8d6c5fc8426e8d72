"""What a drive says of its units, held against the robot file.

Units are drive specific (0x6076, 0x608F, 0x6091, 0x6092, 0x60A9): where the two differ, every number would be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Final

from drivers.can.canopen import sdo
from drivers.can.canopen.codec import SdoAbort
from drivers.can.canopen.scaling import is_in_turns, is_velocity_unit, velocity_unit_name
from drivers.can.canopen.sdo import SdoLine, Waiting
from drivers.can.canopen.tables import (
    ENCODER_COUNTS,
    ENCODER_TURNS,
    FACTS,
    FEED,
    FEED_SHAFT_TURNS,
    GEAR_MOTOR_TURNS,
    GEAR_SHAFT_TURNS,
    MAXIMUM_TORQUE,
    RATED_TORQUE,
    TORQUE_STEP,
    VELOCITY_UNIT,
    ObjectEntry,
)
from drivers.devices import WiredMotor
from supervisor.core.robot import DriveConfig

SAME_RATIO: Final = 2e-3
"""How far numbers that mean the same may differ: a rated torque is often rounded."""

_NO_DRIVE: Final = DriveConfig(0.0, 0.0)

Facts = dict[str, float | str]


def compare_torque(line: SdoLine, motor: WiredMotor, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """What its thousandths refer to, and how many of them it gives."""
    drive = motor.config.drive or _NO_DRIVE
    now_s, rated = yield from sdo.read(line, RATED_TORQUE, now_s)
    if not isinstance(rated, int):
        problems.append(f"does not say its rated torque (0x6076): {refusal(rated)}")
        return now_s
    facts["rated_torque_nm"] = rated / 1e3
    if abs(rated / 1e3 - drive.rated_torque_nm) > max(SAME_RATIO * drive.rated_torque_nm, 1e-3):
        problems.append(
            f"its rated torque (0x6076) is {rated / 1e3:g} N·m, drive.rated_torque_nm {drive.rated_torque_nm:g}"
        )
    now_s, thousandths = yield from sdo.read(line, MAXIMUM_TORQUE, now_s)
    if isinstance(thousandths, int):
        torque_nm = thousandths * TORQUE_STEP * rated / 1e3 * drive.motor_turns_per_output_turn
        facts["torque_max_nm"] = round(torque_nm, 3)
        if torque_nm < drive.torque_max_nm * (1.0 - SAME_RATIO):
            problems.append(
                f"gives at most {torque_nm:g} N·m at the output (0x6072), drive.torque_max_nm {drive.torque_max_nm:g}"
            )
    return now_s


def compare_counts(line: SdoLine, motor: WiredMotor, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Position counts in one turn of the motor, where the drive says them."""
    drive = motor.config.drive or _NO_DRIVE
    now_s, feed = yield from _ratio(line, FEED, FEED_SHAFT_TURNS, now_s)
    now_s, gear = yield from _ratio(line, GEAR_MOTOR_TURNS, GEAR_SHAFT_TURNS, now_s)
    now_s, encoder = yield from _ratio(line, ENCODER_COUNTS, ENCODER_TURNS, now_s)
    facts["gear_ratio"] = gear or 1.0
    counts = encoder if feed is None else feed / (gear or 1.0)
    if counts is None:
        facts["counts_per_turn"] = "as in the robot file; the drive does not say"
    else:
        facts["counts_per_turn"] = counts
        if abs(counts - drive.encoder_counts_per_turn) > SAME_RATIO:
            problems.append(
                f"counts {counts:g} to a turn of the motor (0x6092, 0x6091, 0x608F), "
                f"drive.encoder_counts_per_turn {drive.encoder_counts_per_turn}"
            )
    reach = 2.0**31 / (max(drive.encoder_counts_per_turn, 1) * drive.motor_turns_per_output_turn) * 2.0 * math.pi
    if reach < motor.model.position_max_rad:
        problems.append(
            f"its position wraps at {reach:.1f} rad, allowed: at least {motor.model.position_max_rad:g} rad"
        )
    return now_s


def find_velocity_unit(
    line: SdoLine, motor: WiredMotor, facts: Facts, problems: list[str], now_s: float
) -> Generator[None, float, tuple[float, int | None]]:
    """Unit of 0x606C: as the drive says, or as the row knows; None where nobody does."""
    known = FACTS[motor.model.name].velocity_unit
    now_s, told = yield from sdo.read(line, VELOCITY_UNIT, now_s)
    unit = told if isinstance(told, int) else known
    if unit is None:
        problems.append("does not say its velocity unit (0x60A9): use the model CiA402-counts or CiA402-rpm")
        return now_s, None
    facts["velocity_unit"] = velocity_unit_name(unit)
    if known not in (None, unit):
        problems.append(
            f"its velocity unit (0x60A9) is {velocity_unit_name(unit)}, that of model {motor.model.name} "
            f"{velocity_unit_name(known or 0)}"
        )
    if not is_velocity_unit(unit):
        problems.append(f"its velocity unit (0x60A9) is {velocity_unit_name(unit)}, which is no known angle per time")
        return now_s, None
    if is_in_turns(unit) and facts["gear_ratio"] != 1.0:
        problems.append(
            f"has a gear ratio (0x6091) of {facts['gear_ratio']:g} and a velocity in {velocity_unit_name(unit)}, whose "
            "turns may be either side's: set it to 1, and drive.motor_turns_per_output_turn to the gear's"
        )
    return now_s, unit


def _ratio(
    line: SdoLine, above: ObjectEntry, below: ObjectEntry, now_s: float
) -> Generator[None, float, tuple[float, float | None]]:
    """A quotient of two objects, None where the drive does not have both."""
    now_s, numerator = yield from sdo.read(line, above, now_s)
    if not isinstance(numerator, int):
        return now_s, None
    now_s, denominator = yield from sdo.read(line, below, now_s)
    if not isinstance(denominator, int) or not numerator or not denominator:
        return now_s, None
    return now_s, numerator / denominator


def refusal(found: int | SdoAbort | None) -> str:
    """What came back instead of what was wanted."""
    if isinstance(found, SdoAbort):
        return f"refused ({found.reason})"
    return "nothing" if found is None else str(found)
