"""All CANopen drives of one robot, in cyclic synchronous torque mode: torques out, feedback in.

Each cycle every drive gets its controlword and its torque, and then one SYNC per bus makes all of them act and report.
The way to OPERATION ENABLED takes several cycles: `Drive.ENABLE` begins it, and the commands that follow lead on, for a
bounded number of cycles and without torque. A drive that leaves OPERATION ENABLED by itself is only told to stay off.

Drives watch this computer's heartbeat and not its commands: one that could not be given its command would go on with
its last one. So it is given no torque instead.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import CanBus, Frame
from drivers.can.canopen import codec
from drivers.can.canopen.batch import COMMAND_BYTES, MOTION, CommandBatch, FeedbackBatch, speed_layout
from drivers.can.canopen.inventory import probe_motor
from drivers.can.canopen.pdo import pdo_id
from drivers.can.canopen.scaling import scaling_of
from drivers.can.canopen.states import ENABLE_OPERATION, DriveStateMachine, Wish
from drivers.can.canopen.status import StatusBatch, fault_name
from drivers.can.canopen.tables import (
    ALL_NODES,
    COUNTS_PER_SECOND,
    ERROR_CODE,
    FACTS,
    HEARTBEAT_CYCLES,
    HOST_ID,
    NmtCommand,
    Service,
)
from drivers.devices import VELOCITY, Block, Codes, WiredMotor
from drivers.host_impedance import HostImpedance
from drivers.motor_group import CanMotors, MotorProbe
from supervisor.core.command import Drive
from supervisor.core.errors import FrameError
from supervisor.core.joints import Vector
from supervisor.core.state import NEVER_S

WALK_CYCLES: Final = 40
"""How long after ENABLE a drive is led on: three steps of two cycles each, and time for a slow drive's relays."""

RESET_CYCLES: Final = 6
"""How long after CLEAR_FAULT the fault reset is repeated: three rising edges, of which two may be lost."""

NAMING_CYCLES: Final = 20
"""How often a drive in fault is asked for its error code, where its emergency message was lost."""

SWITCHED_OFF: Final = 0x0040
"""Statusword of SWITCH ON DISABLED."""

OPERATIONAL: Final = 5
BOOTED: Final = 0
"""NMT states, as heartbeats say them."""

_ERROR_CODE_REPLY: Final = bytes((0x4B, ERROR_CODE.index & 0xFF, ERROR_CODE.index >> 8, 0))


