"""Where a shadow may run, and what it excludes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import REFUSED, refused

RUN = ("run", "pup", "--policy", "pup_walk", "--shadow")


@pytest.mark.parametrize("mode", ["--live", "--dry-run"])
def test_a_shadow_is_a_dry_run_and_excludes_the_others(mode: str) -> None:
    assert "--shadow is a dry run" in refused(*RUN, mode)


def test_a_shadow_is_beside_the_real_robot_unless_the_simulated_one_is_named() -> None:
    assert "simulated robot only" in refused(*RUN, "--fast")


def test_beside_the_simulated_robot_it_needs_one_that_is_driven() -> None:
    assert "name with --at where `handrail sim` serves one" in refused(*RUN, "--sim", code=REFUSED)


def test_a_served_robot_is_not_the_real_one(tmp_path: Path) -> None:
    said = refused("run", "pup", "--policy", "pup_walk", "--live", "--at", str(tmp_path))
    assert "--live and --at exclude each other" in said


@pytest.mark.parametrize("more", [("--fast",), ("--seed", "3"), ("--fault", "some.yaml")])
def test_what_concerns_a_robot_of_its_own_is_refused_for_a_served_one(more: tuple[str, ...], tmp_path: Path) -> None:
    assert "not --at" in refused("run", "pup", "--policy", "pup_walk", "--at", str(tmp_path), *more)


@pytest.mark.parametrize("mode", [(), ("--sim",), ("--shadow",), ("--dry-run",)])
def test_a_robot_that_nobody_serves_is_refused_with_what_to_do(mode: tuple[str, ...], tmp_path: Path) -> None:
    nowhere, runs = str(tmp_path / "none"), str(tmp_path / "runs")
    said = refused("run", "pup", "--policy", "pup_walk", "--at", nowhere, "--runs", runs, *mode, code=REFUSED)
    assert f"no simulated robot is served at {nowhere}; start one: handrail sim ROBOT --dir {nowhere}" in said
    assert not (tmp_path / "runs").exists()
