"""Lines in memory with simulated servos on them, and the blocks that `RobotIO` would hold."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from drivers.bus import BusCounters
from drivers.devices import WiredMotor
from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.codec import Packet, PacketParser
from drivers.serial.dynamixel.device import DynamixelMotors
from drivers.sim.servos.dynamixel import DynamixelBus
from drivers.sim.servos.dynamixel_servo import DynamixelServo
from supervisor.core.command import Drive
from supervisor.core.robot import MotorConfig

PERIOD_S = 0.002
HOLD = (0.0, 0.0, 10.0, 0.0, 0.0)


class FakePort:
    """A serial line: what is written goes to the servos, what they answer is read next."""

    def __init__(self, *servos: DynamixelServo) -> None:
        self.counters = BusCounters()
        self.bus = DynamixelBus(servos, 4_000_000)
        self.now_s = 0.0
        self.pending = b""
        self.written: list[bytes] = []
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self.is_full = False

    def write(self, data: bytes) -> int:
        if self.is_full:
            return 0
        self.written.append(data)
        self.pending += self.bus.hear(data, self.now_s)
        return len(data)

    def read(self, now_s: float) -> bytes:
        self.now_s = now_s
        self.bus.advance_to(now_s)
        data, self.pending = self.spoil(self.pending), b""
        return data

    def close(self) -> None:
        pass

    def told(self) -> list[Packet]:
        """The packets of the last write."""
        return PacketParser().feed(self.written[-1])


def servo(servo_id: int, model: str = "XM430-W350", firmware: int = 52) -> DynamixelServo:
    """A servo that is set up as the inventory wants it."""
    one = DynamixelServo(servo_id, model, firmware=firmware, baud=4_000_000)
    one.table[t.OPERATING_MODE] = t.MODE_CURRENT
    one.table[t.RETURN_DELAY] = 0
    return one


class Rig:
    """Two servos on one line and one on another."""

    def __init__(self, *servos: DynamixelServo, models: tuple[str, ...] = ()) -> None:
        self.servos = servos or (servo(1), servo(2), servo(1, "XL330-M288"))
        places = ["a"] * (len(self.servos) - 1) + ["b"]
        self.ports = {
            name: FakePort(*(one for one, place in zip(self.servos, places, strict=True) if place == name))
            for name in ("a", "b")
        }
        names = models or ("XM430-W350", "XM430-W350", "XL330-M288")
        wired = [
            WiredMotor(f"j{n}", MotorConfig("dynamixel", model, place, one.servo_id), t.MODELS[model])
            for n, (one, place, model) in enumerate(zip(self.servos, places, names, strict=True))
        ]
        self.group = DynamixelMotors(wired, self.ports)
        count = len(wired)
        self.values, self.codes = np.full((5, count), math.nan), np.zeros((2, count), dtype=np.int64)
        self.command = np.array([HOLD] * count).T.copy()
        self.now_s = 0.0

    @property
    def port(self) -> FakePort:
        return self.ports["a"]

    def step(self, drive: Drive | None, cycles: int = 1) -> None:
        """Control cycles; with None the host says nothing."""
        for _ in range(cycles):
            if drive is not None:
                self.group.write(drive, self.command)
            self.now_s += PERIOD_S
            self.group.receive(self.now_s)
            self.group.decode(self.values, self.codes)

    def inventory(self, timeout_s: float = 0.1):
        """Reports by joint."""
        probes = self.group.probes(timeout_s)
        for probe in probes:
            next(probe)
        reports = {}
        for _ in range(4000):
            self.step(Drive.POLL)
            for probe in tuple(probes):
                try:
                    probe.send(self.now_s)
                except StopIteration as end:
                    probes.remove(probe)
                    reports |= {report.name: report for report in end.value}
            if not probes:
                return reports
        raise AssertionError("the inventory does not end")

    def finish(self, work):
        """Carry out what takes several cycles, polling in between."""
        next(work)
        for _ in range(2000):
            self.step(Drive.POLL)
            try:
                work.send(self.now_s)
            except StopIteration as end:
                return end.value
        raise AssertionError("it does not end")
