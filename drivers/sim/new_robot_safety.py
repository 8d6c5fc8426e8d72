"""First safety rows for a robot that nobody has run yet: thresholds from its model, each with where it came from.

The ids and units are those of the guard registry in `supervisor/safety/guards`; a test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from drivers.sim.new_robot_parts import RobotParts
from drivers.sim.new_robot_remarks import watches_temperature


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
"""20 degC below the over-temperature shut-down of common joint motors, which would drop the robot."""

TIP_RANGE_RAD = (0.5, 0.8)
"""Walking tilts robots by up to 0.25 rad; past 0.8 rad every legged robot is falling."""

BALANCING_TILT_RAD = 0.6
RATE_RANGE_RAD_PER_S = (4.0, 12.0)
REACH_RANGE_RAD = (1.2, 2.5)
"""Policies with soft gains lead by up to 1 rad for single cycles (a 15 kg quadruped at 20 N·m/rad, measured)."""

LOSS_SHARE = 0.15
SETTLE_SPEED_RAD_PER_S = 1.5
NEVER_CLEARED = ("hashes", "guard_count")


def tip_over_rad(parts: RobotParts) -> float:
    """Tilt limit: nine tenths of the angle at which the centre of mass leaves the feet, within what is sensible."""
    low, high = TIP_RANGE_RAD
    if not parts.derived.stands_alone:
        return BALANCING_TILT_RAD
    return round(max(low, min(0.9 * parts.tip_rad, high)), 2)


def fall_rate_rad_per_s(parts: RobotParts) -> float:
    """Angular rate limit: one and a half times the natural rate at which a body of this height topples."""
    low, high = RATE_RANGE_RAD_PER_S
    return round(max(low, min(1.5 * math.sqrt(9.81 / max(parts.com_height_m, 0.01)), high)), 1)


def reach_rad(parts: RobotParts) -> float:
    """Deviation beyond the one at which the softest joint gives its whole torque: targets further away ask no more."""
    low, high = REACH_RANGE_RAD
    deviation = np.array([motor.torque_nm for motor in parts.motors]) / parts.derived.gains.kp
    return round(float(max(low, min(1.5 * deviation.max(), high))), 2)


def settle_timeout_s(parts: RobotParts) -> float:
    """Two and a half times what the longest way to the rest pose takes."""
    rest = parts.derived.rest_rad
    way = max(max(joint.high_rad - r, r - joint.low_rad) for joint, r in zip(parts.facts.joints, rest, strict=True))
    return round(max(5.0, 2.5 * way / SETTLE_SPEED_RAD_PER_S), 1)


def safety_rows(parts: RobotParts) -> Iterator[Row]:
    """All rows, in the order in which they are evaluated: ages first, the count of guards last."""
    yield from _ages(parts)
    yield from _body(parts)
    yield from _joints(parts)
    yield from _imu(parts)
    yield from _policy(parts)
    yield from _computer(parts)
    yield from _wires(parts)


def _cycles(parts: RobotParts, duration_s: float) -> int:
    return max(round(duration_s * parts.control_hz), 1)


def _sit(parts: RobotParts) -> str:
    """For a robot that is still in hand: sit down where there is a pose to sit in, else give way slowly."""
    return "SETTLE" if parts.derived.rest_support == "ground" else "DAMP"


def _stay(parts: RobotParts) -> str:
    """For a sound robot without a mission: stand still where standing still is possible."""
    return "HOLD" if parts.derived.stands_alone else "DAMP"


def _make(
    parts: RobotParts, guard: str, limit: float, unit: str, level: str, reason: str, times: tuple[float, ...] = ()
) -> Row:
    """A row that persists for `times` (failing for so long, within so long, s; nothing for at once)."""
    cycles, of_cycles = (_cycles(parts, times[0]), _cycles(parts, times[1])) if times else (1, 1)
    hysteresis = times[2] if len(times) > 2 else 0.0
    clear = "automatic" if level == "WARN" else "never" if guard in NEVER_CLEARED else "operator"
    return Row(guard, limit, unit, hysteresis, cycles, max(cycles, of_cycles), level, clear, reason)


def _ages(parts: RobotParts) -> Iterator[Row]:
    age = round(max(10.0 / parts.control_hz, 0.02), 4)
    moved = age * max(motor.velocity_rad_per_s for motor in parts.motors)
    why = "A pressed or unreadable stop input is obeyed in the same cycle, on any robot."
    yield _make(parts, "emergency_stop", 0.5, "flag", "CUT", why)
    why = (
        f"Ten replies missed in a row at {parts.control_hz:g} Hz; the fastest joint moves {moved:.2f} rad in that time."
    )
    yield _make(parts, "motor_age", age, "s", "DAMP", why)
    why = f"Ten samples of {parts.imu_rate_hz:g} Hz missed in a row: the tilt is not known any more."
    yield _make(parts, "imu_age", 10.0 / parts.imu_rate_hz, "s", _sit(parts), why)
    why = "A motor in fault has switched itself off; twice, because a status carries no checksum of its own."
    yield _make(parts, "motor_fault", 0.5, "flag", "DAMP", why, (0.004, 0.006))
    why = "Longer than the reply that was on its way when the motors were switched on."
    yield _make(parts, "motor_disabled", 0.5, "flag", "DAMP", why, (0.01, 0.012))
    if not watches_temperature(parts):
        return
    models = ", ".join(sorted({motor.model.name for motor in parts.motors}))
    why = f"20 degC below the usual shut-down at 100 degC; compare with the manuals of {models}."
    yield _make(parts, "motor_temperature", TEMPERATURE_LIMIT_DEGC, "degC", _sit(parts), why, (0.1, 0.12, 5.0))


def _body(parts: RobotParts) -> Iterator[Row]:
    height = parts.com_height_m
    if parts.derived.stands_alone:
        why = (
            f"The centre of mass, {height:.2f} m high, leaves the feet at {parts.tip_rad:.2f} rad; nine tenths of it, "
            f"kept between {TIP_RANGE_RAD[0]} and {TIP_RANGE_RAD[1]} rad."
        )
    else:
        why = "The robot balances: past 0.6 rad no step catches it any more, and walking stays below 0.25 rad."
    yield _make(parts, "tilt", tip_over_rad(parts), "rad", "DAMP", why, (0.01, 0.012, 0.1))
    why = f"1.5 times sqrt(g/h) with the centre of mass {height:.2f} m high: faster than the robot topples by itself."
    yield _make(parts, "base_angular_rate", fall_rate_rad_per_s(parts), "rad/s", "DAMP", why, (0.02, 0.024, 0.5))


def _joints(parts: RobotParts) -> Iterator[Row]:
    fastest = max(motor.velocity_rad_per_s for motor in parts.motors)
    why = f"The limits of the robot file, up to {fastest:.1f} rad/s; the motors can report a tenth more."
    yield _make(parts, "joint_velocity", 1.0, "fraction", "DAMP", why, (0.01, 0.012, 0.1))
    why = "The model's joint stops give by a few hundredths of a radian, and a zero may be off by as much."
    yield _make(parts, "joint_position", 0.1, "rad", "DAMP", why, (0.02, 0.024, 0.02))
    most = float(parts.derived.holding_nm.max())
    why = f"Standing takes up to {most:.1f} N·m; who gives all it has for half a second is blocked or overloaded."
    yield _make(parts, "joint_torque", 0.98, "fraction", _sit(parts), why, (0.5, 0.6, 0.05))
    low, high = REACH_RANGE_RAD
    why = f"1.5 times the deviation at which the softest joint gives its whole torque, {low:g} to {high:g} rad at most."
    yield _make(parts, "tracking_error", reach_rad(parts), "rad", _sit(parts), why, (0.2, 0.24, 0.1))
    slowest = min(motor.velocity_rad_per_s for motor in parts.motors) / parts.control_hz
    why = (
        f"Three times what the velocity limits allow between two replies, {3.0 * slowest:.2f} rad on the slowest joint."
    )
    yield _make(parts, "encoder_jump", 3.0, "fraction", "DAMP", why)


def _imu(parts: RobotParts) -> Iterator[Row]:
    why = "Single precision keeps unit length to 1e-6; 2 % is garbage that a checksum let through."
    yield _make(parts, "imu_norm", 0.02, "fraction", _sit(parts), why, (0.01, 0.012, 0.005))
    why = "At rest attitude and accelerometer agree within 0.05 rad; 20 degrees for half a second have diverged."
    yield _make(parts, "imu_gravity", 0.35, "rad", _sit(parts), why, (0.5, 0.6, 0.05))
    why = f"0.1 s at {parts.imu_rate_hz:g} Hz: noise alone changes the last bits of every sample."
    yield _make(parts, "imu_frozen", max(round(0.1 * parts.imu_rate_hz), 3), "samples", _sit(parts), why)
    why = "The unit also warns while it converges after power-up; its attitude is judged by the guards above."
    yield _make(parts, "imu_warning", 0.5, "flag", "WARN", why, (0.1, 0.12))


def _policy(parts: RobotParts) -> Iterator[Row]:
    stay = _stay(parts)
    why = "Three and a half mission periods of 20 ms: the mission is silent, the robot is sound."
    yield _make(parts, "proposal_age", 0.07, "s", stay, why)
    yield _make(
        parts, "policy_age", 3.5, "periods", stay, "As for proposals; one late output is bridged by the last one."
    )
    why = "Three of five steps late at 50 Hz: this computer cannot run the policy."
    yield _make(parts, "policy_deadline", 1.0, "periods", stay, why, (0.05, 0.1))
    yield _make(
        parts, "action_finite", 0.5, "flag", stay, "There is no harmless NaN; the last valid target stays in force."
    )
    why = "The bound of the contract; anything above it is another policy or a broken one."
    yield _make(parts, "action_bound", 1.05, "fraction", stay, why)
    why = "One and a half times the bound from step to step, in three of five steps: no trained policy moves like that."
    yield _make(parts, "action_rate", 1.5, "fraction", stay, why, (0.05, 0.1))
    why = "Half of all actions at their bound over a second: the policy is told something wrong."
    yield _make(parts, "action_saturated", 0.5, "fraction", stay, why, (0.1, 0.12, 0.05))
    why = "A whole width of the training range beyond it, in half of the steps of 0.2 s."
    yield _make(parts, "observation_range", 1.0, "fraction", stay, why, (0.1, 0.2, 0.1))


def _computer(parts: RobotParts) -> Iterator[Row]:
    sit = _sit(parts)
    why = "A loop that begins half a period late in the mean does not run at its rate."
    yield _make(parts, "loop_lag_mean", 0.5, "periods", sit, why, (0.1, 0.12, 0.1))
    why = "Shown; what follows from it is judged by the ages."
    yield _make(parts, "loop_lag_worst", 10.0, "periods", "WARN", why)
    why = "The mission ends its stages before their limit; if it did not, it is stuck."
    yield _make(parts, "stage_timeout", 1.0, "fraction", sit, why)
    yield _make(parts, "mission_timeout", 1.0, "fraction", sit, "As for the stage.")
    why = "Control runs on the monotonic clock; only the record's dates suffer."
    yield _make(parts, "clock_step", 0.5, "s", "WARN", why)
    yield _make(parts, "operator_link", 0.5, "s", _stay(parts), "Five signs of life of 10 Hz missed.")
    # Looked for every ten cycles; three looks may be missed where that is slow.
    why = "Without a guardian nobody would stop the motors if the control process died: rest while it lives."
    yield _make(parts, "guardian", max(0.1, 31.0 / parts.control_hz), "s", sit, why)


def _wires(parts: RobotParts) -> Iterator[Row]:
    sit = _sit(parts)
    why = "Joints that take no commands hold their last target until their own timeout: the others must not walk on."
    yield _make(parts, "bus_off", 0.5, "buses", "DAMP", why)
    why = "A wired bus of a robot's length loses nothing; 15 % for 0.2 s is a cable about to lose all."
    yield _make(parts, "bus_loss", LOSS_SHARE, "fraction", sit, why, (0.2, 0.24, 0.05))
    wired = [slot.bus for slot in parts.slots.values()]
    frames = LOSS_SHARE * min(wired.count(bus) for bus in wired) * parts.control_hz
    why = f"{LOSS_SHARE:.0%} of the frames of a second on the bus with the fewest motors, as for lost replies."
    yield _make(parts, "bus_errors", round(frames), "frames", sit, why, (0.02, 0.024, round(frames / 4.0)))
    yield _make(
        parts, "second_writer", 0.5, "frames", "DAMP", "Somebody else commands our motors: one frame is one too many."
    )
    why = "A run without a record proves nothing, and a full disk does not get better by walking on."
    yield _make(parts, "recorder", 0.5, "flag", sit, why, (0.05, 0.06))
    yield _make(parts, "hashes", 0.5, "flag", sit, "What runs is no longer what was checked.")
    yield _make(parts, "guard_count", 0.5, "guards", sit, "A guard that is declared and not evaluated guards nothing.")
