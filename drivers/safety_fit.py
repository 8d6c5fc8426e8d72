"""Whether a robot's motors can do what its safety file asks: else a guard is never OK, or a stop never arrives."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

from drivers.registry import MOTOR_MAKES, motor_model
from supervisor.core.robot import JointConfig, RobotConfig

TEMPERATURE_GUARD: Final = "motor_temperature"
"""The guard that needs every motor's temperature."""


def temperature_problems(robot: RobotConfig, guards: Collection[str]) -> list[str]:
    """Motors whose temperature a safety file wants to watch, and which do not say it: that guard is never OK.

    Args:
        robot: The robot.
        guards: Ids of the rows of its safety file.
    """
    if TEMPERATURE_GUARD not in guards:
        return []
    motors = {name: joint.motor for name, joint in robot.joints.items()}
    return [
        f"joint {name}: {motor.make} {motor.model} does not say its temperature, so the guard {TEMPERATURE_GUARD} "
        "would never be OK and the robot never armed: name a model that does, or take that row out of the safety file"
        for name, motor in motors.items()
        if (make := MOTOR_MAKES.get(motor.make)) is not None and not make.says_temperature(motor.model)
    ]


def age_problems(robot: RobotConfig, limit_s: float) -> list[str]:
    """Buses whose motors are asked so seldom that a limit on the age of their feedback is never kept.

    Args:
        robot: The robot.
        limit_s: Of its safety file.
    """
    problems: list[str] = []
    for name in robot.buses:
        makes = [joint.motor.make for joint in robot.joints.values() if joint.motor.bus == name]
        known = [make for make in makes if make in MOTOR_MAKES]
        ages_s = [MOTOR_MAKES[make].cost.feedback_age_s(len(known), robot.control_hz) for make in known]
        age_s = max(ages_s, default=0.0)
        if age_s > limit_s + 1e-9:
            problems.append(
                f"bus {name}: {len(known)} motors of {known[0]} at {robot.control_hz:g} Hz are heard of every "
                f"{age_s:.3g} s, and the guard motor_age allows {limit_s:g} s: raise its limit in the safety file "
                f"above {age_s:.3g} s, lower the number of motors on this bus, or raise control_hz"
            )
    return problems


def damping_problems(robot: RobotConfig, damping_nm_s_per_rad: float) -> list[str]:
    """Motors that cannot be told as much damping as DAMP asks: a command that does not fit is not sent at all.

    Args:
        robot: The robot; joints whose motor is unknown are left out.
        damping_nm_s_per_rad: What DAMP asks of every joint.
    """
    limits: dict[str, float] = {}
    for name, joint in robot.joints.items():
        maximum = damping_maximum(joint)
        if maximum is not None and damping_nm_s_per_rad / joint.gear**2 > maximum:
            limits[name] = maximum * joint.gear**2
    if not limits:
        return []
    names = ", ".join(
        f"{name} {limit:.4g} ({robot.joints[name].motor.model}, gear {robot.joints[name].gear:g})"
        for name, limit in limits.items()
    )
    lowest = math.floor(min(limits.values()) * 1e3) / 1e3
    asked = f"profile.damp_kd_nm_s_per_rad asks {damping_nm_s_per_rad:g} N·m·s/rad"
    remedy = f"lower it in the safety file to {lowest:g}, or use motors that damp more"
    return [f"{asked}, and DAMP would not reach motors that can be told less: {names}: {remedy}"]


def damping_maximum(joint: JointConfig) -> float | None:
    """Largest damping that a joint's motor can be told, motor frame; None where the motor is unknown."""
    make = MOTOR_MAKES.get(joint.motor.make)
    if make is None or joint.motor.model not in make.models or joint.gear <= 0.0:
        return None
    return motor_model(joint.motor).kd_max_nm_s_per_rad
