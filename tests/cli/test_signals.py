"""Ctrl-C and SIGTERM on a real process in real time: the first settles, the second cuts, the record is complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.evidence.events import EventKind, read_events
from supervisor.evidence.record_reader import read_record
from tests.runtime.processes.patient import patient_robot

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0
"""A machine that is this slow is broken; a run that is not over by then hangs."""


class Run:
    """A run of the demo in real time, read line by line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        place = folder.parent / "runtime"
        place.mkdir(mode=0o700, exist_ok=True)
        robot = str(patient_robot(folder.parent))
        arguments = [sys.executable, "-m", "supervisor.cli", "run", robot, "--policy", "pup_walk", "--sim"]
        self.process = subprocess.Popen(
            [*arguments, "--runs", str(folder)],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "XDG_RUNTIME_DIR": str(place),
                "XDG_STATE_HOME": str(folder.parent / "state"),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.watchdog = threading.Timer(PATIENCE_S, self.process.kill)
        self.watchdog.start()

    def wait_for(self, text: str) -> None:
        """Read what it says until a line holds this text."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError(f"it never said {text!r}: {self.lines[-5:]}")

    def end(self) -> int:
        """Read to the end.

        Returns:
            The exit code.
        """
        assert self.process.stderr is not None
        self.lines += list(self.process.stderr)
        return self.process.wait()

    def evidence(self) -> tuple[dict[str, Any], list[str], list[int], tuple[str, ...]]:
        """Summary, texts of the events, drive of every cycle and the names of drives; all of it complete."""
        (path,) = self.folder.glob("*_pup_*")
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        events = read_events(path / "events.jsonl")
        assert events.problems == ()
        assert events.events[-1].kind is EventKind.END
        record = read_record(path / "cycles.bin")
        assert record.leftover_bytes == 0
        assert (path / "report.txt").stat().st_size > 0
        assert not any("Traceback" in line for line in self.lines)
        texts = [event.text for event in events.events]
        return summary, texts, [int(drive) for drive in record.column("drive")], record.numbers["Drive"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Run]]:
    """Starts runs, and ends those that are left."""
    runs: list[Run] = []

    def begin() -> Run:
        runs.append(Run(tmp_path / "runs"))
        return runs[-1]

    yield begin
    for run in runs:
        run.watchdog.cancel()
        run.process.kill()
        run.process.wait()
        if run.process.stderr is not None:
            run.process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_while_the_motors_are_off_it_ends_at_once(start: Callable[[], Run], number: signal.Signals) -> None:
    run = start()
    run.wait_for("stage preflight")
    run.process.send_signal(number)
    assert run.end() == 40
    summary, texts, drives, names = run.evidence()
    assert (summary["outcome"], summary["exit_code"], summary["stop"]) == ("operator_stop", 40, None)
    assert "interrupted: stop" in texts
    assert {names[drive] for drive in drives} <= {"poll", "disable"}
    assert [stage["outcome"] for stage in summary["stages"]] == ["interrupted"]


def test_while_it_stands_the_first_signal_settles(start: Callable[[], Run]) -> None:
    run = start()
    run.wait_for("robot is running")
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 40
    summary, texts, drives, names = run.evidence()
    assert summary["outcome"] == "operator_stop"
    assert (summary["stop"]["guard"], summary["stop"]["level"]) == ("operator", "SETTLE")
    assert "interrupted: stop" in texts
    assert names[drives[-1]] in ("disable", "poll")
    stopped = texts.index("SETTLE because of operator")
    assert "robot is running" in texts[:stopped]
    assert "command" in {names[drive] for drive in drives}


def test_while_it_settles_a_second_signal_cuts(start: Callable[[], Run]) -> None:
    run = start()
    run.wait_for("stage zero_action")  # it stands by now: the way down takes longer than a signal
    run.process.send_signal(signal.SIGINT)
    run.wait_for("level SETTLE")
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 40
    summary, texts, drives, names = run.evidence()
    assert (summary["outcome"], summary["stop"]["guard"]) == ("operator_stop", "operator")
    assert [text for text in texts if text.startswith("interrupted")] == ["interrupted: stop", "interrupted: cut"]
    assert texts.index("level SETTLE") < texts.index("level CUT")
    assert names[drives[-1]] in ("disable", "poll")
