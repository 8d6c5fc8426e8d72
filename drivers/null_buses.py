"""Buses on which nobody is: for who needs a robot's devices for what they know, and not to reach them."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.bus import BusCounters, Frame
from supervisor.core.robot import CanBusConfig, SerialBusConfig


class NullCan:
    """A CAN bus that takes everything and brings nothing."""

    def __init__(self) -> None:
        self.counters = BusCounters()

    def send(self, frames: Sequence[Frame]) -> int:
        """Drop the frames."""
        return len(frames)

    def receive(self, now_s: float) -> list[Frame]:  # noqa: ARG002 (the signature of a bus)
        """Nothing."""
        return []

    def close(self) -> None:
        """Nothing to close."""


class NullSerial:
    """A serial port that takes everything and brings nothing."""

    def __init__(self) -> None:
        self.counters = BusCounters()

    def write(self, data: bytes) -> int:
        """Drop the bytes."""
        return len(data)

    def read(self, now_s: float) -> bytes:  # noqa: ARG002 (the signature of a port)
        """Nothing."""
        return b""

    def close(self) -> None:
        """Nothing to close."""


class NullBuses:
    """Opens them. A `BusFactory`."""

    def open_can(self, name: str, config: CanBusConfig) -> NullCan:  # noqa: ARG002 (the signature of a factory)
        """A bus without anybody."""
        return NullCan()

    def open_serial(self, name: str, config: SerialBusConfig) -> NullSerial:  # noqa: ARG002 (as above)
        """A port without anybody."""
        return NullSerial()
