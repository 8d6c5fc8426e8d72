"""Starting a process of a run, and telling it what it is to do, over a pipe from who starts it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from supervisor.core.errors import HandrailError
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig


@dataclass(frozen=True, slots=True)
class Shared:
    """What every process of a run needs.

    Attributes:
        robot: The robot, with the interfaces of the buses that are used.
        safety: Its safety file.
        memory: Folder of the shared memory.
        run: The run's folder.
        plant: Folder of the simulated plant's memory, None on a real robot.
    """

    robot: RobotConfig
    safety: SafetyConfig
    memory: Path
    run: Path
    plant: Path | None = None


def start(module: str, setup: Any, *, inherited: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start one process.

    It gets a session of its own: Ctrl-C in the terminal is for who started it, who then ends it in order.

    Args:
        module: Whose `main` it runs.
        setup: What it is to do; written to its standard input, which is the only thing that it unpickles.
        inherited: Descriptors that it keeps.
    """
    process = subprocess.Popen(  # noqa: S603 (our own interpreter and our own module)
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        pass_fds=tuple(inherited),
    )
    assert process.stdin is not None  # noqa: S101 (a pipe was asked for)
    try:
        process.stdin.write(pickle.dumps(setup))
        process.stdin.close()
    except BrokenPipeError:
        pass  # It has ended already; whoever waits for it to be ready learns that.
    return process


def receive(stream: BinaryIO) -> Any:
    """What a process is to do, from its standard input, which its parent holds."""
    return pickle.loads(stream.read())  # noqa: S301 (from the process that started this one)


def say_ready(lines: Sequence[str] = ()) -> None:
    """Tell who started this process that it works now, and what is worth knowing, as one line of JSON."""
    sys.stdout.write(json.dumps({"ready": True, "lines": list(lines)}) + "\n")
    sys.stdout.flush()


def guarded(work: Callable[[], None]) -> int:
    """Carry a process's work out; what goes wrong becomes one line of JSON and an exit code.

    Returns:
        0, 10 where nothing could begin, 70 where something broke.
    """
    try:
        work()
    except HandrailError as error:
        sys.stdout.write(json.dumps({"ready": False, "lines": [str(error)]}) + "\n")
        return 10
    except Exception as error:  # noqa: BLE001 (the last wrapper: the parent must hear of it)
        traceback.print_exc()
        sys.stdout.write(json.dumps({"ready": False, "lines": [f"{type(error).__name__}: {error}"]}) + "\n")
        return 70
    return 0
