"""All MyActuator RMD motors of one robot in motion mode: commands out, feedback in.

A motion command is answered with motion and nothing else, so faults and temperature are read in between, one motor per
bus and cycle. While the motors are off, the frames of a cycle take turns: angle, errors, speed. Nothing says whether a
motor is on: it counts as on when it has answered the motion command that enables, and as off when it has acknowledged
SHUTDOWN.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.bus import CanBus, Frame
from drivers.can.impedance import TOP_12, TOP_16, MitBatch, encode_mit
from drivers.can.myactuator import codec
from drivers.can.myactuator.inventory import probe_motor
from drivers.can.myactuator.tables import (
    BROADCAST_ID,
    MOTION_BASE,
    MOTION_REPLY_BASE,
    REPLY_BASE,
    REQUEST_BASE,
    TIMED_OUT_FAULT,
    Command,
)
from drivers.devices import FAULT, STATUS, TEMPERATURE, TORQUE, VELOCITY, Block, Codes, WiredMotor
from drivers.motor_group import CanMotors, MotorProbe
from supervisor.core.command import Drive
from supervisor.core.errors import FrameError
from supervisor.core.state import MotorStatus

_UNKNOWN, _OFF, _ON = int(MotorStatus.UNKNOWN), int(MotorStatus.DISABLED), int(MotorStatus.ENABLED)

_IDLE = (Command.READ_STATUS_1, Command.READ_MULTI_TURN_ANGLE, Command.READ_STATUS_2, Command.READ_MULTI_TURN_ANGLE)
_STOPPING = (Command.SHUTDOWN, Command.READ_MULTI_TURN_ANGLE, Command.SHUTDOWN, Command.READ_STATUS_1)
_STOPPING_LATER = (Command.SHUTDOWN, Command.READ_MULTI_TURN_ANGLE, Command.SHUTDOWN, Command.READ_STATUS_2)
_TURNS: Mapping[Drive, tuple[Command, ...]] = {Drive.POLL: _IDLE, Drive.DISABLE: _STOPPING + _STOPPING_LATER}
"""What is sent in the first, second, ... cycle of a drive, over and over."""

_READS = frozenset({Command.READ_STATUS_1, Command.READ_STATUS_2, Command.READ_MULTI_TURN_ANGLE})
_ZEROS = bytes(7)


class MyActuatorMotors(CanMotors):
    """All MyActuator motors of one robot, on all its buses. Implements `MotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.
    """

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, CanBus]) -> None:
        super().__init__(motors, buses)
        members = self._members
        self._voices: dict[str, dict[int, tuple[int, bool]]] = {}
        self._ears: dict[str, frozenset[int]] = {}
        for name, slots in members.items():
            ids = {slot: self.motors[slot].config.id for slot in slots}
            motion = {MOTION_REPLY_BASE + ids[slot]: (slot, True) for slot in slots}
            self._voices[name] = motion | {REPLY_BASE + ids[slot]: (slot, False) for slot in slots}
            bases = (REQUEST_BASE, MOTION_BASE)
            self._ears[name] = frozenset({BROADCAST_ID, *(base + i for base in bases for i in ids.values())})
        self._make_arrays(len(self.motors))
        self._encoder = MitBatch([motor.model for motor in self.motors])
        self._requests = {
            command: self._frames(lambda identifier, command=command: codec.make_request(identifier, command))
            for command in {*_IDLE, *_STOPPING}
        }
        self._drive, self._turn = Drive.POLL, -1
        self._targets = [
            (self._buses[name], [(slot, MOTION_BASE + self.motors[slot].config.id) for slot in slots])
            for name, slots in members.items()
        ]

    def _make_arrays(self, count: int) -> None:
        """Plain arrays, because storing one item is four times faster than in numpy; numpy sees the same memory."""
        self._words = array("q", [0] * count)
        self._states = array("q", [_UNKNOWN] * count)
        self._errors = array("q", [0] * count)
        self._is_motion = array("b", [0] * count)
        self._timeout_counts: list[int | None] = [None] * count
        self._shutdowns, self._shutdowns_answered = 0, [0] * count
        self._word_view: NDArray[np.int64] = np.frombuffer(self._words, dtype=np.int64)
        self._state_view: NDArray[np.int64] = np.frombuffer(self._states, dtype=np.int64)
        self._error_view: NDArray[np.int64] = np.frombuffer(self._errors, dtype=np.int64)
        self._motion_view: NDArray[np.bool_] = np.frombuffer(self._is_motion, dtype=np.bool_)
        models = [motor.model for motor in self.motors]
        high = np.array([(m.position_max_rad, m.velocity_max_rad_per_s, m.torque_max_nm) for m in models]).T
        self._high: Block = np.ascontiguousarray(high)
        self._scale: Block = 2.0 * self._high / np.array([TOP_16, TOP_12, TOP_12], dtype=np.float64)[:, None]
        self._shifts: NDArray[np.int64] = np.array([40, 28, 16], dtype=np.int64)[:, None]
        self._masks: NDArray[np.int64] = np.array([TOP_16, TOP_12, TOP_12], dtype=np.int64)[:, None]
        self._read: Block = np.full((4, count), np.nan)
        """Rows: position, velocity, torque, temperature, as read apart from motion feedback."""
        # A motor that is off has no torque; its current says nothing that motion feedback would not.
        self._read[TORQUE] = 0.0
        self._zeros: set[tuple[int, int]] = set()
        """Slots and requests of which the newest reply was all zeros."""

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take this group's replies; identified by the arbitration id first, then by their form."""
        voices = self._voices[bus]
        strangers: list[Frame] = []
        for frame in frames:
            voice = voices.get(frame[0])
            data = frame[1]
            if voice is None or len(data) != 8 or frame[2] or frame[3]:
                strangers.append(frame)
                continue
            slot, is_motion = voice
            if not is_motion:
                if not self._take_reply(slot, data, frame[4]):
                    strangers.append(frame)
            elif data[0] != self.motors[slot].config.id:
                # Its own command back: how it answers the first one after its timeout, without obeying.
                strangers.append(frame)
            else:
                self._words[slot] = int.from_bytes(data, "big", signed=True)
                self._stamps[slot] = frame[4]
                self._is_motion[slot] = 1
                if self._drive is Drive.ENABLE:
                    self._states[slot] = _ON
        counters = self._buses[bus].counters
        accepted = len(frames) - len(strangers)
        if accepted:
            counters.received += accepted
            self._is_fresh = True
        ears = self._ears[bus]
        others = [frame for frame in strangers if frame[2] or frame[0] not in ears]
        counters.foreign_commands += len(strangers) - len(others)
        return others

    def _take_reply(self, slot: int, data: bytes, stamp_s: float) -> bool:
        """Take one reply on a motor's command id; False when it is none."""
        try:
            reply = codec.decode_reply(data)
        except FrameError:
            return False
        read = self._read
        if data[1:] == _ZEROS and data[0] in _READS and (slot, data[0]) not in self._zeros:
            # Perhaps the request itself, as motors answer the first one after their timeout; never the second.
            self._zeros.add((slot, data[0]))
            return False
        if data[1:] != _ZEROS:
            self._zeros.discard((slot, data[0]))
        if isinstance(reply, codec.MultiTurnAngle):
            read[0, slot] = math.radians(reply.angle_deg)
            self._stamps[slot] = stamp_s
            self._is_motion[slot] = 0
        elif isinstance(reply, codec.Status1):
            read[TEMPERATURE, slot] = reply.temperature_degc
            self._errors[slot] = self._errors[slot] & TIMED_OUT_FAULT | reply.error_bits
        elif isinstance(reply, codec.Feedback):
            read[VELOCITY, slot] = math.radians(reply.speed_deg_per_s)
            read[TEMPERATURE, slot] = reply.temperature_degc
        elif isinstance(reply, codec.TimedOut):
            # To a motor that was off it makes no difference.
            if self._states[slot] == _ON:
                self._errors[slot] |= TIMED_OUT_FAULT
        elif isinstance(reply, codec.Acknowledged):
            if reply.command == Command.SHUTDOWN:
                self._states[slot] = _OFF
                self._shutdowns_answered[slot] += 1
            elif reply.command == Command.SET_TIMEOUT:
                self._timeout_counts[slot] = reply.value
        return True

    def _decode(self, values: Block, codes: Codes) -> None:
        motion = values[:3]
        np.multiply(self._word_view >> self._shifts & self._masks, self._scale, out=motion)
        motion -= self._high
        if 0 in self._is_motion:
            np.copyto(motion, self._read[:3], where=~self._motion_view)
        values[TEMPERATURE] = self._read[TEMPERATURE]
        codes[STATUS] = self._state_view
        codes[FAULT] = self._error_view
        if self._error_view.any():
            codes[STATUS, self._error_view != 0] = int(MotorStatus.FAULT)

    def write(self, drive: Drive, command: Block) -> None:
        """Send one cycle's frames. A command that cannot be encoded is not sent, and counted as an error."""
        self._turn = self._turn + 1 if drive is self._drive else 0
        self._drive = drive
        if drive is Drive.COMMAND:
            self._command(command)
        elif drive is Drive.ENABLE:
            self._enable()
        elif drive is Drive.CLEAR_FAULT:
            self._clear_faults()
        else:
            turns = _TURNS[drive]
            request = turns[self._turn % len(turns)]
            self._shutdowns += request is Command.SHUTDOWN
            self._send(self._requests[request])

    def _command(self, command: Block) -> None:
        """A motion command for every motor, and a look at the errors of one per bus."""
        data = self._encoder.encode(command)
        valid = None if self._encoder.all_valid else self._encoder.valid
        looks = self._requests[Command.READ_STATUS_1]
        for (bus, targets), (_, requests) in zip(self._targets, looks, strict=True):
            frames = [Frame(i, data[8 * slot : 8 * slot + 8]) for slot, i in targets if valid is None or valid[slot]]
            bus.counters.errors += len(targets) - len(frames)
            frames.append(requests[self._turn % len(requests)])
            bus.counters.expected += bus.send(frames)

    def _enable(self) -> None:
        """Two commands of nothing: a motor that had timed out only echoes the first."""
        for bus, targets in self._targets:
            frames = [Frame(i, encode_mit(self.motors[slot].model, (0.0,) * 5)) for slot, i in targets]
            bus.counters.expected += bus.send(frames + frames)

    def _clear_faults(self) -> None:
        """Off, and a restart for those with errors; they are silent for some 100 ms and do not answer it."""
        for bus, slots in zip(self._buses.values(), self._members.values(), strict=True):
            ids = {slot: self.motors[slot].config.id for slot in slots}
            bus.counters.expected += bus.send([codec.make_request(i, Command.SHUTDOWN) for i in ids.values()])
            ill = [slot for slot in slots if self._errors[slot] & ~TIMED_OUT_FAULT]
            bus.send([codec.make_request(ids[slot], Command.RESET) for slot in ill])
            for slot in slots:
                self._errors[slot] = 0
        self._is_fresh = True

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:
        return (yield from probe_motor(_Line(self, slot), timeout_s, now_s))

    def fault_name(self, code: int) -> str:
        """The names of the errors in a fault code."""
        names = codec.error_names(code & ~TIMED_OUT_FAULT)
        return "+".join((*names, "TIMED_OUT") if code & TIMED_OUT_FAULT else names)

    def newest(self, slot: int) -> tuple[float, float, float, int]:
        """Arrival and value of a motor's newest position, its temperature and its fault code."""
        position_rad, _, _, temperature_degc = self._read[:, slot].tolist()
        return self._stamps[slot], position_rad, temperature_degc, self._errors[slot]

    def shutdowns(self, slot: int) -> tuple[int, int]:
        """How often all motors were told to go off by the control loop, and how often one has acknowledged it."""
        return self._shutdowns, self._shutdowns_answered[slot]

    def forget_timeout(self, slot: int) -> None:
        """Wait for a new acknowledgement of a timeout."""
        self._timeout_counts[slot] = None

    def acknowledged_timeout(self, slot: int) -> int | None:
        """Milliseconds that a motor has acknowledged, None when it has not."""
        return self._timeout_counts[slot]


class _Line:
    """One motor of a group, as its inventory reaches it. Implements `MotorLine`."""

    __slots__ = ("_group", "_slot", "motor")

    def __init__(self, group: MyActuatorMotors, slot: int) -> None:
        self._group = group
        self._slot = slot
        self.motor = group.motors[slot]

    def send(self, frame: Frame) -> None:
        self._group.send_one(self._slot, frame)

    def newest(self) -> tuple[float, float, float, int]:
        return self._group.newest(self._slot)

    def shutdowns(self) -> tuple[int, int]:
        return self._group.shutdowns(self._slot)

    def forget_timeout(self) -> None:
        self._group.forget_timeout(self._slot)

    def acknowledged_timeout(self) -> int | None:
        return self._group.acknowledged_timeout(self._slot)
