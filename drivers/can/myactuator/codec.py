"""MyActuator RMD messages: pure functions between values and bytes.

Encoding raises `EncodeError` on NaN, infinity and out of range: clamping is the gate's job, and is counted there.
Angles and speeds of requests and replies are those of the wire, in degrees; the motion mode speaks radians.

Source: see `tables`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.impedance import TOP_12, TOP_16, encode_mit
from drivers.can.myactuator.tables import (
    ACCELERATION_INDICES,
    ANGLE_DEG,
    BROADCAST_ID,
    CURRENT_A,
    ERRORS,
    FEEDBACK_COMMANDS,
    ID_RANGE,
    MOTION_BASE,
    MOTION_REPLY_BASE,
    REPLY_BASE,
    REQUEST_BASE,
    SPEED_DEG_PER_S,
    TIMED_OUT,
    VOLTAGE_V,
    Command,
)
from drivers.devices import MotorModel
from supervisor.core.errors import EncodeError, FrameError

_COMMANDS: Final = frozenset(Command)
_FEEDBACK: Final = struct.Struct("<Bbhhh")
_STATUS_1: Final = struct.Struct("<BbxBHH")
_LAST_WORD: Final = struct.Struct("<4xi")


class ReplyKind(Enum):
    """What a motor's arbitration id says about a frame."""

    COMMAND = "command"
    MOTION = "motion"


class Feedback(NamedTuple):
    """Reply to a motion command other than the motion mode's, and status 2: 1 degree is all it resolves."""

    command: int
    temperature_degc: float
    current_a: float
    speed_deg_per_s: float
    angle_deg: float


class Status1(NamedTuple):
    """Reply to READ_STATUS_1: what is wrong with the motor."""

    temperature_degc: float
    is_brake_released: bool
    voltage_v: float
    error_bits: int


class Status3(NamedTuple):
    """Reply to READ_STATUS_3: phase currents."""

    temperature_degc: float
    phase_a_a: float
    phase_b_a: float
    phase_c_a: float


class MultiTurnAngle(NamedTuple):
    """Reply to READ_MULTI_TURN_ANGLE: the output shaft since its zero."""

    angle_deg: float


class TimedOut(NamedTuple):
    """The motor has switched itself off, because nobody spoke to it."""


class Acknowledged(NamedTuple):
    """Reply to any other command: for settings the value now set.

    Attributes:
        command: The command.
        value: Last four data bytes as an unsigned number.
    """

    command: int
    value: int


class MotionFeedback(NamedTuple):
    """Reply of the motion mode, at the output shaft. It says nothing about faults."""

    motor_id: int
    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float


Reply = Feedback | Status1 | Status3 | MultiTurnAngle | TimedOut | Acknowledged


def make_request(motor_id: int, command: Command) -> Frame:
    """A request without values: everything that reads, SHUTDOWN, STOP, brake, RESET, SET_POSITION_ZERO."""
    return _request(motor_id, bytes((command,)) + bytes(7))


def make_broadcast(command: Command) -> Frame:
    """A request without values to every motor whose id filter is off."""
    return Frame(BROADCAST_ID, bytes((command,)) + bytes(7))


def make_torque_current(motor_id: int, current_a: float) -> Frame:
    """Command a torque current. Energises.

    Raises:
        EncodeError: Not finite, or beyond ±327.67 A.
    """
    counts = _counts(current_a, CURRENT_A, 16, "current", "A")
    return _request(motor_id, struct.pack("<B3xhxx", Command.TORQUE_CURRENT, counts))


def make_speed(motor_id: int, speed_deg_per_s: float, torque_limit_percent: int = 0) -> Frame:
    """Command a speed. Energises.

    Args:
        motor_id: Who.
        speed_deg_per_s: Of the output shaft.
        torque_limit_percent: Of the rated current, in newer firmware; 0 for no limit.

    Raises:
        EncodeError: Not finite, or out of range.
    """
    if not 0 <= torque_limit_percent <= 255:
        raise EncodeError(f"torque limit {torque_limit_percent} %; allowed: 0 (none) to 255")
    counts = _counts(speed_deg_per_s, SPEED_DEG_PER_S, 32, "speed", "deg/s")
    return _request(motor_id, struct.pack("<BBxxi", Command.SPEED, torque_limit_percent, counts))


