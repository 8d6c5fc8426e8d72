"""What simulated motors with an impedance controller have in common, whatever they speak.

Physics, sensors, temperature and what can be wrong with a motor are here; a make adds how it takes frames apart and
puts answers together, and what it does when nobody speaks to it any more.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.bus import Frame
from drivers.devices import MotorModel, wire_model
from drivers.sim.motors.conditions import MotorCondition
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
"""Standard deviation, of the full range."""
NOISE_BLOCK: Final = 512

Answer = tuple[int, bytes]
"""Identifier and data of a frame."""


class Reading(NamedTuple):
    """What one motor knows of itself: rad, rad/s, N·m and degC, in its own frame."""

    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float
    temperature_degc: float


class ImpedanceMotors(ABC):
    """The motors of one make on one robot, on whatever bus. A `SimulatedMotors`, once a make has filled in the rest.

    A motor that closes no loop of its own has a target with a torque and nothing else.

    Args:
        joints: One per motor: the wiring, and where the motor sits.
        buses: Names of the robot's buses, in the order of the inboxes.
        seed: Of the sensors' noise.
        noise_scale: Multiplies the noise.

    Raises:
        SimulationError: A model that the make's table does not have.
    """

    models: ClassVar[Mapping[str, MotorModel]]
    """The make's table."""
    fault_codes: ClassVar[Mapping[str, int]]
    """The faults that the make can report."""
    brown_out: ClassVar[str]
    """Name of the one that a broken supply causes."""

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        unknown = sorted({joint.motor.model for joint in joints} - self.models.keys())
        if unknown:
            raise SimulationError(f"no model {', '.join(unknown)}; known: {', '.join(self.models)}")
        n = len(joints)
        self.joints, self._buses = tuple(joints), tuple(buses)
        self._rng, self._noise_scale = np.random.default_rng(list(seed)), noise_scale
        self._noise_at = NOISE_BLOCK
        self.wire = [wire_model(self.models, joint.motor) for joint in joints]
        """Ranges of each motor's messages."""
        self.address = [joint.motor for joint in joints]
        """What each motor listens and answers to."""
        self._conditions = [MotorCondition(p) for p in range(n)]
        self._forced = [0] * n
        self.is_on: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
        self.fault = [0] * n
        """The fault that each motor reports, 0 for none."""
        self._heard_s: Vector = np.zeros(n)
        self.timeout_s: Vector = np.full(n, math.inf)
        """How long each motor waits for a frame."""
        self._deadline_s = math.inf
        self._winding_degc: Vector = np.full(n, AMBIENT_DEGC)
        self._thermal_s = -math.inf
        self.target: NDArray[np.float64] = np.zeros((5, n))
        """Rows: position, velocity, kp, kd, torque; zero where a motor is off, which makes its torque zero."""
        self._motion: NDArray[np.float64] = np.zeros((3, n))
        self._error: NDArray[np.float64] = np.zeros((2, n))
        self._joint_torque: Vector = np.zeros(n)
        self._held: Vector = np.zeros(n)
        self._zero: Vector = np.array([joint.offset_rad * joint.gear * joint.direction for joint in joints])
        """What each motor's encoder reads at its joint's zero."""
        self._torque_max: Vector = np.array([model.torque_max_nm for model in self.wire])
        self._deviation = noise_scale * np.array(
            [(VELOCITY_NOISE * m.velocity_max_rad_per_s, TORQUE_NOISE * m.torque_max_nm) for m in self.wire]
        )
        self._learn_conditions()

    # What a make fills in

    @abstractmethod
    def converse(self, bus: int, frames: Sequence[Frame], now_s: float, arrival_s: float) -> list[Frame]:
        """Act on what the host sent on one bus since the last cycle, and answer. Called for every bus, every cycle.

        Args:
            bus: Which, in the order given.
            frames: Oldest first; on a serial line each holds what was written in one go. Perhaps none.
            now_s: Clock.
            arrival_s: When an answer arrives that is made at once.
        """

    @abstractmethod
    def expire(self, motor: int) -> None:
        """Act on the command timeout of a motor that is on."""

    @abstractmethod
    def restart(self, motor: int) -> None:
        """Forget everything that was never stored."""

    # Commands and answers, once per control cycle

    def exchange(
        self, inboxes: Sequence[list[Frame]], position_rad: Vector, velocity_rad_per_s: Vector, now_s: float
    ) -> list[list[Frame]]:
        """Act on what the host sent, and answer. See `SimulatedMotors.exchange`."""
        self._sense(position_rad, velocity_rad_per_s)
        if now_s - self._thermal_s >= THERMAL_STEP_S:
            self._warm_up(now_s)
        arrival_s = now_s + REPLY_S
        replies: list[list[Frame]] = []
        for bus, frames in enumerate(inboxes):
            replies.append(self.converse(bus, frames, now_s, arrival_s))
        limits = (self._heard_s + self.timeout_s)[self.is_on]
        self._deadline_s = float(limits.min()) if limits.size else math.inf
        return replies

    def reached(self, bus: int, number: int | None, now_s: float) -> Sequence[int]:
        """The motors on a bus that answer to an id, which have heard something now: more than one where ids collide."""
        motors = self._routes[bus].get(number, ()) if number is not None else ()
        for motor in motors:
            self._heard_s[motor] = now_s
        return motors

    def reading(self, motor: int) -> Reading:
        """What one motor's sensors read now, noise included."""
        if self._noise_at >= NOISE_BLOCK:
            self._noise_at = 0
            self._noise = self._rng.standard_normal((NOISE_BLOCK, 2)).tolist()
        velocity_noise, torque_noise = self._noise[self._noise_at]
        self._noise_at += 1
        position, velocity, torque = self._motion[:, motor].tolist()
        deviation = self._deviation[motor]
        felt = self._conditions[motor].temperature_degc
        return Reading(
            position,
            velocity + velocity_noise * float(deviation[0]),
            torque + torque_noise * float(deviation[1]),
            float(self._winding_degc[motor]) if felt is None else felt,
        )

    def switch(self, motor: int, *, on: bool) -> None:
        """Switch on or off. A target from before is forgotten, so that a motor never starts with an old one."""
        self.is_on[motor] = on and not self.fault[motor]
        self.target[:, motor] = 0.0
        self._motion[2, motor] = 0.0

    def clear_fault(self, motor: int) -> None:
        """Take a latched fault away, unless its cause lasts."""
        self.fault[motor] = self._forced[motor]

    def set_zero(self, motor: int) -> None:
        """Make the present position the zero."""
        self._zero[motor] -= self._motion[0, motor]
        self._motion[0, motor] = 0.0
        self._learn_conditions()

    # Physics, once per physics step

    def torque(self, position_rad: Vector, velocity_rad_per_s: Vector, now_s: float) -> Vector:
        """(n,) joint torques for one physics step. The same array every time."""
        if now_s > self._deadline_s:
            late = self.is_on & (now_s - self._heard_s > self.timeout_s)
            for motor in np.flatnonzero(late).tolist():
                self.expire(motor)
            self._deadline_s = math.inf
        self._sense(position_rad, velocity_rad_per_s)
        motion, target, error = self._motion, self.target, self._error
        torque = motion[2]
        np.subtract(target[:2], motion[:2], out=error)
        error *= target[2:4]
        np.add(error[0], error[1], out=torque)
        torque += target[4]
        np.minimum(torque, self._torque_max, out=torque)
        np.maximum(torque, -self._torque_max, out=torque)
        return np.multiply(torque, self._output_gain, out=self._joint_torque)

    def _sense(self, position_rad: Vector, velocity_rad_per_s: Vector) -> None:
        """What the encoders read: position and velocity in the motors' own frames."""
        motion = self._motion
        np.multiply(position_rad, self._ratio, out=motion[0])
        motion[0] += self._reading_at_zero
        np.multiply(velocity_rad_per_s, self._ratio, out=motion[1])
        if self._is_stuck.any():
            motion[0, self._is_stuck] = self._held[self._is_stuck]
            motion[1, self._is_stuck] = 0.0

    def _warm_up(self, now_s: float) -> None:
        share = self._motion[2] / self._torque_max
        final = AMBIENT_DEGC + RISE_AT_FULL_TORQUE_DEGC * share * share
        self._winding_degc += (final - self._winding_degc) * (THERMAL_STEP_S / WARM_UP_S)
        self._thermal_s = now_s

    # What can be wrong

    def set_conditions(self, conditions: Sequence[MotorCondition]) -> None:
        """Replace what is wrong with the motors, one condition per motor. See `SimulatedMotors.set_conditions`."""
        codes = self.fault_codes
        for motor, (old, new) in enumerate(zip(self._conditions, conditions, strict=True)):
            if new.fault and new.fault not in codes:
                raise SimulationError(f"no fault {new.fault!r} of this make; known: {', '.join(codes)}")
            self._forced[motor] = codes[self.brown_out] if new.is_browned_out else codes.get(new.fault, 0)
            if new.is_browned_out and not old.is_browned_out:
                self.restart(motor)
            self.address[motor] = self.joints[new.address_of].motor
            if new.is_stuck and not old.is_stuck:
                self._held[motor] = self._motion[0, motor]
            if self._forced[motor]:
                self.fault[motor] = self._forced[motor]
            if self._forced[motor] or new.is_silent:
                self.switch(motor, on=False)
        self._conditions = list(conditions)
        self._learn_conditions()

    def _learn_conditions(self) -> None:
        conditions = self._conditions
        turns = np.array([joint.direction * joint.gear for joint in self.joints], dtype=np.float64)
        self._ratio: Vector = turns * np.array([-1.0 if c.is_flipped else 1.0 for c in conditions])
        self._reading_at_zero: Vector = self._zero + turns * np.array([c.offset_rad for c in conditions])
        self._output_gain: Vector = self._ratio * np.array([c.strength for c in conditions])
        self._is_stuck = np.array([c.is_stuck for c in conditions])
        self._routes: list[dict[int, list[int]]] = [{} for _ in self._buses]
        for motor, condition in enumerate(conditions):
            if not condition.is_silent:
                bus = self._buses.index(self.address[motor].bus)
                self._routes[bus].setdefault(self.address[motor].id, []).append(motor)


