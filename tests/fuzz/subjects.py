"""What is tried: decoders, stream parsers, groups of motors and inertial units, each behind the same two functions.

Every subject judges what was accepted by rules of its own, which are not those of the code under test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from drivers.bus import BusCounters, Frame
from drivers.devices import FAULT, STAMP, STATUS, TEMPERATURE, Imu, Probe
from supervisor.core.command import Drive
from supervisor.core.errors import FrameError
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import MotorConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.fake_devices import MemoryPort
from tests.fuzz.framings import Framing
from tests.fuzz.tally import Tally

TAIL_BYTES = 4096
"""Of a stream that are remembered, to find accepted frames in them: more than the longest frame and two inputs."""

CHECK_EVERY = 256
"""Inputs after which a stream parser must show that it still finds a good frame."""

MOST_STEPS = 20_000
"""Cycles that an inventory may take, at 2 ms: many times what three silent motors need."""

_STATUSES = frozenset(map(int, MotorStatus))


class Subject(ABC):
    """One thing under test, with whatever state it has."""

    @abstractmethod
    def take(self, item: Any, known: set[bytes], tally: Tally) -> None:
        """Try one input and count what comes of it.

        Args:
            item: The input.
            known: Frames whose checksum was meant to be right.
            tally: Where to count.

        Raises:
            Exception: What the code under test raised, and should not have.
        """

    def finish(self, tally: Tally) -> None:  # noqa: B027 (most have nothing to add)
        """Count what is only known at the end."""


class DecoderSubject(Subject):
    """A pure function.

    Args:
        call: Takes an input; None for "not for us".
        is_sound: Whether this input may give this result.
        errors: Documented errors.
    """

    def __init__(
        self,
        call: Callable[[Any], object],
        is_sound: Callable[[Any, Any], bool],
        errors: tuple[type[Exception], ...] = (FrameError,),
    ) -> None:
        self._call = call
        self._is_sound = is_sound
        self._errors = errors

    def take(self, item: Any, known: set[bytes], tally: Tally) -> None:
        """Try one input."""
        try:
            result = self._call(item)
        except self._errors as error:
            tally.refuse(error)
            return
        if result is None:
            tally.rejected["not for us"] += 1
        elif not self._is_sound(item, result):
            tally.believed(item, result)
        else:
            tally.accepted += 1
            # Of bytes without a checksum nothing is known.
            if known and isinstance(item, bytes) and item not in known:
                tally.collisions += 1


class Parser(Protocol):
    """A stream parser."""

    def feed(self, data: bytes) -> Sequence[Any]:
        """Take bytes as they arrive."""
        ...


class StreamSubject(Subject):
    """A stream parser, and the decoders behind it.

    Args:
        parser: Fresh.
        framings: Of its protocol; none for a protocol without a checksum.
        raws_of: Bytes of a stream that an accepted packet can have come from.
        is_unchecked: Whether a packet says of itself that it carries no checksum.
        decode: Decoders behind the parser, with their documented errors caught.
        counters: Reasons and numbers of what the parser has thrown away.
        good: A frame that it must find whatever came before.
        longest: Bytes that it may keep unfinished.
    """

    def __init__(
        self,
        parser: Parser,
        framings: Sequence[Framing],
        raws_of: Callable[[Any, bytes], Sequence[bytes]],
        is_unchecked: Callable[[Any], bool],
        decode: Callable[[Any], object],
        counters: Callable[[Any], dict[str, int]],
        good: bytes,
        longest: int,
    ) -> None:
        self._parser = parser
        self._framings = tuple(framings)
        self._raws_of = raws_of
        self._is_unchecked = is_unchecked
        self._decode = decode
        self._counters = counters
        self._good = good
        self._longest = longest
        self._tail = b""
        self._number = 0

    def take(self, item: bytes, known: set[bytes], tally: Tally) -> None:
        """Feed one input, and judge every packet that it completes."""
        packets = self._parser.feed(item)
        self._tail = (self._tail + item)[-TAIL_BYTES:]
        for packet in packets:
            self._judge(packet, item, known, tally)
            self._decode(packet)
        self._number += 1
        kept = len(self._parser._rest)  # type: ignore[attr-defined]
        if kept > self._longest:
            tally.hung(item, f"keeps {kept} unfinished bytes, at most {self._longest} are a frame")
        if self._number % CHECK_EVERY == 0:
            self._listen(item, tally)

    def _judge(self, packet: Any, item: bytes, known: set[bytes], tally: Tally) -> None:
        raws = self._raws_of(packet, self._tail)
        if self._is_unchecked(packet):
            tally.rejected["carries no checksum"] += 1
        elif not raws:
            tally.believed(item, f"{packet} was not in the bytes")
        elif not self._framings:
            tally.accepted += 1
        elif any(framing.verifies(raw) for framing in self._framings for raw in raws):
            tally.accepted += 1
            tally.collisions += known.isdisjoint(raws)
        else:
            tally.believed(item, f"{packet} has no right checksum")

    def _listen(self, item: bytes, tally: Tally) -> None:
        """Whether a good frame is found behind enough bytes to end whatever was begun."""
        self._parser.feed(bytes(self._longest) + b"\r")
        found = [raw for packet in self._parser.feed(self._good) for raw in self._raws_of(packet, self._good)]
        self._tail = self._good
        if self._good not in found:
            tally.hung(item, "no longer finds a good frame")

    def finish(self, tally: Tally) -> None:
        """Count what was thrown away."""
        tally.rejected.update(self._counters(self._parser))


class FakeCan:
    """A bus on which nothing answers."""

    def __init__(self) -> None:
        self.counters = BusCounters()

    def send(self, frames: Sequence[Frame]) -> int:
        """Take everything."""
        return len(frames)

    def receive(self, now_s: float) -> list[Frame]:
        """Bring nothing."""
        return []

    def close(self) -> None:
        """Do nothing."""


class GroupSubject(Subject):
    """All motors of one make on one bus.

    Args:
        group: The device.
        motors: How they are wired, in the order of the group.
        counters: Of their bus.
        deliver: Hands one input to the group at a time.
        senders: Motors, by place, of which an input can hold a sound message.
    """

    def __init__(
        self,
        group: Any,
        motors: Sequence[MotorConfig],
        counters: BusCounters,
        deliver: Callable[[Any, float], None],
        senders: Callable[[Any], set[int]],
    ) -> None:
        self._group = group
        self._motors = tuple(motors)
        self._counters = counters
        self._deliver = deliver
        self._senders = senders
        count = len(motors)
        self._values = np.zeros((5, count))
        self._codes = np.zeros((2, count), dtype=np.int64)
        self._command = np.zeros((5, count))
        self._now_s = 1.0
        group.write(Drive.POLL, self._command)
        group.decode(self._values, self._codes)
        self._stamps = self._values[STAMP].tolist()
        self._state = self._values.T.tobytes() + self._codes.T.tobytes()
        self._columns = [(self._values[:, i].tobytes(), self._codes[:, i].tobytes()) for i in range(count)]

    def take(self, item: Any, known: set[bytes], tally: Tally) -> None:
        """Hand over one input and see whose feedback it changed."""
        self._now_s += 0.002
        self._deliver(item, self._now_s)
        values, codes = self._values, self._codes
        self._group.decode(values, codes)
        stamps = values[STAMP].tolist()
        tally.accepted += sum(new != old for new, old in zip(stamps, self._stamps, strict=True))
        tally.rejected["no feedback"] += stamps == self._stamps
        self._stamps = stamps
        # As bytes, because NaN is not equal to itself.
        state = values.T.tobytes() + codes.T.tobytes()
        if state != self._state:
            columns = [(values[:, slot].tobytes(), codes[:, slot].tobytes()) for slot in range(len(stamps))]
            changed = {slot for slot, column in enumerate(columns) if column != self._columns[slot]}
            self._state, self._columns = state, columns
            for slot in changed - self._senders(item):
                tally.believed(item, f"of motor {self._motors[slot].id}, now {values[:, slot].tolist()}")
        if NEVER_S in stamps:
            self._check_silent(item, stamps, tally)
        if not _STATUSES.issuperset(codes[STATUS].tolist()):
            tally.believed(item, f"status {codes[STATUS].tolist()}")

    def _check_silent(self, item: Any, stamps: Sequence[float], tally: Tally) -> None:
        """A motor that was never heard has no values."""
        for slot in (slot for slot, stamp in enumerate(stamps) if stamp == NEVER_S):
            status, fault = self._codes[STATUS, slot], self._codes[FAULT, slot]
            if status or fault or not np.isnan(self._values[: TEMPERATURE + 1, slot]).all():
                tally.believed(item, f"of motor {self._motors[slot].id}, which never spoke: {self._values[:, slot]}")

    def finish(self, tally: Tally) -> None:
        """Count what the group took for somebody else's commands, and what it dropped."""
        for name, count in (("dropped", self._counters.dropped), ("foreign command", self._counters.foreign_commands)):
            if count:
                tally.rejected[name] += count


