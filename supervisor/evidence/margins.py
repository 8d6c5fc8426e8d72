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
        measured, limit, unit: There, and as the safety file had it; a stage may have used a tighter limit.
        time_s: When.
        failing_cycles: In how many cycles the guard was not OK.
    """

    guard: str
    measured: float
    limit: float
    unit: str
    time_s: float
    failing_cycles: int

    @property
    def fraction(self) -> float:
        """Measured over limit: 1 is the limit. NaN for guards whose limit is 0."""
        return self.measured / self.limit if self.limit > 0.0 else float("nan")


def closest_approaches(record: CycleRecord) -> tuple[ClosestApproach, ...]:
    """All guards that measured something, the closest to its limit first.

    Raises:
        RecordError: The record has no guard columns, or not one per guard.
    """
    count = len(record.guards)
    best = np.full(count, -np.inf)
    when = np.full(count, np.nan)
    failing = np.zeros(count, dtype=np.int64)
    columns = tuple(record.column(name) for name in ("guard_measured", "guard_value", "time_s"))
    if any(column.shape[1:] != (count,) for column in columns[:2]) or columns[2].ndim != 1:
        raise RecordError(f"the record's columns do not hold {count} guards")
    for start in range(0, len(record), _ROWS_AT_ONCE):
        measured, value, time_s = (np.asarray(column[start : start + _ROWS_AT_ONCE]) for column in columns)
        counts = np.isfinite(measured) & (value <= GuardValue.VIOLATED)
        candidates = np.where(counts, measured, -np.inf)
        row = candidates.argmax(axis=0)
        peak = candidates[row, np.arange(count)]
        better = peak > best
        when[better] = time_s[row[better]]
        best = np.maximum(best, peak)
        failing += (value != GuardValue.OK).sum(axis=0)
    found = [
        ClosestApproach(guard.id, float(best[i]), guard.limit, guard.unit, float(when[i]), int(failing[i]))
        for i, guard in enumerate(record.guards)
        if np.isfinite(best[i])
    ]
    return tuple(sorted(found, key=lambda approach: (-np.nan_to_num(approach.fraction, nan=-1.0), approach.guard)))
