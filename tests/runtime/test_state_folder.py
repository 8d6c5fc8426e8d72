from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.runtime.options import RunOptions
from supervisor.runtime.state_folder import latch_path, state_folder


def options(**more: object) -> RunOptions:
    return RunOptions("pup", "pup_walk", **more)


def test_a_robot_keeps_its_latch_in_the_users_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert latch_path(options(mode="live"), "pup") == Path("/var/state/handrail/pup/latch.bin")
    assert latch_path(options(mode="live", fast=True), "pup") == Path("/var/state/handrail/pup/latch.bin")


@pytest.mark.parametrize("given", ["", "relative"])
def test_without_a_usable_folder_it_is_the_usual_one(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", given)
    monkeypatch.setenv("HOME", "/home/someone")
    assert state_folder() == Path("/home/someone/.local/state/handrail")


def test_a_simulated_robot_keeps_its_latch_among_the_runs_and_a_fast_one_none(tmp_path: Path) -> None:
    assert latch_path(options(runs=tmp_path), "pup") == tmp_path / ".state" / "pup" / "latch.bin"
    assert latch_path(options(runs=tmp_path, fast=True), "pup") is None


@pytest.mark.parametrize("more", [{}, {"fast": True}, {"mode": "live"}])
def test_a_folder_that_was_asked_for_is_taken(tmp_path: Path, more: dict[str, object]) -> None:
    assert latch_path(options(state=tmp_path, **more), "pup") == tmp_path / "pup" / "latch.bin"


@pytest.mark.parametrize("more", [{"mode": "dry_run"}, {"shadow": True}, {"shadow": True, "fast": True}])
def test_what_would_have_been_a_stop_is_none_and_outlives_nothing(tmp_path: Path, more: dict[str, object]) -> None:
    assert latch_path(options(**more), "pup") is None
    assert latch_path(options(state=tmp_path, **more), "pup") is None


def test_two_robots_never_share_a_file_whatever_they_are_called(tmp_path: Path) -> None:
    names = ["pup", "pup/..", "pup_..", "../pup", "Pup"]
    paths = {latch_path(options(state=tmp_path), name) for name in names}
    assert len(paths) == len(names)
    assert {path.parent.parent for path in paths} == {tmp_path}
