"""What simulated servos that obey positions have in common: how they pull, and how they speak over each other.

A servo is a motor on a supply: its drive grows with the distance to the goal until it is full, and turning takes
torque away from it until none is left at its no-load speed. When nobody speaks to it any more, it holds its last goal.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from drivers.bus import Frame
from drivers.host_position import ServoModel
from drivers.sim.motors.impedance import ImpedanceMotors
from supervisor.core.joints import Vector
from supervisor.core.robot import JointConfig

_POSITION, _STIFFNESS, _DAMPING = 0, 2, 3
"""Rows of the target."""


class PositionServoMotors(ImpedanceMotors):
    """The servos of one make on one robot. A make adds its packets.

    Attributes:
        goal: (n,) rad, motor frame; kept while a servo is off.
        stiffness: (n,) N·m/rad.
        torque_limit: (n,) N·m, what the drive is limited to.
        speed_limit: (n,) rad/s at which the target moves to the goal; infinite for at once.
    """

    servo_models: ClassVar[Mapping[str, ServoModel]]
    """The make's table."""

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        self.rows = [self.servo_models[joint.motor.model] for joint in joints]
        count = len(joints)
        self.goal: Vector = np.zeros(count)
        self.stiffness: Vector = np.array([row.stiffness_nm_per_rad for row in self.rows])
        self.torque_limit: Vector = self._torque_max.copy()
        self.speed_limit: Vector = np.full(count, math.inf)
        self._damping: Vector = np.array([row.damping_nm_s_per_rad for row in self.rows])
        self._drive: Vector = np.zeros(count)
        self._physics_s = math.nan

    # What a make fills in

    @abstractmethod
    def obey(self, bus: int, data: bytes, now_s: float) -> bytes:
        """Act on what was written in one go, and answer."""

    def converse(self, bus: int, frames: Sequence[Frame], now_s: float, arrival_s: float) -> list[Frame]:
        """Act on one cycle's bytes, and answer."""
        said = [self.obey(bus, frame.data, now_s) for frame in frames]
        return [Frame(0, data, False, False, arrival_s) for data in said if data]

    def expire(self, motor: int) -> None:
        """There is no command timeout: the last goal is held for ever."""

    def switch(self, motor: int, *, on: bool) -> None:
        """Switch on or off. A servo starts with the goal it has, wherever that is."""
        super().switch(motor, on=on)
        if self.is_on[motor]:
            self.target[_POSITION, motor] = self.goal[motor] if math.isinf(self.speed_limit[motor]) else self.at(motor)
            self.target[_STIFFNESS, motor] = self.stiffness[motor]
            self.target[_DAMPING, motor] = self._damping[motor]

    def at(self, motor: int) -> float:
        """Where a servo is, rad, motor frame."""
        return float(self._motion[0, motor])

    def drive_share(self, motor: int) -> float:
        """How much of its drive a servo uses, -1 to 1."""
        return float(self._drive[motor] / self._torque_max[motor]) if self.is_on[motor] else 0.0

    def torque(self, position_rad: Vector, velocity_rad_per_s: Vector, now_s: float) -> Vector:
        """(n,) joint torques for one physics step. The same array every time."""
        self._sense(position_rad, velocity_rad_per_s)
        step_s = 0.0 if math.isnan(self._physics_s) else now_s - self._physics_s
        self._physics_s = now_s
        motion, target, drive = self._motion, self.target, self._drive
        way = np.where(self.is_on, self.goal - target[_POSITION], 0.0)
        reach = np.full_like(way, np.inf)
        np.multiply(self.speed_limit, step_s, out=reach, where=np.isfinite(self.speed_limit))
        target[_POSITION] += np.clip(way, -reach, reach)
        np.subtract(target[_POSITION], motion[0], out=drive)
        drive *= target[_STIFFNESS]
        np.clip(drive, -self.torque_limit, self.torque_limit, out=drive)
        np.subtract(drive, target[_DAMPING] * motion[1], out=motion[2])
        return np.multiply(motion[2], self._output_gain, out=self._joint_torque)


def collide(answers: Sequence[bytes]) -> bytes:
    """What arrives when some servos answer at once: a line is low where any of them pulls it low."""
    if len(answers) <= 1:
        return answers[0] if answers else b""
    size = max(len(answer) for answer in answers)
    line = (1 << 8 * size) - 1
    for answer in answers:
        line &= int.from_bytes(answer.ljust(size, b"\xff"), "big")
    return line.to_bytes(size, "big")
