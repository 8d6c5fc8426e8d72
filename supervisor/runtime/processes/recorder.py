"""The recorder's process: every cycle into the record, every change into the log of events.

It may be slow, stopped or killed: the control loop goes on, and its guard sees that nobody says the record is whole.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from supervisor.core.exchange import Snapshot
from supervisor.core.shared.ring import RingReader
from supervisor.core.shared.segment import remove_folder
from supervisor.evidence.changes import Change, ChangeKind, decision_of, pieces, unpadded
from supervisor.evidence.events import EventKind, EventLog
from supervisor.evidence.record_files import ChangeFile, RowFile
from supervisor.evidence.run_folder import CYCLES, EVENTS, changes_path
from supervisor.runtime.journal import Journal
from supervisor.runtime.processes.setup import Orphanage, Shared, guarded, receive, say, say_ready
from supervisor.runtime.realtime.scheduling import take_share
from supervisor.runtime.shared.latch import LatchKeeper
from supervisor.runtime.shared.links import SnapshotReader
from supervisor.runtime.shared.memory import CHANGE_PLACES, Health, RunMemory, opened

PERIOD_S: Final = 0.02
"""How often rows are taken: ten at 500 Hz."""

NICENESS: Final = -5

MOST_ROWS: Final = 500
"""Taken at once: a second's worth, so that one that was stopped catches up without being deaf meanwhile."""


@dataclass(frozen=True, slots=True)
class RecorderSetup:
    """What the recorder is to do."""

    shared: Shared


class _Telling:
    """Tells who started this process what a person should see. A `Progress`."""

    def update(self, now_s: float, stage: str, waiting_for: str, left_s: float, snapshot: Snapshot) -> None:
        """Nothing: whoever shows it looks for itself."""

    def message(self, now_s: float, text: str) -> None:
        """One line."""
        say({"message": text, "time_s": now_s})

    def close(self) -> None:
        """Nothing to take down."""


class Recorder:
    """Takes rows, outputs and notes, and writes them.

    Args:
        shared: What every process of the run needs.
        memory: The run's shared memory.
        clock_s: Monotonic.

    Raises:
        RecordError: A file cannot be made, or gone on with.
    """

    def __init__(self, shared: Shared, memory: RunMemory, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._memory = memory
        self._starter = shared.starter
        self._clock_s = clock_s
        self._rows = RingReader(memory.rows)
        robot = shared.robot
        self._reader = SnapshotReader(memory, robot)
        self._file = RowFile(shared.run / CYCLES, memory.layout, robot.name, robot.control_hz)
        self._changes = RingReader(memory.changes)
        self._last_change = 0
        self._changes_file = ChangeFile(changes_path(shared.run / CYCLES))
        self._log = EventLog(shared.run / EVENTS, resume=True)
        self._journal = Journal(self._log, _Telling())
        self._keeper = None if shared.latch is None else LatchKeeper(memory.latch, memory.latch_kept, shared.latch)
        self._output_number = 0
        self.is_ended = False

    def on_signal(self, number: int, frame: object) -> None:
        """End after what is there has been taken."""
        del number, frame
        self.is_ended = True

    def step(self) -> int:
        """Take what is there.

        Returns:
            How many rows that was.
        """
        memory = self._memory
        if self._keeper is not None:
            self._keeper.step()
        rows = self._rows.take(MOST_ROWS)
        texts = self._reader.texts
        # After the rows were taken: what they need is there by now, and gets to the disk before them.
        self._changes_file.write(self._take_changes())
        if rows and texts is not None:
            self._file.begin([(name, unit) for name, unit, _ in texts.board])
            self._file.write(b"".join(rows), len(rows))
            for row in rows:
                snapshot = self._reader.snapshot(row)
                if snapshot is not None:
                    self._journal.observe(snapshot, snapshot.state.now_s)
        found = memory.output.read()
        if found is not None and found[0] != self._output_number:
            self._output_number = found[0]
            output = memory.codec.decode(found[1])
            if output is not None:
                self._journal.observe_mission(output)
        for note in (*memory.operator_notes.take(), *memory.mission_notes.take()):
            self._log.append(EventKind(note.kind), note.time_s, note.text, note.data)
        lost = self._rows.lost + self._changes.lost + self._file.lost
        is_well = not (lost or self._file.problem or self._changes_file.problem) and self._log.is_healthy
        memory.recorder.write(Health(self._clock_s(), is_well, lost))
        return len(rows)

    def _take_changes(self) -> bytes:
        """What has changed, as it goes to the file."""
        lost = self._changes.lost
        taken = [unpadded(piece) for piece in self._changes.take(CHANGE_PLACES)]
        if self._changes.lost > lost:
            reason = b"the recorder fell behind: changes were written over before it took them"
            taken = [*pieces(Change(self._last_change, ChangeKind.LOST, reason)), *taken]
        if taken:
            self._last_change = decision_of(taken[-1])
        return b"".join(taken)

    def run(self) -> None:
        """Until it is told to end, and everything is written."""
        orphanage = Orphanage(self._memory.control, self._starter, self._clock_s)
        while not (self.is_ended or orphanage.is_alone):
            if self.step() < MOST_ROWS:
                time.sleep(PERIOD_S)
        while self.step() == MOST_ROWS:
            pass
        if self._keeper is not None:
            self._keeper.close()
        self._file.close()
        self._changes_file.close()
        if self._rows.lost:
            self._log.append(EventKind.NOTE, self._clock_s(), f"{self._rows.lost} cycles are not in the record")
        if not self.is_ended:
            self._log.append(EventKind.NOTE, self._clock_s(), "the run was left alone: whoever started it has died")
        self._log.close()


def run_recorder(setup: RecorderSetup) -> None:
    """Record a run.

    Raises:
        HandrailError: The shared memory or a file cannot be opened.
    """
    shared = setup.shared
    with opened(shared.memory, shared.robot, shared.safety) as memory:
        recorder = Recorder(shared, memory)
        signal.signal(signal.SIGTERM, recorder.on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say_ready("recorder", [take_share(NICENESS)])
        recorder.run()
    if not recorder.is_ended:
        remove_folder(shared.memory)  # Nobody else is left to do it.


def main() -> int:
    """Entry point of the process."""
    setup: RecorderSetup = receive(sys.stdin.buffer)
    return guarded(lambda: run_recorder(setup))


if __name__ == "__main__":
    sys.exit(main())
