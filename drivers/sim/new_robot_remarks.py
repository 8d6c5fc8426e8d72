"""What `handrail new` says of the make of motor that was asked for: what it lacks, and what was assumed for it."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.capabilities import Timeout
from drivers.devices import NO_TIMEOUT_PROBLEM
from drivers.registry import MOTOR_MAKES
from drivers.safety_fit import TEMPERATURE_GUARD
from drivers.sim.new_drives import REMARK
from drivers.sim.new_robot_parts import RobotParts
from drivers.sim.wiring import CONTROL_RATES_HZ


def make_remarks(parts: RobotParts) -> Iterator[str]:
    """What somebody should know who is about to use these motors."""
    make = MOTOR_MAKES[parts.make]
    if parts.control_hz < CONTROL_RATES_HZ[0]:
        yield f"control_hz is {parts.control_hz:g}: faster, a bus of {parts.make} motors carries too few of them"
    if any(motor.drive is not None for motor in parts.motors):
        yield REMARK
    slow = sum("slower" in motor.remark for motor in parts.motors)
    if slow:
        yield f"{slow} of {len(parts.motors)} joints are slower than walking may need: see velocity_rad_per_s"
    if parts.starts_within_rad is not None:
        yield (
            f"{parts.make} motors know their position only up to a part of a turn: starts_within_rad says where the "
            "limp joints hang in simulation; correct it where the real robot begins in another pose"
        )
    if make.capabilities.timeout is Timeout.NONE:
        yield f"{parts.make} {NO_TIMEOUT_PROBLEM}; until then `handrail check` refuses this robot"
    if not watches_temperature(parts):
        names = ", ".join(sorted({motor.model.name for motor in parts.motors}))
        yield f"the safety file has no guard {TEMPERATURE_GUARD}: {parts.make} {names} does not say its temperature"


def watches_temperature(parts: RobotParts) -> bool:
    """Whether every motor says its temperature, so that a guard over it can ever be OK."""
    make = MOTOR_MAKES[parts.make]
    return all(make.says_temperature(motor.model.name) for motor in parts.motors)
