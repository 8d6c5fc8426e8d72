"""All RobStride motors of one robot that speak the 11-bit MIT variant: commands out, feedback and faults in.

Motors answer on the host's identifier, and say in the first byte who they are. Feedback does not say whether a motor is
on: one counts as on when it has answered the frame that enables it, and as off when it has answered one that stops it.
Nor does it tell faults: in every cycle one motor of each bus is asked for them besides.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Mapping, Sequence
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from drivers.bus import CanBus, Frame
from drivers.can.impedance import MitBatch, encode_mit
from drivers.can.robstride import mit_codec as codec
from drivers.can.robstride.tables import ATTEMPTS, HOST_ID, REPLY_TIMEOUT_S, WRAP_MARGIN_RAD
from drivers.can.robstride_mit.batch import FeedbackBatch
from drivers.can.robstride_mit.tables import FAULT_NAMES
from drivers.devices import (
    FAULT,
    NO_TIMEOUT_PROBLEM,
    QUESTIONS,
    SECOND_ANSWER_S,
    STATUS,
    Block,
    Codes,
    WiredMotor,
    id_problems,
)
from drivers.motor_group import CanMotors, MotorProbe, Sending, Zeroing
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.exchange import DeviceReport
from supervisor.core.state import MotorStatus

ZERO_TOLERANCE_RAD = 0.02
"""What a motor may read right after setting its zero: it hangs free and may creep."""

_ONLY_A_QUESTION = 0
_UNKNOWN, _OFF, _ON = int(MotorStatus.UNKNOWN), int(MotorStatus.DISABLED), int(MotorStatus.ENABLED)


class RobStrideMitMotors(CanMotors):
    """All RobStride motors of one robot in the MIT variant, on all its buses. Implements `MotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.
    """

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, CanBus]) -> None:
        super().__init__(motors, buses)
        members = self._members
        ids = [motor.config.id for motor in self.motors]
        self._slots = {name: {ids[slot]: slot for slot in slots} for name, slots in members.items()}
        count = len(ids)
        # Plain arrays, because storing one item is four times faster than in numpy; numpy sees the same memory.
        self._words = array("q", [0] * count)
        self._states = array("q", [_UNKNOWN] * count)
        self._faults = array("q", [0] * count)
        self._word_view: NDArray[np.int64] = np.frombuffer(self._words, dtype=np.int64)
        self._state_view: NDArray[np.int64] = np.frombuffer(self._states, dtype=np.int64)
        self._fault_view: NDArray[np.int64] = np.frombuffer(self._faults, dtype=np.int64)
        self._answers = [0] * count
        """Fault replies of each motor."""
        self._questions = [0] * count
        self._answer_means = _OFF
        """What feedback says of its motor's state, by what was sent last; UNKNOWN where it says nothing new."""
        models = [motor.model for motor in self.motors]
        self._encoder = MitBatch(models)
        self._decoder = FeedbackBatch(models)
        stop = self._frames(lambda identifier: Frame(identifier, codec.DISABLE))
        clear = self._frames(lambda identifier: codec.make_fault_request(identifier, codec.CLEAR_FAULT))
        self._fixed: dict[Drive, Sending] = {
            Drive.POLL: stop,
            Drive.ENABLE: self._enable_frames(),
            Drive.DISABLE: stop,
            Drive.CLEAR_FAULT: [(bus, [*frames, *more]) for (bus, frames), (_, more) in zip(stop, clear, strict=True)],
        }
        self._targets = [(self._buses[name], [(slot, ids[slot]) for slot in slots]) for name, slots in members.items()]
        self._turns = [(self._buses[name], cycle(slots)) for name, slots in members.items()]

    def _enable_frames(self) -> Sending:
        """Enable between two commands of nothing, so that no command from before acts."""
        rows: Sending = []
        for name, slots in self._members.items():
            frames: list[Frame] = []
            for motor in (self.motors[slot] for slot in slots):
                nothing = Frame(motor.config.id, encode_mit(motor.model, (0.0,) * 5))
                frames += (nothing, Frame(motor.config.id, codec.ENABLE), nothing)
            rows.append((self._buses[name], frames))
        return rows

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take this group's feedback and fault replies; identified by the host's id, the motor in them, the length."""
        slots = self._slots[bus]
        words, stamps, states = self._words, self._stamps, self._states
        means = self._answer_means
        strangers: list[Frame] = []
        for frame in frames:
            data = frame[1]
            slot = slots.get(data[0]) if frame[0] == HOST_ID and len(data) == 8 and not (frame[2] or frame[3]) else None
            if slot is None:
                strangers.append(frame)
            elif codec.is_fault_reply(data):
                self._faults[slot] = codec.decode_fault_reply(data).fault_bits
                self._answers[slot] += 1
                self._is_fresh = True
            else:
                words[slot] = int.from_bytes(data, "big", signed=True)
                stamps[slot] = frame[4]
                self._is_fresh = True
                if means:
                    states[slot] = means
        counters = self._buses[bus].counters
        counters.received += len(frames) - len(strangers)
        others = [frame for frame in strangers if frame[2] or frame[0] & 0xFF not in slots or frame[0] > 0x2FF]
        counters.foreign_commands += len(strangers) - len(others)
        return others

    def _decode(self, values: Block, codes: Codes) -> None:
        self._decoder.decode(self._word_view, values)
        codes[STATUS] = self._state_view
        codes[FAULT] = self._fault_view
        codes[STATUS, self._fault_view != 0] = int(MotorStatus.FAULT)

    def write(self, drive: Drive, command: Block) -> None:
        """Send one frame to every motor. A command that cannot be encoded is not sent, and counted as an error."""
        if drive is Drive.COMMAND:
            self._answer_means = _UNKNOWN
            self._command(command)
        else:
            self._answer_means = _ON if drive is Drive.ENABLE else _OFF
            self._send(self._fixed[drive])
        for _, slots in self._turns:
            self._ask_for_faults(next(slots))

    def _command(self, command: Block) -> None:
        data = self._encoder.encode(command)
        valid = None if self._encoder.all_valid else self._encoder.valid
        for bus, targets in self._targets:
            frames = [
                Frame(identifier, data[8 * slot : 8 * slot + 8])
                for slot, identifier in targets
                if valid is None or valid[slot]
            ]
            bus.counters.errors += len(targets) - len(frames)
            bus.counters.expected += bus.send(frames)

    def _ask_for_faults(self, slot: int) -> None:
        self._questions[slot] += 1
        self.send_one(slot, codec.make_fault_request(self.motors[slot].config.id, _ONLY_A_QUESTION))

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:  # noqa: ARG002 (none can be set)
        motor = self.motors[slot]
        config = motor.config
        facts: dict[str, float | str] = {"make": config.make, "model": config.model}
        now_s, has_answered = yield from self._poll(slot, now_s)
        if not has_answered:
            problem = (
                f"motor {config.id} on {config.bus} does not answer {ATTEMPTS} polls: check power, cable, termination, "
                f"bit rate, that its id is {config.id} and its master's {HOST_ID}, and that it speaks MIT and not the "
                "private protocol or CANopen"
            )
            return now_s, DeviceReport(motor.joint, config.bus, False, (problem,), facts)
        now_s, problems = yield from self._look_for_faults(slot, now_s)
        feedback = self._newest(slot)
        facts["position_rad"] = round(feedback.position_rad, 4)
        facts["temperature_degc"] = round(feedback.temperature_degc, 1)
        facts["ranges"] = "as in the table for this model; they cannot be read in this protocol"
        limit = motor.model.position_max_rad
        if abs(feedback.position_rad) > limit - WRAP_MARGIN_RAD:
            problems.append(
                f"stands at {feedback.position_rad:.2f} rad, where the reported position wraps at {limit:g} rad: "
                "move its zero"
            )
        return now_s, DeviceReport(motor.joint, config.bus, True, (*problems, NO_TIMEOUT_PROBLEM), facts)

    def _poll(self, slot: int, began_s: float) -> Generator[None, float, tuple[float, bool]]:
        """Stop one motor until it answers, at most a few times; the time, and whether it did."""
        now_s = began_s
        for _ in range(ATTEMPTS):
            self.send_one(slot, Frame(self.motors[slot].config.id, codec.DISABLE))
            deadline_s = now_s + REPLY_TIMEOUT_S
            while self._stamps[slot] <= began_s and now_s < deadline_s:
                now_s = yield
            if self._stamps[slot] > began_s:
                break
        return now_s, self._stamps[slot] > began_s

    def _look_for_faults(self, slot: int, now_s: float) -> Generator[None, float, tuple[float, list[str]]]:
        """Ask for faults a few times: two motors with one id both answer."""
        identifier = self.motors[slot].config.id
        asked, answered = self._questions[slot], self._answers[slot]
        for attempt in range(ATTEMPTS):
            if attempt >= QUESTIONS and self._answers[slot] > answered:
                break
            self._ask_for_faults(slot)
            deadline_s = now_s + SECOND_ANSWER_S
            while now_s < deadline_s:
                now_s = yield
        answers, bits = self._answers[slot] - answered, self._faults[slot]
        problems = id_problems(identifier, self._questions[slot] - asked, answers)
        if not answers:
            problems.append(f"does not say its faults, though asked {ATTEMPTS} times: update the firmware")
        if bits:
            problems.append(f"reports fault {self.fault_name(bits)}: find the cause, then clear it")
        return now_s, problems

    def _newest(self, slot: int) -> codec.MotorFeedback:
        """A motor's newest feedback; meaningless before the first."""
        return codec.decode_feedback(self._words[slot].to_bytes(8, "big", signed=True), self.motors[slot].model)

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
        for attempt in range(2):
            if attempt:
                self.send_one(slot, Frame(self.motors[slot].config.id, codec.SET_ZERO))
                # An answer to a poll from before it must not be taken for what the motor reads now.
                deadline_s = now_s + REPLY_TIMEOUT_S
                while now_s < deadline_s:
                    now_s = yield
            now_s, has_answered = yield from self._poll(slot, now_s)
            if not has_answered:
                raise DeviceError(f"motor of {joint} does not answer: its zero is not known to be set")
            bits = self._faults[slot]
            if bits or self._states[slot] != _OFF:
                found = self.fault_name(bits) if bits else "that it may be on"
                raise DeviceError(f"motor of {joint} reports {found}: its zero may only be set while off and healthy")
        position_rad = self._newest(slot).position_rad
        if abs(position_rad) > ZERO_TOLERANCE_RAD:
            raise DeviceError(f"motor of {joint} reads {position_rad:.3f} rad after setting its zero; expected 0")
        return position_rad

    def fault_name(self, code: int) -> str:
        """The vendor's names of all fault bits that are set."""
        return " and ".join(FAULT_NAMES.get(bit, f"BIT_{bit}") for bit in range(16) if code >> bit & 1) or "NONE"
