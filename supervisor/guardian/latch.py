"""What outlives the guardian: one short line in a file, that says whether the robot was left in order.

| in the file | what it means for the next run |
|---|---|
| nothing, no file | nothing was ever left |
| clear | the robot was off, and no stop of a guardian is latched |
| live | motors may be on; found at a start: guardian, computer or power were lost meanwhile |
| stopped | a guardian has stopped the robot |
| anything else | torn or changed: as stopped |

`live` is written when motors may be switched on, so that the stop is on disk before it is needed: to send the frames
that stop the motors never waits for a disk.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from supervisor.core.errors import BusError
from supervisor.guardian.watch import Fault

RECORD_BYTES: Final = 128
"""Less than a sector of any disk: it is written whole, or the checksum tells."""

_HEAD: Final = "handrail-guardian 1"


class Left(Enum):
    """In which order the robot was left."""

    CLEAR = "clear"
    LIVE = "live"
    STOPPED = "stopped"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Latch:
    """What a latch file says.

    Attributes:
        left: In which order the robot was left.
        fault: What the guardian found.
        time_s: When, seconds since the epoch; 0 where nobody wrote.
    """

    left: Left
    fault: Fault = Fault.NONE
    time_s: float = 0.0

    @property
    def is_latched(self) -> bool:
        """Whether an operator must look before the robot is armed again."""
        return self.left is not Left.CLEAR


def latch_record(latch: Latch) -> bytes:
    """A latch as the bytes of its file."""
    text = f"{_HEAD} {latch.left.value} {latch.fault.name} {latch.time_s:.3f}"
    return f"{text} {zlib.crc32(text.encode()):08x}".ljust(RECORD_BYTES - 1).encode() + b"\n"


def parse_latch(raw: bytes) -> Latch:
    """The bytes of a file as a latch; what is torn or changed is DAMAGED. Never raises."""
    if not raw:
        return Latch(Left.CLEAR)
    with contextlib.suppress(ValueError, KeyError):
        text, checksum = raw.decode("ascii").rstrip().rsplit(" ", 1)
        head, left, fault, time_s = text.rsplit(" ", 3)
        if head == _HEAD and len(raw) == RECORD_BYTES and int(checksum, 16) == zlib.crc32(text.encode()):
            return Latch(Left(left), Fault[fault], float(time_s))
    return Latch(Left.DAMAGED)


def read_latch(path: Path) -> Latch:
    """What an earlier guardian has left; a file that cannot be read is DAMAGED."""
    try:
        return parse_latch(path.read_bytes())
    except FileNotFoundError:
        return Latch(Left.CLEAR)
    except OSError:
        return Latch(Left.DAMAGED)


def clear_latch(path: Path, time_s: float) -> None:
    """Forget what an earlier guardian has left: only where an operator has said so, with no guardian running.

    Raises:
        BusError: The file cannot be written.
    """
    file = LatchFile(path)
    try:
        file.write(Latch(Left.CLEAR, time_s=time_s))
    finally:
        file.close()


class LatchFile:
    """One file, open for a short record that is on disk when `write` returns.

    Args:
        path: Of the file; made for its owner alone where it is missing.

    Raises:
        BusError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DSYNC | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BusError(f"the guardian cannot keep its latch in {path}: {error.strerror}") from error

    def write(self, latch: Latch) -> bool:
        """Write, and wait until it is on disk.

        Returns:
            Whether it is; a disk that is full or gone is no reason to do anything else than before.
        """
        record = latch_record(latch)
        try:
            written = os.pwrite(self._descriptor, record, 0)
            if os.fstat(self._descriptor).st_size > RECORD_BYTES:
                # Whatever somebody has appended; a longer file is a damaged one.
                os.ftruncate(self._descriptor, RECORD_BYTES)
        except OSError:
            return False
        return written == RECORD_BYTES

    def close(self) -> None:
        """Close it. Idempotent."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = -1


class LatchKeeper:
    """Writes latches to all files in a thread of its own: who stops the motors never waits for a disk.

    Args:
        files: Where to write.
        wall_clock_s: Seconds since the epoch.

    Attributes:
        failed: Writes that did not reach the disk.
        written: The newest that reached all files.
    """

    def __init__(self, files: Sequence[LatchFile], wall_clock_s: Callable[[], float] = time.time) -> None:
        self._files = tuple(files)
        self._wall_clock_s = wall_clock_s
        self._posted: SimpleQueue[Latch | None] = SimpleQueue()
        self._newest: tuple[Left, Fault] | None = None
        self.failed = 0
        self.written: Latch | None = None
        self._thread = threading.Thread(target=self._work, name="latch", daemon=True)
        self._thread.start()

    def post(self, left: Left, fault: Fault = Fault.NONE) -> None:
        """Have something written, unless it is what was posted last. Never waits."""
        if (left, fault) != self._newest:
            self._newest = (left, fault)
            self._posted.put(Latch(left, fault, self._wall_clock_s()))

    def _work(self) -> None:
        while (latch := self._posted.get()) is not None:
            failed = sum(not file.write(latch) for file in self._files)
            self.failed += failed
            if not failed:
                self.written = latch

    def close(self, timeout_s: float = 1.0) -> None:
        """Wait, not for ever, until all is written."""
        self._posted.put(None)
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            for file in self._files:
                file.close()
