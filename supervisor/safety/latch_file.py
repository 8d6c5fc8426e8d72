"""The file that the latch is kept in: one writer, ours alone, never larger or smaller."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from supervisor.safety.latch_format import BLANK, PLACE_BYTES, Clocks, encode, found_in, framed, newest
from supervisor.safety.restart import Found, Kept


def read(path: Path, robot: str, clocks: Clocks) -> Found:
    """What a file says, without opening it for writing. Never raises; no file is nothing found.

    Args:
        path: The file.
        robot: Whose it must be.
        clocks: Of this process.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return Found(None, "", clocks.now_s())
    except OSError as error:
        return Found(None, f"{path}: {error.strerror}", clocks.now_s())
    try:
        _require_ours(descriptor)
        found = found_in(os.read(descriptor, 2 * PLACE_BYTES + 1), robot, clocks)
    except OSError as error:
        return Found(None, f"{path}: {error.strerror or error}", clocks.now_s())
    finally:
        os.close(descriptor)
    return found if not found.problem else replace(found, problem=f"{path}: {found.problem}")


class StateFile:
    """The file, open for one writer.

    Args:
        path: Its folder is made where it is missing, for its owner alone.

    Raises:
        OSError: It cannot be opened, is not ours alone, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _prepare(path)
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_DSYNC)
        try:
            _require_ours(self._file)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raw = os.pread(self._file, 2 * PLACE_BYTES + 1, 0)
        except BlockingIOError:
            os.close(self._file)
            raise OSError(0, "another run has it open") from None
        except OSError:
            os.close(self._file)
            raise
        self._number, _, problem = newest(raw)
        self._is_damaged = bool(problem)

    def write(self, content: bytes) -> None:
        """Write a content; it is on the disk when this returns.

        Raises:
            OSError, ValueError: It is not.
        """
        # What was damaged is written anew from end to end: the damage has been taken over into the content.
        if self._is_damaged:
            os.ftruncate(self._file, 2 * PLACE_BYTES)
            self._put(content)
        self._put(content)
        self._is_damaged = False

    def _put(self, content: bytes) -> None:
        number = self._number + 1
        place = framed(content, number)
        if os.pwrite(self._file, place, number % 2 * PLACE_BYTES) != PLACE_BYTES:
            raise OSError(0, "written only in part")
        self._number = number

    def close(self) -> None:
        """Let go of it. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class FileMemory:
    """Keeps the latch in a file and waits for the disk: where time is virtual, or in a process that may wait.

    Args:
        path: The file.
        robot: Name of the robot.
        clocks: Of the run.
    """

    def __init__(self, path: Path, robot: str, clocks: Clocks) -> None:
        self._robot = robot
        self._clocks = clocks
        self._file: StateFile | None = None
        self._found = read(path, robot, clocks)
        self.is_kept = False
        self.problem = ""
        try:
            self._file = StateFile(path)
        except OSError as error:
            self.problem = f"{path}: {error.strerror or error}"
            self._found = replace(self._found, problem=self._found.problem or self.problem)

    def load(self) -> Found:
        """What the process before left."""
        return self._found

    def store(self, kept: Kept) -> None:
        """Write it; see `is_kept` for whether that worked."""
        if self._file is None:
            return
        self.is_kept = False
        try:
            self._file.write(encode(kept, self._robot, self._clocks))
        except (OSError, ValueError) as error:
            self.problem = str(error)
            return
        self.is_kept, self.problem = True, ""

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        if self._file is not None:
            self._file.close()


def _prepare(path: Path) -> None:
    """Make the file in its full size, which it appears with or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(descriptor, 2 * BLANK)
        os.fsync(descriptor)
        with suppress(FileExistsError):  # Another process was first.
            os.link(draft, path)
    finally:
        os.close(descriptor)
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _require_ours(descriptor: int) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "not a file")
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise OSError(0, f"not ours alone (user {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o})")
