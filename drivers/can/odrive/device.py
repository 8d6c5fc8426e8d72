"""All ODrives of one robot: commands out, feedback in.

The impedance loop runs in the drive, as position control whose gains are stiffness and damping: it goes on damping when
a command is lost, and holds its last pose when nobody speaks any more, where a torque would go on pushing.

Drives report by themselves: encoder estimates once a control cycle, heartbeats, torques and temperatures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from drivers.bus import CanBus, Frame
from drivers.can.odrive import codec
from drivers.can.odrive.batch import CommandBatch, GainBook, turns
from drivers.can.odrive.inventory import Observation, probe_motor, state_name
from drivers.can.odrive.reports import STATE_FAULT, ReportBook
from drivers.can.odrive.tables import (
    ATTEMPTS,
    REFRESH_CYCLES,
    REPLY_TIMEOUT_S,
    AxisState,
    ControlMode,
    InputMode,
    Message,
)
from drivers.devices import Block, Codes, Probe, WiredMotor
from drivers.motor_group import CanMotors, MotorProbe, Sending, Zeroing
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.joints import Vector

ZERO_TOLERANCE_RAD: Final = 0.02
"""What a motor may read right after setting its zero: it hangs free and may creep."""


class ODriveMotors(CanMotors):
    """All ODrives of one robot, on all its buses. Implements `MotorGroup`.

    Of what drives send by themselves, only encoder estimates count as replies that were due and received.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.
    """

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, CanBus]) -> None:
        super().__init__(motors, buses)
        members = self._members
        self._reports = ReportBook(self.motors, members)
        self._rev_per_rad: Vector = turns(self.motors) / (2.0 * np.pi)
        self._encoder = CommandBatch(self.motors)
        self._gains = GainBook(len(self.motors))
        self._turn = -1
        self._idle = self._frames(lambda identifier: codec.make_set_axis_state(identifier, AxisState.IDLE))
        self._clear = self._frames(codec.make_clear_errors)
        self._ask = self._frames(lambda identifier: codec.make_request(identifier, Message.ERROR))
        self._targets = [
            (self._buses[name], [(i, self.motors[i].config.id << 5 | Message.SET_INPUT_POSITION) for i in slots])
            for name, slots in members.items()
        ]

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take this group's reports; identified by node and message, then by the length."""
        rest, is_fresh = self._reports.take(bus, frames, self._buses[bus].counters)
        self._is_fresh |= is_fresh
        return rest

    def _decode(self, values: Block, codes: Codes) -> None:
        self._reports.decode(values, codes, self._stamp_view)

    def write(self, drive: Drive, command: Block) -> None:
        """Send one cycle's frames. A command that cannot be encoded is not sent, and counted as an error."""
        self._turn += 1
        for name, slots in self._members.items():
            self._buses[name].counters.expected += len(slots)
        if drive is Drive.COMMAND:
            self._command(command)
            return
        if drive is Drive.ENABLE:
            self._enable()
        elif drive is Drive.DISABLE:
            self._send_all(self._idle)
        elif drive is Drive.CLEAR_FAULT:
            self._send_all(self._idle)
            self._send_all(self._clear)
            self._reports.errors[:] = 0
            self._is_fresh = True
        # One motor's errors per bus and cycle, after they were cleared; being spoken to also feeds a watchdog.
        for bus, frames in self._ask:
            bus.send((frames[self._turn % len(frames)],))

    def _send_all(self, sending: Sending) -> None:
        """Send frames that nobody answers."""
        for bus, frames in sending:
            bus.send(frames)

    def _enable(self) -> None:
        """Switch on where the motors are, without gains: whatever they were told before, they stay limp.

        Asking for a state that an axis is in would switch it off for a moment, so those that are on are not asked.
        """
        self._gains.forget()
        is_on = self._reports.states() == AxisState.CLOSED_LOOP_CONTROL
        for name, slots in self._members.items():
            bus = self._buses[name]
            frames: list[Frame] = []
            for slot in slots:
                position_rev = float(self._reports.measured_rad[slot] * self._rev_per_rad[slot])
                if not np.isfinite(position_rev):
                    bus.counters.errors += 1
                    continue
                number = self.motors[slot].config.id
                frames += (
                    codec.make_set_position_gain(number, 0.0),
                    codec.make_set_velocity_gains(number, 0.0, 0.0),
                    codec.make_set_controller_mode(number, ControlMode.POSITION, InputMode.PASSTHROUGH),
                    codec.make_input_position(number, position_rev, 0.0, 0.0),
                )
                if not is_on[slot]:
                    frames.append(codec.make_set_axis_state(number, AxisState.CLOSED_LOOP_CONTROL))
            bus.send(frames)

    def _command(self, command: Block) -> None:
        """A position for every motor, after its gains where they are due."""
        encoder, book = self._encoder, self._gains
        data = encoder.encode(command, self._reports.measured_rad)
        valid = None if encoder.all_valid else encoder.valid
        if self._turn % REFRESH_CYCLES == 0:
            for slots in self._members.values():
                book.remind(slots[self._turn // REFRESH_CYCLES % len(slots)])
        gains = self._gain_frames(encoder)
        for bus, targets in self._targets:
            frames = [
                Frame(head, data[8 * slot : 8 * slot + 8]) for slot, head in targets if valid is None or valid[slot]
            ]
            bus.counters.errors += len(targets) - len(frames)
            if gains:
                frames = [frame for slot, _ in targets for frame in gains.get(slot, ())] + frames
            bus.send(frames)

    def _gain_frames(self, encoder: CommandBatch) -> dict[int, list[Frame]]:
        """The gain frames that are due, by motor."""
        frames: dict[int, list[Frame]] = {}
        for slot, order in self._gains.due(encoder.gains, encoder.valid):
            number = self.motors[slot].config.id
            position_gain, velocity_gain = encoder.gains[:, slot].tolist()
            both = (
                codec.make_set_position_gain(number, position_gain),
                codec.make_set_velocity_gains(number, velocity_gain, 0.0),
            )
            frames[slot] = [both[gain] for gain in order]
        return frames

    def probes(self, timeout_s: float) -> list[Probe]:
        """One inventory per motor, all side by side: most of it is listening."""
        return [self._probe_bus((slot,), timeout_s) for slot in range(len(self.motors))]

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:  # noqa: ARG002 (none can be set)
        observed = self._reports.observed
        observed[slot] = Observation()
        try:
            return (yield from probe_motor(_Line(self, slot, observed[slot]), now_s))
        finally:
            del observed[slot]

    def set_zero(self, joint: str, now_s: float) -> Zeroing:
        """Make the present position of a motor its zero, until its power is cut. The motor is switched off for it.

        Args:
            joint: Whose motor.
            now_s: Time of the first step; the generator is resumed once a cycle with `send(now_s)`.

        Returns:
            The position read back afterwards, rad, motor frame.

        Raises:
            DeviceError: The motor does not report, is not off, or does not read zero afterwards.
        """
        slot = self._slot_of(joint)
        number = self.motors[slot].config.id
        for frame in (codec.make_set_axis_state(number, AxisState.IDLE), codec.make_set_absolute_position(number, 0.0)):
            began_s = now_s
            for _ in range(ATTEMPTS):
                sent_s = now_s
                self.send_unanswered(slot, frame)
                while now_s < sent_s + REPLY_TIMEOUT_S:
                    now_s = yield
            stamp_s, state, errors = self._reports.beat(slot)
            if stamp_s <= began_s:
                raise DeviceError(f"motor of {joint} does not report: its zero was not set")
            if errors or state != AxisState.IDLE:
                found = self.fault_name(errors or STATE_FAULT | state)
                raise DeviceError(f"motor of {joint} reports {found}: its zero may only be set while off and healthy")
        position_rad = float(self._reports.measured_rad[slot])
        if not abs(position_rad) <= ZERO_TOLERANCE_RAD:
            raise DeviceError(f"motor of {joint} reads {position_rad:.3f} rad after setting its zero; expected 0")
        return position_rad

    def fault_name(self, code: int) -> str:
        """The vendor's names of all error bits that are set; of the state, where an axis is where it should not be."""
        return f"IN_{state_name(code & 0xFF)}" if code & STATE_FAULT else " and ".join(codec.error_names(code))

    def send_unanswered(self, slot: int, frame: Frame) -> None:
        """Send one frame to one motor, outside the cycle; no reply is counted on."""
        self._buses[self.motors[slot].config.bus].send((frame,))


class _Line:
    """One motor of a group, as its inventory reaches it. Implements `MotorLine`."""

    __slots__ = ("_group", "_slot", "motor", "observation")

    def __init__(self, group: ODriveMotors, slot: int, observation: Observation) -> None:
        self._group = group
        self._slot = slot
        self.motor = group.motors[slot]
        self.observation = observation

    def send(self, frame: Frame) -> None:
        self._group.send_unanswered(self._slot, frame)
