"""Missions are drawn by name, with the guards of a robot, and without one."""

from __future__ import annotations

import pytest

from supervisor.core.errors import ConfigError
from supervisor.runtime.drawing import draw_mission
from supervisor.runtime.locate import known
from trees.render import FORMATS


@pytest.mark.parametrize("mission", known("missions"))
@pytest.mark.parametrize("style", sorted(FORMATS))
def test_every_mission_is_drawn_in_every_format_with_guards_and_stages(mission: str, style: str) -> None:
    text = draw_mission(mission, style, None)
    for part in ("preflight", "tilt", "DAMP"):
        assert part in text


def test_where_no_robot_is_named_the_demo_robots_guards_are_shown() -> None:
    assert draw_mission("deployment", "unicode", None) == draw_mission("deployment", "unicode", "pup")


def test_an_unknown_format_names_those_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        draw_mission("deployment", "png", None)
    (problem,) = caught.value.problems
    assert (problem.file, problem.found) == ("--format", "png")
    assert all(style in problem.allowed for style in FORMATS)


@pytest.mark.parametrize(("mission", "robot"), [("nowhere", None), ("deployment", "nobody")])
def test_an_unknown_mission_or_robot_is_a_problem(mission: str, robot: str | None) -> None:
    with pytest.raises(ConfigError, match="no such"):
        draw_mission(mission, "unicode", robot)
