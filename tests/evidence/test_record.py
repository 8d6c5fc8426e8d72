"""The record of every control cycle: what goes in comes out, and bytes that are not a record are refused."""

from __future__ import annotations

import errno
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.command import Drive
from supervisor.core.errors import RecordError
from supervisor.core.joints import JointOrder
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction
from supervisor.evidence import record_files as record_module
from supervisor.evidence.record import CHUNK_BYTES, CycleRecorder
from supervisor.evidence.record_reader import read_record
from supervisor.evidence.row import MAGIC, RecordLayout
from tests.evidence.samples import ORDER, ROWS, keep, make_cycle


def test_every_value_of_a_cycle_is_read_back_as_it_was(tmp_path: Path, layout: RecordLayout, cycle: Callable) -> None:
    one = cycle(cycle=41, tilt_rad=0.25)
    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    presses = (OperatorAction.ARM, OperatorAction.RESET)
    keep(recorder, one, ArmingState.ARMED, np.array([0.3, 0.4]), 81.5, presses, is_at_rest=True)
    recorder.close()
    record = read_record(tmp_path / "c.bin")
    state, command = one.state, one.actuation.command
    expected = {
        "time_s": state.now_s,
        "loop_lag_mean_s": 0.001,
        "loop_lag_worst_s": 0.002,
        "operator_link_age_s": 0.003,
        "guardian_age_s": 0.004,
        "clock_step_s": 0.005,
        "bus_loss": 0.006,
        "bus_off": 1,
        "bus_errors": 2,
        "foreign_commands": 3,
        "decision": 41,
        "gate_position": 11,
        "gate_velocity": 12,
        "gate_torque": 13,
        "gate_rate": 14,
        "gate_rejected": 15,
        "words_crc32": zlib.crc32(repr(((), None, None)).encode()),
        "inventory_requested": 1,
        "recorder_ok": 1,
        "emergency_stop": 1,
        "hashes_match": 1,
        "presses": [1, 8, *[0] * 14],
        "cycle_us": 81.5,
        "cycle": 41,
        "imu_stamp_s": 1.5,
        "imu_sequence": 7,
        "imu_unchanged": state.imu.unchanged,
        "imu_warning": 1,
        "is_at_rest": 1,
        "base_velocity_stamp_s": 2.5,
        "level": Level.LIMIT,
        "arming": list(ArmingState).index(ArmingState.ARMED),
        "drive": list(Drive).index(Drive.COMMAND),
        "guard_measured": [0.25, np.nan],
        "guard_limit": [0.6, 20.0],
        "guard_value": [GuardValue.OK, GuardValue.STALE],
        "guard_joint": [reading.joint for reading in one.board],
        "guard_tripped": [reading.tripped for reading in one.board],
        "position_rad": state.position_rad,
        "velocity_rad_per_s": state.velocity_rad_per_s,
        "torque_nm": state.torque_nm,
        "temperature_degc": state.temperature_degc,
        "motor_stamp_s": state.motor_stamp_s,
        "motor_status": state.motor_status,
        "fault_code": state.fault_code,
        "command_position_rad": command.position_rad,
        "command_velocity_rad_per_s": command.velocity_rad_per_s,
        "command_kp_nm_per_rad": command.kp_nm_per_rad,
        "command_kd_nm_s_per_rad": command.kd_nm_s_per_rad,
        "command_torque_nm": command.torque_nm,
        "proposed_position_rad": [0.3, 0.4],
        "orientation_base_in_world_wxyz": state.imu.orientation_base_in_world_wxyz,
        "angular_velocity_base_in_base_rad_per_s": state.imu.angular_velocity_base_in_base_rad_per_s,
        "acceleration_base_in_base_m_per_s2": state.imu.acceleration_base_in_base_m_per_s2,
        "gravity_in_base": state.imu.gravity_in_base,
        "linear_velocity_base_in_base_m_per_s": state.base_velocity.linear_velocity_base_in_base_m_per_s,
    }
    assert set(expected) == set(record.units)
    for name, value in expected.items():
        np.testing.assert_array_equal(record.column(name)[0], value, err_msg=name)
    assert (record.robot, record.control_hz, record.joints) == ("pup", 500.0, ("hip", "knee"))
    assert [(g.id, g.unit, g.level) for g in record.guards] == [
        ("tilt", "rad", "DAMP"),
        ("joint_velocity", "rad/s", "DAMP"),
    ]
    assert record.numbers["Level"][Level.LIMIT] == "LIMIT"


