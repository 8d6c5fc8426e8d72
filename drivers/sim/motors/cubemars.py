"""Simulated CubeMars AK motors in MIT mode: MIT frames in, feedback on their master's identifier out.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from drivers.bus import Frame
from drivers.can.cubemars.tables import ERROR_NAMES, MODELS
from drivers.devices import MotorModel
from drivers.sim.motors.impedance import Answer, CanImpedanceMotors, from_counts, to_counts
from supervisor.core.robot import JointConfig

FAULT_CODES: Final = {name: code for code, name in ERROR_NAMES.items()}

WRITING_S: Final = 1.0
"""How long a motor that writes a new zero to its flash is deaf."""

_SPECIAL: Final = b"\xff" * 7
_ENTER, _EXIT, _SET_ZERO = 0xFC, 0xFD, 0xFE
_TOP_16, _TOP_12 = 0xFFFF, 0xFFF


class CubeMarsMotors(CanImpedanceMotors):
    """The CubeMars motors of one robot.

    Their command timeout is off as delivered, and can only be set with the vendor's tool (`timeout_s` here): without it
    they go on with their last command, with it they drop torque and gains to zero until the next one.
    """

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "UNDER_VOLTAGE"
    is_extended: ClassVar[bool] = False

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        self._deaf_until_s = [-math.inf] * len(joints)

    def motor_id(self, frame: Frame) -> int | None:
        """The identifier itself."""
        return None if frame.is_extended or len(frame.data) != 8 else frame.arbitration_id

    def hear(self, motor: int, frame: Frame) -> Sequence[Answer]:
        """Act on one frame, and answer with feedback, whatever it was."""
        data = frame.data
        if self._heard_s[motor] < self._deaf_until_s[motor]:
            return []
        if data[:7] == _SPECIAL and data[7] in (_ENTER, _EXIT, _SET_ZERO):
            if data[7] == _SET_ZERO:
                if not self.is_on[motor]:
                    self.set_zero(motor)
                    self._deaf_until_s[motor] = self._heard_s[motor] + WRITING_S
                    return []
            else:
                if data[7] == _EXIT:
                    self.clear_fault(motor)
                self.switch(motor, on=data[7] == _ENTER)
        elif self.is_on[motor]:
            self._command(motor, int.from_bytes(data, "big"))
        return [(self.address[motor].feedback_id, self._feedback(motor))]

    def _command(self, motor: int, word: int) -> None:
        wire = self.wire[motor]
        p, v, t = wire.position_max_rad, wire.velocity_max_rad_per_s, wire.torque_max_nm
        self.target[:, motor] = (
            from_counts(word >> 48, -p, p, _TOP_16),
            from_counts(word >> 36 & _TOP_12, -v, v, _TOP_12),
            from_counts(word >> 24 & _TOP_12, 0.0, wire.kp_max_nm_per_rad, _TOP_12),
            from_counts(word >> 12 & _TOP_12, 0.0, wire.kd_max_nm_s_per_rad, _TOP_12),
            from_counts(word & _TOP_12, -t, t, _TOP_12),
        )

    def _feedback(self, motor: int) -> bytes:
        reading, wire = self.reading(motor), self.wire[motor]
        position = to_counts(reading.position_rad, wire.position_max_rad, _TOP_16)
        velocity = to_counts(reading.velocity_rad_per_s, wire.velocity_max_rad_per_s, _TOP_12)
        torque = to_counts(reading.torque_nm, wire.torque_max_nm, _TOP_12)
        degc = min(max(round(reading.temperature_degc), -128), 127) & 0xFF
        motion = (position << 24 | velocity << 12 | torque).to_bytes(5, "big")
        return bytes((self.address[motor].id & 0xFF,)) + motion + bytes((degc, self.fault[motor]))

    def expire(self, motor: int) -> None:
        """Torque and gains to zero; the motor stays in motor mode, and obeys the next command."""
        self.target[:, motor] = 0.0

    def restart(self, motor: int) -> None:
        """Its ids and timeout are stored; there is nothing else."""
