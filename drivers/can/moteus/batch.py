"""Messages of many controllers at once, in arrays made once: what the control loop uses.

Byte for byte what `codec` makes of each motor alone. A command takes the position mode and states, as INT16, all that
it works with: target, shares of the configured gains, torque, largest torque, timeout, and that no trajectory is to be
planned. With the question for feedback that is 32 bytes; the reply is 28, padded to 32.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.bus import Frame
from drivers.can.impedance import RANGE_SLACK
from drivers.can.moteus.codec import Address, encode_query, make_command
from drivers.can.moteus.tables import (
    NM,
    PADDING,
    REV,
    REV_PER_S,
    SCALES,
    SHARE,
    TURN,
    Mode,
    Register,
    Resolution,
)
from drivers.devices import POSITION, TEMPERATURE, TORQUE, VELOCITY, Block, WiredMotor

_MOTION: Final = (Register.MODE, Register.POSITION, Register.VELOCITY, Register.TORQUE)
_CONDITION: Final = tuple(Register(number) for number in range(Register.MOTOR_TEMPERATURE, Register.FAULT + 1))

QUERY: Final = encode_query(
    [(register, Resolution.F32) for register in _MOTION] + [(register, Resolution.INT8) for register in _CONDITION]
)
"""The question for feedback: mode and motion as floats, six numbers on the condition as single bytes. Asking for the
mode as a float saves the byte that keeps a command within 32."""

REPLY: Final = struct.Struct("<3s4f3s6b4s")
"""The reply: mode, position, velocity, torque; winding temperature, two more, voltage, board temperature, fault."""

REPLY_HEADS: Final = (b"\x2c\x04\x00", b"\x20\x06\x0a")
REPLY_PADDING: Final = 4 * PADDING
MODE_OF_BYTES: Final[Mapping[bytes, int]] = {struct.pack("<f", mode): mode for mode in Mode}
"""Register MODE as it travels in a reply."""

COMMAND_BYTES: Final = 32
NO_LIMIT: Final = -1.0
"""Of velocity or acceleration of a planned trajectory; anything negative."""

_FIRST_COUNT: Final = slice(6, 16)
"""Bytes of a command with position, velocity, torque, share of kp and share of kd."""

_REPLY_TYPE: Final = np.dtype(
    {"names": ["motion", "condition"], "formats": ["4<f4", "6i1"], "offsets": [3, 22], "itemsize": REPLY.size}
)
_WINDING, _BOARD, _FAULT = 0, 4, 5
_NAN_DEGC: Final = -128.0

COMMAND_RESOLUTIONS: Final[Mapping[Register, Resolution]] = dict.fromkeys(SCALES, Resolution.INT16)  # type: ignore[arg-type]


def command_values(motor: WiredMotor, timeout_counts: int) -> dict[Register, float | None]:
    """What a command to one motor states besides its target: without gains and torque, it stays where it is.

    Args:
        motor: The motor.
        timeout_counts: Milliseconds until the controller counts this computer as dead.
    """
    return {
        Register.COMMAND_POSITION: None,
        Register.COMMAND_VELOCITY: 0.0,
        Register.COMMAND_FEEDFORWARD_TORQUE: 0.0,
        Register.COMMAND_KP_SCALE: 0.0,
        Register.COMMAND_KD_SCALE: 0.0,
        Register.COMMAND_MAXIMUM_TORQUE: motor.model.torque_max_nm,
        # Half a count more: a thousandth times the count may be a little less in binary.
        Register.COMMAND_TIMEOUT: (timeout_counts + 0.5) * SCALES[Register.COMMAND_TIMEOUT].int16,
        Register.COMMAND_VELOCITY_LIMIT: NO_LIMIT,
        Register.COMMAND_ACCELERATION_LIMIT: NO_LIMIT,
    }


def make_still(motor: WiredMotor, timeout_counts: int) -> Frame:
    """Take the position mode at the present position, without stiffness, damping or torque.

    Raises:
        EncodeError: The timeout or the largest torque does not fit.
    """
    values = command_values(motor, timeout_counts)
    return make_command(Address(motor.config.id), Mode.POSITION, values, COMMAND_RESOLUTIONS, QUERY)


class CommandBatch:
    """Encodes one impedance command per motor in one go.

    A motor whose gains are not known yet is never sent a command.

    Args:
        motors: The motors.

    Attributes:
        all_valid: After `encode`: False when a command was not finite or out of range, or a motor's gains are unknown.
        valid: (n,) which commands may be sent, up to date only when not `all_valid`.
    """

    __slots__ = ("_bounds", "_buffer", "_counts", "_frames", "_scaled", "_units", "all_valid", "valid")

    def __init__(self, motors: Sequence[WiredMotor]) -> None:
        count = len(motors)
        models = [motor.model for motor in motors]
        high = np.array(
            [(m.position_max_rad, m.velocity_max_rad_per_s, -1.0, -1.0, m.torque_max_nm) for m in models]
        ).T.reshape(5, count)
        low = -high
        low[2:4] = 0.0
        slack = RANGE_SLACK * np.abs(high)
        self._bounds: tuple[Block, Block] = (low - slack, high + slack)
        units = [(TURN, REV.int16), (TURN, REV_PER_S.int16), (1.0, SHARE.int16), (1.0, SHARE.int16), (1.0, NM.int16)]
        self._units: NDArray[np.float64] = np.repeat(np.array(units).T[:, :, None], count, axis=2)
        """(2, 5, n) what a command is divided by, one after the other, as the codec does."""
        self._scaled: Block = np.zeros((5, count))
        self._buffer = bytearray(COMMAND_BYTES * count)
        self._frames: NDArray[np.uint8] = np.frombuffer(self._buffer, dtype=np.uint8).reshape(count, COMMAND_BYTES)
        self._counts: NDArray[np.int16] = self._frames[:, _FIRST_COUNT].view("<i2")
        self.valid: NDArray[np.bool_] = np.zeros(count, dtype=np.bool_)
        self.all_valid = False

    def learn(self, slot: int, motor: WiredMotor, gains: tuple[float, float], timeout_counts: int) -> None:
        """Use these gains and this timeout for one motor from now on.

        Args:
            slot: Which.
            motor: The same.
            gains: Its configured stiffness (N·m/rad) and damping (N·m·s/rad), above 0.
            timeout_counts: Milliseconds.
        """
        self._frames[slot] = np.frombuffer(make_still(motor, timeout_counts).data, dtype=np.uint8)
        wanted = (motor.model.kp_max_nm_per_rad, motor.model.kd_max_nm_s_per_rad)
        for row, gain, largest in zip((2, 3), gains, wanted, strict=True):
            self._units[0, row, slot] = gain
            self._bounds[1][row, slot] = min(gain, largest) * (1.0 + RANGE_SLACK)
            self._bounds[0][row, slot] = -RANGE_SLACK * gain

    def forget(self, slot: int) -> None:
        """Send this motor nothing until its gains are known again."""
        self._bounds[0][2:4, slot], self._bounds[1][2:4, slot] = 0.0, -1.0

    def encode(self, command: Block) -> bytes:
        """Encode one command per motor.

        Args:
            command: (5, n) position, velocity, kp, kd, torque; motor frame. Not changed.

        Returns:
            32 bytes per motor, in order; `all_valid` and `valid` say which of them may be sent.
        """
        inside = (command >= self._bounds[0]) & (command <= self._bounds[1])
        self.all_valid = bool(inside.all())
        if not self.all_valid:
            np.logical_and.reduce(inside, axis=0, out=self.valid)
            command = np.where(self.valid, command, 0.0)
        scaled = self._scaled
        np.divide(command, self._units[0], out=scaled)
        scaled /= self._units[1]
        counts = self._counts
        counts[:, :2] = scaled[:2].T
        counts[:, 2] = scaled[4]
        counts[:, 3:] = scaled[2:4].T
        return bytes(self._buffer)


class FeedbackBatch:
    """Decodes the newest reply of every motor in one go.

    Args:
        count: How many motors.

    Attributes:
        buffer: 32 bytes per motor, to be filled with replies that have passed `is_usual`.
    """

    __slots__ = ("_condition", "_degc", "_motion", "buffer")

    def __init__(self, count: int) -> None:
        self.buffer = bytearray(REPLY.size * count)
        view: NDArray[Any] = np.frombuffer(self.buffer, dtype=_REPLY_TYPE)
        self._motion: NDArray[np.float32] = view["motion"]
        self._condition: NDArray[np.int8] = view["condition"]
        self._degc: Block = np.zeros((2, count))

    def decode(self, values: Block) -> None:
        """Decode position, velocity, torque and temperature, the higher of winding and board.

        Args:
            values: (at least 4, n), written in place.
        """
        motion, degc = self._motion, self._degc
        # A damaged frame may hold a signalling NaN, of which numpy would warn; it becomes a quiet one.
        with np.errstate(invalid="ignore"):
            values[POSITION] = motion[:, 1]
            values[VELOCITY] = motion[:, 2]
            values[:TORQUE] *= TURN
            values[TORQUE] = motion[:, 3]
        degc[0] = self._condition[:, _WINDING]
        degc[1] = self._condition[:, _BOARD]
        degc[degc == _NAN_DEGC] = np.nan
        np.fmax(degc[0], degc[1], out=values[TEMPERATURE])

    def faults(self) -> NDArray[np.int8]:
        """(n,) register FAULT. Valid until the next reply."""
        return self._condition[:, _FAULT]


def is_usual(data: bytes) -> bool:
    """Whether a frame is a reply to `QUERY` with everything in its place."""
    return (
        len(data) == REPLY.size
        and data[:3] == REPLY_HEADS[0]
        and data[19:22] == REPLY_HEADS[1]
        and data[28:] == REPLY_PADDING
    )


def in_usual_form(values: Mapping[int, float]) -> bytes | None:
    """The registers of a reply laid out as usual; None when they are no feedback.

    Firmware that lacks a register answers for the others in an order of its own.
    """
    if any(register not in values for register in _MOTION):
        return None
    condition = [_byte(register, values) for register in _CONDITION]
    head, second_head = REPLY_HEADS
    return REPLY.pack(head, *(values[register] for register in _MOTION), second_head, *condition, REPLY_PADDING)


def _byte(register: Register, values: Mapping[int, float]) -> int:
    """One register as INT8, as the controller would say it; NaN, or 0 for a whole number, where it did not."""
    scale = SCALES[register].int8 if register in SCALES else 1.0
    value = values.get(register, float("nan") if register in SCALES else 0.0)
    return -128 if value != value else min(max(int(value / scale), -127), 127)
