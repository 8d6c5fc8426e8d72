"""Two simulated drives on a bus in memory, and the host's side of them, one control cycle at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from drivers.bus import BusCounters, Frame
from drivers.can.canopen.device import CanOpenMotors
from drivers.can.canopen.tables import MODELS
from drivers.devices import STAMP, WiredMotor, wire_model
from drivers.sim.motors import canopen_objects
from drivers.sim.motors.canopen import CanOpenMotors as SimulatedDrives
from supervisor.core.command import Drive
from supervisor.core.robot import DriveConfig, JointConfig, MotorConfig
from supervisor.core.state import NEVER_S

PERIOD_S = 0.002
DRIVE = DriveConfig(30.0, 20.0, 9.0, 16_384, rated_torque_nm=1.5)
NO_COMMAND = np.zeros((5, 2))


def joint(number: int, model: str = "EPOS4", drive: DriveConfig = DRIVE) -> JointConfig:
    motor = MotorConfig("canopen", model, "can0", number, 0, drive)
    return JointConfig(motor, 1, 0.0, 1.0, (-3.0, 3.0), 10.0, 20.0, 20.0, 1.0, 0.0, 0.0)


class TwinBus:
    """A bus in memory: what is sent reaches the drives in the next cycle, if it is not lost."""

    def __init__(self, drives: SimulatedDrives, loss: float = 0.0, seed: int = 0) -> None:
        self.counters = BusCounters()
        self.drives = drives
        self.loss, self.dice = loss, random.Random(seed)
        self.position, self.velocity = np.zeros(2), np.zeros(2)
        self.outbox: list[Frame] = []
        self.sent: list[Frame] = []
        self.room = 1_000_000
        self.wrap: Callable[[list[Frame]], list[Frame]] = lambda frames: frames

    def send(self, frames: Sequence[Frame]) -> int:
        taken = list(frames)[: self.room]
        self.counters.errors += len(frames) - len(taken)
        self.outbox += taken
        self.sent += taken
        return len(taken)

    def receive(self, now_s: float) -> list[Frame]:
        reached = [frame for frame in self.outbox if self.dice.random() >= self.loss]
        self.outbox = []
        (answers,) = self.drives.exchange([reached], self.position, self.velocity, now_s - PERIOD_S)
        self.drives.torque(self.position, self.velocity, now_s)
        return self.wrap([frame._replace(stamp_s=now_s) for frame in answers if self.dice.random() >= self.loss])

    def close(self) -> None:
        self.outbox.clear()


class Bench:
    """Two drives, ids 1 and 2, on one bus.

    Args:
        configured: What the robot file says of the drives, where it is not what they are.
        model: Row of the table.
        loss: Share of frames lost, both ways.
        same_id: Whether both drives listen to id 1.
    """

    def __init__(
        self,
        configured: DriveConfig = DRIVE,
        *,
        model: str = "EPOS4",
        loss: float = 0.0,
        seed: int = 0,
        same_id: bool = False,
    ) -> None:
        ids = (1, 1) if same_id else (1, 2)
        self.drives = SimulatedDrives([joint(i, model) for i in ids], ["can0"], seed=[7], noise_scale=0.0)
        self.bus = TwinBus(self.drives, loss, seed)
        configs = [replace(joint(i).motor, model=model, drive=configured) for i in (1, 2)]
        wired = [WiredMotor(f"j{c.id}", c, wire_model(MODELS, c)) for c in configs]
        self.motors = CanOpenMotors(wired, {"can0": self.bus})
        self.values = np.full((5, 2), np.nan)
        self.values[STAMP] = NEVER_S
        self.codes = np.zeros((2, 2), dtype=np.int64)
        self.now_s = 0.0
        self.rest: list[Frame] = []

    def cycle(self, drive: Drive | None = None, command: Any = NO_COMMAND) -> None:
        """One control cycle; without a drive the host says nothing in it."""
        if drive is not None:
            self.motors.write(drive, command)
        self.now_s += PERIOD_S
        self.take(*self.bus.receive(self.now_s))

    def take(self, *frames: Frame) -> list[Frame]:
        self.rest = list(self.motors.take("can0", frames))
        self.motors.decode(self.values, self.codes)
        return self.rest

    def run(self, generator: Generator[None, float, Any], cycles: int = 20_000) -> Any:
        """Resume a generator once a cycle, while the motors are polled, as the control loop does."""
        next(generator)
        for _ in range(cycles):
            self.cycle(Drive.POLL)
            try:
                generator.send(self.now_s)
            except StopIteration as end:
                return end.value
        raise AssertionError("the generator does not end")

    def inventory(self, timeout_s: float = 0.1):
        (probe,) = self.motors.probes(timeout_s)
        return self.run(probe)

    def problems(self, timeout_s: float = 0.1) -> str:
        """Of the first drive; the second has none."""
        first, second = self.inventory(timeout_s)
        assert second.problems == ()
        return " | ".join(first.problems)

    def set_up(self) -> Bench:
        assert [report.problems for report in self.inventory()] == [(), ()]
        return self

    def enable(self, cycles: int = 8) -> Bench:
        """Set up and on."""
        self.cycle(Drive.ENABLE)
        for _ in range(cycles - 1):
            self.cycle(Drive.COMMAND)
        return self


def keep_out(monkeypatch: pytest.MonkeyPatch, bench: Bench, kept: tuple[int, int]) -> None:
    """The first drive acknowledges that an object is written, and does not keep it."""
    original, victim = canopen_objects.Objects.write, bench.drives.objects[0]

    def write(objects: canopen_objects.Objects, where: tuple[int, int], data: bytes) -> int:
        return 0 if objects is victim and where == kept else original(objects, where, data)

    monkeypatch.setattr(canopen_objects.Objects, "write", write)