def make_position(
    motor_id: int, angle_deg: float, speed_limit_deg_per_s: int, *, is_incremental: bool = False
) -> Frame:
    """Command an angle of the output shaft since its zero, or by how much to turn. Energises.

    Raises:
        EncodeError: Not finite, or out of range.
    """
    command = Command.POSITION_INCREMENTAL if is_incremental else Command.POSITION_ABSOLUTE
    counts = _counts(angle_deg, ANGLE_DEG, 32, "angle", "deg")
    return _request(motor_id, struct.pack("<BxHi", command, _speed_limit(speed_limit_deg_per_s), counts))


def make_single_turn_position(
    motor_id: int, angle_deg: float, speed_limit_deg_per_s: int, *, is_counter_clockwise: bool = False
) -> Frame:
    """Command an angle within one turn, reached in the given sense of rotation. Energises.

    Raises:
        EncodeError: Not finite, or out of range.
    """
    if not 0.0 <= angle_deg < 360.0:
        raise EncodeError(f"angle {angle_deg} deg; allowed: 0 to below 360")
    head = (Command.POSITION_SINGLE_TURN, is_counter_clockwise, _speed_limit(speed_limit_deg_per_s))
    return _request(motor_id, struct.pack("<BBHHxx", *head, round(angle_deg / ANGLE_DEG)))


def make_set_acceleration(motor_id: int, acceleration_deg_per_s2: int, index: int) -> Frame:
    """Set one of the accelerations of the motor's own planner. Writes flash.

    Raises:
        EncodeError: No such index, or out of range.
    """
    if index not in ACCELERATION_INDICES:
        raise EncodeError(f"acceleration index {index}; allowed: {', '.join(map(str, ACCELERATION_INDICES))}")
    counts = _unsigned(acceleration_deg_per_s2, 32, "acceleration", "deg/s²")
    return _request(motor_id, struct.pack("<BBxxI", Command.SET_ACCELERATION, index, counts))


def make_set_timeout(motor_id: int, timeout_s: float) -> Frame:
    """Set after how long a silence the motor switches itself off; 0 s for never. Writes flash.

    Raises:
        EncodeError: See `timeout_counts`.
    """
    return _request(motor_id, struct.pack("<B3xI", Command.SET_TIMEOUT, timeout_counts(timeout_s)))


def timeout_counts(timeout_s: float) -> int:
    """A duration in the milliseconds of SET_TIMEOUT; 0 s switches the timeout off.

    Raises:
        EncodeError: Negative, not finite, too long, or so short that it would silently become 0, "off".
    """
    if not math.isfinite(timeout_s) or timeout_s < 0.0:
        raise EncodeError(f"command timeout {timeout_s} s; allowed: 0 (off) or a positive duration")
    # Half a millionth of a count: 0.3 s is 299.99999999999994 ms in binary.
    counts = int(timeout_s * 1e3 + 5e-7)
    if counts == 0 and timeout_s > 0.0:
        raise EncodeError(f"command timeout {timeout_s} s would be stored as 0, which is off; at least 1 ms")
    return _unsigned(counts, 32, "command timeout", "ms")


def make_motion_command(motor_id: int, model: MotorModel, values: Sequence[float]) -> Frame:
    """One command of the motion mode. Energises.

    Args:
        motor_id: Who.
        model: Wire ranges of the motor.
        values: Position (rad), velocity (rad/s), kp (N·m/rad), kd (N·m·s/rad), torque (N·m); motor frame.

    Raises:
        EncodeError: A value is not finite, or outside the motor's range.
    """
    return Frame(MOTION_BASE + _checked(motor_id), encode_mit(model, values))


def sender(frame: Frame) -> tuple[ReplyKind, int] | None:
    """Which motor sent a frame, and in which of its two voices; None when no motor of this make did."""
    if frame.is_extended or frame.is_fd or len(frame.data) != 8:
        return None
    for kind, base in ((ReplyKind.COMMAND, REPLY_BASE), (ReplyKind.MOTION, MOTION_REPLY_BASE)):
        motor_id = frame.arbitration_id - base
        if ID_RANGE[0] <= motor_id <= ID_RANGE[1]:
            # The motion mode says its id again in the data: an echo of a command usually does not.
            return None if kind is ReplyKind.MOTION and frame.data[0] != motor_id else (kind, motor_id)
    return None


