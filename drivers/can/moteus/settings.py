"""What a controller must be set to so that it does what the robot file says, and what it must not.

Settings are kept in flash; a run only reads them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from drivers.can.moteus.tables import (
    CONF_FAULT_TEMPERATURE,
    CONF_FIXED_VOLTAGE,
    CONF_ILIMIT,
    CONF_KD,
    CONF_KI,
    CONF_KP,
    CONF_MAX_VELOCITY,
    CONF_POSITION_MAX,
    CONF_POSITION_MIN,
    CONF_RATIO,
    CONF_TIMEOUT_MODE,
    CONF_TIMEOUT_TORQUE,
    TIMEOUT_MODES,
    TURN,
)
from drivers.devices import WiredMotor

SETTINGS = (
    CONF_KP,
    CONF_KD,
    CONF_KI,
    CONF_ILIMIT,
    CONF_RATIO,
    CONF_POSITION_MIN,
    CONF_POSITION_MAX,
    CONF_MAX_VELOCITY,
    CONF_FIXED_VOLTAGE,
    CONF_FAULT_TEMPERATURE,
    CONF_TIMEOUT_MODE,
    CONF_TIMEOUT_TORQUE,
)
"""What an inventory reads, in this order."""

SAME_RATIO = 1e-3
"""How far two numbers for one gear ratio may differ, of the ratio: tools show few digits."""

SAME_LIMIT = 1e-4
"""The same for limits and gains that the controller shows with six digits."""


def setting_facts(values: Mapping[str, float]) -> dict[str, float | str]:
    """Settings for the record, in this program's units.

    Args:
        values: By name, as far as they were read.
    """
    facts: dict[str, float | str] = {}
    for name, fact in ((CONF_KP, "configured_kp_nm_per_rad"), (CONF_KD, "configured_kd_nm_s_per_rad")):
        if name in values:
            facts[fact] = round(values[name] / TURN, 4)
    if CONF_TIMEOUT_MODE in values:
        mode = values[CONF_TIMEOUT_MODE]
        facts["after_timeout"] = TIMEOUT_MODES.get(int(mode), f"mode {mode:g}") if math.isfinite(mode) else "unknown"
    if CONF_TIMEOUT_TORQUE in values:
        facts["after_timeout_torque_nm"] = values[CONF_TIMEOUT_TORQUE]
    return facts


def needed_settings(motor: WiredMotor, values: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Settings that can be changed to fit the robot file, and what to; the gear ratio is for a person to judge.

    Args:
        motor: The motor.
        values: All of `SETTINGS`.
    """
    model = motor.model
    low_rad, high_rad = motor.starts_within_rad or (0.0, 0.0)
    limit = 1.0 - SAME_LIMIT
    if not values[CONF_KP] / TURN >= model.kp_max_nm_per_rad * limit:
        yield CONF_KP, model.kp_max_nm_per_rad * TURN
    if not values[CONF_KD] / TURN >= model.kd_max_nm_s_per_rad * limit:
        yield CONF_KD, model.kd_max_nm_s_per_rad * TURN
    if values[CONF_KI] != 0.0 and values[CONF_ILIMIT] != 0.0:
        yield CONF_ILIMIT, 0.0
    if values[CONF_POSITION_MIN] - low_rad / TURN > SAME_LIMIT:
        yield CONF_POSITION_MIN, low_rad / TURN
    if high_rad / TURN - values[CONF_POSITION_MAX] > SAME_LIMIT:
        yield CONF_POSITION_MAX, high_rad / TURN
    if not values[CONF_MAX_VELOCITY] * TURN >= model.velocity_max_rad_per_s * limit:
        yield CONF_MAX_VELOCITY, model.velocity_max_rad_per_s / TURN
    if values[CONF_FIXED_VOLTAGE] != 0.0:
        yield CONF_FIXED_VOLTAGE, 0.0


