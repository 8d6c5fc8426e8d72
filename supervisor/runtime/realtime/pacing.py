"""Absolute-time pacing: cycles begin at multiples of the period, and a cycle that was missed is counted, never made up.

Python's own sleep is relative: the time between the look at the clock and the system call is added to every period.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Callable
from typing import Final

from supervisor.evidence.timing import DurationHistogram

NS_PER_S: Final = 1_000_000_000
_TIMER_ABSTIME: Final = 1

WINDOW_S: Final = 1.0
"""Mean and worst lateness are over about so long."""


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


def _sleeper() -> Callable[[int], None]:
    """Sleeps until a time of CLOCK_MONOTONIC, nanoseconds."""
    libc = ctypes.CDLL(None, use_errno=True)
    nanosleep = libc.clock_nanosleep
    nanosleep.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    nanosleep.restype = ctypes.c_int
    wanted = _Timespec()
    where = ctypes.addressof(wanted)
    clock = time.CLOCK_MONOTONIC

    def sleep_until(time_ns: int) -> None:
        wanted.tv_sec, wanted.tv_nsec = divmod(time_ns, NS_PER_S)
        while True:
            result = nanosleep(clock, _TIMER_ABSTIME, where, None)
            if result == 0:
                return
            if result != errno.EINTR:
                raise OSError(result, os.strerror(result))

    return sleep_until


class Pacer:
    """Begins a cycle at every multiple of the period.

    Args:
        period_s: Of a cycle.
        clock_ns: CLOCK_MONOTONIC.
        sleep_until: Sleeps until a time of that clock.

    Attributes:
        lateness: How late the cycles began.
        missed: Periods in which no cycle began because the one before took too long, or the machine stood still.
        lag_mean_s, lag_worst_s: How late cycles began, over the last second.
    """

    __slots__ = (
        "_clock_ns",
        "_due_ns",
        "_period_ns",
        "_sleep_until",
        "_sum_ns",
        "_taken",
        "_window",
        "_worst_ns",
        "lag_mean_s",
        "lag_worst_s",
        "lateness",
        "missed",
    )

    def __init__(
        self,
        period_s: float,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        sleep_until: Callable[[int], None] | None = None,
    ) -> None:
        self._period_ns = round(period_s * NS_PER_S)
        self._clock_ns = clock_ns
        self._sleep_until = sleep_until or _sleeper()
        self._due_ns = clock_ns()
        self._window = max(round(WINDOW_S / period_s), 1)
        self._taken = self._sum_ns = self._worst_ns = 0
        self.lateness = DurationHistogram()
        self.missed = 0
        self.lag_mean_s = self.lag_worst_s = 0.0

    def wait(self) -> float:
        """Wait for the next cycle.

        Returns:
            When it began, seconds of CLOCK_MONOTONIC.
        """
        due_ns = self._due_ns + self._period_ns
        now_ns = self._clock_ns()
        if now_ns >= due_ns + self._period_ns:
            # Whole periods have gone by: they are lost, and the next cycle keeps the old beat.
            lost = (now_ns - due_ns) // self._period_ns
            self.missed += lost
            due_ns += lost * self._period_ns
        if now_ns < due_ns:
            self._sleep_until(due_ns)
            now_ns = self._clock_ns()
        self._due_ns = due_ns
        self._note(now_ns - due_ns)
        return now_ns / NS_PER_S

    def _note(self, late_ns: int) -> None:
        self.lateness.add(late_ns / NS_PER_S)
        self._sum_ns += late_ns
        self._taken += 1
        if late_ns > self._worst_ns:
            self._worst_ns = late_ns
            # A long delay is known at once, and not at the end of the window.
            self.lag_worst_s = max(self.lag_worst_s, late_ns / NS_PER_S)
        if self._taken >= self._window:
            self.lag_mean_s = self._sum_ns / self._taken / NS_PER_S
            self.lag_worst_s = self._worst_ns / NS_PER_S
            self._taken = self._sum_ns = self._worst_ns = 0
