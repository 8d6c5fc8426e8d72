"""The event log: chained, told when it cannot be written, never trusted when it was changed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import RecordError
from supervisor.core.levels import Level
from supervisor.evidence import events as events_module
from supervisor.evidence.events import FIRST_PREVIOUS, Event, EventKind, EventLog, plain, read_events


def write_log(path: Path, count: int = 5) -> list[bytes]:
    """A closed log of `count` lines, the last of them the end."""
    log = EventLog(path)
    for i in range(count - 1):
        log.append(EventKind.NOTE, 0.1 * i, f"note {i}", {"value": i})
    log.append(EventKind.END, 1.0, "done")
    log.close()
    log.close()
    return path.read_bytes().splitlines()


def test_events_are_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.append(EventKind.START, 0.0, "begin", {"started_utc": "2026-11-20T09:30:00Z", "seed": 7})
    log.append(EventKind.LEVEL, 1.25, "tilt 0.7 rad > 0.6 rad", {"level": Level.DAMP}, latching=True)
    log.append(EventKind.END, 2.0, "done")
    log.close()
    read = read_events(path)
    assert read.problems == ()
    assert read.events == (
        Event(0, 0.0, EventKind.START, "begin", {"started_utc": "2026-11-20T09:30:00Z", "seed": 7}),
        Event(1, 1.25, EventKind.LEVEL, "tilt 0.7 rad > 0.6 rad", {"level": "DAMP"}),
        Event(2, 2.0, EventKind.END, "done", {}),
    )
    assert read.events[0].without_wall_clock().data == {"seed": 7}
    assert log.is_healthy


def test_each_line_holds_the_hash_of_the_line_before(tmp_path: Path) -> None:
    lines = write_log(tmp_path / "e.jsonl")
    assert json.loads(lines[0])["previous_sha256"] == FIRST_PREVIOUS
    for before, line in pairwise(lines):
        assert json.loads(line)["previous_sha256"] == hashlib.sha256(before).hexdigest()


def test_two_logs_of_the_same_events_are_the_same_bytes(tmp_path: Path) -> None:
    assert write_log(tmp_path / "a.jsonl") == write_log(tmp_path / "b.jsonl")


def test_a_line_is_in_the_file_before_the_log_is_closed(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e.jsonl")
    log.append(EventKind.NOTE, 0.0, "here")
    assert b"here" in (tmp_path / "e.jsonl").read_bytes()
    log.close()


def test_a_latching_event_is_forced_to_the_disk_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", forced.append)
    log = EventLog(tmp_path / "e.jsonl")
    log.append(EventKind.NOTE, 0.0, "a note")
    assert forced == []
    log.append(EventKind.LEVEL, 0.0, "a stop", latching=True)
    assert len(forced) == 1
    log.close()


@pytest.mark.parametrize("line", [0, 2, 4])
def test_a_changed_line_shows_and_nothing_after_it_is_trusted(tmp_path: Path, line: int) -> None:
    path = tmp_path / "e.jsonl"
    lines = write_log(path)
    lines[line] = lines[line].replace(b'"time_s":0', b'"time_s":9').replace(b'"text":"done"', b'"text":"fine"')
    path.write_bytes(b"\n".join(lines) + b"\n")
    read = read_events(path)
    if line == len(lines) - 1:
        # The last line has no successor that could witness it; the end of a chain never has.
        assert read.problems == ()
    else:
        assert read.problems == (
            f"e.jsonl line {line + 2} is damaged or was changed: the hash of the line before it does not match",
        )
        assert len(read.events) == line + 1


def test_a_removed_line_shows(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    lines = write_log(path)
    path.write_bytes(b"\n".join(lines[:2] + lines[3:]) + b"\n")
    assert "line 3 is damaged or was changed" in read_events(path).problems[0]


def test_lines_removed_at_the_end_show(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    lines = write_log(path)
    path.write_bytes(b"\n".join(lines[:3]) + b"\n")
    read = read_events(path)
    assert "no end event" in read.problems[0]
    assert len(read.events) == 3


def test_a_line_that_was_cut_off_shows_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    write_log(path)
    path.write_bytes(path.read_bytes()[:-20])
    read = read_events(path)
    assert read.problems == ("e.jsonl line 5 was cut off: the run ended abruptly",)
    assert len(read.events) == 4


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"nonsense", b"\xff\xfe", b"{}", b"[" * 100_000, b'{"previous_sha256":"' + b"0" * 64 + b'"}'],
    ids=["empty", "list", "text", "binary", "no keys", "deep", "few keys"],
)
def test_a_line_that_is_no_event_is_told(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "e.jsonl"
    path.write_bytes(line + b"\n")
    read = read_events(path)
    assert "line 1 is damaged" in read.problems[0]
    assert read.events == ()


def test_an_empty_log_has_no_end(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_bytes(b"")
    assert "no end event" in read_events(tmp_path / "e.jsonl").problems[0]


def test_a_missing_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="No such file"):
        read_events(tmp_path / "none.jsonl")


def test_an_existing_log_is_never_overwritten(tmp_path: Path) -> None:
    write_log(tmp_path / "e.jsonl")
    with pytest.raises(RecordError, match="File exists"):
        EventLog(tmp_path / "e.jsonl")


def test_a_full_disk_makes_the_log_unhealthy_and_nothing_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    log = EventLog(tmp_path / "e.jsonl")
    monkeypatch.setattr(events_module, "write_all", full)
    log.append(EventKind.NOTE, 0.0, "lost")
    monkeypatch.undo()
    assert not log.is_healthy
    assert log.problem == "events cannot be written: No space left on device"
    log.append(EventKind.END, 0.0, "done")
    log.close()
    assert [event.text for event in read_events(tmp_path / "e.jsonl").events] == ["done"]


def test_writing_to_a_closed_log_is_told_and_does_not_raise(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e.jsonl")
    log.close()
    log.append(EventKind.NOTE, 0.0, "too late")
    assert not log.is_healthy


def test_what_json_cannot_say_is_made_plain() -> None:
    data = {
        "nan": float("nan"),
        "infinity": float("inf"),
        "array": np.array([1.0, np.nan]),
        "scalar": np.float64(2.5),
        "integer": np.int64(3),
        "level": Level.CUT,
        "kind": EventKind.NOTE,
        "set": {"b", "a"},
        1: (True, None),
        "path": Path("a"),
    }
    assert plain(data) == {
        "nan": None,
        "infinity": None,
        "array": [1.0, None],
        "scalar": 2.5,
        "integer": 3,
        "level": "CUT",
        "kind": "note",
        "set": ["a", "b"],
        "1": [True, None],
        "path": "a",
    }


def test_a_time_that_is_not_finite_is_read_back_as_nan(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e.jsonl")
    log.append(EventKind.END, float("inf"), "line\nbreak")
    log.close()
    read = read_events(tmp_path / "e.jsonl")
    assert read.problems == ()
    assert np.isnan(read.events[0].time_s)
    assert read.events[0].text == "line\nbreak"


@given(content=st.binary(max_size=2000), cut=st.integers(0, 1000), position=st.integers(0, 1000))
def test_any_bytes_end_in_events_and_problems(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cut: int, position: int
) -> None:
    folder = tmp_path_factory.mktemp("events")
    write_log(folder / "whole.jsonl")
    whole = (folder / "whole.jsonl").read_bytes()
    path = folder / "e.jsonl"
    path.write_bytes(whole[:cut] + content + whole[position:])
    read = read_events(path)
    assert read.problems or len(read.events) == 5
