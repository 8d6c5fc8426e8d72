"""What the motors of every make have in common: who is on which bus, when each was heard, and the inventory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import ClassVar, Final, Generic, TypeVar

import numpy as np

from drivers.bus import CanBus, Frame, SerialPort
from drivers.devices import (
    FAULT,
    STAMP,
    STATUS,
    TEMPERATURE,
    Block,
    Changing,
    Codes,
    Finding,
    Found,
    Probe,
    Settings,
    WiredMotor,
    refuse_unset,
)
from supervisor.core.errors import DeviceError
from supervisor.core.exchange import DeviceReport
from supervisor.core.joints import Vector
from supervisor.core.state import NEVER_S, MotorStatus

OFF_WAIT_S: Final = 1.0
"""How long a motor has to say that it is off; on slow lines they are asked in turns."""

Bus = TypeVar("Bus", CanBus, SerialPort)

Sending = list[tuple[CanBus, list[Frame]]]
"""Frames by bus, made once and sent often."""

MotorProbe = Generator[None, float, tuple[float, DeviceReport]]
"""One motor's inventory, resumed once a cycle with `send(now_s)`; returns the time at its end, and the report."""

Zeroing = Generator[None, float, float]
"""Setting one motor's zero, resumed once a cycle with `send(now_s)`; returns the position read back, rad."""


