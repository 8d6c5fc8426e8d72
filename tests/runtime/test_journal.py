"""What changes between two snapshots becomes an event, once; what does not, does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from supervisor.core.exchange import DeviceReport, DrillReport, GateCounts, MissionOutput, Request, Snapshot
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction
from supervisor.core.ports import Prompt
from supervisor.evidence.events import Event, EventKind, EventLog, read_events
from supervisor.runtime.journal import GATE_PERIOD_S, Journal, describe
from supervisor.runtime.progress import SilentProgress
from tests.trees.stand_ins import make_board, make_reading, make_snapshot, make_stop

QUIET = make_snapshot(arming=ArmingState.DISARMED)
TILTED = make_reading("tilt", GuardValue.VIOLATED, tripped=True, measured=0.7)
HOT = replace(make_reading("hot", GuardValue.VIOLATED, tripped=True, level=Level.WARN, measured=1.0), joint=1)


class Shown(SilentProgress):
    """Keeps what a person would see."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def message(self, now_s: float, text: str) -> None:
        self.texts.append(text)


class Bench:
    """A journal that writes into a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "events.jsonl"
        self.log = EventLog(self.path)
        self.shown = Shown()
        self.journal = Journal(self.log, self.shown)
        self.cycle = 0
        self.synced = 0

    def observe(self, *snapshots: Snapshot) -> None:
        for snapshot in snapshots:
            self.journal.observe(snapshot, 0.002 * self.cycle)
            self.cycle += 1

    def events(self) -> list[Event]:
        """What was written, in order, after a proper end."""
        self.log.append(EventKind.END, 1e3, "end")
        self.log.close()
        file = read_events(self.path)
        assert file.problems == ()
        return list(file.events[:-1])

    def texts(self, kind: EventKind) -> list[str]:
        return [event.text for event in self.events() if event.kind is kind]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A journal that has seen one quiet cycle."""
    bench = Bench(tmp_path)
    bench.observe(QUIET)
    return bench


def test_quiet_cycles_write_nothing_but_the_first_state_of_arming(bench: Bench) -> None:
    bench.observe(*[make_snapshot(arming=ArmingState.DISARMED) for _ in range(20)])
    assert [(event.kind, event.text) for event in bench.events()] == [(EventKind.ARMING, "robot is disarmed")]


def test_each_state_of_arming_and_each_refusal_is_written_once(bench: Bench) -> None:
    refused = replace(QUIET, refusals=("tilt 0.7 rad", "no drill"))
    checking = replace(QUIET, arming=ArmingState.CHECKING)
    bench.observe(refused, refused, checking, checking, QUIET, refused)
    assert bench.texts(EventKind.ARMING) == [
        "robot is disarmed",
        "arming refused: tilt 0.7 rad; no drill",
        "robot is checking",
        "robot is disarmed",
        "arming refused: tilt 0.7 rad; no drill",
    ]
    assert "arming refused: tilt 0.7 rad; no drill" in bench.shown.texts


def test_a_guard_is_shown_only_where_the_motors_may_be_on(bench: Bench) -> None:
    tripped = replace(QUIET, board=make_board(TILTED))
    bench.observe(tripped, QUIET)
    assert [text for text in bench.shown.texts if "tilt" in text] == []
    bench.observe(replace(tripped, arming=ArmingState.RUNNING), replace(QUIET, arming=ArmingState.RUNNING))
    assert [text for text in bench.shown.texts if "tilt" in text] == [
        "guard tilt VIOLATED: 0.7 of 0.6 rad, level DAMP",
        "guard tilt is clear",
    ]


def test_a_guard_is_written_when_it_trips_and_when_it_is_clear(bench: Bench) -> None:
    tripped = replace(QUIET, board=make_board(TILTED, HOT))
    bench.observe(tripped, tripped, replace(QUIET, board=make_board(HOT)), QUIET, QUIET)
    assert bench.texts(EventKind.GUARD) == [
        "guard tilt VIOLATED: 0.7 of 0.6 rad, level DAMP",
        "guard hot VIOLATED: 1 of 0.6 rad (knee), level WARN",
        "guard tilt is clear",
        "guard hot is clear",
    ]


def test_a_guard_that_is_not_ok_but_has_not_tripped_is_no_event(bench: Bench) -> None:
    bench.observe(replace(QUIET, board=make_board(replace(TILTED, tripped=False))))
    assert bench.texts(EventKind.GUARD) == []


def test_the_level_and_the_stop_with_its_numbers_are_written_once(bench: Bench) -> None:
    stop = replace(make_stop(Level.DAMP), joints=("hip", "knee"))
    damped = replace(QUIET, level=Level.DAMP, stop=stop)
    cut = replace(QUIET, level=Level.CUT, stop=replace(stop, level=Level.CUT))
    bench.observe(damped, damped, cut, QUIET)
    assert bench.texts(EventKind.LEVEL) == [
        "level DAMP",
        "DAMP because of tilt 0.7 of 0.6 rad (hip, knee)",
        "level CUT",
        "level NONE",
    ]


