"""What all ODrives of one robot report by themselves: sorted by motor and kind as it comes, decoded once a cycle."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import BusCounters, Frame
from drivers.can.odrive import codec
from drivers.can.odrive.batch import FeedbackBatch
from drivers.can.odrive.inventory import Observation
from drivers.can.odrive.tables import (
    REPORTS,
    TEMPERATURE_MAX_S,
    TORQUE_MAX_S,
    UNADDRESSED_NODE_ID,
    AxisState,
    Message,
)
from drivers.devices import FAULT, POSITION, STATUS, TEMPERATURE, TORQUE, Block, Codes, WiredMotor
from supervisor.core.joints import Vector
from supervisor.core.state import NEVER_S, MotorStatus

STATE_FAULT: Final = 1 << 32
"""Above the vendor's error bits: an axis that does something that nobody here asked for. The state is below."""

_CYCLIC: Final = (Message.ENCODER_ESTIMATES, Message.TORQUES, Message.TEMPERATURES, Message.HEARTBEAT)
_ESTIMATES, _TORQUES, _TEMPERATURES, _HEARTBEAT = range(len(_CYCLIC))

_COMMANDS: Final = frozenset(Message) - REPORTS

_ERROR_BITS: Final = 0xFFFFFFFF

_STALE_PERIODS: Final = 4
"""A torque or temperature that was not renewed for so many of its longest periods is not known any more."""

_FIRST_EXPONENT: Final = 0x7F800000
_SECOND_EXPONENT: Final = _FIRST_EXPONENT << 32
"""Bits that are all set in a float32 that is infinite or no number."""

_STATUS_OF_STATE = np.full(256, int(MotorStatus.FAULT), dtype=np.int64)
_STATUS_OF_STATE[AxisState.UNDEFINED] = int(MotorStatus.UNKNOWN)
_STATUS_OF_STATE[AxisState.IDLE] = int(MotorStatus.DISABLED)
_STATUS_OF_STATE[AxisState.CLOSED_LOOP_CONTROL] = int(MotorStatus.ENABLED)


