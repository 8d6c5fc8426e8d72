"""Simulated ODrives: CANSimple commands in, cyclic reports and a few answers out, position control in between.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import Frame
from drivers.can.odrive.tables import ERRORS, MODELS
from drivers.devices import MotorModel
from drivers.sim.motors.impedance import Answer, CanImpedanceMotors
from supervisor.core.joints import Vector
from supervisor.core.robot import JointConfig

FAULT_CODES: Final = {name: bit for bit, name in ERRORS.items()}

SUPPLY_V: Final = 48.0
FIRMWARE: Final = (0, 6, 11)
HARDWARE: Final = {"Pro": (4, 4, 58), "S1": (5, 2, 0), "Micro": (6, 1, 0)}
SERIAL_NUMBER: Final = 0x3943355F3231
"""Of the first board; the others count on from there."""

_VERSION, _HEARTBEAT, _ESTOP, _ERROR, _ADDRESS, _STATE = 0x00, 0x01, 0x02, 0x03, 0x06, 0x07
_ESTIMATES, _MODE, _POSITION, _VELOCITY, _TORQUE = 0x09, 0x0B, 0x0C, 0x0D, 0x0E
_TEMPERATURE, _REBOOT, _SUPPLY, _CLEAR = 0x15, 0x16, 0x17, 0x18
_SET_POSITION, _POSITION_GAIN, _VELOCITY_GAINS, _TORQUES = 0x19, 0x1A, 0x1B, 0x1C
_LENGTHS: Final = {
    _ESTOP: 0,
    _REBOOT: 1,
    _CLEAR: 1,
    _STATE: 4,
    _MODE: 8,
    _POSITION: 8,
    _VELOCITY: 8,
    _TORQUE: 4,
    _SET_POSITION: 4,
    _POSITION_GAIN: 4,
    _VELOCITY_GAINS: 8,
}
"""Shortest data of each command."""

_IDLE, _CLOSED_LOOP = 1, 8
_TORQUE_CONTROL, _VELOCITY_CONTROL, _POSITION_CONTROL = 1, 2, 3
_PASSTHROUGH: Final = 1
_BROADCAST: Final = 0x3F

WATCHDOG: Final = FAULT_CODES["WATCHDOG_TIMER_EXPIRED"]


@dataclass(slots=True)
class Settings:
    """What one board keeps in RAM, as a reboot leaves it.

    Attributes:
        control, inputs: Control and input mode.
        position_gain, velocity_gain, integrator_gain: As delivered: 20/s, 0.16 N·m·s/rev and 0.32 N·m/rev.
        position_rev, velocity_rev_per_s, torque_nm: Newest input.
    """

    control: int = _POSITION_CONTROL
    inputs: int = _PASSTHROUGH
    position_gain: float = 20.0
    velocity_gain: float = 0.16
    integrator_gain: float = 0.32
    position_rev: float = 0.0
    velocity_rev_per_s: float = 0.0
    torque_nm: float = 0.0


class ODriveMotors(CanImpedanceMotors):
    """The ODrives of one robot, each with a motor behind its gearbox.

    Their watchdog is off as delivered, and can only be set by USB (`timeout_s` here). Without it they go on with their
    last command; when it expires they disarm, and have to be cleared. Their integrators are not simulated: whoever
    leaves one on finds it in `settings`.

    Attributes:
        periods_s: (5, n) how often each board sends heartbeat, encoder estimates, torques, temperatures and supply;
            infinite for never. Set up as this robot needs it, not as delivered.
        firmware: Version of each board.
        settings: RAM of each board.
    """

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "DC_BUS_UNDER_VOLTAGE"
    is_extended: ClassVar[bool] = False

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        count = len(joints)
        drives = [joint.motor.drive for joint in joints]
        per_output = [1.0 if drive is None else drive.motor_turns_per_output_turn for drive in drives]
        self._per_output: Vector = np.array(per_output)
        self._rev_per_rad: Vector = self._per_output / (2.0 * math.pi)
        self.periods_s: NDArray[np.float64] = np.outer((0.002, 0.002, 0.01, 0.1, 0.1), np.ones(count))
        self._sent: NDArray[np.int64] = np.zeros((5, count), dtype=np.int64)
        self.firmware = [FIRMWARE] * count
        self.settings = [Settings() for _ in joints]

    def motor_id(self, frame: Frame) -> int | None:
        """The identifier without its lowest five bits."""
        return None if frame.is_extended or frame.is_fd else frame.arbitration_id >> 5

    def converse(self, bus: int, frames: Sequence[Frame], now_s: float, arrival_s: float) -> list[Frame]:
        """Act on the frames, answer the requests among them, and report what is due."""
        said = super().converse(bus, self._addressed(bus, frames), now_s, arrival_s)
        due = np.floor(now_s / self.periods_s + 1e-6).astype(np.int64)
        present = {motor for motors in self._routes[bus].values() for motor in motors}
        for kind, motor in np.argwhere(due > self._sent).tolist():
            if motor in present:
                command = (_HEARTBEAT, _ESTIMATES, _TORQUES, _TEMPERATURE, _SUPPLY)[kind]
                said.append(Frame(self._voice(motor, command), self._report(motor, command), False, False, arrival_s))
                self._sent[kind, motor] = due[kind, motor]
        return said

    def _addressed(self, bus: int, frames: Sequence[Frame]) -> list[Frame]:
        """The frames, those for everybody once for each node."""
        addressed: list[Frame] = []
        for frame in frames:
            if frame.is_extended or frame.arbitration_id >> 5 != _BROADCAST:
                addressed.append(frame)
                continue
            command = frame.arbitration_id & 0x1F
            addressed += [frame._replace(arbitration_id=node << 5 | command) for node in self._routes[bus]]
        return addressed

    def _voice(self, motor: int, command: int) -> int:
        return self.address[motor].id << 5 | command

    def hear(self, motor: int, frame: Frame) -> Sequence[Answer]:
        """Act on one frame; an empty one on the identifier of a report asks for that."""
        command, data = frame.arbitration_id & 0x1F, frame.data
        if command in _LENGTHS:
            if len(data) >= _LENGTHS[command]:
                self._obey(motor, command, data)
            return ()
        report = b"" if data else self._report(motor, command)
        return [(self._voice(motor, command), report)] if report else ()

    def _obey(self, motor: int, command: int, data: bytes) -> None:
        settings = self.settings[motor]
        if command == _STATE:
            self._enter(motor, int.from_bytes(data[:4], "little"))
        elif command == _ESTOP:
            self.fault[motor] |= FAULT_CODES["ESTOP_REQUESTED"]
            self.switch(motor, on=False)
        elif command == _CLEAR:
            self.clear_fault(motor)
        elif command == _REBOOT:
            if not self.is_on[motor] and data[0] == 0:
                self.restart(motor)
        elif command == _MODE:
            settings.control, settings.inputs = struct.unpack("<II", data[:8])
        elif command == _POSITION_GAIN:
            (settings.position_gain,) = struct.unpack("<f", data[:4])
        elif command == _VELOCITY_GAINS:
            settings.velocity_gain, settings.integrator_gain = struct.unpack("<ff", data[:8])
        elif command == _SET_POSITION:
            self._move_zero(motor, struct.unpack("<f", data[:4])[0])
        else:
            self._take_input(settings, command, data)
        self._control(motor)

    def _enter(self, motor: int, state: int) -> None:
        """Only idle and closed loop are simulated; a board in closed loop that is asked for it again stays there."""
        if state == _IDLE:
            self.switch(motor, on=False)
        elif state == _CLOSED_LOOP and not self.is_on[motor]:
            self.switch(motor, on=True)

    def _move_zero(self, motor: int, position_rev: float) -> None:
        self.set_zero(motor)
        self._zero[motor] += position_rev / self._rev_per_rad[motor]
        self._learn_conditions()

    @staticmethod
    def _take_input(settings: Settings, command: int, data: bytes) -> None:
        if command == _POSITION:
            position, velocity, torque = struct.unpack("<fhh", data[:8])
            settings.position_rev = position
            settings.velocity_rev_per_s, settings.torque_nm = velocity * 0.001, torque * 0.001
        elif command == _VELOCITY:
            settings.velocity_rev_per_s, settings.torque_nm = struct.unpack("<ff", data[:8])
        else:
            (settings.torque_nm,) = struct.unpack("<f", data[:4])

    def _control(self, motor: int) -> None:
        """What the controller makes of gains and inputs, at the output shaft; nothing in modes that are not known."""
        settings, target = self.settings[motor], self.target[:, motor]
        target[:] = 0.0
        is_known = _TORQUE_CONTROL <= settings.control <= _POSITION_CONTROL and settings.inputs == _PASSTHROUGH
        if not self.is_on[motor] or not is_known:
            return
        ratio, rev_per_rad = float(self._per_output[motor]), float(self._rev_per_rad[motor])
        target[4] = settings.torque_nm * ratio
        if settings.control >= _VELOCITY_CONTROL:
            target[1] = settings.velocity_rev_per_s / rev_per_rad
            target[3] = settings.velocity_gain * rev_per_rad * ratio
        if settings.control == _POSITION_CONTROL:
            target[0] = settings.position_rev / rev_per_rad
            target[2] = settings.position_gain * target[3]

    def _report(self, motor: int, command: int) -> bytes:
        """Data of a report; nothing for what is none."""
        if command == _HEARTBEAT:
            state = _CLOSED_LOOP if self.is_on[motor] else _IDLE
            return struct.pack("<IBBBx", self.fault[motor], state, 3 if self.fault[motor] else 0, 0)
        if command == _ERROR:
            return struct.pack("<II", self._forced[motor], self.fault[motor])
        if command == _VERSION:
            return bytes((2, *HARDWARE[self.joints[motor].motor.model], *self.firmware[motor], 0))
        if command == _ADDRESS:
            return bytes((self.address[motor].id,)) + (SERIAL_NUMBER + motor).to_bytes(6, "little") + b"\0"
        reading = self.reading(motor)
        if command == _ESTIMATES:
            rev_per_rad = float(self._rev_per_rad[motor])
            return struct.pack("<ff", reading.position_rad * rev_per_rad, reading.velocity_rad_per_s * rev_per_rad)
        if command == _TORQUES:
            torque_nm = reading.torque_nm / float(self._per_output[motor])
            return struct.pack("<ff", torque_nm, torque_nm)
        if command == _TEMPERATURE:
            return struct.pack("<ff", min(reading.temperature_degc, 40.0), reading.temperature_degc)
        return struct.pack("<ff", SUPPLY_V, 0.0) if command == _SUPPLY else b""

    def expire(self, motor: int) -> None:
        """Disarmed, with an error that has to be cleared."""
        self.fault[motor] |= WATCHDOG
        self.switch(motor, on=False)

    def restart(self, motor: int) -> None:
        """Everything as in flash."""
        self.settings[motor] = Settings()
