"""Starting a process of a run, and telling it what it is to do, over a pipe from who starts it."""

from __future__ import annotations

import base64
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from supervisor.core.errors import HandrailError, RefusedError
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.runtime.options import Voice
from supervisor.runtime.realtime.scheduling import Effect
from supervisor.runtime.shared.memory import HealthSlot

ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1"}
"""For every process, unless the user says otherwise: our matrices are small, and a second thread of BLAS costs more
than it gives, 40 MiB of locked memory among it."""

POLL_S: Final = 0.02
"""How often somebody who waits for a process does something else."""


ALONE_S: Final = 2.0
"""A control loop that was silent for so long has ended."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What every process of a run needs.

    Attributes:
        robot: The robot, with the interfaces of the buses that are used.
        safety: Its safety file.
        memory: Folder of the shared memory.
        run: The run's folder.
        plant: Folder of the simulated plant's memory, None on a real robot.
        latch: File that keeps the latch between runs, None to keep nothing.
        voice: What the run may say on the buses.
        starter: Number of the process that makes this, and starts the others.
    """

    robot: RobotConfig
    safety: SafetyConfig
    memory: Path
    run: Path
    plant: Path | None = None
    latch: Path | None = None
    voice: Voice = Voice.COMMANDS
    starter: int = field(default_factory=os.getpid)


class Child:
    """A process of a run, as who started it sees it.

    Args:
        name: For people.
        module: Whose `main` it runs.
        setup: What it is to do; written to its standard input, which is the only thing that it unpickles.
        inherited: Descriptors that it keeps.
        on_message: Called, from a thread of its own, with each thing it tells besides being ready and its part.

    Attributes:
        name: As given.
        lines: What it told when it was ready, or why it is not.
    """

    def __init__(
        self,
        name: str,
        module: str,
        setup: Any,
        *,
        inherited: Sequence[int] = (),
        on_message: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.name = name
        self.lines: tuple[str, ...] = ()
        self._part: Any = None
        self._is_ready = threading.Event()
        self._is_well = False
        self._on_message = on_message
        # A session of its own: Ctrl-C in the terminal is for who started it, who then ends it in order.
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and our own module)
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=tuple(inherited),
            env={**ONE_THREAD, **os.environ},
        )
        stdin = cast("BinaryIO", self._process.stdin)
        # One that has ended already cannot read; whoever waits for it to be ready learns that.
        with suppress(BrokenPipeError):
            stdin.write(pickle.dumps(setup))
        with suppress(BrokenPipeError):
            stdin.close()
        self._listener = threading.Thread(target=self._listen, name=f"listen to {name}", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        with cast("BinaryIO", self._process.stdout) as stream:
            for raw in stream:
                with suppress(ValueError, KeyError, TypeError):
                    self._hear(json.loads(raw))
        self._is_ready.set()

    def _hear(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.lines = (*self.lines, *map(str, message["lines"]))
            self._is_well = bool(message["ready"])
            self._is_ready.set()
        elif "part" in message:
            self._part = pickle.loads(base64.b64decode(message["part"]))  # noqa: S301 (from our own child)
        elif self._on_message is not None:
            self._on_message(message)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, None while it runs; negative for a signal."""
        return self._process.poll()

    def wait_ready(self, timeout_s: float, meanwhile: Callable[[], None] | None = None) -> None:
        """Wait until it works.

        Args:
            timeout_s: At most so long.
            meanwhile: Called again and again.

        Raises:
            RefusedError: It does not, and why.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self._is_ready.wait(POLL_S) and time.monotonic() < deadline_s:
            if meanwhile is not None:
                meanwhile()
        if self._is_well:
            return
        reason = "; ".join(self.lines) or f"not ready after {timeout_s:g} s"
        raise RefusedError([f"the {self.name} process could not start: {reason}"])

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end; nothing where it has."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def wait(self, timeout_s: float) -> Any:
        """Wait until it has ended, and take what it leaves.

        Returns:
            Its part; None when it left none. One that does not end in time is killed.
        """
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(1.0)
        return self._part


def receive(stream: BinaryIO) -> Any:
    """What a process is to do, from its standard input, which its parent holds.

    What it says later is dropped where nobody takes it: a parent that stands still must not hold it up.
    """
    os.set_blocking(sys.stdout.fileno(), False)
    return pickle.loads(stream.read())  # noqa: S301 (from the process that started this one)


class Orphanage:
    """Whether a process is left alone: who started it has died, and the control loop runs no more.

    Args:
        control: How the control process is.
        starter: Number of the process that started this one, as that one has told it: it may have died since.
        clock_s: Monotonic.
        parent: Number of the process whose child this one is now.
    """

    def __init__(
        self,
        control: HealthSlot,
        starter: int,
        clock_s: Callable[[], float] = time.monotonic,
        parent: Callable[[], int] = os.getppid,
    ) -> None:
        self._control, self._starter, self._clock_s, self._parent = control, starter, clock_s, parent
        self._began_s = clock_s()

    @property
    def is_alone(self) -> bool:
        """Whether nobody is left. While control brings the robot to rest, it has this process still."""
        if self._parent() == self._starter:
            return False
        health = self._control.read()
        last_s = self._began_s if health is None else health.stamp_s
        return self._clock_s() - last_s > ALONE_S


def say(content: Mapping[str, Any]) -> None:
    """Tell who started this process something, as one line of JSON. Nobody listening any more is no fault."""
    with suppress(OSError, ValueError):
        sys.stdout.write(json.dumps(content) + "\n")
        sys.stdout.flush()


def say_ready(name: str, effects: Sequence[Effect], lines: Sequence[str] = ()) -> None:
    """Tell who started this process that it works now.

    Args:
        name: Of this process.
        effects: What the operating system was asked for; what it has refused is shown to a person at once.
        lines: What else is worth knowing.
    """
    say({"ready": True, "lines": [*lines, *map(str, effects)]})
    for effect in effects:
        if not effect.is_met:
            say({"shown": f"{name}: {effect}"})


def leave_part(part: Any) -> None:
    """Leave something for who started this process, as its last word. Waits until it is taken."""
    os.set_blocking(sys.stdout.fileno(), True)
    say({"part": base64.b64encode(pickle.dumps(part)).decode()})


def guarded(work: Callable[[], None]) -> int:
    """Carry a process's work out; what goes wrong becomes one line of JSON and an exit code.

    Returns:
        0, 10 where nothing could begin, 70 where something broke.
    """
    try:
        work()
    except HandrailError as error:
        say({"ready": False, "lines": [str(error)]})
        return 10
    except Exception as error:  # noqa: BLE001 (the last wrapper: the parent must hear of it)
        traceback.print_exc()
        say({"ready": False, "lines": [f"{type(error).__name__}: {error}"]})
        return 70
    return 0
