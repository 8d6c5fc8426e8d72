"""The guardian in figures: what a beat costs, how soon the motors are stopped, and how often for nothing.

    python -m benchmarks.guardian [--times 20] [--seconds 60] [--priority 60]

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
from collections.abc import Callable
from pathlib import Path

from supervisor.core.levels import ArmingState, Level
from supervisor.guardian.watch import Fault
from supervisor.runtime.guarding import Heart, guardian_socket
from tests.guardian.beating import GUARDS, snapshot
from tests.guardian.rig import KEY, GuardedRig, by_native_call, by_signal, next_line

HOG = "while True: pass"


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


def false_trips(seconds: float, *, priority: int, hogs: int) -> str:
    """A healthy loop for a while: whether the guardian took it for something else."""
    others = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(hogs)]
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            GuardedRig(Path(folder), seconds=seconds, then="farewell", priority=priority) as rig,
        ):
            # Its last word after a farewell, or what it has found before.
            end = next_line(rig.guardian)
            if end["fault"]:
                name, after_s = Fault(end["fault"]).name, end["beats"] * 0.002
                return f"1 ({name} after {after_s:.0f} s, silence {end['silence_s'] * 1e3:.0f} ms)"
            told = next_line(rig.control)
            return (
                f"0 in {told['beats']} beats; longest gap {told['longest_s'] * 1e3:.1f} ms, {told['missed']} periods "
                f"missed; a beat in place p50 {told['beat_p50_s'] * 1e6:.1f} µs, p99 {told['beat_p99_s'] * 1e6:.1f} µs"
            )
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--priority", type=int, default=60)
    told = parser.parse_args()
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
