"""Buses that remember: first a simulated robot answers, later the same bytes come again without it."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.bus import BusCounters, BusFactory, CanBus, Frame, SerialPort
from supervisor.core.robot import CanBusConfig, SerialBusConfig
from supervisor.core.state import BaseVelocity


class RememberingCan:
    """A CAN bus that can play back what it has received."""

    def __init__(self, bus: CanBus) -> None:
        self._bus = bus
        self._next = 0
        self.remembered: list[list[Frame]] = []
        self.playback: list[list[Frame]] | None = None

    @property
    def counters(self) -> BusCounters:
        return self._bus.counters

    def send(self, frames: Sequence[Frame]) -> int:
        return self._bus.send(frames) if self.playback is None else len(frames)

    def receive(self, now_s: float) -> list[Frame]:
        if self.playback is None:
            frames = self._bus.receive(now_s)
            self.remembered.append(frames)
            return frames
        frames = self.playback[self._next]
        self._next += 1
        return frames

    def play(self, period_s: float, start_s: float, count: int) -> None:
        """Play `count` cycles of the newest memory, stamped from `start_s` on."""
        memory = self.remembered[-count:]
        self.playback = [
            [frame._replace(stamp_s=start_s + i * period_s) for frame in frames] for i, frames in enumerate(memory)
        ]
        self._next = 0

    def close(self) -> None:
        self._bus.close()


class RememberingSerial:
    """A serial port that can play back what it has read."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        self._next = 0
        self.remembered: list[bytes] = []
        self.playback: list[bytes] | None = None

    @property
    def counters(self) -> BusCounters:
        return self._port.counters

    def write(self, data: bytes) -> int:
        return self._port.write(data) if self.playback is None else len(data)

    def read(self, now_s: float) -> bytes:
        if self.playback is None:
            data = self._port.read(now_s)
            self.remembered.append(data)
            return data
        data = self.playback[self._next]
        self._next += 1
        return data

    def play(self, count: int) -> None:
        """Play `count` cycles of the newest memory."""
        self.playback = self.remembered[-count:]
        self._next = 0

    def close(self) -> None:
        self._port.close()


class RememberingBuses:
    """A `BusFactory` around another one; its estimator remembers nothing but the newest value."""

    def __init__(self, buses: BusFactory) -> None:
        self._buses = buses
        self.cans: list[RememberingCan] = []
        self.serials: list[RememberingSerial] = []

    def open_can(self, name: str, config: CanBusConfig) -> RememberingCan:
        self.cans.append(RememberingCan(self._buses.open_can(name, config)))
        return self.cans[-1]

    def open_serial(self, name: str, config: SerialBusConfig) -> RememberingSerial:
        self.serials.append(RememberingSerial(self._buses.open_serial(name, config)))
        return self.serials[-1]

    def play(self, period_s: float, start_s: float, count: int) -> None:
        """Play `count` cycles on every bus."""
        for can in self.cans:
            can.play(period_s, start_s, count)
        for serial in self.serials:
            serial.play(count)


class StillEstimator:
    """An estimator that always says the same, freshly."""

    def __init__(self, velocity: BaseVelocity) -> None:
        self._velocity = velocity.linear_velocity_base_in_base_m_per_s

    def base_velocity(self, now_s: float) -> BaseVelocity:
        return BaseVelocity(self._velocity, now_s)
