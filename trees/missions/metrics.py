"""What a stage can be judged by: the names of measured quantities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from supervisor.core.report import METRIC_NAMES

METRICS: Final = frozenset(METRIC_NAMES)
"""Measured on every robot."""

_LINEAR: Final = ("vx", "vy", "vz")
"""How the names of linear velocity commands begin: only an estimator measures these."""

_TRACKED: Final = re.compile(r"([a-z][a-z0-9_]*)_(error_max|mean)")

_TRACKING: Final = re.compile(r"[a-z][a-z0-9_]*_(error_max|mean|margin_fraction_min)")
"""Tracking of a commanded quantity, named after the policy's command: `vx_m_per_s_error_max`; a guard's margin."""


def is_known_metric(name: str) -> bool:
    """Whether a criterion may use this name."""
    return name in METRICS or _TRACKING.fullmatch(name) is not None


def is_tracking(name: str) -> bool:
    """Whether a metric says how a commanded quantity was followed."""
    return name not in METRICS and _TRACKED.fullmatch(name) is not None


def unmeasurable(name: str, command_names: Sequence[str], *, has_estimator: bool) -> str:
    """Why a criterion on tracking cannot be judged on this robot with this policy; "" where it can.

    Args:
        name: The metric.
        command_names: What the policy takes.
        has_estimator: Whether the robot knows its linear velocity.
    """
    match = _TRACKED.fullmatch(name)
    if match is None or not is_tracking(name):
        return ""
    command = match.group(1)
    if command not in command_names:
        return f"{name} is not judged: the policy takes no {command}"
    if command.startswith(_LINEAR) and not has_estimator:
        return f"{name} is not judged: the robot has no estimator of its velocity"
    return ""
