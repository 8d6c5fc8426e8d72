"""Where a shadow may run, and what it excludes."""

from __future__ import annotations

import pytest

from tests.cli.test_commands import REFUSED, refused

RUN = ("run", "pup", "--policy", "pup_walk", "--shadow")


@pytest.mark.parametrize("mode", ["--live", "--dry-run"])
def test_a_shadow_is_a_dry_run_and_excludes_the_others(mode: str) -> None:
    assert "--shadow is a dry run" in refused(*RUN, mode)


def test_a_shadow_is_beside_the_real_robot_unless_the_simulated_one_is_named() -> None:
    assert "simulated robot only" in refused(*RUN, "--fast")
    assert "--dry-run" in refused(*RUN, code=REFUSED)


def test_beside_the_simulated_robot_it_needs_to_be_fast() -> None:
    assert "add --fast" in refused(*RUN, "--sim", code=REFUSED)
