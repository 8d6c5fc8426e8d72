"""What the guardian asks of the operating system, and what it got, in words."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from typing import Final

_CURRENT_AND_FUTURE: Final = 1 | 2

LONGEST_TURN_US: Final = 100_000
"""Of processor time without a pause, before the kernel ends the guardian (SIGXCPU). It stands above the control loop,
which a spinning one would keep off a processor; its loss stops the robot. A turn of it takes microseconds."""


def take(priority: int, *, locks_memory: bool) -> list[str]:
    """Ask for everything; nothing that is refused stops the guardian.

    Args:
        priority: Under SCHED_FIFO, 0 for the normal class.
        locks_memory: Whether to keep all pages in memory.

    Returns:
        What came of each.
    """
    # It makes no rings of references, and a collection would come between a fault and its frames.
    gc.collect()
    gc.freeze()
    gc.disable()
    found: list[str] = []
    if locks_memory:
        libc = ctypes.CDLL(None, use_errno=True)
        is_locked = libc.mlockall(_CURRENT_AND_FUTURE) == 0
        found.append(f"memory: {'locked' if is_locked else os.strerror(ctypes.get_errno())}")
    if priority:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        except OSError as error:
            found.append(f"SCHED_FIFO {priority}: {error.strerror}")
        else:
            found.append(f"SCHED_FIFO {priority}: taken")
            found.append(_limit_turn())
    return found


def _limit_turn() -> str:
    """Limit its own turns, and say what came of it."""
    asked = f"ended after {LONGEST_TURN_US / 1e6:g} s without a pause"
    try:
        # Beyond the second limit it is SIGKILL, which nothing survives.
        resource.setrlimit(resource.RLIMIT_RTTIME, (LONGEST_TURN_US, 2 * LONGEST_TURN_US))
    except (OSError, ValueError) as error:
        return f"{asked}: {error}"
    return f"{asked}: limited"
