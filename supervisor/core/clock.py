"""Time is an argument: everything takes `now_s` from one injected clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A monotonic clock."""

    def now_s(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...


class WallClock:
    """The machine's monotonic clock, CLOCK_MONOTONIC."""

    __slots__ = ()

    def now_s(self) -> float:
        """Seconds since boot, unaffected by clock steps."""
        return time.monotonic()


class VirtualClock:
    """A clock that moves only when told to: lockstep simulation and tests.

    Time is counted in integer nanoseconds, so that a million steps of 2 ms end exactly where they should.
    """

    __slots__ = ("_now_ns",)

    def __init__(self, start_s: float = 0.0) -> None:
        self._now_ns = round(start_s * 1e9)

    def now_s(self) -> float:
        """The virtual time."""
        return self._now_ns * 1e-9

    def advance(self, duration_s: float) -> None:
        """Move time forward.

        Raises:
            ValueError: The duration is negative or not finite.
        """
        if not 0.0 <= duration_s < float("inf"):
            raise ValueError(f"cannot advance a clock by {duration_s} s; allowed: 0 s or more")
        self._now_ns += round(duration_s * 1e9)
