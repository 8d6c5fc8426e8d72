"""A robot that is simulated in another process: the same robot file with other interfaces, and nothing else changed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from drivers.sim.served_folder import bus_folder, read_lines
from supervisor.core.errors import BusError
from supervisor.core.robot import BusConfig, CanBusConfig, RobotConfig

INTERFACE = "handrail_datagram"
"""python-can's name of the bus between processes."""


def served_config(robot: RobotConfig, folder: Path, *, listens: bool = False) -> RobotConfig:
    """The robot with its buses where a simulated one is served.

    Read again after the simulated robot was started anew: its serial lines have other paths then.

    Args:
        robot: As its file describes it. Rates stay, and mean nothing there.
        folder: Of the served robot.
        listens: For somebody who only listens, beside a program that drives the robot: a serial line has one host.

    Raises:
        BusError: No robot is served there, it is not ready, it is another one, or one of its lines is unplugged.
    """
    name, lines = read_lines(folder, listens=listens)
    if name != robot.name:
        raise BusError(f"the simulated robot at {folder} is {name}, not {robot.name}")
    return replace(robot, buses={bus: _served(bus, config, folder, lines) for bus, config in robot.buses.items()})


def _served(name: str, config: BusConfig, folder: Path, lines: Mapping[str, str]) -> BusConfig:
    if isinstance(config, CanBusConfig):
        return replace(config, interface=INTERFACE, channel=str(bus_folder(folder, name)))
    if name not in lines:
        raise BusError(f"the simulated robot at {folder} has no serial line {name} now; it has: {', '.join(lines)}")
    return replace(config, port=lines[name])


def default_folder(robot: str) -> Path:
    """Where a robot is served unless somebody says otherwise: in memory where the system offers a place of our own.

    Args:
        robot: Its name.
    """
    own = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    if os.path.isabs(own) and os.access(own, os.W_OK | os.X_OK):  # noqa: PTH117 (a string of the environment)
        return Path(own) / "handrail" / robot
    return Path(tempfile.gettempdir()) / f"handrail-{os.geteuid()}" / robot
