"""Simulated position servos on lines in memory, and the device that drives them; time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np

from drivers.bus import BusCounters, Frame
from drivers.devices import FAULT, STATUS, Block, WiredMotor
from drivers.registry import MOTOR_MAKES, motor_model
from drivers.sim.motors import makes
from drivers.sim.motors.conditions import MotorCondition
from supervisor.core.command import Drive
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import JointConfig, MotorConfig
from supervisor.core.state import MotorStatus

STEP_S = 0.002


class MemoryLine:
    """A serial port in memory. `spoil` changes what arrives; `is_deaf` takes nothing in either direction."""

    def __init__(self) -> None:
        self.counters = BusCounters()
        self.written: list[bytes] = []
        self.outbox: list[Frame] = []
        self.pending = b""
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self.lose: Callable[[bytes], bytes] = lambda data: data

    def write(self, data: bytes) -> int:
        self.written.append(data)
        self.outbox.append(Frame(0, self.lose(data)))
        return len(data)

    def read(self, now_s: float) -> bytes:
        data, self.pending = self.pending, b""
        return self.spoil(data) if data else b""

    def close(self) -> None: ...


class Bench:
    """Some servos of one make.

    Args:
        make: The make.
        ids: Of the servos, by line.
        model: Row of the make's table, or one per servo.

    Attributes:
        position, velocity: True ones, joint frame, which is the motors'; they stay unless a test moves them.
    """

    def __init__(self, make: str, ids: Mapping[str, Sequence[int]], model: str | Sequence[str]) -> None:
        wired = [(line, number) for line, numbers in ids.items() for number in numbers]
        models = [model] * len(wired) if isinstance(model, str) else model
        self.joints = {
            f"joint{at}": JointConfig(
                MotorConfig(make, name, line, number), 1, 0.0, 1.0, (-1.0, 1.0), 1.0, 1.0, 1.0, 0.0, 0.0, 0.0
            )
            for at, ((line, number), name) in enumerate(zip(wired, models, strict=True))
        }
        count = len(wired)
        self.count = count
        self.lines = {line: MemoryLine() for line in ids}
        self.twin: Any = makes.MOTOR_MAKES[make](list(self.joints.values()), list(ids), seed=[1], noise_scale=0.0)
        wiring = [WiredMotor(name, joint.motor, motor_model(joint.motor)) for name, joint in self.joints.items()]
        self.servos: Any = MOTOR_MAKES[make].make(wiring, self.lines)
        self.position, self.velocity = np.linspace(0.1, 0.4, count), np.zeros(count)
        self.values: Block = np.full((5, count), np.nan)
        self.codes = np.zeros((2, count), dtype=np.int64)
        self.now_s = 0.0
        self.torque = np.zeros(count)

    def command(self, position: float = 0.2, kp: float = 1.0, kd: float = 0.0, torque: float = 0.0) -> Block:
        return np.array([[position], [0.0], [kp], [kd], [torque]]) * np.ones(self.count)

    def step(self, drive: Drive | None, command: Block | None = None) -> list[MotorStatus]:
        if drive is not None:
            self.servos.write(drive, self.command() if command is None else command)
        inboxes = [line.outbox for line in self.lines.values()]
        for line in self.lines.values():
            line.outbox = []
        replies = self.twin.exchange(inboxes, self.position, self.velocity, self.now_s)
        for line, frames in zip(self.lines.values(), replies, strict=True):
            line.pending += b"".join(frame.data for frame in frames)
        self.torque = self.twin.torque(self.position, self.velocity, self.now_s).copy()
        self.now_s += STEP_S
        self.servos.receive(self.now_s)
        self.servos.decode(self.values, self.codes)
        return self.status

    def steps(self, count: int, drive: Drive | None, command: Block | None = None) -> list[MotorStatus]:
        for _ in range(count):
            self.step(drive, command)
        return self.status

    @property
    def status(self) -> list[MotorStatus]:
        return [MotorStatus(code) for code in self.codes[STATUS]]

    @property
    def faults(self) -> list[str]:
        return [self.servos.fault_name(int(code)) for code in self.codes[FAULT]]

    def on(self) -> Bench:
        """Seen, and switched on."""
        self.steps(20, Drive.POLL)
        self.steps(6, Drive.ENABLE)
        return self

    def inventory(self) -> list[DeviceReport]:
        reports: list[DeviceReport] = []
        for probe in self.servos.probes(0.1):
            next(probe)
            reports += self.finish(probe)
        return reports

    def finish(self, generator: Generator[None, float, Any]) -> Any:
        for _ in range(20000):
            self.step(Drive.POLL)
            try:
                generator.send(self.now_s)
            except StopIteration as end:
                return end.value
        raise AssertionError("it does not end")

    def spoil_servo(self, slot: int, **condition: Any) -> None:
        conditions = [MotorCondition(at) for at in range(self.count)]
        conditions[slot] = MotorCondition(**{"address_of": slot, **condition})
        self.twin.set_conditions(conditions)
