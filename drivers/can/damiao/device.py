"""All Damiao motors of one robot: commands out, feedback in.

Motors answer every command and every poll with one feedback frame, and never speak by themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.bus import CanBus, Frame
from drivers.can.damiao import codec
from drivers.can.damiao.batch import FeedbackBatch
from drivers.can.damiao.inventory import Request, await_feedback, probe_motor
from drivers.can.damiao.settings import find_settings, write_settings
from drivers.can.damiao.tables import BROADCAST_ID, STATUS_DISABLED, STATUS_ENABLED
from drivers.can.impedance import MitBatch
from drivers.devices import FAULT, STATUS, Block, Changing, Codes, Found, Settings, WiredMotor
from drivers.motor_group import CanMotors, MotorProbe, Sending, Zeroing
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.state import MotorStatus

LATE_REPLY_S = 1.0
"""A register reply this late is still recognised, so that it is not taken for feedback."""

ZERO_TOLERANCE_RAD = 0.02
"""What a motor may read right after setting its zero: it hangs free and may creep."""

_BROADCAST_COMMANDS = frozenset({codec.READ, codec.WRITE, codec.STORE, codec.POLL})

_STATUS_OF_NIBBLE = np.full(16, int(MotorStatus.FAULT), dtype=np.int64)
_STATUS_OF_NIBBLE[STATUS_DISABLED] = int(MotorStatus.DISABLED)
_STATUS_OF_NIBBLE[STATUS_ENABLED] = int(MotorStatus.ENABLED)
_FAULT_OF_NIBBLE = np.arange(16, dtype=np.int64)
_FAULT_OF_NIBBLE[STATUS_ENABLED] = 0


class DamiaoMotors(CanMotors):
    """All Damiao motors of one robot, on all its buses. Implements `MotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.
    """

    has_settings: ClassVar[bool] = True

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, CanBus]) -> None:
        super().__init__(motors, buses)
        members = self._members
        self._slots: dict[str, dict[int, tuple[int, int]]] = {}
        self._ids: dict[str, frozenset[int]] = {}
        for name, slots in members.items():
            configs = {slot: self.motors[slot].config for slot in slots}
            self._slots[name] = {c.feedback_id: (slot, c.id & 0xF) for slot, c in configs.items()}
            self._ids[name] = frozenset(c.id for c in configs.values())
        count = len(self.motors)
        # Plain arrays, because storing one item is four times faster than in numpy; numpy sees the same memory.
        self._words = array("q", [0] * count)
        self._word_view: NDArray[np.int64] = np.frombuffer(self._words, dtype=np.int64)
        self._requests: dict[int, list[Request]] = {}
        models = [motor.model for motor in self.motors]
        self._encoder = MitBatch(models)
        self._decoder = FeedbackBatch(models)
        self._fixed: dict[Drive, Sending] = {
            Drive.POLL: self._frames(codec.make_poll),
            Drive.ENABLE: self._frames(lambda identifier: Frame(identifier, codec.ENABLE)),
            Drive.DISABLE: self._frames(lambda identifier: Frame(identifier, codec.DISABLE)),
            Drive.CLEAR_FAULT: self._frames(lambda identifier: Frame(identifier, codec.CLEAR_ERROR)),
        }
        self._targets = [
            (
                self._buses[name],
                [(slot, self.motors[slot].config.id, slice(8 * slot, 8 * slot + 8)) for slot in slots],
            )
            for name, slots in members.items()
        ]

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take this group's feedback; identified by the arbitration id first, then by nibble and length."""
        slots = self._slots[bus]
        words, stamps, requests = self._words, self._stamps, self._requests
        strangers: list[Frame] = []
        number = int.from_bytes
        for frame in frames:
            entry = slots.get(frame[0])
            data = frame[1]
            if entry is None or len(data) != 8 or data[0] & 0xF != entry[1] or frame[2]:
                strangers.append(frame)
                continue
            slot = entry[0]
            if requests and slot in requests and self._answers(slot, frame):
                continue
            words[slot] = number(data, "big", signed=True)
            stamps[slot] = frame[4]
        counters = self._buses[bus].counters
        accepted = len(frames) - len(strangers)
        if accepted:
            counters.received += accepted
            self._is_fresh = True
        if not strangers:
            return strangers
        others = [frame for frame in strangers if not self._commands_us(bus, frame)]
        counters.foreign_commands += len(strangers) - len(others)
        return others

    def _answers(self, slot: int, frame: Frame) -> bool:
        """Whether a frame is a register reply; if so, hand it to the request that waits for it."""
        pending = [request for request in self._requests[slot] if frame.stamp_s - request.sent_s <= LATE_REPLY_S]
        identifier = self.motors[slot].config.id
        found = False
        for request in pending:
            reply = codec.match_register_reply(frame.data, identifier, request.operation, request.register)
            if reply is not None:
                request.value = reply.value
                request.answers += 1
                found = True
        if pending:
            self._requests[slot] = pending
        else:
            del self._requests[slot]
        return found

    def _commands_us(self, bus: str, frame: Frame) -> bool:
        """Whether a frame from somebody else commands or polls one of our motors."""
        ids = self._ids[bus]
        if frame.is_extended:
            return False
        if frame.arbitration_id == BROADCAST_ID:
            data = frame.data
            return len(data) >= 3 and data[2] in _BROADCAST_COMMANDS and data[0] | data[1] << 8 in ids
        # In the other modes a motor listens to its id plus 0x100, 0x200 or 0x300.
        return frame.arbitration_id in ids or any(frame.arbitration_id - offset in ids for offset in (256, 512, 768))

    def _decode(self, values: Block, codes: Codes) -> None:
        nibbles = self._decoder.decode(self._word_view, values)
        # "clip" clips nothing, a nibble is below 16: it spares a buffer, and with it nine tenths of the time.
        _STATUS_OF_NIBBLE.take(nibbles, None, codes[STATUS], "clip")
        _FAULT_OF_NIBBLE.take(nibbles, None, codes[FAULT], "clip")

    def write(self, drive: Drive, command: Block) -> None:
        """Send one frame to every motor. A command that cannot be encoded is not sent, and counted as an error."""
        if drive is not Drive.COMMAND:
            self._send(self._fixed[drive])
            return
        data = self._encoder.encode(command)
        valid = None if self._encoder.all_valid else self._encoder.valid
        new = tuple.__new__  # what Frame(...) comes down to, in half the time
        for bus, targets in self._targets:
            if valid is None:
                frames = [new(Frame, (number, data[where], False, False, 0.0)) for _, number, where in targets]
            else:
                frames = [Frame(number, data[where]) for slot, number, where in targets if valid[slot]]
                bus.counters.errors += len(targets) - len(frames)
            bus.counters.expected += bus.send(frames)

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:
        return (yield from probe_motor(_Line(self, slot), timeout_s, now_s))

    def _find_settings(self, slot: int, timeout_s: float, now_s: float) -> Found:
        return (yield from find_settings(_Line(self, slot), timeout_s, now_s))

    def _write_settings(self, slot: int, settings: Settings, now_s: float) -> Changing:
        return (yield from write_settings(_Line(self, slot), settings, now_s))

    def set_zero(self, joint: str, now_s: float) -> Zeroing:
        """Make the present position of a motor its zero; written to flash by the motor. Only while disabled.

        Args:
            joint: Whose motor.
            now_s: Time of the first step; the generator is resumed once a cycle with `send(now_s)`.

        Returns:
            The position read back afterwards, rad, motor frame.

        Raises:
            DeviceError: The motor does not answer, is not disabled, or does not read zero afterwards.
        """
        slot = self._slot_of(joint)
        line = _Line(self, slot)
        identifier = self.motors[slot].config.id
        for frame in (codec.make_poll(identifier), Frame(identifier, codec.SET_ZERO), codec.make_poll(identifier)):
            sent_s = now_s
            now_s = yield from await_feedback(line, frame, now_s)
            if line.stamp_s <= sent_s:
                raise DeviceError(f"motor of {joint} does not answer: its zero was not set")
            if line.feedback.status_code != STATUS_DISABLED:
                status = codec.status_name(line.feedback.status_code)
                raise DeviceError(f"motor of {joint} reports {status}: its zero may only be set while DISABLED")
        position_rad = line.feedback.position_rad
        if abs(position_rad) > ZERO_TOLERANCE_RAD:
            raise DeviceError(f"motor of {joint} reads {position_rad:.3f} rad after setting its zero; expected 0")
        return position_rad

    def fault_name(self, code: int) -> str:
        """The vendor's name of a status nibble."""
        return codec.status_name(code)

    def expect_reply(self, slot: int, request: Request) -> None:
        """Look out for the answer to a register request."""
        self._requests.setdefault(slot, []).append(request)

    def newest(self, slot: int) -> tuple[float, bytes]:
        """Arrival and data bytes of a motor's newest feedback frame."""
        return self._stamps[slot], self._words[slot].to_bytes(8, "big", signed=True)


class _Line:
    """One motor of a group, as its inventory reaches it. Implements `MotorLine`."""

    __slots__ = ("_group", "_slot", "motor")

    def __init__(self, group: DamiaoMotors, slot: int) -> None:
        self._group = group
        self._slot = slot
        self.motor = group.motors[slot]

    @property
    def stamp_s(self) -> float:
        return self._group.newest(self._slot)[0]

    @property
    def feedback(self) -> codec.MotorFeedback:
        return codec.decode_feedback(self._group.newest(self._slot)[1], self.motor.model)

    def send(self, frame: Frame) -> None:
        self._group.send_one(self._slot, frame)

    def ask(self, frame: Frame, now_s: float) -> Request:
        request = Request(frame.data[2], frame.data[3], now_s)
        self._group.expect_reply(self._slot, request)
        self.send(frame)
        return request