def is_echo(request: bytes, reply: bytes) -> bool:
    """Whether a motor only repeated what it was told: its way of answering the first command after a timeout.

    Settings and requests without values are always answered that way.
    """
    return reply == request


def decode_reply(data: bytes) -> Reply:
    """Decode the 8 data bytes of a motor's reply on its command id.

    Raises:
        FrameError: Wrong length, or a first byte that begins no reply.
    """
    if len(data) != 8:
        raise FrameError(f"{len(data)} data bytes where a reply has 8")
    first = data[0]
    if first in FEEDBACK_COMMANDS:
        _, degc, current, speed, angle = _FEEDBACK.unpack(data)
        return Feedback(first, float(degc), current * CURRENT_A, float(speed), float(angle))
    if first == Command.READ_STATUS_1:
        _, degc, brake, voltage, errors = _STATUS_1.unpack(data)
        return Status1(float(degc), brake != 0, voltage * VOLTAGE_V, errors)
    if first == Command.READ_STATUS_3:
        _, degc, *phases = _FEEDBACK.unpack(data)
        return Status3(float(degc), *(phase * CURRENT_A for phase in phases))
    if first == Command.READ_MULTI_TURN_ANGLE:
        return MultiTurnAngle(_LAST_WORD.unpack(data)[0] * ANGLE_DEG)
    if first == TIMED_OUT:
        return TimedOut()
    if first in _COMMANDS:
        return Acknowledged(first, int.from_bytes(data[4:], "little"))
    raise FrameError(f"0x{first:02X} begins no reply")


def decode_motion_feedback(data: bytes, model: MotorModel) -> MotionFeedback:
    """Decode one reply of the motion mode.

    Raises:
        FrameError: Wrong length.
    """
    if len(data) != 8:
        raise FrameError(f"{len(data)} data bytes where motion feedback has 8")
    word = int.from_bytes(data, "big")
    return MotionFeedback(
        motor_id=data[0],
        position_rad=_scale(word >> 40 & TOP_16, TOP_16, model.position_max_rad),
        velocity_rad_per_s=_scale(word >> 28 & TOP_12, TOP_12, model.velocity_max_rad_per_s),
        torque_nm=_scale(word >> 16 & TOP_12, TOP_12, model.torque_max_nm),
    )


def error_names(error_bits: int) -> tuple[str, ...]:
    """Names of the errors in the error word of status 1, lowest bit first; unnamed bits by their number."""
    bits = (1 << place for place in range(16) if error_bits >> place & 1)
    return tuple(ERRORS.get(bit, f"ERROR_0x{bit:04X}") for bit in bits)


def _scale(count: int, top: int, high: float) -> float:
    return count * (2.0 * high / top) - high


def _checked(motor_id: int) -> int:
    if not ID_RANGE[0] <= motor_id <= ID_RANGE[1]:
        raise EncodeError(f"motor id {motor_id}; allowed: {ID_RANGE[0]} to {ID_RANGE[1]}")
    return motor_id


def _request(motor_id: int, data: bytes) -> Frame:
    return Frame(REQUEST_BASE + _checked(motor_id), data)


def _counts(value: float, count: float, bits: int, what: str, unit: str) -> int:
    """The nearest signed count; the scales are decimal, so that truncating would lose one now and then."""
    top = (1 << (bits - 1)) - 1
    counts = round(value / count) if math.isfinite(value) else top + 1
    if not -top - 1 <= counts <= top:
        raise EncodeError(f"{what} {value} {unit}; allowed: ±{top * count:.10g}")
    return counts


def _unsigned(value: int, bits: int, what: str, unit: str) -> int:
    if not 0 <= value < 1 << bits:
        raise EncodeError(f"{what} {value} {unit}; allowed: 0 to {(1 << bits) - 1}")
    return value


def _speed_limit(speed_deg_per_s: int) -> int:
    return _unsigned(speed_deg_per_s, 16, "speed limit", "deg/s")
