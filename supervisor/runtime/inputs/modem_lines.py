"""The modem-status lines of a serial port, past any library: one system call."""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import Final

_WORD: Final = struct.Struct("@i")

BITS: Final = {
    "cts": termios.TIOCM_CTS,
    "dsr": termios.TIOCM_DSR,
    "dcd": termios.TIOCM_CD,
    "ri": termios.TIOCM_RI,
}
"""Lines that a port reads, by name."""


def read_modem_lines(descriptor: int) -> int:
    """The modem-status lines of a serial port, as bits `TIOCM_…`.

    Raises:
        OSError: The port is gone, or has none.
    """
    return _WORD.unpack(fcntl.ioctl(descriptor, termios.TIOCMGET, bytes(_WORD.size)))[0]
