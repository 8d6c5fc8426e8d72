"""Recorded runs, put through the safety core again from the record alone, give the same decisions bit for bit."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from supervisor.core.command import Drive
from supervisor.core.errors import RecordError
from supervisor.core.exchange import Request, Stop
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.evidence.changes import HEAD_BYTES, PREAMBLE, Change, ChangeKind, pieces, read_changes
from supervisor.evidence.record_reader import CycleRecord, read_record
from supervisor.evidence.row import MAGIC, PRESSES
from supervisor.evidence.run_folder import changes_path, sha256_of
from supervisor.runtime import app
from supervisor.runtime.options import RunOptions
from supervisor.runtime.progress import SilentProgress
from supervisor.runtime.replay import Replayed, replay_run, replay_text
from supervisor.safety.restart import Found, Kept
from tests.replay.session import CYCLES_PER_TICK, ROOT, Mischief, Session

STAGES = ("preflight", "stand", "zero_action")


def same(folder: Path) -> CycleRecord:
    """The record of a run that the safety core decides again as it did."""
    record = read_record(folder / "cycles.bin")
    assert replay_run(folder) == Replayed(len(record), len(record), None, "")
    return record


def meanings(record: CycleRecord, column: str, numbers: str) -> set[str]:
    return {record.numbers[numbers][number] for number in np.unique(record.column(column))}


@pytest.mark.parametrize(
    ("fault", "guard"),
    [
        ("{kind: imu_lost, at: {stage: zero_action, after_s: 1.0}, for_s: 0.5}", "imu_age"),
        ("{kind: motor_silent, joints: [fl_hip], at: {stage: stand, after_s: 0.5}}", "motor_age"),
        ("{kind: encoder_jump, joints: [fl_calf], offset_rad: 2.0, at: {stage: stand, after_s: 1.0}}", "encoder_jump"),
        ("{kind: policy_nan, at: {stage: zero_action, after_s: 0.5}}", "action_finite"),
        ("{kind: mission_stalled, at: {stage: zero_action, after_s: 0.5}}", "proposal_age"),
        ("{kind: disk_full, at: {stage: stand, after_s: 1.0}}", "recorder"),
    ],
)
def test_a_run_that_a_guard_stopped_is_decided_the_same_again(tmp_path: Path, fault: str, guard: str) -> None:
    mission = yaml.safe_load((ROOT / "config" / "missions" / "deployment.yaml").read_text())
    mission["stages"] = [stage for stage in mission["stages"] if stage["name"] in STAGES]
    (tmp_path / "mission.yaml").write_text(yaml.safe_dump(mission))
    (tmp_path / "fault.yaml").write_text(f"schema: 1\nfaults:\n  - {fault}\n")
    options = RunOptions(
        "pup", "pup_walk", str(tmp_path / "mission.yaml"), fast=True, fault=tmp_path / "fault.yaml", runs=tmp_path,
        state=tmp_path / "state",
    )  # fmt: skip
    result = app.run_mission(options, SilentProgress())
    assert result.summary["stop"]["guard"] == guard
    record = same(result.folder)
    assert len(record) > 1000
    assert {"enable", "command", "disable", "poll"} <= meanings(record, "drive", "Drive")


@pytest.fixture(scope="module")
def pressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which an operator does everything there is to do, and the emergency stop is pressed."""
    session = Session(tmp_path_factory.mktemp("pressed"))
    session.step(OperatorAction.ARM)
    session.running()
    session.pose_rad = session.pose_rad + 0.05
    session.steps(100)
    for action in (OperatorAction.HOLD, OperatorAction.RESUME, OperatorAction.CONFIRM, OperatorAction.ARM):
        session.step(action)
        session.steps(30)
    session.inputs.emergency_stop = True
    session.steps(20)
    session.step(OperatorAction.RESET)
    session.inputs.emergency_stop = False
    session.steps(700)
    session.step(OperatorAction.RESET, OperatorAction.ARM, OperatorAction.START)
    session.steps(600)
    session.step(OperatorAction.START)
    session.steps(50)
    session.ask(Request.SETTLE, 1500)
    session.ask(Request.DISARM, 50)
    session.ask(Request.CLEAR_FAULTS, 20)
    session.control.cut(session.now_s)
    return session.close()


