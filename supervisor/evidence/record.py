"""The record of every control cycle: rows of one fixed size behind a header that describes them.

    "HNDRLREC" | header length, uint32 | header, JSON in UTF-8 | row | row | row ...      all little endian

The header names every field with type, shape, offset and unit, the joints in order and the guards, so that the
file explains itself. `supervisor/evidence/record_reader.py` reads it back.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from supervisor.core.command import Actuation
from supervisor.core.errors import RecordError
from supervisor.core.guard import GuardBoard
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState
from supervisor.core.state import RobotState
from supervisor.evidence.row import RecordLayout, RowPacker

CHUNK_BYTES = 65_536
"""What is handed to the operating system at once: about 40 cycles of a 12-joint robot, copied in some 15 us."""

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
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RecordError(f"cannot record to {path}: {error.strerror or error}") from None

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


class CycleRecorder:
    """Appends one row per control cycle. Never raises after construction: a failed write makes it unhealthy.

    The buffer is made once; a full one goes to the operating system in a single write.

    Raises:
        RecordError: The file exists already, or cannot be created.
    """

    __slots__ = ("_buffer", "_file", "_fill", "_lost", "_packer", "_problem", "_row_bytes", "layout")

    def __init__(self, path: Path, layout: RecordLayout, robot: str, control_hz: float) -> None:
        self.layout = layout
        self._row_bytes = layout.row_bytes
        self._buffer = bytearray(max(CHUNK_BYTES // layout.row_bytes, 1) * layout.row_bytes)
        self._packer = RowPacker(layout, self._buffer)
        self._fill = 0
        self._lost = 0
        self._problem = ""
        self._file = RowFile(path, layout, robot, control_hz)

    def append(
        self,
        state: RobotState,
        board: GuardBoard,
        actuation: Actuation,
        arming: ArmingState,
        proposed_position_rad: Vector | None = None,
        cycle_us: float = float("nan"),
        *,
        is_at_rest: bool = False,
    ) -> None:
        """Record one cycle.

        Args:
            state: What was measured.
            board: What the guards found.
            actuation: What was written.
            arming: The arming state.
            proposed_position_rad: (n,) targets before the gate, None where there was no proposal.
            cycle_us: How long the cycle took by the machine's clock (microseconds).
            is_at_rest: Whether the motors are provably off.
        """
        fill = self._fill
        if fill == 0:
            self._file.begin([(reading.id, reading.unit) for reading in board.readings])
        try:
            self._packer.pack(
                fill,
                state,
                board,
                actuation,
                arming,
                is_at_rest=is_at_rest,
                proposed_position_rad=proposed_position_rad,
                cycle_us=cycle_us,
            )
        except (struct.error, ValueError, TypeError) as error:
            self._lost += 1
            self._problem = f"a cycle does not fit the record: {error}"
            return
        self._fill = fill + 1
        if self._fill == self._packer.rows:
            self.flush()

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        if self._fill:
            self._file.write(memoryview(self._buffer)[: self._fill * self._row_bytes], self._fill)
            self._fill = 0

    def close(self) -> None:
        """Write what is left and close. Idempotent."""
        self.flush()
        self._file.close()

    @property
    def is_healthy(self) -> bool:
        """Whether every cycle so far is in the record, and there is room for more."""
        return not self.problem

    @property
    def problem(self) -> str:
        """Why the recorder is not healthy, "" when it is."""
        return self._problem or self._file.problem

    @property
    def lost_cycles(self) -> int:
        """Cycles that did not reach the file."""
        return self._lost + self._file.lost


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write everything; the operating system may take it in parts."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
