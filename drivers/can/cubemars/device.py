"""All CubeMars AK motors of one robot in MIT mode: commands out, feedback in.

Motors answer every frame with feedback on their master's identifier, 0 unless set otherwise, and say in its first byte
who they are. They do not say whether they are on, and cannot be asked for anything: a motor counts as on when it has
answered the frame that enters motor mode, and as off when it has answered one that leaves it.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.bus import CanBus, Frame
from drivers.can.cubemars import codec
from drivers.can.cubemars.batch import FeedbackBatch
from drivers.can.cubemars.tables import ATTEMPTS, REPLY_TIMEOUT_S, ZERO_SILENCE_S, ZERO_TOLERANCE_RAD
from drivers.can.impedance import MitBatch, encode_mit
from drivers.devices import (
    FAULT,
    NO_TIMEOUT_PROBLEM,
    QUESTIONS,
    SECOND_ANSWER_S,
    STATUS,
    TEMPERATURE,
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

_UNKNOWN, _OFF, _ON = int(MotorStatus.UNKNOWN), int(MotorStatus.DISABLED), int(MotorStatus.ENABLED)


class CubeMarsMotors(CanMotors):
    """All CubeMars motors of one robot, on all its buses. Implements `MotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in. Their feedback id is their master's.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.
    """

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, CanBus]) -> None:
        super().__init__(motors, buses)
        members = self._members
        self._ids = {name: frozenset(self.motors[slot].config.id for slot in slots) for name, slots in members.items()}
        self._slots: dict[str, dict[int, dict[int, int]]] = {name: {} for name in members}
        for slot, motor in enumerate(self.motors):
            masters = self._slots[motor.config.bus]
            masters.setdefault(motor.config.feedback_id, {})[motor.config.id] = slot
        count = len(self.motors)
        # Plain arrays, because storing one item is four times faster than in numpy; numpy sees the same memory.
        self._words = array("q", [0] * count)
        self._states = array("q", [_UNKNOWN] * count)
        self._is_short = array("b", [0] * count)
        self._heard = array("q", [0] * count)
        """Answers to frames that are no commands."""
        self._word_view: NDArray[np.int64] = np.frombuffer(self._words, dtype=np.int64)
        self._state_view: NDArray[np.int64] = np.frombuffer(self._states, dtype=np.int64)
        self._short_view: NDArray[np.bool_] = np.frombuffer(self._is_short, dtype=np.bool_)
        self._polls = 0
        """Cycles in which every motor was sent a frame that is no command."""
        self._answer_means = _OFF
        """What an answer says of its motor's state, by what was sent last; UNKNOWN where it says nothing new."""
        models = [motor.model for motor in self.motors]
        self._encoder = MitBatch(models)
        self._decoder = FeedbackBatch(models)
        leave = self._frames(lambda identifier: Frame(identifier, codec.EXIT_MOTOR_MODE))
        self._fixed: dict[Drive, Sending] = {
            Drive.POLL: leave,
            Drive.ENABLE: self._enable_frames(),
            Drive.DISABLE: leave,
            Drive.CLEAR_FAULT: leave,
        }
        self._targets = [
            (self._buses[name], [(slot, self.motors[slot].config.id) for slot in slots])
            for name, slots in members.items()
        ]

    def _enable_frames(self) -> Sending:
        """Enter motor mode between two commands of nothing, so that no command from before acts."""
        rows: Sending = []
        for name, slots in self._members.items():
            frames: list[Frame] = []
            for motor in (self.motors[slot] for slot in slots):
                nothing = Frame(motor.config.id, encode_mit(motor.model, (0.0,) * 5))
                frames += (nothing, Frame(motor.config.id, codec.ENTER_MOTOR_MODE), nothing)
            rows.append((self._buses[name], frames))
        return rows

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take this group's feedback; identified by the master's id first, then by the motor in it and the length."""
        masters = self._slots[bus]
        words, stamps, states, short = self._words, self._stamps, self._states, self._is_short
        means, heard = self._answer_means, self._heard
        strangers: list[Frame] = []
        number = int.from_bytes
        for frame in frames:
            slots = masters.get(frame[0])
            data = frame[1]
            size = len(data)
            slot = None if slots is None or frame[2] or size not in (6, 8) else slots.get(data[0])
            if slot is None:
                strangers.append(frame)
                continue
            words[slot] = number(data if size == 8 else data + b"\0\0", "big", signed=True)
            short[slot] = size == 6
            stamps[slot] = frame[4]
            if means:
                states[slot] = means
                heard[slot] += 1
        counters = self._buses[bus].counters
        accepted = len(frames) - len(strangers)
        if accepted:
            counters.received += accepted
            self._is_fresh = True
        if not strangers:
            return strangers
        ids = self._ids[bus]
        # A servo command has the motor's id in the lower byte of a 29-bit identifier.
        others = [f for f in strangers if not (f[0] in ids or (f[2] and f[0] < 0x900 and f[0] & 0xFF in ids))]
        counters.foreign_commands += len(strangers) - len(others)
        return others

    def _decode(self, values: Block, codes: Codes) -> None:
        errors = self._decoder.decode(self._word_view, values)
        codes[STATUS] = self._state_view
        codes[FAULT] = errors
        if errors.any():
            codes[STATUS, errors != 0] = int(MotorStatus.FAULT)
        if self._short_view.any():
            values[TEMPERATURE, self._short_view] = np.nan

    def write(self, drive: Drive, command: Block) -> None:
        """Send one frame to every motor. A command that cannot be encoded is not sent, and counted as an error."""
        if drive is not Drive.COMMAND:
            self._answer_means = _ON if drive is Drive.ENABLE else _OFF
            self._polls += 1
            self._send(self._fixed[drive])
            return
        self._answer_means = _UNKNOWN
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

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:  # noqa: ARG002 (none can be set)
        began_s = now_s
        problems: list[str] = []
        now_s = yield from self._poll(slot, now_s)
        if self._stamps[slot] > began_s:
            now_s = yield from self._count_answers(slot, problems, now_s)
        return now_s, self._report(slot, self._stamps[slot] > began_s, problems)

    def _poll(self, slot: int, began_s: float) -> Generator[None, float, float]:
        """Take one motor out of motor mode until it answers, at most a few times."""
        config = self.motors[slot].config
        now_s = began_s
        for _ in range(ATTEMPTS):
            self.send_one(slot, Frame(config.id, codec.EXIT_MOTOR_MODE))
            deadline_s = now_s + REPLY_TIMEOUT_S
            while self._stamps[slot] <= began_s and now_s < deadline_s:
                now_s = yield
            if self._stamps[slot] > began_s:
                break
        return now_s

    def _count_answers(self, slot: int, problems: list[str], now_s: float) -> Generator[None, float, float]:
        """Poll a few times: two motors with one id both answer. What the control loop asks meanwhile counts too."""
        config = self.motors[slot].config
        asked, answers = self._polls, self._heard[slot]
        for _ in range(QUESTIONS):
            self.send_one(slot, Frame(config.id, codec.EXIT_MOTOR_MODE))
            deadline_s = now_s + SECOND_ANSWER_S
            while now_s < deadline_s:
                now_s = yield
        problems += id_problems(config.id, QUESTIONS + self._polls - asked, self._heard[slot] - answers)
        return now_s

    def _newest(self, slot: int) -> codec.MotorFeedback:
        """A motor's newest feedback; meaningless before the first."""
        data = self._words[slot].to_bytes(8, "big", signed=True)
        return codec.decode_mit_feedback(data[:6] if self._is_short[slot] else data, self.motors[slot].model)

    def _report(self, slot: int, has_answered: bool, problems: list[str]) -> DeviceReport:
        motor = self.motors[slot]
        config = motor.config
        facts: dict[str, float | str] = {"make": config.make, "model": config.model}
        if not has_answered:
            problem = (
                f"motor {config.id} on {config.bus} does not answer {ATTEMPTS} polls: check power, cable, termination, "
                f"bit rate, that its id is {config.id} and its master's {config.feedback_id}, and that it is in MIT "
                "mode and not in servo mode"
            )
            return DeviceReport(motor.joint, config.bus, False, (problem,), facts)
        feedback = self._newest(slot)
        facts["position_rad"] = round(feedback.position_rad, 4)
        facts["temperature_degc"] = feedback.temperature_degc
        facts["ranges"] = "as in the table for this model; they cannot be read over CAN"
        if feedback.error_code:
            problems.append(f"reports fault {codec.error_name(feedback.error_code)}: find the cause, then power-cycle")
        if self._is_short[slot]:
            problems.append("reports neither temperature nor errors: update the firmware")
        problems.append(NO_TIMEOUT_PROBLEM)
        return DeviceReport(motor.joint, config.bus, True, tuple(problems), facts)

    def set_zero(self, joint: str, now_s: float) -> Zeroing:
        """Make the present position of a motor its zero. The motor is switched off for it.

        Args:
            joint: Whose motor.
            now_s: Time of the first step; the generator is resumed once a cycle with `send(now_s)`.

        Returns:
            The position read back afterwards, rad, motor frame.

        Raises:
            DeviceError: The motor does not answer, is not off, reports a fault, or does not read zero afterwards.
        """
        slot = self._slot_of(joint)
        now_s = yield from self._poll_for_zero(slot, now_s)
        self.send_one(slot, Frame(self.motors[slot].config.id, codec.SET_ZERO))
        deadline_s = now_s + ZERO_SILENCE_S
        # Only then is an answer to a poll of the control loop, from before the zero was set, out of the way for sure.
        while now_s < deadline_s:
            now_s = yield
        now_s = yield from self._poll_for_zero(slot, now_s)
        position_rad = self._newest(slot).position_rad
        if abs(position_rad) > ZERO_TOLERANCE_RAD:
            raise DeviceError(f"motor of {joint} reads {position_rad:.3f} rad after setting its zero; expected 0")
        return position_rad

    def _poll_for_zero(self, slot: int, began_s: float) -> Generator[None, float, float]:
        """Poll a motor whose zero is being set.

        Raises:
            DeviceError: It does not answer, is not off, or reports a fault.
        """
        joint = self.motors[slot].joint
        now_s = yield from self._poll(slot, began_s)
        if self._stamps[slot] <= began_s:
            raise DeviceError(f"motor of {joint} does not answer: its zero is not known to be set")
        error = self._newest(slot).error_code
        if error or self._states[slot] != _OFF:
            found = self.fault_name(error) if error else "that it may be on"
            raise DeviceError(f"motor of {joint} reports {found}: its zero may only be set while off and healthy")
        return now_s

    def fault_name(self, code: int) -> str:
        """The vendor's name of an error code."""
        return codec.error_name(code)
