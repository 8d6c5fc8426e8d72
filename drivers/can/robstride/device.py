"""All RobStride motors of one robot: commands out, feedback in.

Motors answer every operation, enable, stop and write with one feedback frame, which says whether they run. There is no
frame that only asks for it, so motors that are off are polled with a stop.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.bus import CanBus, Frame
from drivers.can.robstride import codec
from drivers.can.robstride.batch import FeedbackBatch, OperationBatch
from drivers.can.robstride.inventory import Answers, probe_motor
from drivers.can.robstride.settings import find_settings, write_settings
from drivers.can.robstride.tables import DIALECT, HOST_ID, MODE_RESET, MODE_RUN, Dialect
from drivers.devices import FAULT, STATUS, Block, Changing, Codes, Found, Settings, WiredMotor
from drivers.motor_group import CanMotors, MotorProbe, Sending, Zeroing
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.state import MotorStatus

ZERO_TOLERANCE_RAD = 0.02
"""What a motor may read right after setting its zero: it hangs free and may creep."""

ZERO_WAIT_S = 0.2
"""How long a motor may take to answer before its zero counts as not set."""

_KEY = 0x1F00FFFF
"""Type, motor and host of a reply's identifier: all but mode and faults."""

_FAULT_BITS = 0x3F
_MODE_SHIFT = 6


def _status_of(code: int) -> MotorStatus:
    """What mode and fault bits mean, as they stand in bits 23:16 of a feedback frame's identifier."""
    modes = {MODE_RESET: MotorStatus.DISABLED, MODE_RUN: MotorStatus.ENABLED}
    return MotorStatus.FAULT if code & _FAULT_BITS else modes.get(code >> _MODE_SHIFT, MotorStatus.FAULT)


_STATUS_OF_CODE = np.array([_status_of(code) for code in range(256)], dtype=np.int64)
_FAULT_OF_CODE = np.where(int(MotorStatus.FAULT) == _STATUS_OF_CODE, np.arange(256), 0)


