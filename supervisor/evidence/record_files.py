"""The two files of a record: rows of every cycle, and what changes less often. One process writes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from supervisor.core.errors import RecordError
from supervisor.evidence.changes import PREAMBLE
from supervisor.evidence.row import RecordLayout

MINIMUM_FREE_BYTES = 64_000_000
"""With less room left on the disk the recorder calls itself unhealthy: about a minute before it is full."""


class RowFile:
    """The file of a record: a header, then rows. Never raises after construction: a failed write is kept as a problem.

    Args:
        path: The file; must not exist.
        layout: Of the rows.
        robot: Name of the robot.
        control_hz: Declared rate of the control loop.

    Attributes:
        problem: What went wrong first, "" while nothing did.
        lost: Rows that did not reach the file.

    Raises:
        RecordError: The file exists already, or cannot be created.
    """

    __slots__ = ("_descriptor", "_identity", "_is_begun", "_layout", "lost", "problem")

    def __init__(self, path: Path, layout: RecordLayout, robot: str, control_hz: float) -> None:
        self._layout = layout
        self._identity = (robot, control_hz)
        self._is_begun = False
        self.problem = ""
        self.lost = 0
        self._descriptor = _created(path)

    def begin(self, guards: Sequence[tuple[str, str]] = ()) -> None:
        """Write the header, once.

        Args:
            guards: Id and unit of each, in the order of the board, which only the first cycle shows; that of the safety
                file if not given.
        """
        if self._is_begun:
            return
        self._is_begun = True
        try:
            write_all(self._descriptor, self._layout.header(*self._identity, guards))
        except (OSError, KeyError) as error:
            self.problem = f"the record cannot be begun: {error}"
            self._release()

    def write(self, rows: bytes | memoryview, count: int) -> None:
        """Hand rows to the operating system.

        Args:
            rows: Their bytes.
            count: How many they are.
        """
        try:
            write_all(self._descriptor, rows)
            room = os.fstatvfs(self._descriptor)
            if room.f_bavail * room.f_frsize < MINIMUM_FREE_BYTES:
                self.problem = f"less than {MINIMUM_FREE_BYTES // 1_000_000} MB left on the record's disk"
        except OSError as error:
            self.lost += count
            self.problem = self.problem or f"the record cannot be written: {error.strerror or error}"
            # Nothing may follow a torn row, or everything after it would be out of place.
            self._release()

    def close(self) -> None:
        """Close. Idempotent."""
        self.begin()
        self._release()

    def _release(self) -> None:
        """Give the file back; every later write fails and is counted as lost."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


class ChangeFile:
    """The file of what changes less often than every cycle; see `supervisor/evidence/changes.py`.

    Args:
        path: The file; must not exist.

    Attributes:
        problem: What went wrong first, "" while nothing did.

    Raises:
        RecordError: The file exists already, or cannot be created.
    """

    __slots__ = ("_descriptor", "problem")

    def __init__(self, path: Path) -> None:
        self.problem = ""
        self._descriptor = _created(path)
        self.write(PREAMBLE)

    def write(self, entries: bytes | bytearray) -> None:
        """Hand entries to the operating system. After a failure nothing follows: it would be out of place."""
        if self.problem or not entries:
            return
        try:
            write_all(self._descriptor, entries)
        except OSError as error:
            self.problem = f"the changes cannot be written: {error.strerror or error}"

    def close(self) -> None:
        """Close. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)


def _created(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RecordError(f"cannot record to {path}: {error.strerror or error}") from None


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write everything; the operating system may take it in parts."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
