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
    """One or more periods in a row in which no cycle began, as the loop itself counts them.

    Attributes:
        at_s: When the last cycle before had begun, monotonic.
        periods: How many.
        delay_s: How much later than a period after that the next cycle began.
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


def periods_of(time_s: NDArray[np.float64], period_s: float) -> NDArray[np.int64]:
    """In which period each cycle began, counted from the first one's.

    The loop keeps one beat however late it was, and no cycle begins before its beat: the beat is where the earliest
    cycles begin. A cycle that begins in the period of the next one, and the next one in it too, was late and is not
    missed.

    Args:
        time_s: (n,) when cycles began.
        period_s: Of the beat.
    """
    since_s = time_s - time_s[0]
    # Nearly all begin at nearly the same part of a period; those before it by up to a quarter were on time to it.
    turn = np.exp(2j * np.pi * since_s / period_s)
    usual = np.angle(np.median(turn.real) + 1j * np.median(turn.imag)) / (2.0 * np.pi)
    part = (since_s / period_s - usual + 0.5) % 1.0 - 0.5
    beat = usual + part[part > -0.25].min()
    begun = np.floor(since_s / period_s - beat + 1e-6).astype(np.int64)
    count = np.arange(len(begun))
    periods = np.minimum.accumulate((begun - count)[::-1])[::-1] + count
    return periods - periods[0]


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
    passed = np.diff(periods_of(time_s, period_s))
    for i in np.flatnonzero(passed > 1):
        from_s, until_s = float(time_s[i]), float(time_s[i + 1])
        gap_s = until_s - from_s
        found.append(
            Missed(
                from_s,
                int(passed[i]) - 1,
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
