"""The simulated gantry: a soft suspension of the trunk that can be lowered, slackened and hoisted again.

Three regimes:

- *sprung*: a spring and damper in all six degrees of freedom around a height that moves at bounded speed. Hanging
  still is this regime at the hanging height.
- *counterweight*: a constant upward force, a weak hold of the heading and of the place. It is reached from above: while
  the height sinks the feet meet the floor and the spring's force falls; when it has fallen to the counterweight, the
  spring is let go. The force is continuous, whatever the pose of the legs.
- *slack*: nothing; the counterweight fades out over `SLACKEN_S`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from supervisor.core.levels import Support
from supervisor.core.robot import GantryConfig

LIFT_STIFFNESS_PER_S2 = 80.0
"""Per kilogram: a robot on this spring bobs at 1.4 Hz, softly enough for its legs to move the trunk."""

DAMPING_RATIO = 0.7
"""Comes to rest in about one swing."""

SIDE_STIFFNESS_PER_S2 = 6.0
"""Per kilogram, lowered: keeps a stepping robot in place, with a tenth of its weight at 0.15 m."""

FOLLOW_S = 0.4
"""A lowered gantry rolls after a walking robot with this time constant."""

HEAVE_DAMPING_PER_S = 3.0
"""Per kilogram, lowered: the counterweight's own friction."""

YAW_FRACTION = 0.32
"""Stiffness about the vertical while hanging, relative to the tilt stiffness: the ropes stand close together."""

SPEED_M_PER_S = 0.2
ACCELERATION_M_PER_S2 = 0.5
SLACKEN_S = 1.0
RELEASE_S = 0.5
"""How long the stiffness takes from hanging to lowered, once the feet carry."""

Wrench = tuple[float, float, float, float, float, float]
NO_WRENCH: Wrench = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def _approach(value: float, target: float, step: float) -> float:
    return min(value + step, target) if value < target else max(value - step, target)


