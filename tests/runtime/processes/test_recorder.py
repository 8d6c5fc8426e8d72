"""The recorder's own loop, stepped by hand: what it takes goes to the disk, and what it missed is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.core.robot_file import load_robot
from supervisor.evidence.changes import Change, ChangeKind, read_changes
from supervisor.evidence.events import EventLog
from supervisor.runtime.processes.recorder import Recorder
from supervisor.runtime.processes.setup import Shared
from supervisor.runtime.shared.links import RingRecorder
from supervisor.runtime.shared.memory import RunMemory

PUP = load_robot(Path(__file__).resolve().parents[3] / "config" / "robots" / "pup")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[RunMemory]:
    made = RunMemory(tmp_path, PUP.config, PUP.safety, create=True)
    yield made
    made.close()


@pytest.fixture
def recorder(tmp_path: Path, memory: RunMemory) -> Recorder:
    EventLog(tmp_path / "events.jsonl").close()
    return Recorder(Shared(PUP.config, PUP.safety, tmp_path, tmp_path), memory, lambda: 5.0)


def change(number: int) -> Change:
    return Change(number, ChangeKind.OUTPUT, str(number).encode())


def test_changes_are_written_as_they_come(tmp_path: Path, memory: RunMemory, recorder: Recorder) -> None:
    ring = RingRecorder(memory)
    for number in range(5):
        ring.change(change(number))
        recorder.step()
    found = read_changes(tmp_path / "cycles.changes")
    assert (found.entries, found.problem) == (tuple(map(change, range(5))), "")
    assert memory.recorder.read().is_well


def test_changes_that_were_written_over_are_told_where_they_are_missing(
    tmp_path: Path, memory: RunMemory, recorder: Recorder
) -> None:
    ring = RingRecorder(memory)
    ring.change(change(0))
    recorder.step()
    for number in range(1, memory.changes.places + 4):
        ring.change(change(number))
    recorder.step()
    found = read_changes(tmp_path / "cycles.changes")
    reason = b"the recorder fell behind: changes were written over before it took them"
    assert found.entries[:3] == (change(0), Change(0, ChangeKind.LOST, reason), change(4))
    assert found.entries[-1] == change(memory.changes.places + 3)
    health = memory.recorder.read()
    assert (health.is_well, health.number) == (False, 3)
