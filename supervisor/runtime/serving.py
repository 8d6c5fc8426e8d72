"""The command sim: a simulated robot in the foreground, for other commands and other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drivers.sim.fault_kinds import POLICY_FAULTS
from drivers.sim.faults import kinds_of, load_faults
from drivers.sim.served import ServedPlant
from drivers.sim.world import SimulatedWorld
from supervisor.core.errors import SimulationError
from supervisor.core.robot import CanBusConfig
from supervisor.core.robot_file import Robot, load_robot
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.locate import find_robot
from supervisor.runtime.realtime.scheduling import freeze_garbage, take_priority
from supervisor.runtime.served_robot import INTERFACE, default_folder


def serve_robot(
    name: str,
    echo: Callable[[str], None],
    *,
    folder: Path | None = None,
    seed: int = 0,
    fault: Path | None = None,
    fifo_priority: int = 0,
) -> None:
    """Simulate a robot in real time until somebody interrupts.

    Args:
        name: Of the robot, as the user gave it.
        echo: Prints a line.
        folder: Where to serve it; None for the usual place.
        seed: Of noise and random faults.
        fault: Fault script; its faults begin at the start.
        fifo_priority: Priority under SCHED_FIFO, below that of who drives the robot; 0 for the normal class.

    Raises:
        HandrailError: The robot or the script cannot be read, or the robot not be simulated or served.
    """
    robot = load_robot(find_robot(name))
    faults = None if fault is None else load_faults(fault, robot.config, ())
    undone = kinds_of(() if faults is None else faults.faults, POLICY_FAULTS)
    if undone:
        raise SimulationError(f"faults {', '.join(undone)} concern the policy: none runs here")
    place = (folder or default_folder(robot.config.name)).absolute()
    with Interrupts() as interrupts:
        plant = ServedPlant(SimulatedWorld(robot, seed=seed, faults=faults), robot.config, place)
        try:
            for line in introduction(name, robot, place, plant.places):
                echo(line)
            freeze_garbage()
            if fifo_priority:
                echo(str(take_priority(fifo_priority)))
            plant.run(lambda: interrupts.take() > 0)
        finally:
            plant.close()
    done = plant.counters
    echo(f"simulated {done.simulated_s:.1f} s; {done.dropped_s:.3f} s dropped, being late {done.drops} times")


def introduction(name: str, robot: Robot, folder: Path, places: list[tuple[str, str]]) -> list[str]:
    """What to know of a served robot, and what to try.

    Args:
        name: Of the robot, as commands take it.
        robot: The robot.
        folder: Where it is served.
        places: Where each bus is.
    """
    buses = robot.config.buses
    width = max(len(bus) for bus, _ in places)
    kinds = {
        bus: f"CAN, {INTERFACE}" if isinstance(config, CanBusConfig) else "serial" for bus, config in buses.items()
    }
    kind_width = max(map(len, kinds.values()))
    return [
        f"{robot.config.name} is simulated in real time, hanging from its gantry, motors off; Ctrl-C ends it",
        *(f"  {bus:{width}}  {kinds[bus]:{kind_width}}  {place}" for bus, place in places),
        "in another terminal:",
        f"  handrail scan {name} --at {folder}",
        f"  handrail monitor {name} --at {folder}",
        f"  handrail run {name} --policy POLICY --at {folder}",
        f"  handrail run {name} --policy POLICY --shadow --at {folder}   (beside what drives it: sends nothing)",
    ]