class ReportBook:
    """The newest reports of all motors of one group.

    A reading is as old as the older of estimate and heartbeat, so that neither position nor status goes stale unseen.

    Args:
        motors: The motors.
        members: Their places in the group, by bus.

    Attributes:
        measured_rad: (n,) newest positions, NaN of those never heard. Up to date after `decode`.
        errors: (n,) what each drive said when it was asked for errors; those of a heartbeat come on top.
        observed: Inventories that are under way, which are shown every report; by motor.
    """

    def __init__(self, motors: Sequence[WiredMotor], members: Mapping[str, Sequence[int]]) -> None:
        count = len(motors)
        self._slots = {name: {motors[slot].config.id: slot for slot in slots} for name, slots in members.items()}
        # Plain arrays, because storing one item is four times faster than in numpy; numpy sees the same memory.
        self._words = array("q", [0] * (len(_CYCLIC) * count))
        self._arrivals = array("d", [NEVER_S] * (len(_CYCLIC) * count))
        self._word_rows: NDArray[np.int64] = np.frombuffer(self._words, dtype=np.int64).reshape(-1, count)
        self._arrival_rows: Block = np.frombuffer(self._arrivals, dtype=np.float64).reshape(-1, count)
        self._voices = {
            name: {
                identifier << 5 | message: (kind * count + slot, kind)
                for identifier, slot in slots.items()
                for kind, message in enumerate(_CYCLIC)
            }
            for name, slots in self._slots.items()
        }
        self._decoder = FeedbackBatch(motors)
        self.measured_rad: Vector = np.full(count, np.nan)
        self.errors: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self.observed: dict[int, Observation] = {}

    def take(self, bus: str, frames: Sequence[Frame], counters: BusCounters) -> tuple[Sequence[Frame], bool]:
        """Take this group's reports; identified by node and message, then by the length.

        Args:
            bus: Where they came.
            frames: Oldest first.
            counters: Of that bus.

        Returns:
            The frames that are not from this group's motors, and whether any was.
        """
        voices = self._voices[bus]
        words, arrivals = self._words, self._arrivals
        strangers: list[Frame] = []
        estimates = 0
        number = int.from_bytes
        for frame in frames:
            voice = voices.get(frame[0])
            data = frame[1]
            if voice is None or len(data) != 8 or frame[2] or frame[3]:
                strangers.append(frame)
                continue
            place, kind = voice
            word = number(data, "little", signed=True)
            if kind <= _TORQUES:
                if word & _FIRST_EXPONENT == _FIRST_EXPONENT or word & _SECOND_EXPONENT == _SECOND_EXPONENT:
                    strangers.append(frame)
                    continue
                estimates += kind == _ESTIMATES
            words[place] = word
            arrivals[place] = frame[4]
        counters.received += estimates
        if self.observed:
            self._observe(bus, frames)
        if not strangers:
            return strangers, bool(frames)
        others = [frame for frame in strangers if not self._answers(bus, frame)]
        rest = [frame for frame in others if not self._commands_us(bus, frame)]
        counters.foreign_commands += len(others) - len(rest)
        return rest, len(others) < len(frames)

    def _observe(self, bus: str, frames: Sequence[Frame]) -> None:
        """Show every report to the inventories that are under way."""
        slots = self._slots[bus]
        for frame in frames:
            found = codec.sender(frame)
            observation = None if found is None else self.observed.get(slots.get(found[0], -1))
            if found is not None and observation is not None:
                observation.note(found[1], frame.data)

    def _answers(self, bus: str, frame: Frame) -> bool:
        """Whether a frame is a report of one of our motors that is not cyclic; if so, keep its errors."""
        found = codec.sender(frame)
        slot = None if found is None else self._slots[bus].get(found[0])
        if found is None or slot is None or found[1] in _CYCLIC:
            return False
        if found[1] == Message.ERROR:
            word = int.from_bytes(frame.data, "little")
            self.errors[slot] = (word | word >> 32) & _ERROR_BITS
        return True

    def _commands_us(self, bus: str, frame: Frame) -> bool:
        """Whether a frame from somebody else commands one of our motors, or all."""
        node, code = divmod(frame.arbitration_id, 32)
        is_ours = node in self._slots[bus] or node == UNADDRESSED_NODE_ID
        return is_ours and code in _COMMANDS and not (frame.is_extended or frame.is_fd)

    def decode(self, values: Block, codes: Codes, stamps_s: Vector) -> None:
        """Decode the newest reports of every motor.

        Args:
            values: (5, n), written in place but for the stamps; those of motors never heard mean nothing.
            codes: (2, n), written in place.
            stamps_s: (n,), written in place.
        """
        words, arrivals = self._word_rows, self._arrival_rows
        heard_s = arrivals[_ESTIMATES]
        self._decoder.decode(words[:_HEARTBEAT], values)
        np.copyto(values[TORQUE], np.nan, where=arrivals[_TORQUES] < heard_s - _STALE_PERIODS * TORQUE_MAX_S)
        cold = arrivals[_TEMPERATURES] < heard_s - _STALE_PERIODS * TEMPERATURE_MAX_S
        np.copyto(values[TEMPERATURE], np.nan, where=cold)
        np.copyto(self.measured_rad, values[POSITION])
        np.copyto(self.measured_rad, np.nan, where=heard_s == NEVER_S)
        np.minimum(heard_s, arrivals[_HEARTBEAT], out=stamps_s)
        states, faults = self.states(), codes[FAULT]
        np.bitwise_and(words[_HEARTBEAT], _ERROR_BITS, out=faults)
        faults |= self.errors
        np.take(_STATUS_OF_STATE, states, out=codes[STATUS])
        if faults.any():
            codes[STATUS, faults != 0] = int(MotorStatus.FAULT)
        strange = (codes[STATUS] == int(MotorStatus.FAULT)) & (faults == 0)
        if strange.any():
            faults[strange] = STATE_FAULT | states[strange]

    def states(self) -> NDArray[np.int64]:
        """(n,) axis state of each motor's newest heartbeat."""
        return self._word_rows[_HEARTBEAT] >> 32 & 0xFF

    def beat(self, slot: int) -> tuple[float, int, int]:
        """Arrival of the older of a motor's newest estimate and heartbeat, and the state and errors in that."""
        word = int(self._word_rows[_HEARTBEAT, slot])
        stamp_s = float(min(self._arrival_rows[_ESTIMATES, slot], self._arrival_rows[_HEARTBEAT, slot]))
        return stamp_s, word >> 32 & 0xFF, word & _ERROR_BITS
