"""A memory on paper: what a process keeps for the next one, and what that one finds."""

from __future__ import annotations

from dataclasses import replace

from supervisor.core.exchange import Stop
from supervisor.core.levels import ArmingState, Level
from supervisor.safety.restart import Found, Kept
from tests.safety.bench import START_S


class Paper:
    """A memory that keeps everything, and writes down what it was told and when."""

    def __init__(self, found: Found | None = None, *, is_kept: bool = True) -> None:
        self.found = Found(None) if found is None else found
        self.stored: list[Kept] = []
        self.is_kept = is_kept
        self.problem = ""

    def load(self) -> Found:
        return self.found

    def store(self, kept: Kept) -> None:
        self.stored.append(kept)

    def left(self, now_s: float = START_S) -> Found:
        """What the next process finds."""
        return Found(self.stored[-1] if self.stored else None, "", now_s)


def stop_of(level: Level = Level.DAMP, guard: str = "tilt", **changes: object) -> Stop:
    return replace(Stop(level, guard, 0.8, 0.7, "rad", 990.0, 989.0, "walk", first_level=level), **changes)


def found(arming: ArmingState, stop: Stop | None = None, **more: object) -> Found:
    return Found(Kept(arming, stop, more.pop("trips", {})), now_s=START_S, **more)
