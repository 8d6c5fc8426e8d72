"""The guardian process: started before the control process, told what to do on its standard input.

It says what it does as lines of JSON: `ready` with what is guarded and what is not; once more what is not, which is for
a person to know; what it found, when it stops the motors; and a last line when it ends.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from supervisor.core.errors import BusError
from supervisor.core.stop_frames import BusStop, StopFrames
from supervisor.guardian.duty import Duty, opened_handles
from supervisor.guardian.handles import open_handle
from supervisor.guardian.latch import LatchFile, LatchKeeper, Left, read_latch
from supervisor.guardian.scheduling import take
from supervisor.guardian.setup import GuardianSetup
from supervisor.guardian.watch import WORDS, Fault

CANNOT_BEGIN: Final = 10
HAS_STOPPED: Final = 20

_LEFT: Final = {
    Left.LIVE: "the last run ended with motors that may have been on",
    Left.STOPPED: "the guardian has stopped the last run",
    Left.DAMAGED: "its latch file is damaged",
}


def say(content: Mapping[str, Any]) -> None:
    """Tell who started this process something. Never waits: nobody listening is no fault."""
    with suppress(OSError, ValueError):
        os.write(sys.stdout.fileno(), json.dumps(content).encode() + b"\n")


def guarded_lines(stops: StopFrames) -> list[str]:
    """What is guarded, in words."""
    return [f"guards {stop.bus} ({stop.kind} {stop.where}): {_actions(stop)}" for stop in stops.buses]


def unguarded_lines(stops: StopFrames) -> list[str]:
    """What is not guarded, or not as one would wish, in words."""
    lines = [f"does NOT guard {bus}: {reason}" for bus, reason in stops.unguarded.items()]
    return lines + [f"cuts {make} where it would damp: {reason}" for make, reason in stops.undamped.items()]


def _actions(stop: BusStop) -> str:
    return "DAMP, then CUT" if stop.damp else "CUT"


def run(setup: GuardianSetup) -> int:
    """Guard until it is over.

    Returns:
        0, 20 where it has stopped the motors.

    Raises:
        BusError: A bus, or a file for the latch, cannot be opened; nothing was begun.
    """
    before = read_latch(Path(setup.latches[0]))
    handles = opened_handles(setup, open_handle)
    keeper = LatchKeeper([LatchFile(Path(path)) for path in setup.latches])
    duty = Duty(setup, handles, keeper, is_latched=before.is_latched, tell=say)

    def end(number: int, frame: object) -> None:
        del number, frame
        duty.is_told = True

    signal.signal(signal.SIGTERM, end)
    # What ends a terminal's programs is for who started this one, who then ends it in order.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        unguarded = unguarded_lines(setup.stops)
        lines = guarded_lines(setup.stops) + unguarded + take(setup.priority, locks_memory=setup.locks_memory)
        if before.is_latched:
            found = f" ({WORDS[before.fault]})" if before.fault is not Fault.NONE else ""
            lines.append(f"LATCHED: {_LEFT[before.left]}{found}")
        say({"ready": True, "lines": lines})
        for line in unguarded:
            say({"shown": f"guardian: {line}"})
        duty.run()
        say({**duty.report(), "ended": True})
    finally:
        duty.close()
        keeper.close()
    return HAS_STOPPED if duty.watch.fault is not Fault.NONE else 0


def main() -> int:
    """Entry point of the process."""
    os.set_blocking(sys.stdout.fileno(), False)
    setup: GuardianSetup = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 (from the process that started this one)
    try:
        return run(setup)
    except BusError as error:
        say({"ready": False, "lines": [str(error)]})
        return CANNOT_BEGIN


if __name__ == "__main__":
    sys.exit(main())