class MotorsOnBuses(ABC, Generic[Bus]):
    """All motors of one make in one robot. A make adds how it takes bytes apart and puts them together.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.

    Attributes:
        motors: As given.
    """

    has_settings: ClassVar[bool] = False
    """Whether stored settings can be compared over the bus: `_find_settings` and `_write_settings` exist."""

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, Bus]) -> None:
        self.motors = tuple(motors)
        members: dict[str, list[int]] = {}
        for slot, motor in enumerate(self.motors):
            members.setdefault(motor.config.bus, []).append(slot)
        self._members = members
        self._buses: dict[str, Bus] = {name: buses[name] for name in members}
        # A plain array, because storing one item is four times faster than in numpy; numpy sees the same memory.
        self._stamps = array("d", [NEVER_S] * len(self.motors))
        self._stamp_view: Vector = np.frombuffer(self._stamps, dtype=np.float64)
        self._is_fresh = True
        self._all_heard = False

    def decode(self, values: Block, codes: Codes) -> None:
        """Decode the newest feedback of every motor; NaN and UNKNOWN for those never heard."""
        if not self._is_fresh:
            return
        self._is_fresh = False
        self._decode(values, codes)
        values[STAMP] = self._stamp_view
        if not self._all_heard:
            silent = self._stamp_view == NEVER_S
            values[: TEMPERATURE + 1, silent] = np.nan
            codes[STATUS, silent] = int(MotorStatus.UNKNOWN)
            codes[FAULT, silent] = 0
            self._all_heard = not silent.any()

    @abstractmethod
    def _decode(self, values: Block, codes: Codes) -> None:
        """Write position, velocity, torque, temperature, status and fault of every motor that was ever heard."""

    def probes(self, timeout_s: float) -> list[Probe]:
        """One inventory per bus; within a bus one motor after the other, so that requests add little load."""
        return [self._probe_bus(slots, timeout_s) for slots in self._members.values()]

    def _probe_bus(self, slots: Sequence[int], timeout_s: float) -> Probe:
        reports: list[DeviceReport] = []
        now_s = yield
        for slot in slots:
            now_s, report = yield from self._probe_motor(slot, timeout_s, now_s)
            reports.append(report)
        return tuple(reports)

    @abstractmethod
    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:
        """Ask one motor who it is, set what must be set, and verify it. Never energises."""

    def set_zero(self, joint: str, now_s: float) -> Zeroing:  # noqa: ARG002 (the signature of the makes that can)
        """Make the present position of a motor its zero. Only while it is off.

        Args:
            joint: Whose motor.
            now_s: Time of the first step; the generator is resumed once a cycle with `send(now_s)`.

        Returns:
            The position read back afterwards, rad, motor frame.

        Raises:
            DeviceError: The make cannot, the motor does not answer, is not off, or does not read zero afterwards.
        """
        make = self.motors[self._slot_of(joint)].config.make
        raise DeviceError(
            f"motor of {joint}: the zero of {make} cannot be set over its bus; use the vendor's tool or offset_rad"
        )
        yield

    def settings(self, joint: str, timeout_s: float, now_s: float) -> Finding:
        """What a motor keeps without power otherwise than the robot file needs it. Nothing is written.

        Ids, bit rates and ranges are not among it: a wrong one is wrong in the robot file as often as in the motor.

        Args:
            joint: Whose motor. It must be polled meanwhile.
            timeout_s: Command timeout that it should start with.
            now_s: Time of the first step; the generator is resumed once a cycle with `send(now_s)`.

        Returns:
            What differs; nothing for a make whose settings cannot be compared.

        Raises:
            DeviceError: The motor does not answer, or is not off and healthy.
        """
        if not self.has_settings:
            yield
            return ()
        slot = self._slot_of(joint)
        now_s = yield from self._await_off(slot, now_s)
        _, found = yield from self._find_settings(slot, timeout_s, now_s)
        return found

    def configure(self, joint: str, settings: Settings, timeout_s: float, now_s: float) -> Finding:
        """Write settings of a motor, have them kept, and read them back. Only while it is off.

        Args:
            joint: Whose motor. It must be polled meanwhile.
            settings: What `settings` has found.
            timeout_s: As given there.
            now_s: Time of the first step; the generator is resumed once a cycle with `send(now_s)`.

        Returns:
            What else is still otherwise.

        Raises:
            DeviceError: The motor does not answer, is not off and healthy, or does not take one of them.
        """
        if not settings:
            yield
            return ()
        slot = self._slot_of(joint)
        now_s = yield from self._await_off(slot, now_s)
        now_s = yield from self._write_settings(slot, settings, now_s)
        _, found = yield from self._find_settings(slot, timeout_s, now_s)
        refuse_unset(f"motor of {joint}", settings, found)
        return found

    def _find_settings(self, slot: int, timeout_s: float, now_s: float) -> Found:  # noqa: ARG002 (the signature of the makes that can)
        """What one motor keeps otherwise than it should."""
        return now_s, ()
        yield

    def _write_settings(self, slot: int, settings: Settings, now_s: float) -> Changing:  # noqa: ARG002 (the signature of the makes that can)
        """Write settings and have them kept, each once: flash wears."""
        return now_s
        yield

    def _await_off(self, slot: int, now_s: float) -> Changing:
        """Wait until a motor that is polled has said that it is off."""
        began_s, status, code = now_s, MotorStatus.UNKNOWN, 0
        values, codes = np.zeros((TEMPERATURE + 1, len(self.motors))), np.zeros((2, len(self.motors)), dtype=np.int64)
        while now_s <= began_s + OFF_WAIT_S:
            now_s = yield
            if self._stamps[slot] > began_s:
                self._decode(values, codes)
                status, code = MotorStatus(int(codes[STATUS, slot])), int(codes[FAULT, slot])
            if status is MotorStatus.DISABLED:
                return now_s
            if status is not MotorStatus.UNKNOWN:
                break
        motor = self.motors[slot]
        who = f"motor of {motor.joint} ({motor.config.make} {motor.config.id} on {motor.config.bus})"
        if status is MotorStatus.UNKNOWN:
            raise DeviceError(f"{who} does not say whether it is off: see handrail scan")
        said = self.fault_name(code) if status is MotorStatus.FAULT else status.name
        raise DeviceError(f"{who} reports {said}: settings may only be changed while it is off and healthy")

    @abstractmethod
    def fault_name(self, code: int) -> str:
        """The make's name of a fault code."""

    def _slot_of(self, joint: str) -> int:
        """Column of a joint's motor."""
        return next(slot for slot, motor in enumerate(self.motors) if motor.joint == joint)


class CanMotors(MotorsOnBuses[CanBus]):
    """All motors of one make on CAN."""

    def _frames(self, make: Callable[[int], Frame]) -> Sending:
        """One frame per motor, from its id."""
        return [
            (self._buses[name], [make(self.motors[slot].config.id) for slot in slots])
            for name, slots in self._members.items()
        ]

    def _send(self, sending: Sending) -> None:
        """Send frames that are all answered."""
        for bus, frames in sending:
            bus.counters.expected += bus.send(frames)

    def send_one(self, slot: int, frame: Frame) -> None:
        """Send one frame to one motor, outside the cycle."""
        bus = self._buses[self.motors[slot].config.bus]
        bus.counters.expected += bus.send((frame,))


class SerialMotors(MotorsOnBuses[SerialPort]):
    """All motors of one make on serial lines, which this computer alone may speak on."""

    @abstractmethod
    def receive(self, now_s: float) -> None:
        """Read every line once, and remember what its motors said."""

    def send_one(self, slot: int, data: bytes) -> None:
        """Write one packet that one motor answers, outside the cycle."""
        port = self._buses[self.motors[slot].config.bus]
        if port.write(data) == len(data):
            port.counters.expected += 1
