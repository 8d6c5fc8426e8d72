"""The guardian in figures: what a beat costs, how soon the motors are stopped, and how often for nothing.

    python -m benchmarks.guardian [--times 20] [--seconds 60] [--priority 60]
    python -m benchmarks.guardian --only-trips --seconds 3600

A cause is a signal, or a native call that keeps the interpreter's lock, in a process that beats at 500 Hz; the effect
is the first frame, as another process hears it on a bus of datagrams. The listener's own waking up is in the figure.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.realtime.missed import ENOUGH
from benchmarks.realtime.witness import Stall, stood_still_s, witnesses
from supervisor.core.levels import ArmingState, Level
from supervisor.guardian.watch import Fault
from supervisor.runtime.guarding import Heart, guardian_socket
from tests.guardian.beating import GUARDS, snapshot
from tests.guardian.rig import KEY, GuardedRig, by_native_call, by_signal, next_line

HOG = "while True: pass"

TOLD_S = 0.02
"""What it says is read so much later at most: stalls count from so much earlier on."""


def beat_cost(count: int = 100_000) -> tuple[float, float]:
    """Median and p99 of a beat, back to back, µs; somebody takes each at once."""
    ours, other = guardian_socket()
    heart = Heart(ours.detach(), KEY, GUARDS, {})
    state = snapshot(ArmingState.RUNNING, Level.NONE)
    other.recv(4096)
    clock, took_s = time.perf_counter, []
    for _ in range(count):
        began_s = clock()
        heart.beat(state, 0.0)
        took_s.append(clock() - began_s)
        other.recv(64)
    took_s.sort()
    heart.close()
    other.close()
    return took_s[count // 2] * 1e6, took_s[count * 99 // 100] * 1e6


def reactions(times: int, cause: Callable[[GuardedRig], float], *, priority: int, hangs: bool) -> list[float]:
    """From the cause to the first bytes on the bus, ms, sorted."""
    found = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            seconds, then = (0.05, "hang") if hangs else (3600.0, "")
            with GuardedRig(Path(folder), seconds=seconds, then=then, priority=priority) as rig:
                found.append(rig.after(cause)[0] * 1e3)
    return sorted(found)


class Trip(NamedTuple):
    """The guardian has stopped a loop that did nothing wrong.

    Attributes:
        fault: What it took it for.
        at_s: When that was known, monotonic.
        silence_s: For how long nothing had been heard.
    """

    fault: Fault
    at_s: float
    silence_s: float

    def is_explained(self, stalls: Sequence[Stall]) -> bool:
        """Whether the loop was silent because a core stood still: the guardian was right to stop it."""
        stood_s = stood_still_s(stalls, self.at_s - self.silence_s - TOLD_S, self.at_s)
        return self.fault is Fault.SILENT and stood_s >= ENOUGH * self.silence_s


def false_trips(seconds: float, *, priority: int, hogs: int) -> str:
    """Healthy loops, one after the other, for a while: how often the guardian took one for something else."""
    trips: list[Trip] = []
    stalls: list[Stall] = []
    beats, longest_s = 0, 0.0
    others = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(hogs)]
    until_s = time.monotonic() + seconds
    try:
        with tempfile.TemporaryDirectory() as folder, witnesses(Path(folder), stalls):
            while (left_s := until_s - time.monotonic()) > 0.0:
                with (
                    tempfile.TemporaryDirectory() as run,
                    GuardedRig(Path(run), seconds=left_s, then="farewell", priority=priority) as rig,
                ):
                    # Its last word after a farewell, or what it has found before.
                    end = next_line(rig.guardian)
                    beats += end["beats"]
                    if end["fault"]:
                        trips.append(Trip(Fault(end["fault"]), time.monotonic(), end["silence_s"]))
                        passed_s = seconds - (until_s - time.monotonic())
                        print(f"{passed_s:.0f} s: {trips[-1]}, {end['beats']} beats", file=sys.stderr)
                    else:
                        longest_s = next_line(rig.control)["longest_s"]
    finally:
        for other in others:
            other.kill()
            other.wait()
    unexplained = [trip for trip in trips if not trip.is_explained(stalls)]
    told = ", ".join(f"{trip.fault.name} after {trip.silence_s * 1e3:.0f} ms" for trip in unexplained)
    return (
        f"{len(unexplained)} in {beats} beats{f' ({told})' if told else ''}; {len(trips) - len(unexplained)} because a "
        f"core stood still; longest gap since the last {longest_s * 1e3:.1f} ms"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--priority", type=int, default=60)
    parser.add_argument("--only-trips", action="store_true", help="count false trips at the priority, without hogs")
    told = parser.parse_args()
    if told.only_trips:
        trips = false_trips(told.seconds, priority=told.priority, hogs=0)
        print(f"false trips in {told.seconds:g} s, priority {told.priority}: {trips}")
        return
    median_us, p99_us = beat_cost()
    print(f"a beat, back to back: p50 {median_us:.2f} µs, p99 {p99_us:.2f} µs")
    for name, cause, hangs in (
        ("SIGKILL", by_signal(signal.SIGKILL), False),
        ("SIGSTOP", by_signal(signal.SIGSTOP), False),
        ("native call", by_native_call, True),
    ):
        for priority in dict.fromkeys((told.priority, 0)):
            found = reactions(told.times, cause, priority=priority, hangs=hangs)
            print(
                f"{name}, priority {priority}: median {statistics.median(found):.1f} ms, "
                f"{found[0]:.1f} to {found[-1]:.1f} ms, {len(found)} times"
            )
    for priority in dict.fromkeys((told.priority, 0)):
        for hogs in (0, 2):
            trips = false_trips(told.seconds, priority=priority, hogs=hogs)
            print(f"false trips in {told.seconds:g} s, priority {priority}, {hogs} hogs beside it: {trips}")


if __name__ == "__main__":
    main()
