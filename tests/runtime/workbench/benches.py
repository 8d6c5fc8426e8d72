"""Workbenches on simulated robots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drivers.sim.world import SimulatedWorld
from supervisor.core.robot_file import Robot
from supervisor.runtime.workbench.bench import SimulatedTime, Workbench
from tests.drivers.sim.simulated import pup, script


def bench_of(*faults: Mapping[str, Any], robot: Robot | None = None, is_listening: bool = False) -> Workbench:
    """A workbench for the demo robot, or another, on which something is wrong."""
    robot = robot or pup()
    world = SimulatedWorld(robot, faults=script(*faults))
    return Workbench(robot.config, world, simulated_time(world, robot), world, is_listening=is_listening)


def simulated_time(world: SimulatedWorld, robot: Robot) -> SimulatedTime:
    return SimulatedTime(world, robot.config.control_period_s, is_paced=False)
