"""Buses that are only listened to: whatever a driver of ours sends ends here.

For running beside a program that drives the robot. A frame of ours would not only be noise: to several makes the
question for feedback is the command to switch off.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.bus import BusCounters, BusFactory, CanBus, Frame, SerialPort
from supervisor.core.robot import CanBusConfig, SerialBusConfig


class ListeningCan:
    """A CAN bus that takes nothing.

    Args:
        bus: What is listened to.
    """

    def __init__(self, bus: CanBus) -> None:
        self._bus = bus

    @property
    def counters(self) -> BusCounters:
        """The bus's counters; nothing is ever sent."""
        return self._bus.counters

    def send(self, frames: Sequence[Frame]) -> int:  # noqa: ARG002 (the signature of a bus)
        """Drop the frames. None was accepted, so no reply is due."""
        return 0

    def receive(self, now_s: float) -> list[Frame]:
        """Take everything that has arrived, other programs' frames included."""
        return self._bus.receive(now_s)

    def close(self) -> None:
        """Close the bus."""
        self._bus.close()


class ListeningSerial:
    """A serial line that takes nothing.

    Args:
        port: What is listened to.
    """

    def __init__(self, port: SerialPort) -> None:
        self._port = port

    @property
    def counters(self) -> BusCounters:
        """The line's counters; nothing is ever sent."""
        return self._port.counters

    def write(self, data: bytes) -> int:  # noqa: ARG002 (the signature of a port)
        """Drop the bytes."""
        return 0

    def read(self, now_s: float) -> bytes:
        """Take everything that has arrived."""
        return self._port.read(now_s)

    def close(self) -> None:
        """Close the line."""
        self._port.close()


class ListeningBuses:
    """Opens buses to listen. A `BusFactory`.

    Args:
        buses: Opens the buses themselves.
    """

    def __init__(self, buses: BusFactory) -> None:
        self._buses = buses

    def open_can(self, name: str, config: CanBusConfig) -> ListeningCan:
        """Open a CAN bus to listen.

        Raises:
            BusError: It cannot be opened.
        """
        return ListeningCan(self._buses.open_can(name, config))

    def open_serial(self, name: str, config: SerialBusConfig) -> ListeningSerial:
        """Open a serial line to listen.

        Raises:
            BusError: It cannot be opened.
        """
        return ListeningSerial(self._buses.open_serial(name, config))
