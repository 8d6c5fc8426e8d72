"""How close each guard came to its limit over a run, from the record of every cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supervisor.core.errors import RecordError
from supervisor.core.levels import GuardValue
from supervisor.evidence.record_reader import CycleRecord

_ROWS_AT_ONCE = 100_000
"""Rows looked at together: some hundred megabytes of record at most, however long the run."""


@dataclass(frozen=True, slots=True)
class ClosestApproach:
    """The cycle in which a guard was closest to its limit, or furthest beyond it.

    Attributes:
        guard: The guard.
        measured, limit, unit: There; the limit is the one in force, which the stage may have tightened.
        fraction: Measured over limit: 1 is the limit.
        time_s: When.
        failing_cycles: In how many cycles the guard was not OK.
    """

    guard: str
    measured: float
    limit: float
    unit: str
    fraction: float
    time_s: float
    failing_cycles: int


def closest_approaches(record: CycleRecord) -> tuple[ClosestApproach, ...]:
    """All guards that measured something against a limit above 0, the closest to its limit first.

    Raises:
        RecordError: The record has no guard columns, or not one per guard.
    """
    count = len(record.guards)
    best, best_row = np.full(count, -np.inf), np.zeros(count, dtype=np.int64)
    failing = np.zeros(count, dtype=np.int64)
    all_measured, all_limits, all_values = (
        record.column(name) for name in ("guard_measured", "guard_limit", "guard_value")
    )
    times = record.column("time_s")
    if any(column.shape[1:] != (count,) for column in (all_measured, all_limits, all_values)) or times.ndim != 1:
        raise RecordError(f"the record's columns do not hold {count} guards")
    for start in range(0, len(record) if count else 0, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        measured, limit, value = np.array(all_measured[rows]), np.array(all_limits[rows]), np.array(all_values[rows])
        counts = np.isfinite(measured) & np.isfinite(limit) & (limit > 0.0) & (value <= GuardValue.VIOLATED)
        limit[~counts] = 1.0
        measured[~counts] = -np.inf
        fraction = measured / limit
        row = fraction.argmax(axis=0)
        peak = fraction[row, np.arange(count)]
        better = peak > best
        best_row[better] = start + row[better]
        best = np.maximum(best, peak)
        failing += (value != GuardValue.OK).sum(axis=0)
    found = [
        ClosestApproach(
            guard.id,
            float(all_measured[best_row[i], i]),
            float(all_limits[best_row[i], i]),
            guard.unit,
            float(best[i]),
            float(times[best_row[i]]),
            int(failing[i]),
        )
        for i, guard in enumerate(record.guards)
        if np.isfinite(best[i])
    ]
    return tuple(sorted(found, key=lambda approach: (-approach.fraction, approach.guard)))
