from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from supervisor.core.levels import ArmingState
from supervisor.safety.latch_file import FileMemory, StateFile, read
from supervisor.safety.latch_format import PLACE_BYTES, Clocks
from supervisor.safety.restart import Kept
from tests.safety.test_latch_format import KEPT

CLOCKS = Clocks(lambda: 100.0, lambda: 1e9, "a")


def memory(path: Path) -> FileMemory:
    return FileMemory(path, "pup", CLOCKS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pup" / "latch.bin"


def test_the_first_process_finds_nothing_and_makes_a_file_of_full_size_for_its_owner(path: Path) -> None:
    first = memory(path)
    assert first.load().kept is None
    assert first.load().problem == ""
    assert path.stat().st_size == 2 * PLACE_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_next_process_finds_what_was_stored_last(path: Path) -> None:
    first = memory(path)
    for arming in (ArmingState.CHECKING, ArmingState.ARMED, ArmingState.RUNNING):
        first.store(Kept(arming))
        assert first.is_kept
    first.close()
    first.close()
    second = memory(path)
    assert second.load().kept == Kept(ArmingState.RUNNING)
    assert not second.is_kept
    second.store(KEPT)
    assert second.is_kept
    assert read(path, "pup", CLOCKS).kept.stop == KEPT.stop


def test_it_is_written_through_to_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags: list[int] = []
    really = os.open
    monkeypatch.setattr(os, "open", lambda name, flag, *more: (flags.append(flag), really(name, flag, *more))[1])
    memory(path)
    assert any(flag & os.O_RDWR and flag & os.O_DSYNC for flag in flags)


def test_no_file_is_nothing_found(path: Path) -> None:
    assert read(path, "pup", CLOCKS).kept is None
    assert read(path, "pup", CLOCKS).problem == ""
    assert not path.parent.exists()


def test_two_runs_of_one_robot_do_not_share_the_file(path: Path) -> None:
    first = memory(path)
    second = memory(path)
    assert "another run has it open" in second.load().problem
    second.store(KEPT)
    assert not second.is_kept
    first.store(Kept(ArmingState.ARMED))
    second.close()
    first.close()
    assert memory(path).load().kept == Kept(ArmingState.ARMED)


@pytest.mark.parametrize("size", [0, 100, 3 * PLACE_BYTES])
def test_a_damaged_file_is_a_problem_until_something_new_is_stored(path: Path, size: int) -> None:
    first = memory(path)
    first.store(KEPT)
    first.store(KEPT)
    first.close()
    os.truncate(path, size)
    for _ in range(2):
        found = memory(path)
        assert str(path) in found.load().problem
        found.close()
    found = memory(path)
    found.store(KEPT)
    found.close()
    assert path.stat().st_size == 2 * PLACE_BYTES
    assert memory(path).load().problem == ""
    assert memory(path).load().kept.stop == KEPT.stop


def test_a_torn_place_is_a_problem_that_storing_mends(path: Path) -> None:
    first = memory(path)
    first.store(Kept(ArmingState.RUNNING))
    first.store(KEPT)
    first.close()
    raw = bytearray(path.read_bytes())
    raw[50] ^= 1
    path.write_bytes(raw)
    found = memory(path)
    assert found.load().problem
    assert found.load().kept == Kept(ArmingState.RUNNING)
    found.store(KEPT)
    found.close()
    assert memory(path).load().problem == ""


def made_unreadable(path: Path, how: str) -> None:
    path.parent.mkdir(parents=True)
    if how == "folder":
        path.mkdir()
    elif how == "link":
        (path.parent / "other").write_bytes(bytes(2 * PLACE_BYTES))
        path.symlink_to("other")
    elif how == "fifo":
        os.mkfifo(path, 0o600)
    else:
        path.write_bytes(bytes(2 * PLACE_BYTES))
        path.chmod(0o640)


@pytest.mark.parametrize("how", ["folder", "link", "fifo", "open to others"])
def test_what_is_no_file_of_ours_alone_is_a_problem_and_keeps_nothing(path: Path, how: str) -> None:
    made_unreadable(path, how)
    found = memory(path)
    assert found.load().problem
    found.store(KEPT)
    assert not found.is_kept
    assert found.problem


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "pup").write_text("a file")
    found = memory(tmp_path / "pup" / "latch.bin")
    found.store(KEPT)
    assert found.load().problem
    assert not found.is_kept


def test_a_file_of_somebody_else_is_a_problem(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory(path).close()
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert "not ours alone" in memory(path).load().problem


def test_a_write_that_fails_is_not_kept_and_one_that_works_is_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = memory(path)
    found.store(KEPT)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: 100)
        found.store(Kept(ArmingState.ARMED))
    assert not found.is_kept
    assert "in part" in found.problem
    found.store(Kept(ArmingState.RUNNING))
    assert found.is_kept
    assert found.problem == ""


def test_what_is_too_large_is_not_kept(path: Path) -> None:
    found = memory(path)
    found.store(Kept(ArmingState.DISARMED, None, {"x" * PLACE_BYTES: (1.0,)}))
    assert not found.is_kept
    assert "room" in found.problem


def test_when_two_make_the_file_at_once_the_first_one_counts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = memory(path)
    first.store(KEPT)
    first.close()
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert memory(path).load().kept.stop == KEPT.stop


def test_the_file_can_be_let_go_twice(path: Path) -> None:
    file = StateFile(path)
    file.close()
    file.close()
    StateFile(path).close()
