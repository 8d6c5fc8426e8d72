"""Everything that goes into the files of a new robot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.sim.derive import Derived
from drivers.sim.model_facts import ModelFacts
from drivers.sim.wiring import MotorChoice, Slot


@dataclass(frozen=True, slots=True)
class RobotParts:
    """Everything that goes into the files of a new robot.

    Attributes:
        name: Name of the robot.
        source: File name of the model that it was made from.
        facts: The robot in the copied model.
        motors: One per joint.
        slots: Where each joint's motor is wired.
        default_rad: (n,) default pose.
        default_from: Where the default pose comes from.
        derived: What was tried out.
        com_height_m: Height of the centre of mass in the default pose.
        tip_rad: Tilt at which the centre of mass leaves the feet.
        imu_site: Site of the inertial unit.
        imu_rate_hz: How often it streams.
        keyframe: Keyframe of the default pose.
        make: Make of the motors.
        control_hz: Control rate.
        starts_within_rad: (n, 2) where each joint may be found, for makes that must be told; None for the others.
    """

    name: str
    source: str
    facts: ModelFacts
    motors: tuple[MotorChoice, ...]
    slots: Mapping[str, Slot]
    default_rad: NDArray[np.float64]
    default_from: str
    derived: Derived
    com_height_m: float
    tip_rad: float
    imu_site: str
    imu_rate_hz: float
    keyframe: str
    make: str
    control_hz: float
    starts_within_rad: NDArray[np.float64] | None = None
