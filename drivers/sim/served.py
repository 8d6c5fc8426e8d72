"""The simulated robot in real time, for other processes: its buses are opened as a real robot's are.

The body moves on the grid of its physics model, whose step divides the control period: finer steps would make it
another body than the one in lockstep. Devices answer when they are spoken to, and do not wait for the grid: a command
sent in one control cycle is answered long before the next one.

Time is CLOCK_MONOTONIC, less what was lost: a plant that is late catches up by no more than `BURST_S` at once, and
drops the rest. Motors' timeouts follow the simulated time.

Killed and started again in the same folder, it is a robot that was hung up and powered anew: motors off, settings as
they were stored, support and stage as they were last asked for. CAN hosts find it again by themselves, and so do those
who share its memory. Serial lines have other paths then: hosts see theirs unplugged, and open them anew.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from drivers.plant_memory import FILE, PlantMemory, PlantTruth
from drivers.sim.datagram_line import DatagramLine
from drivers.sim.pty_line import PtyLine
from drivers.sim.served_folder import PlantFolder, bus_folder
from drivers.sim.wire import SimulatedCan, SimulatedSerial
from drivers.sim.world import SimulatedWorld
from supervisor.core.errors import LinkError
from supervisor.core.robot import CanBusConfig, RobotConfig

BURST_S: Final = 0.01
"""As much is caught up at once: five steps of 2 ms take 0.2 ms, in which nobody is answered."""

LEAD_S: Final = 0.0005
"""What arrives within this time is handed over at once. A motor on CAN takes 0.3 ms to answer, and that is what waking
up and sending takes here; slower devices, and delays of a fault script, are waited for."""

_EPSILON_S: Final = 1e-9


class Line(Protocol):
    """One bus between the devices and hosts."""

    def fileno(self) -> int:
        """What to wait on for a host; -1 where there is nothing."""
        ...

    def hear(self) -> bool:
        """Hand what hosts have sent to the devices; whether there was anything."""
        ...

    def speak(self, now_s: float) -> None:
        """Hand to hosts what has arrived at their end by `now_s`."""
        ...

    def next_arrival_s(self) -> float:
        """When there will be something to say."""
        ...

    def close(self) -> None:
        """Close it. Idempotent."""
        ...


@dataclass(slots=True)
class ServedCounters:
    """How well a plant keeps up.

    Attributes:
        simulated_s: How long the body has moved.
        dropped_s: Time that it did not move although it passed.
        drops: How often.
        turns: How often it woke up.
        heard_s: When a host last said something, on the clock given; when it began, before that.
    """

    simulated_s: float = 0.0
    dropped_s: float = 0.0
    drops: int = 0
    turns: int = 0
    heard_s: float = -math.inf


class ServedPlant:
    """A simulated robot, served to other processes on this machine.

    Args:
        world: The simulated robot, which nobody else moves.
        robot: Its description.
        folder: Where hosts find it; made, for its owner alone, where it is missing.
        clock_s: Monotonic, the same for all processes.

    Attributes:
        counters: How well it keeps up.

    Raises:
        SimulationError: The folder cannot be used, or a bus not be made.
        LinkError: The memory cannot be made.
    """

    def __init__(
        self, world: SimulatedWorld, robot: RobotConfig, folder: Path, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.counters = ServedCounters()
        self._world, self._robot, self._clock_s = world, robot, clock_s
        self._step_s = world.plant.timestep_s
        self._steps = 0
        self._offset_s: float | None = None
        """Between the clock and the simulated time."""
        self._ptys: dict[str, PtyLine] = {}
        self._lines: list[Line] = []
        self._memory: PlantMemory | None = None
        self._folder = PlantFolder(folder)
        try:
            self._memory = _open_memory(folder, clock_s)
            for name, wire in world.wires.items():
                config = robot.buses[name]
                if isinstance(wire, SimulatedCan) and isinstance(config, CanBusConfig):
                    self._lines.append(DatagramLine(config, bus_folder(folder, name), wire))
                elif isinstance(wire, SimulatedSerial):
                    self._ptys[name] = PtyLine(wire)
            self._lines += self._ptys.values()
            self._publish()
        except BaseException:
            self.close()
            raise

    def _publish(self) -> None:
        self._descriptors = [line.fileno() for line in self._lines if line.fileno() >= 0]
        plugged = {name: pty for name, pty in self._ptys.items() if pty.path}
        self._folder.publish(
            self._robot.name,
            {name: pty.path for name, pty in plugged.items()},
            {name: pty.listening_path for name, pty in plugged.items()},
        )

    @property
    def places(self) -> list[tuple[str, str]]:
        """Where each bus is: a folder, or a pseudo-terminal."""
        folder = self._folder.path
        return [
            (name, self._ptys[name].path if name in self._ptys else str(bus_folder(folder, name)))
            for name in self._robot.buses
        ]

    def run(self, is_over: Callable[[], bool]) -> None:
        """Serve until it is over, which is asked at every physics step."""
        while not is_over():
            wait_s = self.turn()
            if wait_s > 0.0:
                select.select(self._descriptors, (), (), wait_s)

    def turn(self) -> float:
        """Do what is due: let the devices hear and answer, and the body move.

        Returns:
            Seconds until something is due again, unless a host speaks before.
        """
        now_s = self._now_s()
        counters, world = self.counters, self._world
        counters.turns += 1
        for line in self._lines:
            if line.hear():
                counters.heard_s = now_s + (self._offset_s or 0.0)
        world.exchange(now_s)
        self._speak(now_s)
        if now_s >= (self._steps + 1) * self._step_s - _EPSILON_S:
            self._move(now_s)
            self._speak(now_s)
        due_s = min(line.next_arrival_s() for line in self._lines) - LEAD_S
        return min((self._steps + 1) * self._step_s, due_s) + (self._offset_s or 0.0) - self._clock_s()

    def _now_s(self) -> float:
        """Simulated time, less what is dropped."""
        clock_s = self._clock_s()
        if self._offset_s is None:
            self._offset_s = self.counters.heard_s = clock_s
        now_s = clock_s - self._offset_s
        lost_s = now_s - self._steps * self._step_s - max(BURST_S, 2.0 * self._step_s)
        if lost_s > 0.0:
            self._offset_s += lost_s
            self.counters.dropped_s += lost_s
            self.counters.drops += 1
            return now_s - lost_s
        return now_s

    def _speak(self, now_s: float) -> None:
        for line in self._lines:
            line.speak(now_s + LEAD_S)

    def _move(self, now_s: float) -> None:
        """Move the body to the last point of the grid, and exchange what the memory is for."""
        world, memory = self._world, self._memory
        assert memory is not None  # noqa: S101 (made when the plant was)
        orders = memory.orders()
        if orders is not None:
            support, stage = orders
            if support is not None:
                world.set_support(support)
            if stage:
                world.enter_stage(stage, now_s)
        self._steps = math.floor(now_s / self._step_s + _EPSILON_S)
        self.counters.simulated_s = reached_s = self._steps * self._step_s
        world.move_to(reached_s)
        x_m, y_m, height_m = world.plant.position_base_in_world_m
        vx, vy, vz = world.base_velocity(reached_s).linear_velocity_base_in_base_m_per_s.tolist()
        memory.tell(
            PlantTruth(
                reached_s + (self._offset_s or 0.0),
                (vx, vy, vz),
                height_m,
                world.plant.tilt_rad,
                (x_m, y_m),
                world.support_reached,
            )
        )
        changed = [pty for pty in self._ptys.values() if pty.follow()]
        if changed:
            self._publish()

    def close(self) -> None:
        """Leave, and remove what hosts do not use any more. Idempotent."""
        for line in self._lines:
            line.close()
        if self._memory is not None:
            self._memory.close()
            self._memory = None
            (self._folder.path / FILE).unlink(missing_ok=True)
        self._folder.close()


def _open_memory(folder: Path, clock_s: Callable[[], float]) -> PlantMemory:
    """The memory that a plant before this one left, which others may have open; a new one otherwise.

    Raises:
        LinkError: It cannot be made.
    """
    if (folder / FILE).exists():
        try:
            return PlantMemory(folder, create=False, clock_s=clock_s)
        except LinkError:
            (folder / FILE).unlink()
    return PlantMemory(folder, create=True, clock_s=clock_s)
