"""Simulated RobStride and CyberGear motors: private protocol in and out, impedance control in between.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from drivers.bus import Frame
from drivers.can.cybergear.tables import DIALECT as CYBERGEAR
from drivers.can.cybergear.tables import MODELS as CYBERGEAR_MODELS
from drivers.can.robstride.tables import (
    BUS_VOLTAGE,
    CAN_TIMEOUT,
    DIALECT,
    MECHANICAL_POSITION,
    MODELS,
    RUN_MODE,
    RUN_MODE_MOTION,
    TIMEOUT_COUNT_S,
    ZERO_STATE,
    Dialect,
)
from drivers.devices import MotorModel
from drivers.sim.motors.impedance import Answer, CanImpedanceMotors, from_counts, to_counts
from supervisor.core.robot import JointConfig

TOP: Final = 0xFFFF
MODE_RESET, MODE_RUN = 0, 2
SUPPLY_V: Final = 48.0
VERSION: Final = b"\x00\xc4\x56\x00\x03\x01\x06\x00"

FAULT_CODES: Final = {name: 1 << bit for bit, name in DIALECT.fault_names.items()}
CYBERGEAR_FAULT_CODES: Final = {name: 1 << bit for bit, name in CYBERGEAR.fault_names.items()}

_GET_ID, _OPERATION, _FEEDBACK, _ENABLE, _STOP, _SET_ZERO = 0, 1, 2, 3, 4, 6
_READ, _WRITE, _SAVE = 17, 18, 22


class RobStrideMotors(CanImpedanceMotors):
    """The RobStride motors of one robot. When nobody speaks to them for long enough they go to reset mode: off."""

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "UNDERVOLTAGE"
    is_extended: ClassVar[bool] = True
    dialect: ClassVar[Dialect] = DIALECT

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        factory = {RUN_MODE.index: bytes(4), BUS_VOLTAGE.index: struct.pack("<f", SUPPLY_V)}
        if self.dialect.has_timeout:
            factory[CAN_TIMEOUT.index] = bytes(4)
        if self.dialect.has_zero_state:
            factory[ZERO_STATE.index] = b"\x01\0\0\0"
        self._hosts = [0] * len(joints)
        """Whom each motor answers: an operation frame does not say who sent it."""
        self._flash = [dict(factory) for _ in joints]
        self._parameters = [dict(factory) for _ in joints]

    def motor_id(self, frame: Frame) -> int | None:
        """The lowest byte of every host's frame."""
        return frame.arbitration_id & 0xFF if frame.is_extended and len(frame.data) == 8 else None

    def hear(self, motor: int, frame: Frame) -> Sequence[Answer]:
        """Act on one frame, and answer: with feedback, but for requests."""
        kind, data = frame.arbitration_id >> 24, frame.data
        if kind != _OPERATION:
            self._hosts[motor] = frame.arbitration_id >> 8 & 0xFF
        host = self._hosts[motor]
        if kind == _OPERATION:
            self._operate(motor, frame)
        elif kind == _ENABLE:
            self.switch(motor, on=True)
        elif kind == _STOP:
            self.switch(motor, on=False)
            if data[0] == 1:
                self.clear_fault(motor)
            elif data[:2] == VERSION[:2] and self.dialect.has_version:
                return [(self._head(motor, host), VERSION)]
        elif kind == _SET_ZERO:
            if not self.is_on[motor] and data[0] == 1:
                self.set_zero(motor)
        elif kind == _GET_ID:
            return [(self.address[motor].id << 8 | 0xFE, b"simmotor"[:7] + bytes((motor,)))]
        elif kind == _READ:
            return [self._read(motor, host, data)]
        elif kind == _WRITE:
            self._write(motor, data)
        elif kind == _SAVE and self.dialect.has_timeout:
            self._flash[motor] = dict(self._parameters[motor])
        else:
            return []
        return [(self._head(motor, host), self._feedback(motor))]

    def _operate(self, motor: int, frame: Frame) -> None:
        """Take an impedance command. A motor that is off, or in another mode, keeps still."""
        if not self.is_on[motor] or self._parameters[motor][RUN_MODE.index][0] != RUN_MODE_MOTION:
            return
        position, velocity, kp, kd = struct.unpack(">HHHH", frame.data)
        wire = self.wire[motor]
        p, v, t = wire.position_max_rad, wire.velocity_max_rad_per_s, wire.torque_max_nm
        self.target[:, motor] = (
            from_counts(position, -p, p, TOP),
            from_counts(velocity, -v, v, TOP),
            from_counts(kp, 0.0, wire.kp_max_nm_per_rad, TOP),
            from_counts(kd, 0.0, wire.kd_max_nm_s_per_rad, TOP),
            from_counts(frame.arbitration_id >> 8 & TOP, -t, t, TOP),
        )

    def _head(self, motor: int, host: int) -> int:
        """Identifier of a feedback frame."""
        mode = MODE_RUN if self.is_on[motor] else MODE_RESET
        return _FEEDBACK << 24 | mode << 22 | self.fault[motor] << 16 | self.address[motor].id << 8 | host

    def _feedback(self, motor: int) -> bytes:
        reading, wire = self.reading(motor), self.wire[motor]
        high = wire.position_max_rad
        wrapped = math.remainder(reading.position_rad, 2.0 * high)
        return struct.pack(
            ">HHHH",
            to_counts(wrapped, high, TOP),
            to_counts(reading.velocity_rad_per_s, wire.velocity_max_rad_per_s, TOP),
            to_counts(reading.torque_nm, wire.torque_max_nm, TOP),
            min(max(round(reading.temperature_degc * 10.0), 0), TOP),
        )

    def _read(self, motor: int, host: int, data: bytes) -> Answer:
        index = data[0] | data[1] << 8
        value = self._parameters[motor].get(index)
        if index == MECHANICAL_POSITION.index:
            value = struct.pack("<f", self.reading(motor).position_rad)
        head = _READ << 24 | (value is None) << 16 | self.address[motor].id << 8 | host
        return head, data[:2] + bytes(2) + (value or bytes(4))

    def _write(self, motor: int, data: bytes) -> None:
        index, parameters = data[0] | data[1] << 8, self._parameters[motor]
        if index not in parameters or (index == RUN_MODE.index and self.is_on[motor]):
            return
        parameters[index] = data[4:]
        self._learn_timeout(motor)

    def _learn_timeout(self, motor: int) -> None:
        counts = int.from_bytes(self._parameters[motor].get(CAN_TIMEOUT.index, b""), "little")
        self.timeout_s[motor] = counts * TIMEOUT_COUNT_S if counts else math.inf

    def expire(self, motor: int) -> None:
        """Reset mode: output off, without a fault."""
        self.switch(motor, on=False)

    def restart(self, motor: int) -> None:
        """Forget everything that was never saved."""
        self._parameters[motor] = dict(self._flash[motor])
        self._learn_timeout(motor)


class CyberGearMotors(RobStrideMotors):
    """The CyberGear motors of one robot. They have no timeout that is on: they go on with their last command."""

    models: ClassVar[Mapping[str, MotorModel]] = CYBERGEAR_MODELS
    fault_codes: ClassVar[Mapping[str, int]] = CYBERGEAR_FAULT_CODES
    dialect: ClassVar[Dialect] = CYBERGEAR
