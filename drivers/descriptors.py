"""Reading a serial port by its file descriptor: never waits, not even for the kernel."""

from __future__ import annotations

import errno
import fcntl
import os
import termios
from typing import Final

READ_BYTES: Final = 4096
"""Linux hands out no more of a serial port at a time."""

MOST_READS: Final = 16
"""A port that is flooded must not hold up the cycle for ever."""

_NOTHING: Final = bytes(4)
"""A count of 0, as the system writes it."""


def read_all(descriptor: int) -> bytes:
    """Take everything that has arrived.

    Nothing is read where nothing has arrived: Linux lets a reader of an empty port, and `poll` as well, wait for the
    kernel's own worker, which moves arriving bytes to where they are read from, and which comes after every program on
    a busy machine. A loop of the highest priority was seen to wait for it for milliseconds.

    Args:
        descriptor: Of a serial port in raw, non-blocking mode, as pyserial opens it.

    Raises:
        OSError: The port is closed or unplugged.
    """
    if descriptor < 0:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    parts: list[bytes] = []
    for _ in range(MOST_READS):
        if fcntl.ioctl(descriptor, termios.FIONREAD, _NOTHING) == _NOTHING:
            break
        try:
            part = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            break
        parts.append(part)
        if len(part) < READ_BYTES // 2:
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)
