"""What every bus looks like to a device, whether it is hardware or simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from supervisor.core.robot import CanBusConfig, SerialBusConfig
from supervisor.core.state import BaseVelocity, BusStatistics


class Frame(NamedTuple):
    """One CAN frame.

    Attributes:
        arbitration_id: 11 bits, or 29 where `is_extended`.
        data: 0 to 8 bytes, up to 64 where `is_fd`.
        is_extended: True for a 29-bit identifier.
        is_fd: True for CAN FD.
        stamp_s: Monotonic time of arrival; 0 on frames to be sent.
    """

    arbitration_id: int
    data: bytes
    is_extended: bool = False
    is_fd: bool = False
    stamp_s: float = 0.0


@dataclass(slots=True)
class BusCounters:
    """Counters that a bus and the devices on it add to; the only mutable part of a bus that others touch.

    Attributes:
        sent: Frames or packets written.
        received: Frames or packets that a device of ours accepted.
        expected: Replies that were due.
        dropped: Frames, or bytes of a serial stream, thrown away (checksum, length, stranger).
        errors: Failed writes, and error frames.
        is_off: True when the bus no longer takes frames (bus-off, unplugged).
        foreign_commands: Frames seen that command one of our motors but were not sent by us.
    """

    sent: int = 0
    received: int = 0
    expected: int = 0
    dropped: int = 0
    errors: int = 0
    is_off: bool = False
    foreign_commands: int = 0

    def statistics(self) -> BusStatistics:
        """The counters as they are now."""
        return BusStatistics(
            self.sent,
            self.received,
            self.expected,
            self.dropped,
            self.errors,
            self.is_off,
            self.foreign_commands,
        )


class CanBus(Protocol):
    """One open CAN bus. Nothing here blocks or raises once it is open.

    The bus counts `sent`, `errors`, `is_off`, and in `dropped` what is no frame or found its queue full; whoever
    interprets the frames counts the rest.
    """

    @property
    def counters(self) -> BusCounters:
        """This bus's counters."""
        ...

    def send(self, frames: Sequence[Frame]) -> int:
        """Hand frames to the bus, in order.

        Returns:
            How many were accepted. What failed is counted in `counters.errors`, never retried.
        """
        ...

    def receive(self, now_s: float) -> list[Frame]:
        """Take everything that has arrived, oldest first. Own frames and error frames are not among them.

        Args:
            now_s: Monotonic time; the stamp of frames whose arrival the bus does not know better.
        """
        ...

    def close(self) -> None:
        """Close the bus. Idempotent."""
        ...


class FrameTaker(Protocol):
    """Whoever wants some of the frames that a robot's CAN buses receive."""

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Remember what is meant for it, and return the rest. Never raises on bytes."""
        ...


class SerialPort(Protocol):
    """One open serial port. Nothing here blocks or raises once it is open.

    The port counts `errors` and `is_off`; whoever interprets the bytes counts packets.
    """

    @property
    def counters(self) -> BusCounters:
        """This port's counters."""
        ...

    def write(self, data: bytes) -> int:
        """Hand bytes to the port.

        Returns:
            How many were accepted; a failure is counted in `counters.errors`, never retried.
        """
        ...

    def read(self, now_s: float) -> bytes:
        """Take everything that has arrived, in one call."""
        ...

    def close(self) -> None:
        """Close the port. Idempotent."""
        ...


@runtime_checkable
class OnLine(Protocol):
    """A bus that is reached through a serial line of this process, which has one owner."""

    def fileno(self) -> int:
        """The open line; -1 once closed."""
        ...


class BusFactory(Protocol):
    """Opens the buses of one robot."""

    def open_can(self, name: str, config: CanBusConfig) -> CanBus:
        """Open a CAN bus.

        Raises:
            BusError: It cannot be opened.
        """
        ...

    def open_serial(self, name: str, config: SerialBusConfig) -> SerialPort:
        """Open a serial port.

        Raises:
            BusError: It cannot be opened.
        """
        ...


class Estimator(Protocol):
    """Where the linear velocity of the base comes from."""

    def base_velocity(self, now_s: float) -> BaseVelocity:
        """The newest estimate known at `now_s`."""
        ...
