"""Buses that remember: first a simulated robot answers, later the same bytes come again without it.

They come back from memory, where our code is timed alone; or over sockets and a pseudo-terminal, where the kernel's
part is timed too. What is to come over these was put in at their other end before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from benchmarks.ends import opened_line, opened_pair
from drivers.bus import BusCounters, BusFactory, CanBus, Frame, SerialPort
from drivers.can.batched_can import BatchedCan, KernelSocket
from drivers.can.frame_bytes import FLEXIBLE, pack
from drivers.hardware import HardwareSerial
from supervisor.core.robot import CanBusConfig, SerialBusConfig
from supervisor.core.state import BaseVelocity


class CanEnds:
    """A CAN bus of sockets, and what stands at its other end."""

    def __init__(self, opened: contextlib.ExitStack, *, is_fd: bool) -> None:
        ours, other = opened.enter_context(opened_pair(is_fd=is_fd))
        self.bus = BatchedCan(ours, KernelSocket(ours.fileno()), is_fd=is_fd)
        self._other = other.socket
        self._other.setblocking(False)

    def put(self, frames: Sequence[Frame]) -> None:
        """Forget what was sent, and send what is to be received."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._other.recv(FLEXIBLE.size)
        for frame in frames:
            self._other.send(pack(frame))


class LineEnds:
    """A serial line of a pseudo-terminal, and what stands at its other end."""

    def __init__(self, opened: contextlib.ExitStack) -> None:
        port, self._other = opened.enter_context(opened_line())
        os.set_blocking(self._other, False)
        self.port = HardwareSerial(port)

    def put(self, data: bytes) -> None:
        """Forget what was written, and write what is to be read."""
        with contextlib.suppress(BlockingIOError):
            while True:
                os.read(self._other, 4096)
        os.write(self._other, data)


class RememberingCan:
    """A CAN bus that can play back what it has received."""

    def __init__(self, bus: CanBus, *, is_fd: bool) -> None:
        self.is_fd = is_fd
        self._bus = bus
        self._next = 0
        self.remembered: list[list[Frame]] = []
        self.playback: list[list[Frame]] | None = None
        self.ends: CanEnds | None = None

    @property
    def counters(self) -> BusCounters:
        return self._bus.counters

    def send(self, frames: Sequence[Frame]) -> int:
        if self.ends is not None:
            return self.ends.bus.send(frames)
        return self._bus.send(frames) if self.playback is None else len(frames)

    def receive(self, now_s: float) -> list[Frame]:
        if self.ends is not None:
            return self.ends.bus.receive(now_s)
        if self.playback is None:
            frames = self._bus.receive(now_s)
            self.remembered.append(frames)
            return frames
        return self._newest()

    def _newest(self) -> list[Frame]:
        frames = (self.playback or [])[self._next]
        self._next += 1
        return frames

    def put(self) -> None:
        """Put the frames of the next cycle at the other end."""
        if self.ends is not None:
            self.ends.put(self._newest())

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
        self.ends: LineEnds | None = None

    @property
    def counters(self) -> BusCounters:
        return self._port.counters

    def write(self, data: bytes) -> int:
        if self.ends is not None:
            return self.ends.port.write(data)
        return self._port.write(data) if self.playback is None else len(data)

    def read(self, now_s: float) -> bytes:
        if self.ends is not None:
            return self.ends.port.read(now_s)
        if self.playback is None:
            data = self._port.read(now_s)
            self.remembered.append(data)
            return data
        return self._newest()

    def _newest(self) -> bytes:
        data = (self.playback or [])[self._next]
        self._next += 1
        return data

    def put(self) -> None:
        """Put the bytes of the next cycle at the other end."""
        if self.ends is not None:
            self.ends.put(self._newest())

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
        self.cans.append(RememberingCan(self._buses.open_can(name, config), is_fd=config.fd))
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

    @contextlib.contextmanager
    def over_the_kernel(self) -> Iterator[None]:
        """What is played from now on comes over sockets and pseudo-terminals, cycle by cycle as it is `put` there."""
        with contextlib.ExitStack() as opened:
            for can in self.cans:
                can.ends = CanEnds(opened, is_fd=can.is_fd)
            for serial in self.serials:
                serial.ends = LineEnds(opened)
            yield
        for bus in (*self.cans, *self.serials):
            bus.ends = None

    def put(self) -> None:
        """Put the next cycle at the other ends of all buses."""
        for bus in (*self.cans, *self.serials):
            bus.put()


class StillEstimator:
    """An estimator that always says the same, freshly."""

    def __init__(self, velocity: BaseVelocity) -> None:
        self._velocity = velocity.linear_velocity_base_in_base_m_per_s

    def base_velocity(self, now_s: float) -> BaseVelocity:
        return BaseVelocity(self._velocity, now_s)
