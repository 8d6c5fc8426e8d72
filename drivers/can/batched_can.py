"""A CAN bus whose socket holds frames as SocketCAN lays them out: one system call out, one in.

python-can has opened and named the bus, and closes it; only frames pass by it.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

import can

from drivers.bus import BusCounters, Frame
from drivers.can.batched_socket import ReceiveBatch, SendBatch
from drivers.can.error_frames import ErrorFrames
from drivers.can.slots import SLOTS

MAXIMUM_DRAIN: Final = 2048
"""Frames taken per call: a flooded bus must not hold up the cycle for ever. A 1 Mbit/s bus brings 18 in 2 ms."""

GONE: Final = frozenset({errno.ENETDOWN, errno.ENODEV, errno.ENXIO, errno.EIO, errno.EBADF})
"""The interface is down or unplugged: nothing will be sent until somebody reopens it."""

FULL: Final = frozenset({errno.ENOBUFS, errno.EAGAIN})
"""The interface's queue, or the socket's, has no room."""


class Submission(NamedTuple):
    """What became of a batch.

    Attributes:
        accepted: Frames taken.
        error: Error number of a frame that was not; 0 where it is not known, or there was none.
    """

    accepted: int
    error: int = 0


class Transport(Protocol):
    """What carries the frames of one bus."""

    def fileno(self) -> int:
        """The socket that frames arrive on."""
        ...

    def submit(self, batch: SendBatch) -> Submission:
        """Send a batch. Never waits, never retries.

        Raises:
            can.CanError: The bus is closed or gone.
        """
        ...

    def hand_over(self) -> None:
        """Send what could not be sent before, where this transport keeps such frames."""
        ...


class KernelSocket:
    """A socket of the kernel's own CAN stack, or another to one peer. Implements `Transport`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The socket."""
        return self._descriptor

    def submit(self, batch: SendBatch) -> Submission:
        """Send a batch; a frame that the kernel refuses does not keep back the next one, a full queue does.

        Where the kernel stops in the middle it does not say why. What stopped it is passed over, and the next frame
        tells: a queue that is still full, or an interface that is gone, refuses that as well.
        """
        accepted = start = code = 0
        while start < batch.count:
            taken = batch.send(self._descriptor, start)
            if taken < 0:
                code = -taken
                if code in FULL or code in GONE:
                    break
                taken = 0
            accepted += taken
            start += taken + 1
        return Submission(accepted, code)

    def hand_over(self) -> None:
        """Keep nothing: the kernel takes a frame, or it is lost."""


class BatchedCan:
    """One CAN bus, a batch at a time. Implements `CanBus`.

    Args:
        bus: What python-can has opened; closed with this.
        transport: What carries its frames.
        is_fd: Whether FD frames are sent and received.
        bit_rate_switch: Whether the data of FD frames goes at the data bit rate.
        wall_clock_s: Seconds since the epoch: the clock of the kernel's stamps.

    Attributes:
        counters: What the rest of Handrail counts; `dropped` holds datagrams that are no frame, and frames that found
            the receive queue full.
        error_frames: Error frames by name.
    """

    def __init__(
        self,
        bus: can.BusABC,
        transport: Transport,
        *,
        is_fd: bool = False,
        bit_rate_switch: bool = False,
        wall_clock_s: Callable[[], float] = time.time,
    ) -> None:
        self.counters = BusCounters()
        self.error_frames = ErrorFrames()
        self._bus = bus
        self._transport = transport
        self._wall_clock_s = wall_clock_s
        self._out = SendBatch(is_fd=is_fd, bit_rate_switch=bit_rate_switch)
        self._in = ReceiveBatch(self.error_frames, is_fd=is_fd)
        self._dropped = self._error_frames = 0
        self._emptied_s = -math.inf
        self._is_closed = False

    def send(self, frames: Sequence[Frame]) -> int:
        """Hand frames to the kernel; what it has no room for, or no controller could send, is counted."""
        counters = self.counters
        accepted = 0
        for start in range(0, len(frames), SLOTS):
            self._out.load(frames[start : start + SLOTS] if len(frames) > SLOTS else frames)
            try:
                done = self._submit()
            except (can.CanError, OSError) as error:
                done = Submission(0, getattr(error, "error_code", None) or getattr(error, "errno", None) or 0)
            accepted += done.accepted
            if done.error in GONE:
                counters.is_off = True
        counters.sent += accepted
        counters.errors += len(frames) - accepted
        return accepted

    def _submit(self) -> Submission:
        return Submission(0, errno.EBADF) if self._is_closed else self._transport.submit(self._out)

    def receive(self, now_s: float) -> list[Frame]:
        """Take everything that has arrived; error frames are counted by name, bus-off is latched.

        A frame's stamp is `now_s` less the time since the kernel saw it, so that frames which waited while the loop
        was late are as old as they are. Where the wall clock was set meanwhile, a frame is no older than the last
        call that found no more, and no newer than `now_s`.
        """
        frames: list[Frame] = []
        counters, batch = self.counters, self._in
        wall_s = self._wall_clock_s()
        descriptor = -1
        if not self._is_closed:
            self._transport.hand_over()
            descriptor = self._transport.fileno()
        for _ in range(MAXIMUM_DRAIN // SLOTS):
            taken = batch.receive(descriptor, frames, now_s, wall_s, self._emptied_s)
            if taken < SLOTS:
                if taken >= 0 or -taken in FULL:
                    self._emptied_s = now_s
                else:
                    counters.errors += 1
                    counters.is_off = counters.is_off or -taken in GONE
                break
        self._count()
        return frames

    def _count(self) -> None:
        """Add what is new in the batch's tallies to the counters, to which others add as well."""
        counters, batch = self.counters, self._in
        if batch.dropped != self._dropped:
            counters.dropped += batch.dropped - self._dropped
            self._dropped = batch.dropped
        if batch.error_frames != self._error_frames:
            counters.errors += batch.error_frames - self._error_frames
            self._error_frames = batch.error_frames
            counters.is_off = counters.is_off or batch.is_bus_off

    def close(self) -> None:
        """Close the bus. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._bus.shutdown()
