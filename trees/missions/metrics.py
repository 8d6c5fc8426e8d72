"""What a stage can be judged by: the names of measured quantities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

METRICS: Final = frozenset(
    {
        "duration_s",
        "guard_margin_fraction_min",
        "signature_coverage",
        "move_crosstalk_max_rad",
        "move_error_max_rad",
        "drill_passed",
        "tilt_max_rad",
        "tilt_mean_rad",
        "base_rate_max_rad_per_s",
        "joint_speed_max_rad_per_s",
        "torque_max_fraction",
        "torque_mean_fraction",
        "tracking_error_max_rad",
        "tracking_error_rms_rad",
        "temperature_max_degc",
        "drift_rad_per_s",
        "oscillation_rad",
        "oscillation_hz",
        "reply_ratio_min",
        "imu_age_max_s",
        "motor_age_max_s",
        "observation_excess_max",
        "action_peak_max",
        "saturated_fraction_max",
        "policy_period_fraction_max",
        "policy_finite_fraction",
        "gate_clamped_fraction",
        "pose_error_max_rad",
        "signature_distance",
        "signature_margin",
        "devices_ok_fraction",
        "drill_off_after_s",
        "guards_ok_fraction",
    }
)
"""Measured on every robot."""

_LINEAR: Final = ("vx", "vy", "vz")
"""How the names of linear velocity commands begin: only an estimator measures these."""

_TRACKED: Final = re.compile(r"([a-z][a-z0-9_]*)_(error_max|mean)")

_TRACKING: Final = re.compile(r"[a-z][a-z0-9_]*_(error_max|mean|margin_fraction_min)")
"""Tracking of a commanded quantity, named after the policy's command: `vx_m_per_s_error_max`; a guard's margin."""


def is_known_metric(name: str) -> bool:
    """Whether a criterion may use this name."""
    return name in METRICS or _TRACKING.fullmatch(name) is not None


def unmeasurable(name: str, command_names: Sequence[str], *, has_estimator: bool) -> str:
    """Why a criterion on tracking cannot be judged on this robot with this policy; "" where it can.

    Args:
        name: The metric.
        command_names: What the policy takes.
        has_estimator: Whether the robot knows its linear velocity.
    """
    match = _TRACKED.fullmatch(name)
    if match is None or name in METRICS:
        return ""
    command = match.group(1)
    if command not in command_names:
        return f"{name} is not judged: the policy takes no {command}"
    if command.startswith(_LINEAR) and not has_estimator:
        return f"{name} is not judged: the robot has no estimator of its velocity"
    return ""
