"""The control loop beside a mission or a recorder that hangs, is stopped or killed: by the run's own shared memory."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchmarks.faults.processes import write_mission
from benchmarks.faults.victim import Victim
from supervisor.core.robot_file import load_robot
from supervisor.core.shared.ring import RingReader
from supervisor.runtime.locate import find_robot
from supervisor.runtime.shared.memory import RunMemory

BEFORE_S: Final = 4.0
DURING_S: Final = 1.5
"""A recorder that hangs is noticed after half a second, and the robot is off two seconds later."""

LOOK_S: Final = 0.05
END_S: Final = 60.0


def _send(name: str, number: signal.Signals) -> Callable[[Victim], None]:
    return lambda victim: victim.send(name, number)


CASES: Final[dict[str, Callable[[Victim], None]]] = {
    "nothing (for comparison)": lambda _: None,
    **{f"{name} stopped": _send(name, signal.SIGSTOP) for name in ("mission", "recorder")},
    **{f"{name} computing without a pause": _send(name, signal.SIGUSR1) for name in ("mission", "recorder")},
    **{f"{name} killed": _send(name, signal.SIGKILL) for name in ("mission", "recorder")},
}
"""What is done, by its name in the table; see `benchmarks.faults.saboteur` for the computing."""


class Cycles(NamedTuple):
    """Some cycles in a row: how long each took, and the time from one to the next."""

    took_us: list[float]
    apart_s: list[float]

    @property
    def cycles(self) -> int:
        return len(self.took_us)

    @property
    def p50_us(self) -> float:
        return float(np.quantile(self.took_us, 0.5)) if self.took_us else float("nan")

    @property
    def p99_us(self) -> float:
        return float(np.quantile(self.took_us, 0.99)) if self.took_us else float("nan")

    @property
    def longest_ms(self) -> float:
        return max(self.apart_s, default=float("nan")) * 1e3


class Beside(NamedTuple):
    """Cycles before a neighbour was disturbed, and from then on."""

    before: Cycles
    during: Cycles

    @staticmethod
    def joined(parts: Iterable[Cycles]) -> Cycles:
        """Those of several runs."""
        found = list(parts)
        return Cycles([us for part in found for us in part.took_us], [s for part in found for s in part.apart_s])


class _Watcher:
    """Takes every cycle of a run out of its shared memory."""

    def __init__(self, memory: RunMemory) -> None:
        self._reader = RingReader(memory.rows)
        layout = memory.layout
        offsets = {field.name: field.offset for field in layout.fields}
        self._type = np.dtype(
            {
                "names": ["time_s", "cycle_us"],
                "formats": ["<f8", "<f8"],
                "offsets": [offsets["time_s"], offsets["cycle_us"]],
                "itemsize": layout.row_bytes,
            }
        )
        self._most = memory.rows.places

    def cycles(self, for_s: float) -> Cycles:
        """The cycles from now on."""
        self._reader.take(self._most)
        raw: list[bytes] = []
        deadline_s = time.monotonic() + for_s
        while time.monotonic() < deadline_s:
            time.sleep(LOOK_S)
            raw += self._reader.take(self._most)
        rows = np.frombuffer(b"".join(raw), dtype=self._type)
        return Cycles(rows["cycle_us"][1:].tolist(), np.diff(rows["time_s"]).tolist())


def disturbed(name: str, times: int) -> Iterator[Beside]:
    """Disturb a neighbour, each time in a run of its own; runs that never got so far are told, and left out."""
    for _ in range(times):
        try:
            yield _disturbed_once(CASES[name])
        except (TimeoutError, StopIteration) as error:
            print(f"{name}: not tried, {error}")


def _disturbed_once(deed: Callable[[Victim], None]) -> Beside:
    robot = load_robot(find_robot("pup"))
    with tempfile.TemporaryDirectory(prefix="neighbours-") as place:
        folder = Path(place)
        with Victim(folder, "pup", write_mission(folder, "stand")) as victim:
            victim.find()
            victim.wait_for("stage stand began", 90.0)
            memory = RunMemory(victim.plant_folder.parent, robot.config, robot.safety, create=False)
            try:
                watcher = _Watcher(memory)
                before = watcher.cycles(BEFORE_S)
                victim.must_be_well()
                deed(victim)
                during = watcher.cycles(DURING_S)
            finally:
                memory.close()
            for stopped in ("mission", "recorder"):
                victim.send(stopped, signal.SIGCONT)
            victim.send("launcher", signal.SIGINT)
            victim.wait_end(END_S)
            return Beside(before, during)
