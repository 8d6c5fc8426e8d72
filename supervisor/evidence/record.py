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
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState
from supervisor.core.state import RobotState
from supervisor.evidence.row import RecordLayout, RowPacker

CHUNK_BYTES = 65_536
"""What is handed to the operating system at once: about 40 cycles of a 12-joint robot, copied in some 15 us."""

MINIMUM_FREE_BYTES = 64_000_000
"""With less room left on the disk the recorder calls itself unhealthy: about a minute before it is full."""


class CycleRecorder:
    """Appends one row per control cycle. Never raises after construction: a failed write makes it unhealthy.

    The buffer is made once; a full one goes to the operating system in a single write.

    Raises:
        RecordError: The file exists already, or cannot be created.
    """

    __slots__ = (
        "_buffer",
        "_descriptor",
        "_fill",
        "_identity",
        "_is_begun",
        "_lost",
        "_packer",
        "_problem",
        "_row_bytes",
        "_rows",
        "layout",
    )

    def __init__(self, path: Path, layout: RecordLayout, robot: str, control_hz: float) -> None:
        self.layout = layout
        self._row_bytes = layout.row_bytes
        self._rows = max(CHUNK_BYTES // layout.row_bytes, 1)
        self._buffer = bytearray(self._rows * layout.row_bytes)
        self._packer = RowPacker(layout, self._buffer)
        self._identity = (robot, control_hz)
        self._is_begun = False
        self._fill = 0
        self._lost = 0
        self._problem = ""
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RecordError(f"cannot record to {path}: {error.strerror or error}") from None

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
        if not self._is_begun:
            self._begin(board.readings)
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
        if self._fill == self._rows:
            self.flush()

    def _begin(self, readings: Sequence[GuardReading] = ()) -> None:
        """Write the header: the guards stand in the order of the board, which only the first cycle shows."""
        self._is_begun = True
        try:
            write_all(self._descriptor, self.layout.header(*self._identity, readings))
        except (OSError, KeyError) as error:
            self._problem = f"the record cannot be begun: {error}"
            self._release()

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        if self._fill == 0:
            return
        try:
            write_all(self._descriptor, memoryview(self._buffer)[: self._fill * self._row_bytes])
            room = os.fstatvfs(self._descriptor)
            if room.f_bavail * room.f_frsize < MINIMUM_FREE_BYTES:
                self._problem = f"less than {MINIMUM_FREE_BYTES // 1_000_000} MB left on the record's disk"
        except OSError as error:
            self._lost += self._fill
            self._problem = self._problem or f"the record cannot be written: {error.strerror or error}"
            # Nothing may follow a torn row, or everything after it would be out of place.
            self._release()
        self._fill = 0

    def close(self) -> None:
        """Write what is left and close. Idempotent."""
        if not self._is_begun:
            self._begin()
        self.flush()
        self._release()

    def _release(self) -> None:
        """Give the file back; every later write fails and is counted as lost."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    @property
    def is_healthy(self) -> bool:
        """Whether every cycle so far is in the record, and there is room for more."""
        return not self._problem

    @property
    def problem(self) -> str:
        """Why the recorder is not healthy, "" when it is."""
        return self._problem

    @property
    def lost_cycles(self) -> int:
        """Cycles that did not reach the file."""
        return self._lost


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write everything; the operating system may take it in parts."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
