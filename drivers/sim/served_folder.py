"""The folder of a served plant: whose it is, and what hosts find in it.

    buses/<name>/   one CAN bus, with a socket for each participant
    lines.json      the robot's name, and the pseudo-terminals of its serial lines, for the host and for who listens
                    beside it: written when everything can be used
    plant           memory shared with the processes of a run, see `drivers.plant_memory`

A plant locks its folder while it serves. The lock goes when the process does, however it ends: what a killed plant left
in `lines.json` may name another program's terminal by now, and is never used.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from supervisor.core.errors import BusError, SimulationError

BUSES: Final = "buses"
LINES: Final = "lines.json"

_LOCK_TRIES: Final = 20
_LOCK_PAUSE_S: Final = 0.01
"""A host that looks whether somebody serves holds the lock for a moment."""


class PlantFolder:
    """A folder, held by the one plant that serves there.

    Args:
        path: The folder; made, for its owner alone, where it is missing, with the folder it lies in.

    Raises:
        SimulationError: It cannot be made, belongs to somebody else, others may enter it, or another plant serves
            there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)
        except OSError as error:
            raise SimulationError(f"cannot make {path} for a simulated robot: {error.strerror}") from None
        try:
            self._descriptor = _open_own(path)
        except BusError as error:
            raise SimulationError(str(error)) from None
        try:
            self._lock()
            self._remove(LINES)
            with contextlib.suppress(FileExistsError):
                (path / BUSES).mkdir(mode=0o700)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _lock(self) -> None:
        for _ in range(_LOCK_TRIES):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(_LOCK_PAUSE_S)
        raise SimulationError(f"a simulated robot is served at {self.path} already; end it, or give another folder")

    def publish(self, robot: str, lines: Mapping[str, str], listening: Mapping[str, str]) -> None:
        """Tell hosts that everything can be used, and where the serial lines are.

        Args:
            robot: Its name.
            lines: Paths of the pseudo-terminals, by bus.
            listening: The same for who only listens.
        """
        new = self.path / f".{LINES}"
        new.write_text(json.dumps({"robot": robot, "lines": dict(lines), "listening": dict(listening)}))
        new.replace(self.path / LINES)

    def close(self) -> None:
        """Leave nothing behind but what hosts still use, or others have put there. Idempotent."""
        if self._descriptor < 0:
            return
        self._remove(LINES)
        with contextlib.suppress(OSError):
            for bus in (self.path / BUSES).iterdir():
                with contextlib.suppress(OSError):
                    bus.rmdir()
            (self.path / BUSES).rmdir()
            self.path.rmdir()
        os.close(self._descriptor)
        self._descriptor = -1

    def _remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


def bus_folder(path: Path, name: str) -> Path:
    """Where a CAN bus is, in the folder of a served plant.

    Raises:
        SimulationError: The bus has a name that no file can have.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise SimulationError(f"a bus named {name!r} cannot be served: it needs a folder of that name")
    return path / BUSES / name


def read_lines(path: Path, *, listens: bool = False) -> tuple[str, Mapping[str, str]]:
    """Which robot is served in a folder, and where its serial lines are.

    Args:
        path: The folder.
        listens: For somebody who only listens, beside the host.

    Raises:
        BusError: Nobody serves there, it does not yet, or the folder is not ours alone.
    """
    descriptor = _open_own(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        raise BusError(_nobody(path))
    finally:
        os.close(descriptor)
    try:
        found: Any = json.loads((path / LINES).read_bytes())
        return str(found["robot"]), cast("dict[str, str]", dict(found["listening" if listens else "lines"]))
    except (OSError, ValueError, TypeError, KeyError):
        raise BusError(f"the simulated robot at {path} is not ready yet") from None


def _nobody(path: Path) -> str:
    return f"no simulated robot is served at {path}; start one: handrail sim ROBOT --dir {path}"


def _open_own(path: Path) -> int:
    """Open a folder that nobody but us can enter.

    Raises:
        BusError: It is another's, others may enter it, or it is none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BusError(_nobody(path)) from None
    except OSError as error:
        raise BusError(f"{path} is not the folder of a simulated robot: {error.strerror}") from None
    found = os.fstat(descriptor)
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == os.geteuid() and mode & 0o077 == 0:
        return descriptor
    os.close(descriptor)
    raise BusError(
        f"{path} belongs to user {found.st_uid} with permissions {mode:04o}; the folder of a simulated robot must "
        f"belong to user {os.geteuid()} with 0700 (chmod 700 {path})"
    )
