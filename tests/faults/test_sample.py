"""A sample of the matrix of faults, and that the matrix finds what it is there to find."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.faults import lockstep
from benchmarks.faults.cases import KINDS, SAMPLE, Cell, leading_to, mission_stages
from benchmarks.faults.lockstep import met, run_cell
from benchmarks.faults.report import LOCKSTEP, PROCESSES, lockstep_report, merged
from benchmarks.faults.wire import Said, meaning
from drivers.robot_io import RobotIO
from supervisor.core.command import Actuation, Drive
from supervisor.core.guard import Persistence
from supervisor.core.levels import Level

STOPPED = [cell for cell in SAMPLE if cell.stage not in ("preflight", "observe")]
REFUSED = [cell for cell in SAMPLE if cell not in STOPPED]
SILENT = Cell("motor_silent", "stand", 2.0)


@pytest.mark.parametrize("cell", STOPPED, ids=lambda cell: f"{cell.name} in {cell.stage}")
def test_a_fault_while_energised_is_answered_in_the_cycle_in_which_a_guard_is_sure(cell: Cell) -> None:
    verdict = run_cell(cell)
    assert verdict.problems == ()
    assert verdict.outcome == "guard_stop"
    assert verdict.cycles == 0
    assert verdict.path[-1] == "cut"
    assert verdict.end.startswith("cut")


@pytest.mark.parametrize("cell", REFUSED, ids=lambda cell: f"{cell.name} in {cell.stage}")
def test_a_fault_before_anything_is_energised_leads_to_no_harm(cell: Cell) -> None:
    verdict = run_cell(cell)
    assert verdict.problems == ()
    assert verdict.end.startswith("cut")


def _spoil(monkeypatch: pytest.MonkeyPatch, change: Callable[[Actuation], Actuation | None]) -> None:
    """Let the robot's port write something else than it was told to, or nothing."""
    write = RobotIO.write

    def spoilt(self: RobotIO, actuation: Actuation, now_s: float) -> None:
        changed = change(actuation)
        if changed is not None:
            write(self, changed, now_s)

    monkeypatch.setattr(RobotIO, "write", spoilt)


def test_a_level_that_is_not_sent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _spoil(monkeypatch, lambda actuation: None if actuation.level is Level.DAMP else actuation)
    problems = " ".join(run_cell(SILENT).problems)
    assert "DAMP was due" in problems
    assert "told nothing" in problems


def test_a_level_that_is_sent_a_cycle_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    before: list[Actuation] = []

    def late(actuation: Actuation) -> Actuation:
        before.append(actuation)
        return before[-2] if actuation.level is Level.DAMP and before[-2].level is Level.NONE else actuation

    _spoil(monkeypatch, late)
    verdict = run_cell(SILENT)
    assert verdict.cycles == 1
    assert "1 cycles later" in " ".join(verdict.problems)


def test_a_stop_that_keeps_moving_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def wandering(actuation: Actuation) -> Actuation:
        if actuation.level is not Level.HOLD or actuation.drive is not Drive.COMMAND:
            return actuation
        moved = actuation.command.position_rad + next(steps)
        return replace(actuation, command=replace(actuation.command, position_rad=moved))

    steps = iter(np.tile([0.0, 0.02], 100_000))
    _spoil(monkeypatch, wandering)
    assert "HOLD was due" in " ".join(run_cell(Cell("mission_stalled", "stand", 2.0)).problems)


def test_a_record_that_lacks_its_last_row_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = lockstep.run_mission

    def torn(*arguments: Any) -> Any:
        result = original(*arguments)
        path = result.folder / "cycles.bin"
        path.write_bytes(path.read_bytes()[:-100])
        return result

    monkeypatch.setattr(lockstep, "run_mission", torn)
    problems = " ".join(run_cell(SILENT).problems)
    assert "torn row" in problems


def test_persistence_is_counted_as_safety_files_mean_it() -> None:
    bad = np.array([0, 1, 0, 1, 1, 0, 0, 0], dtype=bool)
    assert np.flatnonzero(met(bad, Persistence(2, 3))).tolist() == [3, 4, 5]
    assert not met(np.zeros(5, dtype=bool), Persistence(1, 1)).any()


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("fffffffffffffffd", Said.CUT),
        ("fffffffffffffffc", Said.ENABLE),
        ("7fff7ff000 6667ff", Said.DAMP),
        ("7fff7ff000 0007ff", Said.DRIVE),
        ("7fff7ff200 6667ff", Said.DRIVE),
        ("7fff7ff000 666900", Said.DRIVE),
    ],
)
def test_bytes_mean_what_the_motors_take_them_for(frame: str, said: Said) -> None:
    assert meaning(bytes.fromhex(frame))[0] is said


def test_a_shortened_mission_leads_through_checks_to_its_stage() -> None:
    names = list(mission_stages())
    assert leading_to(names, "small_amplitude") == ("preflight", "stand", "zero_action", "small_amplitude")
    assert leading_to(names, "observe") == ("preflight", "observe", "stand")


def test_the_sample_is_of_the_matrix() -> None:
    assert {cell.name for cell in SAMPLE} <= KINDS.keys()
    assert {cell.stage for cell in SAMPLE} <= mission_stages().keys()


def test_the_document_keeps_what_was_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "faults.md"
    path.write_text(merged(path, [f"{PROCESSES}\n\nold\n"]))
    text = merged(path, [lockstep_report([], [])])
    assert text.index(LOCKSTEP) < text.index(PROCESSES)
    assert text.endswith("old\n")
    shutil.copy(path, tmp_path / "again.md")
    assert "new" in merged(path, [f"{PROCESSES}\n\nnew\n"])
