"""A second computer on the buses of a simulated robot: it hears what the first one sends, and what the devices answer.

On CAN every node hears every frame. A serial line has one reader by nature; a second one is what a splitter in the
device's direction would give it: the device's words, and not the host's.
"""

from __future__ import annotations

from collections.abc import Sequence

from drivers.bus import BusCounters, BusFactory, CanBus, Frame, SerialPort
from supervisor.core.robot import CanBusConfig, SerialBusConfig


class SecondCan:
    """The second computer's end of a CAN bus; it can speak there, as any node can.

    Args:
        bus: The bus itself.
    """

    def __init__(self, bus: CanBus) -> None:
        self.counters = BusCounters()
        self.sent: list[Frame] = []
        self._bus = bus
        self._heard: list[Frame] = []

    def hear(self, frames: Sequence[Frame]) -> None:
        """A frame is on the bus."""
        self._heard += frames

    def send(self, frames: Sequence[Frame]) -> int:
        """Speak; kept in `sent`, for who wants to know whether it did."""
        self.sent += frames
        accepted = self._bus.send(frames)
        self.counters.sent += accepted
        return accepted

    def receive(self, now_s: float) -> list[Frame]:  # noqa: ARG002 (the frames have their stamps)
        """Everything heard since the last call."""
        heard, self._heard = self._heard, []
        return heard

    def close(self) -> None:
        """Hear no more; the first computer goes on."""
        self._heard.clear()


class SecondSerial:
    """The second computer's end of a serial line.

    Args:
        port: The line itself.
    """

    def __init__(self, port: SerialPort) -> None:
        self.counters = BusCounters()
        self.sent = b""
        self._port = port
        self._heard = b""

    def hear(self, data: bytes) -> None:
        """The device has spoken."""
        self._heard += data

    def write(self, data: bytes) -> int:
        """Speak; kept in `sent`."""
        self.sent += data
        return self._port.write(data)

    def read(self, now_s: float) -> bytes:  # noqa: ARG002 (the signature of a port)
        """Everything heard since the last call."""
        heard, self._heard = self._heard, b""
        return heard

    def close(self) -> None:
        """Hear no more."""
        self._heard = b""


class _FirstCan:
    """The first computer's end: what crosses it is heard by the second."""

    def __init__(self, bus: CanBus, second: SecondCan) -> None:
        self._bus = bus
        self._second = second
        self._now_s = 0.0

    @property
    def counters(self) -> BusCounters:
        return self._bus.counters

    def send(self, frames: Sequence[Frame]) -> int:
        accepted = self._bus.send(frames)
        self._second.hear([frame._replace(stamp_s=self._now_s) for frame in frames[:accepted]])
        return accepted

    def receive(self, now_s: float) -> list[Frame]:
        self._now_s = now_s
        frames = self._bus.receive(now_s)
        self._second.hear(frames)
        return frames

    def close(self) -> None:
        self._bus.close()


class _FirstSerial:
    """The first computer's end of a serial line."""

    def __init__(self, port: SerialPort, second: SecondSerial) -> None:
        self._port = port
        self._second = second

    @property
    def counters(self) -> BusCounters:
        return self._port.counters

    def write(self, data: bytes) -> int:
        return self._port.write(data)

    def read(self, now_s: float) -> bytes:
        data = self._port.read(now_s)
        self._second.hear(data)
        return data

    def close(self) -> None:
        self._port.close()


class _SecondBuses:
    """Opens the second computer's ends. A `BusFactory`."""

    def __init__(self, cans: dict[str, SecondCan], serials: dict[str, SecondSerial]) -> None:
        self._cans = cans
        self._serials = serials

    def open_can(self, name: str, config: CanBusConfig) -> SecondCan:  # noqa: ARG002 (opened by the first already)
        return self._cans[name]

    def open_serial(self, name: str, config: SerialBusConfig) -> SecondSerial:  # noqa: ARG002 (as above)
        return self._serials[name]


class TappedBuses:
    """Opens the first computer's ends. A `BusFactory`.

    Args:
        buses: The simulated robot.

    Attributes:
        second_cans, second_serials: The second computer's ends, once the first has opened its own.
    """

    def __init__(self, buses: BusFactory) -> None:
        self._buses = buses
        self.second_cans: dict[str, SecondCan] = {}
        self.second_serials: dict[str, SecondSerial] = {}

    @property
    def second(self) -> BusFactory:
        """Opens the second computer's ends; the first computer opens its own before."""
        return _SecondBuses(self.second_cans, self.second_serials)

    def open_can(self, name: str, config: CanBusConfig) -> CanBus:
        """Open a CAN bus.

        Raises:
            BusError: The simulated robot has no such bus.
        """
        bus = self._buses.open_can(name, config)
        self.second_cans[name] = SecondCan(bus)
        return _FirstCan(bus, self.second_cans[name])

    def open_serial(self, name: str, config: SerialBusConfig) -> SerialPort:
        """Open a serial line.

        Raises:
            BusError: The simulated robot has no such line.
        """
        port = self._buses.open_serial(name, config)
        self.second_serials[name] = SecondSerial(port)
        return _FirstSerial(port, self.second_serials[name])
