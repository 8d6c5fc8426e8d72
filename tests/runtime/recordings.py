"""Recorded runs made by hand: a few guards, and what they measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from supervisor.core.levels import GuardValue
from supervisor.core.safety import SafetyConfig
from supervisor.evidence.record_reader import CycleRecord, RecordedGuard
from supervisor.evidence.row import SCHEMA
from supervisor.runtime.recorded_run import RecordedRun
from tests.safety.bench import LOADED, ROBOT

GUARDS = ("tilt", "joint_velocity", "emergency_stop", "policy_age", "loop_lag_worst")
SAFETY: SafetyConfig = replace(LOADED.safety, guards=tuple(row for row in LOADED.safety.guards if row.id in GUARDS))
LIMITS = {row.id: row.limit for row in SAFETY.guards}
VELOCITY_LIMIT = float(ROBOT.vector("velocity_rad_per_s")[0])


def make_run(
    tilt: Sequence[float],
    *,
    name: str = "first",
    motion: Sequence[bool] | None = None,
    kinds: Sequence[str] | None = None,
    limits: Mapping[str, Sequence[float]] | None = None,
    measured: Mapping[str, Sequence[float]] | None = None,
    values: Mapping[str, Sequence[int]] | None = None,
) -> RecordedRun:
    """A run of pup in which the body leaned as told; what is not told is 0, OK and in motion."""
    count = len(tilt)
    ids = [row.id for row in SAFETY.guards]
    wide = (count, len(ids))
    kind = np.dtype([
        ("guard_measured", "<f8", len(ids)), ("guard_limit", "<f8", len(ids)), ("guard_value", "<u1", len(ids)),
        ("guard_joint", "<i2", len(ids)), ("guard_tripped", "<u1", len(ids)),
    ])  # fmt: skip
    rows = np.zeros(count, kind)
    in_force = {**LIMITS, "joint_velocity": LIMITS["joint_velocity"] * VELOCITY_LIMIT}
    rows["guard_limit"] = np.broadcast_to([in_force[guard] for guard in ids], wide)
    for column, content in (
        ("guard_measured", {"tilt": tilt, **(measured or {})}),
        ("guard_limit", limits or {}),
        ("guard_value", values or {}),
    ):
        for guard, numbers in content.items():
            rows[column][:, ids.index(guard)] = numbers
    record = CycleRecord(
        SCHEMA,
        ROBOT.name,
        ROBOT.control_hz,
        ROBOT.order.names,
        tuple(RecordedGuard(row.id, row.unit, row.level.name) for row in SAFETY.guards),
        dict.fromkeys(kind.names or (), ""),
        {"GuardValue": tuple(value.name for value in GuardValue)},
        rows,
        0,
    )
    return RecordedRun(
        name, "live", "completed", "", ROBOT, SAFETY.rows_by_id(), 0.02, record,
        np.ones(count, bool) if motion is None else np.array(motion, bool),
        np.array(kinds if kinds is not None else ["rollout"] * count),
    )  # fmt: skip
