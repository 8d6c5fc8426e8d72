"""What outlives a process: the latch, the counted trips and the arming state, and what the next process makes of them.

A restart is not a reset. What is kept is pessimistic: before the motors may be switched on, CHECKING is on the disk,
and only a robot that is off again in order takes it back. So a process, or a whole computer, that ends under power is
found stopped, whatever was or was not written in its last moments.

That is why no command ever waits for a disk. A synchronised write takes 2 ms in the median, 7 ms at the 99th
percentile and 40 ms at most on a sound but busy disk, more on a memory card; a control cycle is 2 ms long. The stop is
on the disk before the motors are on. What is written when it happens is its cause: into memory that outlives the
control process, in the cycle of the stop and before its command, and from there to the disk by another process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from supervisor.core.exchange import Stop
from supervisor.core.levels import ArmingState, Level
from supervisor.safety.severity import REPEAT_WINDOW_S, REPEATS_TO_TERMINAL, Severity

STATE_FILE = "state_file"
"""Cause of the stop when what was kept cannot be read, or not be believed."""

UNFINISHED = "unfinished_run"
"""Cause of the stop when the process before ended while motors may have been on."""

Trips = Mapping[str, Sequence[float]]
"""When each cause tripped, by the run's clock, oldest first."""

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives a process. Times are those of the run's clock.

    Attributes:
        arming: State of arming; DISARMED as well when a planned stop has come to its end.
        stop: The latched stop.
        trips: The counted trips.
    """

    arming: ArmingState
    stop: Stop | None = None
    trips: Trips = field(default_factory=dict[str, Sequence[float]])


@dataclass(frozen=True, slots=True)
class Found:
    """What a new process finds.

    Attributes:
        kept: What the one before left; the newest that can be read where there is a problem; None before the first.
        problem: Why it cannot be believed; empty when it can.
        now_s: The run's clock.
        notes: What a person should know about it.
    """

    kept: Kept | None
    problem: str = ""
    now_s: float = 0.0
    notes: tuple[str, ...] = ()


class LatchMemory(Protocol):
    """Where it is kept. Nothing here raises, and `store` waits for no disk while motors are on."""

    def load(self) -> Found:
        """What the process before left."""
        ...

    def store(self, kept: Kept) -> None:
        """Keep this from now on. Called before the command of the same cycle goes out."""
        ...

    @property
    def is_kept(self) -> bool:
        """Whether what was stored last is on the disk."""
        ...

    @property
    def problem(self) -> str:
        """Why it is not; empty while nothing is known to be wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a process begins with.

    Attributes:
        arming: DISARMED or STOPPED.
        stop: The stop of the process before; its level is CUT, because the motors are off.
        trips: The counted trips.
        notes: What a person should know.
    """

    arming: ArmingState
    stop: Stop | None
    trips: Trips
    notes: tuple[str, ...] = ()


def begin(found: Found) -> Beginning:
    """What a new process begins with.

    Args:
        found: What the one before left.

    Returns:
        STOPPED wherever anything but a robot that was switched off in order is found.
    """
    kept = found.kept
    trips = {} if kept is None else dict(kept.trips)
    stop = None if kept is None else kept.stop
    if stop is not None and not stop.planned:
        is_new = bool(found.problem) and STATE_FILE not in (stop.guard, *stop.further)
        further = (*stop.further, STATE_FILE) if is_new else stop.further
        # Also TERMINAL: it ends with its process. HOLD is CUT by now, because nothing holds the robot any more.
        stop = replace(stop, level=Level.CUT, further=further, inherited=True)
    elif found.problem:
        stop = _new(STATE_FILE, Level.CUT, found.now_s)
    elif kept is not None and kept.arming is not ArmingState.DISARMED:
        times = (*trips.get(UNFINISHED, ()), found.now_s)
        recent = sum(found.now_s - time_s <= REPEAT_WINDOW_S for time_s in times)
        trips[UNFINISHED] = times
        stop = _new(UNFINISHED, Level.TERMINAL if recent >= REPEATS_TO_TERMINAL else Level.CUT, found.now_s)
    else:
        return Beginning(ArmingState.DISARMED, None, trips, found.notes)
    problems = (found.problem,) if found.problem else ()
    return Beginning(ArmingState.STOPPED, stop, trips, (*problems, *found.notes))


class Keeping:
    """Keeps what outlives the process in a memory, if there is one.

    Args:
        memory: Where; None keeps nothing.

    Attributes:
        found: What the process before left; None where nothing is kept.
        beginning: What this process begins with.
        missing: Why what was noted was not on the disk when that was asked last; empty when it was.
    """

    def __init__(self, memory: LatchMemory | None) -> None:
        self._memory = memory
        self._last: Kept | None = None
        self.found = None if memory is None else _load(memory)
        self.beginning = begin(Found(None) if self.found is None else self.found)
        self.missing = ""

    def note(self, arming: ArmingState, severity: Severity, *, is_at_rest: bool) -> None:
        """Have it kept where it has changed."""
        if self._memory is None:
            return
        stop, last = severity.stop, self._last
        if stop is not None and stop.planned and is_at_rest:
            arming, stop = ArmingState.DISARMED, None  # The end of a mission, reached: nothing to remember.
        if last is None or arming is not last.arming or stop is not last.stop:
            self._last = Kept(arming, stop, severity.trips)
            self._memory.store(self._last)

    def ask(self) -> str:
        """Ask why what was noted last is not on the disk; empty when it is, or nothing is kept."""
        memory = self._memory
        self.missing = "" if memory is None or memory.is_kept else memory.problem or "nobody has written it yet"
        return self.missing


def _load(memory: LatchMemory) -> Found:
    """What the process before left. What cannot be loaded is not taken for nothing."""
    try:
        return memory.load()
    except Exception as error:  # noqa: BLE001
        return Found(None, f"{type(error).__name__}: {error}")


def _new(cause: str, level: Level, now_s: float) -> Stop:
    return Stop(level, cause, _NAN, _NAN, "", now_s, now_s, "", first_level=level, inherited=True)
