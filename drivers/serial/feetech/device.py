"""All Feetech servos of one robot: goals out in one sync write per line, motion in from one sync read.

SCS servos know no sync read: they are asked one by one, a servo per line and cycle. Series may share a line.

The error byte of every answer is the servo's fault code. Nothing is ever written to what is stored in a servo, nor to
its lock, but for `set_zero` and `configure`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import SerialPort
from drivers.devices import Changing, Found, Settings, WiredMotor
from drivers.host_position import Mask
from drivers.motor_group import MotorProbe, Zeroing
from drivers.serial.feetech import codec, instructions
from drivers.serial.feetech.batch import ERROR_AT, GoalBatch, StateBatch, SyncAnswers
from drivers.serial.feetech.inventory import probe_servo
from drivers.serial.feetech.settings import find_settings, write_settings
from drivers.serial.feetech.tables import (
    ATTEMPTS,
    IDENTITY_ADDRESS,
    IDENTITY_BYTES,
    MODELS,
    REPLY_TIMEOUT_S,
    SERIES,
    STATE_BYTES,
    STS_MOTION_ADDRESS,
    STS_REGISTERS,
    SWITCH_ADDRESS,
    TORQUE_OFF,
    TORQUE_SET_MIDDLE,
    WHOLE_BYTES,
    FeetechModel,
)
from drivers.serial.framing import Packet
from drivers.serial.half_duplex import Line, Question
from drivers.serial.position_servos import OFF, ON, PositionServos
from supervisor.core.errors import DeviceError

ZERO_RAD: Final = 0.02
"""How near to zero a position is read back after its zero was set: a limp joint may creep by a few counts."""


class FeetechServos(PositionServos):
    """All Feetech servos of one robot, on all its lines. Implements `SerialMotorGroup`.

    Args:
        motors: The servos, in the order of every array passed in.
        buses: Open lines by name; those that no servo of this group is wired to are ignored.
    """

    has_settings: ClassVar[bool] = True

    def __init__(self, motors: Sequence[WiredMotor], buses: Mapping[str, SerialPort]) -> None:
        self.models: tuple[FeetechModel, ...] = tuple(MODELS[motor.config.model] for motor in motors)
        self._ids = [motor.config.id for motor in motors]
        self._encoder = GoalBatch(self._ids, self.models)
        self._decoder = StateBatch(self.models)
        self._blocks: list[dict[int, bytes]] = [{} for _ in motors]
        """What an inventory has read of each servo, by size."""
        self._all_answers: dict[str, SyncAnswers] = {}
        super().__init__(motors, buses, self.models, codec.make_parser)

    def _fill_questions(self) -> None:
        for line in self.lines.values():
            together = [slot for slot in line.slots if self.models[slot].series == "STS"]
            if together:
                ids = [self._ids[slot] for slot in together]
                motion = instructions.make_sync_read(STS_MOTION_ADDRESS, STATE_BYTES["STS"], ids)
                line.motions.append(Question(motion, len(ids)))
                line.switches.append(Question(instructions.make_sync_read(SWITCH_ADDRESS, 1, ids), len(ids)))
            if len(together) == len(line.slots):
                self._all_answers[line.name] = SyncAnswers([self._ids[slot] for slot in together], STATE_BYTES["STS"])
            for slot in line.slots:
                if slot not in together:
                    motion = instructions.make_read(self._ids[slot], STS_MOTION_ADDRESS, STATE_BYTES["SCS"])
                    line.motions.append(Question(motion, 1))
                    line.switches.append(Question(instructions.make_read(self._ids[slot], SWITCH_ADDRESS, 1), 1))

    def _take(self, line: Line, slot: int, packet: Packet, now_s: float) -> bool:  # noqa: ARG002 (one line is like another)
        data, series = packet.params, self.models[slot].series
        size = len(data)
        if size == STATE_BYTES[series]:
            self._keep(slot, data, now_s)
        elif size == 1:
            self._switch[slot] = OFF if data[0] == TORQUE_OFF else ON
        elif size == WHOLE_BYTES[series]:
            self._switch[slot] = OFF if data[0] == TORQUE_OFF else ON
            self._keep(slot, data[STS_MOTION_ADDRESS - SWITCH_ADDRESS :], now_s)
            self._blocks[slot][size] = data
        elif size == IDENTITY_BYTES:
            self._blocks[slot][size] = data
        elif size:
            # An answer to nothing that is asked here; our own question, from an adapter that gives it back.
            return False
        self._errors[slot] = packet.instruction
        return True

    def _take_all(self, line: Line, data: bytes, now_s: float) -> bool:
        expected = self._all_answers.get(line.name)
        packets = None if expected is None else expected.split(data)
        if packets is None:
            return False
        self._decoder.keep_all(line.slots, packets)
        stamps, errors = self._stamps, self._errors
        for slot, packet in zip(line.slots, packets, strict=True):
            stamps[slot] = now_s
            errors[slot] = packet[ERROR_AT]
        return True

    def _keep(self, slot: int, data: bytes, now_s: float) -> None:
        self._decoder.keep(slot, data)
        self._stamps[slot] = now_s

    def _fill_feedback(self) -> None:
        self._decoder.decode(self._feedback)

    def _in_range(self, goals: NDArray[np.float64]) -> Mask:
        return self._encoder.convert(goals)

    def _goals(self, line: Line, slots: Sequence[int], goals: NDArray[np.float64]) -> bytes:  # noqa: ARG002 (kept as counts)
        return self._encoder.goals(slots)

    def _start(self, line: Line, slots: Sequence[int], goals: NDArray[np.float64]) -> bytes:  # noqa: ARG002 (kept as counts)
        return self._encoder.start(slots)

    def _stop(self, line: Line, slots: Sequence[int]) -> bytes:  # noqa: ARG002 (one line is like another)
        off = bytes((TORQUE_OFF,))
        return instructions.make_sync_write(SWITCH_ADDRESS, 1, [(self._ids[slot], off) for slot in slots])

    def fault_name(self, code: int) -> str:
        """The names of the error bits in a fault code."""
        return "+".join(codec.error_names(code))

    def _probe_motor(self, slot: int, timeout_s: float, now_s: float) -> MotorProbe:  # noqa: ARG002 (none can be set)
        return (yield from probe_servo(_Servo(self, slot), now_s))

    def read(self, slot: int, address: int, size: int, now_s: float) -> Generator[None, float, float]:
        """Read a block of registers, which `block` then has; returns the time at the end."""
        blocks = self._blocks[slot]
        blocks.pop(size, None)
        request = instructions.make_read(self._ids[slot], address, size)
        return (yield from self.ask(slot, request, lambda: size in blocks, now_s, ATTEMPTS, REPLY_TIMEOUT_S))

    def block(self, slot: int, size: int) -> bytes | None:
        """What the last read of so many bytes brought."""
        return self._blocks[slot].get(size)

    def _find_settings(self, slot: int, timeout_s: float, now_s: float) -> Found:  # noqa: ARG002 (there is none)
        return (yield from find_settings(_Servo(self, slot), now_s))

    def _write_settings(self, slot: int, settings: Settings, now_s: float) -> Changing:
        return (yield from write_settings(_Servo(self, slot), settings, now_s))

    def set_zero(self, joint: str, now_s: float) -> Zeroing:
        """Make the present position of an STS servo its zero, which it stores. Only while it is off."""
        slot = self._slot_of(joint)
        model, who = self.models[slot], f"servo {self._ids[slot]} of {joint}"
        if model.series != "STS":
            raise DeviceError(f"{who}: {model.name} has no zero that can be set; use offset_rad")
        size = WHOLE_BYTES[model.series]
        now_s = yield from self.read(slot, SWITCH_ADDRESS, size, now_s)
        before = self.block(slot, size)
        if before is None:
            raise DeviceError(f"{who} does not answer a read of its state")
        if before[0] != TORQUE_OFF:
            raise DeviceError(f"{who} is on: a zero is set while it is off")
        switch = STS_REGISTERS["torque_enable"].address
        self.send_one(slot, instructions.make_write(self._ids[slot], switch, bytes((TORQUE_SET_MIDDLE,))))
        now_s = yield
        yield from self.read(slot, SWITCH_ADDRESS, size, now_s)
        if self.block(slot, size) is None:
            raise DeviceError(f"{who} does not answer after its zero was set: read its position before using it")
        position_rad = self.position_of(slot)
        if abs(position_rad) > ZERO_RAD:
            raise DeviceError(f"{who} reads {position_rad:.4f} rad after its zero was set, allowed {ZERO_RAD:g}")
        return position_rad


class _Servo:
    """One servo of a group, as its inventory reaches it. Implements `ServoLine`."""

    __slots__ = ("_group", "_slot", "model", "motor")

    def __init__(self, group: FeetechServos, slot: int) -> None:
        self._group, self._slot = group, slot
        self.motor, self.model = group.motors[slot], group.models[slot]

    def read_identity(self, now_s: float) -> Generator[None, float, tuple[float, bytes | None]]:
        return self._read(IDENTITY_ADDRESS, IDENTITY_BYTES, now_s)

    def read_state(self, now_s: float) -> Generator[None, float, tuple[float, bytes | None]]:
        return self._read(SWITCH_ADDRESS, WHOLE_BYTES[self.model.series], now_s)

    def _read(self, address: int, size: int, now_s: float) -> Generator[None, float, tuple[float, bytes | None]]:
        now_s = yield from self._group.read(self._slot, address, size, now_s)
        return now_s, self._group.block(self._slot, size)

    def write(self, name: str, data: bytes) -> None:
        self._group.release(self._slot)
        register = SERIES[self.model.series].registers[name]
        packet = instructions.make_write(self.motor.config.id, register.address, data)
        self._group.send_one(self._slot, packet)

    @property
    def error_bits(self) -> int:
        return self._group.errors_of(self._slot)

    @property
    def spoilt_bytes(self) -> int:
        return self._group.lines[self.motor.config.bus].spoilt_bytes

    def position_rad(self) -> float:
        return self._group.position_of(self._slot)

    def silence_problem(self, asked: str, spoilt_bytes: int) -> str:
        return self._group.silence_problem(self._slot, asked, spoilt_bytes)

    def set_stiffness(self, stiffness_nm_per_rad: float) -> None:
        self._group.host.stiffness[self._slot] = stiffness_nm_per_rad
