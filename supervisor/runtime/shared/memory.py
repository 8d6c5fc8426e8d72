"""Everything that the processes of one run share, in its place: made by who starts them, opened by each."""

from __future__ import annotations

import json
import struct
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from supervisor.core.guard import GuardRow
from supervisor.core.levels import OperatorAction
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.core.shared.ring import Ring, RingReader
from supervisor.core.shared.segment import Segment
from supervisor.core.shared.slot import Slot
from supervisor.evidence.row import RecordLayout
from supervisor.runtime.shared.latch import KEPT_BYTES
from supervisor.runtime.shared.messages import OutputCodec
from supervisor.runtime.shared.steering import AskSlot
from supervisor.safety.latch_format import CAPACITY

ROW_PLACES: Final = 2048
"""Rows kept for readers: four seconds at 500 Hz, in which a recorder may be stopped and lose nothing."""

CHANGE_BYTES: Final = 1024
"""Of a piece of a change; an output of a 12-joint robot takes two."""

CHANGE_PLACES: Final = 1024
"""For twice as long as rows are kept."""

TEXT_BYTES: Final = 512_000
"""The words of a snapshot: an inventory of 30 motors takes 15 kB."""

COUNTER_BYTES: Final = 8192
PRESS_PLACES: Final = 64
NOTE_BYTES: Final = 1024
NOTE_PLACES: Final = 64
SMALL_BYTES: Final = 64

_PRESS: Final = struct.Struct("<qd")
_ACTIONS: Final = tuple(OperatorAction)

FILE: Final = "run"


class Health(NamedTuple):
    """What a process says of itself from time to time.

    Attributes:
        stamp_s: When; monotonic clock, the same for all processes.
        is_well: Whether it does what it should.
        number: A count of its own: rows lost, clients connected.
    """

    stamp_s: float
    is_well: bool
    number: int


class HealthSlot:
    """A place for one process's health."""

    _FORM: Final = struct.Struct("<d?q")

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def write(self, health: Health) -> None:
        """Say how it is."""
        self._slot.write(self._FORM.pack(*health))

    def read(self) -> Health | None:
        """The newest, None before the first."""
        found = self._slot.read()
        return None if found is None or len(found[1]) != self._FORM.size else Health(*self._FORM.unpack(found[1]))


