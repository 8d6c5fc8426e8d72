"""What all inertial units on a serial port have in common: they stream by themselves, and are only listened to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

import numpy as np

from drivers.bus import SerialPort
from drivers.devices import Finding, Probe, Settings, refuse_unset
from drivers.imu.asking import UnitLine, UnitSettings
from drivers.imu.measurement import NO_MEASUREMENT, Measurement, Mounting
from drivers.imu.stream import StreamParser
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import ImuConfig
from supervisor.core.state import NEVER_S, ImuReading

PROBE_S = 0.5
"""How long the inventory listens: 50 samples of a unit as slow as 100 Hz."""

RATE_TOLERANCE = 0.1
"""Of the expected packet rate: counting over half a second is exact to one packet."""

Sample = TypeVar("Sample")


class StreamingImu(ABC, Generic[Sample]):
    """One inertial unit that streams. Implements `Imu`; a make says what a sample is and what it measures.

    Args:
        config: How it is wired and mounted.
        port: Its open serial port.
        parser: Finds its frames.
    """

    kept: ClassVar[UnitSettings | None] = None
    """How the make compares and changes what its units keep; None where it cannot."""

    def __init__(self, config: ImuConfig, port: SerialPort, parser: StreamParser) -> None:
        self._config = config
        self._port = port
        self._parser = parser
        self._mounting = Mounting(config.orientation_imu_in_base_wxyz)
        self._motion = b""
        self._unchanged = 0
        self._sequence = 0
        self._lost = 0
        self._foreign: set[str] = set()
        self._complaints: set[str] = set()
        self._line: UnitLine | None = None
        """Where it is being set up."""
        self._measured = NO_MEASUREMENT
        self._reading = self._mounting.reading(NO_MEASUREMENT, NEVER_S, 0, 0)

    def read(self, now_s: float) -> ImuReading:
        """Take everything that has arrived and return the newest sample, NaN before the first."""
        data = self._port.read(now_s)
        if not data:
            return self._reading
        if self._line is not None:
            self._line.heard += data
        parser, counters = self._parser, self._port.counters
        before = parser.dropped_bytes
        frames = parser.feed(data)
        counters.dropped += parser.dropped_bytes - before
        if not frames:
            return self._reading
        newest: Sample | None = None
        for motion, sample in self._samples(frames):
            newest = sample
            self._unchanged = self._unchanged + 1 if motion == self._motion else 0
            self._motion = motion
            self._sequence += 1
            counters.received += 1
        if newest is not None:
            self._measured = self._measure(newest)
            self._reading = self._mounting.reading(self._measured, now_s, self._sequence, self._unchanged)
        return self._reading

    @abstractmethod
    def _samples(self, frames: list[bytes]) -> Iterable[tuple[bytes, Sample]]:
        """The complete samples that these frames end.

        Never raises; what is not part of a sample of the expected packet goes to `_refuse`.

        Returns:
            For each, oldest first: the bytes of what it measured, which show whether it repeats, and the sample.
        """

    @abstractmethod
    def _measure(self, sample: Sample) -> Measurement:
        """What a sample says, SI. Never raises."""

    def _status_text(self) -> str:
        """What the newest sample says of the unit, in words; "" where it says nothing."""
        return ""

    def _complains(self) -> str:
        """What is wrong with the stream as the make knows it; "" when nothing."""
        return ""

    def _refuse(self, size: int, packet: str = "") -> None:
        """Count bytes that are no part of the expected packet, and remember which packet they are, if any."""
        self._port.counters.dropped += size
        if packet:
            self._foreign.add(packet)

    def probe(self) -> Probe:
        """Listen for a while: does it stream, what, how fast, and what does it say of itself?"""
        began_s = now_s = yield
        last, lost = self._sequence, self._lost
        arrivals: list[tuple[float, int]] = []
        self._foreign.clear()
        self._complaints.clear()
        while now_s < began_s + PROBE_S:
            now_s = yield
            if self._sequence != last:
                last = self._sequence
                arrivals.append((now_s, last))
        return (self._report(arrivals, self._lost - lost),)

    @property
    def has_settings(self) -> bool:
        """Whether this make's stored settings can be compared over its line."""
        return self.kept is not None

    def settings(self, now_s: float) -> Finding:
        """What the unit keeps otherwise than the robot file needs it. See `Imu.settings`."""
        return self._set_up((), now_s)

    def configure(self, settings: Settings, now_s: float) -> Finding:
        """Write settings, have them kept, and read them back. See `Imu.configure`."""
        return self._set_up(settings, now_s)

    def _set_up(self, settings: Settings, now_s: float) -> Finding:
        """Write settings, if any, and look for what is otherwise."""
        if self.kept is None:
            yield
            return ()
        line = self._line = UnitLine(self._config, self._port)
        try:
            if settings:
                now_s = yield from self.kept.write_settings(line, settings, now_s)
            _, found = yield from self.kept.find_settings(line, now_s)
        finally:
            self._line = None
        refuse_unset("imu", settings, found)
        return found

    def _report(self, arrivals: list[tuple[float, int]], lost: int) -> DeviceReport:
        """What the inventory found, from the times and numbers of the samples that arrived meanwhile."""
        config = self._config
        problems = [f"reports {complaint}" for complaint in sorted(self._complaints)]
        facts: dict[str, float | str] = {"make": config.make, "packet": config.packet}
        answered = bool(arrivals)
        if self._foreign:
            others = ", ".join(sorted(self._foreign))
            problems.append(f"streams {others}, the robot file expects {config.packet}: see handrail configure")
        elif not answered:
            problems.append(f"no {config.packet} packet in {PROBE_S:g} s on {config.bus}: check cable, port, baud rate")
        if not answered:
            return DeviceReport("imu", config.bus, False, tuple(problems), facts)
        (first_s, first), (last_s, last) = arrivals[0], arrivals[-1]
        rate_hz = (last - first) / (last_s - first_s) if last_s > first_s else 0.0
        facts["rate_hz"] = round(rate_hz, 1)
        if lost:
            facts["lost"] = float(lost)
        status = self._status_text()
        if status:
            facts["status"] = status
        if abs(rate_hz - config.rate_hz) > RATE_TOLERANCE * config.rate_hz:
            problems.append(f"streams {rate_hz:.1f} packets/s, the robot file expects {config.rate_hz:g}")
        if np.isnan(self._reading.gravity_in_base).any():
            problems.append("sends no usable quaternion: switch on attitude output")
        complaint = self._complains()
        if complaint:
            problems.append(complaint)
        if self._reading.warning:
            problems.append(f"warns: {status}; keep it still, or power it up again")
        return DeviceReport("imu", config.bus, True, tuple(problems), facts)
