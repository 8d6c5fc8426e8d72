"""Simulated Damiao motors: MIT frames in, feedback frames and register replies out, impedance control in between.

All motors of a robot are kept in arrays, so that a control cycle costs the same handful of array operations for three
motors as for thirty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import Frame
from drivers.can.damiao.tables import (
    BROADCAST_ID,
    CONTROL_MODE_MIT,
    MODELS,
    REGISTER_CONTROL_MODE,
    REGISTER_MASTER_ID,
    REGISTER_MOTOR_ID,
    REGISTER_TIMEOUT,
    STATUS_DISABLED,
    STATUS_ENABLED,
    STATUS_NAMES,
    TIMEOUT_COUNT_S,
)
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.damiao_wire import WireRanges, Words, factory_registers, read_register, write_register
from supervisor.core.errors import SimulationError
from supervisor.core.joints import Vector
from supervisor.core.robot import JointConfig

REPLY_S: Final = 0.0003
"""From a command to its answer at the host: two frames at 1 Mbit/s and a little."""

AMBIENT_DEGC: Final = 25.0
WARM_UP_S: Final = 120.0
RISE_AT_FULL_TORQUE_DEGC: Final = 300.0
"""Where the winding would end at full torque for ever; at a third of it, the usual rating, 33 degC above ambient."""
THERMAL_STEP_S: Final = 0.1

VELOCITY_NOISE: Final = 0.00025
TORQUE_NOISE: Final = 0.0005
"""Standard deviation, of the full range: half a count and one count of the feedback frame."""
NOISE_BLOCK: Final = 512

FAULT_CODES: Final = {
    name: code for code, name in STATUS_NAMES.items() if code not in (STATUS_DISABLED, STATUS_ENABLED)
}
LOST_COMM: Final = FAULT_CODES["LOST_COMM"]
UNDER_VOLTAGE: Final = FAULT_CODES["UNDER_VOLTAGE"]

_SPECIAL: Final = b"\xff" * 7
_CLEAR, _ENABLE, _DISABLE, _SET_ZERO = 0xFB, 0xFC, 0xFD, 0xFE
_READ, _WRITE, _STORE, _POLL = 0x33, 0x55, 0xAA, 0xCC

Answer = tuple[int, bytes | None]
"""Who answers, and with what; None for feedback."""


class DamiaoMotors:
    """The Damiao motors of one robot. A `SimulatedMotors`.

    Args:
        joints: One per motor: the wiring, and where the motor sits.
        buses: Names of the robot's CAN buses, in the order of the inboxes.
        seed: Of the sensors' noise.
        noise_scale: Multiplies the noise.

    Raises:
        SimulationError: A model that the table does not have.
    """

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        unknown = sorted({joint.motor.model for joint in joints} - MODELS.keys())
        if unknown:
            raise SimulationError(f"no Damiao model {', '.join(unknown)}; known: {', '.join(MODELS)}")
        n = len(joints)
        self._joints, self._buses = tuple(joints), tuple(buses)
        self._rng, self._noise_scale = np.random.default_rng(list(seed)), noise_scale
        self._noise_at = NOISE_BLOCK
        self._flash = [factory_registers(joint.motor) for joint in joints]
        self._registers = [dict(registers) for registers in self._flash]
        self._conditions = [MotorCondition(p) for p in range(n)]
        self._forced = [0] * n
        self._status: NDArray[np.int64] = np.zeros(n, dtype=np.int64)
        self._heard_s: Vector = np.zeros(n)
        self._winding_degc: Vector = np.full(n, AMBIENT_DEGC)
        self._thermal_s = -math.inf
        self._target: NDArray[np.float64] = np.zeros((5, n))
        """Rows: position, velocity, kp, kd, torque; zero where a motor is off, which makes its torque zero."""
        self._motion: NDArray[np.float64] = np.zeros((3, n))
        """Rows: position, velocity and torque as the motor knows them."""
        self._sensed = b""
        """The joints' motion that `_motion` was made from; empty when it must be made anew."""
        self._error: NDArray[np.float64] = np.zeros((2, n))
        self._joint_torque: Vector = np.zeros(n)
        self._held: Vector = np.zeros(n)
        self._zero: Vector = np.array([joint.offset_rad * joint.gear * joint.direction for joint in joints])
        """What each motor's encoder reads at its joint's zero."""
        self._learn_registers()
        self._learn_conditions()

    # Commands and answers, once per control cycle

    def exchange(
        self, inboxes: Sequence[list[Frame]], position_rad: Vector, velocity_rad_per_s: Vector, now_s: float
    ) -> list[list[Frame]]:
        """Act on what the host sent, and answer. See `SimulatedMotors.exchange`."""
        self._sense(position_rad, velocity_rad_per_s)
        if now_s - self._thermal_s >= THERMAL_STEP_S:
            self._warm_up(now_s)
        if self._all_driving and self._take_usual(inboxes, now_s):
            return self._answer(self._usual_answers, now_s + REPLY_S)
        motors: list[int] = []
        commands: list[bytes] = []
        answers: list[list[Answer]] = []
        for routes, frames in zip(self._routes, inboxes, strict=True):
            said: list[Answer] = []
            for frame in frames:
                data = frame[1]
                reached = routes.get(frame[0])
                if reached is None or len(data) != 8 or frame[2]:
                    self._request(routes, frame, said)
                    continue
                is_special = data[7] >= _CLEAR and data.startswith(_SPECIAL)
                if is_special and commands:
                    self._command(motors, commands, now_s)
                    motors, commands = [], []
                for motor in reached:
                    if is_special:
                        self._switch(motor, data[7], now_s)
                    else:
                        motors.append(motor)
                        commands.append(data)
                    said.append((motor, None))
            answers.append(said)
        if commands:
            self._command(motors, commands, now_s)
        return self._answer(answers, now_s + REPLY_S)

    def _take_usual(self, inboxes: Sequence[list[Frame]], now_s: float) -> bool:
        """Take the usual cycle in one go: one MIT command for each motor, in order. False if it is not one."""
        frames = [frame for inbox in inboxes for frame in inbox]
        if [frame[0] for frame in frames] != self._usual_ids or [*map(len, inboxes)] != self._usual_counts:
            return False
        data = b"".join([frame[1] for frame in frames])
        if len(data) != 8 * len(frames) or _SPECIAL in data or True in [frame[2] for frame in frames]:
            return False
        self._ranges.decode(data, slice(None), self._target)
        self._heard_s.fill(now_s)
        self._deadline_s = now_s + self._shortest_timeout_s
        return True

    def _answer(self, answers: list[list[Answer]], arrival_s: float) -> list[list[Frame]]:
        if self._noise_at >= NOISE_BLOCK:
            self._noise_at = 0
            noise = self._rng.standard_normal((NOISE_BLOCK, 2, len(self._joints))) * self._noise_deviation
            self._readings = self._ranges.readings(noise)
        feedback = self._ranges.encode(self._motion, self._readings[self._noise_at], self._heads)
        self._noise_at += 1
        ids, new = self._master_ids, tuple.__new__  # what Frame(...) comes down to, in half the time
        return [
            [
                new(Frame, (ids[p], feedback[8 * p : 8 * p + 8] if reply is None else reply, False, False, arrival_s))
                for p, reply in said
            ]
            for said in answers
        ]

    def _command(self, motors: list[int], data: list[bytes], now_s: float) -> None:
        """Take MIT commands. A motor that is off, or in another mode, keeps still."""
        values = self._ranges.decode(b"".join(data), motors)
        for column, motor in enumerate(motors):
            if self._is_driving[motor]:
                self._target[:, motor] = values[:, column]
        self._heard_s[motors] = now_s
        self._find_deadline()

    def _switch(self, motor: int, what: int, now_s: float) -> None:
        status = int(self._status[motor])
        self._heard_s[motor] = now_s
        if what == _ENABLE and status == STATUS_DISABLED:
            self._set_status(motor, STATUS_ENABLED)
        elif status == {_DISABLE: STATUS_ENABLED, _CLEAR: self._latched(motor)}.get(what):
            self._set_status(motor, STATUS_DISABLED)
        elif what == _SET_ZERO and status == STATUS_DISABLED:
            self._zero[motor] -= self._motion[0, motor]
            self._motion[0, motor] = 0.0
            self._learn_conditions()
        self._find_deadline()

    def _latched(self, motor: int) -> int:
        """The fault that a clear would take away; -1 for none, or for one whose cause lasts."""
        status = int(self._status[motor])
        return -1 if status in (STATUS_DISABLED, STATUS_ENABLED, self._forced[motor]) else status

    def _set_status(self, motor: int, status: int) -> None:
        """Change state; whatever was commanded is forgotten, so that a motor never starts with an old target."""
        self._status[motor] = status
        self._target[:, motor] = 0.0
        self._motion[2, motor] = 0.0
        self._learn_status()

    def _request(self, routes: dict[int, list[int]], frame: Frame, said: list[Answer]) -> None:
        """Answer a poll or a register request; silence for anything else."""
        data = frame.data
        if frame.arbitration_id == BROADCAST_ID and len(data) == 8 and not frame.is_extended:
            for motor in routes.get(data[0] | data[1] << 8, ()):
                self._answer_request(motor, data, said)

    def _answer_request(self, motor: int, data: bytes, said: list[Answer]) -> None:
        operation, register = data[2], data[3]
        registers = self._registers[motor]
        if operation == _POLL:
            said.append((motor, None))
        elif operation == _STORE and self._status[motor] != STATUS_ENABLED:
            self._flash[motor] = dict(registers)
            said.append((motor, data))
        elif operation == _READ and register in registers:
            said.append((motor, data[:4] + read_register(registers, register)))
        elif operation == _WRITE and register in registers:
            write_register(registers, register, data[4:])
            said.append((motor, data))
            self._learn_registers()
            self._learn_conditions()

    # Physics, once per physics step

    def torque(self, position_rad: Vector, velocity_rad_per_s: Vector, now_s: float) -> Vector:
        """(n,) joint torques for one physics step. The same array every time."""
        if now_s > self._deadline_s:
            self._expire(now_s)
        self._sense(position_rad, velocity_rad_per_s)
        motion, target, error = self._motion, self._target, self._error
        torque = motion[2]
        np.subtract(target[:2], motion[:2], out=error)
        error *= target[2:4]
        np.add(error[0], error[1], out=torque)
        torque += target[4]
        np.minimum(torque, self._torque_max, out=torque)
        np.maximum(torque, self._torque_min, out=torque)
        return np.multiply(torque, self._output_gain, out=self._joint_torque)

    def _sense(self, position_rad: Vector, velocity_rad_per_s: Vector) -> None:
        """What the encoders read: position and velocity in the motors' own frames."""
        # The first physics step after an exchange begins where the exchange was: nothing has moved since.
        sensed = position_rad.tobytes() + velocity_rad_per_s.tobytes()
        if sensed == self._sensed:
            return
        self._sensed = sensed
        motion = self._motion
        np.multiply(position_rad, self._ratio, out=motion[0])
        motion[0] += self._reading_at_zero
        np.multiply(velocity_rad_per_s, self._ratio, out=motion[1])
        if self._is_any_stuck:
            motion[0, self._is_stuck] = self._held[self._is_stuck]
            motion[1, self._is_stuck] = 0.0

    def _expire(self, now_s: float) -> None:
        """Switch off the enabled motors that have waited too long for a command."""
        for motor in np.flatnonzero((self._status == STATUS_ENABLED) & (now_s - self._heard_s > self._timeout_s)):
            self._set_status(int(motor), LOST_COMM)

    def _warm_up(self, now_s: float) -> None:
        share = self._motion[2] / self._torque_max
        final = AMBIENT_DEGC + RISE_AT_FULL_TORQUE_DEGC * share * share
        self._winding_degc += (final - self._winding_degc) * (THERMAL_STEP_S / WARM_UP_S)
        self._thermal_s = now_s
        self._learn_status()

    # What follows from registers, status and conditions, computed when they change

    def _learn_registers(self) -> None:
        self._ranges = WireRanges([joint.motor.model for joint in self._joints], self._registers)
        self._torque_max, self._torque_min = self._ranges.high[2], -self._ranges.high[2]
        self._noise_deviation = self._noise_scale * np.vstack(
            [VELOCITY_NOISE * self._ranges.high[1], TORQUE_NOISE * self._ranges.high[2]]
        )
        self._noise_at = NOISE_BLOCK
        counts = np.array([registers[REGISTER_TIMEOUT] for registers in self._registers], dtype=np.float64)
        self._timeout_s = np.where(counts > 0, counts * TIMEOUT_COUNT_S, math.inf)
        self._shortest_timeout_s = float(self._timeout_s.min())
        self._is_in_mit_mode = np.array([r[REGISTER_CONTROL_MODE] == CONTROL_MODE_MIT for r in self._registers])
        self._learn_status()

    def _learn_status(self) -> None:
        self._is_driving = (self._status == STATUS_ENABLED) & self._is_in_mit_mode
        self._all_driving = bool(self._is_driving.all())
        heads: list[int] = []
        for motor, condition in enumerate(self._conditions):
            felt = condition.temperature_degc
            degc = min(max(round(float(self._winding_degc[motor]) if felt is None else felt), 0), 255)
            first = int(self._status[motor]) << 4 | int(self._registers[motor][REGISTER_MOTOR_ID]) & 0xF
            heads.append(first << 56 | degc << 8 | degc)
        self._heads: Words = np.array(heads, dtype=np.uint64).view(np.int64)
        self._find_deadline()

    def _find_deadline(self) -> None:
        """When the first enabled motor runs out of patience."""
        limits = (self._heard_s + self._timeout_s)[self._status == STATUS_ENABLED]
        self._deadline_s = float(limits.min()) if limits.size else math.inf

    def set_conditions(self, conditions: Sequence[MotorCondition]) -> None:
        """Replace what is wrong with the motors, one condition per motor. See `SimulatedMotors.set_conditions`."""
        for motor, (old, new) in enumerate(zip(self._conditions, conditions, strict=True)):
            if new.fault and new.fault not in FAULT_CODES:
                raise SimulationError(f"no Damiao fault {new.fault!r}; known: {', '.join(FAULT_CODES)}")
            self._forced[motor] = UNDER_VOLTAGE if new.is_browned_out else FAULT_CODES.get(new.fault, 0)
            if new.is_browned_out and not old.is_browned_out:
                self.restart(motor)
            if new.address_of != old.address_of:
                address = self._joints[new.address_of].motor
                for registers in (self._registers[motor], self._flash[motor]):
                    registers[REGISTER_MOTOR_ID] = address.id
                    registers[REGISTER_MASTER_ID] = address.feedback_id
            if new.is_stuck and not old.is_stuck:
                self._held[motor] = self._motion[0, motor]
            if self._forced[motor]:
                self._set_status(motor, self._forced[motor])
            elif new.is_silent:
                self._set_status(motor, STATUS_DISABLED)
        self._conditions = list(conditions)
        self._learn_registers()
        self._learn_conditions()

    def restart(self, motor: int) -> None:
        """Forget every register that was never stored."""
        self._registers[motor] = dict(self._flash[motor])
        self._learn_registers()

    def _learn_conditions(self) -> None:
        self._sensed = b""
        conditions = self._conditions
        turns = np.array([joint.direction * joint.gear for joint in self._joints], dtype=np.float64)
        self._ratio: Vector = turns * np.array([-1.0 if c.is_flipped else 1.0 for c in conditions])
        self._reading_at_zero: Vector = self._zero + turns * np.array([c.offset_rad for c in conditions])
        self._output_gain: Vector = self._ratio * np.array([c.strength for c in conditions])
        self._is_stuck = np.array([c.is_stuck for c in conditions])
        self._is_any_stuck = bool(self._is_stuck.any())
        self._master_ids = [int(registers[REGISTER_MASTER_ID]) for registers in self._registers]
        self._routes: list[dict[int, list[int]]] = [{} for _ in self._buses]
        for motor, condition in enumerate(conditions):
            if not condition.is_silent:
                bus = self._buses.index(self._joints[condition.address_of].motor.bus)
                self._routes[bus].setdefault(int(self._registers[motor][REGISTER_MOTOR_ID]), []).append(motor)
        # Where ids collide there is no usual cycle: more motors answer than were asked.
        order = [motor for routes in self._routes for reached in routes.values() for motor in reached]
        is_unique = all(len(reached) == 1 for routes in self._routes for reached in routes.values())
        in_order = is_unique and order == list(range(len(conditions)))
        self._usual_ids = [number for routes in self._routes for number in routes] if in_order else None
        self._usual_counts = [len(routes) for routes in self._routes]
        self._usual_answers: list[list[Answer]] = [
            [(motor, None) for reached in routes.values() for motor in reached] for routes in self._routes
        ]
        self._learn_status()
