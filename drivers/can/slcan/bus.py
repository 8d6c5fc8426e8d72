"""A serial-line adapter on the hot path: one write and one read per cycle, on the port that python-can has opened.

python-can writes each frame by itself, waits until it has left the port, and reads byte by byte.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import can

from drivers.bus import BusCounters, Frame
from drivers.can.error_frames import ErrorFrames
from drivers.can.slcan.codec import LineParser, encode_frame
from drivers.can.slcan.tables import LINE_END
from drivers.descriptors import read_all
from supervisor.core.errors import EncodeError


class SlcanCan:
    """One serial-line adapter. Implements `CanBus`.

    Args:
        bus: What python-can has opened; closed with this.
        descriptor: Of its serial port.
        is_fd: Whether FD frames may be sent.
        bit_rate_switch: Whether the data of FD frames goes at the data bit rate.

    Attributes:
        counters: `errors` also holds what the adapter refused, `dropped` lines thrown away.
        error_frames: Empty: the protocol has no error frames.
    """

    def __init__(self, bus: can.BusABC, descriptor: int, *, is_fd: bool = False, bit_rate_switch: bool = False) -> None:
        self.counters = BusCounters()
        self.error_frames = ErrorFrames()
        self._bus = bus
        self._descriptor = descriptor
        self._is_fd = is_fd
        self._bit_rate_switch = bit_rate_switch
        self._parser = LineParser()
        self._refused = self._thrown_away = 0
        self._is_torn = False
        self._is_closed = False

    def fileno(self) -> int:
        """The adapter's open line; -1 once closed."""
        return self._descriptor

    def send(self, frames: Sequence[Frame]) -> int:
        """Hand frames to the adapter with one write. What the port has no room for is counted and lost."""
        # The end of a line that was cut off makes the adapter refuse it, and listen again.
        lines = [LINE_END] if self._is_torn else []
        size = sum(map(len, lines))
        ends: list[int] = []
        whole = {size}
        for frame in frames:
            if frame.is_fd and not self._is_fd:
                continue
            try:
                line = encode_frame(frame, bitrate_switch=frame.is_fd and self._bit_rate_switch)
            except EncodeError:
                continue
            lines.append(line)
            size += len(line)
            ends.append(size)
        written = self._write(b"".join(lines)) if ends else 0
        if written:
            self._is_torn = written not in whole.union(ends)
        accepted = sum(end <= written for end in ends)
        self.counters.sent += accepted
        self.counters.errors += len(frames) - accepted
        return accepted

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            self.counters.is_off = True
            return 0

    def receive(self, now_s: float) -> list[Frame]:
        """Take everything that has arrived; frames are stamped `now_s`, for a serial line knows nothing better."""
        counters, parser = self.counters, self._parser
        try:
            data = read_all(self._descriptor)
        except OSError:
            counters.errors += 1
            counters.is_off = True
            return []
        frames = [
            Frame(found.arbitration_id, found.data, found.is_extended, found.is_fd, now_s)
            for found in parser.feed(data)
            if not found.is_remote and (self._is_fd or not found.is_fd)
        ]
        thrown_away = parser.bad_lines + parser.oversize_lines
        counters.errors += parser.refused - self._refused
        counters.dropped += thrown_away - self._thrown_away
        self._refused, self._thrown_away = parser.refused, thrown_away
        return frames

    def close(self) -> None:
        """Close the adapter. Idempotent."""
        if not self._is_closed:
            self._is_closed = True
            self._descriptor = -1
            self._bus.shutdown()
