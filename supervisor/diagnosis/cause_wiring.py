"""Causes in how the robot is put together: swapped ids, flipped directions, wrong zeros, weak motors, a turned IMU."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from supervisor.core.joints import Vector
from supervisor.core.signature import Hypothesis
from supervisor.diagnosis.evidence import Evidence, Finding, finding
from supervisor.diagnosis.pose import explain_pose, hanging_pose, imu_rotation, outside_limits

ALTERNATIVES = 3
"""Hypotheses reported besides the best, as long as they fit nearly as well."""

_NEARLY_AS_WELL = 1.25
_UNEXPLAINED_RAD = 0.35
_POSE_LEAD = 9.0
"""Squared standard deviations by which a fault must explain the hanging pose better than a healthy robot does."""

MECHANICAL_GUARDS = ("joint_position", "tracking_error", "joint_torque", "joint_velocity", "tilt", "base_angular_rate")
SIGNATURE_METRICS = ("signature_distance", "signature_margin")
_BEFORE_MOTION = frozenset({"", "preflight", "observe"})
_EARLY = frozenset({"", "preflight", "observe", "stand", "zero_action", "single_joint"})


def wiring(evidence: Evidence) -> Iterator[Finding]:
    """Everything that readings and answers say about the wiring."""
    yield from _turned_imu(evidence)
    yield from _from_pose(evidence)
    yield from _from_answers(evidence)


def describe(hypothesis: Hypothesis, evidence: Evidence) -> tuple[str, str]:
    """Cause and remedy of a hypothesis, in words."""
    joints = " and ".join(hypothesis.joints)
    if hypothesis.kind == "swapped_ids":
        return (
            f"motor ids of {joints} are swapped",
            f"exchange the ids (or the plugs) of the motors of {joints}, or their `motor` lines in the robot file",
        )
    if hypothesis.kind == "sign_flip":
        direction = -evidence.robot.joints[hypothesis.joints[0]].direction
        return (
            f"direction of {joints} is flipped",
            f"set joints.{joints}.direction to {direction} in the robot file, then check its offset_rad",
        )
    if hypothesis.kind == "encoder_offset":
        offset = evidence.robot.joints[hypothesis.joints[0]].offset_rad + hypothesis.parameter
        return (
            f"zero of {joints} is wrong: it reads about {hypothesis.parameter:+.2f} rad from where it is",
            f"zero the encoder of {joints} in its reference pose, or set joints.{joints}.offset_rad to {offset:.3f}",
        )
    if hypothesis.kind == "motor_weak":
        return (
            f"motor of {joints} is weak: about {100.0 * hypothesis.parameter:.0f} % of the torque it reports arrives",
            f"check the supply, phase wires, gearbox and torque constant of the motor of {joints}",
        )
    if hypothesis.kind == "imu_rotated":
        turned = _mounting(evidence, hypothesis.axis, hypothesis.parameter)
        return (
            f"IMU is mounted turned by {math.degrees(hypothesis.parameter):+.0f}° about {hypothesis.axis}",
            f"mount the IMU as the robot file says, or set imu.orientation_imu_in_base_wxyz to {turned}",
        )
    return "nothing known", "compare the robot with its model: masses, loads, cables, friction"


def _from_answers(evidence: Evidence) -> Iterator[Finding]:
    """The answers to single-joint moves, held against every hypothesis."""
    ranked = evidence.explanation
    healthy = next((e.distance for e in ranked if e.hypothesis.kind == "nominal"), math.nan)
    if not ranked or not _answers_matter(evidence, healthy):
        return
    faults = [e for e in ranked if e.hypothesis.kind != "nominal"]
    symptom = f"the robot's answers are {healthy:.1f} times as far from its signature as a healthy robot's may be"
    if not faults or faults[0].cost >= healthy:
        yield finding(
            58.0,
            symptom,
            "no single fault explains the answers: load, friction, support or more than one fault",
            "check what hangs on the robot and how it is held, then each joint by hand; make the signature again "
            "after a change of the model",
            signature_distance=healthy,
        )
        return
    best = faults[0].distance
    # Alternatives of the same joints say nothing new: an offset of another size, the same motor a little stronger.
    seen: set[tuple[str, frozenset[str], str]] = set()
    others = [e for e in faults[1:] if _identity(e.hypothesis) != _identity(faults[0].hypothesis)]
    lead = others[0].distance / max(best, 1e-6) if others else math.inf
    for explanation in faults[: 4 * ALTERNATIVES]:
        key = _identity(explanation.hypothesis)
        if key in seen or len(seen) > ALTERNATIVES or explanation.distance > max(_NEARLY_AS_WELL * best, best + 0.1):
            continue
        seen.add(key)
        suspected = replace(explanation.hypothesis, parameter=explanation.parameter)
        cause, remedy = describe(suspected, evidence)
        yield finding(
            84.0 - 8.0 * (len(seen) - 1),
            symptom,
            cause,
            remedy,
            explanation.hypothesis.joints,
            signature_distance=healthy,
            distance_with_this_fault=explanation.distance,
            lead_over_next=lead if math.isfinite(lead) else "no other",
            parameter=explanation.parameter,
        )


def _answers_matter(evidence: Evidence, healthy: float) -> bool:
    """Whether the answers are news: they were judged and failed, or the robot got into trouble while giving them."""
    if any(evidence.failed(metric) for metric in SIGNATURE_METRICS):
        return True
    if not healthy > 1.0:
        return False
    return evidence.guard in MECHANICAL_GUARDS or any(report.outcome == "failed" for report in evidence.stages)


def _identity(hypothesis: Hypothesis) -> tuple[str, frozenset[str], str]:
    return hypothesis.kind, frozenset(hypothesis.joints), hypothesis.axis


def _from_pose(evidence: Evidence) -> Iterator[Finding]:
    """Joint readings of the limp robot that no healthy robot gives."""
    readings = _limp_readings(evidence)
    if readings is None:
        return
    outside = outside_limits(readings, evidence.robot)
    if not outside:
        return
    signature = evidence.signature
    if signature is not None:
        pose, spread = signature.passive_pose_rad, signature.passive_spread_rad
    else:
        pose, spread = hanging_pose(evidence.robot)
    ranked = explain_pose(readings, evidence.robot, pose, spread)
    healthy = next((e.cost for e in ranked if e.hypothesis.kind == "nominal"), math.inf)
    order = evidence.robot.order
    worst = order.index(outside[0])
    low, high = evidence.robot.joints[outside[0]].position_rad
    symptom = (
        f"{', '.join(outside)} read outside the joint limits with the motors off "
        f"({outside[0]}: {readings[worst]:+.2f} rad, limits {low:+.2f} to {high:+.2f})"
    )
    best = ranked[0].cost if ranked else math.inf
    for rank, explanation in enumerate(ranked[:ALTERNATIVES]):
        hypothesis = explanation.hypothesis
        if hypothesis.kind == "nominal" or healthy - explanation.cost < _POSE_LEAD or explanation.cost - best > 8.0:
            continue
        cause, remedy = describe(hypothesis, evidence)
        yield finding(
            88.0 - 6.0 * rank,
            symptom,
            cause,
            remedy,
            hypothesis.joints,
            cost_with_this_fault=explanation.cost,
            cost_of_a_healthy_robot=healthy,
            reading_rad=float(readings[order.index(hypothesis.joints[0])]),
        )
    yield finding(
        50.0,
        symptom,
        f"zero, direction or limits of {outside[0]} in the robot file are wrong",
        f"move {outside[0]} by hand to its reference pose and compare its reading with the robot file",
        outside,
        reading_rad=float(readings[worst]),
        lowest_rad=low,
        highest_rad=high,
    )


def _limp_readings(evidence: Evidence) -> Vector | None:
    """Readings taken with the motors off, if the run ended where they matter."""
    if evidence.stage not in _EARLY:
        return None
    if evidence.passive_pose_rad is not None:
        return evidence.passive_pose_rad
    state = evidence.state
    return state.position_rad if state is not None and evidence.stage in _BEFORE_MOTION else None


def _turned_imu(evidence: Evidence) -> Iterator[Finding]:
    """Gravity that a hanging robot cannot have."""
    state = evidence.state
    gravity = evidence.passive_gravity
    if gravity is None and state is not None and evidence.stage in _BEFORE_MOTION:
        gravity = state.imu.gravity_in_base
    if gravity is None or evidence.stage not in _EARLY or not np.isfinite(gravity).all():
        return
    tilt = math.atan2(math.hypot(gravity[0], gravity[1]), -gravity[2])
    if tilt < math.pi / 4.0:
        return
    axis, angle, left = imu_rotation(gravity)
    symptom = f"the hanging robot is level, its IMU says it is tilted by {math.degrees(tilt):.0f}°"
    numbers = {"tilt_rad": tilt, "gravity_x": float(gravity[0]), "gravity_y": float(gravity[1])}
    numbers["gravity_z"] = float(gravity[2])
    if left > _UNEXPLAINED_RAD:
        yield finding(
            70.0,
            symptom,
            "IMU is mounted at an odd angle, or the robot does not hang level",
            "level the robot; if it is level, measure the IMU's mounting and correct imu.orientation_imu_in_base_wxyz",
            **numbers,
        )
        return
    cause, remedy = describe(Hypothesis("imu_rotated", (), angle, axis), evidence)
    if abs(angle) > 3.0:
        cause += " (or y: upside down looks the same while it hangs)"
    yield finding(89.0, symptom, cause, remedy, unexplained_rad=left, **numbers)


def _mounting(evidence: Evidence, axis: str, angle_rad: float) -> str:
    """The mounting quaternion that would make a turned IMU right."""
    w, x, y, z = evidence.robot.imu.orientation_imu_in_base_wxyz
    c, s = math.cos(angle_rad / 2.0), math.sin(angle_rad / 2.0)
    a, b, d = (s if axis == name else 0.0 for name in "xyz")
    turned = (
        c * w - a * x - b * y - d * z,
        c * x + a * w + b * z - d * y,
        c * y + b * w + d * x - a * z,
        c * z + d * w + a * y - b * x,
    )
    return "[" + ", ".join(f"{value:.4f}" for value in turned) + "]"
