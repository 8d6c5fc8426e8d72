"""Buses that keep every frame and byte they are given, and bring what they are told to."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.bus import BusCounters, Frame
from supervisor.core.robot import CanBusConfig, SerialBusConfig


class RecordingBus:
    """A CAN bus and a serial line in one."""

    def __init__(self, name: str, buses: RecordingBuses) -> None:
        self.counters = BusCounters()
        self._name = name
        self._buses = buses

    def send(self, frames: Sequence[Frame]) -> int:
        self._buses.sent += [(self._name, frame.arbitration_id, frame.data) for frame in frames]
        self.counters.sent += len(frames)
        return len(frames)

    def write(self, data: bytes) -> int:
        self._buses.sent.append((self._name, 0, bytes(data)))
        self.counters.sent += 1
        return len(data)

    def receive(self, now_s: float) -> list[Frame]:
        frames = self._buses.pending.pop(self._name, [])
        return [frame._replace(stamp_s=now_s) for frame in frames]

    def read(self, now_s: float) -> bytes:
        return b""

    def close(self) -> None:
        self._buses.closed.add(self._name)


class RecordingBuses:
    """Opens them. A `BusFactory`.

    Attributes:
        sent: Bus, identifier and bytes of everything sent, in order.
        pending: Frames that are read next, by bus.
        closed: Buses that were closed.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, int, bytes]] = []
        self.pending: dict[str, list[Frame]] = {}
        self.closed: set[str] = set()

    def open_can(self, name: str, config: CanBusConfig) -> RecordingBus:
        return RecordingBus(name, self)

    def open_serial(self, name: str, config: SerialBusConfig) -> RecordingBus:
        return RecordingBus(name, self)