class CanImpedanceMotors(ImpedanceMotors):
    """The motors of one make on CAN, each of which answers the frames that carry its id."""

    is_extended: ClassVar[bool]
    """Whether its frames have 29-bit identifiers."""

    @abstractmethod
    def motor_id(self, frame: Frame) -> int | None:
        """Id of the motor that a frame is for; None when it is for no motor of this make."""

    @abstractmethod
    def hear(self, motor: int, frame: Frame) -> Sequence[Answer]:
        """Act on one frame, and answer."""

    def converse(self, bus: int, frames: Sequence[Frame], now_s: float, arrival_s: float) -> list[Frame]:
        """Act on the frames one by one, and answer."""
        said: list[Frame] = []
        for frame in frames:
            for motor in self.reached(bus, self.motor_id(frame), now_s):
                for identifier, data in self.hear(motor, frame):
                    said.append(Frame(identifier, data, self.is_extended, False, arrival_s))
        return said


def to_counts(value: float, high: float, top: int) -> int:
    """A value between -high and high as a count from 0 to `top`, held at the ends."""
    return min(max(int((value + high) * top / (2.0 * high)), 0), top)


def from_counts(count: int, low: float, high: float, top: int) -> float:
    """A count from 0 to `top` as a value from low to high."""
    return low + count * (high - low) / top
