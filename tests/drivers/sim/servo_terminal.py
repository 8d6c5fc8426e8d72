"""Simulated position servos behind a pseudo-terminal, for other people's libraries to talk to."""

from __future__ import annotations

import os
import select
import threading
import time
import tty

import numpy as np

from drivers.bus import Frame
from drivers.sim.motors import makes
from supervisor.core.robot import JointConfig, MotorConfig

IDS = (1, 2, 5)
MAXIMUM_TURNS = 100_000


class Line:
    """Three servos, served by a thread until the line is closed."""

    def __init__(self, make: str, model: str) -> None:
        motors = [MotorConfig(make, model, "tty0", number) for number in IDS]
        joints = [JointConfig(motor, 1, 0.0, 1.0, (-1.0, 1.0), 1.0, 1.0, 1.0, 0.0, 0.0, 0.0) for motor in motors]
        self.servos = makes.MOTOR_MAKES[make](joints, ["tty0"], seed=[1], noise_scale=0.0)
        self.position, self.velocity = np.array([0.0, 0.5, -0.5]), np.zeros(3)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        return os.ttyname(self._slave)

    def _serve(self) -> None:
        for _ in range(MAXIMUM_TURNS):
            ready, _, _ = select.select([self._master, self._wake], [], [], 60.0)
            if self._master not in ready or self._wake in ready:
                return
            frame = Frame(0, os.read(self._master, 4096))
            (said,) = self.servos.exchange([[frame]], self.position, self.velocity, time.monotonic())
            os.write(self._master, b"".join(answer.data for answer in said))

    def close(self) -> None:
        os.write(self._stop, b"x")
        self._thread.join(10.0)
        for handle in (self._master, self._slave, self._wake, self._stop):
            os.close(handle)
