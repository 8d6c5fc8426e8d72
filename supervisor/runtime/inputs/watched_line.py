"""A stop button on an adapter that takes its time: a process of its own asks, the control loop only listens.

Adapters with FTDI and CP210x chips ask over USB for each reading of their modem-status lines, up to milliseconds that a
control loop has not got. The process sends one byte for each reading; its silence, and its end, are a pressed button.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from supervisor.core.errors import RefusedError
from supervisor.runtime.inputs.modem_lines import read_modem_lines

PERIOD_S: Final = 0.005
SILENT_S: Final = 0.1
"""Twenty readings. A process that the kernel has kept waiting for half of it is nobody's finger on a button."""

FIRST_READING_S: Final = 3.0
"""Within which the process must have begun."""

_LOW, _HIGH = b"\x00", b"\x01"
_PRIORITY: Final = 20
"""Below the control loop's, above everything that is not real time."""

_READ_BYTES: Final = 4096


class WatchedLine:
    """A button on a line that another process reads.

    Args:
        descriptor: Of the serial port; it stays the caller's.
        bit: Of the line.
        pressed_is_high: How the line is while the button is pressed.
        clock_s: Monotonic, as what `is_pressed` is given.

    Raises:
        RefusedError: The process does not begin.
    """

    def __init__(
        self, descriptor: int, bit: int, pressed_is_high: bool, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._pressed = _HIGH if pressed_is_high else _LOW
        self._is_over = False
        ours, theirs = socket.socketpair()
        with theirs:
            # A session of its own: Ctrl-C is for the supervisor, which then ends it in order.
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and our own module)
                [sys.executable, "-m", __name__, str(descriptor), str(theirs.fileno()), str(bit)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(descriptor, theirs.fileno()),
                start_new_session=True,
            )
        self._end = ours
        ours.settimeout(FIRST_READING_S)
        try:
            first = ours.recv(1)
        except OSError:
            first = b""
        if not first:
            self.close()
            raise RefusedError([f"the process that reads the stop button has said nothing for {FIRST_READING_S:g} s"])
        ours.setblocking(False)
        self._stamp_s = clock_s()

    def is_pressed(self, now_s: float) -> bool:
        """Whether it was pressed at any reading since the last question, or is not read any more."""
        if self._is_over:
            return True
        try:
            readings = self._end.recv(_READ_BYTES)
        except BlockingIOError:
            return not now_s - self._stamp_s <= SILENT_S
        except OSError:
            readings = b""
        if not readings:
            self._is_over = True
            return True
        self._stamp_s = now_s
        return self._pressed in readings

    def close(self) -> None:
        """End the process. Idempotent."""
        self._is_over = True
        self._end.close()
        self._process.kill()
        self._process.wait()


def watch(
    descriptor: int,
    end: socket.socket,
    bit: int,
    read_lines: Callable[[int], int] = read_modem_lines,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Read a line and tell, until the port is gone or nobody listens."""
    with contextlib.suppress(OSError):
        while True:
            end.sendall(_HIGH if read_lines(descriptor) & bit else _LOW)
            sleep(PERIOD_S)


def main() -> None:
    """Entry point of the process: descriptor of the port, of the socket, and the line's bit."""
    descriptor, theirs, bit = map(int, sys.argv[1:4])
    # Without the right to it, it runs as everybody else.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    with socket.socket(fileno=theirs) as end:
        end.settimeout(1.0)
        watch(descriptor, end, bit)


if __name__ == "__main__":
    main()
