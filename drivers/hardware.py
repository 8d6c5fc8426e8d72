"""Buses of hardware: CAN through python-can, serial through pyserial. Both are imported when a bus is opened.

python-can opens, sets up and names every CAN adapter. Where its transport is a socket that holds frames as SocketCAN
lays them out, or a serial line, frames then go past it, many in one system call; other adapters are called frame by
frame.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from drivers.bus import BusCounters, CanBus
from drivers.descriptors import read_all
from drivers.line_users import line_users
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig, SerialBusConfig

if TYPE_CHECKING:
    import serial

_log = logging.getLogger(__name__)

LINE_OF_ITS_OWN: Final = (
    "a line has one reader, so what listens beside the program that drives the robot needs one of its own: a second "
    "adapter on the wire that the device sends on, or a pseudo-terminal that the program copies the bytes to; name it "
    "in the robot file of this computer"
)
"""What to do about a serial line, or an adapter on one, that another program needs."""


TAKEN: Final = (errno.EAGAIN, errno.EBUSY)
"""How the system says that another program has locked a line, or keeps it for itself."""


class HardwareBuses:
    """Opens a robot's buses. Implements `BusFactory`.

    Args:
        wall_clock_s: Seconds since the epoch: the clock that stamps received CAN frames.
        is_guest: Whether another program drives the robot: nothing is opened that it has open, where opening it would
            take bytes from it.
    """

    def __init__(self, wall_clock_s: Callable[[], float] = time.time, *, is_guest: bool = False) -> None:
        self._wall_clock_s = wall_clock_s
        self._is_guest = is_guest

    def open_can(self, name: str, config: CanBusConfig) -> CanBus:
        """Open a CAN bus; own frames are not received.

        What should be set up otherwise, but works, is logged as a warning with the command that changes it.

        Raises:
            BusError: It cannot be opened, or the interface is not set up as the robot file says.
        """
        from drivers.can.opening import open_can  # noqa: PLC0415 (python-can is heavy, and not needed in simulation)

        # A serial adapter is named by its line, which a rate may follow.
        self._require_free(name, config.channel.partition("@")[0])
        try:
            bus, advice = open_can(config, self._wall_clock_s)
        except BusError as error:
            raise BusError(
                f"cannot open {name} ({config.interface} {config.channel}, {config.bitrate_bps} bit/s): {error}"
            ) from error
        for sentence in advice:
            _log.warning("%s: %s", name, sentence)
        return bus

    def open_serial(self, name: str, config: SerialBusConfig) -> HardwareSerial:
        """Open a serial port, without waiting in reads and writes, for this process alone.

        Raises:
            BusError: pyserial cannot open it.
        """
        import serial  # noqa: PLC0415 (not needed in simulation)

        self._require_free(name, config.port)
        try:
            port = serial.Serial(config.port, config.baud_bps, timeout=0, write_timeout=0, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            if self._is_guest and getattr(error, "errno", None) in TAKEN:
                raise BusError(f"{name} ({config.port}) is open in another program: {LINE_OF_ITS_OWN}") from error
            raise BusError(
                f"cannot open {name} ({config.port}, {config.baud_bps} bit/s): {error}; "
                "check the cable, the name, and that you may use it (group dialout)"
            ) from error
        # FTDI adapters hold bytes back for 16 ms unless told not to; other ports do not know the request.
        with contextlib.suppress(ValueError, OSError, NotImplementedError):
            port.set_low_latency_mode(True)
        return HardwareSerial(port)

    def _require_free(self, name: str, port: str) -> None:
        """Refuse a line that another program reads, where that one drives the robot.

        Raises:
            BusError: Somebody has it open.
        """
        users = line_users(port) if self._is_guest else []
        if users:
            raise BusError(f"{name} ({port}) is open in {', '.join(users)}: {LINE_OF_ITS_OWN}")


class HardwareSerial:
    """One serial port of pyserial. Implements `SerialPort`."""

    def __init__(self, port: serial.Serial) -> None:
        self.counters = BusCounters()
        self._port = port
        self._descriptor = port.fileno()

    def fileno(self) -> int:
        """The open line; -1 once closed."""
        return self._descriptor

    def write(self, data: bytes) -> int:
        """Hand bytes to the port."""
        try:
            written = self._port.write(data) or 0
        except OSError:
            # SerialException and SerialTimeoutException are OSErrors.
            self.counters.errors += 1
            return 0
        self.counters.sent += 1
        return written

    def read(self, now_s: float) -> bytes:  # noqa: ARG002 (bytes have no stamp; whoever finds packets in them stamps those)
        """Take everything that has arrived, in one system call; an unplugged port is latched as off."""
        try:
            return read_all(self._descriptor)
        except OSError:
            self.counters.errors += 1
            self.counters.is_off = True
            return b""

    def close(self) -> None:
        """Close the port. Idempotent."""
        self._descriptor = -1
        self._port.close()