class Gantry:
    """Force and torque of the suspension on the trunk, step by step.

    Args:
        config: Height, weight share and stiffness.
        mass_kg: Of the whole robot.
        gravity_m_per_s2: Positive.
        inertia_kg_m2: Of the whole robot about a horizontal axis through the trunk; for the damping.
        place: Where it hangs: x, y (m) and heading (rad).
    """

    def __init__(
        self,
        config: GantryConfig,
        mass_kg: float,
        gravity_m_per_s2: float,
        inertia_kg_m2: float,
        place: tuple[float, float, float],
    ) -> None:
        self.config = config
        self.weight_n = mass_kg * gravity_m_per_s2
        self._mass_kg = mass_kg
        self._inertia_kg_m2 = inertia_kg_m2
        self._lift_stiffness = LIFT_STIFFNESS_PER_S2 * mass_kg
        self._lift_damping = 2.0 * DAMPING_RATIO * math.sqrt(LIFT_STIFFNESS_PER_S2) * mass_kg
        self._floor_n = config.lowered_weight_fraction * self.weight_n
        self._x_m, self._y_m, self._yaw_rad = place
        self._height_m = config.hang_height_m
        self._sink_m_per_s = 0.0
        self._is_sprung = True
        self._tightness = 1.0
        """1 as configured, 0 slack."""
        self._blend = 1.0
        """1 hanging stiffness, 0 lowered stiffness."""
        self._gains_of = (math.nan, math.nan)
        self._gains = (0.0,) * 6
        self._lift_n = self.weight_n
        self.support = Support.GANTRY
        self.is_reached = True

    def set_support(self, support: Support) -> None:
        """Begin to hang up, lower or let go; `is_reached` tells when it is done."""
        if support is not self.support:
            self.support = support
            self.is_reached = False

    @property
    def is_slack(self) -> bool:
        """Whether it does nothing: the robot stands on its own."""
        return self._tightness == 0.0 and self.support is Support.GROUND

    @property
    def lift_n(self) -> float:
        """Upward force in the last step, N."""
        return self._lift_n

    def wrench(self, duration_s: float, pose: Sequence[float], velocity: Sequence[float]) -> Wrench:
        """Force and torque on the trunk for one physics step.

        Args:
            duration_s: Of the step.
            pose: Trunk position in the world (m) and orientation w, x, y, z.
            velocity: Trunk velocity: linear in the world (m/s), angular in the trunk's own frame (rad/s).

        Returns:
            Force (N) and torque (N·m), both in the world frame.
        """
        if self.is_slack:
            self._lift_n = 0.0
            return NO_WRENCH
        x, y, z, qw, qx, qy, qz = pose
        vx, vy, vz, wx, wy, wz = velocity
        xx, xy, xz = 1.0 - 2.0 * (qy * qy + qz * qz), 2.0 * (qx * qy - qw * qz), 2.0 * (qx * qz + qw * qy)
        yx, yy, yz = 2.0 * (qx * qy + qw * qz), 1.0 - 2.0 * (qx * qx + qz * qz), 2.0 * (qy * qz - qw * qx)
        zx, zy, zz = 2.0 * (qx * qz - qw * qy), 2.0 * (qy * qz + qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
        yaw = math.atan2(yx, xx)
        self._lift_n = lift = self._heave(duration_s, x, y, z, vz, yaw)
        if (self._blend, self._tightness) != self._gains_of:
            self._learn_gains()
        side_k, side_d, tilt_k, tilt_d, yaw_k, yaw_d = self._gains
        ex, ey, turn, anchor_vx, anchor_vy, anchor_wz = self._follow(duration_s, x, y, yaw)
        return (
            -side_k * ex - side_d * (vx - anchor_vx),
            -side_k * ey - side_d * (vy - anchor_vy),
            lift,
            # The trunk's up axis (xz, yz, zz) is turned back to the vertical: up x e_z.
            tilt_k * yz - tilt_d * (xx * wx + xy * wy + xz * wz),
            -tilt_k * xz - tilt_d * (yx * wx + yy * wy + yz * wz),
            -yaw_k * turn - yaw_d * (zx * wx + zy * wy + zz * wz - anchor_wz),
        )

    def _learn_gains(self) -> None:
        """Stiffness and damping sideways, in tilt and about the vertical; they change only between two regimes."""
        blend, tight = self._gains_of = self._blend, self._tightness
        hang, low = self.config.tilt_stiffness_nm_per_rad, self.config.lowered_tilt_stiffness_nm_per_rad
        tilt_k = (low + blend * (hang - low)) * tight
        yaw_k = (low + blend * (YAW_FRACTION * hang - low)) * tight
        side_k = (SIDE_STIFFNESS_PER_S2 + blend * (LIFT_STIFFNESS_PER_S2 - SIDE_STIFFNESS_PER_S2)) * self._mass_kg
        self._gains = (
            side_k * tight,
            2.0 * DAMPING_RATIO * math.sqrt(side_k * self._mass_kg) * tight,
            tilt_k,
            2.0 * DAMPING_RATIO * math.sqrt(tilt_k * self._inertia_kg_m2),
            yaw_k,
            2.0 * DAMPING_RATIO * math.sqrt(yaw_k * self._inertia_kg_m2),
        )

    def _heave(self, duration_s: float, x: float, y: float, z: float, vz: float, yaw: float) -> float:
        """Move the height one step on, change the regime where due, and give the upward force."""
        if self.support is Support.GANTRY:
            if not self._is_sprung:
                # The spring takes over at the force that acts now, and the place is where the robot is now.
                self._is_sprung, self._sink_m_per_s = True, 0.0
                self._height_m = z - (self.weight_n - self._lift_n) / self._lift_stiffness
                self._x_m, self._y_m, self._yaw_rad = x, y, yaw
            self._tightness = _approach(self._tightness, 1.0, duration_s / SLACKEN_S)
            self._blend = _approach(self._blend, 1.0, duration_s / SLACKEN_S)
            distance = self.config.hang_height_m - self._height_m
            limit = math.sqrt(2.0 * ACCELERATION_M_PER_S2 * abs(distance))
            wanted = -math.copysign(min(SPEED_M_PER_S, limit, abs(distance) / duration_s), distance)
            self._sink_m_per_s = _approach(self._sink_m_per_s, wanted, ACCELERATION_M_PER_S2 * duration_s)
            if abs(distance) < 1e-4:
                self._height_m, self._sink_m_per_s = self.config.hang_height_m, 0.0
                self.is_reached = self.is_reached or (abs(z - self._height_m) < 0.05 and abs(vz) < 0.02)
        elif self._is_sprung:
            self._sink_m_per_s = _approach(self._sink_m_per_s, SPEED_M_PER_S, ACCELERATION_M_PER_S2 * duration_s)
        if self._is_sprung:
            self._height_m -= self._sink_m_per_s * duration_s
            lift = self.weight_n + self._lift_stiffness * (self._height_m - z)
            lift -= self._lift_damping * (vz + self._sink_m_per_s)
            if self.support is Support.GANTRY or lift > self._floor_n:
                return max(lift, 0.0)
            self._is_sprung = False
            self._x_m, self._y_m, self._yaw_rad = x, y, yaw
        return self._counterweight(duration_s, vz)

    def _counterweight(self, duration_s: float, vz: float) -> float:
        """The constant upward force, faded in or out."""
        self._blend = _approach(self._blend, 0.0, duration_s / RELEASE_S)
        wanted = 0.0 if self.support is Support.GROUND else 1.0
        self._tightness = _approach(self._tightness, wanted, duration_s / SLACKEN_S)
        is_settled = self._blend == 0.0 and self._tightness == wanted
        self.is_reached = self.is_reached or (is_settled and (wanted == 0.0 or abs(vz) < 0.05))
        lift = self._floor_n - HEAVE_DAMPING_PER_S * self._mass_kg * vz
        return max(lift, 0.0) * self._tightness

    def _follow(
        self, duration_s: float, x: float, y: float, yaw: float
    ) -> tuple[float, float, float, float, float, float]:
        """Distance from the place (x, y, heading), and how fast the place moves; lowered, it follows the robot."""
        ex, ey = x - self._x_m, y - self._y_m
        turn = math.remainder(yaw - self._yaw_rad, math.tau)
        if self._is_sprung:
            return ex, ey, turn, 0.0, 0.0, 0.0
        vx, vy, wz = ex / FOLLOW_S, ey / FOLLOW_S, turn / FOLLOW_S
        self._x_m += vx * duration_s
        self._y_m += vy * duration_s
        self._yaw_rad += wz * duration_s
        return ex, ey, turn, vx, vy, wz
