"""Both ends of a bus on one machine: the same calls as with an adapter, but no wire.

A pair of datagram sockets stands in for a CAN socket, a pseudo-terminal for a serial adapter.
"""

from __future__ import annotations

import logging
import os
import socket
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import can.interfaces.socketcan.socketcan as theirs
import serial


@contextmanager
def opened_pair(*, is_fd: bool = False) -> Iterator[tuple[theirs.SocketcanBus, theirs.SocketcanBus]]:
    """Python-can's SocketCAN code on both ends of a pair of sockets."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    log = logging.getLogger("can.interfaces.socketcan.socketcan")
    # It logs every CAN option that a stand-in does not know as an error.
    log.disabled = True
    try:
        with (
            mock.patch.object(theirs, "create_socket", mock.Mock(side_effect=ends)),
            mock.patch.object(theirs, "bind_socket"),
        ):
            buses = theirs.SocketcanBus("one", fd=is_fd), theirs.SocketcanBus("two", fd=is_fd)
        yield buses
        for bus in buses:
            bus.shutdown()
    finally:
        log.disabled = False


@contextmanager
def opened_line() -> Iterator[tuple[serial.Serial, int]]:
    """A serial port as we open it, and the other end of its line."""
    other, port_end = os.openpty()
    tty.setraw(port_end)
    with serial.Serial(os.ttyname(port_end), 921_600, timeout=0, write_timeout=0) as port:
        yield port, other
    os.close(port_end)
    os.close(other)
