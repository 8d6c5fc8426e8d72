"""A host and a simulated robot in two processes, in real time. How late replies are is for benchmarks: the machine that
runs this may be busy."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from drivers.hardware import HardwareBuses
from drivers.robot_io import RobotIO
from drivers.sim.served import ServedCounters
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Actuation, Drive, JointCommand
from supervisor.core.joints import frozen_vector
from supervisor.core.levels import Level
from supervisor.core.robot import RobotConfig
from supervisor.core.state import RobotState
from supervisor.runtime.processes import plant as plant_module
from supervisor.runtime.processes.plant import FORGOTTEN_S, PlantSetup, is_forgotten
from supervisor.runtime.processes.setup import Child
from supervisor.runtime.realtime.pacing import Pacer
from supervisor.runtime.served_robot import served_config
from tests.drivers.sim.plants import served, short_folder
from tests.drivers.sim.simulated import pup

READY_S = 60.0
ZEROS = frozen_vector([0.0] * 12)
POLL = Actuation(Drive.POLL, JointCommand(ZEROS, ZEROS, ZEROS, ZEROS, ZEROS), Level.NONE)


class Host:
    """Polls a robot at its control rate."""

    def __init__(self, config: RobotConfig) -> None:
        self.robot = RobotIO(config, HardwareBuses())
        self._pacer = Pacer(config.control_period_s)
        self.now_s = self._pacer.wait()

    def step(self) -> tuple[RobotState, int]:
        """One cycle; how many motors have answered within it comes along."""
        sent_s = time.monotonic()
        self.robot.write(POLL, self.now_s)
        self.now_s = self._pacer.wait()
        state = self.robot.read(self.now_s)
        return state, int(np.count_nonzero(state.motor_stamp_s >= sent_s))

    def inventory(self) -> list[str]:
        """The problems it finds."""
        work = self.robot.inventory(self.now_s)
        while True:
            self.step()
            try:
                work.send(self.now_s)
            except StopIteration as end:
                return [problem for report in end.value for problem in report.problems]

    def received(self) -> int:
        """Replies on all CAN buses so far."""
        return sum(one.received for name, one in self.robot.statistics().items() if name.startswith("can"))


@pytest.fixture
def folder() -> Generator[Path]:
    with short_folder() as path:
        yield path / "plant"


def started(folder: Path, *, priority: int = 0) -> Child:
    setup = PlantSetup(pup(), folder, fifo_priority=priority)
    child = Child("plant", "supervisor.runtime.processes.plant", setup)
    child.wait_ready(READY_S)
    return child


def test_a_host_drives_it_as_it_would_a_robot_and_survives_its_death(folder: Path) -> None:
    first = started(folder)
    host = Host(served_config(pup().config, folder))
    assert host.inventory() == []

    before, in_time = host.received(), 0
    for _ in range(1000):
        in_time += host.step()[1]
    # Nothing is lost; and a plant that were a cycle late by its making would have no reply in time at all.
    assert host.received() - before >= 0.99 * 12 * 999
    assert in_time >= 0.2 * 12 * 1000

    first.end(signal.SIGKILL)
    first.wait(READY_S)
    for _ in range(50):
        state, _ = host.step()
    assert (state.now_s - state.motor_stamp_s > 0.05).all()
    statistics = host.robot.statistics()
    assert statistics["imu0"].is_off
    assert not statistics["can0"].is_off

    second = started(folder, priority=1)
    assert any(line.startswith("SCHED_FIFO 1") for line in second.lines)
    for _ in range(50):
        state, _ = host.step()
    assert (state.now_s - state.motor_stamp_s < 0.05).all()
    host.robot.close()

    host = Host(served_config(pup().config, folder))
    for _ in range(50):
        state, _ = host.step()
    assert state.now_s - state.imu.stamp_s < 0.05
    host.robot.close()

    second.end()
    left = second.wait(READY_S)
    assert second.exit_code == 0
    assert isinstance(left, ServedCounters)
    assert left.simulated_s > 0.1
    assert not folder.exists()


def test_a_plant_that_cannot_be_served_says_why(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    child = Child("plant", "supervisor.runtime.processes.plant", PlantSetup(pup(), folder))
    with pytest.raises(Exception, match="permissions 0755"):
        child.wait_ready(READY_S)
    child.wait(READY_S)
    assert child.exit_code == 10


def test_only_a_plant_whose_parent_is_gone_and_whom_nobody_speaks_to_is_forgotten() -> None:
    with served() as bench:

        def asked(parent: int, silent_s: float) -> bool:
            return is_forgotten(bench.plant, 17, lambda: parent, lambda: bench.clock.now_s + silent_s)

        assert asked(1, FORGOTTEN_S + 0.1)
        assert not asked(1, FORGOTTEN_S - 0.1)
        assert not asked(17, FORGOTTEN_S + 0.1)


def test_what_is_asked_of_the_process_reaches_the_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    class Stop(Exception):
        pass

    def world(robot: object, **asked: object) -> SimulatedWorld:
        seen.update(asked)
        raise Stop

    monkeypatch.setattr(plant_module, "SimulatedWorld", world)
    monkeypatch.setattr(plant_module.signal, "signal", lambda number, handler: None)
    with pytest.raises(Stop):
        plant_module.run_plant(PlantSetup(pup(), folder, seed=3, process_faults=("control_killed",)))
    assert seen == {"seed": 3, "faults": None, "variation": None, "process_faults": ("control_killed",)}
