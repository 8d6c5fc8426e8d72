"""Drawing a mission by name."""

from __future__ import annotations

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.robot_file import load_robot
from supervisor.runtime.locate import find_mission, find_robot
from trees.missions.loader import load_mission
from trees.missions.root import create_root
from trees.render import FORMATS, render

DEFAULT_ROBOT = "pup"
"""Whose guards a drawing shows where no robot is named: a mission without its guards says little."""


def draw_mission(mission_name: str, style: str, robot_name: str | None) -> str:
    """Draw a mission. Opens no bus, needs no robot.

    Args:
        mission_name: A name or a path.
        style: A key of `trees.render.FORMATS`.
        robot_name: Whose guards to show, a name or a path.

    Raises:
        ConfigError: An unknown format, or a file with problems.
    """
    if style not in FORMATS:
        raise ConfigError([Problem("--format", None, "", style, ", ".join(FORMATS))])
    safety = load_robot(find_robot(robot_name or DEFAULT_ROBOT)).safety
    mission = load_mission(find_mission(mission_name), safety)
    return render(create_root(None, mission, safety), style)
