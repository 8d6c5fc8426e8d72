"""CubeMars AK messages: pure functions between values and frames. MIT commands are those of `drivers.can.impedance`.

Encoding raises `EncodeError` on NaN, infinity and out of range: clamping is the gate's job, and is counted there.
Servo mode and V3 commands use 29-bit identifiers with the mode in bits 15:8, and big-endian integers.

Source: AK actuator driver manual V1.0.8; `TMotorCANControl` 1.2.6, `epicallypowerful` 1.0.7 and
`wangykev/v3-v2_terminal_control`, run against each other.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.cubemars.tables import ERROR_NAMES
from drivers.can.impedance import MIT_DISABLE, MIT_ENABLE, MIT_SET_ZERO, TOP_12, TOP_16, Counts, encode_mit
from drivers.devices import MotorModel
from supervisor.core.errors import EncodeError, FrameError

ENTER_MOTOR_MODE: Final = MIT_ENABLE
EXIT_MOTOR_MODE: Final = MIT_DISABLE
SET_ZERO: Final = MIT_SET_ZERO

V3_SHIFTS: Final[Counts] = (24, 12, 52, 40, 0)
"""Places of position, velocity, kp, kd and torque in a V3 command: gains first."""

MODE_DUTY, MODE_CURRENT, MODE_BRAKE, MODE_VELOCITY, MODE_POSITION, MODE_ORIGIN, MODE_POSITION_VELOCITY = range(7)
MODE_FORCE_CONTROL: Final = 8
STATUS_ID: Final = 0x2900
"""Identifier of a servo status frame, without the motor's id."""

ORIGIN_TEMPORARY, ORIGIN_PERMANENT, ORIGIN_DEFAULT = range(3)


class MotorFeedback(NamedTuple):
    """One decoded MIT feedback frame, at the motor's output shaft.

    Attributes:
        motor_id: Who sent it.
        position_rad, velocity_rad_per_s, torque_nm: Motor frame.
        temperature_degc: NaN in the short frame of old firmware.
        error_code: 0 for none, and in the short frame.
    """

    motor_id: int
    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float
    temperature_degc: float
    error_code: int


class ServoFeedback(NamedTuple):
    """One decoded servo status frame.

    Attributes:
        motor_id: Who sent it.
        position_deg: Output shaft.
        velocity_erpm: Electrical speed: output rpm x gear ratio x pole pairs.
        current_a: Motor current.
        temperature_degc: Of the driver board.
        error_code: 0 for none.
    """

    motor_id: int
    position_deg: float
    velocity_erpm: float
    current_a: float
    temperature_degc: float
    error_code: int


def make_v3_command(model: MotorModel, motor_id: int, values: Sequence[float]) -> Frame:
    """Encode one impedance command of V3 firmware. See `encode_mit`."""
    return _servo(MODE_FORCE_CONTROL, motor_id, encode_mit(model, values, V3_SHIFTS))


def make_duty(motor_id: int, duty_per_unit: float) -> Frame:
    """Set the duty cycle, -1 to 1."""
    return _servo(MODE_DUTY, motor_id, _int32(duty_per_unit, 1e5, 1.0, "duty", "per unit"))


def make_current(motor_id: int, current_a: float, limit_a: float = 60.0) -> Frame:
    """Set the motor current."""
    return _servo(MODE_CURRENT, motor_id, _int32(current_a, 1e3, limit_a, "current", "A"))


def make_brake(motor_id: int, current_a: float, limit_a: float = 60.0) -> Frame:
    """Brake with a current, which is never negative."""
    if not current_a >= 0.0:
        raise EncodeError(f"brake current {current_a} A; allowed: 0 to {limit_a:g}")
    return _servo(MODE_BRAKE, motor_id, _int32(current_a, 1e3, limit_a, "brake current", "A"))


def make_velocity(motor_id: int, velocity_erpm: float, limit_erpm: float = 100_000.0) -> Frame:
    """Set the electrical speed."""
    return _servo(MODE_VELOCITY, motor_id, _int32(velocity_erpm, 1.0, limit_erpm, "velocity", "ERPM"))


def make_position(motor_id: int, position_deg: float, limit_deg: float = 36_000.0) -> Frame:
    """Go to a position, as fast as the motor can."""
    return _servo(MODE_POSITION, motor_id, _int32(position_deg, 1e4, limit_deg, "position", "deg"))


