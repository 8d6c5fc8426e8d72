"""The latch: how far the stop goes, why, and for how long. Severity only rises until an operator resets it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from supervisor.core.exchange import Stop
from supervisor.core.guard import GuardReading
from supervisor.core.joints import JointOrder
from supervisor.core.levels import GuardValue, Level
from supervisor.core.safety import StopProfile

REPEATS_TO_TERMINAL = 3
"""Trips of one cause within REPEAT_WINDOW_S that end this process' right to move: whoever resets it a third time is
not looking for the cause."""

REPEAT_WINDOW_S = 3600.0

OPERATOR = "operator"
MISSION = "mission"
INTERNAL = "internal_error"

_NAN = float("nan")


class Severity:
    """The latched stop of one robot.

    Args:
        profile: What each level does on this robot.
        order: For the names of joints.
        stop: The stop that the process before has left.
        trips: The trips that were counted before this process, by cause, oldest first.
    """

    def __init__(
        self,
        profile: StopProfile,
        order: JointOrder,
        stop: Stop | None = None,
        trips: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self._profile = profile
        self._names = order.names
        self._stop = stop
        self._attended_s = _NAN if stop is None else stop.time_s
        # No more than make TERMINAL: which of them are recent is what matters.
        self._trips = {guard: deque(times, REPEATS_TO_TERMINAL) for guard, times in (trips or {}).items()}
        self._known: set[str] = set()

    @property
    def stop(self) -> Stop | None:
        """The latched stop, None when there is none."""
        return self._stop

    @property
    def trips(self) -> Mapping[str, Sequence[float]]:
        """When each cause tripped, oldest first, as far as it still matters."""
        return {guard: tuple(times) for guard, times in self._trips.items()}

    def has_tripped(self, guard: str) -> bool:
        """Whether a guard tripped in this process, since the last reset."""
        return guard in self._known

    @property
    def is_operator_hold(self) -> bool:
        """True while nothing but the operator's own HOLD is latched: the one stop that RESUME ends."""
        stop = self._stop
        return stop is not None and stop.level is Level.HOLD and stop.guard == OPERATOR and not stop.further

    def take(self, readings: Iterable[GuardReading], stage: str, now_s: float) -> None:
        """Latch what the guards ask for.

        Args:
            readings: This cycle's guards, all or some.
            stage: Name of the active stage.
            now_s: Clock.
        """
        tripped = [r for r in readings if r.tripped and r.level.latches and r.id not in self._known]
        if not tripped:
            return
        tripped.sort(key=_precedence)
        for reading in tripped:
            self._known.add(reading.id)
            joints = (self._names[reading.joint],) if 0 <= reading.joint < len(self._names) else ()
            is_first = self._stop is None or self._stop.planned
            level = self._repeated(reading.id, reading.level, now_s) if is_first else reading.level
            since_s = reading.since_s if reading.since_s == reading.since_s else now_s
            self._latch(
                Stop(level, reading.id, reading.measured, reading.limit, reading.unit, now_s, since_s, stage, joints),
                now_s,
            )

    def request(self, level: Level, cause: str, stage: str, now_s: float, *, planned: bool = False) -> None:
        """Latch a stop that somebody asked for.

        Args:
            level: How far.
            cause: "operator", "mission", or what failed.
            stage: Name of the active stage.
            now_s: Clock.
            planned: True for the end of a mission: not a fault.
        """
        self._latch(Stop(level, cause, _NAN, _NAN, "", now_s, now_s, stage, planned=planned), now_s)

    def attend(self, now_s: float) -> None:
        """Note that an operator is there: the time of HOLD begins again."""
        self._attended_s = now_s

    def fall_through(self, *, can_follow: bool, now_s: float) -> None:
        """Leave a level that cannot be kept, downwards.

        Args:
            can_follow: False when a position cannot be commanded: feedback stale or not finite, or a motor off.
            now_s: Clock.
        """
        stop = self._stop
        if stop is None:
            return
        if stop.level is Level.HOLD:
            timed_out = now_s - self._attended_s >= self._profile.hold_timeout_s
            if timed_out or not can_follow:
                self._raise(self._profile.hold_falls_to)
        elif stop.level is Level.SETTLE and not can_follow:
            self._raise(self._profile.settle_falls_to)

    def clear(self) -> None:
        """Forget the stop: an operator has reset it, and it was allowed. Counted trips are kept."""
        self._stop = None
        self._known.clear()

    def _latch(self, new: Stop, now_s: float) -> None:
        old = self._stop
        if old is None or (old.planned and not new.planned):
            level = new.level if old is None else max(old.level, new.level)
            self._stop = replace(new, level=level, first_level=new.level)
            if old is None:
                self._attended_s = now_s
            return
        if not new.planned and new.guard != old.guard and new.guard not in old.further:
            self._stop = replace(old, further=(*old.further, new.guard))
        self._raise(new.level)

    def _raise(self, level: Level) -> None:
        if self._stop is not None and level > self._stop.level:
            self._stop = replace(self._stop, level=level)

    def _repeated(self, guard: str, level: Level, now_s: float) -> Level:
        """The level of a trip, TERMINAL when the same guard has tripped too often."""
        trips = self._trips.setdefault(guard, deque(maxlen=REPEATS_TO_TERMINAL))
        trips.append(now_s)
        while trips[0] < now_s - REPEAT_WINDOW_S:
            trips.popleft()
        return Level.TERMINAL if len(trips) >= REPEATS_TO_TERMINAL else level


def _precedence(reading: GuardReading) -> tuple[bool, int, float]:
    """Order of guards that trip in one cycle: causes before what merely went stale, the severest, the earliest."""
    return reading.value is GuardValue.STALE, -reading.level, reading.since_s
