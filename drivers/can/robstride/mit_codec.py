"""RobStride's 11-bit MIT variant, chosen in the motor with the private protocol and a power cycle.

Its feedback has no status, so faults must be asked for apart, and its command timeout cannot be read back: prefer the
private protocol. In this variant some manuals give RS02, RS03 and RS04 a velocity range of 33 rad/s.

Source: user manuals of 2026-04-28, `RobStride/SampleProgram`; fault replies from the latter's receiving code alone.
"""

from __future__ import annotations

import math
import struct
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.impedance import MIT_DISABLE, MIT_ENABLE, MIT_SET_ZERO, TOP_12, TOP_16
from drivers.devices import MotorModel
from supervisor.core.errors import EncodeError, FrameError

ENABLE: Final = MIT_ENABLE
DISABLE: Final = MIT_DISABLE
SET_ZERO: Final = MIT_SET_ZERO
CLEAR_FAULT: Final = 0xFF
"""Argument of `make_fault_request` that clears the faults; any other only asks for them."""

POSITION_OFFSET: Final = 0x100
SPEED_OFFSET: Final = 0x200
"""Added to a motor's id in the other control modes."""


_NO_MOTION: Final = bytes(5)


class MotorFeedback(NamedTuple):
    """One decoded feedback frame, at the motor's output shaft.

    Attributes:
        motor_id: Who sent it.
        position_rad, velocity_rad_per_s, torque_nm: Motor frame.
        temperature_degc: Of the winding.
    """

    motor_id: int
    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float
    temperature_degc: float


class FaultReply(NamedTuple):
    """One decoded fault reply.

    Attributes:
        motor_id: Who sent it.
        fault_bits: 16 bits, 0 for none.
    """

    motor_id: int
    fault_bits: int


def is_fault_reply(data: bytes) -> bool:
    """Whether 8 bytes that arrived on the host's id are a fault reply and no feedback.

    They are told apart as the vendor's sample does it: five zero bytes would be full speed backwards, at full torque
    backwards, at 0 degC.
    """
    return data[3:] == _NO_MOTION


def decode_fault_reply(data: bytes) -> FaultReply:
    """Decode one fault reply.

    Raises:
        FrameError: Not a fault reply.
    """
    if len(data) != 8 or not is_fault_reply(data):
        raise FrameError(f"{data.hex()} is no fault reply")
    return FaultReply(data[0], int.from_bytes(data[1:3], "little"))


def make_fault_request(motor_id: int, code: int) -> Frame:
    """Clear the faults (code 0xFF), or ask for them (any other)."""
    return Frame(motor_id, _special(code, 0xFB))


def make_set_mode(motor_id: int, mode: int) -> Frame:
    """Choose the control mode: 0 MIT, 1 position, 2 speed."""
    if not 0 <= mode <= 2:
        raise EncodeError(f"mode {mode}; allowed: 0 to 2")
    return Frame(motor_id, _special(mode, 0xFC))


def make_position(motor_id: int, position_rad: float, velocity_limit_rad_per_s: float) -> Frame:
    """A command of the position mode.

    Raises:
        EncodeError: A value is not finite, or too large for a float32.
    """
    return Frame(POSITION_OFFSET + motor_id, _floats(position_rad, velocity_limit_rad_per_s))


def make_speed(motor_id: int, velocity_rad_per_s: float, current_limit_a: float) -> Frame:
    """A command of the speed mode.

    Raises:
        EncodeError: A value is not finite, or too large for a float32.
    """
    return Frame(SPEED_OFFSET + motor_id, _floats(velocity_rad_per_s, current_limit_a))


def decode_feedback(data: bytes, model: MotorModel) -> MotorFeedback:
    """Decode one feedback frame.

    Args:
        data: 8 data bytes of a frame that arrived on the host's id.
        model: Wire ranges of the motor.

    Raises:
        FrameError: Wrong length.
    """
    if len(data) != 8:
        raise FrameError(f"{len(data)} data bytes where a feedback frame has 8")
    word = int.from_bytes(data, "big")
    return MotorFeedback(
        motor_id=word >> 56,
        position_rad=_scale(word >> 40 & TOP_16, TOP_16, model.position_max_rad),
        velocity_rad_per_s=_scale(word >> 28 & TOP_12, TOP_12, model.velocity_max_rad_per_s),
        torque_nm=_scale(word >> 16 & TOP_12, TOP_12, model.torque_max_nm),
        temperature_degc=(word & TOP_16) * 0.1,
    )


def _special(argument: int, command: int) -> bytes:
    if not 0 <= argument <= 0xFF:
        raise EncodeError(f"argument {argument}; allowed: 0 to 255")
    return b"\xff" * 6 + bytes((argument, command))


def _floats(*values: float) -> bytes:
    for value in values:
        if not math.isfinite(value):
            raise EncodeError(f"{value} is not a number to command")
    try:
        return struct.pack("<ff", *values)
    except OverflowError:
        raise EncodeError(f"{values} do not fit float32") from None


def _scale(count: int, top: int, high: float) -> float:
    """A wire count as a value between -high and high."""
    return count * (2.0 * high / top) - high
