"""Measuring: medians and p99 of repeats, with the machine's own speed beside them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

REPEATS = 3
"""Every figure is the median over so many repeats; the best p99 is kept, because other programs only make it worse."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Durations of one thing, in microseconds."""

    median_us: float
    p99_us: float

    @classmethod
    def of(cls, repeats: Iterable[Iterable[float]]) -> Measurement:
        """From repeats of durations in seconds."""
        medians, tails = [], []
        for repeat in repeats:
            sample_us = np.array(list(repeat)) * 1e6
            medians.append(float(np.median(sample_us)))
            tails.append(float(np.quantile(sample_us, 0.99)))
        return cls(float(np.median(medians)), min(tails))

    def __add__(self, other: Measurement) -> Measurement:
        return Measurement(self.median_us + other.median_us, self.p99_us + other.p99_us)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: What was measured.
        value: The figure, with its unit.
        goal: What it should be, "" where it is only stated.
        is_met: Whether it is; True where there is no goal.
    """

    name: str
    value: str
    goal: str = ""
    is_met: bool = True


def timed(function: Callable[[int], object], calls: int, *, warm_up: int = 100) -> Measurement:
    """Call `function(0)`, `function(1)`, … back to back, and time each call.

    Garbage is collected before each repeat and not within, as in the loops themselves.
    """
    clock = time.perf_counter
    repeats = []
    number = 0
    for _ in range(warm_up):
        function(number)
        number += 1
    for _ in range(REPEATS):
        gc.collect()
        gc.disable()
        durations = [0.0] * calls
        for i in range(calls):
            begin = clock()
            function(number)
            durations[i] = clock() - begin
            number += 1
        gc.enable()
        repeats.append(durations)
    return Measurement.of(repeats)


@dataclass(frozen=True, slots=True)
class Side:
    """One of several ways to do the same work.

    Attributes:
        call: What is timed; gets 0, 1, 2 …
        prepare: Called before each with the same number, and not timed: lays out what `call` takes.
    """

    call: Callable[[int], object]
    prepare: Callable[[int], object] = lambda _: None


@dataclass(frozen=True, slots=True)
class Pair:
    """One make beside a library.

    Attributes:
        name: What is done.
        ours: How we do it.
        theirs: Makes their side; called only where the library is installed.
        package, module: The library, as it is installed and as it is imported.
        goal_us: Most that ours may take, back to back; 0 where there is no goal.
        check: Called after the runs; raises unless both did what they were to do.
    """

    name: str
    ours: Side
    theirs: Callable[[], Side]
    package: str
    module: str
    goal_us: float = 0.0
    check: Callable[[], object] = lambda: None


BURST = 20
"""So many calls of one side follow each other back to back: caches are its own, and a slower machine hits all sides."""


def paired(sides: Sequence[Side], calls: int, *, period_s: float = 0.0) -> list[Measurement]:
    """Time several sides in turns, so that whatever else the machine does spoils them alike.

    Args:
        sides: What to time.
        calls: Of each side, in each repeat.
        period_s: Time from one call to the next, as in a control loop; 0 for back to back.
    """
    _in_turns(sides, BURST, 0.0)
    repeats = []
    for _ in range(REPEATS):
        gc.collect()
        gc.disable()
        repeats.append(_in_turns(sides, calls, period_s))
        gc.enable()
    return [Measurement.of(repeat[side] for repeat in repeats) for side in range(len(sides))]


def _in_turns(sides: Sequence[Side], calls: int, period_s: float) -> list[list[float]]:
    """One repeat: the durations of each side."""
    clock = time.perf_counter
    durations: list[list[float]] = [[] for _ in sides]
    for first in range(0, calls, BURST):
        for side, taken in zip(sides, durations, strict=True):
            call, prepare = side.call, side.prepare
            due = clock()
            for number in range(first, min(first + BURST, calls)):
                prepare(number)
                if period_s:
                    due += period_s
                    time.sleep(max(due - clock(), 0.0))
                begin = clock()
                call(number)
                taken.append(clock() - begin)
    return durations


def calibration_ms() -> float:
    """The machine's speed at plain Python: 20 000 times `x += i*i % 7`, in milliseconds."""
    best = float("inf")
    for _ in range(20):
        begin = time.perf_counter()
        x = 0
        for i in range(20_000):
            x += i * i % 7
        best = min(best, time.perf_counter() - begin)
    return best * 1e3


class Stopwatch:
    """Stands in for a method and adds up how long its calls take."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self.durations: list[float] = []

    def __call__(self, *arguments: object, **keys: object) -> object:
        begin = time.perf_counter()
        result = self._function(*arguments, **keys)
        self.durations.append(time.perf_counter() - begin)
        return result


def us(measurement: Measurement) -> str:
    """A measurement as the table shows it."""
    return f"{measurement.median_us:.0f} µs (p99 {measurement.p99_us:.0f})"


def below(name: str, measurement: Measurement, limit_us: float) -> Row:
    """A row whose median should be at most `limit_us`."""
    return Row(name, us(measurement), f"≤ {limit_us:.0f} µs", measurement.median_us <= limit_us)


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| | measured | goal |", "|---|---|---|"]
    lines += [f"| {row.name} | {row.value} | {row.goal}{'' if row.is_met else ' **not met**'} |" for row in rows]
    return "\n".join(lines)
