"""Simulated Dynamixel servos as the joints of a robot: packets in and out, goal currents as torques.

The servos are those of `drivers.sim.servos`, whose shafts are joints here. Only current control moves them; in the
other modes they are limp here, which no driver of ours sets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from drivers.bus import Frame
from drivers.capabilities import SERIAL_BITS_PER_BYTE
from drivers.devices import MotorModel
from drivers.serial.dynamixel import tables as t
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.impedance import ImpedanceMotors
from drivers.sim.servos.dynamixel import DynamixelBus
from drivers.sim.servos.dynamixel_servo import DynamixelServo
from supervisor.core.robot import JointConfig

FAULT_CODES: Final = {name: 1 << bit for bit, name in t.HARDWARE_ERROR_BITS.items()}

BAUD: Final = 4_000_000
"""At which they listen; a line is taken to have it, too."""

_START_S: Final = -0.0137

ADAPTER_S: Final = 100e-6
"""From the last byte on the line to the host."""


class JointServo(DynamixelServo):
    """A servo whose shaft is a joint: it feels where that is, and does not move by itself.

    Args:
        servo_id: Its id.
        model: Row of the driver's table.
        firmware: Version.
    """

    def __init__(self, servo_id: int, model: str, firmware: int = 52) -> None:
        super().__init__(servo_id, model, firmware=firmware, baud=BAUD)
        self.table[t.OPERATING_MODE] = t.MODE_CURRENT
        self.table[t.RETURN_DELAY] = 0

    def follow(self, step_s: float) -> None:
        """Nothing: the joint moves it."""

    def feel(self, count: float, velocity_count: float, current_count: float) -> None:
        """Say where the joint is: within one turn of where it was before, since only that is counted."""
        turn = t.COUNTS_PER_TURN
        self.shaft_count += (count - self.shaft_count + turn / 2) % turn - turn / 2
        self.velocity_count, self.current_count = velocity_count, current_count


class DynamixelMotors(ImpedanceMotors):
    """The Dynamixel servos of one robot. Each has its own watchdog, which frees it and leaves its torque switch on."""

    models: ClassVar[Mapping[str, MotorModel]] = t.MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "INPUT_VOLTAGE"

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        self.servos = [JointServo(joint.motor.id, joint.motor.model) for joint in joints]
        """One per motor."""
        for motor, servo in enumerate(self.servos):
            # Their supply comes up a little later the further it has to go.
            servo.started_s = _START_S * motor
        self._count_nm = [t.SERVOS[joint.motor.model].torque_count_nm for joint in joints]
        self.lines = [DynamixelBus([], BAUD) for _ in buses]
        """One per bus."""
        self._on_line: list[list[int]] = []
        self._plug()

    def _plug(self) -> None:
        """Put every servo that has power on its line, with the id that it listens to."""
        self._on_line = [sorted(motor for motors in routes.values() for motor in motors) for routes in self._routes]
        for line, motors in zip(self.lines, self._on_line, strict=True):
            line.servos = [self.servos[motor] for motor in motors]
        for motor, servo in enumerate(self.servos):
            servo.table[t.ID] = self.address[motor].id

    def converse(self, bus: int, frames: Sequence[Frame], now_s: float, arrival_s: float) -> list[Frame]:  # noqa: ARG002 (an answer takes as long as its bytes)
        """Let the servos of one line hear what was written, and answer."""
        motors, line = self._on_line[bus], self.lines[bus]
        if not motors:
            return []
        said = b"".join([frame.data for frame in frames])
        answer = b""
        if said:
            for motor in motors:
                self._feel(motor)
            answer = line.hear(said, now_s)
        else:
            line.advance_to(now_s)
        for motor in motors:
            self._act(motor)
        if not answer:
            return []
        delay_s = max(self.servos[motor].table[t.RETURN_DELAY] for motor in motors) * t.RETURN_DELAY_COUNT_S
        taken_s = (len(said) + len(answer)) * SERIAL_BITS_PER_BYTE / line.baud + delay_s * len(motors) + ADAPTER_S
        return [Frame(0, answer, False, False, now_s + taken_s)]

    def _feel(self, motor: int) -> None:
        servo, reading = self.servos[motor], self.reading(motor)
        servo.feel(
            t.CENTRE_COUNT + reading.position_rad / t.POSITION_COUNT_RAD,
            reading.velocity_rad_per_s / t.VELOCITY_COUNT_RAD_PER_S,
            reading.torque_nm / self._count_nm[motor] if servo.has_torque else 0.0,
        )
        servo.set_temperature(min(max(round(reading.temperature_degc), 0), 0xFF))

    def _act(self, motor: int) -> None:
        servo = self.servos[motor]
        self.is_on[motor] = servo.has_torque
        self.fault[motor] = servo.table[t.HARDWARE_ERROR]
        self.target[4, motor] = servo.pushes_count * self._count_nm[motor]

    def expire(self, motor: int) -> None:
        """Nothing here: the watchdog is the servo's own."""

    def restart(self, motor: int) -> None:
        """Torque off, and everything in RAM forgotten."""
        self.servos[motor].reboot()

    def set_conditions(self, conditions: Sequence[MotorCondition]) -> None:
        """Replace what is wrong with the motors, one condition per motor."""
        super().set_conditions(conditions)
        for motor, (servo, condition) in enumerate(zip(self.servos, conditions, strict=True)):
            servo.lasting_errors = self._forced[motor]
            servo.raise_errors(self._forced[motor])
            if condition.is_silent:
                servo.reboot()
        self._plug()
