"""Twelve motors of any make on one bus in memory: simulated twins answer once, and their answers are played back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Side
from drivers.bus import BusCounters, Frame
from drivers.devices import POSITION, STATUS, WiredMotor, wire_model
from drivers.registry import MOTOR_MAKES
from drivers.sim.motors.makes import MOTOR_MAKES as TWINS
from supervisor.core.command import Drive
from supervisor.core.robot import DriveConfig, JointConfig, MotorConfig
from supervisor.core.state import MotorStatus

COUNT = 12
VARIETY = 264
"""Different cycles, so that tables are not always read at the same places; whoever is asked in turns comes round."""

BUS = "bus0"
PERIOD_S = 0.002
INVENTORY_CYCLES = 3000
ENABLE_CYCLES = 60
SWING_RAD = 0.2
LEAD_RAD = 0.02
_DRIVE = DriveConfig(10.0, 20.0, 6.0, 4096, 0.05, 1.0, 100.0, 5.0)


class MemoryBus:
    """A CAN bus or a serial port in memory: keeps what is sent, and brings what it is given."""

    def __init__(self) -> None:
        self.counters = BusCounters()
        self.sent: list[Frame] = []
        self.pending = b""

    def send(self, frames: Sequence[Frame]) -> int:
        self.sent += frames
        return len(frames)

    def write(self, data: bytes) -> int:
        self.sent.append(Frame(0, data))
        return len(data)

    def read(self, _now_s: float) -> bytes:
        data, self.pending = self.pending, b""
        return data

    def close(self) -> None:
        """Nothing to close."""


def wired_motors(make_name: str, model: str = "") -> list[WiredMotor]:
    """Twelve motors with neighbouring ids."""
    make = MOTOR_MAKES[make_name]
    model = model or make.usual_model or next(iter(make.models))
    first = max(make.id_range[0], 1)
    answers = make.feedback_id_range
    motors: list[WiredMotor] = []
    for motor_id in range(first, first + COUNT):
        feedback_id = motor_id + 16 if answers is None else answers[0]
        drive = None if make.drive_keys is None else _DRIVE
        config = MotorConfig(make_name, model, BUS, motor_id, feedback_id, drive)
        row = wire_model(make.models, config)
        motors.append(WiredMotor(f"joint{motor_id}", config, row, starts_within_rad=(-0.5, 0.5)))
    return motors


class MotorRig:
    """A group of motors that has been through its inventory, is enabled and follows commands.

    Attributes:
        motors: The motors.
        commands: What they are told, cycle by cycle: blocks as `write` takes them.
        sent: What left the bus with these commands.
        answers: What the twins said to that.
        position_rad: What we made of these answers.
    """

    def __init__(self, make_name: str, model: str = "") -> None:
        self.motors = wired_motors(make_name, model)
        make = MOTOR_MAKES[make_name]
        self._bus = MemoryBus()
        self._group: Any = make.make(self.motors, {BUS: self._bus})
        self._is_serial = make.bus_kind == "serial"
        joints = [JointConfig(m.config, 1, 0.0, 1.0, (-1.0, 1.0), 5.0, 2.0, 5.0, 0.1, 0.0, 0.0) for m in self.motors]
        self._twins = TWINS[make_name](joints, [BUS], seed=(1,))
        self._now_s = 0.0
        self._turn = -1
        self._arrived: list[Frame] = []
        self._told: list[Frame] = []
        self._values, self._codes = np.zeros((5, COUNT)), np.zeros((2, COUNT), dtype=np.int64)
        phase = 2.0 * np.pi * (np.arange(VARIETY)[:, None] / VARIETY + np.arange(COUNT) / COUNT)
        self._position_rad, self._velocity = SWING_RAD * np.sin(phase), np.cos(phase)
        models = [motor.model for motor in self.motors]
        kp = [0.2 * model.kp_max_nm_per_rad for model in models]
        kd = [0.2 * model.kd_max_nm_s_per_rad for model in models]
        torque_nm = [0.05 * model.torque_max_nm for model in models]
        self.commands = [np.array([at + LEAD_RAD, np.zeros(COUNT), kp, kd, torque_nm]) for at in self._position_rad]
        self._take_inventory()
        for _ in range(ENABLE_CYCLES):
            self._exchange(Drive.ENABLE, 0)
        # Servos that were not heard yet count as errors when they are switched on.
        self._bus.counters.errors = self._bus.counters.dropped = 0
        self.answers: list[list[Frame]] = []
        self.sent: list[list[Frame]] = []
        self.position_rad: list[NDArray[np.float64]] = []
        for number in range(VARIETY):
            self.answers.append(self._exchange(Drive.COMMAND, number))
            self.sent.append(self._told)
            self.position_rad.append(self._values[POSITION].copy())
        self.check()

    def _exchange(self, drive: Drive, number: int) -> list[Frame]:
        """One cycle with the twins; returns what they said."""
        self._group.write(drive, self.commands[number])
        # With what the inventory has asked since the last cycle.
        self._told, self._bus.sent = self._bus.sent, []
        position, velocity = self._position_rad[number], self._velocity[number]
        (frames,) = self._twins.exchange([self._told], position, velocity, self._now_s)
        self._deliver(frames)
        self._read()
        return frames

    def _take_inventory(self) -> None:
        probes = self._group.probes(0.1)
        for probe in probes:
            next(probe)
        for _ in range(INVENTORY_CYCLES):
            self._exchange(Drive.POLL, 0)
            probes = [probe for probe in probes if self._goes_on(probe)]
            if not probes:
                return
        raise RuntimeError(f"the inventory of {self.motors[0].config.make} does not end")

    def _goes_on(self, probe: Any) -> bool:
        try:
            probe.send(self._now_s)
        except StopIteration:
            return False
        return True

    def _deliver(self, frames: Sequence[Frame]) -> None:
        self._now_s += PERIOD_S
        if self._is_serial:
            self._bus.pending = b"".join(frame.data for frame in frames)
        else:
            self._arrived = [frame._replace(stamp_s=self._now_s) for frame in frames]

    def _read(self) -> None:
        if self._is_serial:
            self._group.receive(self._now_s)
        else:
            self._group.take(BUS, self._arrived)
        self._group.decode(self._values, self._codes)

    def side(self) -> Side:
        """One whole cycle of the device: encode commands, send them, take what the motors say to that, decode it."""

        def prepare(_: int) -> None:
            # On where it was left: some motors are asked in turns, and nobody else may answer.
            self._turn = (self._turn + 1) % VARIETY
            self._bus.sent = []
            self._deliver(self.answers[self._turn])

        def call(_: int) -> None:
            self._group.write(Drive.COMMAND, self.commands[self._turn])
            self._read()

        return Side(call, prepare)

    def check(self) -> None:
        """What is measured must be motors that follow, all of them, without an error."""
        counters, make = self._bus.counters, self.motors[0].config.make
        if (self._codes[STATUS] != MotorStatus.ENABLED).any() or counters.errors or counters.dropped:
            raise RuntimeError(f"{make}: the motors do not follow: {self._codes.tolist()}, {counters}")
