"""A robot whose motors stay off, simulated or real, and the time that passes on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from drivers.bus import BusFactory, CanBus, Estimator, SerialPort
from drivers.hardware import HardwareBuses
from drivers.robot_io import RobotIO
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Actuation, Drive, JointCommand
from supervisor.core.joints import frozen_vector
from supervisor.core.levels import Level
from supervisor.core.robot import CanBusConfig, RobotConfig
from supervisor.core.robot_file import Robot
from supervisor.core.state import RobotState
from supervisor.runtime.realtime.pacing import Pacer
from supervisor.runtime.served_robot import served_config

T = TypeVar("T")


class Time(Protocol):
    """How a workbench waits for the next cycle."""

    def now_s(self) -> float:
        """Time of this cycle."""
        ...

    def wait(self) -> float:
        """Let one period pass.

        Returns:
            Time of the next cycle.
        """
        ...


class RealTime:
    """The machine's clock.

    Args:
        period_s: Of a cycle.
    """

    def __init__(self, period_s: float) -> None:
        self._pacer = Pacer(period_s)

    def now_s(self) -> float:
        """Seconds since boot."""
        return time.monotonic()

    def wait(self) -> float:
        """Sleep until the next cycle is due; one that was missed is not made up for."""
        return self._pacer.wait()


class SimulatedTime:
    """The clock of a simulated robot, which moves with it.

    Args:
        world: The simulated robot.
        period_s: Of a cycle.
        is_paced: Whether to take as long as a real robot would, for somebody who looks on.
    """

    def __init__(self, world: SimulatedWorld, period_s: float, *, is_paced: bool) -> None:
        self._world = world
        self._period_s = period_s
        self._real = Pacer(period_s) if is_paced else None
        self._cycles = 0

    def now_s(self) -> float:
        """Simulated seconds."""
        return self._cycles * self._period_s

    def wait(self) -> float:
        """Simulate one period."""
        self._cycles += 1
        self._world.advance_to(self.now_s())
        if self._real is not None:
            self._real.wait()
        return self.now_s()


class Workbench:
    """One robot, polled and never energised.

    Args:
        config: The robot.
        buses: Opens its buses.
        passing: How time passes.
        estimator: Source of the base's velocity, None for none.
        is_listening: Whether to say nothing at all, beside a program that drives the robot.

    Raises:
        RefusedError: The wiring cannot work.
        BusError: A bus cannot be opened.
    """

    def __init__(
        self,
        config: RobotConfig,
        buses: BusFactory,
        passing: Time,
        estimator: Estimator | None = None,
        *,
        is_listening: bool = False,
    ) -> None:
        self.config = config
        self._buses = buses
        self._time = passing
        self._is_listening = is_listening
        self.robot = RobotIO(config, buses, estimator)
        zeros = frozen_vector([0.0] * len(config.joints))
        self._poll = Actuation(Drive.POLL, JointCommand(zeros, zeros, zeros, zeros, zeros), Level.NONE)

    def __enter__(self) -> Workbench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.robot.close()

    @property
    def now_s(self) -> float:
        """Time of this cycle."""
        return self._time.now_s()

    def step(self) -> RobotState:
        """Poll, wait one control period, and read."""
        if not self._is_listening:
            self.robot.write(self._poll, self._time.now_s())
        return self.robot.read(self._time.wait())

    def finish(self, work: Generator[None, float, T], *, is_started: bool = False) -> T:
        """Carry out what takes several cycles, reading in between.

        Args:
            work: Resumed once a cycle with the time.
            is_started: Whether its first `next` has been called.

        Returns:
            What it returns.
        """
        if not is_started:
            next(work)
        while True:
            state = self.step()
            try:
                work.send(state.now_s)
            except StopIteration as end:
                return end.value

    def open_buses(self) -> dict[str, CanBus | SerialPort]:
        """The robot's buses by themselves, for a scan, after `robot` was closed.

        Raises:
            BusError: A bus cannot be opened.
        """
        return {
            name: self._buses.open_can(name, bus)
            if isinstance(bus, CanBusConfig)
            else self._buses.open_serial(name, bus)
            for name, bus in self.config.buses.items()
        }

    def finish_alone(self, work: Generator[None, float, T]) -> T:
        """Carry out what speaks on the buses by itself, while nothing else does."""
        return carry_out(work, self._time.wait)


def carry_out(work: Generator[None, float, T], wait: Callable[[], float]) -> T:
    """Resume a generator once a cycle until it returns.

    Args:
        work: Resumed with the time.
        wait: Lets a cycle pass, and returns the time.
    """
    next(work)
    while True:
        try:
            work.send(wait())
        except StopIteration as end:
            return end.value


def open_workbench(
    robot: Robot, *, live: bool, at: Path | None = None, is_paced: bool = False, is_listening: bool = False
) -> Workbench:
    """A workbench for a robot.

    Args:
        robot: The robot.
        live: On the real robot's buses.
        at: Folder in which another process serves the simulated robot; None to simulate it here.
        is_paced: Whether a simulated robot takes as long as a real one.
        is_listening: Whether to say nothing at all.

    Raises:
        RefusedError: The wiring cannot work.
        BusError: A bus cannot be opened.
        SimulationError: The robot cannot be simulated.
    """
    if live or at is not None:
        config = robot.config if at is None else served_config(robot.config, at, listens=is_listening)
        return Workbench(config, HardwareBuses(), RealTime(config.control_period_s), is_listening=is_listening)
    world = SimulatedWorld(robot)
    passing = SimulatedTime(world, robot.config.control_period_s, is_paced=is_paced)
    return Workbench(robot.config, world, passing, world, is_listening=is_listening)
