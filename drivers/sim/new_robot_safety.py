"""First safety rows for a robot that nobody has run yet: thresholds from its model, each with where it came from.

The ids and units are those of the guard registry in `supervisor/safety/guards`; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from drivers.sim.new_robot_parts import RobotParts


class Row(NamedTuple):
    """One guard row; times are given in seconds and become cycles."""

    id: str
    limit: float
    unit: str
    hysteresis: float
    cycles: int
    of_cycles: int
    level: str
    clear: str
    reason: str


TEMPERATURE_LIMIT_DEGC = 80.0
"""Below the over-temperature shut-down of common joint motors (about 100 degC), which would drop the robot."""

TIP_RANGE_RAD = (0.5, 0.8)
"""Walking tilts robots by up to 0.25 rad; past 0.8 rad every legged robot is falling."""

RATE_RANGE_RAD_PER_S = (4.0, 12.0)
SAG_MARGIN = 0.1


def tip_over_rad(parts: RobotParts) -> float:
    """Tilt limit: nine tenths of the angle at which the centre of mass leaves the feet, within what is sensible."""
    low, high = TIP_RANGE_RAD
    if not parts.derived.stands_alone:
        return 0.6
    return round(max(low, min(0.9 * parts.tip_rad, high)), 2)


def fall_rate_rad_per_s(parts: RobotParts) -> float:
    """Angular rate limit: one and a half times the natural rate at which a body of this height topples."""
    low, high = RATE_RANGE_RAD_PER_S
    return round(max(low, min(1.5 * math.sqrt(9.81 / max(parts.com_height_m, 0.01)), high)), 1)


def reach_rad(parts: RobotParts) -> float:
    """Deviation at which the softest joint gives its whole torque: targets further away ask for no more."""
    deviation = np.array([motor.torque_nm for motor in parts.motors]) / parts.derived.gains.kp
    return round(float(max(1.0, min(1.5 * deviation.max(), 2.5))), 2)


def safety_rows(parts: RobotParts) -> Iterator[Row]:
    """All rows, in the order in which they are evaluated."""
    yield from _ages(parts)
    yield from _body(parts)
    yield from _joints(parts)
    yield from _policy(parts)
    yield from _computer(parts)


def _cycles(parts: RobotParts, duration_s: float) -> int:
    return max(round(duration_s * parts.control_hz), 1)


def _stop(parts: RobotParts) -> str:
    """What to do with a robot that is still in hand: sit down if it can, else give way slowly."""
    return "SETTLE" if parts.derived.rest_support == "ground" else "DAMP"


def _ages(parts: RobotParts) -> Iterator[Row]:
    period = 1.0 / parts.control_hz
    age = round(max(10.0 * period, 0.02), 4)
    yield Row(
        "emergency_stop", 0.5, "flag", 0.0, 1, 1, "CUT", "operator", "The stop input is obeyed at once, on any robot."
    )
    yield Row(
        "motor_age",
        age,
        "s",
        0.0,
        3,
        5,
        "DAMP",
        "operator",
        f"Ten control periods of {period * 1e3:g} ms: a joint moves at most "
        f"{age * max(m.velocity_rad_per_s for m in parts.motors):.2f} rad in that time.",
    )
    yield Row(
        "imu_age",
        0.03,
        "s",
        0.0,
        3,
        5,
        "DAMP",
        "operator",
        f"Seven samples at {parts.imu_rate_hz:g} Hz: the tilt is not known any more.",
    )
    yield Row(
        "motor_fault", 0.5, "flag", 0.0, 2, 3, "DAMP", "operator", "A motor that reports a fault gives no torque."
    )
    yield Row(
        "motor_disabled",
        0.5,
        "flag",
        0.0,
        10,
        15,
        "DAMP",
        "operator",
        "A motor that switched itself off carries nothing.",
    )
    yield Row(
        "motor_temperature",
        TEMPERATURE_LIMIT_DEGC,
        "degC",
        5.0,
        _cycles(parts, 0.1),
        _cycles(parts, 0.2),
        _stop(parts),
        "operator",
        f"20 degC below the usual shut-down of {', '.join(sorted({m.model.name for m in parts.motors}))}; "
        "compare with the manual.",
    )


def _body(parts: RobotParts) -> Iterator[Row]:
    tilt = tip_over_rad(parts)
    if parts.derived.stands_alone:
        why = (
            f"The centre of mass, {parts.com_height_m:.2f} m high, leaves the feet at {parts.tip_rad:.2f} rad; "
            f"nine tenths of it, kept between {TIP_RANGE_RAD[0]} and {TIP_RANGE_RAD[1]} rad."
        )
    else:
        why = "The robot balances: past 0.6 rad a step no longer catches it, and walking stays below 0.25 rad."
    yield Row("tilt", tilt, "rad", 0.05, 5, 6, "DAMP", "operator", why)
    yield Row(
        "base_angular_rate",
        fall_rate_rad_per_s(parts),
        "rad/s",
        0.5,
        10,
        12,
        "DAMP",
        "operator",
        f"1.5 times sqrt(g/h) for a centre of mass {parts.com_height_m:.2f} m high: faster than it topples.",
    )
    yield Row(
        "imu_norm",
        0.05,
        "fraction",
        0.01,
        3,
        5,
        "DAMP",
        "operator",
        "A quaternion of another length is not an attitude.",
    )
    yield Row(
        "imu_gravity",
        0.2,
        "rad",
        0.05,
        _cycles(parts, 0.3),
        _cycles(parts, 0.4),
        _stop(parts),
        "operator",
        "Attitude and accelerometer agree within 0.05 rad at rest on a sound unit; four times that.",
    )
    yield Row(
        "imu_frozen",
        max(round(0.04 * parts.imu_rate_hz), 3),
        "samples",
        0.0,
        1,
        1,
        "DAMP",
        "operator",
        f"0.04 s at {parts.imu_rate_hz:g} Hz: noise alone changes the last bits of every sample.",
    )
    yield Row(
        "imu_warning", 0.5, "flag", 0.0, 10, 15, "WARN", "automatic", "The unit doubts itself: shown, not acted on."
    )


def _joints(parts: RobotParts) -> Iterator[Row]:
    fastest = max(motor.velocity_rad_per_s for motor in parts.motors)
    yield Row(
        "joint_velocity",
        1.0,
        "fraction",
        0.05,
        5,
        6,
        "DAMP",
        "operator",
        f"The limits of the robot file, up to {fastest:.1f} rad/s: 0.9 of what the motors can report.",
    )
    yield Row(
        "joint_position",
        0.1,
        "rad",
        0.02,
        5,
        6,
        "DAMP",
        "operator",
        "The model's joint stops give way by a few hundredths of a radian under load.",
    )
    yield Row(
        "joint_torque",
        0.98,
        "fraction",
        0.05,
        _cycles(parts, 0.5),
        _cycles(parts, 0.6),
        _stop(parts),
        "operator",
        f"Standing takes up to {float(parts.derived.holding_nm.max()):.1f} N·m; half a second at the limit is a jam.",
    )
    yield Row(
        "tracking_error",
        reach_rad(parts),
        "rad",
        0.1,
        _cycles(parts, 0.2),
        _cycles(parts, 0.25),
        _stop(parts),
        "operator",
        "1.5 times the deviation at which the softest joint gives its whole torque, between 1 and 2.5 rad.",
    )
    yield Row(
        "encoder_jump",
        3.0,
        "fraction",
        0.5,
        1,
        1,
        "DAMP",
        "operator",
        "Three times the step that the velocity limit allows: no joint moves like that, an encoder does.",
    )


def _policy(parts: RobotParts) -> Iterator[Row]:
    stop = _stop(parts)
    yield Row(
        "proposal_age",
        0.1,
        "s",
        0.0,
        1,
        1,
        stop,
        "operator",
        "Five mission periods of 20 ms without a word from the mission.",
    )
    yield Row("policy_age", 3.0, "periods", 0.0, 1, 1, stop, "operator", "Two outputs missed in a row.")
    yield Row(
        "policy_deadline",
        1.5,
        "periods",
        0.0,
        _cycles(parts, 0.02),
        _cycles(parts, 0.06),
        stop,
        "operator",
        "A step that takes longer than its period comes too late; once may be a hiccup, a policy period is not.",
    )
    yield Row("action_finite", 0.5, "flag", 0.0, 1, 1, stop, "operator", "NaN or infinity is never an action.")
    yield Row(
        "action_bound", 1.0, "fraction", 0.0, 1, 1, stop, "operator", "The contract's bound is the largest sane action."
    )
    yield Row(
        "action_rate",
        1.0,
        "fraction",
        0.0,
        _cycles(parts, 0.06),
        _cycles(parts, 0.1),
        stop,
        "operator",
        "A change by the whole bound, three steps running, is an oscillation.",
    )
    yield Row(
        "action_saturated",
        0.5,
        "fraction",
        0.1,
        _cycles(parts, 0.1),
        _cycles(parts, 0.12),
        stop,
        "operator",
        "Half of all actions at their bound for a second: the policy has left what it was trained for.",
    )
    yield Row(
        "observation_range",
        1.0,
        "fraction",
        0.1,
        _cycles(parts, 0.1),
        _cycles(parts, 0.12),
        stop,
        "operator",
        "A whole width of the training range beyond it: the network extrapolates.",
    )


def _computer(parts: RobotParts) -> Iterator[Row]:
    stop = _stop(parts)
    yield Row(
        "loop_lag_mean",
        0.5,
        "periods",
        0.1,
        5,
        6,
        stop,
        "operator",
        "Half a period late in the mean: the computer is too slow.",
    )
    yield Row(
        "loop_lag_worst",
        5.0,
        "periods",
        0.5,
        1,
        1,
        stop,
        "operator",
        "Five periods without control are felt in the joints.",
    )
    yield Row("stage_timeout", 1.0, "fraction", 0.0, 1, 1, stop, "operator", "The mission's own limit for the stage.")
    yield Row("mission_timeout", 1.0, "fraction", 0.0, 1, 1, stop, "operator", "The mission's own limit for all of it.")
    yield Row("clock_step", 0.5, "s", 0.0, 1, 1, "WARN", "automatic", "Only the record's time of day suffers.")
    yield Row(
        "operator_link",
        0.5,
        "s",
        0.0,
        1,
        1,
        stop,
        "operator",
        "The deadman: a hand that lets go is noticed in half a second.",
    )
    yield Row("bus_off", 0.5, "buses", 0.0, 2, 3, "DAMP", "operator", "A bus that takes no frames: its joints go limp.")
    yield Row(
        "bus_loss",
        0.1,
        "fraction",
        0.02,
        _cycles(parts, 0.1),
        _cycles(parts, 0.12),
        stop,
        "operator",
        "A sound bus loses nothing; a tenth missing is a bad cable, before whole joints go silent.",
    )
    yield Row("bus_errors", 50.0, "frames", 5.0, 5, 6, "WARN", "automatic", "Shows a bus that is going bad.")
    yield Row("second_writer", 0.5, "frames", 0.0, 1, 1, stop, "operator", "Nobody else may command these motors.")
    yield Row("recorder", 0.5, "flag", 0.0, 5, 6, stop, "operator", "What is not recorded cannot be judged.")
    yield Row(
        "hashes", 0.5, "flag", 0.0, 1, 1, stop, "operator", "The files in use are no longer those that were checked."
    )
    yield Row(
        "guard_count", 0.5, "guards", 0.0, 1, 1, "DAMP", "operator", "A guard that is not evaluated guards nothing."
    )
