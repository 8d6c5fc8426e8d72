"""Devices under test: groups of motors, inventories and inertial units, on buses and ports in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from drivers.bus import BusCounters, Frame
from drivers.devices import FAULT, STAMP, STATUS, TEMPERATURE, Imu, Probe
from supervisor.core.command import Drive
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import MotorConfig
from supervisor.core.state import NEVER_S, MotorStatus
from tests.drivers.fake_devices import MemoryPort
from tests.fuzz.framings import Framing
from tests.fuzz.subjects import TAIL_BYTES, Subject
from tests.fuzz.tally import Tally

MOST_STEPS = 20_000
"""Cycles that an inventory may take: twice the longest seen, where damage had every question asked again and again."""

_STATUSES = frozenset(map(int, MotorStatus))


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
        has_begun: Whether the group has worked before: what it knows of then shows with the first input.
    """

    def __init__(
        self,
        group: Any,
        motors: Sequence[MotorConfig],
        counters: BusCounters,
        deliver: Callable[[Any, float], None],
        senders: Callable[[Any], set[int]],
        *,
        has_begun: bool = False,
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
        self._now_s = 1000.0 if has_begun else 1.0
        self._is_known = not has_begun
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
            for slot in changed - self._senders(item) if self._is_known else ():
                tally.believed(item, f"of motor {self._motors[slot].id}, now {values[:, slot].tolist()}")
        self._is_known = True
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
            tally.rejected["reports without an answer"] += not report.answered
            if report.answered and report.name not in self._heard:
                tally.believed(item, f"{report}, and nothing was heard of it")
            else:
                tally.accepted += 1


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
        self._group = group
        self._command = np.zeros((5, len(joints)))
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
        # As the control loop does meanwhile: a servo's line asks one question per cycle.
        self._group.write(Drive.POLL, self._command)
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
