"""The plant's process: the simulated robot, in real time, on buses that the other processes open as a real robot's."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from drivers.sim.fault_kinds import FaultScript
from drivers.sim.served import ServedPlant
from drivers.sim.variation import Variation
from drivers.sim.world import SimulatedWorld
from supervisor.core.robot_file import Robot
from supervisor.runtime.processes.setup import guarded, leave_part, receive, say_ready
from supervisor.runtime.realtime.scheduling import freeze_garbage, take_priority

FORGOTTEN_S: Final = 5.0
"""So long after the last word of a host, a plant ends whose parent has died: nobody is left to end it. Before that a
control process may still be bringing the robot to rest."""


@dataclass(frozen=True, slots=True)
class PlantSetup:
    """What the plant's process is to do.

    Attributes:
        robot: The robot file, with the buses of the real robot.
        folder: Where the robot is served; in use again after a plant that was killed.
        seed: Chooses noise, random faults and, with `variation`, the robot.
        faults: What goes wrong, and when. Faults of the policy and of the supervisor's processes are for others to
            carry out.
        variation: How far this robot is from its model.
        process_faults: Kinds of faults of the supervisor itself that somebody carries out.
        fifo_priority: Priority under SCHED_FIFO, below that of control; 0 for the normal class. Above its host's, a
            plant takes the core from it at each frame that it sends: both are slower for it.
        starter: Number of the process that makes this, and starts the plant.
    """

    robot: Robot
    folder: Path
    seed: int = 0
    faults: FaultScript | None = None
    variation: Variation | None = None
    process_faults: tuple[str, ...] = ()
    fifo_priority: int = 0
    starter: int = field(default_factory=os.getpid)


def run_plant(setup: PlantSetup) -> None:
    """Serve a robot until SIGTERM; leave its counters.

    Raises:
        HandrailError: It cannot be simulated, or not be served there.
    """
    is_told = [False]

    def end(number: int, frame: object) -> None:
        del number, frame
        is_told[0] = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    world = SimulatedWorld(
        setup.robot,
        seed=setup.seed,
        faults=setup.faults,
        variation=setup.variation,
        process_faults=setup.process_faults,
    )
    plant = ServedPlant(world, setup.robot.config, setup.folder)
    try:
        effects = [freeze_garbage()]
        if setup.fifo_priority:
            effects.append(take_priority(setup.fifo_priority))
        say_ready("plant", effects)
        plant.run(lambda: is_told[0] or is_forgotten(plant, setup.starter))
    finally:
        plant.close()
    leave_part(plant.counters)


def is_forgotten(
    plant: ServedPlant,
    parent: int,
    parent_now: Callable[[], int] = os.getppid,
    clock_s: Callable[[], float] = time.monotonic,
) -> bool:
    """Whether nobody is left who could end a plant, or would miss it.

    Args:
        plant: The plant.
        parent: Who started it.
        parent_now: Whose child it is now.
        clock_s: Monotonic.
    """
    return parent_now() != parent and clock_s() - plant.counters.heard_s > FORGOTTEN_S


def main() -> int:
    """Entry point of the process."""
    setup: PlantSetup = receive(sys.stdin.buffer)
    return guarded(lambda: run_plant(setup))


if __name__ == "__main__":
    sys.exit(main())
