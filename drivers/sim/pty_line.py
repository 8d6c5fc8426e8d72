"""A serial line of the simulated robot as a pseudo-terminal: what hosts open like any serial port."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
import tty
from typing import Final

from drivers.descriptors import READ_BYTES
from drivers.sim.wire import SimulatedSerial

UNREAD_BYTES: Final = 3072
"""More than this and nobody reads: it is thrown away, so that whoever opens the line next hears what is said now. Linux
keeps 4095 bytes for the reader, and up to 64 kB that it cannot throw away behind them; 150 ms of a usual inertial
unit."""

_COUNT: Final = struct.Struct("@i")


class PtyLine:
    """One line. Raw, without echo; the baud rate that a host sets means nothing.

    The plant keeps the host's end open as well: a host that leaves does not hang up. A line that is off is unplugged:
    hosts lose it for good, and when it is on again it has another path, as a USB adapter may.

    Args:
        wire: The line in memory.

    Attributes:
        path: What a host opens; "" while unplugged.
        overruns: Times that what nobody had read was thrown away, or that there was no room.
    """

    def __init__(self, wire: SimulatedSerial) -> None:
        self.path = ""
        self.overruns = 0
        self._wire = wire
        self._plant = self._host = -1
        self.follow()

    def fileno(self) -> int:
        """What to wait on for bytes of a host; -1 while unplugged."""
        return self._plant

    def follow(self) -> bool:
        """Be plugged in, or not, as the line is; whether that has changed."""
        is_off = self._wire.counters.is_off
        if is_off == (self._plant < 0):
            return False
        if is_off:
            self.close()
        else:
            self._plug()
        return True

    def _plug(self) -> None:
        self._plant, self._host = os.openpty()
        os.set_blocking(self._plant, False)
        tty.setraw(self._host)
        # The system lets the group tty write to terminals.
        os.fchmod(self._host, 0o600)
        self.path = os.ttyname(self._host)

    def hear(self) -> bool:
        """Hand what a host has written to the devices; whether there was anything."""
        if self._plant < 0:
            return False
        try:
            data = os.read(self._plant, READ_BYTES)
        except BlockingIOError:
            return False
        self._wire.write(data)
        return True

    def speak(self, now_s: float) -> None:
        """Hand to hosts what has arrived at their end by `now_s`."""
        data = self._wire.read(now_s)
        if not data or self._plant < 0:
            return
        (unread,) = _COUNT.unpack(fcntl.ioctl(self._host, termios.FIONREAD, bytes(_COUNT.size)))
        if unread > UNREAD_BYTES:
            self.overruns += 1
            termios.tcflush(self._host, termios.TCIFLUSH)
        try:
            written = os.write(self._plant, data)
        except BlockingIOError:
            written = 0
        if written < len(data):
            self.overruns += 1

    def next_arrival_s(self) -> float:
        """When there will be something to say."""
        return self._wire.next_arrival_s()

    def close(self) -> None:
        """Hang up. Idempotent."""
        for descriptor in (self._plant, self._host):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._plant = self._host = -1
        self.path = ""
