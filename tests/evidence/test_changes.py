"""What changes seldom: what goes into the file comes out, and damage ends it and is told."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import RecordError
from supervisor.evidence import record_files
from supervisor.evidence.changes import (
    HEAD_BYTES,
    PREAMBLE,
    Change,
    ChangeKind,
    Changes,
    decision_of,
    pieces,
    read_changes,
    unpadded,
)
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.record_files import ChangeFile
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import changes_path
from tests.evidence.samples import keep, make_cycle

CHANGES = (
    Change(0, ChangeKind.START, b"{}"),
    Change(7, ChangeKind.OUTPUT, bytes(range(256)) * 10),
    Change(7, ChangeKind.LATCH, b""),
    Change(4_000_000_000, ChangeKind.INVENTORY, b"[]"),
)


def written(path: Path, raw: bytes) -> Path:
    path.write_bytes(PREAMBLE + raw)
    return path


@pytest.mark.parametrize("most", [1, 100, 2560, 10_000])
def test_every_change_is_read_back_whatever_its_pieces(tmp_path: Path, most: int) -> None:
    parts = [piece for change in CHANGES for piece in pieces(change, most)]
    assert max(map(len, parts)) <= most + HEAD_BYTES
    assert [decision_of(piece) for piece in parts] == sorted(decision_of(piece) for piece in parts)
    assert [unpadded(piece + bytes(33)) for piece in parts] == parts
    assert read_changes(written(tmp_path / "c", b"".join(parts))) == Changes(CHANGES, "")


@given(cut=st.integers(0, 2600))
def test_what_is_cut_off_ends_the_file_and_is_told(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    raw = b"".join(piece for change in CHANGES for piece in pieces(change))
    found = read_changes(written(tmp_path_factory.mktemp("cut") / "c", raw[:cut]))
    assert found.entries == CHANGES[: len(found.entries)]
    ends = {sum(len(piece) for change in CHANGES[:count] for piece in pieces(change)) for count in range(5)}
    assert bool(found.problem) == (cut < len(raw) and cut not in ends)


@pytest.mark.parametrize("place", [0, 4, 8, 9, 12, HEAD_BYTES, HEAD_BYTES + 100])
def test_a_bit_that_was_changed_ends_the_file_and_is_told(tmp_path: Path, place: int) -> None:
    raw = bytearray(b"".join(piece for change in CHANGES for piece in pieces(change)))
    raw[HEAD_BYTES + len(b"{}") + place] ^= 4
    found = read_changes(written(tmp_path / "c", bytes(raw)))
    assert found == Changes(CHANGES[:1], f"c is damaged or cut off at byte {len(PREAMBLE) + HEAD_BYTES + 2}")


def test_a_kind_that_is_not_known_ends_the_file_and_is_told(tmp_path: Path) -> None:
    raw = next(pieces(Change(0, 99, b"")))  # type: ignore[arg-type]
    found = read_changes(written(tmp_path / "c", raw))
    assert found.entries == ()
    assert "99 is not a valid ChangeKind" in found.problem


def test_what_was_lost_does_not_become_part_of_what_follows(tmp_path: Path) -> None:
    first = next(pieces(Change(3, ChangeKind.OUTPUT, b"the beginning of an output"), 5))
    lost, last = Change(3, ChangeKind.LOST, b"fell behind"), Change(9, ChangeKind.OUTPUT, b"whole")
    raw = first + b"".join(piece for change in (lost, last) for piece in pieces(change))
    assert read_changes(written(tmp_path / "c", raw)) == Changes((lost, last), "")


@pytest.mark.parametrize("content", [b"", b"HNDRLCHG", b"HNDRLCHG\x02\x00\x00\x00", b"something else entirely"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c"
    path.write_bytes(content)
    with pytest.raises(RecordError, match="holds no changes of this version"):
        read_changes(path)


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read: No such file"):
        read_changes(tmp_path / "c")


def test_changes_are_on_the_disk_before_the_rows_that_need_them(
    tmp_path: Path, layout: RecordLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cycles.bin"
    recorder = CycleRecorder(path, layout, "pup", 500.0)
    for change in CHANGES:
        recorder.change(change)
    keep(recorder, make_cycle())
    order: list[str] = []
    original = record_files.write_all

    def noted(descriptor: int, data: bytes) -> None:
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().suffix)
        original(descriptor, data)

    monkeypatch.setattr(record_files, "write_all", noted)
    recorder.close()
    assert order == [".changes", ".bin"]
    assert read_changes(changes_path(path)) == Changes(CHANGES, "")
    assert recorder.problem == ""


def test_changes_that_cannot_be_written_make_the_recorder_unhealthy(
    tmp_path: Path, layout: RecordLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    recorder = CycleRecorder(tmp_path / "cycles.bin", layout, "pup", 500.0)
    recorder.change(CHANGES[0])
    assert recorder.is_healthy
    monkeypatch.setattr(record_files, "write_all", full)
    recorder.flush()
    assert not recorder.is_healthy
    assert recorder.problem == "the changes cannot be written: No space left on device"
    monkeypatch.undo()
    # What follows would be out of place.
    recorder.change(CHANGES[1])
    recorder.close()
    assert read_changes(tmp_path / "cycles.changes") == Changes((), "")


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    ChangeFile(tmp_path / "c").close()
    with pytest.raises(RecordError, match=r"cannot record to .*: File exists"):
        ChangeFile(tmp_path / "c")
