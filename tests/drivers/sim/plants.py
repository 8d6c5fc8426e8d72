"""A served plant on a clock that tests move, and hosts on its buses."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.bus import CanBus
from drivers.hardware import HardwareBuses, HardwareSerial
from drivers.sim.served import ServedPlant
from drivers.sim.world import SimulatedWorld
from supervisor.core.robot import CanBusConfig, SerialBusConfig
from supervisor.runtime.served_robot import served_config
from tests.drivers.sim.simulated import pup, script


@contextmanager
def short_folder() -> Generator[Path]:
    """A folder whose path leaves room for sockets, which pytest's own may not."""
    path = Path(tempfile.mkdtemp(prefix="hr-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """A served robot, and one host."""

    def __init__(self, folder: Path, *faults: Mapping[str, Any]) -> None:
        self.folder = folder
        self.clock = Clock()
        self.world = SimulatedWorld(pup(), faults=script(*faults))
        self.plant = ServedPlant(self.world, pup().config, folder, self.clock)
        self.config = served_config(pup().config, folder)
        self._open: list[Any] = []

    def can(self, name: str = "can0") -> CanBus:
        """A host's end of a CAN bus."""
        config = self.config.buses[name]
        assert isinstance(config, CanBusConfig)
        bus = HardwareBuses().open_can(name, config)
        self._open.append(bus)
        return bus

    def serial(self, name: str = "imu0") -> HardwareSerial:
        """A host's end of a serial line."""
        config = served_config(pup().config, self.folder).buses[name]
        assert isinstance(config, SerialBusConfig)
        line = HardwareBuses().open_serial(name, config)
        self._open.append(line)
        return line

    def turn(self, after_s: float = 0.0, times: int = 1) -> float:
        """Let time pass, and the plant act on it, a number of times."""
        wait_s = 0.0
        for _ in range(times):
            self.clock.now_s += after_s
            wait_s = self.plant.turn()
        return wait_s

    def close(self) -> None:
        for one in self._open:
            one.close()
        self.plant.close()


@contextmanager
def served(*faults: Mapping[str, Any]) -> Generator[Bench]:
    """A served robot that has had its first turn."""
    with short_folder() as folder:
        bench = Bench(folder / "pup", *faults)
        try:
            bench.turn()
            yield bench
        finally:
            bench.close()