class CanOpenMotors(CanMotors):
    """All CANopen drives of one robot, on all its buses. Implements `MotorGroup`.

    Args:
        motors: The motors, in the order of every array passed in.
        buses: Open buses by name; those that no motor of this group is wired to are ignored.
    """

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, CanBus]) -> None:
        super().__init__(motors, buses)
        ids = [motor.config.id for motor in self.motors]
        facts = [FACTS[motor.model.name] for motor in self.motors]
        units = [fact.velocity_unit or COUNTS_PER_SECOND for fact in facts]
        scalings = [scaling_of(motor, unit) for motor, unit in zip(self.motors, units, strict=True)]
        self._encoder = CommandBatch(scalings)
        self._decoder = FeedbackBatch(scalings, facts)
        self._impedance = HostImpedance([motor.model for motor in self.motors])
        self._sizes = [(MOTION.size, speed_layout(fact).size) for fact in facts]
        self._slot_of_id = {name: {ids[slot]: slot for slot in slots} for name, slots in self._members.items()}
        self._voices = {
            name: {service.value + ids[slot]: (slot, service) for slot in slots for service in Service}
            for name, slots in self._members.items()
        }
        self._targets = [
            (self._buses[name], [(slot, pdo_id(ids[slot], 1, is_transmit=False)) for slot in slots])
            for name, slots in self._members.items()
        ]
        self._make_arrays(len(self.motors))
        self._machines = [DriveStateMachine() for _ in self.motors]
        self._walk = [0] * len(self.motors)
        self._reset_cycles = self._turn = 0
        self._heartbeat = codec.make_heartbeat(HOST_ID, OPERATIONAL)

    def _make_arrays(self, count: int) -> None:
        """Plain arrays, because storing one item is four times faster than in numpy; numpy sees the same memory."""
        self._words = array("q", [0] * 2 * count)
        self._times = array("d", [NEVER_S] * 2 * count)
        self._word_view: NDArray[np.int64] = np.frombuffer(self._words, dtype=np.int64).reshape(2, count)
        self._time_view: NDArray[np.float64] = np.frombuffer(self._times, dtype=np.float64).reshape(2, count)
        self._errors = array("q", [0] * count)
        self._error_view: NDArray[np.int64] = np.frombuffer(self._errors, dtype=np.int64)
        self._is_set_up = [False] * count
        self._replies: list[deque[bytes]] = [deque(maxlen=16) for _ in range(count)]
        self._status = StatusBatch(count)
        self._motion: Block = np.full((VELOCITY + 1, count), np.nan)
        self._no_torque: Vector = np.zeros(count)
        self._controlwords: NDArray[np.int64] = np.zeros(count, dtype=np.int64)

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take this group's process data and answers; identified by the arbitration id, then by their length."""
        voices, sizes, is_set_up = self._voices[bus], self._sizes, self._is_set_up
        words, times, count = self._words, self._times, len(self.motors)
        strangers: list[Frame] = []
        number = int.from_bytes
        for frame in frames:
            voice = voices.get(frame[0])
            if voice is None or frame[2] or frame[3]:
                strangers.append(frame)
                continue
            slot, service = voice
            place = 0 if service is Service.TPDO_1 else 1 if service is Service.TPDO_2 else -1
            if place < 0:
                if not self._take_other(slot, service, frame[1]):
                    strangers.append(frame)
            elif is_set_up[slot] and len(frame[1]) == sizes[slot][place]:
                words[place * count + slot] = number(frame[1], "little", signed=True)
                times[place * count + slot] = frame[4]
            else:
                # Mapped by somebody else, or not at all: nobody knows what is in it.
                strangers.append(frame)
        counters = self._buses[bus].counters
        counters.received += len(frames) - len(strangers)
        self._is_fresh = True
        others = [frame for frame in strangers if not self._is_command(bus, frame)]
        counters.foreign_commands += len(strangers) - len(others)
        return others

    def _take_other(self, slot: int, service: Service, data: bytes) -> bool:
        """Keep what a drive says besides its process data; False when it is nothing that it could say."""
        try:
            if service is Service.EMERGENCY:
                self._errors[slot] = codec.decode_emergency(data).code
            elif service is Service.HEARTBEAT:
                if codec.decode_heartbeat(data) == BOOTED:
                    # Its mapping is gone with its memory.
                    self._lose(slot)
            elif service is Service.SDO_REPLY and len(data) == 8:
                if data[:4] == _ERROR_CODE_REPLY:
                    self._errors[slot] = int.from_bytes(data[4:6], "little")
                self._replies[slot].append(data)
            else:
                return False
        except FrameError:
            return False
        return True

    def _lose(self, slot: int) -> None:
        """Believe no process data of a drive any more. It is off, where it was last seen."""
        self._is_set_up[slot] = False
        self._words[slot] = self._words[slot] & ~0xFFFF | SWITCHED_OFF

    def _is_command(self, bus: str, frame: Frame) -> bool:
        """Whether a frame from somebody else commands one of our drives, or speaks in our name."""
        if frame.arbitration_id == self._heartbeat.arbitration_id and not frame.is_extended:
            return True
        node_id = codec.commanded_node(frame)
        return node_id is not None and (node_id == ALL_NODES or node_id in self._slot_of_id[bus])

    def _decode(self, values: Block, codes: Codes) -> None:
        # As old as the older of its two frames: a position without its velocity is no feedback.
        np.minimum(self._time_view[0], self._time_view[1], out=self._stamp_view)
        motion, speed = self._word_view
        self._decoder.decode(motion, speed, values)
        np.copyto(self._motion, values[: VELOCITY + 1], where=self._stamp_view > NEVER_S)
        self._status.decode(motion, self._error_view, codes)

    def write(self, drive: Drive, command: Block) -> None:
        """Send every drive its controlword and torque, and one SYNC per bus.

        A drive whose torque cannot be encoded is given none, and counted as an error.
        """
        self._begin(drive)
        torque = self._no_torque
        errors: NDArray[np.bool_] | None = None
        if drive is Drive.COMMAND:
            torque = self._impedance.torque(command, self._motion, self._stamp_view)
            torque[~self._status.is_on] = 0.0
            errors = None if self._impedance.all_valid else ~self._impedance.valid
        data = self._encoder.encode(self._next_controlwords(drive), torque)
        if not self._encoder.all_valid:
            errors = ~self._encoder.valid if errors is None else errors | ~self._encoder.valid
        for (bus, targets), slots in zip(self._targets, self._members.values(), strict=True):
            if errors is not None:
                bus.counters.errors += int(errors[slots].sum())
            frames = [Frame(i, data[COMMAND_BYTES * slot : COMMAND_BYTES * (slot + 1)]) for slot, i in targets]
            frames.append(codec.SYNC)
            if self._turn % HEARTBEAT_CYCLES == 0:
                frames.append(self._heartbeat)
            if bus.send(frames) == len(frames):
                bus.counters.expected += 2 * sum(self._is_set_up[slot] for slot in slots)
        self._turn += 1
        if self._turn % NAMING_CYCLES == 0:
            self._ask_for_names()

    def _begin(self, drive: Drive) -> None:
        """Note what a cycle's drive begins, or ends."""
        if drive is Drive.ENABLE:
            self._walk = [WALK_CYCLES] * len(self.motors)
        elif drive is not Drive.COMMAND:
            self._walk = [0] * len(self.motors)
        if drive is Drive.CLEAR_FAULT:
            self._reset_cycles = RESET_CYCLES
            # A fault that stays is asked for its name again.
            self._error_view.fill(0)
            for name, slots in self._members.items():
                # Drives that left OPERATIONAL when they lost the heartbeat; never those that lost their mapping.
                ready = [self.motors[slot].config.id for slot in slots if self._is_set_up[slot]]
                self._buses[name].send([codec.make_nmt(NmtCommand.OPERATIONAL, node_id) for node_id in ready])
        elif drive in (Drive.ENABLE, Drive.COMMAND):
            self._reset_cycles = 0

    def _next_controlwords(self, drive: Drive) -> NDArray[np.int64]:
        """One controlword per drive, each a step on the way to where it is wanted."""
        words = self._controlwords
        if drive is Drive.COMMAND and self._status.is_on.all():
            self._walk = [0] * len(words)
            words.fill(ENABLE_OPERATION)
            return words
        is_on, walk = self._status.is_on.tolist(), self._walk
        for slot, machine in enumerate(self._machines):
            wish = Wish.DISABLED
            if not self._is_set_up[slot]:
                pass
            elif drive in (Drive.ENABLE, Drive.COMMAND) and (is_on[slot] or walk[slot]):
                wish = Wish.ENABLED
                walk[slot] = 0 if is_on[slot] else walk[slot] - 1
            elif self._reset_cycles:
                wish = Wish.FAULT_CLEARED
            words[slot] = machine.controlword(self._status.state(slot), wish)
        self._reset_cycles = max(self._reset_cycles - 1, 0)
        return words

    def _ask_for_names(self) -> None:
        """Ask drives in fault for their error code where the emergency message was lost."""
        for slot in self._status.unnamed(self._error_view):
            if self._is_set_up[slot]:
                self.send_one(slot, codec.make_read(self.motors[slot].config.id, ERROR_CODE))

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:
        return (yield from probe_motor(_Line(self, slot), timeout_s, now_s))

    def fault_name(self, code: int) -> str:
        """Name of an error code, or of the state of a drive that is neither on nor off."""
        return fault_name(code)

    def replies(self, slot: int) -> deque[bytes]:
        """SDO replies of a drive that nobody has looked at."""
        return self._replies[slot]

    def tell(self, slot: int, frame: Frame) -> None:
        """Send one frame on a drive's bus that nobody answers."""
        self._buses[self.motors[slot].config.bus].send((frame,))

    def forget(self, slot: int) -> None:
        """Ignore a drive's process data until it is set up."""
        self._lose(slot)
        self._replies[slot].clear()

    def begin(self, slot: int, velocity_unit: int) -> None:
        """Take a drive's process data from now on, with its velocity in this unit of 0x60A9."""
        self._decoder.rescale(slot, scaling_of(self.motors[slot], velocity_unit))
        self._is_set_up[slot] = True

    def heard_s(self, slot: int) -> float:
        """Arrival of the older of a drive's newest frames."""
        return float(self._time_view[:, slot].min())


class _Line:
    """One drive of a group, as its inventory reaches it. Implements `MotorLine`."""

    __slots__ = ("_group", "_slot", "motor", "node_id")

    def __init__(self, group: CanOpenMotors, slot: int) -> None:
        self._group = group
        self._slot = slot
        self.motor = group.motors[slot]
        self.node_id = self.motor.config.id

    @property
    def replies(self) -> deque[bytes]:
        return self._group.replies(self._slot)

    def send(self, frame: Frame) -> None:
        self._group.send_one(self._slot, frame)

    def tell(self, frame: Frame) -> None:
        self._group.tell(self._slot, frame)

    def forget(self) -> None:
        self._group.forget(self._slot)

    def begin(self, velocity_unit: int) -> None:
        self._group.begin(self._slot, velocity_unit)

    def is_heard(self, since_s: float) -> bool:
        return self._group.heard_s(self._slot) > since_s

    def fault_name(self, code: int) -> str:
        return self._group.fault_name(code)
