"""The link between control and mission where each has a process of its own, and control's way to the record."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from supervisor.core.exchange import GateCounts, MissionOutput, Snapshot
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.joints import Vector
from supervisor.core.levels import GuardValue, Level, OperatorAction
from supervisor.core.robot import RobotConfig
from supervisor.core.state import BusStatistics, RobotState
from supervisor.evidence.changes import HEAD_BYTES, Change, pieces
from supervisor.evidence.packing import Decided, Given, RowPacker
from supervisor.evidence.row import ARMING_NUMBER
from supervisor.evidence.row_values import command_of, row_type, state_of
from supervisor.runtime.shared.memory import CHANGE_BYTES, RunMemory
from supervisor.runtime.shared.messages import Texts, decode_counters, decode_texts, encode_counters, encode_texts

RECORDER_SILENT_S: Final = 0.5
"""A recorder that has not said for so long that it is well is not."""

LOOK_CYCLES: Final = 10
"""The recorder is looked at every so many cycles."""

_ARMING: Final = tuple(ARMING_NUMBER)
_LEVELS: Final = tuple(Level)
_VALUES: Final = tuple(GuardValue)
_NAN: Final = float("nan")


class ControlLink:
    """The control loop's end: a `ControlEnd`. Also an `OutputEncoder` that remembers the newest output's bytes.

    Args:
        memory: The run's shared memory.
    """

    __slots__ = (
        "_buses",
        "_drills",
        "_inventories",
        "_memory",
        "_output",
        "_output_number",
        "_output_raw",
        "_own_presses",
        "_words",
    )

    def __init__(self, memory: RunMemory) -> None:
        self._memory = memory
        self._own_presses: list[OperatorAction] = []
        self._output: MissionOutput | None = None
        self._output_raw = b""
        self._output_number = 0
        self._words: tuple[object, ...] = ()
        self._inventories = self._drills = 0
        self._buses: object = None

    def post_snapshot(self, snapshot: Snapshot) -> None:
        """Publish words and counters where they have changed; the row follows when the cycle is recorded."""
        # Each is an object of its own for as long as it stays the same.
        words = (snapshot.refusals, snapshot.stop, snapshot.inventory, snapshot.drill)
        if not self._words or any(new is not old for new, old in zip(words, self._words, strict=True)):
            self._inventories += not self._words or snapshot.inventory is not self._words[2]
            self._drills += not self._words or snapshot.drill is not self._words[3]
            self._words = words
            self._memory.texts.write(encode_texts(snapshot, self._inventories, self._drills))
        if snapshot.buses is not self._buses:
            self._buses = snapshot.buses
            self._memory.counters.write(encode_counters(snapshot.gate, snapshot.buses))

    def collect(self) -> None:
        """Take the newest output. Before the clock is read: then nothing in a cycle is newer than the cycle itself.

        One that cannot be read leaves the last: its age is watched.
        """
        slot = self._memory.output
        if slot.number != self._output_number:
            found = slot.read()
            if found is not None:
                self._output_number = found[0]
                decoded = self._memory.codec.decode(found[1])
                if decoded is not None:
                    self._output, self._output_raw = decoded, found[1]

    def encode(self, output: MissionOutput) -> bytes:
        """An output as bytes; the newest one as it came, for the loop has no time to make the same bytes again."""
        return self._output_raw if output is self._output else self._memory.codec.encode(output)

    def output(self) -> MissionOutput | None:
        """The output that was collected last, None before the first."""
        return self._output

    def press(self, action: OperatorAction) -> None:
        """A press that comes from this process itself: a signal, a stop input."""
        self._own_presses.append(action)

    def take_actions(self) -> Sequence[OperatorAction]:
        """The presses since the last call: this process's own, the operator's, the stand-in's."""
        own, memory = self._own_presses, self._memory
        pressed = [*own, *memory.operator_presses.take(), *memory.stand_in_presses.take()]
        own.clear()
        return pressed


