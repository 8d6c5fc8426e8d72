"""How often a guard must fail before it trips."""

from __future__ import annotations

from supervisor.core.guard import Persistence

_FILL = 4
"""A failed cycle adds four units and a good one takes one away: the budget drains a quarter as fast as it fills."""


class TripBudget:
    """N failed cycles of the last M trip, and so do N cycles' worth of failures however they are spread.

    The second rule is for faults that toggle: a window alone is blind to a fault that keeps just below N of M.
    A trip ends only when the window is clean and the budget has drained.
    """

    __slots__ = ("_bits", "_full", "_level", "_mask", "_needed", "_tripped")

    def __init__(self, persistence: Persistence) -> None:
        self._needed = persistence.cycles
        self._mask = (1 << persistence.of_cycles) - 1
        self._full = _FILL * persistence.cycles
        self._bits = 0
        self._level = 0
        self._tripped = False

    @property
    def is_empty(self) -> bool:
        """True when no failure is remembered."""
        return self._bits == 0 and self._level == 0

    def update(self, failed: bool) -> bool:
        """Count one cycle.

        Args:
            failed: Whether the guard was not OK.

        Returns:
            Whether the guard is tripped.
        """
        if failed:
            self._bits = (self._bits << 1 | 1) & self._mask
            self._level = min(self._level + _FILL, self._full)
        else:
            self._bits = self._bits << 1 & self._mask
            self._level = max(self._level - 1, 0)
        if self._level >= self._full or self._bits.bit_count() >= self._needed:
            self._tripped = True
        elif self.is_empty:
            self._tripped = False
        return self._tripped
