"""All Unitree GO-M8010-6 motors of one robot: commands out, replies in, one motor of each line per cycle.

A motor answers every command at once, on the two wires that the next command would need. Lines are looked at once a
cycle, so a line has one exchange per cycle and its motors take turns: three on a line at 500 Hz hear 167 commands per
second each, and close their own control loop in between. Braking is not kept waiting: it begins with one command to
all, which none answers.

There is no frame that switches on: any command in mode FOC does. Motors get one only after `Drive.ENABLE`, and no more
after they reported an error, or were silent for so long that they may have restarted.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from drivers.bus import SerialPort
from drivers.devices import FAULT, STATUS, Block, Codes, WiredMotor
from drivers.motor_group import MotorProbe, SerialMotors
from drivers.serial.unitree import codec
from drivers.serial.unitree.batch import CommandBatch, ReplyBatch
from drivers.serial.unitree.inventory import MotorLine, Tally, probe_motor
from drivers.serial.unitree.tables import (
    BROADCAST_ID,
    COMMAND_HEAD,
    GEAR,
    LOST_S,
    MODE_BRAKE,
    MODE_FOC,
    REPLY_BYTES,
)
from drivers.serial.unitree.zero import resolve_zero
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.joints import Vector
from supervisor.core.state import NEVER_S, MotorStatus

_STILL = (0.0,) * 5
_STOP_ALL = codec.encode_command(BROADCAST_ID, MODE_BRAKE, _STILL)

_OUTSTANDING_MAX = 4
"""Answers that an adapter may hold back at a time; beyond it they are lost, not late."""

_STATUS_OF_STATE = np.array([codec.status_of(state) for state in range(codec.STATES)], dtype=np.int64)
_FAULT_OF_STATE = np.where(int(MotorStatus.FAULT) == _STATUS_OF_STATE, np.arange(codec.STATES), 0)


@dataclass(slots=True)
class _Wire:
    """One serial line.

    Attributes:
        port: The open port.
        slots: Its motors.
        slot_of_id: The same by id.
        parser: Finds their replies.
        turn: Which of `slots` is asked next.
        stops: Cycles since all were told to brake.
        asked: Who was asked last, -1 for nobody whose answer is awaited.
        is_taken: Whether the inventory has asked in this cycle.
        said: The two newest commands: some adapters give them back.
    """

    port: SerialPort
    slots: tuple[int, ...]
    slot_of_id: Mapping[int, int]
    parser: codec.FrameParser = field(default_factory=codec.FrameParser)
    turn: int = 0
    stops: int = 0
    asked: int = -1
    is_taken: bool = False
    said: tuple[bytes, bytes] = (b"", b"")

    def next(self) -> int:
        """The motor whose turn it is."""
        slot = self.slots[self.turn]
        self.turn = (self.turn + 1) % len(self.slots)
        return slot

    def say(self, frame: bytes) -> bool:
        """Write one command.

        Returns:
            Whether the port took it.
        """
        self.said = (self.said[1], frame)
        return self.port.write(frame) == len(frame)

    def without_echo(self, data: bytes) -> bytes:
        """What was received, without our own commands."""
        for frame in self.said:
            if frame and frame in data:
                data = data.replace(frame, b"", 1)
        return data


class UnitreeMotors(SerialMotors):
    """All Unitree motors of one robot, on all its lines. Implements `SerialMotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open serial lines by name; those that no motor of this group is wired to are ignored.
    """

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, SerialPort]) -> None:
        super().__init__(motors, buses)
        ids = [motor.config.id for motor in self.motors]
        count = len(ids)
        self._wires = [
            _Wire(self._buses[name], tuple(slots), {ids[slot]: slot for slot in slots})
            for name, slots in self._members.items()
        ]
        self._wire_of = {slot: wire for wire in self._wires for slot in wire.slots}
        self._encoder = CommandBatch(ids)
        self._replies = ReplyBatch(count)
        self._turns: Vector = np.full(count, math.nan)
        """Whole turns of the rotor to add to what each motor reads; NaN where nobody knows."""
        self._is_on = [False] * count
        self._due = [0] * count
        self._tallies = [Tally() for _ in ids]
        self._brake = [codec.encode_command(identifier, MODE_BRAKE, _STILL) for identifier in ids]
        self._free = [codec.encode_command(identifier, MODE_FOC, _STILL) for identifier in ids]
        self._drive = Drive.POLL

    # Replies

    def receive(self, now_s: float) -> None:
        """Read every line once, and keep what its motors said."""
        for wire in self._wires:
            wire.is_taken = False
            data = wire.port.read(now_s)
            if data:
                self._hear(wire, wire.without_echo(data), now_s)

    def _hear(self, wire: _Wire, data: bytes, now_s: float) -> None:
        counters, parser = wire.port.counters, wire.parser
        if COMMAND_HEAD in data:
            counters.foreign_commands += self._commands_in(wire, data)
        before = parser.dropped_bytes
        frames = parser.feed(data)
        dropped = parser.dropped_bytes - before
        counters.dropped += dropped
        for frame in frames:
            self._accept(wire, frame, now_s)
        if dropped and not frames and wire.asked >= 0:
            self._tallies[wire.asked].damaged += 1
            wire.asked = -1

    def _commands_in(self, wire: _Wire, data: bytes) -> int:
        """How many commands from somebody else to our motors there are in some bytes."""
        heard = [frame[2] & 0xF for frame in codec.make_command_parser().feed(data)]
        return sum(identifier == BROADCAST_ID or identifier in wire.slot_of_id for identifier in heard)

    def _accept(self, wire: _Wire, frame: bytes, now_s: float) -> None:
        """Keep a whole reply, if one of our motors owes it."""
        slot = wire.slot_of_id.get(frame[2] & 0xF)
        counters = wire.port.counters
        if slot is None or not self._due[slot]:
            counters.dropped += REPLY_BYTES
            if slot is not None and frame != self._replies.kept(slot):
                self._tallies[slot].seconds += 1
            return
        self._due[slot] -= 1
        self._tallies[slot].answered += 1
        heard_s = self._stamps[slot]
        self._replies.keep(slot, frame)
        self._stamps[slot] = now_s
        self._is_fresh = True
        counters.received += 1
        if frame[12] & codec.ERROR_BITS:
            self._is_on[slot] = False
        if now_s - heard_s > LOST_S:
            self._is_on[slot] = False
            self._turns[slot] = math.nan
            if heard_s == NEVER_S:
                with contextlib.suppress(DeviceError):
                    self.find_zero(slot)

    def _decode(self, values: Block, codes: Codes) -> None:
        self._replies.decode(self._turns, values)
        states = self._replies.states()
        np.take(_STATUS_OF_STATE, states, out=codes[STATUS])
        np.take(_FAULT_OF_STATE, states, out=codes[FAULT])

    def feedback(self, slot: int) -> codec.Feedback:
        """A motor's newest reply.

        Raises:
            FrameError: There was none.
        """
        return codec.decode_reply(self._replies.kept(slot))

    def find_zero(self, slot: int) -> float:
        """Find out where a motor's output stands, unless it is known.

        Returns:
            Its position, rad.

        Raises:
            DeviceError: It may stand in several places, or in none, of those that it may be found in.
        """
        rotor_rad, within = self.feedback(slot).position_rad, self.motors[slot].starts_within_rad
        if math.isnan(self._turns[slot]):
            if within is None:
                raise DeviceError("knows part of a turn only, and nobody says where it is: give `starts_within_rad`")
            self._turns[slot] = resolve_zero(rotor_rad, 0.0, *within).turns
            self._is_fresh = True
        return (rotor_rad + math.tau * float(self._turns[slot])) / GEAR

    def fault_name(self, code: int) -> str:
        """The vendor's name of an error; the mode's where there is none."""
        return codec.state_name(code)

    # Commands

    def write(self, drive: Drive, command: Block) -> None:
        """Send one command on every line. One that cannot be encoded is not sent, and counted as an error."""
        was, self._drive = self._drive, drive
        if drive is Drive.COMMAND:
            self._encoder.encode(command, self._turns)
            for wire in self._wires:
                self._command(wire, wire.next())
            return
        known = np.isfinite(self._turns).tolist()
        self._is_on = [drive is Drive.ENABLE and is_known for is_known in known]
        for wire in self._wires:
            if drive is Drive.DISABLE and self._stops(wire, is_first=was is not drive):
                continue
            if drive is Drive.ENABLE:
                slot = wire.next()
                self._ask(wire, slot, self._free[slot] if self._is_on[slot] else self._brake[slot])
            elif not wire.is_taken:
                self.ask_to_brake(wire.next())

    def _command(self, wire: _Wire, slot: int) -> None:
        """Send one motor its command; to brake, where it may not be on."""
        if not self._is_on[slot]:
            self._ask(wire, slot, self._brake[slot])
        elif self._encoder.valid[slot]:
            self._ask(wire, slot, self._encoder.frame(slot))
        else:
            wire.port.counters.errors += 1

    def _stops(self, wire: _Wire, *, is_first: bool) -> bool:
        """Tell all motors of a line to brake, at first and then whenever each was told by itself.

        By itself, because it is not known whether a motor finds the second of two commands that follow at once.
        """
        wire.stops = 0 if is_first else (wire.stops + 1) % (len(wire.slots) + 1)
        if wire.stops == 0 and (is_first or not wire.is_taken):
            wire.say(_STOP_ALL)
            return True
        return False

    def ask_to_brake(self, slot: int) -> None:
        """Send one motor a command to brake, which it answers."""
        self._ask(self._wire_of[slot], slot, self._brake[slot])

    def _ask(self, wire: _Wire, slot: int, frame: bytes) -> None:
        if wire.say(frame):
            wire.port.counters.expected += 1
            wire.asked = slot
            self._due[slot] = min(self._due[slot] + 1, _OUTSTANDING_MAX)
            self._tallies[slot].asked += 1

    # Inventory

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:  # noqa: ARG002 (it has no timeout)
        self._tallies[slot] = Tally()
        self._due[slot] = 0
        return (yield from probe_motor(_Line(self, slot), now_s))

    def tally(self, slot: int) -> Tally:
        """What came back from a motor since its inventory began."""
        return self._tallies[slot]

    def wire_of(self, slot: int) -> _Wire:
        """The line a motor is on."""
        return self._wire_of[slot]


class _Line:
    """One motor of a group, as its inventory reaches it. Implements `MotorLine`."""

    __slots__ = ("_group", "_slot", "motor")

    def __init__(self, group: UnitreeMotors, slot: int) -> None:
        self._group = group
        self._slot = slot
        self.motor = group.motors[slot]

    @property
    def tally(self) -> Tally:
        return self._group.tally(self._slot)

    @property
    def feedback(self) -> codec.Feedback:
        return self._group.feedback(self._slot)

    @property
    def is_understood(self) -> bool:
        return self._group.wire_of(self._slot).parser.frames > 0

    def neighbours(self) -> Sequence[MotorLine]:
        slots = self._group.wire_of(self._slot).slots
        return [_Line(self._group, slot) for slot in slots if slot != self._slot]

    def ask(self) -> None:
        self._group.wire_of(self._slot).is_taken = True
        self._group.ask_to_brake(self._slot)

    def position_rad(self) -> float:
        return self._group.find_zero(self._slot)
