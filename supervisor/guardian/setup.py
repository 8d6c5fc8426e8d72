"""What the guardian is told when it is started. Plain values: it loads nothing to understand them."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.core.stop_frames import StopFrames


@dataclass(frozen=True, slots=True)
class GuardianSetup:
    """What the guardian is to do.

    Attributes:
        socket: Descriptor of its end of the socket, inherited.
        key: Of the tokens.
        window_s: Longest silence while motors may be on.
        period_s: Of a control cycle.
        guard_levels: Level of each declared guard, in the order of the board.
        damp_s: How long DAMP lasts before CUT.
        stops: What stops the motors.
        latches: Files that keep what it found. The first is looked at when it starts; it outlives the run.
        priority: Under SCHED_FIFO; 0 for the normal class.
        locks_memory: Whether to keep all its pages in memory.
    """

    socket: int
    key: bytes
    window_s: float
    period_s: float
    guard_levels: tuple[int, ...]
    damp_s: float
    stops: StopFrames
    latches: tuple[str, ...]
    priority: int = 0
    locks_memory: bool = True
