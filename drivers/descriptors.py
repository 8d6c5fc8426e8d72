"""Reading a serial port by its file descriptor: one system call where bytes are waiting, none that waits."""

from __future__ import annotations

import errno
import os
import select
from typing import Final

READ_BYTES: Final = 4096
"""Linux hands out no more of a serial port at a time."""

MOST_READS: Final = 16
"""A port that is flooded must not hold up the cycle for ever."""

_BROKEN: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


def read_all(descriptor: int) -> bytes:
    """Take everything that has arrived.

    Args:
        descriptor: Of a serial port in raw, non-blocking mode, as pyserial opens it.

    Raises:
        OSError: The port is closed or unplugged.
    """
    parts: list[bytes] = []
    while len(parts) < MOST_READS:
        try:
            part = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            part = b""
        if len(part) < READ_BYTES // 2:
            if not part and not parts:
                _check(descriptor)
            parts.append(part)
            break
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check(descriptor: int) -> None:
    """Tell a silent port from one that is gone: Linux lets both be read, with nothing in them.

    Raises:
        OSError: It is gone.
    """
    poll = select.poll()
    poll.register(descriptor, 0)
    for _, events in poll.poll(0):
        if events & _BROKEN:
            raise OSError(errno.EIO, "the port is unplugged")
