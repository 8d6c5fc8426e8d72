"""A board in memory that reports what it is told to, and the rig around it. Written apart from the codec."""

from __future__ import annotations

import math
import struct

import numpy as np

from drivers.bus import Frame
from drivers.can.odrive.device import ODriveMotors
from drivers.can.odrive.tables import MODELS
from drivers.devices import STAMP, STATUS, WiredMotor, wire_model
from supervisor.core.command import Drive
from supervisor.core.robot import DriveConfig, MotorConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.fake_devices import MemoryBus

DRIVE = DriveConfig(20.0, 18.0, 9.0)
PERIOD_S = 0.002
COMMAND = np.array([[0.5, -0.5], [1.0, 0.0], [30.0, 40.0], [1.0, 2.0], [0.9, -0.9]])


class FakeODrive:
    """One board, which reports once per `report` and keeps what it was sent."""

    def __init__(self, node: int) -> None:
        self.node = node
        self.state, self.errors, self.active, self.disarm = 1, 0, 0, 0
        self.position, self.velocity, self.torque = 0.25, -1.5, 0.5
        self.temperatures = (41.0, 55.5)
        self.version = bytes((2, 5, 2, 0, 0, 6, 11, 0))
        self.serials = [0x1000 + node]
        self.is_silent = False
        self.ignores_states = False
        self.every: dict[int, int] = {0x01: 1, 0x09: 1, 0x1C: 5, 0x15: 20}
        """Cycles between two reports of each kind."""
        self.log: list[tuple[int, bytes]] = []
        self.cycle = 0

    def frame(self, command: int) -> Frame:
        data = {
            0x01: struct.pack("<IBBBx", self.errors, self.state, 0, 0),
            0x03: struct.pack("<II", self.active, self.disarm),
            0x09: struct.pack("<ff", self.position, self.velocity),
            0x15: struct.pack("<ff", *self.temperatures),
            0x17: struct.pack("<ff", 24.5, 0.1),
            0x1C: struct.pack("<ff", 0.0, self.torque),
            0x00: self.version,
        }[command]
        return Frame(self.node << 5 | command, data)

    def report(self) -> list[Frame]:
        self.cycle += 1
        due = [command for command, cycles in self.every.items() if cycles and self.cycle % cycles == 0]
        return [] if self.is_silent else [self.frame(command) for command in due]

    def answer(self, frame: Frame) -> list[Frame]:
        if self.is_silent or frame.is_extended or frame.arbitration_id >> 5 != self.node:
            return []
        command = frame.arbitration_id & 0x1F
        if not frame.data:
            if command == 0x06:
                serials = [serial.to_bytes(6, "little") for serial in self.serials]
                return [Frame(frame.arbitration_id, bytes((self.node,)) + serial + b"\0") for serial in serials]
            return [self.frame(command)] if command in (0x00, 0x03) and self.version else []
        self.log.append((command, frame.data))
        if command == 0x07 and not self.ignores_states:
            self.state = frame.data[0]
        if command == 0x18:
            self.errors = self.active = self.disarm = 0
        if command == 0x19:
            self.position = struct.unpack("<f", frame.data[:4])[0]
        return []


class Rig:
    """Two boards on one bus, with the blocks that `RobotIO` would hold."""

    def __init__(self, bus: MemoryBus | None = None, drive: DriveConfig | None = DRIVE) -> None:
        self.bus = bus or MemoryBus()
        self.fakes = [FakeODrive(node) for node in (1, 2)]
        self.bus.motors += self.fakes  # type: ignore[arg-type]
        configs = [MotorConfig("odrive", "S1", "can0", node, 0, drive) for node in (1, 2)]
        wired = [WiredMotor(f"j{c.id}", c, wire_model(MODELS, c)) for c in configs]
        self.motors = ODriveMotors(wired, {"can0": self.bus})
        self.values = np.full((5, 2), math.nan)
        self.values[STAMP] = NEVER_S
        self.codes = np.zeros((2, 2), dtype=np.int64)
        self.now_s = 0.0

    def take(self, *frames: Frame) -> list[Frame]:
        rest = self.motors.take("can0", frames)
        self.motors.decode(self.values, self.codes)
        return list(rest)

    def cycle(self, drive: Drive | None = None, command: np.ndarray = COMMAND) -> list[MotorStatus]:
        """One control cycle: write, let the boards report, read."""
        if drive is not None:
            self.motors.write(drive, command)
        for fake in self.fakes:
            self.bus.pending += fake.report()
        self.now_s += PERIOD_S
        self.take(*self.bus.receive(self.now_s))
        return [MotorStatus(int(status)) for status in self.codes[STATUS]]

    def run(self, generator, cycles: int = 4000):
        """Resume a generator once a cycle, as the control loop does."""
        try:
            next(generator)
            for _ in range(cycles):
                self.cycle()
                generator.send(self.now_s)
        except StopIteration as end:
            return end.value
        raise AssertionError("the generator does not end")

    def reports(self):
        """The inventory, all motors side by side."""
        probes = self.motors.probes(0.1)
        for probe in probes:
            next(probe)
        found = {}
        for _ in range(4000):
            self.cycle(Drive.POLL)
            for slot, probe in enumerate(probes):
                if slot not in found:
                    try:
                        probe.send(self.now_s)
                    except StopIteration as end:
                        (found[slot],) = end.value
            if len(found) == len(probes):
                return [found[slot] for slot in range(len(probes))]
        raise AssertionError("the inventory does not end")

    def said(self, node: int = 1) -> list[tuple[int, bytes]]:
        """What a board was sent since this was asked last."""
        log, self.fakes[node - 1].log = self.fakes[node - 1].log, []
        return log
