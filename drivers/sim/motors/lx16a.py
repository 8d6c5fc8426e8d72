"""Simulated LX-16A servos: packets in, answers out, for one servo at a time.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here. What is
behind a question in one go is sent while the servo answers it, and spoils both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Final

from drivers.devices import MotorModel
from drivers.host_position import ServoModel
from drivers.serial.lx16a.tables import LED_ERROR_BITS, MODELS
from drivers.sim.motors.position_servos import PositionServoMotors, collide
from supervisor.core.robot import JointConfig

FAULT_CODES: Final = {name: 1 << bit for bit, name in LED_ERROR_BITS.items()}

_OVER_TEMPERATURE, _OVER_VOLTAGE, _STALLED = 1, 2, 4
_BROADCAST = 254
_COUNT_RAD: Final = math.radians(0.24)
_CENTRE = 500
_STALL_S = 2.0
_FULL_DRIVE = 0.95

_SETTINGS: Final[Mapping[int, tuple[int, bytes]]] = {
    # Question: the order that sets it, and its value as delivered.
    14: (13, b"\x01"),
    19: (18, b"\x00"),
    21: (20, b"\x00\x00\xe8\x03"),
    23: (22, (4500).to_bytes(2, "little") + (12000).to_bytes(2, "little")),
    25: (24, b"\x55"),
    30: (29, bytes(4)),
    34: (33, b"\x00"),
    36: (35, b"\x07"),
}


class Lx16aMotors(PositionServoMotors):
    """The LX-16A servos of one robot. What is wrong makes them let go; they never say so.

    Attributes:
        settings: What each servo answers to a question about its settings.
        supply_v: Of each servo.
    """

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    servo_models: ClassVar[Mapping[str, ServoModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "STALLED"

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        self.supply_v = [7.4] * len(joints)
        self.settings = [{question: value for question, (_, value) in _SETTINGS.items()} for _ in joints]
        for settings, joint in zip(self.settings, joints, strict=True):
            settings[14] = bytes((joint.motor.id,))
        self._last_move = [bytes(4)] * len(joints)
        self._next_move: list[bytes | None] = [None] * len(joints)
        self._stalled_s = [math.nan] * len(joints)

    def restart(self, motor: int) -> None:
        """Its settings are stored; it starts without load."""
        self._next_move[motor] = None
        self.switch(motor, on=False)

    def obey(self, bus: int, data: bytes, now_s: float) -> bytes:
        """Act on the packets of one write, until one is answered."""
        for servo_id, command, params, has_more in _packets(data):
            ids = self._routes[bus] if servo_id == _BROADCAST else (servo_id,)
            motors = [motor for identifier in list(ids) for motor in self.reached(bus, identifier, now_s)]
            said = collide([answer for motor in motors if (answer := self._hear(motor, command, params, now_s))])
            if said:
                # Where more follows, the host was still sending.
                return bytes(byte & 0x55 for byte in said) if has_more else said
        return b""

    def _hear(self, motor: int, command: int, params: bytes, now_s: float) -> bytes:
        self._protect(motor, now_s)
        data = self._read(motor, command) if not params else None
        if data is not None:
            body = bytes((self.address[motor].id, len(data) + 3, command)) + data
            return b"\x55\x55" + body + bytes((255 - sum(body) % 256,))
        self._order(motor, command, params)
        return b""

    def _read(self, motor: int, command: int) -> bytes | None:
        if command in self.settings[motor]:
            return self.settings[motor][command]
        reading = self.reading(motor)
        if command == 2:
            return self._last_move[motor]
        if command == 26:
            return bytes((min(max(round(reading.temperature_degc), 0), 255),))
        if command == 27:
            return round(self.supply_v[motor] * 1000).to_bytes(2, "little")
        if command == 28:
            count = round(reading.position_rad / _COUNT_RAD) + _CENTRE
            return count.to_bytes(2, "little", signed=True)
        if command == 32:
            return bytes((bool(self.is_on[motor]),))
        return None

    def _order(self, motor: int, command: int, params: bytes) -> None:
        if command in (1, 7) and len(params) == 4:
            if command == 1:
                self._move(motor, params)
            else:
                self._next_move[motor] = params
        elif command == 11:
            left, self._next_move[motor] = self._next_move[motor], None
            if left is not None:
                self._move(motor, left)
        elif command == 12:
            self._aim(motor, self.at(motor), 0)
        elif command == 31 and len(params) == 1:
            if not params[0]:
                self.clear_fault(motor)
            if bool(params[0]) != bool(self.is_on[motor]):
                self.switch(motor, on=bool(params[0]))
        else:
            for question, (order, value) in _SETTINGS.items():
                if command == order and len(params) == len(value):
                    self.settings[motor][question] = params

    def _move(self, motor: int, params: bytes) -> None:
        self._last_move[motor] = params
        low, high = self.settings[motor][21][:2], self.settings[motor][21][2:]
        count = int.from_bytes(params[:2], "little")
        count = min(max(count, int.from_bytes(low, "little")), int.from_bytes(high, "little"))
        self._aim(motor, (count - _CENTRE) * _COUNT_RAD, int.from_bytes(params[2:], "little"))

    def _aim(self, motor: int, goal_rad: float, time_ms: int) -> None:
        self.goal[motor] = goal_rad
        way_rad = abs(goal_rad - self.at(motor))
        self.speed_limit[motor] = way_rad / (time_ms / 1000.0) if time_ms and way_rad else math.inf

    def _protect(self, motor: int, now_s: float) -> None:
        """Let go where it is too warm, has too much voltage, or has pushed in vain for long."""
        fault = self._forced[motor]
        fault |= _OVER_TEMPERATURE if self.reading(motor).temperature_degc >= self.settings[motor][25][0] else 0
        high_v = int.from_bytes(self.settings[motor][23][2:], "little") / 1000.0
        fault |= _OVER_VOLTAGE if self.supply_v[motor] > high_v else 0
        if abs(self.drive_share(motor)) < _FULL_DRIVE:
            self._stalled_s[motor] = math.nan
        elif math.isnan(self._stalled_s[motor]):
            self._stalled_s[motor] = now_s
        elif now_s - self._stalled_s[motor] > _STALL_S:
            fault |= _STALLED
        self.fault[motor] = fault
        if fault and self.is_on[motor]:
            self.switch(motor, on=False)


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes, bool]]:
    """Id, command and parameters of every sound packet, and whether anything follows it."""
    at = 0
    while (at := data.find(b"\x55\x55", at)) >= 0:
        end = at + 3 + data[at + 3] if at + 4 < len(data) else len(data) + 1
        body = data[at + 2 : end - 1]
        if end > len(data) or len(body) < 3 or 255 - sum(body) % 256 != data[end - 1]:
            at += 1
            continue
        yield body[0], body[2], body[3:], end < len(data)
        at = end
