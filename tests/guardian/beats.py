"""Beats of a control loop that does what it should, to be spoilt one thing at a time."""

from __future__ import annotations

from itertools import product
from typing import Any

from supervisor.core.levels import ArmingState, Level
from supervisor.guardian.messages import Beat, Kind
from supervisor.guardian.watch import Fault, Standing, Watch

LEVELS = (Level.CUT, Level.DAMP, Level.WARN)
"""Of three guards."""

ALL = 0b111
PERIOD_S = 0.002
WINDOW_S = 0.02


def beat(
    sequence: int,
    arming: ArmingState = ArmingState.DISARMED,
    level: Level = Level.NONE,
    *,
    is_at_rest: bool | None = None,
    kind: Kind = Kind.BEAT,
    evaluated: int = ALL,
    tripped: int = 0,
    stamp_s: float = float("inf"),
) -> Beat:
    at_rest = arming is ArmingState.DISARMED if is_at_rest is None else is_at_rest
    return Beat(kind, int(level), list(ArmingState).index(arming), at_rest, sequence, evaluated, tripped, stamp_s)


class Loop:
    """A control loop that beats in time, and the watch that hears it."""

    def __init__(self, *, is_latched: bool = False, now_s: float = 100.0) -> None:
        self.now_s = now_s
        self.number = 0
        self.watch = Watch(
            window_s=WINDOW_S, period_s=PERIOD_S, guard_levels=LEVELS, is_latched=is_latched, now_s=now_s
        )

    def beat(self, *standing: Any, after_s: float = PERIOD_S, **changes: Any) -> Fault:
        """The next beat."""
        self.now_s += after_s
        self.number += 1
        self.watch.hear(beat(self.number, *standing, **changes), self.now_s)
        self.watch.look(self.now_s)
        return self.watch.fault

    def run(self, *standings: Any) -> Fault:
        """One beat of each standing."""
        for standing in standings:
            self.beat(*standing)
        return self.watch.fault

    def silent(self, seconds: float, *, step_s: float | None = None) -> Fault:
        """Nothing is heard, and the watch looks as often as it should."""
        end_s = self.now_s + seconds
        while self.now_s < end_s - 1e-12:
            self.now_s = min(end_s, self.now_s + (step_s or self.watch.slice_s))
            self.watch.look(self.now_s)
        return self.watch.fault


A = ArmingState
DISARMED = (A.DISARMED,)
CHECKING = (A.CHECKING,)
ARMED = (A.ARMED,)
RUNNING = (A.RUNNING,)
LIVE = (DISARMED, CHECKING, ARMED, RUNNING)

STANDINGS = [
    Standing(arming, level, is_at_rest)
    for arming, level, is_at_rest in product(ArmingState, Level, (False, True))
    if (arming is ArmingState.STOPPED) == level.latches and (arming is ArmingState.STOPPED or level is Level.NONE)
]
"""Every standing in which a sound robot can be."""


def running_loop() -> Loop:
    """A loop that has been armed and runs."""
    loop = Loop()
    assert loop.run(*LIVE) is Fault.NONE
    return loop
