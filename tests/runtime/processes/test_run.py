"""Runs in processes: whole ones, and those whose processes are killed or stopped."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from supervisor.core.exchange import Snapshot
from supervisor.core.shared import segment
from supervisor.evidence.events import read_events
from supervisor.evidence.record_reader import read_record
from supervisor.runtime.app import run_mission
from supervisor.runtime.options import RunOptions, RunResult
from supervisor.runtime.processes.setup import Child
from supervisor.runtime.progress import SilentProgress
from supervisor.runtime.replay import Replayed, replay_run
from tests.runtime.processes.patient import patient_robot, stages


class Culprit(SilentProgress):
    """Does something to the run when it says a certain thing, and keeps what it says."""

    def __init__(self, when: str, deed: Callable[[], None]) -> None:
        self.when, self.deed = when, deed
        self.lines: list[str] = []
        self._lock = threading.Lock()

    def update(self, now_s: float, stage: str, waiting_for: str, left_s: float, snapshot: Snapshot) -> None:
        """Nothing."""

    def message(self, now_s: float, text: str) -> None:
        with self._lock:
            self.lines.append(text)
            is_due = self.when and self.when in text
            if is_due:
                self.when = ""
        if is_due:
            self.deed()


def run(folder: Path, progress: Culprit, *names: str) -> RunResult:
    options = RunOptions(str(patient_robot(folder)), "pup_walk", str(stages(folder, *names)), runs=folder / "runs")
    before = set(segment.ROOT.glob(f"handrail-*-{os.getpid()}-*"))
    result = run_mission(options, progress)
    assert set(segment.ROOT.glob(f"handrail-*-{os.getpid()}-*")) == before
    return result


def assert_whole(result: RunResult) -> None:
    """The record is complete, the log's chain holds to its end, and the safety core decides the very same again."""
    assert read_events(result.folder / "events.jsonl").problems == ()
    record = read_record(result.folder / "cycles.bin")
    assert record.leftover_bytes == 0
    assert len(record) > 100
    assert replay_run(result.folder) == Replayed(len(record), len(record), None, "")


def test_a_run_in_processes_is_completed_and_leaves_nothing_but_its_folder(tmp_path: Path) -> None:
    progress = Culprit("", lambda: None)
    result = run(tmp_path, progress, "preflight", "observe", "stand")
    assert result.summary["outcome"] == "completed", progress.lines
    assert [stage["outcome"] for stage in result.summary["stages"]] == ["passed"] * 3
    assert "stand-in: Arm: the motors switch on and hold the pose. [arm]" in progress.lines
    assert_whole(result)
    record = read_record(result.folder / "cycles.bin")
    assert record.column("cycle").tolist() == list(range(len(record)))
    assert {bus["errors"] for bus in result.summary["buses"].values()} == {0}


def test_the_robot_comes_to_rest_when_the_mission_is_killed(tmp_path: Path, children: dict[str, Child]) -> None:
    progress = Culprit("robot is running", lambda: os.kill(children["mission"].pid, signal.SIGKILL))
    result = run(tmp_path, progress, "preflight", "stand")
    assert any("the mission process was killed by signal 9" in line for line in progress.lines)
    assert result.summary["stop"]["guard"] == "proposal_age"
    assert result.summary["exit_code"] == 70
    assert_whole(result)
    record = read_record(result.folder / "cycles.bin")
    assert record.column("is_at_rest")[-1] == 1


def test_the_robot_comes_to_rest_when_the_mission_is_stopped(tmp_path: Path, children: dict[str, Child]) -> None:
    def stop() -> None:
        os.kill(children["mission"].pid, signal.SIGSTOP)
        threading.Timer(8.0, lambda: os.kill(children["mission"].pid, signal.SIGCONT)).start()

    result = run(tmp_path, Culprit("robot is running", stop), "preflight", "stand")
    assert result.summary["stop"]["guard"] == "proposal_age"
    assert result.summary["outcome"] == "guard_stop"
    assert_whole(result)


def test_the_robot_comes_to_rest_when_nobody_records_it(tmp_path: Path, children: dict[str, Child]) -> None:
    progress = Culprit("robot is running", lambda: os.kill(children["recorder"].pid, signal.SIGKILL))
    result = run(tmp_path, progress, "preflight", "stand")
    assert result.summary["stop"]["guard"] == "recorder"
    assert any("the recorder process was killed by signal 9" in line for line in progress.lines)


def test_the_loss_of_control_is_told_with_what_stops_the_motors(tmp_path: Path, children: dict[str, Child]) -> None:
    progress = Culprit("robot is running", lambda: os.kill(children["control"].pid, signal.SIGKILL))
    result = run(tmp_path, progress, "preflight", "stand")
    (told,) = [line for line in progress.lines if "the control process was killed by signal 9" in line]
    assert told.endswith("the next run begins stopped, and waits until you reset it")
    assert sum("guardian: the control process has ended without a farewell" in line for line in progress.lines) == 1
    assert result.summary["exit_code"] == 70
    assert_whole(result)
