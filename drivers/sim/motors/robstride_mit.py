"""Simulated RobStride motors in their MIT variant: MIT frames in, feedback on the host's identifier out.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here. That a
question for faults is answered with 16 bits and zeros is from the vendor's receiving code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from drivers.bus import Frame
from drivers.can.robstride_mit.tables import FAULT_NAMES, MODELS
from drivers.devices import MotorModel
from drivers.sim.motors.impedance import Answer, CanImpedanceMotors, from_counts, to_counts
from supervisor.core.robot import JointConfig

FAULT_CODES: Final = {name: 1 << bit for bit, name in FAULT_NAMES.items()}

_HOST: Final = 0xFD
_SPECIAL: Final = b"\xff" * 6
_FAULTS, _ENABLE, _STOP, _SET_ZERO = 0xFB, 0xFC, 0xFD, 0xFE
_MIT_MODE = 0
_TOP_16, _TOP_12 = 0xFFFF, 0xFFF


class RobStrideMitMotors(CanImpedanceMotors):
    """The RobStride motors of one robot in their MIT variant.

    Their command timeout is off as delivered, and can only be set and saved with the private protocol (`timeout_s`
    here): without it they go on with their last command, with it they go to reset mode.
    """

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "UNDERVOLTAGE"
    is_extended: ClassVar[bool] = False

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        self._mode = [_MIT_MODE] * len(joints)

    def motor_id(self, frame: Frame) -> int | None:
        """The identifier itself; those of the other modes are above every motor's id."""
        return None if frame.is_extended or len(frame.data) != 8 else frame.arbitration_id

    def hear(self, motor: int, frame: Frame) -> Sequence[Answer]:
        """Act on one frame, and answer: with feedback, but for a question for faults."""
        data = frame.data
        argument, kind = data[6], data[7]
        if data[:6] != _SPECIAL or kind < _FAULTS or (kind == 0xFF):
            self._command(motor, int.from_bytes(data, "big"))
        elif kind == _FAULTS and argument != 0xFF:
            return [(_HOST, bytes((self.address[motor].id,)) + self.fault[motor].to_bytes(2, "little") + bytes(5))]
        elif kind == _FAULTS:
            self.clear_fault(motor)
        elif kind == _ENABLE and argument != 0xFF:
            self._mode[motor] = argument
        elif kind == _SET_ZERO:
            if not self.is_on[motor]:
                self.set_zero(motor)
        else:
            self.switch(motor, on=kind == _ENABLE)
        return [(_HOST, self._feedback(motor))]

    def _command(self, motor: int, word: int) -> None:
        """Take an impedance command. A motor that is off, or in another mode, keeps still."""
        if not self.is_on[motor] or self._mode[motor] != _MIT_MODE:
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

    def _feedback(self, motor: int) -> bytes:
        reading, wire = self.reading(motor), self.wire[motor]
        high = wire.position_max_rad
        position = to_counts(math.remainder(reading.position_rad, 2.0 * high), high, _TOP_16)
        velocity = to_counts(reading.velocity_rad_per_s, wire.velocity_max_rad_per_s, _TOP_12)
        torque = to_counts(reading.torque_nm, wire.torque_max_nm, _TOP_12)
        degc = min(max(round(reading.temperature_degc * 10.0), 0), _TOP_16)
        motion = (position << 24 | velocity << 12 | torque).to_bytes(5, "big")
        return bytes((self.address[motor].id,)) + motion + degc.to_bytes(2, "big")

    def expire(self, motor: int) -> None:
        """Reset mode: output off, without a fault."""
        self.switch(motor, on=False)

    def restart(self, motor: int) -> None:
        """Forget the mode of control; ids and a timeout are stored."""
        self._mode[motor] = _MIT_MODE
