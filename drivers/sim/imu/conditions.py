"""What every simulated make of inertial unit offers, and what can be wrong with a unit whatever its make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

GYRO_NOISE_RAD_PER_S = 0.003
ACCELERATION_NOISE_M_PER_S2 = 0.03
ATTITUDE_NOISE_RAD = 0.0003
"""Standard deviation of one sample of a usual MEMS unit at some hundred samples per second."""


@dataclass(frozen=True, slots=True)
class ImuCondition:
    """What is wrong with the inertial unit.

    Attributes:
        is_frozen: It repeats its last measurement; its clock goes on.
        is_nan: It sends NaN for everything it measures.
        is_lost: It sends nothing.
        gyro_bias_rad_per_s: Added to the angular rate, in the unit's axes.
        axis, angle_rad: The unit is mounted turned by this angle about this axis of the base, beyond what the robot
            file says.
    """

    is_frozen: bool = False
    is_nan: bool = False
    is_lost: bool = False
    gyro_bias_rad_per_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axis: str = "x"
    angle_rad: float = 0.0


class Motion(NamedTuple):
    """How the base moves, at the unit.

    Attributes:
        rotation_base_in_world: (3, 3).
        angular_velocity_base_in_world_rad_per_s: (3,).
        specific_force_in_world_m_per_s2: (3,) acceleration minus gravity.
        stamp_s: When.
    """

    rotation_base_in_world: Matrix
    angular_velocity_base_in_world_rad_per_s: Matrix
    specific_force_in_world_m_per_s2: Matrix
    stamp_s: float


class SimulatedImu(Protocol):
    """One inertial unit on a serial line."""

    @property
    def period_s(self) -> float:
        """Between two packets."""
        ...

    def hear(self, data: bytes) -> bytes:
        """Take bytes from the host and answer them."""
        ...

    def measure(self, motion: Motion) -> bytes:
        """One packet; empty when the unit does not stream."""
        ...

    def set_condition(self, condition: ImuCondition) -> None:
        """Replace what is wrong with the unit."""
        ...


def turn_about(axis: str, angle_rad: float) -> Matrix:
    """(3, 3) rotation by an angle about x, y or z."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.eye(3)
    rotation[first, first] = rotation[second, second] = math.cos(angle_rad)
    rotation[second, first] = math.sin(angle_rad)
    rotation[first, second] = -rotation[second, first]
    return rotation


def rotation_of(quaternion_wxyz: tuple[float, float, float, float]) -> Matrix:
    """(3, 3) rotation of a unit quaternion."""
    w, x, y, z = quaternion_wxyz
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
            [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
            [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )


def quaternion_of(rotation: Matrix) -> tuple[float, float, float, float]:
    """Unit quaternion w, x, y, z with w >= 0 of a (3, 3) rotation.

    Source: S. W. Shepperd, Quaternion from rotation matrix, J. Guidance and Control 1(3), 1978.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    squares = (1.0 + xx + yy + zz, 1.0 + xx - yy - zz, 1.0 - xx + yy - zz, 1.0 - xx - yy + zz)
    largest = squares.index(max(squares))
    rows = (
        (squares[0], zy - yz, xz - zx, yx - xy),
        (zy - yz, squares[1], yx + xy, xz + zx),
        (xz - zx, yx + xy, squares[2], zy + yz),
        (yx - xy, xz + zx, zy + yz, squares[3]),
    )
    scale = 0.5 / math.sqrt(squares[largest])
    w, x, y, z = rows[largest]
    scale = -scale if w < 0.0 else scale
    return w * scale, x * scale, y * scale, z * scale
