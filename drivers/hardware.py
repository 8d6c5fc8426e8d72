"""Buses of hardware: CAN through python-can, serial through pyserial. Both are imported when a bus is opened."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from drivers.bus import BusCounters, Frame
from supervisor.core.errors import BusError
from supervisor.core.robot import CanBusConfig, SerialBusConfig

if TYPE_CHECKING:
    import can
    import serial

MAXIMUM_DRAIN: Final = 2048
"""Frames taken per call: a flooded bus must not hold up the cycle for ever. A 1 Mbit/s bus brings 18 in 2 ms."""

READ_BYTES: Final = 65_536
"""More than a serial driver buffers, so that one call drains it."""

CAN_ERROR_BUS_OFF: Final = 0x40
"""CAN_ERR_BUSOFF of linux/can/error.h, in the identifier of an error frame."""

_GONE: Final = frozenset({errno.ENETDOWN, errno.ENODEV, errno.ENXIO, errno.EIO, errno.EBADF})
"""The interface is down or unplugged: nothing will be sent until somebody reopens it."""


class HardwareBuses:
    """Opens a robot's buses. Implements `BusFactory`.

    Args:
        wall_clock_s: Seconds since the epoch: the clock that stamps received CAN frames.
    """

    def __init__(self, wall_clock_s: Callable[[], float] = time.time) -> None:
        self._wall_clock_s = wall_clock_s

    def open_can(self, name: str, config: CanBusConfig) -> HardwareCan:
        """Open a CAN bus; own frames are not received.

        Raises:
            BusError: python-can cannot open it.
        """
        import can  # noqa: PLC0415 (heavy, and not needed in simulation)

        try:
            bus = can.Bus(
                interface=config.interface,
                channel=config.channel,
                bitrate=config.bitrate_bps,
                receive_own_messages=False,
            )
        except (can.CanError, OSError, ValueError, TypeError, ImportError, NotImplementedError) as error:
            raise BusError(
                f"cannot open {name} ({config.interface} {config.channel}, {config.bitrate_bps} bit/s): {error}; "
                "check that the interface exists and is up"
            ) from error
        return HardwareCan(bus, self._wall_clock_s)

    def open_serial(self, name: str, config: SerialBusConfig) -> HardwareSerial:
        """Open a serial port, without waiting in reads and writes, for this process alone.

        Raises:
            BusError: pyserial cannot open it.
        """
        import serial  # noqa: PLC0415 (not needed in simulation)

        try:
            port = serial.Serial(config.port, config.baud_bps, timeout=0, write_timeout=0, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise BusError(
                f"cannot open {name} ({config.port}, {config.baud_bps} bit/s): {error}; "
                "check the cable, the name, and that you may use it (group dialout)"
            ) from error
        # FTDI adapters hold bytes back for 16 ms unless told not to; other ports do not know the request.
        with contextlib.suppress(ValueError, OSError, NotImplementedError):
            port.set_low_latency_mode(True)
        return HardwareSerial(port)


class HardwareCan:
    """One CAN bus of python-can. Implements `CanBus`."""

    def __init__(self, bus: can.BusABC, wall_clock_s: Callable[[], float] = time.time) -> None:
        import can  # noqa: PLC0415

        self.counters = BusCounters()
        self._bus = bus
        self._wall_clock_s = wall_clock_s
        self._message = can.Message
        self._failures: tuple[type[Exception], ...] = (can.CanError, OSError, ValueError)
        self._is_closed = False

    def send(self, frames: Sequence[Frame]) -> int:
        """Hand frames to the driver; a full queue or a dead interface is counted, and the rest still tried."""
        counters, send, message = self.counters, self._bus.send, self._message
        accepted = 0
        for frame in frames:
            try:
                send(
                    message(
                        arbitration_id=frame.arbitration_id,
                        data=frame.data,
                        is_extended_id=frame.is_extended,
                        is_fd=frame.is_fd,
                    )
                )
            except self._failures as error:
                self._note(error)
            else:
                accepted += 1
        counters.sent += accepted
        return accepted

    def receive(self, now_s: float) -> list[Frame]:
        """Take everything that has arrived; error frames are counted, bus-off is latched.

        A frame's stamp is `now_s` less the time since the kernel saw it, so that frames which waited while the loop
        was late are as old as they are. Where the wall clock was set back meanwhile, it is `now_s`.
        """
        frames: list[Frame] = []
        counters, recv = self.counters, self._bus.recv
        wall_s = self._wall_clock_s()
        for _ in range(MAXIMUM_DRAIN):
            try:
                message = recv(timeout=0)
            except self._failures as error:
                self._note(error)
                break
            if message is None:
                break
            if message.is_error_frame:
                counters.errors += 1
                if message.arbitration_id & CAN_ERROR_BUS_OFF:
                    counters.is_off = True
            elif not message.is_remote_frame:
                stamp_s = now_s - max(0.0, wall_s - message.timestamp)
                data = bytes(message.data)
                frames.append(Frame(message.arbitration_id, data, message.is_extended_id, message.is_fd, stamp_s))
        return frames

    def _note(self, error: Exception) -> None:
        """Count a failure; when the interface is gone, say so until the bus is opened again."""
        self.counters.errors += 1
        code = getattr(error, "error_code", None) or getattr(error, "errno", None)
        if code in _GONE:
            self.counters.is_off = True

    def close(self) -> None:
        """Close the bus. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._bus.shutdown()


class HardwareSerial:
    """One serial port of pyserial. Implements `SerialPort`."""

    def __init__(self, port: serial.Serial) -> None:
        self.counters = BusCounters()
        self._port = port

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
        """Take everything that has arrived; an unplugged port is latched as off."""
        try:
            return self._port.read(READ_BYTES)
        except (OSError, TypeError):
            # TypeError: pyserial's way of saying that the port was closed meanwhile.
            self.counters.errors += 1
            self.counters.is_off = True
            return b""

    def close(self) -> None:
        """Close the port. Idempotent."""
        self._port.close()