def make_set_origin(motor_id: int, origin: int) -> Frame:
    """Make the present position the zero: temporarily (0), permanently (1), or restore the default (2)."""
    if origin not in (ORIGIN_TEMPORARY, ORIGIN_PERMANENT, ORIGIN_DEFAULT):
        raise EncodeError(f"origin {origin}; allowed: 0 to 2")
    return _servo(MODE_ORIGIN, motor_id, bytes((origin,)))


def make_position_velocity(
    motor_id: int, position_deg: float, velocity_erpm: float, acceleration_erpm_per_s: float
) -> Frame:
    """Go to a position with a largest speed and acceleration.

    Raises:
        EncodeError: A value is not finite, or does not fit.
    """
    data = _int32(position_deg, 1e4, 36_000.0, "position", "deg")
    for value, what, unit in ((velocity_erpm, "velocity", "ERPM"), (acceleration_erpm_per_s, "acceleration", "ERPM/s")):
        # In tens, in 16 bits.
        if not -327_680.0 <= value <= 327_670.0:
            raise EncodeError(f"{what} {value} {unit}; allowed: -327680 to 327670")
        data += struct.pack(">h", int(value / 10.0))
    return _servo(MODE_POSITION_VELOCITY, motor_id, data)


def decode_mit_feedback(data: bytes, model: MotorModel) -> MotorFeedback:
    """Decode one MIT feedback frame.

    Args:
        data: 6 or 8 data bytes of a frame that arrived on the master's id; which motor sent it is in the first.
        model: Wire ranges of the motor.

    Raises:
        FrameError: Wrong length.
    """
    if len(data) not in (6, 8):
        raise FrameError(f"{len(data)} data bytes where a feedback frame has 6 or 8")
    word = int.from_bytes(data[:6], "big")
    is_long = len(data) == 8
    return MotorFeedback(
        motor_id=data[0],
        position_rad=_scale(word >> 24 & TOP_16, TOP_16, model.position_max_rad),
        velocity_rad_per_s=_scale(word >> 12 & TOP_12, TOP_12, model.velocity_max_rad_per_s),
        torque_nm=_scale(word & TOP_12, TOP_12, model.torque_max_nm),
        temperature_degc=float(_int8(data[6])) if is_long else math.nan,
        error_code=data[7] if is_long else 0,
    )


def decode_servo_feedback(frame: Frame) -> ServoFeedback:
    """Decode one servo status frame.

    Raises:
        FrameError: Not a servo status frame.
    """
    if not frame.is_extended or frame.arbitration_id & ~0xFF != STATUS_ID:
        raise FrameError(f"identifier 0x{frame.arbitration_id:X} is not a servo status")
    if len(frame.data) != 8:
        raise FrameError(f"{len(frame.data)} data bytes where a servo status has 8")
    position, velocity, current, temperature, error = struct.unpack(">hhhbB", frame.data)
    return ServoFeedback(
        frame.arbitration_id & 0xFF, position * 0.1, velocity * 10.0, current * 0.01, float(temperature), error
    )


def error_name(code: int) -> str:
    """The vendor's name of an error code."""
    return ERROR_NAMES.get(code, f"ERROR_{code}")


def _int8(byte: int) -> int:
    return byte - 0x100 if byte & 0x80 else byte


def _int32(value: float, counts_per_unit: float, limit: float, what: str, unit: str) -> bytes:
    if not -limit <= value <= limit:
        raise EncodeError(f"{what} {value} {unit}; allowed: {-limit:g} to {limit:g}")
    # Rounded before it is cut: 0.29 x 1e5 is 28999.999999999996 in binary.
    counts = int(round(value * counts_per_unit, 6))
    if not -(1 << 31) <= counts < 1 << 31:
        raise EncodeError(f"{what} {value} {unit} does not fit 32 bits")
    return struct.pack(">i", counts)


def _servo(mode: int, motor_id: int, data: bytes) -> Frame:
    if not 0 <= motor_id <= 0xFF:
        raise EncodeError(f"motor id {motor_id}; allowed: 0 to 255")
    return Frame(mode << 8 | motor_id, data, is_extended=True)


def _scale(count: int, top: int, high: float) -> float:
    """A wire count as a value between -high and high."""
    return count * (2.0 * high / top) - high
