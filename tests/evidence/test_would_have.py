"""What a run without commands would have done, from records made by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.command import Drive
from supervisor.core.errors import RecordError
from supervisor.core.guard import GuardBoard, GuardReading, GuardRow, Persistence
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.record_reader import CycleRecord, read_record
from supervisor.evidence.report import report_text
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import RunFolder, changes_path
from supervisor.evidence.would_have import would_have, write_would_have
from tests.evidence.samples import ORDER, keep, make_cycle

NAN = float("nan")
OFF, ON, RUN, STOP = ArmingState.DISARMED, ArmingState.ARMED, ArmingState.RUNNING, ArmingState.STOPPED
ROWS = (
    GuardRow("tilt", 0.6, "rad", 0.1, Persistence(1, 1), Level.DAMP, "operator", "falls"),
    GuardRow("joint_velocity", 0.8, "fraction", 0.1, Persistence(1, 1), Level.WARN, "automatic", "shown"),
    GuardRow("action_rate", 1.5, "fraction", 0.0, Persistence(1, 1), Level.HOLD, "operator", "policy"),
)


def record_of(
    path: Path, arming: Sequence[ArmingState], *, tilted: Sequence[int] = (), fast: Sequence[int] = ()
) -> CycleRecord:
    """A record at 500 Hz; in the cycles named the guard is tripped."""
    changes_path(path).unlink(missing_ok=True)
    recorder = CycleRecorder(path, RecordLayout.of(ORDER, ROWS), "bench", 500.0)
    for i, state in enumerate(arming):
        lean, speed = i in tilted, i in fast
        one = make_cycle(i)
        value = (GuardValue.OK, GuardValue.VIOLATED)
        readings = (
            GuardReading("tilt", value[lean], 0.1 + lean, 0.6, "rad", -1, lean, Level.DAMP, NAN),
            GuardReading("joint_velocity", value[speed], 3.0, 20.0, "rad/s", 1, speed, Level.WARN, NAN),
            GuardReading("action_rate", GuardValue.OK, 0.01 * i, 1.5, "fraction", -1, False, Level.HOLD, NAN),
        )
        drive = Drive.COMMAND if state in (ON, RUN) else Drive.POLL
        made = replace(one, board=GuardBoard(readings, Level.NONE), actuation=replace(one.actuation, drive=drive))
        keep(recorder, made, state)
    recorder.close()
    return read_record(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cycles.bin"


def test_a_trip_is_told_with_time_guard_and_level_and_counts_as_a_stop(path: Path) -> None:
    found = would_have(record_of(path, [OFF] * 5 + [ON] * 5 + [RUN] * 10 + [STOP] * 5, tilted=range(20, 25)))
    assert [(t.guard, t.level, t.value, t.stops) for t in found.trips] == [("tilt", "DAMP", "VIOLATED", True)]
    assert found.trips[0].time_s == pytest.approx(0.040)
    assert (found.trips[0].measured, found.trips[0].limit, found.trips[0].joint) == (pytest.approx(1.1), 0.6, "")
    assert found.stops == 1
    assert found.powered_s == pytest.approx(0.030)
    assert found.running_s == pytest.approx(0.020)
    assert found.nuisance_stops_per_hour == pytest.approx(3600.0 / 0.030)
    assert math.isnan(found.at_most_per_hour)
    assert found.drives == {"poll": 10, "enable": 0, "command": 15, "disable": 0, "clear_fault": 0}


def test_each_time_it_would_have_been_stopped_counts(path: Path) -> None:
    arming = [RUN] * 5 + [STOP] * 5 + [OFF] * 5 + [RUN] * 5 + [STOP] * 5
    found = would_have(record_of(path, arming, tilted=[5, 6, 20, 21]))
    assert found.stops == 2
    assert len(found.trips) == 2


def test_the_planned_end_is_no_stop_and_a_trip_while_it_is_off_is_no_trip(path: Path) -> None:
    found = would_have(record_of(path, [OFF] * 5 + [RUN] * 5 + [STOP] * 5 + [OFF] * 5, tilted=[0, 1, 13, 16]))
    assert found.stops == 0
    assert found.trips == ()
    assert found.nuisance_stops_per_hour == 0.0
    assert found.at_most_per_hour == pytest.approx(3.0 * 3600.0 / 0.010)


def test_a_warning_is_told_and_stops_nothing(path: Path) -> None:
    found = would_have(record_of(path, [RUN] * 10 + [STOP], fast=range(4, 11)))
    assert [(trip.guard, trip.stops, trip.joint) for trip in found.trips] == [("joint_velocity", False, "knee")]
    assert found.stops == 0


def test_the_policys_outputs_are_told_with_what_they_are_held_against(path: Path) -> None:
    (rate,) = would_have(record_of(path, [RUN] * 11)).policy
    assert (rate.guard, rate.largest, rate.limit, rate.failing_cycles) == ("action_rate", pytest.approx(0.1), 1.5, 0)


def test_a_record_without_power_has_no_rate(path: Path) -> None:
    found = would_have(record_of(path, [OFF] * 3))
    assert math.isnan(found.nuisance_stops_per_hour)
    assert math.isnan(found.at_most_per_hour)
    assert found.as_json()["nuisance_stops_per_hour"] is None


def test_a_record_without_cycles_says_nothing(path: Path) -> None:
    found = would_have(record_of(path, []))
    assert (found.stops, found.trips, found.policy) == (0, (), ())


def test_a_record_whose_columns_do_not_fit_is_refused(path: Path) -> None:
    record = record_of(path, [RUN] * 3)
    with pytest.raises(RecordError, match="does not hold 2 guards"):
        would_have(replace(record, guards=record.guards[:2]))


def test_numbers_that_nobody_knows_are_told_as_they_are(path: Path) -> None:
    record = record_of(path, [RUN] * 3, tilted=[1])
    rows: Any = record.rows.copy()
    rows["guard_value"][1, 0] = 99
    odd = replace(record, rows=rows, guards=(replace(record.guards[0], level="SOON"), *record.guards[1:]))
    (trip,) = would_have(odd).trips
    assert (trip.value, trip.stops) == ("99", False)


def test_it_is_written_for_programs(path: Path, tmp_path: Path) -> None:
    found = would_have(record_of(path, [RUN] * 5 + [STOP], tilted=[5]))
    write_would_have(tmp_path / "would_have.json", found)
    document = json.loads((tmp_path / "would_have.json").read_text())
    assert document["stops"] == 1
    assert document["trips"][0]["guard"] == "tilt"
    assert document["cycles_by_drive"]["command"] == 5
    with pytest.raises(RecordError, match="cannot be written"):
        write_would_have(tmp_path / "no" / "such.json", found)


def test_the_report_of_a_dry_run_tells_it_and_no_other_report_does(run: RunFolder) -> None:
    assert "would have been done" not in report_text(run.path)
    summary = json.loads(run.summary.read_text())
    run.summary.write_text(json.dumps({**summary, "mode": "dry_run"}))
    run.cycles.unlink()
    record_of(run.cycles, [RUN] * 5 + [STOP] * 2 + [RUN] * 5, tilted=[5])
    said = " ".join(report_text(run.path).split())
    assert "nothing was commanded; a guard would have stopped it (exit code 20)" in said
    assert "Nothing was commanded; what would have been done" in said
    assert "stopped by guards: 1 times, 180000 an hour" in said
    assert "VIOLATED" in said


def test_no_rate_is_told_of_a_run_that_would_never_have_been_armed(run: RunFolder) -> None:
    summary = json.loads(run.summary.read_text())
    run.summary.write_text(json.dumps({**summary, "mode": "dry_run"}))
    run.cycles.unlink()
    record_of(run.cycles, [OFF] * 10)
    said = " ".join(report_text(run.path).split())
    assert "never have been armed, so how often guards would have stopped it is not known" in said
    assert "an hour" not in said


SPOKEN = 626
"""Cycles of a made-up record until its motors have said their last word, at 1.25 s."""


def test_what_comes_after_the_last_word_of_any_motor_is_not_judged(path: Path) -> None:
    found = would_have(record_of(path, [RUN] * (SPOKEN + 10) + [STOP] * 90, tilted=[SPOKEN + 10]))
    assert (found.stops, found.trips) == (0, ())
    assert found.silent_s == pytest.approx(0.2)
    assert found.powered_s == found.running_s == pytest.approx(0.002 * SPOKEN)


def test_a_stop_before_that_is_one_whatever_comes_later(path: Path) -> None:
    found = would_have(record_of(path, [RUN] * 600 + [STOP] * 200, tilted=[600]))
    assert (found.stops, len(found.trips)) == (1, 1)


def test_how_long_nobody_was_heard_is_in_the_report(run: RunFolder) -> None:
    summary = json.loads(run.summary.read_text())
    run.summary.write_text(json.dumps({**summary, "mode": "dry_run"}))
    run.cycles.unlink()
    record_of(run.cycles, [RUN] * (SPOKEN + 600))
    assert "no motor was heard in the last 1.2 s, which are not judged" in " ".join(report_text(run.path).split())


def test_a_long_list_of_trips_is_cut(run: RunFolder) -> None:
    summary = json.loads(run.summary.read_text())
    run.summary.write_text(json.dumps({**summary, "mode": "dry_run"}))
    run.cycles.unlink()
    record_of(run.cycles, [RUN] * 100, fast=range(0, 60, 2))
    said = " ".join(report_text(run.path).split())
    assert "and 10 more" in said
    assert "stopped by guards: 0 times, with 95 % confidence below 54000 an hour" in said