class RingRecorder:
    """Where the control loop leaves its cycles for the recorder. As `CycleRecorder`, but for a file.

    Args:
        memory: The run's shared memory.
        clock_s: Monotonic.
    """

    def __init__(self, memory: RunMemory, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._memory = memory
        self._ring = memory.rows
        self._changes = memory.changes
        self._packer = RowPacker(memory.layout, memory.rows.memory, memory.rows.rows_start, memory.rows.stride)
        self._clock_s = clock_s
        self._cycles = 0
        self._began_s = clock_s()
        self._is_well = True
        self.lost_cycles = 0

    def change(self, change: Change) -> None:
        """Publish what holds from a decision on; see `CycleRecorder.change`."""
        for piece in pieces(change, CHANGE_BYTES - HEAD_BYTES):
            self._changes.append(piece.ljust(CHANGE_BYTES, b"\0"))

    def append(
        self,
        decision: int,
        state: RobotState,
        given: Given,
        presses: Sequence[OperatorAction],
        decided: Decided,
        proposed_position_rad: Vector | None = None,
        cycle_us: float = _NAN,
    ) -> None:
        """Publish one cycle; see `CycleRecorder.append`."""
        ring = self._ring
        try:
            self._packer.pack(
                ring.next_place, decision, state, given, presses, decided, proposed_position_rad, cycle_us
            )
        except (struct.error, ValueError, TypeError, IndexError):
            self.lost_cycles += 1
            return
        ring.publish()

    @property
    def is_healthy(self) -> bool:
        """Whether the recorder said lately that everything so far is in the record."""
        self._cycles += 1
        if self._cycles % LOOK_CYCLES == 1:
            health, now_s = self._memory.recorder.read(), self._clock_s()
            if health is None:
                self._is_well = now_s - self._began_s < RECORDER_SILENT_S
            else:
                self._is_well = health.is_well and now_s - health.stamp_s < RECORDER_SILENT_S
        return self._is_well and not self.lost_cycles


class SnapshotReader:
    """Puts snapshots together from what the control loop has published.

    Args:
        memory: The run's shared memory.
        robot: The robot.
    """

    def __init__(self, memory: RunMemory, robot: RobotConfig) -> None:
        self._memory = memory
        self._robot = robot
        self._type = row_type(memory.layout)
        self._texts: Texts | None = None
        self._texts_number = 0
        self._counters: tuple[GateCounts, dict[str, BusStatistics]] = (GateCounts(), {})
        self._counters_number = 0

    @property
    def texts(self) -> Texts | None:
        """The newest words, None before the first."""
        slot = self._memory.texts
        if slot.number != self._texts_number:
            found = slot.read()
            decoded = None if found is None else decode_texts(found[1], self._texts)
            if found is not None and decoded is not None:
                self._texts_number, self._texts = found[0], decoded
        return self._texts

    def newest(self) -> Snapshot | None:
        """The newest snapshot, None before the first."""
        found = self._memory.rows.newest()
        return None if found is None else self.snapshot(found[1])

    def snapshot(self, raw: bytes) -> Snapshot | None:
        """A row with the words and counters of now; None before the first words."""
        texts = self.texts
        if texts is None:
            return None
        slot = self._memory.counters
        if slot.number != self._counters_number:
            counters = slot.read()
            decoded = None if counters is None else decode_counters(counters[1], list(self._robot.buses))
            if counters is not None and decoded is not None:
                self._counters_number, self._counters = counters[0], decoded
        row = np.frombuffer(raw, dtype=self._type)[0]
        board = _board(row, texts)
        gate, buses = self._counters
        return Snapshot(
            state_of(row, self._robot.order),
            board,
            _LEVELS[row["level"]],
            _ARMING[row["arming"]],
            texts.refusals,
            texts.stop,
            bool(row["is_at_rest"]),
            command_of(row),
            texts.inventory,
            texts.drill,
            gate,
            buses,
        )


class MissionLink:
    """The mission loop's end, and the stand-in's: a `MissionEnd` and a `PressEnd`.

    Args:
        memory: The run's shared memory.
        robot: The robot.
        clock_s: Monotonic.
    """

    def __init__(self, memory: RunMemory, robot: RobotConfig, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._memory = memory
        self._clock_s = clock_s
        self.reader = SnapshotReader(memory, robot)

    def snapshot(self) -> Snapshot | None:
        """The newest snapshot, None before the first."""
        return self.reader.newest()

    def post_output(self, output: MissionOutput) -> None:
        """Publish."""
        self._memory.output.write(self._memory.codec.encode(output))

    def post_action(self, action: OperatorAction) -> None:
        """One press of the stand-in."""
        self._memory.stand_in_presses.post(action, self._clock_s())


def _board(row: Any, texts: Texts) -> GuardBoard:
    columns = (
        row["guard_value"].tolist(),
        row["guard_measured"].tolist(),
        row["guard_limit"].tolist(),
        row["guard_joint"].tolist(),
        row["guard_tripped"].tolist(),
    )
    readings = tuple(
        GuardReading(name, _VALUES[value], measured, limit, unit, joint, bool(tripped), level, _NAN)
        for (name, unit, level), value, measured, limit, joint, tripped in zip(texts.board, *columns, strict=True)
    )
    level = max((reading.level for reading in readings if reading.tripped), default=Level.NONE)
    return GuardBoard(readings, level)
