"""Sockets lie where nobody else can come."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import LinkError
from supervisor.runtime.inputs import places


def test_the_runtime_folder_comes_first_and_the_temporary_one_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/77")
    found = places.candidates()
    assert found[0] == Path("/run/user/77/handrail")
    assert found[-1] == Path(f"/tmp/handrail-{os.geteuid()}")


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_a_runtime_folder_that_is_no_path_is_left_out(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    assert all(folder.is_absolute() and folder.parts[-2:] != ("path", "handrail") for folder in places.candidates())


def test_the_folder_is_made_for_its_owner_alone(folder: Path) -> None:
    assert places.own_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert places.own_folder() == folder


def test_a_folder_that_others_may_enter_is_refused(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "pup.socket").touch()
    with pytest.raises(LinkError, match=r"permissions 0755.*chmod 700.*XDG_RUNTIME_DIR"):
        places.own_folder()
    assert places.sockets() == {}


def test_a_link_to_a_folder_is_refused(folder: Path) -> None:
    (folder.parent / "other").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "other")
    with pytest.raises(LinkError, match="must be a folder"):
        places.own_folder()


def test_the_next_folder_is_taken_where_the_first_cannot_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "candidates", lambda: [Path("/nowhere/handrail"), folder])
    assert places.own_folder() == folder


def test_a_path_too_long_for_a_socket_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(places, "candidates", lambda: [folder / ("x" * 90)])
    with pytest.raises(LinkError, match="too long for a socket"):
        places.own_folder()


def test_sockets_are_found_by_name(folder: Path) -> None:
    own = places.own_folder()
    for name in ("pup.socket", "biped.socket", "pup.lock"):
        (own / name).touch()
    assert list(places.sockets()) == ["biped", "pup"]


def test_a_plain_name_is_its_own() -> None:
    assert places.socket_name("pup") == "pup"


@given(st.text(), st.text())
def test_every_robot_has_a_name_of_its_own_that_is_one_part_of_a_path(one: str, other: str) -> None:
    name = places.socket_name(one)
    assert "/" not in name
    assert len(name) <= 49
    assert name.isascii()
    assert (name == places.socket_name(other)) is (one == other)
