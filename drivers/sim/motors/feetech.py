"""Simulated Feetech STS and SCS servos: packets in, status packets out.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here. What is
behind a question in one go is sent while the servo answers it, and spoils both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from drivers.devices import MotorModel
from drivers.host_position import ServoModel
from drivers.serial.feetech.tables import BAUD_CODES, ERROR_BITS, MODELS, SERIES
from drivers.sim.motors.position_servos import PositionServoMotors, collide
from supervisor.core.robot import JointConfig

FAULT_CODES: Final = {name: 1 << bit for bit, name in ERROR_BITS.items()}

_PING, _READ, _WRITE, _REG_WRITE, _ACTION, _SYNC_READ, _SYNC_WRITE = 0x01, 0x02, 0x03, 0x04, 0x05, 0x82, 0x83
_BROADCAST = 0xFE
_TABLE_BYTES, _STORED_BYTES = 80, 40
_TORQUE, _GOAL, _SPEED, _LIMIT, _PRESENT = 40, 42, 46, 48, 56
_SET_MIDDLE = 128

_OVERHEAT, _OVERLOAD, _VOLTAGE = 4, 32, 1
SUPPLY_V: Final = 12.0

_STORED: Final[Mapping[str, int]] = {
    "firmware_major": 3,
    "firmware_minor": 10,
    "status_level": 1,
    "max_temperature": 70,
    "max_voltage": 140,
    "min_voltage": 40,
    "max_torque": 1000,
    "phase": 12,
    "unload_conditions": 44,
    "p_gain": 32,
    "d_gain": 32,
    "dead_zone_cw": 1,
    "dead_zone_ccw": 1,
    "protection_torque": 20,
    "protection_time": 200,
    "overload_torque": 80,
}
"""As servos leave the factory; those that a series lacks are left out."""


class FeetechMotors(PositionServoMotors):
    """The Feetech servos of one robot.

    Attributes:
        tables: Registers of each servo; what is below address 40 survives a restart.
        baud_bps: Rate of each line; a servo set to another hears nothing.
        supply_v: Of each servo.
    """

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    servo_models: ClassVar[Mapping[str, ServoModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "VOLTAGE"

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        self._series = [SERIES[MODELS[joint.motor.model].series] for joint in joints]
        self.baud_bps = [1_000_000] * len(buses)
        self.supply_v = [SUPPLY_V] * len(joints)
        self.tables = [bytearray(_TABLE_BYTES) for _ in joints]
        self._stored: list[bytes] = []
        self._left: list[tuple[int, bytes] | None] = [None] * len(joints)
        self._overload_s = [math.nan] * len(joints)
        for motor, joint in enumerate(joints):
            row = MODELS[joint.motor.model]
            top = 4095 if row.series == "STS" else 1023
            own = {"model": row.number, "id": joint.motor.id, "max_angle": top, **_STORED}
            for name, value in own.items():
                if name in self._series[motor].registers:
                    self.set(motor, name, value)
            self._stored.append(bytes(self.tables[motor][:_STORED_BYTES]))
            self.restart(motor)

    def get(self, motor: int, name: str) -> int:
        """A register of one servo, its bytes as a number."""
        register = self._series[motor].registers[name]
        return int.from_bytes(self.tables[motor][register.address :][: register.size], self._series[motor].order)

    def set(self, motor: int, name: str, value: int) -> None:
        """Set a register from inside the servo."""
        register = self._series[motor].registers[name]
        raw = value.to_bytes(register.size, self._series[motor].order)
        self.tables[motor][register.address : register.address + register.size] = raw

    def restart(self, motor: int) -> None:
        """What a power-up does: stored registers as stored, everything else as it always starts."""
        self.tables[motor][:] = self._stored[motor] + bytes(_TABLE_BYTES - _STORED_BYTES)
        self.set(motor, "lock", 1)
        if "torque_limit" in self._series[motor].registers:
            self.set(motor, "torque_limit", self.get(motor, "max_torque"))
        self.switch(motor, on=False)
        self._apply(motor)

    # The line

    def obey(self, bus: int, data: bytes, now_s: float) -> bytes:
        """Act on the packets of one write, until one is answered."""
        said = b""
        for servo_id, instruction, params, has_more in _packets(data):
            said = self._carry_out(bus, servo_id, instruction, params, now_s)
            if said and has_more:
                # The host was still sending.
                return bytes(byte & 0x55 for byte in said)
            if said:
                break
        return said

    def _listening(self, bus: int, servo_id: int, now_s: float) -> list[int]:
        code = BAUD_CODES.get(self.baud_bps[bus])
        motors = [m for m in self.reached(bus, servo_id, now_s) if "baud" in self._series[m].registers]
        return [motor for motor in motors if self.get(motor, "baud") == code]

    def _carry_out(self, bus: int, servo_id: int, instruction: int, params: bytes, now_s: float) -> bytes:
        if instruction == _SYNC_WRITE and len(params) > 2:
            address, size = params[0], params[1]
            for at in range(2, len(params) - size, size + 1):
                for motor in self._listening(bus, params[at], now_s):
                    self._write(motor, address, params[at + 1 : at + 1 + size])
            return b""
        if instruction == _SYNC_READ and len(params) > 2:
            # Only these know it.
            asked = [[m for m in self._listening(bus, i, now_s) if self._has_status(m)] for i in params[2:]]
            return b"".join(collide([self._read(m, params[0], params[1], now_s) for m in group]) for group in asked)
        if servo_id == _BROADCAST:
            return b""
        return collide([self._answer(m, instruction, params, now_s) for m in self._listening(bus, servo_id, now_s)])

    def _answer(self, motor: int, instruction: int, params: bytes, now_s: float) -> bytes:
        """Act on an instruction to one servo alone."""
        if instruction == _PING:
            return self._status(motor, b"")
        if instruction == _READ and len(params) == 2:
            return self._read(motor, params[0], params[1], now_s)
        if instruction == _WRITE and len(params) > 1:
            self._write(motor, params[0], params[1:])
        elif instruction == _REG_WRITE and len(params) > 1:
            self._left[motor] = (params[0], params[1:])
        elif instruction == _ACTION:
            left, self._left[motor] = self._left[motor], None
            if left is not None:
                self._write(motor, *left)
        else:
            return b""
        is_quiet = self._has_status(motor) and self.get(motor, "status_level") == 0
        return b"" if is_quiet else self._status(motor, b"")

    def _has_status(self, motor: int) -> bool:
        return "status" in self._series[motor].registers

    # Registers

    def _write(self, motor: int, address: int, data: bytes) -> None:
        if address + len(data) > _TABLE_BYTES:
            return
        table = self.tables[motor]
        table[address : address + len(data)] = data
        touched = range(address, address + len(data))
        if address < _STORED_BYTES and self.get(motor, "lock") == 0:
            self._stored[motor] = bytes(table[:_STORED_BYTES])
        if _TORQUE in touched and table[_TORQUE] == _SET_MIDDLE:
            table[_TORQUE] = int(self.is_on[motor])
            self.set_zero(motor)
            return
        self._apply(motor)
        if _TORQUE in touched and bool(table[_TORQUE]) != bool(self.is_on[motor]):
            if not table[_TORQUE]:
                self.clear_fault(motor)
            self.switch(motor, on=bool(table[_TORQUE]))
            table[_TORQUE] = int(self.is_on[motor])
        elif _TORQUE in touched and not table[_TORQUE]:
            self.clear_fault(motor)

    def _apply(self, motor: int) -> None:
        """Let the registers act on the drive."""
        series, row = self._series[motor], self.rows[motor]
        raw = self.get(motor, "goal_position")
        count = -(raw & 0x7FFF) if raw & 0x8000 else raw
        self.goal[motor] = (count - series.centre_count) * series.position_count_rad
        speed = self.get(motor, "goal_speed") & 0x7FFF
        self.speed_limit[motor] = speed * series.position_count_rad if speed else math.inf
        if "torque_limit" in series.registers:
            self.torque_limit[motor] = row.torque_max_nm * min(self.get(motor, "torque_limit"), 1000) / 1000.0
            self.stiffness[motor] = row.stiffness_nm_per_rad * self.get(motor, "p_gain") / _STORED["p_gain"]

    def _read(self, motor: int, address: int, size: int, now_s: float) -> bytes:
        if not size or address + size > _TABLE_BYTES:
            return b""
        self._measure(motor, now_s)
        return self._status(motor, bytes(self.tables[motor][address : address + size]))

    def _measure(self, motor: int, now_s: float) -> None:
        """Fill in what is measured, and protect the servo."""
        series, reading = self._series[motor], self.reading(motor)
        count = round(reading.position_rad / series.position_count_rad) + series.centre_count
        turn = 4096 if series.name == "STS" else 1024
        load = self.drive_share(motor)
        self._protect(motor, reading.temperature_degc, abs(load), now_s)
        speed = min(abs(round(reading.velocity_rad_per_s / series.position_count_rad)), 0x7FFF)
        measured = {
            "position": count % turn,
            "speed": speed | (0x8000 if reading.velocity_rad_per_s < 0 else 0),
            "load": min(round(abs(load) * 1000), 1000) | (0x400 if load < 0 else 0),
            "voltage": round(self.supply_v[motor] * 10),
            "temperature": min(max(round(reading.temperature_degc), 0), 255),
            "torque_enable": int(self.is_on[motor]),
        }
        if self._has_status(motor):
            amps = abs(load) * 2.7
            measured |= {"status": self.fault[motor], "moving": int(speed > 0), "current": round(amps / 0.0065)}
        for name, value in measured.items():
            self.set(motor, name, value)

    def _protect(self, motor: int, degc: float, load: float, now_s: float) -> None:
        """Notice what is too much, and let go where the unload conditions say so."""
        fault = self._forced[motor]
        if self._has_status(motor):
            fault |= _OVERHEAT if degc >= self.get(motor, "max_temperature") else 0
            low_v, high_v = self.get(motor, "min_voltage") / 10, self.get(motor, "max_voltage") / 10
            fault |= 0 if low_v <= self.supply_v[motor] <= high_v else _VOLTAGE
            if load * 100 < self.get(motor, "overload_torque"):
                self._overload_s[motor] = math.nan
            elif math.isnan(self._overload_s[motor]):
                self._overload_s[motor] = now_s
            elif now_s - self._overload_s[motor] > self.get(motor, "protection_time") * 0.01:
                fault |= _OVERLOAD
            mask = self.get(motor, "unload_conditions")
            # What has made it let go is told until it is switched off.
            fault |= self.fault[motor] & mask
            self.fault[motor] = fault
            if fault & mask and self.is_on[motor]:
                self.switch(motor, on=False)

    def _status(self, motor: int, data: bytes) -> bytes:
        body = bytes((self.address[motor].id, len(data) + 2, self.fault[motor])) + data
        return b"\xff\xff" + body + bytes((255 - sum(body) % 256,))


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes, bool]]:
    """Id, instruction and parameters of every sound packet, and whether anything follows it."""
    at = 0
    while (at := data.find(b"\xff\xff", at)) >= 0:
        end = at + 4 + data[at + 3] if at + 4 < len(data) else len(data) + 1
        body = data[at + 2 : end - 1]
        if end > len(data) or len(body) < 3 or 255 - sum(body) % 256 != data[end - 1]:
            at += 1
            continue
        yield body[0], body[2], body[3:], end < len(data)
        at = end
