"""Two controllers on one bus, and the blocks that `RobotIO` would hold."""

from __future__ import annotations

import math

import numpy as np

from drivers.bus import Frame
from drivers.can.moteus.device import MoteusMotors
from drivers.can.moteus.tables import MODELS
from drivers.devices import STAMP, WiredMotor, wire_model
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import DriveConfig, MotorConfig
from supervisor.core.state import NEVER_S
from tests.drivers.can.moteus.fake import FakeMoteus
from tests.drivers.fake_devices import MemoryBus

DRIVE = DriveConfig(20.0, 25.0, 9.0, kp_max_nm_per_rad=60.0, kd_max_nm_s_per_rad=3.0)
IDS = (1, 9)


def wired(number: int, drive: DriveConfig = DRIVE) -> WiredMotor:
    config = MotorConfig("moteus", "r4", "can0", number, 0, drive)
    return WiredMotor(f"j{number}", config, wire_model(MODELS, config), (-1.0, 1.5))


class MoteusRig:
    """The motors, and the controllers that answer them."""

    def __init__(self, bus: MemoryBus | None = None) -> None:
        self.bus = bus or MemoryBus()
        self.fakes = [FakeMoteus(number) for number in IDS]
        self.bus.motors += self.fakes  # type: ignore[arg-type]
        self.motors = MoteusMotors([wired(number) for number in IDS], {"can0": self.bus})
        self.values = np.full((5, len(IDS)), math.nan)
        self.values[STAMP] = NEVER_S
        self.codes = np.zeros((2, len(IDS)), dtype=np.int64)
        self.now_s = 0.0

    def take(self, *frames: Frame) -> list[Frame]:
        rest = self.motors.take("can0", frames)
        self.motors.decode(self.values, self.codes)
        return list(rest)

    def drain(self) -> list[Frame]:
        self.now_s += 0.002
        return self.take(*self.bus.receive(self.now_s))

    def run(self, generator, cycles: int = 20000):
        """Resume a generator once a cycle, as the control loop does."""
        try:
            next(generator)
            for _ in range(cycles):
                self.drain()
                generator.send(self.now_s)
        except StopIteration as end:
            return end.value
        raise AssertionError("the generator does not end")

    def inventory(self, timeout_s: float = 0.1) -> list[DeviceReport]:
        (probe,) = self.motors.probes(timeout_s)
        return list(self.run(probe))
