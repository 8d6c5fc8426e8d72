"""Which bytes go out when, once the guardian stops the motors.

DAMP for the profile's time, where there is time for it, then CUT, again and again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from supervisor.core.stop_frames import BusStop, Turn


class _Bus:
    """How far the stop of one bus is."""

    __slots__ = ("due_s", "is_cut", "number", "stop")

    def __init__(self, stop: BusStop, now_s: float) -> None:
        self.stop = stop
        self.due_s = now_s
        self.number = 0
        self.is_cut = False

    def take(self, *, is_damping: bool, now_s: float) -> Turn:
        turns = self.stop.damp if is_damping and self.stop.damp else self.stop.cut
        if not (is_damping or self.is_cut):
            # Some motors take turns: the round of CUT begins with its first.
            self.is_cut, self.number = True, 0
        turn = turns[self.number % len(turns)]
        self.number += 1
        self.due_s = now_s + self.stop.spacing_s
        return turn


class Turns:
    """The stop of a robot, from the moment it begins.

    Args:
        stops: Of its buses.
        damp_s: How long to damp; 0 to switch off at once.
        now_s: When it begins.

    Attributes:
        began_s: When it began.
        cut_s: When CUT begins.
    """

    def __init__(self, stops: Sequence[BusStop], damp_s: float, now_s: float) -> None:
        self._buses = [_Bus(stop, now_s) for stop in stops]
        self.began_s = now_s
        self.cut_s = now_s + (damp_s if any(stop.damp for stop in stops) else 0.0)

    def take(self, barred: Collection[int], now_s: float) -> Iterable[tuple[int, Turn]]:
        """What is due now: places of buses, and what to send there.

        Args:
            barred: Places of buses that may not be written to yet.
            now_s: Clock.
        """
        is_damping = now_s < self.cut_s
        for place, bus in enumerate(self._buses):
            if bus.due_s <= now_s and place not in barred:
                yield place, bus.take(is_damping=is_damping, now_s=now_s)

    def wait_s(self, now_s: float) -> float:
        """How long until something is due; infinite where there is no bus."""
        return max(min((bus.due_s for bus in self._buses), default=float("inf")) - now_s, 0.0)
