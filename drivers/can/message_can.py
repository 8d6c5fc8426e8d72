"""A CAN bus through python-can's own messages: for every adapter that has no faster way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import can

from drivers.bus import BusCounters, Frame
from drivers.can.adapters import Adapter
from drivers.can.batched_can import GONE, MAXIMUM_DRAIN
from drivers.can.error_frames import ErrorFrames


class MessageCan:
    """One CAN bus, a frame at a time. Implements `CanBus`.

    Args:
        adapter: What python-can has opened; closed with this.
        is_fd: Whether FD frames are sent and received.
        bit_rate_switch: Whether the data of FD frames goes at the data bit rate.
        wall_clock_s: Seconds since the epoch: the clock that stamps received frames.

    Attributes:
        counters: What the rest of Handrail counts.
        error_frames: Error frames by name.
    """

    def __init__(
        self,
        adapter: Adapter,
        *,
        is_fd: bool = False,
        bit_rate_switch: bool = False,
        wall_clock_s: Callable[[], float] = time.time,
    ) -> None:
        self.counters = BusCounters()
        self.error_frames = ErrorFrames()
        self._adapter = adapter
        self._is_fd = is_fd
        self._bit_rate_switch = bit_rate_switch
        self._wall_clock_s = wall_clock_s
        self._is_closed = False

    def send(self, frames: Sequence[Frame]) -> int:
        """Hand frames to the driver; a full queue or a dead interface is counted, and the rest still tried."""
        counters, send = self.counters, self._adapter.bus.send
        accepted = 0
        for frame in frames:
            if frame.is_fd and not self._is_fd:
                counters.errors += 1
                continue
            try:
                send(
                    can.Message(
                        arbitration_id=frame.arbitration_id,
                        data=frame.data,
                        is_extended_id=frame.is_extended,
                        is_fd=frame.is_fd,
                        bitrate_switch=frame.is_fd and self._bit_rate_switch,
                        check=True,
                    )
                )
            except Exception as error:  # noqa: BLE001 (adapters' libraries raise what they like; a bus never does)
                self._note(error)
            else:
                accepted += 1
        counters.sent += accepted
        return accepted

    def receive(self, now_s: float) -> list[Frame]:
        """Take everything that has arrived; error frames are counted by name, bus-off is latched.

        A frame's stamp is `now_s` less the time since the driver saw it, so that frames which waited while the loop
        was late are as old as they are. Where the wall clock was set back meanwhile, it is `now_s`.
        """
        frames: list[Frame] = []
        recv, wait_s = self._adapter.bus.recv, self._adapter.wait_s
        wall_s = self._wall_clock_s()
        for _ in range(MAXIMUM_DRAIN):
            try:
                message = recv(timeout=wait_s)
            except Exception as error:  # noqa: BLE001 (python-can's slcan raises IndexError on a damaged line)
                self._note(error)
                break
            if message is None:
                break
            if message.is_error_frame:
                self._take_error(message)
            elif self._is_data(message):
                stamp_s = now_s - max(0.0, wall_s - message.timestamp)
                data = bytes(message.data)
                frames.append(Frame(message.arbitration_id, data, message.is_extended_id, message.is_fd, stamp_s))
        return frames

    def _is_data(self, message: can.Message) -> bool:
        """Whether a message is a data frame of somebody else."""
        if message.is_fd and not self._is_fd:
            self.counters.dropped += 1
            return False
        return not message.is_remote_frame and (message.is_rx or not self._adapter.has_echo)

    def _take_error(self, message: can.Message) -> None:
        self.counters.errors += 1
        if self.error_frames.take(message.arbitration_id, bytes(message.data)):
            self.counters.is_off = True

    def _note(self, error: Exception) -> None:
        """Count a failure; when the interface is gone, say so until the bus is opened again."""
        self.counters.errors += 1
        code = getattr(error, "error_code", None) or getattr(error, "errno", None)
        if code in GONE:
            self.counters.is_off = True

    def close(self) -> None:
        """Close the bus. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._adapter.bus.shutdown()
