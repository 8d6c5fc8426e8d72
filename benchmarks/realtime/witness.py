"""Notes when a core stood still: above every program of the machine, and so for nobody's sake but its own.

    python -m benchmarks.realtime.witness CORE FILE

It wakes up every millisecond, on one core, with the highest priority there is. Where it is late, whatever should have
run on that core meanwhile could not have: the host took the core away, or the kernel kept it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from supervisor.runtime.realtime.pacing import Pacer
from supervisor.runtime.realtime.scheduling import freeze_garbage, lock_memory, take_core, take_priority

PERIOD_S: Final = 0.001
NOTED_S: Final = 0.0005
"""Shorter ones make no cycle of two milliseconds miss its turn."""


class Stall(NamedTuple):
    """A time in which a core stood still.

    Attributes:
        core: Which.
        from_s, until_s: On the monotonic clock: when it was to wake up, and when it did.
    """

    core: int
    from_s: float
    until_s: float

    def within_s(self, from_s: float, until_s: float) -> float:
        """How much of it lies in a time."""
        return max(0.0, min(self.until_s, until_s) - max(self.from_s, from_s))


def stood_still_s(stalls: Iterable[Stall], from_s: float, until_s: float) -> float:
    """For how much of a time a core stood still, the one where it was most."""
    by_core: dict[int, float] = {}
    for stall in stalls:
        by_core[stall.core] = by_core.get(stall.core, 0.0) + stall.within_s(from_s, until_s)
    return max(by_core.values(), default=0.0)


def watch(core: int) -> list[Stall]:
    """Until SIGTERM."""
    is_over = False

    def end(number: int, frame: object) -> None:
        nonlocal is_over
        del number, frame
        is_over = True

    signal.signal(signal.SIGTERM, end)
    highest = os.sched_get_priority_max(os.SCHED_FIFO)
    for effect in (freeze_garbage(), lock_memory(), take_core(core), take_priority(highest)):
        if not effect.is_met:
            print(effect, file=sys.stderr)
    stalls: list[Stall] = []
    pacer = Pacer(PERIOD_S)
    last_s = pacer.wait()
    while not is_over:
        now_s = pacer.wait()
        if now_s - last_s > PERIOD_S + NOTED_S:
            stalls.append(Stall(core, last_s + PERIOD_S, now_s))
        last_s = now_s
    return stalls


@contextmanager
def witnesses(folder: Path, found: list[Stall]) -> Iterator[None]:
    """One on every core, meanwhile; what they saw is added to `found` at the end."""
    command = [sys.executable, "-m", "benchmarks.realtime.witness"]
    started = {
        folder / f"core{core}.json": subprocess.Popen([*command, str(core), str(folder / f"core{core}.json")])
        for core in sorted(os.sched_getaffinity(0))
    }
    try:
        yield
    finally:
        for process in started.values():
            process.terminate()
            process.wait(10.0)
    for path in started:
        found.extend(Stall(*row) for row in json.loads(path.read_text(encoding="utf-8")))


def main(arguments: Sequence[str]) -> None:
    """Watch one core, and leave what was seen in a file."""
    core, path = arguments
    Path(path).write_text(json.dumps(watch(int(core))), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
