"""All Dynamixel servos of one robot, in current control mode: goal currents out, one block of registers of each back.

A servo takes a current only, so that stiffness and damping become a torque here, from feedback that is one cycle old.
In each cycle and on each line there is one write, with all goals and one request, and one read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.bus import SerialPort
from drivers.devices import (
    FAULT,
    POSITION,
    STATUS,
    TEMPERATURE,
    TORQUE,
    VELOCITY,
    Block,
    Changing,
    Codes,
    Found,
    Settings,
    WiredMotor,
)
from drivers.host_impedance import HostImpedance
from drivers.motor_group import MotorProbe, SerialMotors, Zeroing
from drivers.serial.dynamixel import codec
from drivers.serial.dynamixel import instructions as make
from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.asking import Probed
from drivers.serial.dynamixel.batch import BLOCK, Goal, GoalCurrentBatch, field
from drivers.serial.dynamixel.commissioning import find_settings, write_settings
from drivers.serial.dynamixel.inventory import list_bytes, probe_motor
from drivers.serial.dynamixel.line import Question, ServoLine
from drivers.serial.dynamixel.settings import RegisterChange
from drivers.serial.dynamixel.zero import set_zero
from supervisor.core.command import Drive
from supervisor.core.joints import Vector
from supervisor.core.state import MotorStatus

_TORQUE_ENABLE, _LEVEL, _ERROR, _WATCHDOG, _CURRENT, _VELOCITY, _POSITION, _TEMPERATURE = map(field, t.CYCLE_BLOCK)
_CENTRE_RAD = t.CENTRE_COUNT * t.POSITION_COUNT_RAD
_ANY = -1
"""No watchdog expected: nobody has set it yet."""


class DynamixelMotors(SerialMotors):
    """All Dynamixel servos of one robot, on all its lines. Implements `SerialMotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open lines by name; those that no motor of this group is wired to are ignored.
    """

    has_settings: ClassVar[bool] = True

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, SerialPort]) -> None:
        super().__init__(motors, buses)
        self._servos = [t.SERVOS[motor.config.model] for motor in self.motors]
        count = len(self.motors)
        # Arrays below are in the order of the lines; `_slots` says which motor stands where.
        self._slots = [slot for members in self._members.values() for slot in members]
        self._order = np.array(self._slots, dtype=np.intp)
        self._blocks: NDArray[Any] = np.zeros(count, dtype=BLOCK)
        self._lines: list[tuple[ServoLine, slice]] = []
        self._place: dict[int, tuple[ServoLine, int]] = {}
        start = 0
        for name, members in self._members.items():
            span = slice(start, start + len(members))
            ids = [self.motors[slot].config.id for slot in members]
            addresses = [self._servos[slot].indirect_data for slot in members]
            line = ServoLine(self._buses[name], ids, addresses, self._blocks[span])
            self._lines.append((line, span))
            self._place.update((slot, (line, start + index)) for index, slot in enumerate(members))
            start = span.stop
        self._ids = [self.motors[slot].config.id for slot in self._slots]
        goals = [Goal(servo.torque_count_nm, servo.torque_max_count) for servo in self._servos]
        self._goals = GoalCurrentBatch([self._ids[span] for _, span in self._lines], self._slots, goals)
        self._count_nm: Vector = np.array([self._servos[slot].torque_count_nm for slot in self._slots])
        self._watchdog: NDArray[np.int64] = np.full(count, _ANY)
        self._fault: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self._is_on: NDArray[np.bool_] = np.zeros(count, dtype=np.bool_)
        self._has_spoken = [False] * count
        self._recovering: set[int] = set()
        self._turn_rad: Vector = np.zeros(count)
        self._motion: Block = np.full((4, count), np.nan)
        self._newest: Block = np.full((4, count), np.nan)
        self._impedance = HostImpedance([motor.model for motor in self.motors])
        self._nothing: Vector = np.zeros(count)
        self._probed: dict[str, Probed] = {}
        self._off = [self._write_all(span, t.TORQUE_ENABLE, 0) for _, span in self._lines]

    def receive(self, now_s: float) -> None:
        """Read every line once, and remember what its servos said."""
        stamps, slots, levels = self._stamps, self._slots, self._blocks[_LEVEL]
        for line, span in self._lines:
            for index in line.read(now_s):
                self._is_fresh = True
                self._has_spoken[span.start + index] = True
                # Without its list a servo sends something, but not where it is.
                if levels[span.start + index]:
                    stamps[slots[span.start + index]] = now_s

    def _decode(self, values: Block, codes: Codes) -> None:
        blocks, motion = self._blocks, self._motion
        is_listed = blocks[_LEVEL] != 0
        on = blocks[_TORQUE_ENABLE] != 0
        position = blocks[_POSITION] * t.POSITION_COUNT_RAD - _CENTRE_RAD
        # While it is off, a servo stands within one turn; while it is on, the turn is not taken from under it.
        turns = np.floor(blocks[_POSITION] / t.COUNTS_PER_TURN) * (2.0 * np.pi)
        np.copyto(self._turn_rad, turns, where=~(on & self._is_on))
        rows = (
            position - self._turn_rad,
            blocks[_VELOCITY] * t.VELOCITY_COUNT_RAD_PER_S,
            blocks[_CURRENT] * self._count_nm,
            blocks[_TEMPERATURE].astype(np.float64),
        )
        for target, row in zip((POSITION, VELOCITY, TORQUE, TEMPERATURE), rows, strict=True):
            np.copyto(motion[target], row, where=is_listed)
        watchdog = blocks[_WATCHDOG].astype(np.int64)
        has_expired = watchdog == t.WATCHDOG_EXPIRED
        is_other = (self._watchdog != _ANY) & (watchdog != self._watchdog) & ~has_expired
        fault = blocks[_ERROR].astype(np.int64)
        fault += has_expired * t.EXPIRED_FAULT
        self._fault = np.where(is_listed & ~is_other, fault, fault * is_listed + t.RESTARTED_FAULT)
        self._is_on = on & is_listed
        status = np.where(self._is_on, int(MotorStatus.ENABLED), int(MotorStatus.DISABLED))
        self._newest[:, self._order] = motion
        values[: TEMPERATURE + 1] = self._newest
        codes[STATUS, self._order] = np.where(self._fault != 0, int(MotorStatus.FAULT), status)
        codes[FAULT, self._order] = self._fault

    def write(self, drive: Drive, command: Block) -> None:
        """One write per line. Who is not heard, or whose command is not finite, gets no torque; the latter counts.

        Nothing that was commanded before acts when the servos are enabled: their goals are zero by then.
        """
        if drive is Drive.COMMAND:
            if not math.isfinite(command.sum()):
                command = self._without_refused(command)
            torque = self._impedance.torque(command, self._newest, self._stamp_view)
            for (line, _), packet in zip(self._lines, self._goals.encode(torque), strict=True):
                line.write(packet, may_ask=False)
            return
        goals = self._goals.encode(self._nothing)
        for (line, span), goal, off in zip(self._lines, goals, self._off, strict=True):
            if drive is Drive.ENABLE:
                # What waited was for servos that are off.
                line.forget()
                self._recovering.clear()
                fit = [at for at in self._spoken(span) if not self._fault[at]]
                line.write(goal + self._write_some(fit, t.TORQUE_ENABLE, 1), may_ask=False)
            elif drive is Drive.POLL:
                line.write(self._repair(span))
            elif drive is Drive.DISABLE:
                line.write(goal + off + self._repair(span))
            else:
                self._clear(line, span)
                line.write(goal + off + self._repair(span), may_ask=False)

    def _without_refused(self, command: Block) -> Block:
        """Commands without those that are no numbers, which are errors of their lines; zero is no torque."""
        refused = ~np.isfinite(command).all(axis=0)
        for slot in np.flatnonzero(refused).tolist():
            self._buses[self.motors[slot].config.bus].counters.errors += 1
        return np.where(refused, 0.0, command)

    def _clear(self, line: ServoLine, span: slice) -> None:
        """Have a line's servos restarted that report hardware errors, and all of them repaired. They stay off."""
        line.forget()
        for at in self._spoken(span):
            self._recovering.add(at)
            if self._fault[at] & t.HARDWARE_FAULTS:
                line.ask(Question(self._ids[at], make.make_reboot(self._ids[at]), 0), is_only=False)

    def _repair(self, span: slice) -> bytes:
        """Set again what servos have lost: what to read of them; and their watchdog, where faults are being cleared."""
        levels = self._blocks[_LEVEL]
        unlisted = [(self._ids[at], list_bytes()) for at in range(span.start, span.stop) if not levels[at]]
        packets = make.make_sync_write(t.INDIRECT_ADDRESS, len(list_bytes()), unlisted) if unlisted else b""
        if not self._recovering:
            return packets
        unwatched = [
            at
            for at in self._recovering.intersection(range(span.start, span.stop))
            if self._watchdog[at] != _ANY and self._blocks[_WATCHDOG][at] != self._watchdog[at]
        ]
        if unwatched:
            # One that has expired takes nothing but 0.
            packets += self._write_some(unwatched, t.BUS_WATCHDOG, 0)
            counts = [(self._ids[at], bytes((int(self._watchdog[at]),))) for at in unwatched]
            packets += make.make_sync_write(t.BUS_WATCHDOG.address, t.BUS_WATCHDOG.size, counts)
        return packets

    def _spoken(self, span: slice) -> list[int]:
        """Who on a line has ever answered the cycle's read."""
        return [at for at in range(span.start, span.stop) if self._has_spoken[at]]

    def _write_all(self, span: slice, register: t.Register, value: int) -> bytes:
        return self._write_some(range(span.start, span.stop), register, value)

    def _write_some(self, places: Sequence[int], register: t.Register, value: int) -> bytes:
        """One sync write of the same value; nothing where there is nobody."""
        data = codec.pack(value, register.size, is_signed=register.is_signed)
        items = [(self._ids[at], data) for at in places]
        return make.make_sync_write(register.address, register.size, items) if items else b""

    def send_one(self, slot: int, data: bytes) -> None:
        """Ask one motor something outside the cycle's read, in one of the next cycles; its answer has no data."""
        self._place[slot][0].ask(Question(self.motors[slot].config.id, data, 0))

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:
        probed = self._probed[self.motors[slot].joint] = Probed(_Reached(self, slot), self._servos[slot])
        self.expect_watchdog(slot, None)
        return (yield from probe_motor(probed, timeout_s, now_s))

    def register_changes(self) -> Mapping[str, Sequence[RegisterChange]]:
        """What must be set otherwise, by joint, as the last inventory found it; who did not answer is missing."""
        return {joint: probed.changes for joint, probed in self._probed.items() if probed.found}

    def _find_settings(self, slot: int, timeout_s: float, now_s: float) -> Found:  # noqa: ARG002 (it is not stored)
        return (yield from find_settings(Probed(_Reached(self, slot), self._servos[slot]), now_s))

    def _write_settings(self, slot: int, settings: Settings, now_s: float) -> Changing:
        probed = Probed(_Reached(self, slot), self._servos[slot])
        return (yield from write_settings(probed, settings, now_s))

    def set_zero(self, joint: str, now_s: float) -> Zeroing:
        """Make the present position of a motor its zero, in EEPROM. Only while it is off; see `zero`."""
        slot = self._slot_of(joint)
        return (yield from set_zero(Probed(_Reached(self, slot), self._servos[slot]), now_s))

    def fault_name(self, code: int) -> str:
        """The maker's names of all hardware errors that are set, and ours of the rest."""
        names = codec.hardware_error_names(code & t.HARDWARE_FAULTS)
        names += [name for bit, name in t.FURTHER_FAULTS.items() if code & bit]
        return " and ".join(names) or "NONE"

    def expect_watchdog(self, slot: int, count: int | None) -> None:
        """What a servo's watchdog must read from now on; None before it was set."""
        self._watchdog[self._place[slot][1]] = _ANY if count is None else count

    def newest(self, slot: int) -> tuple[ServoLine, float, Any]:
        """A servo's line, when its newest block came, and that block."""
        line, at = self._place[slot]
        return line, self._stamps[slot], self._blocks[at]


class _Reached:
    """One servo of a group, as its inventory reaches it. Implements `MotorLine`."""

    __slots__ = ("_group", "_slot", "line", "motor")

    def __init__(self, group: DynamixelMotors, slot: int) -> None:
        self._group = group
        self._slot = slot
        self.motor = group.motors[slot]
        self.line = group.newest(slot)[0]

    @property
    def block_s(self) -> float:
        return self._group.newest(self._slot)[1]

    @property
    def block(self) -> Any:
        return self._group.newest(self._slot)[2]

    def expect_watchdog(self, count: int | None) -> None:
        self._group.expect_watchdog(self._slot, count)