class RobStrideMotors(CanMotors):
    """All RobStride motors of one robot, on all its buses. Implements `MotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.
    """

    dialect: ClassVar[Dialect] = DIALECT
    has_settings: ClassVar[bool] = True

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, CanBus]) -> None:
        super().__init__(motors, buses)
        members = self._members
        self._slot_of_id = {name: {self.motors[i].config.id: i for i in slots} for name, slots in members.items()}
        self._slots = {
            name: {codec.TYPE_FEEDBACK << 24 | number << 8 | HOST_ID: slot for number, slot in slots.items()}
            for name, slots in self._slot_of_id.items()
        }
        count = len(self.motors)
        # Plain arrays, because storing one item is four times faster than in numpy; numpy sees the same memory.
        self._words = array("q", [0] * count)
        self._codes = array("q", [0] * count)
        self._word_view: NDArray[np.int64] = np.frombuffer(self._words, dtype=np.int64)
        self._code_view: NDArray[np.int64] = np.frombuffer(self._codes, dtype=np.int64)
        self._answers = [Answers() for _ in self.motors]
        self._encoder = OperationBatch(self.motors)
        self._decoder = FeedbackBatch([motor.model for motor in self.motors])
        stop = self._frames(codec.make_stop)
        self._fixed: dict[Drive, Sending] = {
            Drive.POLL: stop,
            Drive.ENABLE: self._frames(codec.make_enable),
            Drive.DISABLE: stop,
            Drive.CLEAR_FAULT: self._frames(lambda identifier: codec.make_stop(identifier, clear_fault=True)),
        }
        self._targets = [(self._buses[name], slots) for name, slots in members.items()]

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take this group's feedback and answers; identified by type, motor and host, then by length."""
        slots = self._slots[bus]
        words, codes, stamps = self._words, self._codes, self._stamps
        strangers: list[Frame] = []
        number = int.from_bytes
        for frame in frames:
            slot = slots.get(frame[0] & _KEY)
            data = frame[1]
            if slot is None or len(data) != 8 or not frame[2] or (not data[0] and codec.is_version_reply(data)):
                strangers.append(frame)
                continue
            words[slot] = number(data, "big", signed=True)
            codes[slot] = frame[0] >> 16 & 0xFF
            stamps[slot] = frame[4]
        counters = self._buses[bus].counters
        accepted = len(frames) - len(strangers)
        if accepted:
            counters.received += accepted
            self._is_fresh = True
        if not strangers:
            return strangers
        others = [frame for frame in strangers if not self._is_answer(bus, frame)]
        counters.received += len(strangers) - len(others)
        rest = [frame for frame in others if not self._commands_us(bus, frame)]
        counters.foreign_commands += len(others) - len(rest)
        return rest

    def _is_answer(self, bus: str, frame: Frame) -> bool:
        """Whether a frame is an answer of one of our motors other than feedback; if so, keep what it says."""
        identifier, data = frame.arbitration_id, frame.data
        slot = self._slot_of_id[bus].get(identifier >> 8 & 0xFF)
        if slot is None or len(data) != 8 or not frame.is_extended:
            return False
        answers, kind, target = self._answers[slot], identifier >> 24, identifier & 0xFF
        if kind == codec.TYPE_GET_ID and target == codec.DEVICE_ID_TARGET:
            answers.unique_ids.add(bytes(data))
        elif target != HOST_ID:
            return False
        elif kind == codec.TYPE_READ:
            reply = codec.decode_parameter_reply(frame)
            answers.values[reply.parameter_index] = reply.raw_value if reply.is_success else None
        elif kind == codec.TYPE_FEEDBACK and codec.is_version_reply(data):
            answers.version = ".".join(str(byte) for byte in data[3:7])
        else:
            # A fault report says nothing of which feedback does not have the sum.
            return kind == codec.TYPE_FAULT_REPORT
        return True

    def _commands_us(self, bus: str, frame: Frame) -> bool:
        """Whether a frame from somebody else commands one of our motors."""
        identifier = frame.arbitration_id
        is_command = frame.is_extended and identifier >> 24 in codec.COMMAND_TYPES
        return is_command and identifier & 0xFF in self._slot_of_id[bus]

    def _decode(self, values: Block, codes: Codes) -> None:
        self._decoder.decode(self._word_view, values)
        np.take(_STATUS_OF_CODE, self._code_view, out=codes[STATUS])
        np.take(_FAULT_OF_CODE, self._code_view, out=codes[FAULT])

    def write(self, drive: Drive, command: Block) -> None:
        """Send one frame to every motor. A command that cannot be encoded is not sent, and counted as an error."""
        if drive is not Drive.COMMAND:
            self._send(self._fixed[drive])
            return
        ids, data = self._encoder.encode(command)
        valid = None if self._encoder.all_valid else self._encoder.valid
        for bus, slots in self._targets:
            sendable = slots if valid is None else [slot for slot in slots if valid[slot]]
            frames = [Frame(ids[slot], data[8 * slot : 8 * slot + 8], True) for slot in sendable]
            bus.counters.errors += len(slots) - len(frames)
            bus.counters.expected += bus.send(frames)

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:
        self._answers[slot] = Answers()
        return (yield from probe_motor(_Line(self, slot), timeout_s, now_s, self.dialect))

    def _find_settings(self, slot: int, timeout_s: float, now_s: float) -> Found:
        return (yield from find_settings(_Line(self, slot), timeout_s, now_s))

    def _write_settings(self, slot: int, settings: Settings, now_s: float) -> Changing:
        return (yield from write_settings(_Line(self, slot), settings, now_s))

    def set_zero(self, joint: str, now_s: float) -> Zeroing:
        """Make the present position of a motor its zero, until its power is cut. The motor is switched off for it.

        Args:
            joint: Whose motor.
            now_s: Time of the first step; the generator is resumed once a cycle with `send(now_s)`.

        Returns:
            The position read back afterwards, rad, motor frame.

        Raises:
            DeviceError: The motor does not answer, is not off, or does not read zero afterwards.
        """
        slot = self._slot_of(joint)
        line = _Line(self, slot)
        identifier = line.motor.config.id
        for frame in (codec.make_stop(identifier), codec.make_set_zero(identifier), codec.make_stop(identifier)):
            sent_s = now_s
            line.send(frame)
            while line.stamp_s <= sent_s and now_s < sent_s + ZERO_WAIT_S:
                now_s = yield
            if line.stamp_s <= sent_s:
                raise DeviceError(f"motor of {joint} does not answer: its zero was not set")
            mode, faults = line.feedback.mode_code, line.feedback.fault_bits
            if mode != MODE_RESET or faults:
                found = self.fault_name(mode << _MODE_SHIFT | faults)
                raise DeviceError(f"motor of {joint} reports {found}: its zero may only be set while off and healthy")
        position_rad = line.feedback.position_rad
        if abs(position_rad) > ZERO_TOLERANCE_RAD:
            raise DeviceError(f"motor of {joint} reads {position_rad:.3f} rad after setting its zero; expected 0")
        return position_rad

    def fault_name(self, code: int) -> str:
        """The vendor's names of all fault bits that are set; the mode's where none is."""
        bits = [self.dialect.fault_names.get(bit, f"BIT_{bit}") for bit in range(_MODE_SHIFT) if code >> bit & 1]
        return " and ".join(bits) or codec.mode_name(code >> _MODE_SHIFT)

    def answers(self, slot: int) -> Answers:
        """What a motor has said besides feedback since its inventory began."""
        return self._answers[slot]

    def newest(self, slot: int) -> tuple[float, codec.MotorFeedback]:
        """Arrival and content of a motor's newest feedback frame."""
        motor = self.motors[slot]
        identifier = codec.TYPE_FEEDBACK << 24 | self._codes[slot] << 16 | motor.config.id << 8 | HOST_ID
        frame = Frame(identifier, self._words[slot].to_bytes(8, "big", signed=True), is_extended=True)
        return self._stamps[slot], codec.decode_feedback(frame, motor.model)


class _Line:
    """One motor of a group, as its inventory reaches it. Implements `MotorLine`."""

    __slots__ = ("_group", "_slot", "motor")

    def __init__(self, group: RobStrideMotors, slot: int) -> None:
        self._group = group
        self._slot = slot
        self.motor = group.motors[slot]

    @property
    def answers(self) -> Answers:
        return self._group.answers(self._slot)

    @property
    def stamp_s(self) -> float:
        return self._group.newest(self._slot)[0]

    @property
    def feedback(self) -> codec.MotorFeedback:
        return self._group.newest(self._slot)[1]

    def send(self, frame: Frame) -> None:
        self._group.send_one(self._slot, frame)

    def fault_name(self, code: int) -> str:
        return self._group.fault_name(code)
