"""All moteus controllers of one robot: commands out, feedback in.

One frame per motor and cycle commands and asks; one comes back. Motors that are off are only asked. A controller is
enabled and commanded once its inventory has read its gains, because it takes stiffness and damping as shares of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.bus import CanBus, Frame
from drivers.can.moteus import codec
from drivers.can.moteus.batch import (
    COMMAND_BYTES,
    MODE_OF_BYTES,
    QUERY,
    REPLY,
    CommandBatch,
    FeedbackBatch,
    in_usual_form,
    is_usual,
    make_still,
)
from drivers.can.moteus.commissioning import find_settings, write_settings
from drivers.can.moteus.console import heard_text
from drivers.can.moteus.inventory import probe_motor
from drivers.can.moteus.line import Answers, Feedback, Settings
from drivers.can.moteus.multiplex import WRITE, Access, parse
from drivers.can.moteus.tables import TURN, Mode
from drivers.devices import FAULT, STATUS, Block, Changing, Codes, Found, WiredMotor
from drivers.devices import Settings as KeptSettings
from drivers.motor_group import CanMotors, MotorProbe, Zeroing
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError, FrameError
from supervisor.core.state import MotorStatus

MODE_FAULT = 0x100
"""Added to a mode that this computer did not ask for, where it stands in for a fault."""

ZERO_TOLERANCE_RAD = 0.02
"""What a motor may read right after setting its zero: it hangs free and may creep."""

ZERO_WAIT_S = 0.2
"""How long a motor may take to answer before its zero counts as not set."""

_OFF = (Mode.STOPPED, Mode.ENABLING, Mode.CALIBRATING, Mode.CALIBRATION_COMPLETE)
_CLIENT_TEXT = 0x40


def _status_of(mode: int) -> MotorStatus:
    if mode in _OFF:
        return MotorStatus.DISABLED
    return MotorStatus.ENABLED if mode == Mode.POSITION else MotorStatus.FAULT


_STATUS_OF_MODE = np.array([int(_status_of(mode)) for mode in range(len(Mode))], dtype=np.int64)
_FAULT_OF_MODE = np.array(
    [MODE_FAULT | mode if _status_of(mode) is MotorStatus.FAULT else 0 for mode in range(len(Mode))], dtype=np.int64
)


class MoteusMotors(CanMotors):
    """All moteus controllers of one robot, on all its buses. Implements `MotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.
    """

    has_settings: ClassVar[bool] = True

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, CanBus]) -> None:
        super().__init__(motors, buses)
        members, count = self._members, len(self.motors)
        self._slot_of_id = {name: {self.motors[i].config.id: i for i in slots} for name, slots in members.items()}
        # A reply's identifier: the controller, and this host, which is 0.
        self._slots = {name: {i << 8: slot for i, slot in slots.items()} for name, slots in self._slot_of_id.items()}
        # A plain array, because storing one item is four times faster than in numpy; numpy sees the same memory.
        self._modes = array("q", [0] * count)
        self._mode_view: NDArray[np.int64] = np.frombuffer(self._modes, dtype=np.int64)
        self._answers = [Answers() for _ in self.motors]
        self._encoder = CommandBatch(self.motors)
        self._decoder = FeedbackBatch(count)
        stop = self._frames(lambda i: codec.make_command(codec.Address(i), Mode.STOPPED, query=QUERY))
        self._fixed = {
            Drive.POLL: self._frames(lambda i: codec.make_query(codec.Address(i), QUERY)),
            Drive.DISABLE: stop,
            # A stop is what clears faults, too.
            Drive.CLEAR_FAULT: stop,
        }
        self._still: list[Frame | None] = [None] * count
        """How each motor is enabled; None before its inventory."""
        self._targets = [
            (self._buses[name], [(slot, 0x8000 | self.motors[slot].config.id) for slot in slots])
            for name, slots in members.items()
        ]

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take this group's replies; identified by controller and host first, then by their form."""
        slots = self._slots[bus]
        stamps, modes, buffer, size = self._stamps, self._modes, self._decoder.buffer, REPLY.size
        strangers: list[Frame] = []
        for frame in frames:
            slot = slots.get(frame[0])
            data = frame[1]
            mode = MODE_OF_BYTES.get(data[3:7])
            if slot is None or mode is None or not frame[3] or not is_usual(data):
                strangers.append(frame)
                continue
            buffer[size * slot : size * slot + size] = data
            modes[slot] = mode
            stamps[slot] = frame[4]
        counters = self._buses[bus].counters
        accepted = len(frames) - len(strangers)
        if accepted:
            counters.received += accepted
            self._is_fresh = True
        if not strangers:
            return strangers
        others = [frame for frame in strangers if not self._take_other(slots, frame)]
        counters.received += len(strangers) - len(others)
        rest = [frame for frame in others if not self._commands_us(bus, frame)]
        counters.foreign_commands += len(others) - len(rest)
        return rest

    def _take_other(self, slots: Mapping[int, int], frame: Frame) -> bool:
        """Whether a frame is another answer of one of our controllers; if so, keep what it says."""
        slot = slots.get(frame.arbitration_id)
        if slot is None or not frame.is_fd:
            return False
        answers, text = self._answers[slot], heard_text(frame.data)
        if text is not None:
            answers.text += text
            answers.texts += 1
            return True
        try:
            reply = codec.decode_reply(frame.data)
        except FrameError:
            return False
        usual = in_usual_form(reply.values)
        if usual is not None:
            mode = MODE_OF_BYTES.get(usual[3:7])
            if mode is None:
                return False
            self._decoder.buffer[REPLY.size * slot : REPLY.size * (slot + 1)] = usual
            self._modes[slot], self._stamps[slot] = mode, frame.stamp_s
            self._is_fresh = True
        elif reply.values:
            answers.take(reply.values)
        return bool(reply.values or reply.refusals)

    def _commands_us(self, bus: str, frame: Frame) -> bool:
        """Whether a frame from somebody else commands one of our controllers, by register or by typing."""
        identifier, data = frame.arbitration_id, frame.data
        if identifier >> 16 or identifier & 0xFF not in self._slot_of_id[bus] or not data:
            return False
        if data[0] == _CLIENT_TEXT:
            return True
        try:
            return any(isinstance(item, Access) and item.command == WRITE for item in parse(data))
        except FrameError:
            return False

    def _decode(self, values: Block, codes: Codes) -> None:
        self._decoder.decode(values)
        modes = self._mode_view
        np.take(_STATUS_OF_MODE, modes, out=codes[STATUS])
        np.take(_FAULT_OF_MODE, modes, out=codes[FAULT])
        is_fault = modes == Mode.FAULT
        if is_fault.any():
            codes[FAULT, is_fault] = self._decoder.faults()[is_fault]

    def write(self, drive: Drive, command: Block) -> None:
        """Send one frame to every motor. A command that cannot be encoded is not sent, and counted as an error."""
        if drive is Drive.COMMAND:
            self._command(command)
        elif drive is Drive.ENABLE:
            for bus, targets in self._targets:
                frames = [frame for frame in (self._still[slot] for slot, _ in targets) if frame is not None]
                bus.counters.errors += len(targets) - len(frames)
                bus.counters.expected += bus.send(frames)
        else:
            self._send(self._fixed[drive])

    def _command(self, command: Block) -> None:
        data, size = self._encoder.encode(command), COMMAND_BYTES
        valid = None if self._encoder.all_valid else self._encoder.valid
        for bus, targets in self._targets:
            sendable = targets if valid is None else [target for target in targets if valid[target[0]]]
            frames = [Frame(i, data[size * slot : size * slot + size], True, True) for slot, i in sendable]
            bus.counters.errors += len(targets) - len(frames)
            bus.counters.expected += bus.send(frames)

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:
        self._answers[slot] = Answers()
        self._still[slot] = None
        self._encoder.forget(slot)
        now_s, report, settings = yield from probe_motor(_Line(self, slot), timeout_s, now_s)
        if settings is not None:
            self._learn(slot, settings)
        return now_s, report

    def _learn(self, slot: int, settings: Settings) -> None:
        motor = self.motors[slot]
        gains = (settings.kp_nm_per_rad, settings.kd_nm_s_per_rad)
        self._encoder.learn(slot, motor, gains, settings.timeout_counts)
        self._still[slot] = make_still(motor, settings.timeout_counts)

    def _find_settings(self, slot: int, timeout_s: float, now_s: float) -> Found:  # noqa: ARG002 (it goes with every command)
        self._answers[slot] = Answers()
        return (yield from find_settings(_Line(self, slot), now_s))

    def _write_settings(self, slot: int, settings: KeptSettings, now_s: float) -> Changing:
        return (yield from write_settings(_Line(self, slot), settings, now_s))

    def set_zero(self, joint: str, now_s: float) -> Zeroing:
        """Make the present position of a motor its zero, until its power is cut. Only while it is off.

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
        address = codec.Address(line.motor.config.id)
        look = codec.make_query(address, QUERY)
        # The answer to a setting may still be of the moment before.
        for frame in (look, codec.make_set_output(address, 0.0, is_exact=True, query=QUERY), look):
            sent_s = now_s
            line.send(frame)
            while line.stamp_s <= sent_s and now_s < sent_s + ZERO_WAIT_S:
                now_s = yield
            if line.stamp_s <= sent_s:
                raise DeviceError(f"motor of {joint} does not answer: its zero was not set")
            mode = line.feedback.mode
            if mode != Mode.STOPPED:
                raise DeviceError(f"motor of {joint} is in mode {mode.name}: its zero may only be set while off")
        position_rad = line.feedback.position_rad
        if abs(position_rad) > ZERO_TOLERANCE_RAD:
            raise DeviceError(f"motor of {joint} reads {position_rad:.3f} rad after setting its zero; expected 0")
        return position_rad

    def fault_name(self, code: int) -> str:
        """The maker's name of a fault, or the mode that a motor is in instead of position control."""
        if code == MODE_FAULT | Mode.TIMEOUT:
            return "TIMED_OUT"
        if code & MODE_FAULT:
            return f"IN_MODE_{Mode(code & 0xF).name}"
        return codec.fault_name(code) or f"FAULT_{code}"

    def answers(self, slot: int) -> Answers:
        """What a motor has said besides feedback since its inventory began."""
        return self._answers[slot]

    def tell(self, slot: int, frame: Frame) -> None:
        """Send one frame to one motor, which does not answer."""
        self._buses[self.motors[slot].config.bus].send((frame,))

    def newest(self, slot: int) -> tuple[float, Feedback]:
        """Arrival and content of a motor's newest feedback."""
        size = REPLY.size
        _, _, position_rev, _, _, _, winding, _, home, voltage, board, fault, _ = REPLY.unpack(
            self._decoder.buffer[size * slot : size * slot + size]
        )
        feedback = Feedback(
            Mode(self._modes[slot]), fault, position_rev * TURN, max(winding, board), voltage * 0.5, home
        )
        return self._stamps[slot], feedback


class _Line:
    """One motor of a group, as its inventory reaches it. Implements `MotorLine`."""

    __slots__ = ("_group", "_slot", "motor")

    def __init__(self, group: MoteusMotors, slot: int) -> None:
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
    def feedback(self) -> Feedback:
        return self._group.newest(self._slot)[1]

    def send(self, frame: Frame) -> None:
        self._group.send_one(self._slot, frame)

    def tell(self, frame: Frame) -> None:
        self._group.tell(self._slot, frame)

    def fault_name(self, code: int) -> str:
        return self._group.fault_name(code)
