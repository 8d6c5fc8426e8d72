"""What a person sees of a run, in a terminal and elsewhere."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest

from supervisor.core.exchange import Snapshot
from supervisor.core.levels import ArmingState, Level
from supervisor.runtime.progress import (
    CLOSEST_GUARDS,
    REFRESH_S,
    PlainProgress,
    SilentProgress,
    TerminalProgress,
    closest_guards,
    make_progress,
)
from tests.trees.stand_ins import make_board, make_reading, make_snapshot


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A wide terminal without colours, whatever the machine's is."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (("TERM", "xterm"), ("NO_COLOR", "1"), ("COLUMNS", "120"), ("LINES", "40")):
        monkeypatch.setenv(name, value)
    return Terminal()


def snapshot_with(**measured: float) -> Snapshot:
    """A snapshot whose guards have these values; the limit of each is 0.6 rad."""
    readings = tuple(make_reading(name, measured=value) for name, value in measured.items())
    return make_snapshot(board=make_board(*readings))


def test_plain_lines_say_each_stage_once_and_every_message() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    snapshot = make_snapshot()
    for tick, stage in enumerate(("", "preflight", "preflight", "observe", "observe", "")):
        progress.update(0.02 * tick, stage, "waits", 3.0, snapshot)
    progress.message(1.5, "robot is armed")
    progress.close()
    assert stream.getvalue().splitlines() == [
        "    0.020 s  stage preflight",
        "    0.060 s  stage observe",
        "    1.500 s  robot is armed",
    ]


def test_seconds_count_from_the_first_one_that_was_shown(terminal: Terminal) -> None:
    stream = io.StringIO()
    plain, table = PlainProgress(stream), TerminalProgress(terminal, lambda: 0.0)
    plain.update(27000.25, "", "", 3.0, make_snapshot())
    for shown in (plain, table):
        shown.message(27000.5, "robot is checking")
        shown.message(27010.5, "robot is armed")
    table.close()
    assert stream.getvalue().splitlines() == ["    0.250 s  robot is checking", "   10.250 s  robot is armed"]
    assert "   10.000 s  robot is armed" in terminal.getvalue()


def test_a_silent_display_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    progress = SilentProgress()
    progress.update(0.0, "stand", "", 1.0, make_snapshot())
    progress.message(0.0, "robot is armed")
    progress.close()
    assert capfd.readouterr() == ("", "")


def test_the_table_shows_stage_reason_time_left_level_and_closest_guards(terminal: Terminal) -> None:
    progress = TerminalProgress(terminal, lambda: 0.0)
    snapshot = replace(
        snapshot_with(tilt=0.45, joint_velocity=0.06, far=0.0, nearer=0.3),
        arming=ArmingState.RUNNING,
        level=Level.WARN,
    )
    progress.message(-1.0, "robot is armed")
    progress.update(11.34, "ramp_50", "the operator to lower the robot [gantry]", 7.6, snapshot)
    progress.close()
    shown = terminal.getvalue()
    for part in ("ramp_50", "12.3 s", "8 s left", "the operator to lower the robot [gantry]", "running", "level WARN"):
        assert part in shown
    lines = [line for line in shown.splitlines() if "% left" in line][:CLOSEST_GUARDS]  # drawn again at the end
    assert [line.split()[1] for line in lines] == ["tilt", "nearer", "joint_velocity"]
    assert "0.45 of 0.6 rad" in lines[0]
    assert "25% left" in lines[0]


def test_the_table_is_redrawn_twice_a_second_and_no_more(terminal: Terminal) -> None:
    clock = [0.0]
    progress = TerminalProgress(terminal, lambda: clock[0])
    snapshot = make_snapshot()
    for wall_s, stage in ((0.0, "first"), (REFRESH_S - 0.01, "second"), (REFRESH_S + 0.01, "third")):
        clock[0] = wall_s
        progress.update(0.0, stage, "", math.inf, snapshot)
    drawn = terminal.getvalue()
    progress.close()
    assert [stage in drawn for stage in ("first", "second", "third")] == [True, False, True]
    assert "left" not in drawn.replace("% left", "")


def test_a_message_stands_above_the_table_as_it_is(terminal: Terminal) -> None:
    progress = TerminalProgress(terminal, lambda: 0.0)
    progress.message(0.0, "robot is armed")
    progress.message(1.0, "CUT because of tilt [fl_hip]")
    progress.close()
    assert "    1.000 s  CUT because of tilt [fl_hip]" in terminal.getvalue()


def test_the_closest_guards_come_first_and_what_was_not_measured_is_left_out() -> None:
    snapshot = snapshot_with(a=0.1, b=math.nan, c=0.7, d=0.3, e=0.2, f=math.inf)
    found = closest_guards(snapshot)
    assert len(found) == CLOSEST_GUARDS
    assert [name for name, _, _ in found] == ["c", "d", "e"]
    assert found[0][2] == pytest.approx(-1 / 6)


def test_the_display_suits_the_stream(terminal: Terminal) -> None:
    shown = make_progress(terminal, quiet=False)
    shown.close()
    assert isinstance(shown, TerminalProgress)
    assert isinstance(make_progress(io.StringIO(), quiet=False), PlainProgress)
    assert isinstance(make_progress(terminal, quiet=True), SilentProgress)
