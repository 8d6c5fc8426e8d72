"""Guards about the inertial unit: is it there, alive and plausible."""

from __future__ import annotations

import math

from supervisor.safety.guards.kinds import NOTHING, Sample
from supervisor.safety.inputs import GuardInputs

STANDARD_GRAVITY_M_PER_S2 = 9.80665

REST_ACCELERATION_M_PER_S2 = 0.5
"""The accelerometer is taken as a second opinion on gravity while its norm is this close to gravity's: beyond, the
body is accelerated and the direction means nothing."""

REST_RATE_RAD_PER_S = 0.3
"""… and while the body turns slower than this."""


def imu_age(inputs: GuardInputs) -> Sample:
    """Age of the newest inertial sample, s; infinite before the first, and positive for a stamp from the future."""
    return abs(inputs.now_s - inputs.newest().imu.stamp_s), 1.0, -1


def imu_norm(inputs: GuardInputs) -> Sample:
    """How far the orientation quaternion or the gravity vector is from unit length, fraction."""
    imu = inputs.newest().imu
    w, x, y, z = imu.orientation_base_in_world_wxyz.tolist()
    gx, gy, gz = imu.gravity_in_base.tolist()
    quaternion = abs(math.sqrt(w * w + x * x + y * y + z * z) - 1.0)
    gravity = abs(math.sqrt(gx * gx + gy * gy + gz * gz) - 1.0)
    # Not max(): that would pick either operand when one is NaN.
    return quaternion if quaternion >= gravity or quaternion != quaternion else gravity, 1.0, -1


def imu_gravity(inputs: GuardInputs) -> Sample:
    """Angle between gravity by the attitude and gravity by the accelerometer, rad; only while the body is at rest."""
    imu = inputs.newest().imu
    ax, ay, az = imu.acceleration_base_in_base_m_per_s2.tolist()
    acceleration = math.sqrt(ax * ax + ay * ay + az * az)
    if abs(acceleration - STANDARD_GRAVITY_M_PER_S2) > REST_ACCELERATION_M_PER_S2:
        return NOTHING
    wx, wy, wz = imu.angular_velocity_base_in_base_rad_per_s.tolist()
    if wx * wx + wy * wy + wz * wz > REST_RATE_RAD_PER_S * REST_RATE_RAD_PER_S:
        return NOTHING
    gx, gy, gz = imu.gravity_in_base.tolist()
    # Gravity points down, the specific force at rest up: equal when gravity = -acceleration.
    cross = math.hypot(ay * gz - az * gy, az * gx - ax * gz, ax * gy - ay * gx)
    return math.atan2(cross, -(ax * gx + ay * gy + az * gz)), 1.0, -1


def imu_frozen(inputs: GuardInputs) -> Sample:
    """How many samples in a row were identical bit for bit."""
    return float(inputs.newest().imu.unchanged), 1.0, -1


def imu_warning(inputs: GuardInputs) -> Sample:
    """1 when the unit itself reports saturation or an attitude that has not converged."""
    return 1.0 if inputs.newest().imu.warning else 0.0, 1.0, -1