class Presses:
    """The operator's presses, each once and in order, from one process to the control loop."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._reader = RingReader(ring)

    def post(self, action: OperatorAction, now_s: float) -> None:
        """One press."""
        self._ring.append(_PRESS.pack(_ACTIONS.index(action), now_s))

    def take(self) -> list[OperatorAction]:
        """The presses since the last call."""
        if self._reader.number == self._ring.written:
            return []
        codes = (_PRESS.unpack(row)[0] for row in self._reader.take(PRESS_PLACES))
        return [_ACTIONS[code] for code in codes if 0 <= code < len(_ACTIONS)]

    @staticmethod
    def size() -> int:
        """Bytes of memory."""
        return Ring.size(_PRESS.size, PRESS_PLACES)


class Note(NamedTuple):
    """Something for the record, from a process that does not write it.

    Attributes:
        kind: Value of an `EventKind`.
        time_s: When.
        text: One line.
        data: Numbers and texts.
    """

    kind: str
    time_s: float
    text: str
    data: Mapping[str, Any]


class Notes:
    """Notes for the record from one process, each once and in order."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._reader = RingReader(ring)

    def post(self, note: Note) -> None:
        """One note; a text that is too long is cut."""
        raw = json.dumps(note._asdict()).encode()
        if len(raw) > NOTE_BYTES:
            raw = json.dumps(note._replace(text=note.text[: NOTE_BYTES // 8], data={})._asdict()).encode()
        self._ring.append(raw.ljust(NOTE_BYTES))

    def take(self) -> list[Note]:
        """The notes since the last call."""
        if self._reader.number == self._ring.written:
            return []
        return [Note(**json.loads(row)) for row in self._reader.take(NOTE_PLACES)]


class RunMemory:
    """The shared memory of one run.

    Args:
        folder: Of the run's segments.
        robot: The robot; all processes have read the same file.
        safety: Its safety file.
        create: Whether to make it.

    Attributes:
        layout: Of the rows.
        rows: Control to recorder, mission and view: every cycle.
        changes: Control to recorder: what it was given and rows do not hold, in pieces.
        texts: Control to mission and recorder: the words of the newest snapshot.
        counters: Control to mission and recorder: the counters of gate and buses.
        output: Mission to control.
        operator_presses: Operator to control.
        stand_in_presses: The stand-in of the simulation to control.
        prompts: Mission to operator: questions, as JSON.
        answers: Operator to mission: what was answered, as JSON.
        wish: Operator to mission: the velocity that a person asks for.
        steered: Mission to operator: what the policy is told of it, and why not more.
        operator_notes, mission_notes: Each to the recorder.
        latch: Control to recorder: what outlives the run.
        latch_kept: Recorder to control: how much of it is on the disk.
        control, mission, recorder, operator, guardian: How each process is.

    Raises:
        LinkError: It cannot be made or opened.
    """

    def __init__(self, folder: Path, robot: RobotConfig, safety: SafetyConfig, *, create: bool) -> None:
        guards: tuple[GuardRow, ...] = tuple(safety.guards)
        self.layout = RecordLayout.of(robot.order, guards)
        self.codec = OutputCodec(len(robot.order), [row.id for row in guards])
        row_bytes = self.layout.row_bytes
        sizes = {
            "rows": Ring.size(row_bytes, ROW_PLACES),
            "changes": Ring.size(CHANGE_BYTES, CHANGE_PLACES),
            "texts": Slot.size(TEXT_BYTES),
            "counters": Slot.size(COUNTER_BYTES),
            "output": Slot.size(self.codec.capacity),
            "operator_presses": Presses.size(),
            "stand_in_presses": Presses.size(),
            "prompts": Slot.size(TEXT_BYTES),
            "answers": Slot.size(TEXT_BYTES),
            **{name: Slot.size(AskSlot.SIZE) for name in ("wish", "steered")},
            "latch": Slot.size(CAPACITY),
            "latch_kept": Slot.size(KEPT_BYTES),
            **{name: Ring.size(NOTE_BYTES, NOTE_PLACES) for name in ("operator_notes", "mission_notes")},
            **{name: Slot.size(SMALL_BYTES) for name in ("control", "mission", "recorder", "operator", "guardian")},
        }
        self._segment = Segment(folder / FILE, sum(sizes.values()), create=create)
        places: dict[str, memoryview] = {}
        start = 0
        for name, size in sizes.items():
            places[name] = self._segment.memory[start : start + size]
            start += size
        self.rows = Ring(places["rows"], row_bytes, ROW_PLACES)
        self.changes = Ring(places["changes"], CHANGE_BYTES, CHANGE_PLACES)
        self.texts = Slot(places["texts"], TEXT_BYTES)
        self.counters = Slot(places["counters"], COUNTER_BYTES)
        self.output = Slot(places["output"], self.codec.capacity)
        self.operator_presses = Presses(Ring(places["operator_presses"], _PRESS.size, PRESS_PLACES))
        self.stand_in_presses = Presses(Ring(places["stand_in_presses"], _PRESS.size, PRESS_PLACES))
        self.prompts = Slot(places["prompts"], TEXT_BYTES)
        self.answers = Slot(places["answers"], TEXT_BYTES)
        self.wish, self.steered = (AskSlot(Slot(places[name], AskSlot.SIZE)) for name in ("wish", "steered"))
        self.operator_notes = Notes(Ring(places["operator_notes"], NOTE_BYTES, NOTE_PLACES))
        self.mission_notes = Notes(Ring(places["mission_notes"], NOTE_BYTES, NOTE_PLACES))
        self.latch = Slot(places["latch"], CAPACITY)
        self.latch_kept = Slot(places["latch_kept"], KEPT_BYTES)
        self.control, self.mission, self.recorder, self.operator, self.guardian = (
            HealthSlot(Slot(places[name], SMALL_BYTES))
            for name in ("control", "mission", "recorder", "operator", "guardian")
        )

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._segment.close()


@contextmanager
def opened(folder: Path, robot: RobotConfig, safety: SafetyConfig) -> Generator[RunMemory]:
    """The shared memory of a run, for one process."""
    memory = RunMemory(folder, robot, safety, create=False)
    try:
        yield memory
    finally:
        memory.close()
