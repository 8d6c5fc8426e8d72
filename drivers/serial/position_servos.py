"""What servos that obey positions have in common: the loop closed here, and who is switched on.

A servo that is asked for no stiffness, no damping and no torque is switched off until it is asked for some again. It
still counts as enabled: it does what it is told.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Callable, Generator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.bus import SerialPort
from drivers.devices import FAULT, POSITION, STATUS, TEMPERATURE, TORQUE, Block, Codes, Probe, WiredMotor
from drivers.host_impedance import STALE_CYCLES
from drivers.host_position import HostPosition, Mask, ServoModel
from drivers.motor_group import SerialMotors
from drivers.serial.framing import Packet, SummedParser
from drivers.serial.half_duplex import Line
from supervisor.core.command import Drive
from supervisor.core.state import MotorStatus

UNKNOWN, OFF, ON = -1, 0, 1
"""What a servo has said of its switch."""

_ROLL_CALLS = 4
"""How often every servo is asked where it is before the inventory begins, every second time: a cycle may be lost."""

_RELEASED, _DRIVEN, _LIMP = range(3)
"""What a servo is told: nothing, goals, or to be limp until there is a goal again."""


class PositionServos(SerialMotors):
    """All position servos of one make in one robot. A make adds its packets.

    Args:
        motors: The servos, in the order of every array passed in.
        buses: Open lines by name.
        models: Row of each servo.
        make_parser: Makes a line's parser.

    Attributes:
        lines: By name.
        host: The loop; its stiffness may be set to what an inventory finds.
    """

    def __init__(
        self,
        motors: Sequence[WiredMotor],
        buses: Mapping[str, SerialPort],
        models: Sequence[ServoModel],
        make_parser: Callable[[], SummedParser],
    ) -> None:
        super().__init__(motors, buses)
        count = len(self.motors)
        self.lines = {
            name: Line(name, self._buses[name], slots, [self.motors[s].config.id for s in slots], make_parser())
            for name, slots in self._members.items()
        }
        self._feedback: Block = np.full((TEMPERATURE + 1, count), np.nan)
        # Plain arrays, because storing one item is four times faster than in numpy; numpy sees the same memory.
        self._switch, self._told, self._errors = (array("q", [start] * count) for start in (UNKNOWN, _RELEASED, 0))
        self._switch_view, self._told_view, self._error_view = (
            np.frombuffer(values, dtype=np.int64) for values in (self._switch, self._told, self._errors)
        )
        self._all_on, self._all_driven = (array("q", [value] * count).tobytes() for value in (ON, _DRIVEN))
        self._said = b""
        self._codes: Codes = np.zeros((2, count), dtype=np.int64)
        self._are_some_off = True
        self._drive: Drive | None = None
        self._now_s = self._period_s = 0.0
        self._fill_questions()
        self._patience: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        for line in self.lines.values():
            self._patience[list(line.slots)] = STALE_CYCLES * len(line.motions)
        self.host = HostPosition(models, self._patience.tolist())

    # What a make fills in

    @abstractmethod
    def _fill_questions(self) -> None:
        """Fill every line's `motions`, `switches` and `others`."""

    @abstractmethod
    def _take(self, line: Line, slot: int, packet: Packet, now_s: float) -> bool:
        """Take what one servo answered; False when it is no answer of that servo."""

    def _take_all(self, line: Line, data: bytes, now_s: float) -> bool:  # noqa: ARG002 (for makes that answer all at once)
        """Take the answers of all servos of a line in one go; False when it is anything else, and nothing is taken."""
        return False

    @abstractmethod
    def _fill_feedback(self) -> None:
        """Write position, velocity, torque and temperature of every servo ever heard into `_feedback`."""

    @abstractmethod
    def _in_range(self, goals: NDArray[np.float64]) -> Mask:
        """(n,) which goals their servos can be told."""

    @abstractmethod
    def _goals(self, line: Line, slots: Sequence[int], goals: NDArray[np.float64]) -> bytes:
        """Send servos that are on to their goals."""

    @abstractmethod
    def _start(self, line: Line, slots: Sequence[int], goals: NDArray[np.float64]) -> bytes:
        """Switch servos on, with their goals already there and nothing that slows them down."""

    @abstractmethod
    def _stop(self, line: Line, slots: Sequence[int]) -> bytes:
        """Switch servos off."""

    # Answers

    def receive(self, now_s: float) -> None:
        """Read every line once, and remember what its servos said."""
        self._period_s, self._now_s = now_s - self._now_s, now_s
        for line in self.lines.values():
            data = line.read(now_s)
            if not data:
                continue
            if not line.parser.unfinished_bytes and self._take_all(line, data, now_s):
                # The usual case: nothing else has arrived.
                line.parser.packets += len(line.slots)
                line.port.counters.received += len(line.slots)
                line.heard.update(line.slots)
                self._is_fresh = True
                continue
            for packet in line.parse(data):
                slot = line.slot_of_id.get(packet.id)
                if slot is None or not self._take(line, slot, packet, now_s):
                    # An echo, or the answer of somebody else.
                    line.port.counters.dropped += 1
                    continue
                line.heard.add(slot)
                line.port.counters.received += 1
                self._is_fresh = True

    def _decode(self, values: Block, codes: Codes) -> None:
        self._fill_feedback()
        said = self._switch.tobytes() + self._told.tobytes() + self._errors.tobytes()
        if said != self._said:
            self._said = said
            self._fill_codes()
        if self._are_some_off:
            self._feedback[TORQUE, self._switch_view == OFF] = 0.0
        values[: TEMPERATURE + 1] = self._feedback
        codes[...] = self._codes

    def _fill_codes(self) -> None:
        """What the servos' switches, orders and errors mean, which seldom change."""
        codes, switch = self._codes, self._switch_view
        is_on = (switch == ON) | (self._told_view == _LIMP)
        codes[STATUS] = np.where(is_on, int(MotorStatus.ENABLED), int(MotorStatus.DISABLED))
        codes[STATUS, (switch == UNKNOWN) & ~is_on] = int(MotorStatus.UNKNOWN)
        codes[FAULT] = self._error_view
        codes[STATUS, self._error_view != 0] = int(MotorStatus.FAULT)
        self._are_some_off = bool((switch == OFF).any())

    # Commands

    def write(self, drive: Drive, command: Block) -> None:
        """Write to every line once. A goal that cannot be told is left out, and counted as an error."""
        is_first = drive is not self._drive
        self._drive = drive
        if drive is Drive.COMMAND:
            self._command(command)
            return
        for line in self.lines.values():
            data = b""
            if drive is Drive.ENABLE:
                data = self._enable(line, is_first=is_first)
            elif drive is not Drive.POLL:
                data = self._stop(line, line.slots)
                for slot in line.slots:
                    self._told[slot] = _RELEASED
                if drive is Drive.CLEAR_FAULT:
                    self._forget_faults(line)
                if is_first:
                    line.doubt(is_first=True)
            line.send(data, line.next_question(is_commanding=False))

    def _forget_faults(self, line: Line) -> None:
        """Take back what this computer alone remembers of faults."""

    def _enable(self, line: Line, *, is_first: bool) -> bytes:
        """Switch on, where they are, all that are not on yet; not those with a fault or not heard lately."""
        slots: list[int] = []
        for slot in line.slots:
            if self._errors[slot] or (self._told[slot] != _RELEASED and self._switch[slot] == ON):
                continue
            if self._now_s - self._stamps[slot] <= self._patience[slot] * self._period_s:
                slots.append(slot)
            else:
                line.port.counters.errors += 1
        here = self._feedback[POSITION]
        good = self._in_range(here)
        line.port.counters.errors += sum(not good[slot] for slot in slots)
        slots = [slot for slot in slots if good[slot]]
        for slot in slots:
            self._told[slot] = _DRIVEN
        if slots:
            line.doubt(is_first=is_first)
        return self._start(line, slots, here) if slots else b""

    def _command(self, command: Block) -> None:
        host = self.host
        goals = host.goal(command, self._feedback, self._stamp_view)
        good = host.valid & (self._in_range(goals) | host.limp)
        is_usual = (
            self._told.tobytes() == self._all_driven
            and self._switch.tobytes() == self._all_on
            and np.count_nonzero(good) == len(good)
            and not np.count_nonzero(host.limp)
        )
        for line in self.lines.values():
            data = self._goals(line, line.slots, goals) if is_usual else self._sort(line, goals, good)
            line.send(data, line.next_question(is_commanding=True))

    def _sort(self, line: Line, goals: NDArray[np.float64], good: Mask) -> bytes:
        """Who gets a goal, who is switched off to be limp, and who is switched on again.

        A servo that has switched itself off gets no goal: some firmware takes one as an order to switch on.
        """
        host, told, switch = self.host, self._told, self._switch
        driven: list[int] = []
        starting: list[int] = []
        stopping: list[int] = []
        for slot in line.slots:
            line.port.counters.errors += not good[slot]
            if not good[slot] or told[slot] == _RELEASED:
                continue
            if host.limp[slot]:
                if told[slot] == _DRIVEN and switch[slot] != ON:
                    continue
                if told[slot] == _DRIVEN or switch[slot] != OFF:
                    stopping.append(slot)
                told[slot] = _LIMP
            elif told[slot] == _LIMP:
                if switch[slot] == ON and not host.is_stale[slot]:
                    told[slot] = _DRIVEN
                    driven.append(slot)
                elif not (host.is_stale[slot] or self._errors[slot]):
                    starting.append(slot)
            elif switch[slot] == ON:
                driven.append(slot)
        if starting or any(switch[slot] == ON for slot in stopping):
            line.doubt()
        data = self._stop(line, stopping) if stopping else b""
        if starting:
            data += self._start(line, starting, goals)
        return data + (self._goals(line, driven, goals) if driven else b"")

    # Asking one servo

    def _probe_bus(self, slots: Sequence[int], timeout_s: float) -> Probe:
        """Listen for a while first: why one servo is silent depends on whether the others are."""
        line = self.lines[self.motors[slots[0]].config.bus]
        yield
        for _ in range(_ROLL_CALLS * len(line.motions)):
            yield
        return (yield from super()._probe_bus(slots, timeout_s))

    def is_driven(self, slot: int) -> bool:
        """Whether a servo is told to go somewhere."""
        return self._told[slot] == _DRIVEN

    def release(self, slot: int) -> None:
        """A servo has been switched off from elsewhere: tell it nothing until it is enabled."""
        self._told[slot] = _RELEASED

    def errors_of(self, slot: int) -> int:
        """A servo's newest fault code."""
        return self._errors[slot]

    def position_of(self, slot: int) -> float:
        """A servo's newest position, rad, motor frame."""
        self._fill_feedback()
        return float(self._feedback[POSITION, slot])

    def send_one(self, slot: int, data: bytes) -> None:
        """Ask one servo something, in the place of the next cycle's own question."""
        self.lines[self.motors[slot].config.bus].waiting.append(data)

    def ask(
        self, slot: int, data: bytes, is_there: Callable[[], bool], now_s: float, attempts: int, timeout_s: float
    ) -> Generator[None, float, float]:
        """Ask until the answer is there, at most a few times; returns the time at the end."""
        line = self.lines[self.motors[slot].config.bus]
        for _ in range(attempts):
            self.send_one(slot, data)
            while line.waiting:
                # The line's own questions come first.
                now_s = yield
            deadline_s = now_s + timeout_s
            while not is_there() and now_s < deadline_s:
                now_s = yield
            if is_there():
                break
        return now_s

    def silence_problem(self, slot: int, asked: str, spoilt_bytes: int) -> str:
        """Why a servo does not answer; see `Line`."""
        config = self.motors[slot].config
        return self.lines[config.bus].silence_problem(config.id, asked, spoilt_bytes)