def test_a_stop_after_a_reset_is_written_again_and_one_without_numbers_plainly(bench: Bench) -> None:
    asked = replace(make_stop(Level.SETTLE, planned=True, guard="mission"), unit="")
    stopped = replace(QUIET, level=Level.SETTLE, stop=asked)
    bench.observe(stopped, QUIET, stopped)
    assert bench.texts(EventKind.LEVEL).count("SETTLE because of mission") == 2


def test_what_latches_is_forced_to_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[int] = []
    monkeypatch.setattr("supervisor.evidence.events.os.fsync", forced.append)
    running = replace(QUIET, arming=ArmingState.RUNNING)
    bench.observe(replace(running, board=make_board(HOT), level=Level.WARN))
    assert forced == []
    bench.observe(replace(running, level=Level.DAMP, board=make_board(HOT, TILTED), stop=make_stop()))
    assert len(forced) == 3, "guard, level, stop"


def test_every_inventory_and_every_drill_is_written_device_by_device(bench: Bench) -> None:
    devices = (
        DeviceReport("hip", "can0", True, (), {"model": "DM8009"}),
        DeviceReport("knee", "can0", False, ("no answer", "check its cable"), {}),
    )
    asked = replace(QUIET, inventory=devices)
    again = replace(QUIET, inventory=devices, drill=DrillReport(False, ("hip stayed on",), float("nan")))
    passed = replace(again, drill=DrillReport(True, (), 0.004))
    bench.observe(asked, asked, QUIET, again, again, replace(again, drill=None), passed, passed)
    results = [event for event in bench.events() if event.kind is EventKind.REQUEST_RESULT]
    assert [event.text for event in results] == [
        "hip on can0: ok",
        "knee on can0: no answer; check its cable",
        "hip on can0: ok",
        "knee on can0: no answer; check its cable",
        "drill failed: hip stayed on; off after nan s",
        "drill passed; off after 0.004 s",
    ]
    assert results[0].data == {"model": "DM8009"}


def test_the_gates_counters_are_written_at_most_once_a_second(bench: Bench) -> None:
    cycles = 1500
    for cycle in range(cycles):
        bench.journal.observe(replace(QUIET, gate=GateCounts(torque=cycle)), 0.002 * cycle)
    events = [event for event in bench.events() if event.kind is EventKind.GATE]
    gaps = [then.time_s - now.time_s for now, then in pairwise(events)]
    assert len(events) == 3
    assert min(gaps) >= GATE_PERIOD_S - 1e-9
    assert events[-1].data["torque"] == round(events[-1].time_s / 0.002)
    assert set(events[0].data) == {"position", "velocity", "torque", "rate", "rejected"}


def test_stages_and_requests_of_the_mission_are_written_once_each(bench: Bench) -> None:
    outputs = [
        MissionOutput(1, 0.0),
        MissionOutput(2, 0.02, stage="preflight", request=Request.DRILL, request_number=1),
        MissionOutput(3, 0.04, stage="preflight", request=Request.DRILL, request_number=1),
        MissionOutput(4, 0.06, stage="observe", request=Request.DRILL, request_number=1),
        MissionOutput(5, 0.08, stage="", request=Request.SETTLE, request_number=2),
    ]
    for output in outputs:
        bench.journal.observe_mission(output)
    events = bench.events()
    assert [event.text for event in events if event.kind is EventKind.STAGE] == [
        "stage preflight began",
        "stage preflight ended",
        "stage observe began",
        "stage observe ended",
    ]
    assert [(e.time_s, e.text) for e in events if e.kind is EventKind.REQUEST] == [
        (0.02, "mission asks for drill"),
        (0.08, "mission asks for settle"),
    ]


def test_answers_and_notes_are_written(bench: Bench) -> None:
    bench.journal.answered(Prompt("arm/1", "arm the robot", OperatorAction.ARM), 1.0)
    bench.journal.note(2.0, "interrupted: stop")
    events = bench.events()
    assert [(e.kind, e.time_s, e.text, e.data) for e in events[1:]] == [
        (EventKind.OPERATOR, 1.0, "operator: arm the robot", {"press": "arm"}),
        (EventKind.NOTE, 2.0, "interrupted: stop", {}),
    ]
    assert bench.shown.texts == ["robot is disarmed", "stand-in: arm the robot [arm]", "interrupted: stop"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda r: r, "guard tilt VIOLATED: 0.7 of 0.6 rad, level DAMP"),
        (lambda r: replace(r, joint=1, measured=float("nan"), value=GuardValue.STALE),
         "guard tilt STALE: nan of 0.6 rad (knee), level DAMP"),
    ],
)  # fmt: skip
def test_a_reading_in_one_line(change: Callable[..., object], text: str) -> None:
    assert describe(change(TILTED), QUIET) == text  # type: ignore[arg-type]
