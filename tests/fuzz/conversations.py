"""What motors answer: a group talks with its simulated twin, and everything that reaches the host is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from drivers.bus import Frame
from drivers.devices import Probe, WiredMotor
from drivers.registry import MOTOR_MAKES
from drivers.sim.motors.makes import MOTOR_MAKES as TWINS
from supervisor.core.command import Drive
from supervisor.core.robot import JointConfig
from tests.drivers.fake_devices import MemoryPort
from tests.fuzz.device_subjects import FakeCan

CYCLE_S = 0.002
MOST_CYCLES = 3000
"""Of an inventory; it is cut off beyond."""

CYCLES_EACH = 8
"""Of everything that a group can be told to do."""

MOST_KEPT = 600
"""Different answers: what has been said hundreds of times is not said for the first time in the thousandth cycle."""


class RecordedCan(FakeCan):
    """Keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Frame] = []

    def send(self, frames: Sequence[Frame]) -> int:
        """Take everything."""
        self.sent += frames
        return len(frames)


class RecordedPort(MemoryPort):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Frame] = []

    def write(self, data: bytes) -> int:
        """Take everything."""
        self.sent.append(Frame(0, bytes(data)))
        return len(data)


def answers(name: str, motors: Sequence[WiredMotor]) -> list[Frame]:
    """Different frames that the motors of one bus send in their inventory and in operation, each once.

    On a serial line a frame is a packet, and its identifier means nothing. Nothing comes from a make without a twin.
    """
    if name not in TWINS:
        return []
    make = MOTOR_MAKES[name]
    bus: Any = RecordedPort() if make.bus_kind == "serial" else RecordedCan()
    group: Any = make.make(motors, {motors[0].config.bus: bus})
    kept: dict[Frame, None] = {}
    for frames in talk(name, group, bus, motors):
        kept.update((frame._replace(stamp_s=0.0), None) for frame in frames[: MOST_KEPT - len(kept)])
    return list(kept)


def talk(name: str, group: Any, bus: RecordedCan | RecordedPort, motors: Sequence[WiredMotor]) -> Iterator[list[Frame]]:
    """An inventory and some cycles of a group with its twin; what the twin says, cycle by cycle."""
    bus_name = motors[0].config.bus
    joints = [JointConfig(m.config, 1, 0.0, 1.0, (-1.0, 1.0), 5.0, 2.0, 5.0, 0.1, 0.0, 0.0) for m in motors]
    twin = TWINS[name](joints, [bus_name], seed=(1,))
    position, velocity = np.linspace(-0.4, 0.4, len(motors)), np.linspace(-1.0, 1.0, len(motors))
    values, codes = np.zeros((5, len(motors))), np.zeros((2, len(motors)), dtype=np.int64)
    for cycle, _ in enumerate(_told(group, len(motors)), 1):
        now_s = cycle * CYCLE_S
        inbox, bus.sent = bus.sent, []
        (frames,) = twin.exchange([inbox], position, velocity, now_s)
        yield frames
        if isinstance(bus, RecordedPort):
            bus.pending = b"".join(frame.data for frame in frames)
            group.receive(now_s)
        else:
            group.take(bus_name, frames)
        group.decode(values, codes)


def _told(group: Any, count: int) -> Iterator[None]:
    """One turn per cycle: the inventory, then each thing that a group can be told."""
    command = np.zeros((5, count))
    probes = group.probes(0.1)
    for probe in probes:
        next(probe)
    for cycle in range(1, MOST_CYCLES):
        probes = [probe for probe in probes if _goes_on(probe, cycle * CYCLE_S)]
        if not probes:
            break
        group.write(Drive.POLL, command)
        yield
    for drive in (Drive.POLL, Drive.ENABLE, Drive.COMMAND, Drive.DISABLE, Drive.CLEAR_FAULT):
        for _ in range(CYCLES_EACH):
            group.write(drive, command)
            yield


def _goes_on(probe: Probe, now_s: float) -> bool:
    try:
        probe.send(now_s)
    except StopIteration:
        return False
    return True
