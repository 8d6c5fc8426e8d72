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

    A line has one host. Who only listens beside it has a terminal of its own, as a splitter in the wire from the device
    would give it: it hears the devices and not the host, and what it writes goes nowhere.

    A host that leaves does not hang up. A line that is off is unplugged: hosts lose it for good, and when it is on
    again it has another path, as a USB adapter may.

    Args:
        wire: The line in memory.

    Attributes:
        overruns: Times that what the host had not read was thrown away, or that there was no room.
    """

    def __init__(self, wire: SimulatedSerial) -> None:
        self.overruns = 0
        self._wire = wire
        self._host: _Terminal | None = None
        self._listener: _Terminal | None = None
        self.follow()

    @property
    def path(self) -> str:
        """What a host opens; "" while unplugged."""
        return "" if self._host is None else self._host.path

    @property
    def listening_path(self) -> str:
        """What somebody opens who only listens; "" while unplugged."""
        return "" if self._listener is None else self._listener.path

    def fileno(self) -> int:
        """What to wait on for bytes of a host; -1 while unplugged."""
        return -1 if self._host is None else self._host.plant

    def follow(self) -> bool:
        """Be plugged in, or not, as the line is; whether that has changed."""
        is_off = self._wire.counters.is_off
        if is_off == (self._host is None):
            return False
        if is_off:
            self.close()
        else:
            self._host, self._listener = _Terminal(), _Terminal()
        return True

    def hear(self) -> bool:
        """Hand what a host has written to the devices; whether there was anything."""
        if self._host is None:
            return False
        try:
            data = os.read(self._host.plant, READ_BYTES)
        except BlockingIOError:
            return False
        self._wire.write(data)
        return True

    def speak(self, now_s: float) -> None:
        """Hand to hosts what has arrived at their end by `now_s`."""
        data = self._wire.read(now_s)
        if not data or self._host is None or self._listener is None:
            return
        self.overruns += self._host.say(data)
        self._listener.say(data)

    def next_arrival_s(self) -> float:
        """When there will be something to say."""
        return self._wire.next_arrival_s()

    def close(self) -> None:
        """Hang up. Idempotent."""
        for terminal in (self._host, self._listener):
            if terminal is not None:
                terminal.close()
        self._host = self._listener = None


class _Terminal:
    """A pseudo-terminal of which the plant keeps both ends open.

    Attributes:
        plant, other: Descriptors of the plant's end, and of the one that others open too.
        path: What others open.
    """

    def __init__(self) -> None:
        self.plant, self.other = os.openpty()
        os.set_blocking(self.plant, False)
        tty.setraw(self.other)
        # The system lets the group tty write to terminals.
        os.fchmod(self.other, 0o600)
        self.path = os.ttyname(self.other)

    def say(self, data: bytes) -> int:
        """Hand bytes to who reads.

        Returns:
            How often that went wrong: what nobody had read was thrown away, or there was no room.
        """
        overruns = 0
        (unread,) = _COUNT.unpack(fcntl.ioctl(self.other, termios.FIONREAD, bytes(_COUNT.size)))
        if unread > UNREAD_BYTES:
            overruns += 1
            termios.tcflush(self.other, termios.TCIFLUSH)
        try:
            written = os.write(self.plant, data)
        except BlockingIOError:
            written = 0
        return overruns + (written < len(data))

    def close(self) -> None:
        """Hang up."""
        for descriptor in (self.plant, self.other):
            with contextlib.suppress(OSError):
                os.close(descriptor)
