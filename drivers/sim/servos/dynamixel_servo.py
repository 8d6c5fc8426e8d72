"""One simulated Dynamixel X-series servo: its control table, its shaft, and how it answers.

Alone, its shaft follows its goals at the speed limit, without inertia or load; in a robot, its shaft is a joint.
"""

from __future__ import annotations

import math
from typing import Final

from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.codec import Packet, make_status
from drivers.sim.servos.dynamixel_table import DATA_LENGTH, OK, ControlTable
from supervisor.core.errors import SimulationError

_INSTRUCTION_ERROR: Final = 2
_OVERHEATING: Final = 2
_VOLTAGE: Final = 0
_TICKS: Final = 32_768
_FREE_MODES: Final = (t.MODE_CURRENT, t.MODE_PWM)

_ANSWERED_AT: Final = {t.PING: 0, t.READ: 1}
"""Status return level from which an instruction is answered; any other, from 2."""


def word(params: bytes, at: int) -> int:
    """A 16-bit number among the parameters; missing bytes are zero."""
    return int.from_bytes(params[at : at + 2], "little")


class DynamixelServo:
    """One servo.

    Args:
        servo_id: 0 to 252.
        model: Row of the driver's table.
        firmware: Version. Of the smallest models, 51 has a bus watchdog that expires and does not stop the motor.
        baud: Rate it listens at, 1/s.

    Attributes:
        table: Its registers.
        shaft_count: Where the shaft is, in counts, without the homing offset.
        velocity_count, current_count: What it measures, in counts of its registers.
        started_s: When its clock began to count.
        lasting_errors: Bits of register 70 whose cause is still there, so that a restart does not help.

    Raises:
        SimulationError: No such model, id or baud rate.
    """

    def __init__(self, servo_id: int, model: str = "XM430-W350", *, firmware: int = 52, baud: int = 57_600) -> None:
        if model not in t.SERVOS or baud not in t.BAUD_CODES or not 0 <= servo_id <= t.MAXIMUM_ID:
            raise SimulationError(f"no Dynamixel {model!r} with id {servo_id} at {baud} baud")
        self.table = ControlTable(t.SERVOS[model], firmware)
        self.table[t.ID] = servo_id
        self.table[t.BAUD_RATE] = t.BAUD_CODES[baud]
        self.shaft_count = float(t.CENTRE_COUNT)
        self.velocity_count = self.current_count = 0.0
        self.lasting_errors = 0
        self.started_s = 0.0
        self._watchdog_stops = firmware >= t.SERVOS[model].watchdog_firmware
        self._held_count: float | None = None
        self._left: tuple[int, bytes] | None = None
        self._now_s = 0.0
        self._heard_s = 0.0
        self.reboot()

    @property
    def servo_id(self) -> int:
        """The id it answers to now."""
        return self.table[t.ID]

    @property
    def baud_code(self) -> int:
        """The baud rate it listens at now, as register 8 has it."""
        return self.table[t.BAUD_RATE]

    @property
    def has_torque(self) -> bool:
        """Whether the motor is powered; without, the limb hangs."""
        return bool(self.table[t.TORQUE_ENABLE])

    @property
    def velocity_rad_per_s(self) -> float:
        """Of the shaft."""
        return self.velocity_count * t.VELOCITY_COUNT_RAD_PER_S

    def reboot(self) -> None:
        """Start again: torque off, errors gone, RAM at its defaults, whole turns forgotten, the goal where it is."""
        self.table.reset_ram()
        self.started_s = self._now_s
        self._held_count, self._left, self.velocity_count, self.current_count = None, None, 0.0, 0.0
        self.shaft_count %= t.COUNTS_PER_TURN
        self.table[t.TORQUE_ENABLE] = self.table[t.STARTUP_CONFIGURATION] & 1
        self.raise_errors(self.lasting_errors)
        self.table[t.GOAL_POSITION] = self._present_count()
        self._measure()

    def fail(self, bit: int) -> None:
        """Raise a hardware error, one of `HARDWARE_ERROR_BITS`. Those in the shutdown mask switch the torque off."""
        self.raise_errors(1 << bit)

    def raise_errors(self, bits: int) -> None:
        """Raise any number of them, none included."""
        self.table[t.HARDWARE_ERROR] = self.table[t.HARDWARE_ERROR] | bits
        if bits & self.table[t.SHUTDOWN]:
            self.table[t.TORQUE_ENABLE] = 0

    def set_temperature(self, temperature_degc: int) -> None:
        """Let it be that warm; above its limit it fails."""
        self.table[t.PRESENT_TEMPERATURE] = temperature_degc
        if temperature_degc > self.table[t.TEMPERATURE_LIMIT]:
            self.fail(_OVERHEATING)

    def set_voltage(self, voltage_v: float) -> None:
        """Let it be supplied so; outside its limits it tells, and shuts down only if the mask says so."""
        raw = round(voltage_v / t.VOLTAGE_COUNT_V)
        self.table[t.PRESENT_VOLTAGE] = raw
        if not self.table[t.MIN_VOLTAGE_LIMIT] <= raw <= self.table[t.MAX_VOLTAGE_LIMIT]:
            self.fail(_VOLTAGE)

    def advance_to(self, now_s: float, *, is_heard: bool = False) -> None:
        """Move on in time.

        Args:
            now_s: Monotonic.
            is_heard: An instruction packet for any servo is on the line now, which restarts the watchdog.
        """
        count = self.table[t.BUS_WATCHDOG]
        is_watched = self.has_torque and t.WATCHDOG_COUNTS[0] <= count <= t.WATCHDOG_COUNTS[1]
        if not is_watched:
            self._heard_s = now_s
        expiry_s = self._heard_s + count * t.WATCHDOG_COUNT_S
        if is_watched and now_s > expiry_s:
            self._move(max(expiry_s, self._now_s))
            self.table[t.BUS_WATCHDOG] = t.WATCHDOG_EXPIRED
            if self._watchdog_stops:
                # Torque stays on, and the shaft is held where it is.
                self._held_count = self.shaft_count
        self._move(now_s)
        if is_heard:
            self._heard_s = now_s
        self._measure()

    def _move(self, now_s: float) -> None:
        """Go on to a time."""
        step_s, self._now_s = max(now_s - self._now_s, 0.0), max(now_s, self._now_s)
        self.follow(step_s)

    @property
    def pushes_count(self) -> int:
        """The goal current, where it is in force."""
        is_pushing = self.has_torque and self.table[t.OPERATING_MODE] == t.MODE_CURRENT and self._held_count is None
        return self.table[t.GOAL_CURRENT] if is_pushing else 0

    def follow(self, step_s: float) -> None:
        """Move the shaft for some time: towards the goals, with nothing in the way."""
        table = self.table
        mode = table[t.OPERATING_MODE]
        self.current_count = self.pushes_count
        if not self.has_torque or mode in _FREE_MODES:
            self.velocity_count = 0.0
            return
        per_count = t.VELOCITY_COUNT_RAD_PER_S / t.POSITION_COUNT_RAD * step_s
        if mode == t.MODE_VELOCITY:
            self.velocity_count = 0.0 if self._held_count is not None else float(table[t.GOAL_VELOCITY])
            self.shaft_count += self.velocity_count * per_count
            return
        goal = table[t.GOAL_POSITION] - table[t.HOMING_OFFSET] if self._held_count is None else self._held_count
        fastest = table[t.PROFILE_VELOCITY] or table[t.VELOCITY_LIMIT]
        way = goal - self.shaft_count
        step = math.copysign(min(abs(way), fastest * per_count), way)
        self.shaft_count += step
        self.velocity_count = math.copysign(fastest, way) if abs(way) > abs(step) else 0.0

    def _present_count(self) -> int:
        count = round(self.shaft_count) + self.table[t.HOMING_OFFSET]
        # In position mode the servo knows one turn only.
        return count % t.COUNTS_PER_TURN if self.table[t.OPERATING_MODE] == t.MODE_POSITION else count

    def _measure(self) -> None:
        table = self.table
        table[t.PRESENT_POSITION] = self._present_count()
        table[t.PRESENT_VELOCITY] = round(self.velocity_count)
        table[t.PRESENT_CURRENT] = round(self.current_count)
        table[t.MOVING] = int(self.velocity_count != 0.0)
        table[t.REALTIME_TICK] = int((self._now_s - self.started_s) * 1e3) % _TICKS

    def write(self, address: int, data: bytes) -> int:
        """Carry out a write; returns its error code."""
        code = self.table.refusal(address, data)
        if code != OK:
            return code
        mode = self.table[t.OPERATING_MODE]
        self.table.write(address, data)
        touched = range(address, address + len(data))
        if self._held_count is not None and (
            t.TORQUE_ENABLE.address in touched
            or any(goal.address in touched for goal in (t.GOAL_POSITION, t.GOAL_VELOCITY, t.GOAL_CURRENT))
        ):
            self._held_count = None
        if self.table[t.OPERATING_MODE] != mode:
            self.table[t.GOAL_POSITION] = self._present_count()
        if t.BUS_WATCHDOG.address in touched:
            self._heard_s = self._now_s
        return OK

    def answer(self, packet: Packet) -> bytes:
        """Carry out an instruction for this servo; returns its status packet, or nothing."""
        level = self.table[t.STATUS_RETURN_LEVEL]
        code, data = self._carry_out(packet)
        if packet.id == t.BROADCAST_ID and packet.instruction != t.PING:
            return b""
        if level < _ANSWERED_AT.get(packet.instruction, 2):
            return b""
        # A change of id is answered under the old one: that is who was asked.
        own = self.servo_id if packet.id == t.BROADCAST_ID else packet.id
        return make_status(own, code | self.alert, data)

    @property
    def alert(self) -> int:
        """The alert bit of a status packet, if register 70 has something to tell."""
        return t.ALERT_BIT if self.table[t.HARDWARE_ERROR] else 0

    def _carry_out(self, packet: Packet) -> tuple[int, bytes]:
        params = packet.params
        if packet.instruction == t.PING:
            number = self.table[t.MODEL_NUMBER].to_bytes(2, "little")
            return OK, number + bytes((self.table[t.FIRMWARE_VERSION],))
        if packet.instruction == t.READ:
            if len(params) != 4:
                return DATA_LENGTH, b""
            return self.table.read(word(params, 0), word(params, 2))
        if packet.instruction == t.WRITE:
            return self.write(word(params, 0), params[2:]), b""
        if packet.instruction == t.REG_WRITE:
            code = self.table.refusal(word(params, 0), params[2:])
            if code == OK:
                self._left = (word(params, 0), params[2:])
                self.table[t.REGISTERED_INSTRUCTION] = 1
            return code, b""
        if packet.instruction == t.ACTION:
            left, self._left = self._left, None
            self.table[t.REGISTERED_INSTRUCTION] = 0
            return (self.write(*left) if left else OK), b""
        return self._maintain(packet), b""

    def _maintain(self, packet: Packet) -> int:
        """Instructions that are not for a run; returns the error code."""
        if packet.instruction == t.REBOOT:
            self.reboot()
        elif packet.instruction == t.FACTORY_RESET and packet.params and packet.params[0] in t.RESET_OPTIONS:
            if packet.id == t.BROADCAST_ID and packet.params[0] == t.RESET_ALL:
                return OK
            kept = {t.RESET_ALL: (), t.RESET_ALL_BUT_ID: (t.ID,)}.get(packet.params[0], (t.ID, t.BAUD_RATE))
            self.table.restore(kept)
            self.reboot()
        elif packet.instruction == t.CLEAR and packet.params == t.CLEAR_MULTI_TURN:
            self.shaft_count %= t.COUNTS_PER_TURN
            self._measure()
        else:
            return _INSTRUCTION_ERROR
        return OK
