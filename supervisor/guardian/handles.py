"""The guardian's own handles on the buses: what takes one turn of ready bytes. Nothing here waits or raises once open.

A CAN bus, real or of datagrams, takes frames of several senders and carries each whole. A line has one owner: it is
written to only once the control process is known to be gone (see docs/guardian.md).
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import termios
from collections import deque
from pathlib import Path
from typing import Final, Protocol

from supervisor.core.errors import BusError
from supervisor.core.stop_frames import BusStop, Turn

_SOL_CAN_RAW: Final = 101
_FILTER: Final = 1
_FD_FRAMES: Final = 5

DATAGRAM_SUFFIX: Final = ".can"
"""Ends the name of every participant of a bus of datagrams, as `drivers/can/datagram.py` has it."""

QUEUE_FRAMES: Final = 64
"""Frames kept for a participant whose own queue is full; older ones are dropped, for newer ones say the same."""

_LATER: Final = frozenset((errno.EAGAIN, errno.ENOBUFS))


class Handle(Protocol):
    """One bus, open."""

    @property
    def is_pending(self) -> bool:
        """Whether something could not be sent yet, and a call with nothing new would be of use soon."""
        ...

    def send(self, turn: Turn) -> bool:
        """Send one turn.

        Returns:
            Whether all of it was taken by somebody.
        """
        ...

    def close(self) -> None:
        """Close it. Idempotent."""
        ...


class SocketCan:
    """A socket of the kernel's CAN. It receives nothing.

    Args:
        interface: Name of the interface.
        is_fd: Whether CAN FD frames are sent.

    Raises:
        BusError: It cannot be opened.
    """

    is_pending = False

    def __init__(self, interface: str, *, is_fd: bool) -> None:
        try:
            self._socket = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
        except OSError as error:
            raise BusError(f"no CAN sockets here: {error.strerror}") from error
        try:
            self._socket.setblocking(False)
            # No filter lets nothing in: what nobody reads would fill the queue.
            self._socket.setsockopt(_SOL_CAN_RAW, _FILTER, b"")
            if is_fd:
                self._socket.setsockopt(_SOL_CAN_RAW, _FD_FRAMES, 1)
            self._socket.bind((interface,))
        except OSError as error:
            self._socket.close()
            raise BusError(f"{interface}: {error.strerror}") from error

    def send(self, turn: Turn) -> bool:
        """Send frames until the queue is full; the rest goes with the next turn, which says the same."""
        taken = 0
        for frame in turn:
            try:
                self._socket.send(frame)
            except OSError as error:
                if error.errno in _LATER:
                    break
                continue
            taken += 1
        return taken == len(turn)

    def close(self) -> None:
        """Close it. Idempotent."""
        self._socket.close()


class DatagramFolder:
    """A bus of datagram sockets in a folder. It has no socket of its own there: nobody sends to it.

    Args:
        folder: Of the bus.

    Raises:
        BusError: It is none, or belongs to somebody else.
    """

    def __init__(self, folder: str) -> None:
        self._path = Path(folder).absolute()
        try:
            self._folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise BusError(f"{folder}: {error.strerror}") from error
        found = os.fstat(self._folder)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            os.close(self._folder)
            raise BusError(f"{folder} belongs to somebody else, or others may enter it")
        self._waiting: dict[str, deque[bytes]] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    @property
    def is_pending(self) -> bool:
        """Whether a participant has no room for something."""
        return any(self._waiting.values())

    def send(self, turn: Turn) -> bool:
        """Send a turn to every participant; what one has no room for is kept for it."""
        if self._folder < 0:
            # Not for the system to judge: no descriptor stands for the folder one works in.
            return False
        try:
            names = [name for name in os.listdir(self._folder) if name.endswith(DATAGRAM_SUFFIX)]  # noqa: PTH208
        except OSError:
            return False
        self._waiting = {name: self._waiting.get(name) or deque(maxlen=QUEUE_FRAMES) for name in names}
        heard = [self._send_to(name, queue, turn) for name, queue in self._waiting.items()]
        return any(heard)

    def _send_to(self, name: str, queue: deque[bytes], turn: Turn) -> bool:
        queue.extend(turn)
        address = str(self._path / name)
        try:
            while queue:
                self._socket.sendto(queue[0], address)
                queue.popleft()
        except OSError as error:
            if error.errno not in _LATER:
                queue.clear()
            return False
        return True

    def close(self) -> None:
        """Close it. Idempotent."""
        self._socket.close()
        with contextlib.suppress(OSError):
            os.close(self._folder)
        self._folder = -1


class Line:
    """A serial line that the control process has opened, and whose descriptor it has handed over.

    Args:
        descriptor: Of the line; closed with this.
    """

    is_pending = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_taken = False
        with contextlib.suppress(OSError):
            os.set_blocking(descriptor, False)

    def send(self, turn: Turn) -> bool:
        """Write one turn with one call."""
        if not self._is_taken:
            self._is_taken = True
            # What the other had still to say is older than the stop, and would be obeyed after it.
            with contextlib.suppress(termios.error, ValueError):
                termios.tcflush(self._descriptor, termios.TCOFLUSH)
        data = b"".join(turn)
        try:
            return os.write(self._descriptor, data) == len(data)
        except OSError:
            return False

    def close(self) -> None:
        """Close it. Idempotent."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = -1


def open_handle(stop: BusStop) -> Handle | None:
    """Open what can be opened beside the control process; None for a line, which is handed over.

    Raises:
        BusError: It cannot be opened.
    """
    if stop.kind == "line":
        return None
    try:
        return SocketCan(stop.where, is_fd=stop.is_fd) if stop.kind == "socketcan" else DatagramFolder(stop.where)
    except BusError as error:
        raise BusError(f"the guardian cannot open {stop.bus}: {error}") from error
