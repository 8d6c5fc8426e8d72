"""A run in processes as a user starts it, in a terminal of its own, with its buses listened to from outside."""

from __future__ import annotations

import contextlib
import os
import pickle
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from benchmarks.faults.saboteur import SITECUSTOMIZE
from benchmarks.processes import NAMES, children
from drivers.plant_memory import PlantMemory, PlantTruth
from drivers.sim.served_folder import bus_folder
from supervisor.core.robot_file import load_robot
from supervisor.core.shared import segment
from supervisor.runtime.locate import find_robot

CLI: Final = "import sys; from supervisor.cli import main; sys.exit(main())"


class Victim:
    """One run. A context manager, in which it is alive.

    Args:
        folder: For its runs, sockets and states; nothing of it is shared with other runs.
        robot, mission: What to run.

    Attributes:
        pids: Numbers of its processes, by name; "launcher" is who started the others.
        shown: What the terminal said.
        truth: How the robot was last.
        cause_s, cause_monotonic_s: When the fault began, on the wall clock of the frames, and on that of the record.
    """

    def __init__(self, folder: Path, robot: str, mission: Path) -> None:
        self._folder, self._robot, self._mission = folder, robot, mission
        self.pids: dict[str, int] = {}
        self.shown = ""
        self.truth: PlantTruth | None = None
        self.cause_s = self.cause_monotonic_s = float("nan")
        self.status: int | None = None
        self._terminal = -1
        self._listener: subprocess.Popen[bytes] | None = None
        self._frames = folder / "frames.pickle"
        self._plant: PlantMemory | None = None
        self.plant_folder = Path()

    def __enter__(self) -> Victim:
        code = self._folder / "code"
        code.mkdir()
        (code / "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
        (self._folder / "runtime").mkdir(mode=0o700)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(code), str(Path.cwd()))),
            "XDG_RUNTIME_DIR": str(self._folder / "runtime"),
            "XDG_STATE_HOME": str(self._folder / "state"),
        }
        words = ["run", self._robot, "--policy", "pup_walk", "--sim", "--mission", str(self._mission)]
        words += ["--runs", str(self._folder / "runs")]
        number, self._terminal = pty.fork()
        if number == 0:
            os.execve(sys.executable, [sys.executable, "-c", CLI, *words], environment)
        self.pids["launcher"] = number
        threading.Thread(target=self._read, args=(self._terminal,), daemon=True).start()
        return self

    def _read(self, terminal: int) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(terminal, 65536):
                self.shown += data.decode(errors="replace")

    @property
    def last_shown(self) -> str:
        """The first lines that the terminal showed, without colours."""
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.shown)
        return " / ".join(line.strip() for line in text.splitlines() if line.strip())

    @property
    def told(self) -> str:
        """What the terminal said of processes, each once."""
        lines = [line.strip() for line in self.last_shown.split(" / ")]
        return "; ".join(dict.fromkeys(line for line in lines if " process " in line or "guardian:" in line))

    def close_terminal(self) -> None:
        """As when a window is closed, or a connection lost."""
        os.close(self._terminal)
        self._terminal = -1

    def find(self, timeout_s: float = 60.0) -> None:
        """Wait until every process is there, and listen on the buses from then on.

        Raises:
            TimeoutError: They do not come.
        """
        deadline_s = time.monotonic() + timeout_s
        while not {*NAMES} <= self.pids.keys():
            if time.monotonic() > deadline_s or not self.is_alive("launcher"):
                raise TimeoutError(f"the run did not start: {self.last_shown}")
            time.sleep(0.05)
            self.pids |= children(self.pids["launcher"])
        memory = next(segment.ROOT.glob(f"handrail-*-{self.pids['launcher']}-*"))
        self.plant_folder = memory / "plant"
        self._plant = PlantMemory(self.plant_folder, create=False)
        buses = load_robot(find_robot(self._robot)).config.buses
        folders = [str(bus_folder(self.plant_folder, name)) for name, bus in buses.items() if bus.kind == "can"]
        self._listener = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.faults.listener", str(self._frames), *folders], stdout=subprocess.PIPE
        )
        assert self._listener.stdout is not None
        self._listener.stdout.readline()

    @property
    def run_folder(self) -> Path:
        """The run's folder."""
        return next(path for path in (self._folder / "runs").iterdir() if not path.name.startswith("."))

    def wait_for(self, text: str, timeout_s: float) -> None:
        """Wait until the run's events say something.

        Raises:
            TimeoutError: They do not.
        """
        deadline_s = time.monotonic() + timeout_s
        while text not in (self.run_folder / "events.jsonl").read_text(encoding="utf-8", errors="replace"):
            if time.monotonic() > deadline_s or not self.is_alive("launcher"):
                raise TimeoutError(f"the events never said {text!r}: {self.last_shown}")
            self.look()
            time.sleep(0.05)

    def look(self) -> None:
        """See how the robot is."""
        if self._plant is not None:
            self.truth = self._plant.truth() or self.truth

    def mark(self) -> None:
        """The fault begins now."""
        self.cause_s, self.cause_monotonic_s = time.time(), time.monotonic()

    def must_be_well(self) -> None:
        """See that nothing has gone wrong by itself, as on a machine that stands still for 20 ms.

        Raises:
            TimeoutError: Something has.
        """
        gone = [name for name in self.pids if not self.is_alive(name)]
        events = (self.run_folder / "events.jsonl").read_text(encoding="utf-8", errors="replace")
        stops = [line for line in events.splitlines() if " because of " in line]
        if gone or stops:
            raise TimeoutError(f"stopped before the fault: {', '.join(gone)} {' '.join(stops)} {self.told}")

    def is_alive(self, name: str) -> bool:
        """Whether a process runs, or is stopped."""
        number = self.pids[name]
        if name == "launcher":
            if self.status is None:
                done, status = os.waitpid(number, os.WNOHANG)
                self.status = os.waitstatus_to_exitcode(status) if done else None
            return self.status is None
        with contextlib.suppress(OSError, IndexError):
            return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        return False

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a process a signal; nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pids[name], number)

    def wait_end(self, timeout_s: float) -> list[str]:
        """Wait until all processes have ended.

        Returns:
            Those that had to be killed.
        """
        deadline_s = time.monotonic() + timeout_s
        while any(map(self.is_alive, self.pids)) and time.monotonic() < deadline_s:
            self.look()
            time.sleep(0.05)
        left = [name for name in self.pids if self.is_alive(name)]
        for name in left:
            self.send(name, signal.SIGKILL)
        return left

    def frames(self) -> list[tuple[int, float, bytes]]:
        """What was heard: number of the bus, when on the wall clock, and the bytes. Ends the listening."""
        if self._listener is not None:
            self._listener.terminate()
            self._listener.wait(20.0)
            self._listener = None
        found: list[Any] = pickle.loads(self._frames.read_bytes())
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wait_end(0.0)
        if self._listener is not None:
            self._listener.kill()
            self._listener.wait()
        if self._plant is not None:
            self._plant.close()
            # Killed all at once, none of them was left to do it.
            shutil.rmtree(self.plant_folder.parent, ignore_errors=True)
        if self._terminal >= 0:
            os.close(self._terminal)
