"""The file of the latch: flags, words and edges."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from supervisor.core.levels import ArmingState
from supervisor.safety import latch_file
from supervisor.safety.latch_file import FileMemory, StateFile, read
from supervisor.safety.latch_format import PLACE_BYTES, Clocks, framed
from supervisor.safety.restart import Found, Kept

CLOCKS = Clocks(lambda: 100.0, lambda: 1e9, "a")


def memory(path: Path) -> FileMemory:
    return FileMemory(path, "pup", CLOCKS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In folders that do not exist yet."""
    return tmp_path / "state" / "pup" / "latch.bin"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Name and flags of all that is opened."""
    calls: list[tuple[str, int]] = []
    really = os.open

    def note(name: str | Path, flags: int, *more: int) -> int:
        calls.append((Path(name).name, flags))
        return really(name, flags, *more)

    monkeypatch.setattr(os, "open", note)
    return calls


def test_everything_is_opened_with_all_its_flags(path: Path, opened: list[tuple[str, int]]) -> None:
    memory(path)
    read(path, "pup", CLOCKS)
    careful = os.O_CLOEXEC | os.O_NOFOLLOW
    reading = os.O_RDONLY | os.O_NONBLOCK | careful
    writing = os.O_RDWR | os.O_NONBLOCK | os.O_DSYNC | careful
    draft = (f"{path.name}.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | careful)
    folder = (path.parent.name, os.O_RDONLY | os.O_DIRECTORY)
    assert opened == [(path.name, reading), draft, folder, (path.name, writing), (path.name, reading)]


def test_what_is_read_says_when(path: Path) -> None:
    assert read(path, "pup", CLOCKS) == Found(None, "", 100.0)


def test_what_cannot_be_opened_says_why_and_when(path: Path) -> None:
    path.parent.parent.mkdir()
    path.parent.write_bytes(b"a file where a folder should be")
    assert read(path, "pup", CLOCKS) == Found(None, f"{path}: {os.strerror(errno.ENOTDIR)}", 100.0)


def test_what_is_not_ours_says_why_and_when(path: Path) -> None:
    memory(path).close()
    path.chmod(0o640)
    problem = f"{path}: not ours alone (user {os.geteuid()}, mode 0640)"
    assert read(path, "pup", CLOCKS) == Found(None, problem, 100.0)
    other = memory(path)
    assert (other.problem, other.is_kept, other.load()) == (problem, False, Found(None, problem, 100.0))


def test_what_is_no_file_says_so(path: Path) -> None:
    path.parent.mkdir(parents=True)
    os.mkfifo(path, 0o600)
    assert read(path, "pup", CLOCKS) == Found(None, f"{path}: not a file", 100.0)
    with pytest.raises(OSError, match="not a file") as caught:
        StateFile(path)
    assert caught.value.args == (0, "not a file")


def test_a_second_run_is_told_so_with_the_path(path: Path) -> None:
    first = memory(path)
    second = memory(path)
    assert second.problem == f"{path}: another run has it open"
    with pytest.raises(OSError, match="another run") as caught:
        StateFile(path)
    assert caught.value.args == (0, "another run has it open")
    first.close()


def test_a_write_in_part_is_an_error_and_not_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = memory(path)
    monkeypatch.setattr(latch_file.os, "pwrite", lambda *_: PLACE_BYTES - 1)
    made.store(Kept(ArmingState.RUNNING))
    assert made.is_kept is False
    with pytest.raises(OSError, match="in part") as caught:
        StateFile.write(made._file, b"content")
    assert caught.value.args == (0, "written only in part")


def test_a_memory_that_is_well_has_no_problem_and_has_kept_nothing_yet(path: Path) -> None:
    made = memory(path)
    assert (made.is_kept, made.problem) == (False, "")
    made.store(Kept(ArmingState.ARMED))
    assert (made.is_kept, made.problem) == (True, "")


@pytest.mark.parametrize("more", [1, 2, PLACE_BYTES])
def test_a_file_that_is_too_long_is_damaged_and_written_anew(path: Path, more: int) -> None:
    memory(path).close()
    with path.open("ab") as file:
        file.write(b"\0" * more)
    found = read(path, "pup", CLOCKS)
    # How much longer does not matter, and is not read.
    assert found.problem == f"{path}: {2 * PLACE_BYTES + 1} bytes, expected {2 * PLACE_BYTES}"
    made = memory(path)
    made.store(Kept(ArmingState.ARMED))
    made.close()
    assert path.stat().st_size == 2 * PLACE_BYTES
    assert read(path, "pup", CLOCKS) == Found(Kept(ArmingState.ARMED), "", 100.0, ())


def test_damage_is_written_over_once(path: Path) -> None:
    memory(path).close()
    path.write_bytes(b"x" * 2 * PLACE_BYTES)
    file = StateFile(path)
    file.write(b"one")
    assert path.read_bytes() == framed(b"one", 2) + framed(b"one", 1)
    file.write(b"two")
    assert path.read_bytes() == framed(b"one", 2) + framed(b"two", 3)
    file.close()


def test_a_closed_file_is_closed_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = StateFile(path)
    closed: list[int] = []
    really = os.close
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), really(descriptor)))
    for _ in range(3):
        file.close()
    assert len(closed) == 1


def test_folders_are_made_for_their_owner_alone(path: Path) -> None:
    memory(path)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_may_read_is_no_system_error(path: Path) -> None:
    memory(path).close()
    path.chmod(0o604)
    with pytest.raises(OSError, match="not ours alone") as caught:
        StateFile(path)
    assert caught.value.args == (0, f"not ours alone (user {os.geteuid()}, mode 0604)")


def test_a_file_with_the_first_descriptor_is_closed_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = StateFile(path)
    os.close(file._file)
    closed: list[int] = []
    monkeypatch.setattr(os, "close", closed.append)
    file._file = 0
    file.close()
    assert closed == [0]
