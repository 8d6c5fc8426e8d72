"""The record of every control cycle: rows of one fixed size behind a header that describes them.

    "HNDRLREC" | header length, uint32 | header, JSON in UTF-8 | row | row | row ...      all little endian

The header names every field with type, shape, offset and unit, the joints in order and the guards, so that the
file explains itself. `supervisor/evidence/record_reader.py` reads it back. Beside it lies the file of changes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from supervisor.core.joints import Vector
from supervisor.core.levels import OperatorAction
from supervisor.core.state import RobotState
from supervisor.evidence.changes import Change, pieces
from supervisor.evidence.packing import Decided, Given, RowPacker
from supervisor.evidence.record_files import ChangeFile, RowFile
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import changes_path

CHUNK_BYTES = 65_536
"""What is handed to the operating system at once: about 28 cycles of a 12-joint robot, copied in some 15 us."""


class CycleRecorder:
    """Appends one row per control cycle. Never raises after construction: a failed write makes it unhealthy.

    The buffer is made once; a full one goes to the operating system in a single write.

    Raises:
        RecordError: The file exists already, or cannot be created.
    """

    __slots__ = (
        "_buffer",
        "_changes",
        "_changes_file",
        "_file",
        "_fill",
        "_lost",
        "_packer",
        "_problem",
        "_row_bytes",
        "layout",
    )

    def __init__(self, path: Path, layout: RecordLayout, robot: str, control_hz: float) -> None:
        self.layout = layout
        self._row_bytes = layout.row_bytes
        self._buffer = bytearray(max(CHUNK_BYTES // layout.row_bytes, 1) * layout.row_bytes)
        self._packer = RowPacker(layout, self._buffer)
        self._fill = 0
        self._lost = 0
        self._problem = ""
        self._file = RowFile(path, layout, robot, control_hz)
        self._changes = bytearray()
        self._changes_file = ChangeFile(changes_path(path))

    def append(
        self,
        decision: int,
        state: RobotState,
        given: Given,
        presses: Sequence[OperatorAction],
        decided: Decided,
        proposed_position_rad: Vector | None = None,
        cycle_us: float = float("nan"),
    ) -> None:
        """Record one cycle; see `RowPacker.pack`."""
        fill = self._fill
        if fill == 0:
            self._file.begin([(reading.id, reading.unit) for reading in decided.board.readings])
        try:
            self._packer.pack(fill, decision, state, given, presses, decided, proposed_position_rad, cycle_us)
        except (struct.error, ValueError, TypeError) as error:
            self._lost += 1
            self._problem = f"a cycle does not fit the record: {error}"
            return
        self._fill = fill + 1
        if self._fill == self._packer.rows:
            self.flush()

    def change(self, change: Change) -> None:
        """Record something that holds from a decision on, before that cycle is."""
        for piece in pieces(change):
            self._changes += piece

    def flush(self) -> None:
        """Hand what is buffered to the operating system: the changes first, because rows need them."""
        if self._changes:
            self._changes_file.write(self._changes)
            self._changes.clear()
        if self._fill:
            self._file.write(memoryview(self._buffer)[: self._fill * self._row_bytes], self._fill)
            self._fill = 0

    def close(self) -> None:
        """Write what is left and close. Idempotent."""
        self.flush()
        self._changes_file.close()
        self._file.close()

    @property
    def is_healthy(self) -> bool:
        """Whether every cycle so far is in the record, and there is room for more."""
        return not self.problem

    @property
    def problem(self) -> str:
        """Why the recorder is not healthy, "" when it is."""
        return self._problem or self._file.problem or self._changes_file.problem

    @property
    def lost_cycles(self) -> int:
        """Cycles that did not reach the file."""
        return self._lost + self._file.lost
