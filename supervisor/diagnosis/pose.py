"""Which single fault explains joint readings taken with the motors off.

A robot that hangs limp has a known pose. A joint that reads outside its own limits cannot be there: the readings of
all joints together, turned back by each single fault, show which fault puts every joint where it hangs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from supervisor.core.joints import Vector
from supervisor.core.robot import RobotConfig
from supervisor.core.signature import Hypothesis

OUTSIDE_RAD = 0.05
"""A joint may read this far beyond its limit: stops give, and encoders are zeroed by hand."""

_FAULT_COST = 6.0
"""What a fault must explain before it is believed, in squared standard deviations."""

_OFFSET_SIGMA_RAD = 0.4
"""Wrong zeros beyond this are rare: it is how far off a joint is put together one spline tooth or one turn wrong."""

_COST_LIMIT = 36.0
"""One joint cannot count for more than six standard deviations."""

_OUTSIDE_COST = 36.0


@dataclass(frozen=True, slots=True)
class PoseExplanation:
    """How well one hypothesis explains the readings.

    Attributes:
        hypothesis: The hypothesis.
        cost: Squared standard deviations from the hanging pose, with a price on the fault itself.
    """

    hypothesis: Hypothesis
    cost: float


def explain_pose(
    readings_rad: Vector, robot: RobotConfig, pose_rad: Vector, spread_rad: Vector
) -> tuple[PoseExplanation, ...]:
    """Rank nominal, swapped ids, flipped signs and wrong zeros by how well they explain the readings.

    Args:
        readings_rad: (n,) reported joint positions, motors off.
        robot: Limits, directions and offsets.
        pose_rad: (n,) where the joints hang.
        spread_rad: (n,) how far from there they may be.

    Returns:
        Best first; nominal is among them.
    """
    if not np.isfinite(readings_rad).all():
        return ()
    low, high = robot.position_minimum_rad - OUTSIDE_RAD, robot.position_maximum_rad + OUTSIDE_RAD

    def cost_of(true_rad: Vector) -> float:
        squared = np.minimum(((true_rad - pose_rad) / spread_rad) ** 2, _COST_LIMIT)
        return float(squared.sum() + _OUTSIDE_COST * ((true_rad < low) | (true_rad > high)).sum())

    ranked = [
        PoseExplanation(hypothesis, cost_of(true_rad) + price)
        for hypothesis, true_rad, price in _candidates(readings_rad, robot, pose_rad)
    ]
    return tuple(sorted(ranked, key=lambda explanation: explanation.cost))


def outside_limits(readings_rad: Vector, robot: RobotConfig) -> tuple[str, ...]:
    """Joints that read outside their limits, the furthest first."""
    beyond = np.maximum(robot.position_minimum_rad - readings_rad, readings_rad - robot.position_maximum_rad)
    order = np.argsort(-beyond, kind="stable")
    return tuple(robot.order.names[i] for i in order if beyond[i] > OUTSIDE_RAD)


def hanging_pose(robot: RobotConfig) -> tuple[Vector, Vector]:
    """A guess for a robot without a signature: the middle between default and rest pose, and a wide spread."""
    default, rest = robot.vector("default_rad"), robot.vector("rest_rad")
    return 0.5 * (default + rest), np.maximum(np.abs(default - rest), 0.4)


def _candidates(readings: Vector, robot: RobotConfig, pose: Vector) -> Iterator[tuple[Hypothesis, Vector, float]]:
    names, offsets = robot.order.names, robot.vector("offset_rad")
    joints = tuple(robot.joints.values())
    yield Hypothesis("nominal"), readings, 0.0
    for i, name in enumerate(names):
        turned = readings.copy()
        turned[i] = -readings[i] - 2.0 * offsets[i]
        yield Hypothesis("sign_flip", (name,)), turned, _FAULT_COST
        offset = float(readings[i] - pose[i])
        if abs(offset) > OUTSIDE_RAD:
            zeroed = readings.copy()
            zeroed[i] = pose[i]
            yield Hypothesis("encoder_offset", (name,), offset), zeroed, _FAULT_COST + (offset / _OFFSET_SIGMA_RAD) ** 2
    for a, b in itertools.combinations(range(len(names)), 2):
        swapped = readings.copy()
        for here, there in ((a, b), (b, a)):
            mine, other = joints[here], joints[there]
            scale = mine.direction * other.direction * other.gear / mine.gear
            # What `here` reports is the motor of `there`, read with the direction, gear and offset of `here`.
            swapped[there] = (readings[here] + mine.offset_rad) / scale - other.offset_rad
        yield Hypothesis("swapped_ids", (names[a], names[b])), swapped, _FAULT_COST


def imu_rotation(gravity_in_base: Vector) -> tuple[str, float, float]:
    """The quarter or half turn of the IMU that best explains a gravity reading of a robot that hangs level.

    Args:
        gravity_in_base: (3,) as measured.

    Returns:
        Axis, angle (rad), and the angle (rad) that remains unexplained. A turn about z cannot show here.
    """
    measured = gravity_in_base / max(float(np.linalg.norm(gravity_in_base)), 1e-9)
    best = ("", 0.0, math.inf)
    for axis, angle in itertools.product("xy", (math.pi / 2.0, -math.pi / 2.0, math.pi)):
        # Turned by R, the unit reports R^T g of a level g = (0, 0, -1).
        sine, cosine = math.sin(angle), math.cos(angle)
        predicted = np.array([0.0, -sine, -cosine]) if axis == "x" else np.array([sine, 0.0, -cosine])
        left = math.acos(min(max(float(predicted @ measured), -1.0), 1.0))
        if left < best[2] - 1e-9:
            best = (axis, angle, left)
    return best
