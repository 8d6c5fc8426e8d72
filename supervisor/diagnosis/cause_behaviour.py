"""Causes in what the policy and the body do: bad outputs, wrong gains, pushes and falls, lost time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from supervisor.core.exchange import GateCounts
from supervisor.diagnosis.evidence import Evidence, Finding, finding, stop_numbers, weight_of

_POLICY_STAGES = frozenset({"small_amplitude", "ramp", "rollout"})


def behaviour(evidence: Evidence) -> Iterator[Finding]:
    """Everything that the policy's health and the body's motion say."""
    yield from _policy(evidence)
    yield from _gains(evidence)
    yield from _joints(evidence)
    yield from _body(evidence)
    yield from _time(evidence)


def _policy(evidence: Evidence) -> Iterator[Finding]:
    health = evidence.policy
    criterion = evidence.failed("policy_finite_fraction")
    weight = weight_of(evidence, ("action_finite",), 98.0, 70.0) or (92.0 if criterion else 0.0)
    if weight:
        yield finding(
            weight,
            "an observation or output of the policy is not a number",
            "policy output is not finite",
            "look at the recorded observation: a NaN in it comes from a sensor; without one the policy file is broken",
            **stop_numbers(evidence),
        )
    period = health.period_s or math.nan
    criterion = evidence.failed("policy_period_fraction_max")
    weight = weight_of(evidence, ("policy_deadline", "policy_age"), 94.0, 65.0) or (88.0 if criterion else 0.0)
    if weight and not (evidence.guard == "policy_age" and evidence.failed("policy_finite_fraction")):
        share = criterion.value if criterion else health.elapsed_s / period
        yield finding(
            weight,
            f"a policy step takes {1e3 * health.elapsed_s:.1f} ms of {1e3 * period:.1f} ms",
            "inference is too slow",
            "use a faster computer or a smaller policy; give the mission process its own core; check for throttling",
            share_of_period=share,
            **stop_numbers(evidence),
        )
    yield from _observation(evidence)
    criterion = evidence.failed("saturated_fraction_max")
    weight = weight_of(evidence, ("action_saturated", "action_bound", "action_rate"), 85.0, 30.0) or (
        72.0 if criterion else 0.0
    )
    if weight:
        yield finding(
            weight,
            f"{100.0 * health.saturated_fraction:.0f} % of the actions are at their bound",
            "action is saturated: the policy fights something it cannot win",
            "check observation order, scales and default pose against the contract, then the gains; keep the bound",
            saturated_fraction=health.saturated_fraction,
            action_peak=health.action_peak,
            **stop_numbers(evidence),
        )


def _observation(evidence: Evidence) -> Iterator[Finding]:
    health, criterion = evidence.policy, evidence.failed("observation_excess_max")
    weight = weight_of(evidence, ("observation_range",), 86.0, 35.0) or (76.0 if criterion else 0.0)
    if not weight:
        return
    index = health.observation_index
    known = 0 <= index < len(evidence.observation_names)
    name = evidence.observation_names[index] if known else f"value {index}" if index >= 0 else "a value"
    joints = tuple(joint for joint in evidence.robot.order if joint in name)
    excess = criterion.value if criterion else health.observation_excess
    yield finding(
        weight,
        f"{name} is {100.0 * excess:.0f} % of its training range outside it",
        f"observation is outside the training range: {name}",
        "check unit, frame, sign and scale of this value in the contract; if they are right, the robot is where the "
        "policy was never trained",
        joints,
        observation=name,
        excess=excess,
        **stop_numbers(evidence),
    )


def _gains(evidence: Evidence) -> Iterator[Finding]:
    criterion = evidence.failed("oscillation_rad")
    if criterion is not None:
        joint = evidence.oscillating_joint
        frequency = next((r.metrics.get("oscillation_hz", math.nan) for r in reversed(evidence.stages)), math.nan)
        gains = evidence.robot.joints.get(joint)
        yield finding(
            80.0,
            f"{joint or 'a joint'} swings by {criterion.value:.3f} rad at {frequency:.1f} Hz while it should hold",
            "gains are wrong: too stiff or too little damped for this joint, its load or the delay",
            f"compare kp and kd with those of training{_gain_words(gains)}; halve kp; check gear and rate",
            (joint,) if joint else (),
            oscillation_rad=criterion.value,
            oscillation_hz=frequency,
        )
    drift = evidence.failed("drift_rad_per_s")
    if drift is not None:
        yield finding(
            62.0,
            f"a joint drifts by {drift.value:.3f} rad/s while it should hold",
            "default pose or a zero is wrong, a joint is weak, or what holds the robot moves",
            "check the default pose of the contract against the robot file, and what carries the robot",
            drift_rad_per_s=drift.value,
        )


def _gain_words(gains: object) -> str:
    kp, kd = getattr(gains, "kp_nm_per_rad", None), getattr(gains, "kd_nm_s_per_rad", None)
    return f" (the robot file has {kp:g} N·m/rad and {kd:g} N·m·s/rad)" if kp is not None else ""


_JOINT_CAUSES = {
    "joint_velocity": (
        "over-speed of {joint}",
        "look for a slipping gear, a broken encoder or a policy outside its training; lower speed_fraction",
        75.0,
    ),
    "encoder_jump": (
        "encoder of {joint} jumped: it moved further in one cycle than it can",
        "check the encoder's cable and magnet of {joint}; zero it again before arming",
        95.0,
    ),
    "joint_torque": (
        "torque of {joint} at its limit: blocked, too heavy a load, or fighting another joint",
        "check that {joint} moves freely, then its zero and direction",
        70.0,
    ),
    "tracking_error": (
        "{joint} does not follow: blocked, weak, or its gains are too low",
        "move {joint} by hand; check its supply; compare its gains with those of training",
        70.0,
    ),
    "joint_position": (
        "{joint} beyond its limit",
        "check the limits, zero and direction of {joint} in the robot file",
        56.0,
    ),
}


def _joints(evidence: Evidence) -> Iterator[Finding]:
    stop = evidence.stop
    if stop is not None and stop.guard in _JOINT_CAUSES:
        cause, remedy, weight = _JOINT_CAUSES[stop.guard]
        joint = stop.joints[0] if stop.joints else "a joint"
        yield finding(
            weight,
            f"{stop.guard} of {joint}: {stop.measured:.3g} {stop.unit}, allowed {stop.limit:.3g} {stop.unit}",
            cause.format(joint=joint),
            remedy.format(joint=joint),
            stop.joints,
            **stop_numbers(evidence),
        )
    criterion = evidence.failed("pose_error_max_rad") or evidence.failed("move_error_max_rad")
    state = evidence.state
    if criterion is not None and state is not None:
        error = np.abs(state.position_rad - evidence.robot.vector("default_rad"))
        worst = evidence.robot.order.names[int(np.nanargmax(error))]
        moved = criterion.metric == "move_error_max_rad"
        joints = () if moved else (worst,)
        yield finding(
            57.0,
            f"{'a joint' if moved else worst} is {criterion.value:.3f} rad from where it was told to be",
            f"{'a joint' if moved else worst} does not reach its target: blocked, weak, or held by another fault",
            "move it by hand with the motors off; check its supply, limits and gains",
            joints,
            error_rad=criterion.value,
        )


def _body(evidence: Evidence) -> Iterator[Finding]:
    weight = weight_of(evidence, ("tilt", "base_angular_rate"), 72.0, 25.0)
    if not weight and (evidence.failed("tilt_max_rad") or evidence.failed("base_rate_max_rad_per_s")):
        weight = 54.0
    if not weight:
        return
    state = evidence.state
    gravity = state.imu.gravity_in_base if state is not None else np.array([0.0, 0.0, math.nan])
    tilt = math.atan2(math.hypot(gravity[0], gravity[1]), -gravity[2])
    towards = _direction(float(gravity[0]), float(gravity[1]))
    in_policy = evidence.stage in _POLICY_STAGES
    yield finding(
        weight if in_policy else min(weight, 55.0),
        f"the body is tilted by {tilt:.2f} rad{towards}",
        f"push or fall{towards}: the body left the range it can hold"
        if in_policy
        else "the robot tipped on its support",
        "look at what touched the robot and at the floor; if nothing did, the policy lost balance: go back to the last "
        "accepted stage"
        if in_policy
        else "check how the gantry holds it; if it hangs level, look at the wiring findings",
        tilt_rad=tilt,
        **stop_numbers(evidence),
    )


def _direction(gravity_x: float, gravity_y: float) -> str:
    """Where a tilted body leans: gravity in its frame points to the lower side."""
    if math.hypot(gravity_x, gravity_y) < 0.1:
        return ""
    if abs(gravity_x) >= abs(gravity_y):
        return " forward" if gravity_x > 0.0 else " backward"
    return " to the left" if gravity_y > 0.0 else " to the right"


_TIME_CAUSES = {
    "stage_timeout": ("stage took longer than it may", "see why it waited: the last events name what was missing"),
    "mission_timeout": ("mission took longer than it may", "see which stage took long, or allow more time"),
    "proposal_age": ("mission process stopped proposing: stalled, overloaded or dead", "look at its log and load"),
    "loop_lag_mean": ("control loop is late on average: the computer is too slow or busy", "free a core for it"),
    "loop_lag_worst": ("control loop stalled once", "look for a real-time priority it lacks, swap or a busy disk"),
    "clock_step": ("clock stepped", "stop what sets the monotonic clock; suspend and resume do it too"),
    "operator_link": ("operator link was lost", "check the operator's connection; hold the deadman switch"),
    "guardian": ("guardian process died, stood still or has stopped the robot", "see what it said, and its load"),
    "emergency_stop": ("emergency stop was pressed, or its input cannot be read", "release it when it is safe"),
    "recorder": ("recorder cannot write", "free disk space; check the folder's rights"),
    "hashes": ("files changed since arming", "arm again; every level above must be passed again"),
    "guard_count": ("guards are missing from the board", "this is a fault in the program: report it"),
    "bus_errors": ("bus reports errors", "check cable, termination and bit rate"),
    "second_writer": ("a second program commands our motors", "stop it: two writers fight over one robot"),
}


def _time(evidence: Evidence) -> Iterator[Finding]:
    stop = evidence.stop
    if stop is not None and stop.guard in _TIME_CAUSES:
        cause, remedy = _TIME_CAUSES[stop.guard]
        stage = f" in {stop.stage}" if stop.stage else ""
        yield finding(
            78.0,
            f"guard {stop.guard}{stage}: {stop.measured:.3g} {stop.unit}, allowed {stop.limit:.3g} {stop.unit}",
            cause,
            remedy,
            stop.joints,
            **stop_numbers(evidence),
        )
    counts = evidence.snapshot.gate if evidence.snapshot else GateCounts()
    clamped = evidence.failed("gate_clamped_fraction")
    if clamped is not None:
        kinds = {kind: getattr(counts, kind) for kind in ("position", "velocity", "torque", "rate")}
        most = max(kinds, key=lambda kind: kinds[kind])
        yield finding(
            64.0,
            f"{100.0 * clamped.value:.0f} % of the commands had to be clamped, most by the {most} limit",
            "the policy asks for more than the robot may do",
            "compare action scale, default pose and gains with the contract",
            clamped_fraction=clamped.value,
        )
