"""What crosses shared memory is what was sent: a mission run over it is the very mission run without it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.robot_io import RobotIO
from drivers.sim.world import SimulatedWorld
from supervisor.core.exchange import MissionOutput
from supervisor.core.levels import OperatorAction
from supervisor.core.robot_file import load_robot
from supervisor.core.shared.ring import RingReader
from supervisor.evidence.changes import PREAMBLE, Change, ChangeKind, Changes, read_changes, unpadded
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.record_reader import read_record
from supervisor.runtime import app, lockstep_run
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.options import RunOptions
from supervisor.runtime.progress import SilentProgress
from supervisor.runtime.shared.links import RECORDER_SILENT_S, ControlLink, MissionLink, RingRecorder
from supervisor.runtime.shared.memory import Health, RunMemory
from supervisor.safety.core import SafetyCore
from tests.cli.test_commands import QUICK_MISSION

ROOT = Path(__file__).resolve().parents[3]
PUP = load_robot(ROOT / "config" / "robots" / "pup")


@pytest.fixture
def memory(tmp_path: Path):
    made = RunMemory(tmp_path, PUP.config, PUP.safety, create=True)
    yield made
    made.close()


@pytest.fixture
def one_cycle() -> tuple[Any, ...]:
    """What one control cycle of the demo robot leaves."""
    world = SimulatedWorld(PUP)
    port = RobotIO(PUP.config, world, world)
    core = SafetyCore(PUP.config, PUP.safety)
    inputs = core.inputs()
    inputs.state = port.read(0.0)
    decision = core.step(inputs, (), None, 0.0)
    return 0, inputs.state, inputs, (), decision


class SharedLink:
    """Both ends in one process, joined by nothing but shared memory."""

    def __init__(self, folder: Path) -> None:
        self.control_memory = RunMemory(folder, PUP.config, PUP.safety, create=True)
        self.mission_memory = RunMemory(folder, PUP.config, PUP.safety, create=False)
        control = ControlLink(self.control_memory)
        mission = MissionLink(self.mission_memory, PUP.config)
        self._control = control
        self.post_snapshot, self.take_actions = control.post_snapshot, control.take_actions
        self.snapshot, self.post_output, self.post_action = mission.snapshot, mission.post_output, mission.post_action

    def output(self) -> MissionOutput | None:
        self._control.collect()
        return self._control.output()


class BothRecorders:
    """The file, and the ring that the mission reads."""

    def __init__(self, file: CycleRecorder, ring: RingRecorder) -> None:
        self.file, self.ring = file, ring
        self.close = file.close

    def append(self, *row: Any, **more: Any) -> None:
        self.file.append(*row, **more)
        self.ring.append(*row, **more)

    def change(self, change: Change) -> None:
        self.file.change(change)
        self.ring.change(change)

    @property
    def is_healthy(self) -> bool:
        return self.file.is_healthy


def run(tmp_path: Path, name: str) -> Path:
    mission = tmp_path / "quick.yaml"
    mission.write_text(QUICK_MISSION.replace("LIMIT", "1.0"))
    options = RunOptions(robot="pup", policy="pup_walk", mission=str(mission), fast=True, runs=tmp_path / name)
    result = app.run_mission(options, SilentProgress())
    assert result.exit_code == 0
    return result.folder


def test_the_newest_output_goes_into_the_record_as_it_came(memory: RunMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    link = ControlLink(memory)
    MissionLink(memory, PUP.config).post_output(MissionOutput(3, 1.5, stage="stand"))
    came = memory.output.read()
    link.collect()
    newest = link.output()
    assert came is not None
    assert newest == MissionOutput(3, 1.5, stage="stand")
    monkeypatch.setattr(memory.codec, "encode", lambda output: pytest.fail("it was made again"))
    assert link.encode(newest) == came[1]


def test_another_output_is_put_into_bytes(memory: RunMemory) -> None:
    link = ControlLink(memory)
    assert link.output() is None
    assert link.encode(MissionOutput(4, 2.0)) == memory.codec.encode(MissionOutput(4, 2.0))


def test_a_mission_over_shared_memory_is_the_same_mission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run(tmp_path, "plain")
    link = SharedLink(tmp_path)
    file_recorder = lockstep_run.CycleRecorder
    monkeypatch.setattr(lockstep_run, "MemoryLink", lambda: link)
    monkeypatch.setattr(
        lockstep_run,
        "CycleRecorder",
        lambda *made: BothRecorders(file_recorder(*made), RingRecorder(link.control_memory)),
    )
    shared = run(tmp_path, "shared")
    one, other = read_record(plain / "cycles.bin"), read_record(shared / "cycles.bin")
    assert len(one) == len(other) > 500
    for name in one.units:
        if name != "cycle_us":
            np.testing.assert_array_equal(one.column(name), other.column(name), err_msg=name)
    assert _events(plain) == _events(shared)


def _events(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "events.jsonl").read_text().splitlines()
    return [(event["kind"], event["text"]) for event in map(json.loads, lines) if event["kind"] != "start"]


def test_every_place_of_the_ring_takes_a_cycle(memory: RunMemory, one_cycle: Any) -> None:
    recorder = RingRecorder(memory)
    for _ in range(memory.rows.places + 1):
        recorder.append(*one_cycle)
    assert recorder.lost_cycles == 0
    assert memory.rows.written == memory.rows.places + 1
    rows = [memory.rows.row(number) for number in range(2, memory.rows.written + 1)]
    assert len(set(rows)) == 1


def test_presses_arrive_once_and_in_order(memory: RunMemory) -> None:
    link = ControlLink(memory)
    assert link.take_actions() == []
    memory.operator_presses.post(OperatorAction.ARM, 1.0)
    memory.stand_in_presses.post(OperatorAction.START, 1.0)
    memory.operator_presses.post(OperatorAction.CUT, 1.1)
    assert link.take_actions() == [OperatorAction.ARM, OperatorAction.CUT, OperatorAction.START]
    assert link.take_actions() == []


def test_an_output_that_cannot_be_read_leaves_the_last_one(memory: RunMemory) -> None:
    link = ControlLink(memory)
    link.collect()
    assert link.output() is None
    memory.output.write(memory.codec.encode(MissionOutput(7, 0.5)))
    assert link.output() is None
    link.collect()
    assert link.output() == MissionOutput(7, 0.5)
    memory.output.write(b"rubbish")
    link.collect()
    assert link.output() == MissionOutput(7, 0.5)


def test_there_is_no_snapshot_before_the_first_cycle(memory: RunMemory) -> None:
    assert MissionLink(memory, PUP.config).snapshot() is None
    memory.rows.append(bytes(memory.layout.row_bytes))
    assert MissionLink(memory, PUP.config).snapshot() is None


@pytest.mark.parametrize(
    ("health", "elapsed_s", "is_healthy"),
    [
        (None, 0.1, True),
        (None, RECORDER_SILENT_S + 0.01, False),
        (Health(100.0, True, 0), 0.1, True),
        (Health(100.0, False, 3), 0.1, False),
        (Health(100.0, True, 0), RECORDER_SILENT_S + 0.01, False),
    ],
)
def test_a_recorder_that_is_unwell_or_silent_is_not_healthy(
    memory: RunMemory, health: Health | None, elapsed_s: float, is_healthy: bool
) -> None:
    now_s = [100.0]
    recorder = RingRecorder(memory, lambda: now_s[0])
    if health is not None:
        memory.recorder.write(health)
    now_s[0] += elapsed_s
    assert recorder.is_healthy is is_healthy


def test_the_links_have_every_end_of_the_link_in_memory() -> None:
    ends = {name for name in dir(MemoryLink) if not name.startswith("_")}
    assert ends == {name for kind in (ControlLink, MissionLink) for name in dir(kind) if name in ends}


def test_changes_cross_the_ring_in_pieces_and_come_out_whole(memory: RunMemory, tmp_path: Path) -> None:
    recorder, reader = RingRecorder(memory), RingReader(memory.changes)
    changes = (
        Change(0, ChangeKind.START, b"{}"),
        Change(5, ChangeKind.INVENTORY, b"a device, and more " * 1000),
        Change(6, ChangeKind.OUTPUT, b""),
    )
    for change in changes:
        recorder.change(change)
    path = tmp_path / "c"
    path.write_bytes(PREAMBLE + b"".join(map(unpadded, reader.take(memory.changes.places))))
    assert read_changes(path) == Changes(changes, "")
    assert memory.changes.written == 21
