"""What every inertial unit measures, in its own axes and SI, and how it is turned into the base frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from supervisor.core.state import ImuReading

DEGREE_RAD: Final = math.pi / 180.0
NAN3: Final = (math.nan,) * 3
NAN4: Final = (math.nan, math.nan, math.nan, math.nan)

Quaternion = tuple[float, float, float, float]


class Measurement(NamedTuple):
    """One sample in the unit's own axes; NaN for what it does not send.

    Attributes:
        acceleration_m_per_s2: (3,) specific force.
        angular_velocity_rad_per_s: (3,).
        orientation_imu_in_world_wxyz: (4,), world with z up; of any length above 0.
        status: The unit's own status bits, 0 where it has none.
        is_doubtful: True when the unit reports saturation or an attitude that has not converged.
    """

    acceleration_m_per_s2: Sequence[float]
    angular_velocity_rad_per_s: Sequence[float]
    orientation_imu_in_world_wxyz: Sequence[float]
    status: int = 0
    is_doubtful: bool = False


NO_MEASUREMENT: Final = Measurement(NAN3, NAN3, NAN4)


def quaternion_of_angles(roll_rad: float, pitch_rad: float, yaw_rad: float) -> Quaternion:
    """Unit quaternion w, x, y, z of a turn by yaw about z, then pitch about the new y, then roll about the new x.

    Angles that are not finite become NaN.
    """
    if not math.isfinite(roll_rad + pitch_rad + yaw_rad):
        return NAN4
    cr, sr = math.cos(0.5 * roll_rad), math.sin(0.5 * roll_rad)
    cp, sp = math.cos(0.5 * pitch_rad), math.sin(0.5 * pitch_rad)
    cy, sy = math.cos(0.5 * yaw_rad), math.sin(0.5 * yaw_rad)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def turned_up(quaternion_wxyz: Sequence[float]) -> Quaternion:
    """An attitude in a north-east-down world as one in a north-west-up world: half a turn about north."""
    w, x, y, z = quaternion_wxyz
    return -x, w, -z, y


class Mounting:
    """Turns measurements from a unit's axes into the base frame.

    Args:
        orientation_imu_in_base_wxyz: (4,) the unit's axes as seen from the base; of any length above 0.
    """

    def __init__(self, orientation_imu_in_base_wxyz: Sequence[float]) -> None:
        w, x, y, z = orientation_imu_in_base_wxyz
        norm = math.sqrt(w * w + x * x + y * y + z * z)
        w, x, y, z = w / norm, x / norm, y / norm, z / norm
        self._quaternion = (w, x, y, z)
        self._rotation = (
            (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        )

    def reading(self, measured: Measurement, stamp_s: float, sequence: int, unchanged: int) -> ImuReading:
        """A reading in the base frame.

        Plain numbers, because they are faster than arrays this small, and turn infinity times zero into NaN without
        a warning. NaN stays NaN, and a zero quaternion becomes NaN.
        """
        w, x, y, z = measured.orientation_imu_in_world_wxyz
        norm = math.sqrt(w * w + x * x + y * y + z * z)
        scale = 1.0 / norm if norm > 0.0 else math.nan
        w, x, y, z = w * scale, x * scale, y * scale, z * scale
        # base in world = imu in world * base in imu, and base in imu is the conjugate of imu in base.
        a, b, c, d = self._quaternion
        w, x, y, z = (
            w * a + x * b + y * c + z * d,
            x * a - w * b - y * d + z * c,
            y * a - w * c + x * d - z * b,
            z * a - w * d - x * c + y * b,
        )
        ax, ay, az = measured.acceleration_m_per_s2
        gx, gy, gz = measured.angular_velocity_rad_per_s
        (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = self._rotation
        values = np.array(
            (
                *(w, x, y, z),
                *(xx * gx + xy * gy + xz * gz, yx * gx + yy * gy + yz * gz, zx * gx + zy * gy + zz * gz),
                *(xx * ax + xy * ay + xz * az, yx * ax + yy * ay + yz * az, zx * ax + zy * ay + zz * az),
                *(2.0 * (w * y - x * z), -2.0 * (y * z + w * x), 2.0 * (x * x + y * y) - 1.0),
            )
        )
        values.setflags(write=False)
        # In the order of its fields, because naming them takes twice as long.
        return ImuReading(
            values[0:4],
            values[4:7],
            values[7:10],
            values[10:13],
            stamp_s,
            sequence,
            unchanged,
            measured.is_doubtful,
        )
