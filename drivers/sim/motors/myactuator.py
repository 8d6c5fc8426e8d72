"""Simulated MyActuator RMD motors: requests and motion commands in, replies out.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from drivers.bus import Frame
from drivers.can.myactuator.tables import ERRORS, MODELS
from drivers.devices import MotorModel
from drivers.sim.motors.impedance import Answer, CanImpedanceMotors, from_counts, to_counts
from supervisor.core.robot import JointConfig

FAULT_CODES: Final = {name: code for code, name in ERRORS.items()}

SUPPLY_V: Final = 48.0

_TOP_16, _TOP_12 = 0xFFFF, 0xFFF
_SHUTDOWN, _RESET, _SET_ZERO, _SET_TIMEOUT = 0x80, 0x76, 0x64, 0xB3
_ANGLE, _STATUS_1, _STATUS_2 = 0x92, 0x9A, 0x9C


class MyActuatorMotors(CanImpedanceMotors):
    """The MyActuator motors of one robot.

    Their timeout is off as delivered. On expiry the output is cut; a motor then says so, only repeats the next frame
    that it hears, and obeys the one after. (A real one says so once a second; these when they are spoken to.)
    """

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "LOW_VOLTAGE"
    is_extended: ClassVar[bool] = False

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        self._has_timed_out: set[int] = set()

    def motor_id(self, frame: Frame) -> int | None:
        """Requests come on 0x140 and motion commands on 0x400, plus the id."""
        if frame.is_extended or frame.is_fd or len(frame.data) != 8:
            return None
        number = frame.arbitration_id - (0x400 if frame.arbitration_id > 0x400 else 0x140)
        return number if 1 <= number <= 32 else None

    def hear(self, motor: int, frame: Frame) -> Sequence[Answer]:
        """Act on one frame, and answer."""
        data, number = frame.data, self.address[motor].id
        is_motion = frame.arbitration_id > 0x400
        voice = (0x500 if is_motion else 0x240) + number
        if motor in self._has_timed_out:
            self._has_timed_out.discard(motor)
            return [(0x240 + number, b"\xf1" + bytes(7)), (voice, data)]
        if is_motion:
            self._command(motor, int.from_bytes(data, "big"))
            return [(voice, self._motion_feedback(motor))]
        reply = self._request(motor, data)
        return [(voice, reply)] if reply else []

    def _command(self, motor: int, word: int) -> None:
        if not self.is_on[motor]:
            self.switch(motor, on=True)
        if not self.is_on[motor]:
            return
        wire = self.wire[motor]
        p, v, t = wire.position_max_rad, wire.velocity_max_rad_per_s, wire.torque_max_nm
        self.target[:, motor] = (
            from_counts(word >> 48, -p, p, _TOP_16),
            from_counts(word >> 36 & _TOP_12, -v, v, _TOP_12),
            from_counts(word >> 24 & _TOP_12, 0.0, wire.kp_max_nm_per_rad, _TOP_12),
            from_counts(word >> 12 & _TOP_12, 0.0, wire.kd_max_nm_s_per_rad, _TOP_12),
            from_counts(word & _TOP_12, -t, t, _TOP_12),
        )

    def _motion_feedback(self, motor: int) -> bytes:
        reading, wire = self.reading(motor), self.wire[motor]
        position = to_counts(reading.position_rad, wire.position_max_rad, _TOP_16)
        velocity = to_counts(reading.velocity_rad_per_s, wire.velocity_max_rad_per_s, _TOP_12)
        torque = to_counts(reading.torque_nm, wire.torque_max_nm, _TOP_12)
        motion = (position << 24 | velocity << 12 | torque).to_bytes(5, "big")
        return bytes((self.address[motor].id,)) + motion + bytes(2)

    def _request(self, motor: int, data: bytes) -> bytes:
        """Act on a request; the data of the answer, none to a restart."""
        operation = data[0]
        if operation == _RESET:
            self.clear_fault(motor)
        if operation in (_SHUTDOWN, _RESET):
            self.switch(motor, on=False)
            return b"" if operation == _RESET else data
        if operation == _SET_ZERO:
            self.set_zero(motor)
        elif operation == _SET_TIMEOUT:
            milliseconds = int.from_bytes(data[4:], "little")
            self.timeout_s[motor] = milliseconds / 1e3 if milliseconds else math.inf
        reading = self.reading(motor)
        degc = min(max(round(reading.temperature_degc), -128), 127)
        angle_deg, speed_deg_per_s = math.degrees(reading.position_rad), math.degrees(reading.velocity_rad_per_s)
        if operation == _ANGLE:
            return struct.pack("<B3xi", operation, round(angle_deg * 100.0))
        if operation == _STATUS_1:
            return struct.pack("<BbxBHH", operation, degc, 1, round(SUPPLY_V * 10.0), self.fault[motor])
        if operation == _STATUS_2:
            speed = min(max(round(speed_deg_per_s), -32768), 32767)
            return struct.pack("<Bbhhh", operation, degc, 0, speed, min(max(round(angle_deg), -32768), 32767))
        return data

    def expire(self, motor: int) -> None:
        """Output off."""
        self.switch(motor, on=False)
        self._has_timed_out.add(motor)

    def restart(self, motor: int) -> None:
        """The timeout is stored in flash; only that it expired is forgotten."""
        self._has_timed_out.discard(motor)
