"""A control process in small: beats at its rate, and does what a test tells it to. `python -m tests.guardian.beating`.

Its standard input is one line, JSON: descriptor, key, seconds, what to do then.
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any, cast

from supervisor.core.exchange import Snapshot
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.runtime.guarding import Heart
from supervisor.runtime.realtime.pacing import Pacer
from supervisor.runtime.realtime.scheduling import take_priority

NAN = float("nan")
GUARDS = 38


def readings(count: int = GUARDS) -> tuple[GuardReading, ...]:
    """Guards that are all OK."""
    return tuple(
        GuardReading(f"guard {n}", GuardValue.OK, 0.1, 1.0, "s", -1, False, Level.DAMP, NAN) for n in range(count)
    )


def snapshot(arming: ArmingState, level: Level = Level.NONE, *, is_at_rest: bool = False) -> Snapshot:
    """What the heart looks at."""
    board = GuardBoard(readings(), Level.NONE)
    return cast("Snapshot", SimpleNamespace(board=board, level=level, arming=arming, is_at_rest=is_at_rest))


def up_to(arming: ArmingState) -> list[Snapshot]:
    """The way there."""
    states = [ArmingState.DISARMED, ArmingState.CHECKING, ArmingState.ARMED, ArmingState.RUNNING]
    return [snapshot(state, is_at_rest=state is ArmingState.DISARMED) for state in states[: states.index(arming) + 1]]


def main() -> None:
    """Beat."""
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    if told.get("priority"):
        take_priority(told["priority"])
    heart = Heart(told["descriptor"], bytes.fromhex(told["key"]), GUARDS, told.get("lines", {}))
    pacer = Pacer(0.002)
    way = up_to(ArmingState(told["arming"]))
    began_s = pacer.wait()
    number, is_done, longest_s, last_s = 0, False, 0.0, began_s
    beats_s: list[float] = []
    while True:
        now_s = pacer.wait()
        longest_s, last_s = max(longest_s, now_s - last_s), now_s
        state = way[min(number, len(way) - 1)]
        before_s = time.perf_counter()
        heart.beat(state, now_s)
        beats_s.append(time.perf_counter() - before_s)
        number += 1
        if number % 10 == 0:
            heart.listen(now_s)
        if number == len(way) + 5:
            say(ready=True)
        if not is_done and now_s - began_s > told["seconds"]:
            is_done = True
            if told["then"] == "hang":
                # A native call that keeps the interpreter's lock, in a thread that the loop knows nothing of.
                say(cause_s=time.monotonic())
                threading.Thread(target=lambda: ctypes.PyDLL(None).usleep(2_000_000), daemon=True).start()
            elif told["then"] == "farewell":
                heart.beat(snapshot(ArmingState.DISARMED, is_at_rest=True), now_s)
                heart.farewell()
                beats_s.sort()
                say(
                    beats=number,
                    missed=pacer.missed,
                    longest_s=longest_s,
                    unsent=heart.unsent,
                    failed=heart.failed,
                    beat_p50_s=beats_s[len(beats_s) // 2],
                    beat_p99_s=beats_s[len(beats_s) * 99 // 100],
                )
                return


def say(**content: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
