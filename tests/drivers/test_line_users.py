from __future__ import annotations

import os
import subprocess
from pathlib import Path

from drivers.line_users import line_users

LINE = "/dev/null"
"""A character device that is everywhere; who has it open is made up."""


def process(folder: Path, number: int, name: str, *opened: str) -> Path:
    """A process as the system lists it."""
    made = folder / str(number)
    (made / "fd").mkdir(parents=True)
    for descriptor, path in enumerate(opened):
        (made / "fd" / str(descriptor)).symlink_to(path)
    (made / "comm").write_text(f"{name}\n")
    return made


def test_a_line_that_nobody_has_open_has_no_users(tmp_path: Path) -> None:
    process(tmp_path, 11, "other", "/dev/zero", "/no/such/file", str(tmp_path))
    assert line_users(LINE, tmp_path) == []


def test_every_other_process_that_has_it_open_is_named(tmp_path: Path) -> None:
    process(tmp_path, 11, "driver", "/dev/zero", LINE)
    process(tmp_path, 12, "logger", LINE, LINE)
    process(tmp_path, os.getpid(), "ourselves", LINE)
    assert line_users(LINE, tmp_path) == ["driver (11)", "logger (12)"]


def test_a_line_is_the_same_by_any_of_its_names(tmp_path: Path) -> None:
    process(tmp_path, 11, "driver", LINE)
    (tmp_path / "usb-imu").symlink_to(LINE)
    assert line_users(str(tmp_path / "usb-imu"), tmp_path) == ["driver (11)"]


def test_processes_that_end_or_are_not_ours_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "11").mkdir()
    (process(tmp_path, 12, "gone", LINE) / "comm").unlink()
    assert line_users(LINE, tmp_path) == ["a process (12)"]


def test_what_is_no_line_has_no_users(tmp_path: Path) -> None:
    process(tmp_path, 11, "driver", LINE, str(tmp_path))
    assert line_users(str(tmp_path / "not there"), tmp_path) == []
    assert line_users(str(tmp_path), tmp_path) == []


def test_a_pseudo_terminal_is_its_makers_to_hold(tmp_path: Path) -> None:
    plant, host = os.openpty()
    process(tmp_path, 11, "maker", os.ttyname(host))
    assert line_users(os.ttyname(host), tmp_path) == []
    os.close(plant)
    os.close(host)


def test_this_process_sees_itself_nowhere() -> None:
    with Path(LINE).open("rb"):
        assert not any(f"({os.getpid()})" in user for user in line_users(LINE))


def test_a_real_process_is_found() -> None:
    with Path(LINE).open("wb") as line, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=line) as child:
        assert f"cat ({child.pid})" in line_users(LINE)
