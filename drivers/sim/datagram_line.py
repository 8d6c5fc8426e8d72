"""A CAN bus of the simulated robot as a bus between processes: what hosts open like any adapter."""

from __future__ import annotations

from pathlib import Path

import can

from drivers.bus import Frame
from drivers.can.batched_can import BatchedCan
from drivers.can.datagram import DatagramBus
from drivers.can.error_frames import BUS_OFF
from drivers.can.slots import is_available
from drivers.sim.wire import SimulatedCan
from supervisor.core.errors import SimulationError
from supervisor.core.robot import CanBusConfig

_MESSAGE_OFF = can.Message(arbitration_id=BUS_OFF, is_extended_id=False, is_error_frame=True, dlc=8, data=bytes(8))


class DatagramLine:
    """One bus. The bit rate that a host names means nothing.

    A bus that is off answers with the error frame that a host's controller would make: nobody acknowledges.

    Args:
        config: The bus, as the robot file describes it.
        folder: Of the bus between processes; made where it is missing.
        wire: The bus in memory.

    Raises:
        SimulationError: The bus cannot be made.
    """

    def __init__(self, config: CanBusConfig, folder: Path, wire: SimulatedCan) -> None:
        if not is_available():
            raise SimulationError("a simulated robot can be served on Linux only")
        try:
            self._bus = DatagramBus(folder, fd=config.fd)
        except can.CanError as error:
            raise SimulationError(f"cannot serve {wire.name}: {error}") from None
        switch = config.data_bitrate_bps > 0
        self._frames = BatchedCan(self._bus, self._bus, is_fd=config.fd, bit_rate_switch=switch)
        self._wire = wire

    def fileno(self) -> int:
        """What to wait on for frames of a host."""
        return self._bus.fileno()

    def hear(self) -> bool:
        """Hand the frames of hosts to the devices; whether there were any."""
        frames = self._frames.receive(0.0)
        if not frames:
            return False
        if self._wire.counters.is_off:
            self._bus.send(_MESSAGE_OFF)
        # A frame that is under way to the devices has no stamp.
        self._wire.send([Frame(*frame[:4]) for frame in frames])
        return True

    def speak(self, now_s: float) -> None:
        """Hand to hosts what has arrived at their end by `now_s`, and what they had no room for before."""
        frames = self._wire.receive(now_s)
        if frames:
            self._frames.send(frames)
        else:
            self._bus.hand_over()

    def next_arrival_s(self) -> float:
        """When there will be something to say."""
        return self._wire.next_arrival_s()

    def close(self) -> None:
        """Leave the bus. Idempotent."""
        self._frames.close()
