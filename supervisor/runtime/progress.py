"""Live progress: a small table in a terminal, plain lines elsewhere, nothing with --json."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from supervisor.core.exchange import Snapshot

REFRESH_S = 0.5
"""A terminal table costs milliseconds to draw; twice a second is enough for a person."""

CLOSEST_GUARDS = 3


class Progress(Protocol):
    """Where a run tells how it goes."""

    def update(self, now_s: float, stage: str, waiting_for: str, left_s: float, snapshot: Snapshot) -> None:
        """Called every mission tick; cheap when there is nothing to show."""
        ...

    def message(self, now_s: float, text: str) -> None:
        """One event worth a line."""
        ...

    def close(self) -> None:
        """Take the display down."""
        ...


class SilentProgress:
    """Shows nothing."""

    def update(self, now_s: float, stage: str, waiting_for: str, left_s: float, snapshot: Snapshot) -> None:
        """Nothing."""

    def message(self, now_s: float, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class _Elapsed:
    """Seconds since the first time it was given: in real time the clock's own zero tells a person nothing."""

    def __init__(self) -> None:
        self._first_s: float | None = None

    def since_first_s(self, now_s: float) -> float:
        """Seconds since the first call."""
        if self._first_s is None:
            self._first_s = now_s
        return now_s - self._first_s


class PlainProgress:
    """One line per event and per new reason to wait."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._elapsed = _Elapsed()
        self._last = ""

    def update(self, now_s: float, stage: str, waiting_for: str, left_s: float, snapshot: Snapshot) -> None:
        """Write a line when the stage changes."""
        del waiting_for, left_s, snapshot
        self._elapsed.since_first_s(now_s)
        if stage != self._last:
            self._last = stage
            if stage:
                self.message(now_s, f"stage {stage}")

    def message(self, now_s: float, text: str) -> None:
        """Write a line."""
        self._stream.write(f"{self._elapsed.since_first_s(now_s):9.3f} s  {text}\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing to take down."""


class TerminalProgress:
    """A table that is redrawn in place: stage, why it waits, time left, the guards closest to their limits."""

    def __init__(self, stream: TextIO, timer_s: Callable[[], float] = time.monotonic) -> None:
        self._timer_s = timer_s
        self._elapsed = _Elapsed()
        self._live = Live(console=Console(file=stream), auto_refresh=False, transient=True)
        self._live.start()
        self._next_s = 0.0
        self._started_s = timer_s()

    def update(self, now_s: float, stage: str, waiting_for: str, left_s: float, snapshot: Snapshot) -> None:
        """Redraw when it is time."""
        elapsed_s = self._elapsed.since_first_s(now_s)
        wall_s = self._timer_s() - self._started_s
        if wall_s < self._next_s:
            return
        self._next_s = wall_s + REFRESH_S
        table = Table.grid(padding=(0, 2))
        # Text, not markup: what is printed above the table has the table drawn again as it is itself printed.
        table.add_row("stage", Text(stage or "-", style="bold"), f"{elapsed_s:.1f} s")
        table.add_row("waits for", Text(waiting_for or "-"), f"{left_s:.0f} s left" if math.isfinite(left_s) else "")
        table.add_row("robot", snapshot.arming.value, f"level {snapshot.level.name}")
        for name, measured, margin in closest_guards(snapshot):
            table.add_row("guard", f"{name} {measured}", f"{margin:.0%} left")
        self._live.update(table, refresh=True)

    def message(self, now_s: float, text: str) -> None:
        """Write a line above the table."""
        elapsed_s = self._elapsed.since_first_s(now_s)
        self._live.console.print(f"{elapsed_s:9.3f} s  {text}", highlight=False, markup=False)

    def close(self) -> None:
        """Take the table down."""
        self._live.stop()


def closest_guards(snapshot: Snapshot) -> Sequence[tuple[str, str, float]]:
    """The guards nearest to their limits: id, measured against allowed, share of the limit that is left."""
    measured = [reading for reading in snapshot.board if math.isfinite(reading.margin_fraction)]
    measured.sort(key=lambda reading: reading.margin_fraction)
    return [
        (reading.id, f"{reading.measured:.3g} of {reading.limit:.3g} {reading.unit}", reading.margin_fraction)
        for reading in measured[:CLOSEST_GUARDS]
    ]


def make_progress(stream: TextIO, *, quiet: bool) -> Progress:
    """The display that suits a stream."""
    if quiet:
        return SilentProgress()
    return TerminalProgress(stream) if stream.isatty() else PlainProgress(stream)
