"""Why a period was missed: by the record of the cycles, and by who watched the cores meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.realtime.witness import Stall, stood_still_s

ENOUGH: float = 0.5
"""Of a delay has to lie in the stalls of one core that explain it; the rest is getting going again."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One or more periods in a row in which no cycle began, or one too late by half a period.

    Attributes:
        at_s: When the last cycle before had begun, monotonic.
        periods: How many.
        delay_s: How much later than due the next cycle began.
        cycle_s: How long the cycle before took.
        stalled_s: For how much of the delay a core stood still, the one where it was most.
    """

    at_s: float
    periods: int
    delay_s: float
    cycle_s: float
    stalled_s: float

    @property
    def reason(self) -> str:
        """In words."""
        if self.stalled_s >= ENOUGH * self.delay_s:
            return "a core stood still"
        return "a cycle took too long" if self.cycle_s >= ENOUGH * self.delay_s else "not explained"


def missed_periods(rows: NDArray[Any], period_s: float, stalls: Sequence[Stall]) -> list[Missed]:
    """Every gap in a record.

    Args:
        rows: Of the record, one per cycle.
        period_s: Of a cycle.
        stalls: What the cores' watchers saw.
    """
    time_s: NDArray[np.float64] = np.asarray(rows["time_s"])
    # A row holds how long the cycle before it took.
    took_s = np.append(np.asarray(rows["cycle_us"])[1:] * 1e-6, np.nan)
    found: list[Missed] = []
    for i in np.flatnonzero(np.round(np.diff(time_s) / period_s) > 1.0):
        from_s, until_s = float(time_s[i]), float(time_s[i + 1])
        gap_s = until_s - from_s
        found.append(
            Missed(
                from_s,
                round(gap_s / period_s) - 1,
                gap_s - period_s,
                float(took_s[i]),
                stood_still_s(stalls, from_s, until_s),
            )
        )
    return found


def by_reason(found: Sequence[Missed]) -> dict[str, tuple[int, int, float]]:
    """Times, periods and the longest delay in seconds, by reason."""
    reasons = sorted({missed.reason for missed in found})
    return {
        reason: (
            len(of := [missed for missed in found if missed.reason == reason]),
            sum(missed.periods for missed in of),
            max(missed.delay_s for missed in of),
        )
        for reason in reasons
    }