def test_all_cycles_arrive_in_order_over_many_chunks(tmp_path: Path, layout: RecordLayout, cycle: Callable) -> None:
    count = 3 * (CHUNK_BYTES // layout.row_bytes) + 5
    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    one = cycle()
    for i in range(count):
        keep(recorder, replace(one, state=replace(one.state, cycle=i)))
    recorder.close()
    recorder.close()
    record = read_record(tmp_path / "c.bin")
    assert record.column("cycle").tolist() == list(range(count))
    assert np.isnan(record.column("proposed_position_rad")).all()
    assert recorder.is_healthy
    assert recorder.lost_cycles == 0


@pytest.mark.parametrize("joints", [1, 3, 12, 29])
@pytest.mark.parametrize("guards", [0, 1, 8, 27])
def test_rows_are_multiples_of_eight_bytes_whatever_the_robot(layout: RecordLayout, joints: int, guards: int) -> None:
    made = RecordLayout.of(JointOrder([f"j{i}" for i in range(joints)]), layout.guards[:1] * guards)
    assert made.row_bytes % 8 == 0
    assert made.values_offset % 8 == 0
    ends = [f.offset + int(f.type[2:]) * int(np.prod(f.shape, initial=1)) for f in made.fields]
    starts = [f.offset for f in made.fields]
    assert all(start >= end for end, start in zip(ends, starts[1:], strict=False))
    assert ends[-1] == made.row_bytes


def test_guards_are_named_in_the_order_and_unit_of_the_board(
    tmp_path: Path, layout: RecordLayout, cycle: Callable
) -> None:
    one = cycle(tilt_rad=0.25)
    first, second = one.board.readings
    turned = replace(one.board, readings=(second, replace(first, unit="degrees")))
    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    keep(recorder, replace(one, board=turned))
    recorder.close()
    record = read_record(tmp_path / "c.bin")
    assert [(g.id, g.unit) for g in record.guards] == [("joint_velocity", "rad/s"), ("tilt", "degrees")]
    np.testing.assert_array_equal(record.column("guard_measured")[0], [np.nan, 0.25])


def test_a_guard_that_was_never_declared_makes_the_recorder_unhealthy(
    tmp_path: Path, layout: RecordLayout, cycle: Callable
) -> None:
    one = cycle()
    strange = replace(one.board, readings=tuple(replace(r, id=f"new_{r.id}") for r in one.board.readings))
    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    keep(recorder, replace(one, board=strange))
    recorder.close()
    assert not recorder.is_healthy
    assert recorder.lost_cycles == 1


def test_a_cycle_that_does_not_fit_is_lost_and_told_and_the_next_is_recorded(
    tmp_path: Path, layout: RecordLayout, cycle: Callable
) -> None:
    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    one = cycle()
    keep(recorder, replace(one, state=replace(one.state, position_rad=np.zeros(5))))
    keep(recorder, replace(one, board=replace(one.board, readings=one.board.readings[:1])))
    assert not recorder.is_healthy
    assert recorder.lost_cycles == 2
    keep(recorder, one)
    recorder.close()
    assert len(read_record(tmp_path / "c.bin")) == 1


def test_a_proposal_of_the_wrong_width_is_recorded_as_none(
    tmp_path: Path, layout: RecordLayout, cycle: Callable
) -> None:
    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    one = cycle()
    keep(recorder, one, ArmingState.RUNNING, np.zeros(3))
    recorder.close()
    assert np.isnan(read_record(tmp_path / "c.bin").column("proposed_position_rad")).all()
    assert recorder.is_healthy


def test_a_full_disk_makes_the_recorder_unhealthy_and_nothing_raises(
    tmp_path: Path, layout: RecordLayout, cycle: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    one = cycle()
    rows = CHUNK_BYTES // layout.row_bytes
    keep(recorder, one)
    monkeypatch.setattr(record_module, "write_all", full)
    for _ in range(rows - 1):
        keep(recorder, one)
    assert not recorder.is_healthy
    assert recorder.problem == "the record cannot be written: No space left on device"
    monkeypatch.undo()
    keep(recorder, one)
    recorder.close()
    assert recorder.lost_cycles == rows + 1
    assert recorder.problem == "the record cannot be written: No space left on device"
    assert len(read_record(tmp_path / "c.bin")) == 0


def test_a_nearly_full_disk_is_told_while_cycles_are_still_recorded(
    tmp_path: Path, layout: RecordLayout, cycle: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "MINIMUM_FREE_BYTES", 10**18)
    recorder = CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0)
    one = cycle()
    keep(recorder, one)
    recorder.flush()
    assert not recorder.is_healthy
    assert "left on the record's disk" in recorder.problem
    keep(recorder, one)
    recorder.close()
    assert len(read_record(tmp_path / "c.bin")) == 2
    assert recorder.lost_cycles == 0


def test_an_existing_record_is_never_overwritten(record_path: Path, layout: RecordLayout) -> None:
    with pytest.raises(RecordError, match="File exists"):
        CycleRecorder(record_path, layout, "pup", 500.0)
    assert len(read_record(record_path)) == 100


def test_a_folder_that_is_missing_is_told(tmp_path: Path, layout: RecordLayout) -> None:
    with pytest.raises(RecordError, match="cannot record"):
        CycleRecorder(tmp_path / "nowhere" / "c.bin", layout, "pup", 500.0)


def test_a_last_row_that_was_cut_off_is_left_out_and_counted(record_path: Path, layout: RecordLayout) -> None:
    whole = record_path.read_bytes()
    record_path.write_bytes(whole[:-10])
    record = read_record(record_path)
    assert len(record) == 99
    assert record.leftover_bytes == layout.row_bytes - 10


def test_a_record_without_cycles_can_be_read(tmp_path: Path, layout: RecordLayout) -> None:
    CycleRecorder(tmp_path / "c.bin", layout, "pup", 500.0).close()
    record = read_record(tmp_path / "c.bin")
    assert len(record) == 0
    assert record.column("position_rad").shape == (0, 2)


def test_an_unknown_column_is_refused_with_the_names_there_are(record_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no column altitude; it has: .*position_rad"):
        read_record(record_path).column("altitude")


def test_a_missing_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="No such file"):
        read_record(tmp_path / "none.bin")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin with"),
        (b"PK\x03\x04 something else", "does not begin with"),
        (MAGIC, "ends inside its header"),
        (MAGIC + b"\x10\x00\x00\x00abc", "ends inside its header"),
        (MAGIC + b"\xff\xff\xff\xff" + b" " * 64, "allowed: at most"),
        (MAGIC + struct.pack("<I", 3) + b"\xff\xfe\xfd", "damaged"),
        (MAGIC + struct.pack("<I", 2) + b"[]", "damaged"),
        (MAGIC + struct.pack("<I", 12) + b'{"schema":1}', "schema 1; this version reads 2"),
    ],
)
def test_bytes_that_are_not_a_record_are_refused_in_words(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "c.bin"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=message):
        read_record(path)


