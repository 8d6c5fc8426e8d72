"""The report: says what a person needs, and says plainly what is damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from supervisor.core.errors import RecordError
from supervisor.core.levels import GuardValue
from supervisor.evidence.events import Event, EventKind
from supervisor.evidence.margins import closest_approaches
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.record_reader import read_record
from supervisor.evidence.report import load_run, report_text
from supervisor.evidence.report_parts import clean, number, outcome, timing
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import RunFolder
from tests.evidence.conftest import make_run
from tests.evidence.samples import keep, make_cycle


def test_a_whole_folder_has_no_problems(run: RunFolder) -> None:
    assert load_run(run.path).problems == ()
    assert "wrong with this folder" not in report_text(run.path)


@pytest.mark.parametrize(
    "expected",
    [
        "Run 20261120T093000Z_pup_pup_walk",
        "stopped by a guard (exit code 20)",
        "robot pup, policy pup_walk, mission deployment, mode sim, seed 3",
        "tilt at hip was 0.7 rad, allowed 0.6 rad, in stage zero_action",
        "zero_action: drift_rad_per_s - <= 0.1",
        "drift_rad_per_s - <= 0.1  NOT MET",
        "tilt_rad 0.02 <= 0.1",
        "cause to command  0.002 s",
        "later             joint_velocity",
        "1. hip is mounted the other way round [hip]",
        "   seen: the body leans",
        "   do:   turn the motor",
        "   numbers: score 3.5",
        "Gate: clamped position 1, velocity 2, torque 3, rate 4 (joint-cycles); rejected 5",
        "Timing at 500 Hz, 2 cycles longer than their period",
    ],
)
def test_the_report_says(run: RunFolder, expected: str) -> None:
    assert expected in report_text(run.path)


def test_what_a_stage_failed_of_beside_its_criteria_is_told() -> None:
    summary = {
        "outcome": "not_accepted", "exit_code": 30, "robot": "pup", "policy": "p", "mission": "m", "mode": "sim",
        "seed": 0, "stop": None, "stages": [],
    }  # fmt: skip
    events = [
        Event(number, 1.0, kind, text, {})
        for number, (kind, text) in enumerate([
            (EventKind.STAGE, "stage stand began"),
            (EventKind.NOTE, "stage stand failed: HoldPose: took 0.065 s > 0.050 s"),
            (EventKind.NOTE, "something else"),
        ])
    ]  # fmt: skip
    said = [str(line).strip() for line in outcome(summary, events)]
    assert said[2:] == ["stage stand failed: HoldPose: took 0.065 s > 0.050 s"]


def test_a_failure_that_was_told_when_it_happened_is_told_once() -> None:
    summary = {
        "outcome": "error", "exit_code": 70, "robot": "pup", "policy": "p", "mission": "m", "mode": "sim", "seed": 0,
        "stop": None, "stages": [],
    }  # fmt: skip
    texts = ("control was lost", "guardian: DAMP", "guardian: DAMP", "failure: control was lost", "failure: no room")
    events = [Event(number, 1.0, EventKind.NOTE, text, {}) for number, text in enumerate(texts)]
    said = [str(line).strip() for line in outcome(summary, events)]
    assert said[2:] == ["control was lost", "guardian: DAMP", "failure: no room"]


def test_durations_that_nobody_left_are_not_zero() -> None:
    nothing = {"p50": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0}
    found = {"cycle_us": nothing, "policy_us": {**nothing, "max": 7.0}, "tree_us": nothing}
    console = Console(width=100)
    with console.capture() as told:
        console.print(*timing({"timing": {"control_hz": 500.0, "overruns": 0, **found}}))
    rows = [line.split() for line in told.get().splitlines()[-3:]]
    assert rows == [
        ["control", "cycle", "-", "-", "-", "-"],
        ["policy", "step", "0", "0", "0", "7"],
        ["tree", "tick", "-", "-", "-", "-"],
    ]


def test_the_guard_that_came_closest_stands_first_with_its_time(run: RunFolder) -> None:
    lines = report_text(run.path).splitlines()
    first = lines[lines.index("Guards closest to their limits") + 2].split()
    assert first == ["tilt", "0.49", "0.6", "rad", "82", "0.098", "0"]


def test_times_count_from_the_beginning_of_the_run(tmp_path: Path) -> None:
    made = make_run(tmp_path, began_s=27000.0)
    lines = report_text(made.path).splitlines()
    first = lines[lines.index("Guards closest to their limits") + 2].split()
    assert first == ["tilt", "0.49", "0.6", "rad", "82", "0.098", "0"]
    made.summary.unlink()
    assert "5.9 s  level: DAMP: tilt 0.7 rad > 0.6 rad" in report_text(made.path)
    made.events.unlink()
    assert load_run(made.path).began_s == 27000.0
    made.cycles.write_bytes(b"")
    made.events.write_bytes(b"")
    assert load_run(made.path).began_s == 0.0


def test_bus_counters_are_in_the_report(run: RunFolder) -> None:
    rows = [line.split() for line in report_text(run.path).splitlines()]
    assert ["can1", "10", "9", "1", "0"] in rows


def test_without_a_terminal_there_is_no_colour_and_with_one_there_is(run: RunFolder) -> None:
    assert "\x1b" not in report_text(run.path)
    assert "\x1b[" in report_text(run.path, color=True)


def test_the_report_is_the_same_twice(run: RunFolder) -> None:
    assert report_text(run.path) == report_text(run.path)


def test_a_folder_that_is_missing_or_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is not a folder"):
        report_text(tmp_path / "none")
    with pytest.raises(RecordError, match="is not the folder of a run"):
        report_text(tmp_path)


def test_without_a_summary_the_last_events_are_shown(run: RunFolder) -> None:
    run.summary.unlink()
    text = report_text(run.path)
    assert "No summary; the last events" in text
    assert "5.9 s  level: DAMP: tilt 0.7 rad > 0.6 rad" in text
    assert "summary.json cannot be read" in " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("summary.json", "summary.json is damaged"),
        ("events.jsonl", "was cut off: the run ended abruptly"),
        ("cycles.bin", "cycles.bin was cut off inside a cycle"),
    ],
)
def test_a_file_that_was_cut_off_is_named_and_the_rest_is_shown(run: RunFolder, name: str, expected: str) -> None:
    path = run.path / name
    path.write_bytes(path.read_bytes()[:-30])
    text = " ".join(report_text(run.path).split())
    assert expected in text


@pytest.mark.parametrize("name", ["events.jsonl", "cycles.bin"])
def test_a_file_that_is_missing_is_named(run: RunFolder, name: str) -> None:
    (run.path / name).unlink()
    assert "No such file or directory" in " ".join(report_text(run.path).split())


@pytest.mark.parametrize("key", ["stages", "stop", "diagnosis", "timing", "gate", "buses"])
@pytest.mark.parametrize("value", [7, "text", ["x"], [None], {"x": "y"}], ids=str)
def test_a_part_that_is_not_what_it_should_be_is_named(run: RunFolder, key: str, value: object) -> None:
    document = json.loads(run.summary.read_text())
    run.summary.write_text(json.dumps({**document, key: value}))
    text = " ".join(report_text(run.path).split())
    assert "is damaged" in text
    assert "robot pup" in text or key in ("stages", "stop")


def test_text_from_files_cannot_steer_the_terminal(run: RunFolder) -> None:
    document = json.loads(run.summary.read_text())
    document["diagnosis"][0]["cause"] = "\x1b[2J\x07 [bold red]x[/]"
    run.summary.write_text(json.dumps(document))
    text = report_text(run.path, color=True)
    assert "\x1b[2J" not in text
    assert "?[2J? [bold red]x[/]" in text


@given(
    name=st.sampled_from(["summary.json", "events.jsonl", "cycles.bin", "inputs/SHA256SUMS"]),
    start=st.integers(0, 6000),
    length=st.integers(0, 6000),
    content=st.binary(max_size=100),
)
def test_any_damage_ends_in_a_report(
    tmp_path_factory: pytest.TempPathFactory,
    whole_run: Path,
    name: str,
    start: int,
    length: int,
    content: bytes,
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "run"
    shutil.copytree(whole_run, path)
    whole = (path / name).read_bytes()
    (path / name).write_bytes(whole[:start] + content + whole[start + length :])
    assert report_text(path).startswith("Run run\n")


def test_guards_are_ordered_by_share_of_their_limit(record_path: Path) -> None:
    found = closest_approaches(read_record(record_path))
    assert [approach.guard for approach in found] == ["tilt"]
    assert found[0].measured == pytest.approx(0.495)
    assert found[0].fraction == pytest.approx(0.825)
    assert found[0].time_s == pytest.approx(0.198)
    assert found[0].failing_cycles == 0


def test_stale_readings_are_counted_but_are_no_approach(tmp_path: Path, layout: RecordLayout) -> None:
    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    for cycle, value in enumerate((GuardValue.OK, GuardValue.STALE, GuardValue.VIOLATED)):
        one = make_cycle(cycle, tilt_rad=(0.3, 0.9, 0.65)[cycle], value=value)
        keep(recorder, one)
    recorder.close()
    (found,) = closest_approaches(read_record(tmp_path / "c.bin"))
    assert (found.measured, found.failing_cycles) == (0.65, 2)


def test_a_record_without_cycles_has_no_approaches(tmp_path: Path, layout: RecordLayout) -> None:
    CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0).close()
    assert closest_approaches(read_record(tmp_path / "c.bin")) == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.1235"), (12345.6, "12346"), (3, "3"), (None, "-"), (float("nan"), "-"), (True, "True"), ("x", "x")],
)
def test_numbers_are_short(value: object, text: str) -> None:
    assert number(value) == text


def test_clean_text_keeps_letters_and_drops_control() -> None:
    assert clean("N·m/rad ± 5\x00\n") == "N·m/rad ± 5??"
