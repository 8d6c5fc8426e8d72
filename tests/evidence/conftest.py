"""Records and run folders to read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from supervisor.core.levels import ArmingState, Level
from supervisor.evidence.events import EventKind, EventLog
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import RunFolder, create_run_folder
from supervisor.evidence.summary import Summary, summary_document, write_summary
from tests.evidence.samples import ORDER, ROWS, SUMMARY, Cycle, keep, make_cycle


@pytest.fixture
def cycle() -> Callable[..., Cycle]:
    """Makes cycles."""
    return make_cycle


@pytest.fixture
def layout() -> RecordLayout:
    """The layout for two joints and two guards."""
    return RecordLayout.of(ORDER, ROWS)


@pytest.fixture
def record_path(tmp_path: Path, layout: RecordLayout) -> Path:
    """A record of 100 cycles, the tilt growing."""
    path = tmp_path / "cycles.bin"
    recorder = CycleRecorder(path, layout, "bench_robot", 500.0)
    for i in range(100):
        one = make_cycle(i, tilt_rad=0.005 * i)
        keep(recorder, one, ArmingState.RUNNING, one.state.position_rad + 0.5, 80.0)
    recorder.close()
    return path


@pytest.fixture
def summary() -> Summary:
    """A run that was stopped by a guard."""
    return SUMMARY


def make_run(folder: Path, began_s: float = 0.0) -> RunFolder:
    """A complete run folder; its clock stood at `began_s`."""
    source = folder / "robot.yaml"
    source.write_text("schema: 1\n")
    started = datetime(2026, 11, 20, 9, 30, 0, tzinfo=UTC)
    run = create_run_folder(
        folder / "runs", "pup", "pup_walk", {"robot": source}, started=started, minimum_free_bytes=0
    )
    log = EventLog(run.events)
    log.append(EventKind.START, began_s, "pup with pup_walk", {"started_utc": "2026-11-20T09:30:00Z", "seed": 3})
    log.append(EventKind.STAGE, began_s + 1.0, "stand begins", {"stage": "stand"})
    log.append(EventKind.LEVEL, began_s + 5.9, "DAMP: tilt 0.7 rad > 0.6 rad", {"level": Level.DAMP}, latching=True)
    log.append(EventKind.END, began_s + 6.0, "stopped by a guard", {"exit_code": 20})
    log.close()
    recorder = CycleRecorder(run.cycles, RecordLayout.of(ORDER, ROWS), "pup", 500.0)
    for i in range(50):
        one = make_cycle(round(began_s / 0.002) + i, tilt_rad=0.01 * i)
        keep(recorder, one)
    recorder.close()
    write_summary(run.summary, summary_document(replace(SUMMARY, hashes={**SUMMARY.hashes, **run.hashes})))
    return run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A complete run folder."""
    return make_run(tmp_path)


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run folder to copy and damage."""
    return make_run(tmp_path_factory.mktemp("whole")).path