class Inventory:
    """Runs inventories again and again, in step with the inputs.

    Args:
        probes: Begins all inventories of one device.
        heard: Devices of which something was heard since they began, by the name in their reports.
    """

    def __init__(self, probes: Callable[[], list[Probe]], heard: set[str]) -> None:
        self._begin = probes
        self._heard = heard
        self._running: list[Probe] = []
        self._steps = 0

    def step(self, now_s: float, item: Any, tally: Tally) -> None:
        """Resume every inventory, and judge the reports of those that end."""
        if not self._running:
            self._heard.clear()
            self._running = self._begin()
            self._steps = 0
            for probe in self._running:
                next(probe)
        self._steps += 1
        going: list[Probe] = []
        for probe in self._running:
            try:
                probe.send(now_s)
                going.append(probe)
            except StopIteration as end:
                self._judge(end.value, item, tally)
        self._running = going
        if self._steps == MOST_STEPS:
            tally.hung(item, f"an inventory of more than {MOST_STEPS} cycles")
            self._running = []

    def _judge(self, reports: Sequence[DeviceReport], item: Any, tally: Tally) -> None:
        for report in reports:
            tally.rejected["reports with a problem"] += bool(report.problems)
            if not report.answered:
                tally.rejected["reports without an answer"] += 1
            elif report.name in self._heard:
                tally.accepted += 1
            else:
                tally.believed(item, f"{report}, and nothing was heard of it")


