"""Simulated Unitree GO-M8010-6 motors: frames on RS-485 in and out, impedance control in between.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here. What no
description tells is assumed, and said here:

- Braking gives no torque: how strongly shorted windings brake is not known, and without it a limb falls.
- An error switches off, and lasts as long as its cause.
- After its power was cut a motor is silent for `BOOT_S`, and brakes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import ClassVar, Final

import numpy as np

from drivers.bus import Frame
from drivers.devices import MotorModel
from drivers.serial.unitree.tables import BAUD, ERROR_NAMES, GEAR, LATENCY_S, MODELS
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.impedance import ImpedanceMotors
from supervisor.core.joints import Vector
from supervisor.core.robot import JointConfig

BOOT_S: Final = 0.5
EVERYBODY: Final = 15
BRAKE, FOC = 0, 1

FAULT_CODES: Final = {name: code for code, name in ERROR_NAMES.items() if code}

_TURN_RAD: Final = 2.0 * math.pi / GEAR
"""One turn of the rotor, at the output."""

_COMMAND, _REPLY = 17, 16
_EXCHANGE_S: Final = LATENCY_S + (_COMMAND + _REPLY) * 10 / BAUD


class UnitreeMotors(ImpedanceMotors):
    """The Unitree motors of one robot. When nobody speaks to them any more they go on with their last command."""

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = {**FAULT_CODES, "none": 0}
    brown_out: ClassVar[str] = "none"

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        n = len(joints)
        self._lost_turns = [0] * n
        """Turns of the rotor that each motor does not know of: its encoder knows where in a turn it woke up."""
        self._mode = [BRAKE] * n
        self._awake_s = [-math.inf] * n
        self._asleep = set(range(n))
        self._now_s = -math.inf

    def exchange(
        self, inboxes: Sequence[list[Frame]], position_rad: Vector, velocity_rad_per_s: Vector, now_s: float
    ) -> list[list[Frame]]:
        """Act on what the host sent, and answer. See `SimulatedMotors.exchange`."""
        self._now_s = now_s
        if self._asleep:
            self._sense(position_rad, velocity_rad_per_s)
            for motor in [motor for motor in self._asleep if now_s >= self._awake_s[motor]]:
                self._asleep.remove(motor)
                self._lost_turns[motor] = math.floor(float(self._motion[0, motor]) / _TURN_RAD)
        return super().exchange(inboxes, position_rad, velocity_rad_per_s, now_s)

    def converse(self, bus: int, frames: Sequence[Frame], now_s: float, arrival_s: float) -> list[Frame]:  # noqa: ARG002 (a serial line has times of its own)
        """Act on the commands of one line, and answer the first that asks for it.

        The answer follows at once on the same two wires: another command, or another motor, spoils it and is spoilt.
        """
        said: list[bytes] = []
        for command in _commands(b"".join([frame.data for frame in frames])):
            if said:
                said.append(command)
                break
            identifier, status = command[2] & 0xF, command[2] >> 4 & 0x7
            everybody = [m for motors in self._routes[bus].values() for m in motors]
            heard = everybody if identifier == EVERYBODY else self.reached(bus, identifier, now_s)
            awake = [motor for motor in heard if motor not in self._asleep]
            for motor in awake:
                self._obey(motor, status, command)
            if identifier != EVERYBODY:
                said = [self._reply(motor) for motor in awake]
        if not said:
            return []
        # Who drives a wire low wins over who lets it be high.
        mixed = reduce(lambda one, other: bytes(a & b for a, b in zip(one, other, strict=False)), said)
        return [Frame(0, mixed, False, False, now_s + _EXCHANGE_S)]

    def _obey(self, motor: int, status: int, command: bytes) -> None:
        self.clear_fault(motor)
        self._mode[motor] = BRAKE if self.fault[motor] else status
        if self._mode[motor] != FOC:
            self.switch(motor, on=False)
            return
        if not self.is_on[motor]:
            self.switch(motor, on=True)
        torque, velocity, position, kp, kd = struct.unpack_from("<hhiHH", command, 3)
        self.target[:, motor] = (
            position * 2.0 * math.pi / 32768.0 / GEAR + self._lost_turns[motor] * _TURN_RAD,
            velocity * 2.0 * math.pi / 256.0 / GEAR,
            kp / 1280.0 * GEAR**2,
            kd / 1280.0 * GEAR**2,
            torque / 256.0 * GEAR,
        )

    def _reply(self, motor: int) -> bytes:
        reading = self.reading(motor)
        rotor_rad = (reading.position_rad - self._lost_turns[motor] * _TURN_RAD) * GEAR
        body = struct.pack(
            "<2sBhhibH",
            b"\xfd\xee",
            self.address[motor].id | self._mode[motor] << 4,
            _held(reading.torque_nm / GEAR * 256.0, 15),
            _held(reading.velocity_rad_per_s * GEAR * 256.0 / (2.0 * math.pi), 15),
            _held(rotor_rad * 32768.0 / (2.0 * math.pi), 31),
            _held(reading.temperature_degc, 7),
            self.fault[motor],
        )
        return body + _crc(body)

    def expire(self, motor: int) -> None:
        """Nothing: no timeout is known."""

    def restart(self, motor: int) -> None:
        """Be silent for a while, then brake; the turns of the rotor are forgotten."""
        self.switch(motor, on=False)
        self._mode[motor] = BRAKE
        self._asleep.add(motor)
        self._awake_s[motor] = self._now_s + BOOT_S

    def set_conditions(self, conditions: Sequence[MotorCondition]) -> None:
        """Replace what is wrong with the motors; one whose power comes back starts anew."""
        before = [condition.is_silent for condition in self._conditions]
        super().set_conditions(conditions)
        for motor in np.flatnonzero(before).tolist():
            if not conditions[motor].is_silent:
                self.restart(motor)
        for motor, code in enumerate(self._forced):
            if code:
                self._mode[motor] = BRAKE


def _commands(data: bytes) -> list[bytes]:
    """The whole commands in what the host wrote in one cycle."""
    found: list[bytes] = []
    at = data.find(b"\xfe\xee")
    while at >= 0:
        command = data[at : at + _COMMAND]
        if len(command) == _COMMAND and _crc(command[:-2]) == command[-2:]:
            found.append(command)
            at += _COMMAND - 1
        at = data.find(b"\xfe\xee", at + 1)
    return found


def _crc(data: bytes) -> bytes:
    """CRC-16/KERMIT: reflected, polynomial 0x8408, from 0; low byte first."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _CRC_OF_BYTE[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def _crc_of_byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc


_CRC_OF_BYTE: Final = tuple(_crc_of_byte(byte) for byte in range(256))


def _held(value: float, bits: int) -> int:
    """A value as a count, truncated and held at the ends of a signed number."""
    top = (1 << bits) - 1
    return min(max(int(value), -top - 1), top)