def setting_problems(motor: WiredMotor, values: Mapping[str, float], temperature_degc: float) -> list[str]:
    """Everything in a controller's settings that does not fit the robot file.

    Args:
        motor: The motor.
        values: By name, as far as they were read.
        temperature_degc: Of its board or winding, now.
    """
    if len(values) < len(SETTINGS):
        return []
    return [
        *_gain_problems(motor, values),
        *_range_problems(motor, values),
        *_state_problems(values, temperature_degc),
    ]


def _gain_problems(motor: WiredMotor, values: Mapping[str, float]) -> Iterator[str]:
    """Commands state shares, 0 to 1, of the configured gains: those must be what the robot file counts on, or more."""
    model = motor.model
    gains = (
        (CONF_KP, "kp_max_nm_per_rad", model.kp_max_nm_per_rad, "N·m/turn", "N·m/rad"),
        (CONF_KD, "kd_max_nm_s_per_rad", model.kd_max_nm_s_per_rad, "N·m·s/turn", "N·m·s/rad"),
    )
    for name, key, wanted, setting_unit, unit in gains:
        found = values[name]
        if not found > 0.0 or found / TURN < wanted * (1.0 - SAME_LIMIT):
            yield (
                f"{name} is {found:g} {setting_unit}, which is {found / TURN:.4g} {unit}, and drive.{key} says "
                f"{wanted:g}: commands are shares of it, so set it to {wanted * TURN:.6g} or more, or lower drive.{key}"
            )
    if values[CONF_KI] != 0.0 and values[CONF_ILIMIT] != 0.0:
        yield (
            f"{CONF_KI} is {values[CONF_KI]:g} with {CONF_ILIMIT} {values[CONF_ILIMIT]:g} N·m: it would push on by "
            "itself where a joint is held back; set one of them to 0"
        )


def _range_problems(motor: WiredMotor, values: Mapping[str, float]) -> Iterator[str]:
    """Turns of what are counted, and how far and fast it may go."""
    ratio, drive = values[CONF_RATIO], motor.config.drive
    turns = 1.0 if drive is None else drive.motor_turns_per_output_turn
    if not math.isclose(ratio * turns, 1.0, rel_tol=SAME_RATIO):
        yield (
            f"{CONF_RATIO} is {ratio:.6g} and drive.motor_turns_per_output_turn {turns:g}, which would be "
            f"{1 / turns:.6g}: every value would be scaled wrongly; correct one of them"
        )
    low, high = motor.starts_within_rad or (0.0, 0.0)
    for name, wanted_rad, sign in ((CONF_POSITION_MIN, low, 1.0), (CONF_POSITION_MAX, high, -1.0)):
        # nan is no limit.
        if (values[name] - wanted_rad / TURN) * sign > SAME_LIMIT:
            yield (
                f"{name} is {values[name]:g} turns, which is {values[name] * TURN:.4g} rad, and position_rad asks "
                f"{wanted_rad:.4g} rad of the motor: widen it, or set it to nan"
            )
    fastest = values[CONF_MAX_VELOCITY] * TURN
    if not fastest >= motor.model.velocity_max_rad_per_s * (1.0 - SAME_LIMIT):
        yield (
            f"{CONF_MAX_VELOCITY} is {values[CONF_MAX_VELOCITY]:g} turns/s, which is {fastest:.4g} rad/s, and "
            f"drive.velocity_max_rad_per_s says {motor.model.velocity_max_rad_per_s:g}: correct one of them"
        )


def _state_problems(values: Mapping[str, float], temperature_degc: float) -> Iterator[str]:
    """What keeps it from controlling torque at all."""
    if values[CONF_FIXED_VOLTAGE] != 0.0:
        yield f"{CONF_FIXED_VOLTAGE} is on: it would turn without looking where it is; set it to 0"
    hottest_degc = values[CONF_FAULT_TEMPERATURE]
    if temperature_degc >= hottest_degc:
        yield (
            f"over temperature: {temperature_degc:g} degC, and it stops at {CONF_FAULT_TEMPERATURE} {hottest_degc:g}: "
            "let it cool down"
        )