class InventorySubject(Subject):
    """The inventory of all motors of one make, while other bytes arrive than it asks for.

    Args:
        group: The device.
        joints: Names of its motors.
        deliver: Hands one input to the group at a time.
        senders: Motors, by place, of which an input can hold a sound message.
    """

    def __init__(
        self,
        group: Any,
        joints: Sequence[str],
        deliver: Callable[[Any, float], None],
        senders: Callable[[Any], set[int]],
    ) -> None:
        self._joints = tuple(joints)
        self._deliver = deliver
        self._senders = senders
        self._heard: set[str] = set()
        self._inventory = Inventory(lambda: group.probes(0.1), self._heard)
        self._now_s = 1.0

    def take(self, item: Any, known: set[bytes], tally: Tally) -> None:
        """One cycle: an input arrives, and the inventory goes on."""
        self._now_s += 0.002
        self._deliver(item, self._now_s)
        self._heard |= {self._joints[slot] for slot in self._senders(item)}
        self._inventory.step(self._now_s, item, tally)


class ImuSubject(Subject):
    """One inertial unit on a port.

    Args:
        make: Makes the device for a port.
        framings: Of its protocol.
    """

    def __init__(self, make: Callable[[MemoryPort], Imu], framings: Sequence[Framing]) -> None:
        self._port = MemoryPort()
        self._imu: Any = make(self._port)
        self._framings = tuple(framings)
        self._tail = b""
        self._sequence = 0
        self._now_s = 1.0
        self._heard: set[str] = set()
        self._inventory = Inventory(lambda: [self._imu.probe()], self._heard)
        self._reports = Tally()

    def take(self, item: bytes, known: set[bytes], tally: Tally) -> None:
        """Let one input arrive, and see whether the reading changed and what the inventory says."""
        self._now_s += 0.002
        self._port.pending = item
        # A frame may have waited in one that was longer by damage, and is found when that ends.
        waiting = len(self._imu._parser._rest)
        reading = self._imu.read(self._now_s)
        tail = (self._tail + item)[-TAIL_BYTES:]
        self._tail = tail
        taken = reading.sequence - self._sequence
        if taken:
            self._heard.add("imu")
        self._inventory.step(self._now_s, item, self._reports)
        if not taken:
            if reading.sequence == 0 and not np.isnan(reading.gravity_in_base).all():
                tally.believed(item, f"{reading} before the first sample")
            return
        self._sequence = reading.sequence
        tally.accepted += taken
        new_from = max(len(tail) - len(item) - waiting, 0)
        sound = {frame for framing in self._framings for frame in framing.sound_frames(tail, new_from)}
        if len(sound) == 0 or reading.stamp_s != self._now_s:
            tally.believed(item, f"{reading} without a sound frame")
        elif known.isdisjoint(sound):
            tally.collisions += 1

    def finish(self, tally: Tally) -> None:
        """Count what the unit has thrown away, and inventories that believed too much."""
        tally.rejected["reports with a problem"] += self._reports.rejected["reports with a problem"]
        tally.false_feedback += self._reports.false_feedback
        tally.hangs += self._reports.hangs
        tally.samples += self._reports.samples
        if self._port.counters.dropped:
            tally.rejected["bytes dropped"] += self._port.counters.dropped
