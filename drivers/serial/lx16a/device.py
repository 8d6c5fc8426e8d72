"""All LX-16A servos of one robot: a move to each in every cycle, and a question to one of them per line.

Nothing can be asked of many at once, so a servo's position is as old as its line has servos, in cycles. Speed is what
two positions make of it, torque what the stiffness makes of the distance to the goal. A servo that is too warm, has too
much voltage or is stalled switches itself off and does not say why: UNLOADED is what remains to be seen of it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import SerialPort
from drivers.devices import POSITION, TEMPERATURE, TORQUE, VELOCITY, Changing, Found, Settings, WiredMotor
from drivers.host_position import Mask
from drivers.motor_group import MotorProbe
from drivers.serial.framing import Packet
from drivers.serial.half_duplex import Line, Question
from drivers.serial.lx16a import codec
from drivers.serial.lx16a.inventory import probe_servo
from drivers.serial.lx16a.settings import find_settings, write_settings
from drivers.serial.lx16a.tables import (
    ATTEMPTS,
    CENTRE_COUNT,
    FAULT_BITS,
    MODELS,
    OVER_TEMPERATURE,
    OVER_VOLTAGE,
    POSITION_COUNT_RAD,
    POSITION_COUNTS,
    READ_LOAD,
    READ_MAX_TEMPERATURE,
    READ_POSITION,
    READ_TEMPERATURE,
    READ_VOLTAGE,
    READ_VOLTAGE_LIMITS,
    REPLY_TIMEOUT_S,
    UNLOADED,
)
from drivers.serial.position_servos import OFF, ON, PositionServos

_CENTRE_RAD: Final = CENTRE_COUNT * POSITION_COUNT_RAD
_HALF_COUNT: Final = 0.499_999
_BOUNDS_RAD: Final = tuple(
    (count + beyond) * POSITION_COUNT_RAD - _CENTRE_RAD
    for count, beyond in zip(POSITION_COUNTS, (-_HALF_COUNT, _HALF_COUNT), strict=True)
)


class Lx16aServos(PositionServos):
    """All LX-16A servos of one robot, on all its lines. Implements `SerialMotorGroup`.

    Args:
        motors: The servos, in the order of every array passed in.
        buses: Open lines by name; those that no servo of this group is wired to are ignored.
    """

    has_settings: ClassVar[bool] = True

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, SerialPort]) -> None:
        self._ids = [motor.config.id for motor in motors]
        count = len(motors)
        models = [MODELS[motor.config.model] for motor in motors]
        self._torque_max: NDArray[np.float64] = np.array([model.torque_max_nm for model in models])
        self._damping: NDArray[np.float64] = np.array([model.damping_nm_s_per_rad for model in models])
        self._goal: NDArray[np.float64] = np.full(count, np.nan)
        """What each was last sent to; NaN while it is off."""
        self._read = array("d", [math.nan] * (TEMPERATURE + 1) * count)
        self._read_view = np.frombuffer(self._read, dtype=np.float64).reshape(-1, count)
        self._answers: list[dict[int, bytes]] = [{} for _ in motors]
        """The newest answer to each question, by servo."""
        super().__init__(motors, buses, models, codec.make_parser)

    def _fill_questions(self) -> None:
        for line in self.lines.values():
            ids = [self._ids[slot] for slot in line.slots]
            line.motions += (Question(codec.make_read(i, READ_POSITION), 1) for i in ids)
            line.opening += (Question(codec.make_read(i, READ_TEMPERATURE), 1) for i in ids)
            line.switches += (Question(codec.make_read(i, READ_LOAD), 1) for i in ids)
            line.others += (
                Question(codec.make_read(i, command), 1) for command in (READ_TEMPERATURE, READ_VOLTAGE) for i in ids
            )

    def _take(self, line: Line, slot: int, packet: Packet, now_s: float) -> bool:  # noqa: ARG002 (one line is like another)
        command = packet.instruction
        data = codec.match_reply(packet, self._ids[slot], command)
        if data is None:
            # An echo: a question has no parameters, and an order is none of the answers.
            return False
        self._answers[slot][command] = data
        read, count = self._read_view, len(self.motors)
        if command == READ_POSITION:
            position = codec.decode_position(packet) - _CENTRE_RAD
            elapsed_s = now_s - self._stamps[slot]
            if elapsed_s > 0.0:
                before = self._read[POSITION * count + slot]
                self._read[VELOCITY * count + slot] = (position - before) / elapsed_s if elapsed_s < math.inf else 0.0
            self._read[POSITION * count + slot] = position
            self._stamps[slot] = now_s
        elif command == READ_TEMPERATURE:
            read[TEMPERATURE, slot] = codec.decode_temperature(packet)
            self._judge(slot, OVER_TEMPERATURE, data[0] >= self._limit(slot, READ_MAX_TEMPERATURE, 0, 1))
        elif command == READ_VOLTAGE:
            high = self._limit(slot, READ_VOLTAGE_LIMITS, 2, 2)
            self._judge(slot, OVER_VOLTAGE, int.from_bytes(data, "little") > high)
        elif command == READ_LOAD:
            self._take_switch(slot, ON if data[0] else OFF)
        return True

    def _limit(self, slot: int, command: int, at: int, size: int) -> float:
        """A limit that the inventory has read; none before."""
        data = self._answers[slot].get(command)
        return math.inf if data is None else int.from_bytes(data[at : at + size], "little")

    def _judge(self, slot: int, bit: int, is_wrong: bool) -> None:
        self._errors[slot] = self._errors[slot] | bit if is_wrong else self._errors[slot] & ~bit

    def _take_switch(self, slot: int, switch: int) -> None:
        if switch == OFF and self._switch[slot] == ON and self.is_driven(slot):
            # It was on, and was told to go somewhere: it has let go by itself.
            self._errors[slot] |= UNLOADED
        self._switch[slot] = switch

    def _forget_faults(self, line: Line) -> None:
        for slot in line.slots:
            self._errors[slot] &= ~UNLOADED

    def _fill_feedback(self) -> None:
        feedback = self._feedback
        np.copyto(feedback, self._read_view)
        # The drive grows with the distance to the goal until it is full, and turning takes torque away.
        drive = feedback[TORQUE]
        np.subtract(self._goal, feedback[POSITION], out=drive)
        drive *= self.host.stiffness
        np.clip(drive, -self._torque_max, self._torque_max, out=drive)
        drive -= self._damping * feedback[VELOCITY]

    def _in_range(self, goals: NDArray[np.float64]) -> Mask:
        return (goals >= _BOUNDS_RAD[0]) & (goals <= _BOUNDS_RAD[1])

    def _goals(self, line: Line, slots: Sequence[int], goals: NDArray[np.float64]) -> bytes:  # noqa: ARG002 (one line is like another)
        packets: list[bytes] = []
        for slot in slots:
            goal = float(goals[slot])
            self._goal[slot] = goal
            # As fast as it can: the path is the host's business.
            packets.append(codec.make_move(self._ids[slot], goal + _CENTRE_RAD, 0))
        return b"".join(packets)

    def _start(self, line: Line, slots: Sequence[int], goals: NDArray[np.float64]) -> bytes:
        loads = b"".join(codec.make_load(self._ids[slot], is_loaded=True) for slot in slots)
        # A goal first, so that it never starts with an old one.
        return self._goals(line, slots, goals) + loads

    def _stop(self, line: Line, slots: Sequence[int]) -> bytes:  # noqa: ARG002 (one line is like another)
        return b"".join(codec.make_load(self._ids[slot], is_loaded=False) for slot in slots)

    def fault_name(self, code: int) -> str:
        """The names of the bits in a fault code."""
        return "+".join(FAULT_BITS.get(bit, f"BIT_{bit}") for bit in range(8) if code >> bit & 1)

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:  # noqa: ARG002 (none can be set)
        return (yield from probe_servo(_Servo(self, slot), now_s))

    def read(self, slot: int, command: int, now_s: float) -> Generator[None, float, tuple[float, bytes | None]]:
        """Ask one servo one question; returns the time at the end, and the answer."""
        answers = self._answers[slot]
        before = answers.pop(command, None)
        question = codec.make_read(self._ids[slot], command)
        now_s = yield from self.ask(slot, question, lambda: command in answers, now_s, ATTEMPTS, REPLY_TIMEOUT_S)
        found = answers.get(command)
        if found is None and before is not None:
            answers[command] = before
        return now_s, found

    def _find_settings(self, slot: int, timeout_s: float, now_s: float) -> Found:  # noqa: ARG002 (there is none)
        return (yield from find_settings(_Servo(self, slot), now_s))

    def _write_settings(self, slot: int, settings: Settings, now_s: float) -> Changing:
        return (yield from write_settings(_Servo(self, slot), settings, now_s))


class _Servo:
    """One servo of a group, as its inventory reaches it. Implements `ServoLine`."""

    __slots__ = ("_group", "_slot", "motor")

    def __init__(self, group: Lx16aServos, slot: int) -> None:
        self._group, self._slot, self.motor = group, slot, group.motors[slot]

    def read(self, command: int, now_s: float) -> Generator[None, float, tuple[float, bytes | None]]:
        return self._group.read(self._slot, command, now_s)

    def switch_off(self) -> None:
        self._group.release(self._slot)
        self.order(codec.make_load(self.motor.config.id, is_loaded=False))

    def order(self, packet: bytes) -> None:
        self._group.send_one(self._slot, packet)

    @property
    def spoilt_bytes(self) -> int:
        return self._group.lines[self.motor.config.bus].spoilt_bytes

    def silence_problem(self, asked: str, spoilt_bytes: int) -> str:
        return self._group.silence_problem(self._slot, asked, spoilt_bytes)