def test_presses_stops_and_resets_are_decided_the_same_again(pressed: Path) -> None:
    record = same(pressed)
    assert meanings(record, "arming", "ArmingState") == {state.value for state in ArmingState}
    assert meanings(record, "drive", "Drive") == {drive.value for drive in Drive}
    assert {"NONE", "HOLD", "SETTLE", "CUT"} <= meanings(record, "level", "Level")
    pressed_codes = set(np.unique(record.column("presses")))
    assert pressed_codes == set(range(9)) - {list(OperatorAction).index(OperatorAction.STOP) + 1}
    assert record.column("inventory_requested").sum() == 1
    assert record.column("gate_rate")[-1] > 0


@pytest.mark.parametrize("seed", [1, 3])
def test_whatever_comes_is_decided_the_same_again(tmp_path: Path, seed: int) -> None:
    session = Session(tmp_path)
    session.running()
    Mischief(session, seed).cycles(3000)
    record = same(session.close())
    values = record.column("guard_value")
    assert set(np.unique(values)) >= {0, 1, 2, 3}
    tripped = [guard.id for guard, is_tripped in zip(record.guards, record.column("guard_tripped").any(0), strict=True)
               if is_tripped]  # fmt: skip
    assert len(tripped) > 8
    assert len(meanings(record, "level", "Level")) > 3
    assert meanings(record, "arming", "ArmingState") == {state.value for state in ArmingState}


@pytest.mark.parametrize(("name", "value"), [("emergency_stop", None), ("hashes_match", None), ("hashes_match", 1)])
def test_what_is_no_clear_yes_or_no_is_recorded_as_the_guards_see_it(tmp_path: Path, name: str, value: Any) -> None:
    session = Session(tmp_path)
    session.steps(20)
    setattr(session.inputs, name, value)
    session.steps(50)
    assert same(session.close()).column(name)[-1] == (name == "emergency_stop")


