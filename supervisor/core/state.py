"""What was measured, each reading with its stamp."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from supervisor.core.joints import JointOrder, Vector
from supervisor.core.quick import quickly_made

NEVER_S = float("-inf")
"""The stamp of a reading that has never arrived: its age is infinite."""


class MotorStatus(IntEnum):
    """What a motor says of itself, the same for every make."""

    UNKNOWN = 0
    """Never heard of."""
    DISABLED = 1
    ENABLED = 2
    FAULT = 3


@quickly_made
@dataclass(frozen=True, slots=True)
class ImuReading:
    """One sample of the inertial unit, already turned into the base frame by the mounting rotation.

    Attributes:
        orientation_base_in_world_wxyz: (4,) unit quaternion.
        angular_velocity_base_in_base_rad_per_s: (3,).
        acceleration_base_in_base_m_per_s2: (3,) specific force; about (0, 0, +9.8) at rest and level.
        gravity_in_base: (3,) unit vector of gravity in the base frame; (0, 0, -1) when level.
        stamp_s: Monotonic time of arrival, NEVER_S before the first sample.
        sequence: Counts samples, so that a stalled source shows.
        unchanged: How many samples in a row were identical to the one before, bit for bit.
        warning: True when the unit itself reports saturation or an attitude that has not converged.
    """

    orientation_base_in_world_wxyz: Vector
    angular_velocity_base_in_base_rad_per_s: Vector
    acceleration_base_in_base_m_per_s2: Vector
    gravity_in_base: Vector
    stamp_s: float
    sequence: int
    unchanged: int
    warning: bool


@quickly_made
@dataclass(frozen=True, slots=True)
class BaseVelocity:
    """Linear velocity of the base from an estimator (in simulation: from the plant).

    Attributes:
        linear_velocity_base_in_base_m_per_s: (3,).
        stamp_s: Monotonic time, NEVER_S where the robot has no estimator.
    """

    linear_velocity_base_in_base_m_per_s: Vector
    stamp_s: float


@quickly_made
@dataclass(frozen=True, slots=True)
class RobotState:
    """Everything measured up to `now_s`. Arrays are read-only, one value per joint of `order`.

    Attributes:
        order: The robot's joint order.
        now_s: Monotonic time of this cycle.
        cycle: Counts control cycles from 0.
        position_rad: Joint positions, joint frame (direction, offset and gear removed).
        velocity_rad_per_s: Joint velocities.
        torque_nm: Joint torques as the motors report them.
        temperature_degc: The hotter of each motor's sensors.
        motor_stamp_s: Arrival of each motor's newest feedback, NEVER_S before the first.
        motor_status: `MotorStatus` of each motor, int64.
        fault_code: The make's own code where the status is FAULT, else 0, int64.
        imu: The newest inertial sample.
        base_velocity: The newest estimate, if the robot has an estimator.
    """

    order: JointOrder
    now_s: float
    cycle: int
    position_rad: Vector
    velocity_rad_per_s: Vector
    torque_nm: Vector
    temperature_degc: Vector
    motor_stamp_s: Vector
    motor_status: NDArray[np.int64]
    fault_code: NDArray[np.int64]
    imu: ImuReading
    base_velocity: BaseVelocity


@dataclass(frozen=True, slots=True)
class BusStatistics:
    """Counters of one bus since it was opened, and how it is now.

    Attributes:
        sent: Frames or packets written.
        received: Frames or packets accepted.
        expected: Replies that were due; `received / expected` over a window is the reply ratio.
        dropped: Received bytes or frames thrown away (checksum, length, stranger).
        errors: Failed writes and error frames.
        is_off: True when the bus no longer takes frames (bus-off, unplugged).
        foreign_commands: Frames seen that command one of our motors but were not sent by us.
    """

    sent: int = 0
    received: int = 0
    expected: int = 0
    dropped: int = 0
    errors: int = 0
    is_off: bool = False
    foreign_commands: int = 0
