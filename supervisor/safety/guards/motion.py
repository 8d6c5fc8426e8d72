"""Guards about the body: how it stands and how fast it turns."""

from __future__ import annotations

import math

from supervisor.safety.guards.kinds import Sample
from supervisor.safety.inputs import GuardInputs


def tilt(inputs: GuardInputs) -> Sample:
    """Angle between the body's up axis and the vertical, rad."""
    x, y, z = inputs.newest().imu.gravity_in_base.tolist()
    # atan2 is exact near 0 and near pi, where acos of a slightly long vector would be NaN.
    return math.atan2(math.hypot(x, y), -z), 1.0, -1


def base_angular_rate(inputs: GuardInputs) -> Sample:
    """Magnitude of the body's angular velocity, rad/s."""
    x, y, z = inputs.newest().imu.angular_velocity_base_in_base_rad_per_s.tolist()
    return math.sqrt(x * x + y * y + z * z), 1.0, -1