def test_a_press_that_comes_with_a_request_sees_the_inventory_before_it(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.ready()
    session.steps(-session.cycle % CYCLES_PER_TICK or CYCLES_PER_TICK)
    session.request(Request.INVENTORY)
    assert session.step(OperatorAction.ARM).arming is ArmingState.CHECKING
    session.steps(50)
    assert same(session.close()).column("inventory_requested").sum() == 2


class Memory:
    """Remembers a stop, and is slow to write."""

    def __init__(self, found: Found, slow: int = 0) -> None:
        self._found, self._slow, self._asked = found, slow, 0
        self.problem = "the disk is slow"

    @property
    def is_kept(self) -> bool:
        self._asked += 1
        return self._asked > self._slow

    def load(self) -> Found:
        return self._found

    def store(self, kept: Kept) -> None:
        return


STOP = Stop(Level.HOLD, "tilt", float("nan"), 0.5, "rad", -7.25, -7.5, "stand", ("fl_hip",), ("imu_age",))


@pytest.mark.parametrize("found", [
    Found(None),
    Found(None, "the file is torn", 3.0, ("look",)),
    Found(Kept(ArmingState.RUNNING, None, {"unfinished_run": (-2.0, -1.0)}), "", 3.0),
    Found(Kept(ArmingState.STOPPED, STOP, {"tilt": (-9.0, -7.25)}), "", 3.0),
])  # fmt: skip
def test_what_the_process_before_has_left_is_in_the_record(tmp_path: Path, found: Found) -> None:
    session = Session(tmp_path, Memory(found))
    session.ready()
    session.step(OperatorAction.RESET)
    session.step(OperatorAction.ARM)
    session.steps(300)
    same(session.close())


@pytest.mark.parametrize("slow", [3, 100_000])
def test_how_long_the_latch_took_to_the_disk_is_in_the_record(tmp_path: Path, slow: int) -> None:
    session = Session(tmp_path, Memory(Found(None), slow))
    session.ready()
    session.step(OperatorAction.ARM)
    snapshot = session.steps(600)
    assert any("the disk is slow" in reason for reason in snapshot.refusals) == (slow > 3)
    same(session.close())


def test_a_proposal_that_is_repeated_is_looked_at_once(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.running()
    session.output = {"proposal": session.proposal(np.full(12, np.nan))}
    session.steps(40)
    session.output = {"proposal": session.proposal()}
    session.steps(20)
    session.output["knobs"] = replace(session.link.output().knobs, torque_fraction=0.05)
    session.steps(20)
    folder = session.close()
    kinds = [change.kind for change in read_changes(changes_path(folder / "cycles.bin")).entries]
    assert kinds.count(ChangeKind.SAME_PROPOSAL) == 6
    assert same(folder).column("gate_rejected")[-1] == 12


# What is not in the record is told


def test_more_presses_than_a_row_holds_end_the_replay(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.steps(20)
    session.step(*[OperatorAction.CONFIRM] * (PRESSES + 1))
    session.steps(20)
    found = replay_run(session.close())
    assert (found.recorded, found.replayed, found.difference) == (41, 20, None)
    assert found.reason == "what the core was given could not be kept: 17 presses in one cycle; a row holds 16"


@pytest.mark.parametrize(("output", "reason"), [
    ({"guard_limits": {"altitude": 1.0}}, "guard limits of the mission that no declared guard can take"),
    ({"guard_limits": {"tilt": float("nan")}}, "guard limits of the mission that no declared guard can take"),
    ({"stage": "x" * 300}, "the mission's output: the name of a stage or leaf is longer than 255 bytes"),
])  # fmt: skip
def test_an_output_that_cannot_be_kept_ends_the_replay(tmp_path: Path, output: dict[str, Any], reason: str) -> None:
    session = Session(tmp_path)
    session.steps(20)
    session.output = output
    session.steps(20)
    found = replay_run(session.close())
    assert (found.replayed, found.difference) == (20, None)
    assert reason in found.reason


def test_decisions_that_were_lost_end_the_replay(pressed: Path, tmp_path: Path) -> None:
    folder = copied(pressed, tmp_path)
    edit_rows(folder, lambda rows: np.delete(rows, slice(30, 33)))
    found = replay_run(folder)
    assert (found.replayed, found.difference) == (30, None)
    assert found.reason == "decisions 30 to 32 are not in the record"


def test_changes_that_are_cut_off_end_the_replay_there(pressed: Path, tmp_path: Path) -> None:
    folder = copied(pressed, tmp_path)
    path = changes_path(folder / "cycles.bin")
    path.write_bytes(path.read_bytes()[:-3])
    found = replay_run(folder)
    last = read_changes(path).entries[-1].decision
    assert (found.replayed, found.difference) == (last + 1, None)
    assert "cycles.changes is damaged or cut off at byte" in found.reason


# A record that was changed is noticed


def copied(pressed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pressed, tmp_path / "copied")


def edit_rows(folder: Path, edit: Callable[[Any], Any]) -> None:
    path = folder / "cycles.bin"
    raw = path.read_bytes()
    first = len(MAGIC) + 4 + struct.unpack_from("<I", raw, len(MAGIC))[0]
    # A view that can be written: a copy of such an array leaves out the bytes between its columns.
    rows = np.frombuffer(bytearray(raw[first:]), read_record(path).rows.dtype)
    path.write_bytes(raw[:first] + edit(rows).tobytes())


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("level", 6, "level"),
        ("arming", 3, "arming"),
        ("drive", 2, "drive"),
        ("is_at_rest", 0, "is_at_rest"),
        ("gate_rejected", 1, "gate_rejected"),
        ("words_crc32", 1, "words_crc32"),
        ("inventory_requested", 1, "inventory_requested"),
        ("guard_measured", 7.0, "guard_measured of emergency_stop"),
        ("guard_tripped", 1, "guard_tripped of emergency_stop"),
        ("command_kp_nm_per_rad", 1e-9, "command_kp_nm_per_rad of fl_hip"),
        ("emergency_stop", 1, "level"),
        ("loop_lag_mean_s", 0.25, "guard_measured of loop_lag_mean"),
        ("imu_stamp_s", -1.0, "guard_measured of imu_age"),
        ("presses", 7, "level"),
        ("time_s", 0.2, "guard_measured of motor_age"),
        ("recorder_ok", 2, "recorder_ok"),
    ],
)
def test_a_row_that_was_changed_is_noticed(
    pressed: Path, tmp_path: Path, column: str, value: float, field: str
) -> None:
    folder, number = copied(pressed, tmp_path), 300

    def edit(rows: Any) -> Any:
        if rows[column].ndim == 1:
            rows[column][number] = value
        else:
            rows[column][number][0] = value
        return rows

    edit_rows(folder, edit)
    found = replay_run(folder)
    assert found.difference is not None
    assert found.difference.field == field
    assert found.difference.decision == found.replayed == number
    assert f"decision {number} at 0." in replay_text(folder, found)


def test_bytes_between_the_columns_are_compared_too(pressed: Path, tmp_path: Path) -> None:
    folder = copied(pressed, tmp_path)
    record = read_record(folder / "cycles.bin")
    fields = record.rows.dtype.fields
    assert fields is not None
    gap = fields["guard_tripped"][1] + len(record.guards)
    assert gap < fields["position_rad"][1]
    path = folder / "cycles.bin"
    raw = bytearray(path.read_bytes())
    raw[len(raw) - record.rows.itemsize + gap] = 1
    path.write_bytes(raw)
    found = replay_run(folder)
    assert found.difference is not None
    assert found.difference.field == "bytes between the columns"


def test_a_change_that_was_changed_is_noticed(pressed: Path, tmp_path: Path) -> None:
    folder = copied(pressed, tmp_path)
    path = changes_path(folder / "cycles.bin")
    entries = list(read_changes(path).entries)
    at = next(i for i, change in enumerate(entries) if change.kind is ChangeKind.INVENTORY and change.content != b"[]")
    devices = json.loads(entries[at].content)
    devices[0][3] = ["is another motor"]
    entries[at] = replace(entries[at], content=json.dumps(devices).encode())
    path.write_bytes(PREAMBLE + b"".join(piece for change in entries for piece in pieces(change)))
    found = replay_run(folder)
    assert found.difference is not None
    assert found.difference.field in ("arming", "words_crc32")


# What cannot be replayed is refused


def test_a_record_of_an_older_schema_is_refused_and_still_read(pressed: Path, tmp_path: Path) -> None:
    folder = copied(pressed, tmp_path)
    path = folder / "cycles.bin"
    path.write_bytes(path.read_bytes().replace(b'"schema":3', b'"schema":2', 1))
    assert len(read_record(path)) > 1000
    with pytest.raises(RecordError, match=r"its record has schema 2, which does not hold all .* `handrail report`"):
        replay_run(folder)


@pytest.mark.parametrize("name", ["robot.yaml", "safety.yaml"])
def test_inputs_that_were_changed_are_refused(pressed: Path, tmp_path: Path, name: str) -> None:
    folder = copied(pressed, tmp_path)
    with (folder / "inputs" / name).open("a") as file:
        file.write("# changed\n")
    with pytest.raises(RecordError, match=f"inputs/{name} was changed after the run"):
        replay_run(folder)


def test_another_safety_file_is_refused(pressed: Path, tmp_path: Path) -> None:
    folder = copied(pressed, tmp_path)
    safety = folder / "inputs" / "safety.yaml"
    before = sha256_of(safety)
    content = yaml.safe_load(safety.read_text())
    content["guards"].pop()
    safety.write_text(yaml.safe_dump(content))
    sums = folder / "inputs" / "SHA256SUMS"
    sums.write_text(sums.read_text().replace(before, sha256_of(safety)))
    with pytest.raises(RecordError, match="other guards than the safety file"):
        replay_run(folder)


@pytest.mark.parametrize(("changes", "message"), [
    ([], "do not begin with what the core was made with"),
    ([Change(0, ChangeKind.OUTPUT, b"")], "do not begin with what the core was made with"),
    ([Change(0, ChangeKind.START, b"rubbish")], "its changes are damaged"),
    ([Change(0, ChangeKind.START, b'{"damping_maximum_nm_s_per_rad":null,"found":null}')] * 2, "a second START"),
    ([Change(0, ChangeKind.START, b'{"damping_maximum_nm_s_per_rad":null,"found":null}'),
      Change(0, ChangeKind.OUTPUT, b"short")], "an output of another robot"),
])  # fmt: skip
def test_changes_that_make_no_sense_are_refused(
    pressed: Path, tmp_path: Path, changes: list[Change], message: str
) -> None:
    folder = copied(pressed, tmp_path)
    path = changes_path(folder / "cycles.bin")
    path.write_bytes(PREAMBLE + b"".join(piece for change in changes for piece in pieces(change)))
    with pytest.raises(RecordError, match=message):
        replay_run(folder)


def test_changes_that_are_damaged_at_their_beginning_are_refused(pressed: Path, tmp_path: Path) -> None:
    folder = copied(pressed, tmp_path)
    path = changes_path(folder / "cycles.bin")
    raw = bytearray(path.read_bytes())
    raw[len(PREAMBLE) + HEAD_BYTES + 10] ^= 1
    path.write_bytes(raw)
    with pytest.raises(RecordError, match="do not begin"):
        replay_run(folder)
