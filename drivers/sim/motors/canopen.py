"""Simulated CANopen drives with the CiA 402 profile: objects, process data at SYNC, and torque control.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from drivers.bus import Frame
from drivers.can.canopen.tables import ERROR_CODES, MODELS
from drivers.devices import MotorModel
from drivers.sim.motors.canopen_objects import (
    ABORT_OPTION,
    COMMUNICATION_ERROR,
    ERROR_CODE,
    HEARTBEAT_CONSUMER,
    MODE,
    STATUSWORD,
    TARGET_TORQUE,
    Objects,
    Where,
)
from drivers.sim.motors.canopen_sdo import SdoServer
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.motors.impedance import ImpedanceMotors
from supervisor.core.robot import DriveConfig, JointConfig

FAULT_CODES: Final = {name: code for code, name in ERROR_CODES.items()}

SHUT_DOWN_DEGC: Final = 100.0
"""Where it protects itself."""

OVERHEATED: Final = 0x4210
HEARTBEAT_LOST: Final = 0x8130

STOPPED, OPERATIONAL, PRE_OPERATIONAL = 4, 5, 127

DISABLED, READY, SWITCHED_ON, ENABLED, FAULT = 0x0250, 0x0231, 0x0233, 0x0237, 0x0218
"""Statuswords: remote, voltage, and the state."""

CYCLIC_TORQUE, PROFILE_TORQUE = 10, 4
FAULT_SIGNAL, DISABLE_VOLTAGE, QUICK_STOP = 1, 2, 3


class CanOpenMotors(ImpedanceMotors):
    """The CANopen drives of one robot.

    As delivered nobody is watched. Once a consumer heartbeat time is set, watching begins with the first heartbeat that
    is heard; when the next one is late, a drive does what its abort connection option says, and leaves OPERATIONAL
    unless told to stay.
    """

    models: ClassVar[Mapping[str, MotorModel]] = MODELS
    fault_codes: ClassVar[Mapping[str, int]] = FAULT_CODES
    brown_out: ClassVar[str] = "DC_LINK_UNDERVOLTAGE"

    def __init__(
        self, joints: Sequence[JointConfig], buses: Sequence[str], *, seed: Sequence[int], noise_scale: float = 1.0
    ) -> None:
        super().__init__(joints, buses, seed=seed, noise_scale=noise_scale)
        n = len(joints)
        self.drives = [joint.motor.drive or DriveConfig(1.0, 1.0) for joint in joints]
        self.objects = [Objects(self, motor, joint.motor.model) for motor, joint in enumerate(joints)]
        self._servers = [SdoServer(objects) for objects in self.objects]
        self.nmt = [PRE_OPERATIONAL] * n
        self.state = [DISABLED] * n
        self._told_error = [0] * n
        self._last_controlword = [0] * n
        self._received: list[dict[Where, int]] = [{} for _ in joints]
        self._synchronised = [0] * n
        self._says: list[list[tuple[int, bytes]]] = [[] for _ in joints]

    # What arrives

    def converse(self, bus: int, frames: Sequence[Frame], now_s: float, arrival_s: float) -> list[Frame]:
        """Act on the frames one by one, and answer; emergencies and boot-ups come unasked."""
        live = sorted({motor for motors in self._routes[bus].values() for motor in motors})
        for motor in live:
            self._look_after(motor, now_s)
        for frame in frames:
            if not frame.is_extended and not frame.is_fd:
                self._hear(bus, live, frame, now_s)
        said: list[Frame] = []
        for motor in live:
            self._tell_errors(motor)
            said += [Frame(i, data, False, False, arrival_s) for i, data in self._says[motor]]
            self._says[motor].clear()
        return said

    def _hear(self, bus: int, live: Sequence[int], frame: Frame, now_s: float) -> None:
        identifier, data = frame.arbitration_id, frame.data
        service, node = identifier & 0x780, identifier & 0x7F
        if identifier == 0x000:
            for motor in live:
                if len(data) == 2 and data[1] in (0, self.address[motor].id):
                    self._manage(motor, data[0])
        elif identifier == 0x080:
            for motor in live:
                if self.nmt[motor] == OPERATIONAL:
                    self._synchronise(motor)
        elif service == 0x700:
            for motor in live:
                self._watch(motor, node, now_s)
        elif service == 0x600 and len(data) == 8:
            for motor in self._routes[bus].get(node, ()):
                if self.nmt[motor] != STOPPED:
                    self._says[motor] += [(0x580 + node, reply) for reply in self._servers[motor].answer(data)]
        else:
            for motor in live:
                if self.nmt[motor] == OPERATIONAL:
                    self._take_process_data(motor, identifier, data)

    def _manage(self, motor: int, command: int) -> None:
        """Network management; a reset ends with a boot-up message."""
        states = {0x01: OPERATIONAL, 0x02: STOPPED, 0x80: PRE_OPERATIONAL}
        if command in states:
            self.nmt[motor] = states[command]
        elif command in (0x81, 0x82):
            self._power_off(motor)
            self.restart(motor)

    def _watch(self, motor: int, node: int, now_s: float) -> None:
        """A heartbeat: watching begins with the first."""
        setting = self.objects[motor].values.get(HEARTBEAT_CONSUMER, 0)
        if setting >> 16 & 0x7F == node and setting & 0xFFFF:
            self._heard_s[motor] = now_s
            self.timeout_s[motor] = (setting & 0xFFFF) / 1e3

    def forget_heartbeat(self, motor: int) -> None:
        """Watching ends until the next heartbeat: what it was set up with has changed."""
        self.timeout_s[motor] = math.inf

    # Process data

    def _take_process_data(self, motor: int, identifier: int, data: bytes) -> None:
        """Values for this drive, acted on at once or kept for the next SYNC."""
        for pdo in self.objects[motor].receivers:
            if pdo.identifier != identifier:
                continue
            values = pdo.unpack(data)
            if pdo.transmission_type > 240:
                self._act(motor, values)
            else:
                self._received[motor].update(values)

    def _synchronise(self, motor: int) -> None:
        """What is measured now is sent, and only then what was received acts: a statusword is one SYNC old."""
        self._synchronised[motor] += 1
        measured = self.measured(motor)
        for pdo in self.objects[motor].senders:
            kind = pdo.transmission_type
            if 1 <= kind <= 240 and self._synchronised[motor] % kind == 0:
                self._says[motor].append((pdo.identifier, pdo.pack(measured)))
        values, self._received[motor] = self._received[motor], {}
        self._act(motor, values)

    def _act(self, motor: int, values: Mapping[Where, int]) -> None:
        for where, value in values.items():
            self.objects[motor].set(where, value)

    def obey(self, motor: int, where: Where, value: int) -> None:
        """Act on an object that was written, however it came."""
        if where == (0x6040, 0):
            self._control(motor, value)
        elif where == TARGET_TORQUE:
            self._aim(motor)
        elif where == HEARTBEAT_CONSUMER:
            self.forget_heartbeat(motor)

    def _aim(self, motor: int) -> None:
        """The target torque, where the drive is on and in a mode that has one."""
        values, drive = self.objects[motor].values, self.drives[motor]
        if self.state[motor] == ENABLED and values[MODE] in (CYCLIC_TORQUE, PROFILE_TORQUE):
            turns = drive.motor_turns_per_output_turn
            self.target[4, motor] = values[TARGET_TORQUE] / 1000.0 * drive.rated_torque_nm * turns

    # The state machine

    def _control(self, motor: int, word: int) -> None:
        """One controlword."""
        rises = word & ~self._last_controlword[motor] & 0x80
        self._last_controlword[motor] = word
        if self.state[motor] == FAULT:
            if rises:
                self.clear_fault(motor)
                self.state[motor] = FAULT if self.fault[motor] else DISABLED
            return
        state = self.state[motor]
        if word & 0x06 != 0x06:
            # Voltage off, or a quick stop, which without speed to lose ends at once.
            state = DISABLED
        elif word & 0x07 == 0x06:
            state = READY
        elif word & 0x0F == 0x07 and state in (READY, ENABLED):
            state = SWITCHED_ON
        elif word & 0x0F == 0x0F and state in (READY, SWITCHED_ON):
            # From READY by way of SWITCHED ON, as the profile permits.
            state = ENABLED
        if (state == ENABLED) != (self.state[motor] == ENABLED):
            self.switch(motor, on=state == ENABLED)
        self.state[motor] = state
        self._aim(motor)

    def _power_off(self, motor: int) -> None:
        self.switch(motor, on=False)
        self.state[motor] = FAULT if self.fault[motor] else DISABLED

    # Faults and what is lost

    def _look_after(self, motor: int, now_s: float) -> None:
        """What a drive does by itself."""
        if now_s - self._heard_s[motor] > self.timeout_s[motor]:
            self.expire(motor)
        if self.reading(motor).temperature_degc > SHUT_DOWN_DEGC and not self.fault[motor]:
            self.fault[motor] = OVERHEATED
        if self.fault[motor] and self.state[motor] != FAULT:
            self._power_off(motor)

    def expire(self, motor: int) -> None:
        """The host's heartbeat is late."""
        self.timeout_s[motor] = math.inf
        values = self.objects[motor].values
        option = values[ABORT_OPTION]
        if option == FAULT_SIGNAL:
            self.fault[motor] = self.fault[motor] or HEARTBEAT_LOST
        if option in (FAULT_SIGNAL, DISABLE_VOLTAGE, QUICK_STOP):
            self._power_off(motor)
        self._say_error(motor, HEARTBEAT_LOST, 0x11)
        behaviour = values[COMMUNICATION_ERROR]
        if self.nmt[motor] == OPERATIONAL and behaviour != 1:
            self.nmt[motor] = STOPPED if behaviour == 2 else PRE_OPERATIONAL

    def _tell_errors(self, motor: int) -> None:
        """An emergency message for each new fault, and one when it is gone."""
        code = self.fault[motor] if self.state[motor] == FAULT else 0
        if code != self._told_error[motor]:
            self._told_error[motor] = code
            self._say_error(motor, code, 0x09 if code >> 12 == 4 else int(bool(code)))

    def _say_error(self, motor: int, code: int, register: int) -> None:
        data = code.to_bytes(2, "little") + bytes((register,)) + bytes(5)
        self._says[motor].append((0x080 + self.address[motor].id, data))

    def restart(self, motor: int) -> None:
        """Forget everything that was never stored, and say that it is there again."""
        self.objects[motor].reset()
        self.nmt[motor] = PRE_OPERATIONAL
        self.forget_heartbeat(motor)
        self._received[motor] = {}
        self._last_controlword[motor] = 0
        self._says[motor].append((0x700 + self.address[motor].id, b"\x00"))

    def node_id(self, motor: int) -> int:
        """What a drive listens to."""
        return self.address[motor].id

    def set_conditions(self, conditions: Sequence[MotorCondition]) -> None:
        """Replace what is wrong with the drives; process data move along with a drive's id."""
        super().set_conditions(conditions)
        for motor, objects in enumerate(self.objects):
            objects.renumber(self.address[motor].id)

    def measured(self, motor: int) -> dict[Where, int]:
        """What a drive's read-only objects read now."""
        reading, drive = self.reading(motor), self.drives[motor]
        turns = drive.motor_turns_per_output_turn
        counts_per_rad = drive.encoder_counts_per_turn * turns / (2.0 * math.pi)
        torque_step_nm = drive.rated_torque_nm * turns / 1000.0
        return {
            STATUSWORD: self.state[motor],
            ERROR_CODE: self.fault[motor],
            (0x1001, 0): int(bool(self.fault[motor])),
            (0x6064, 0): round(reading.position_rad * counts_per_rad),
            # Thousandths of a turn of the motor per minute.
            (0x606C, 0): round(reading.velocity_rad_per_s * turns * 60e3 / (2.0 * math.pi)),
            (0x6077, 0): round(reading.torque_nm / torque_step_nm),
            (0x3201, 1): round(reading.temperature_degc * 10.0),
        }
