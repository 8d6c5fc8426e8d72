"""Measuring: medians and p99 of repeats, with the machine's own speed beside them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
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
