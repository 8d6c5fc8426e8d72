"""How the latch gets to the disk without the control loop ever waiting for one.

The control process puts what is to be kept into shared memory, a copy of a few hundred bytes; that outlives it. The
recorder's process writes it to the disk, and says up to which number it is there. Nothing is energised before that
number says that CHECKING is on the disk, so a recorder that is slow, stopped or killed delays nothing but arming.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from supervisor.core.shared.slot import Slot
from supervisor.safety.latch_file import StateFile, read
from supervisor.safety.latch_format import Clocks, encode
from supervisor.safety.restart import Found, Kept

KEPT_BYTES: Final = 512
"""Of what the recorder answers: a number, and a problem in words."""

_NUMBER: Final = struct.Struct("<Q")


class SharedLatch:
    """A `LatchMemory` for the control process.

    Args:
        content: Where what is to be kept goes.
        kept: Where the answer is.
        path: The file, for what the process before left.
        robot: Name of the robot.
        clocks: Of the run.
    """

    def __init__(self, content: Slot, kept: Slot, path: Path, robot: str, clocks: Clocks) -> None:
        self._content = content
        self._kept = kept
        self._path = path
        self._robot = robot
        self._clocks = clocks
        self._refused = ""

    def load(self) -> Found:
        """What the process before left."""
        return read(self._path, self._robot, self._clocks)

    def store(self, kept: Kept) -> None:
        """Put it where it outlives this process."""
        try:
            self._content.write(encode(kept, self._robot, self._clocks))
            self._refused = ""
        except ValueError as error:
            self._refused = str(error)

    @property
    def is_kept(self) -> bool:
        """Whether what was stored last is on the disk."""
        return not self._refused and self._answer()[0] == self._content.number

    @property
    def problem(self) -> str:
        """Why it is not; empty while nothing is known to be wrong."""
        return self._refused or self._answer()[1]

    def _answer(self) -> tuple[int, str]:
        found = self._kept.read()
        if found is None:
            return 0, ""
        return _NUMBER.unpack_from(found[1])[0], found[1][_NUMBER.size :].decode(errors="replace")


class LatchKeeper:
    """Writes what the control process stores; for a process that may wait for the disk.

    Args:
        content: Where it comes from.
        kept: Where the answer goes.
        path: The file; opened here, and tried again where that fails.
    """

    def __init__(self, content: Slot, kept: Slot, path: Path) -> None:
        self._content = content
        self._kept = kept
        self._path = path
        self._file: StateFile | None = None
        self._number = 0
        self._problem = ""
        self._open()

    def step(self) -> None:
        """Write what is new. Never raises."""
        if self._content.number == self._number:
            return
        found = self._content.read()
        if found is None:
            return  # Overtaken while it was read: the next one will be whole.
        if self._file is None:
            self._open()
        if self._file is None:
            return
        number, content = found
        try:
            self._file.write(content)
        except (OSError, ValueError) as error:
            self._tell(f"{self._path}: {error}")
            return
        self._number = number
        self._tell("")

    def close(self) -> None:
        """Write what is still to be written, and let go of the file. Idempotent."""
        self.step()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        try:
            self._file = StateFile(self._path)
        except OSError as error:
            self._tell(f"{self._path}: {error.strerror or error}")

    def _tell(self, problem: str) -> None:
        """Answer, where there is something new to say."""
        last = self._kept.read()
        # Cut by bytes: a letter cut in two is replaced when it is read.
        answer = _NUMBER.pack(self._number) + problem.encode()[: KEPT_BYTES - _NUMBER.size]
        if last is None or last[1] != answer:
            self._kept.write(answer)
