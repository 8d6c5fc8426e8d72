"""Simulated moteus controllers: registers and console in, replies out, impedance control in between.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import numpy as np

from drivers.bus import Frame
from drivers.can.moteus.tables import FAULTS, MODELS
from drivers.devices import MotorModel
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.impedance import AMBIENT_DEGC, ImpedanceMotors
from drivers.sim.motors.moteus_wire import Console, Listen, Read, Say, Write, padded, refuse_write, subframes, tell
from supervisor.core.joints import Vector
from supervisor.core.robot import JointConfig

FAULT_CODES: Final = {name: code for code, name in FAULTS.items()}

STOPPED, FAULT, POSITION, TIMEOUT, ZERO_VELOCITY, BRAKE = 0, 1, 10, 11, 12, 15
OVER_TEMPERATURE, OUTSIDE_LIMIT = 38, 39
SUPPLY_V: Final = 48.0
TURN: Final = 2.0 * math.pi

_REGISTER_MAP: Final = 5
_FIRMWARE: Final = 0x010A
_HOMED_TO_OUTPUT: Final = 2
_SETTABLE: Final = frozenset(range(0x020, 0x02E))
_DEFAULTS: Final[Mapping[int, float]] = {
    0x020: 0.0,
    0x021: 0.0,
    0x022: 0.0,
    0x023: 1.0,
    0x024: 1.0,
    0x025: math.nan,
    0x026: math.nan,
    0x027: 0.0,
    0x028: math.nan,
    0x029: math.nan,
    0x02B: 1.0,
}
"""Command registers as they are when a mode is written."""


def factory_settings(joint: JointConfig, model: MotorModel) -> dict[str, float]:
    """Settings of a controller that its owner has set up for this robot; what the owner need not touch is as delivered.

    Args:
        joint: Where it sits.
        model: What the robot file says of its drive.
    """
    drive = joint.motor.drive
    return {
        "servo.pid_position.kp": 1.2 * model.kp_max_nm_per_rad * TURN,
        "servo.pid_position.kd": 1.2 * model.kd_max_nm_s_per_rad * TURN,
        "servo.pid_position.ki": 1.0,
        "servo.pid_position.ilimit": 0.0,
        "servo.max_velocity": 500.0,
        "servo.fixed_voltage_mode": 0.0,
        "servo.fault_temperature": 75.0,
        "servo.default_timeout_s": 0.1,
        "servo.timeout_mode": 12.0,
        "servo.timeout_max_torque_Nm": 5.0,
        "servopos.position_min": math.nan,
        "servopos.position_max": math.nan,
        "motor_position.rotor_to_output_ratio": 1.0 / (1.0 if drive is None else drive.motor_turns_per_output_turn),
    }


class MoteusMotors(ImpedanceMotors):
    """The moteus controllers of one robot.

    When they hear no command for as long as the last one allowed, they are damped in mode 11, and stay so until
    stopped. Questions do not count as commands. Between two commands the target goes on at the commanded speed.
    """

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "UNDER_VOLTAGE"

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        count = len(joints)
        self.consoles = [Console(factory_settings(j, m)) for j, m in zip(joints, self.wire, strict=True)]
        """Where each motor's settings are read and written."""
        self._mode = [STOPPED] * count
        self._command = [dict(_DEFAULTS) for _ in joints]
        self._fed_s = [0.0] * count
        self._limit: Vector = np.array([model.torque_max_nm for model in self.wire])
        """What each motor may give now, N·m."""
        self._heated: list[int] = []
        """Motors whose board may be too hot."""
        self._advanced_s = math.nan

    # Frames

    def converse(self, bus: int, frames: Sequence[Frame], now_s: float, arrival_s: float) -> list[Frame]:
        """Act on the frames one by one, and answer those that ask for it."""
        self._watch_temperature()
        said: list[Frame] = []
        for frame in frames:
            if not frame.is_fd or frame.arbitration_id >> 16:
                continue
            source, number = frame.arbitration_id >> 8, frame.arbitration_id & 0x7F
            for motor in self.reached(bus, number, now_s):
                data = self._hear(motor, frame.data)
                if source & 0x80 and data:
                    identifier = number << 8 | source & 0x7F
                    said.append(Frame(identifier, data, identifier > 0x7FF, True, arrival_s))
        return said

    def _hear(self, motor: int, data: bytes) -> bytes | None:
        """Act on a frame's subframes: writes first; then its reply, None where it does not fit a frame."""
        parts, is_command = [*subframes(data)], False
        reply = b""
        for part in parts:
            if isinstance(part, Write):
                for register, value in enumerate(part.values, part.register):
                    if not self._set(motor, register, value):
                        reply += refuse_write(register)
                    elif register == 0:
                        is_command = True
            elif isinstance(part, Say):
                self.consoles[motor].type(part.text)
        if is_command:
            self._fed_s[motor] = float(self._heard_s[motor])
            self._obey(motor)
        # Only commands feed the watchdog.
        self._heard_s[motor] = self._fed_s[motor]
        values: Mapping[int, float] = {}
        for part in parts:
            if isinstance(part, Read):
                values = values or self._registers(motor)
                reply += tell(part, values)
            elif isinstance(part, Listen):
                reply += self.consoles[motor].listen(part.channel, part.size)
        return padded(reply)

    def _set(self, motor: int, register: int, value: float) -> bool:
        """Set one register; False where it cannot be set."""
        if register in _SETTABLE:
            self._command[motor][register] = value
        elif register == 0 and value in (STOPPED, POSITION, ZERO_VELOCITY, BRAKE):
            # The mode comes first, and sets everything else back.
            self._command[motor] = {**_DEFAULTS, 0: value}
        elif register in (0x130, 0x131) and self._shown_mode(motor) == STOPPED:
            self._set_output(motor, value, is_exact=register == 0x131)
        else:
            return False
        return True

    def _set_output(self, motor: int, position_rev: float, *, is_exact: bool) -> None:
        if math.isfinite(position_rev):
            shift_rev = position_rev - self.reading(motor).position_rad / TURN
            shift_rad = TURN * (shift_rev if is_exact else round(shift_rev))
            self._zero[motor] += shift_rad
            self._motion[0, motor] += shift_rad
            self._learn_conditions()

    def _registers(self, motor: int) -> dict[int, float]:
        reading, mode = self.reading(motor), self._shown_mode(motor)
        is_driven = mode not in (STOPPED, FAULT)
        return self._command[motor] | {
            0x000: mode,
            0x001: reading.position_rad / TURN,
            0x002: reading.velocity_rad_per_s / TURN,
            0x003: reading.torque_nm if is_driven else 0.0,
            0x004: 0.0,
            0x005: 0.0,
            0x006: reading.position_rad / TURN,
            0x007: 0.0,
            0x00A: reading.temperature_degc,
            0x00B: 1,
            0x00C: _HOMED_TO_OUTPUT,
            0x00D: SUPPLY_V,
            0x00E: self._board_degc(motor),
            0x00F: self.fault[motor],
            0x100: 0,
            0x101: _FIRMWARE,
            0x102: _REGISTER_MAP,
            0x120: 0x6D6F,
            0x121: motor,
            0x122: 0x7573,
        }

    # Modes

    def _shown_mode(self, motor: int) -> int:
        """Register 0. A motor that lost its power in between is stopped."""
        if self.fault[motor]:
            return FAULT
        return self._mode[motor] if self.is_on[motor] else STOPPED

    def _obey(self, motor: int) -> None:
        """Take the mode that was written. Faults and timeouts only end with a stop."""
        command, mode = self._command[motor], self._shown_mode(motor)
        wanted = int(command[0])
        if wanted == STOPPED:
            self.clear_fault(motor)
            self._mode[motor] = STOPPED
            self.switch(motor, on=False)
        elif mode in (FAULT, TIMEOUT):
            return
        elif wanted == POSITION:
            self._hold(motor, command, is_new=mode != POSITION)
        else:
            self._mode[motor] = wanted
            self.switch(motor, on=True)
            self.timeout_s[motor] = math.inf
            self._damp(motor, command[0x024])

    def _hold(self, motor: int, command: Mapping[int, float], *, is_new: bool) -> None:
        """Position control with shares of the configured gains."""
        settings, position_rad = self.consoles[motor].settings, self.reading(motor).position_rad
        low, high = settings["servopos.position_min"], settings["servopos.position_max"]
        if is_new:
            if position_rad / TURN < low or position_rad / TURN > high:
                self.fault[motor] = OUTSIDE_LIMIT
                return
            self._mode[motor] = POSITION
            self.switch(motor, on=True)
            self.target[0, motor] = position_rad
        if math.isfinite(command[0x020]):
            # No limit is nan, and compares as no limit.
            position_rev = high if command[0x020] > high else command[0x020]
            self.target[0, motor] = TURN * (low if position_rev < low else position_rev)
        kp = command[0x023] * settings["servo.pid_position.kp"] / TURN
        kd = command[0x024] * settings["servo.pid_position.kd"] / TURN
        wanted = (TURN * command[0x021], kp, kd, command[0x022])
        self.target[1:, motor] = [value if math.isfinite(value) else 0.0 for value in wanted]
        torque_nm, largest_nm = command[0x025], self.wire[motor].torque_max_nm
        self._limit[motor] = largest_nm if math.isnan(torque_nm) else min(max(torque_nm, 0.0), largest_nm)
        timeout_s = command[0x027] or settings["servo.default_timeout_s"]
        self.timeout_s[motor] = timeout_s if timeout_s > 0.0 else math.inf

    def _damp(self, motor: int, kd_scale: float) -> None:
        settings = self.consoles[motor].settings
        self.target[:, motor] = (0.0, 0.0, 0.0, kd_scale * settings["servo.pid_position.kd"] / TURN, 0.0)
        self._limit[motor] = settings["servo.timeout_max_torque_Nm"]

    def expire(self, motor: int) -> None:
        """Mode 11, until stopped: what it does there is a setting."""
        settings, kd_scale = self.consoles[motor].settings, self._command[motor][0x024]
        behaviour = settings["servo.timeout_mode"]
        self._mode[motor] = TIMEOUT
        self.timeout_s[motor] = math.inf
        if behaviour in (ZERO_VELOCITY, BRAKE):
            self._damp(motor, kd_scale)
        elif behaviour == POSITION:
            gains = (settings["servo.pid_position.kp"] / TURN, settings["servo.pid_position.kd"] / TURN)
            self.target[:, motor] = (self.reading(motor).position_rad, 0.0, *gains, 0.0)
        else:
            self.target[:, motor] = 0.0

    def restart(self, motor: int) -> None:
        """Forget everything that was never stored."""
        self._mode[motor] = STOPPED
        self.consoles[motor].restart()
        self._command[motor] = dict(_DEFAULTS)

    # Temperature and physics

    def _board_degc(self, motor: int) -> float:
        felt = self._conditions[motor].temperature_degc
        return AMBIENT_DEGC if felt is None else felt

    def set_conditions(self, conditions: Sequence[MotorCondition]) -> None:
        """Replace what is wrong with the motors, one condition per motor. See `SimulatedMotors.set_conditions`."""
        super().set_conditions(conditions)
        self._heated = [motor for motor, condition in enumerate(conditions) if condition.temperature_degc is not None]

    def _watch_temperature(self) -> None:
        """A board that is too hot cuts the output, while it drives."""
        for motor in self._heated:
            is_hot = self._board_degc(motor) > self.consoles[motor].settings["servo.fault_temperature"]
            if is_hot and self.is_on[motor]:
                self.fault[motor] = OVER_TEMPERATURE
                self.switch(motor, on=False)

    def torque(self, position_rad: Vector, velocity_rad_per_s: Vector, now_s: float) -> Vector:
        """(n,) joint torques for one physics step. The same array every time."""
        step_s = now_s - self._advanced_s
        self._advanced_s = now_s
        if step_s > 0.0:
            self.target[0] += step_s * self.target[1]
        super().torque(position_rad, velocity_rad_per_s, now_s)
        motion = self._motion[2]
        np.minimum(motion, self._limit, out=motion)
        np.maximum(motion, -self._limit, out=motion)
        return np.multiply(motion, self._output_gain, out=self._joint_torque)
