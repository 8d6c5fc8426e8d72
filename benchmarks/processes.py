"""The processes of a run: their numbers, and the memory they hold."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NAMES: Final = ("recorder", "guardian", "control", "mission", "plant")
MODULE: Final = {
    **{name: f"supervisor.runtime.processes.{name}" for name in NAMES},
    "guardian": "supervisor.guardian.process",
}


def children(parent: int) -> dict[str, int]:
    """Numbers of the processes that a launcher has started, by name."""
    found: dict[str, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            if parent == int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]):
                found |= {name: int(entry.name) for name, module in MODULE.items() if module in words}
    return found


def resident_kib(number: int) -> int:
    """Memory of a process that is in memory."""
    for line in Path(f"/proc/{number}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(number)


class MemoryLog:
    """What each process of a run held, from time to time.

    Attributes:
        samples: Seconds since the first look, and KiB, by process.
    """

    def __init__(self) -> None:
        self.samples: dict[str, list[tuple[float, int]]] = {}

    @contextmanager
    def kept(self, parent: int, every_s: float) -> Iterator[None]:
        """Look every so often, meanwhile."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._keep, args=(parent, every_s, is_over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _keep(self, parent: int, every_s: float, is_over: threading.Event) -> None:
        began_s = time.monotonic()
        while not is_over.wait(every_s):
            for name, number in children(parent).items():
                with contextlib.suppress(OSError):
                    self.samples.setdefault(name, []).append((time.monotonic() - began_s, resident_kib(number)))

    def growth_kib(self, from_s: float) -> dict[str, tuple[int, int]]:
        """What each held at a time, and at the end."""
        found: dict[str, tuple[int, int]] = {}
        for name, samples in self.samples.items():
            later = [kib for at_s, kib in samples if at_s >= from_s]
            if later:
                found[name] = later[0], later[-1]
        return found
