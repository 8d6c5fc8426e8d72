"""Faults of a script that happen to the processes of a run: they are really stopped, killed, and kept from writing."""

from __future__ import annotations

import resource
import signal
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Final, Protocol

from drivers.sim.fault_kinds import FaultScript
from drivers.sim.faults import START, FaultInjector, FaultTeller

STOPPED: Final[Mapping[str, str]] = {
    "mission_stalled": "mission",
    "control_stalled": "control",
    "recorder_blocked": "recorder",
}
"""Which process is stopped while a fault is in force."""

KILLED: Final[Mapping[str, str]] = {
    "mission_killed": "mission",
    "control_killed": "control",
    "guardian_killed": "guardian",
}
"""Which process is killed when a fault begins."""

DISK_FULL: Final = "disk_full"
WRITER: Final = "recorder"

KINDS: Final = frozenset({*STOPPED, *KILLED, DISK_FULL})
"""Faults of processes that can be had in real time. The clock that `clock_step` steps is the machine's, not ours."""


class Victim(Protocol):
    """A process of the run."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it runs."""
        ...

    def end(self, number: signal.Signals = ...) -> None:
        """Send it a signal; nothing where it has ended."""
        ...


class Sabotage:
    """Does to processes what a fault script says, at its time, and tells when each of its faults begins and ends.

    Args:
        script: The script; faults of other kinds are done by others, and only told.
        victims: The processes by name; those that are not there yet, or not any more, suffer nothing.
        now_s: When the run began; monotonic clock.
    """

    def __init__(self, script: FaultScript, victims: Mapping[str, Victim], now_s: float) -> None:
        self._injector = FaultInjector(script)
        self._teller = FaultTeller()
        self._injector.enter_stage(START, now_s)
        self._victims = victims
        self._active: frozenset[str] = frozenset()
        self._sizes: tuple[int, int] | None = None

    def look(self, stage: str, now_s: float) -> list[str]:
        """Do what is due.

        Args:
            stage: The mission's stage, "" for none.
            now_s: Clock.

        Returns:
            What begins and what ends, a line each.
        """
        self._injector.enter_stage(stage, now_s)
        if not self._injector.update(now_s):
            return []
        before, self._active = self._active, frozenset(fault.kind for fault in self._injector.active)
        for kind in self._active - before:
            if kind in KILLED:
                self._send(KILLED[kind], signal.SIGKILL)
        self._stop({STOPPED[kind] for kind in self._active if kind in STOPPED}, before)
        self._fill(is_full=DISK_FULL in self._active)
        return self._teller.look(self._injector.active)

    def relent(self) -> None:
        """Let everything that still lives go on: a stopped process cannot be ended in order."""
        before, self._active = self._active, frozenset[str]()
        self._stop((), before)
        self._fill(is_full=False)

    def _stop(self, wanted: Collection[str], before: Collection[str]) -> None:
        """Have these processes stopped, and no others of those that were."""
        stopped = {STOPPED[kind] for kind in before if kind in STOPPED}
        for name in wanted:
            if name not in stopped:
                self._send(name, signal.SIGSTOP)
        for name in stopped:
            if name not in wanted:
                self._send(name, signal.SIGCONT)

    def _fill(self, *, is_full: bool) -> None:
        """A file that may not grow is what a full disk looks like to who writes it."""
        victim = self._victims.get(WRITER)
        if victim is None or victim.exit_code is not None or is_full is (self._sizes is not None):
            return
        with suppress(ProcessLookupError):
            if self._sizes is None:
                self._sizes = resource.prlimit(victim.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(victim.pid, resource.RLIMIT_FSIZE, (0, self._sizes[1]))
            else:
                resource.prlimit(victim.pid, resource.RLIMIT_FSIZE, self._sizes)
                self._sizes = None

    def _send(self, name: str, number: signal.Signals) -> None:
        victim = self._victims.get(name)
        if victim is not None:
            victim.end(number)