@pytest.mark.parametrize(
    "change",
    [
        {"row_bytes": 0},
        {"row_bytes": 8},
        {"row_bytes": -1664},
        {"row_bytes": 1e9},
        {"row_bytes": True},
        {"fields": [{"name": "a", "type": "|O", "shape": [], "offset": 0, "unit": ""}]},
        {"fields": [{"name": "a", "type": "<f8", "shape": [10**9, 10**9], "offset": 0, "unit": ""}]},
        {"fields": [{"name": "a", "type": "<f8", "shape": [-1], "offset": 0, "unit": ""}]},
        {"fields": [{"name": "a", "type": "<f8", "shape": [], "offset": 10**8, "unit": ""}]},
        {"fields": [{"name": "a", "type": "<f8", "shape": [], "offset": 0, "unit": ""}] * 2},
        {"joints": 7},
        {"guards": [{"id": "tilt"}]},
        {"control_hz": "often"},
        {"numbers": []},
    ],
)
def test_a_header_that_says_what_ours_never_say_is_refused(record_path: Path, change: dict[str, object]) -> None:
    whole = record_path.read_bytes()
    length = struct.unpack("<I", whole[8:12])[0]
    header = json.loads(whole[12 : 12 + length])
    text = json.dumps({**header, **change}).encode()
    record_path.write_bytes(MAGIC + struct.pack("<I", len(text)) + text + whole[12 + length :])
    with pytest.raises(RecordError):
        read_record(record_path)


@given(position=st.integers(0, 4000), byte=st.integers(0, 255), length=st.integers(0, 30_000))
def test_any_damage_ends_in_a_record_or_a_record_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, length: int
) -> None:
    whole = bytearray(_small_record(tmp_path_factory))
    whole[position % len(whole)] = byte
    path = tmp_path_factory.mktemp("damaged") / "c.bin"
    path.write_bytes(whole[:length])
    try:
        cycles = len(read_record(path))
    except RecordError as error:
        words = str(error)
        cycles = 0 if str(path) in words or "schema" in words else -1
    assert 0 <= cycles <= 100


_CACHE: list[bytes] = []


def _small_record(factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a record of three cycles, made once."""
    if not _CACHE:
        path = factory.mktemp("whole") / "c.bin"
        recorder = CycleRecorder(path, RecordLayout.of(ORDER, ROWS), "pup", 500.0)
        for i in range(3):
            one = make_cycle(i)
            keep(recorder, one)
        recorder.close()
        _CACHE.append(path.read_bytes())
    return _CACHE[0]
