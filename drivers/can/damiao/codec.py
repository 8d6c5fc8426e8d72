"""Damiao messages: pure functions between values and bytes; `batch` does the same for all motors at once.

Encoding raises `EncodeError` on NaN, infinity and out of range: clamping is the gate's job, and is counted there.
Scaling truncates towards zero, as the vendor's own code does.

Source: `damiao-motor` 1.0.6 and `enactic/openarm_can` 98666042b5, run against each other; DM-J user manuals.
"""

from __future__ import annotations

import math
import struct
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.damiao.tables import (
    BROADCAST_ID,
    REGISTER_NAMES,
    REGISTER_TIMEOUT,
    STATUS_NAMES,
    TIMEOUT_COUNT_S,
    UINT32_REGISTERS,
)
from drivers.can.impedance import MIT_DISABLE, MIT_ENABLE, MIT_SET_ZERO, TOP_12, TOP_16
from drivers.can.timeouts import count_timeout
from drivers.devices import MotorModel
from supervisor.core.errors import EncodeError, FrameError

ENABLE: Final = MIT_ENABLE
DISABLE: Final = MIT_DISABLE
SET_ZERO: Final = MIT_SET_ZERO
CLEAR_ERROR: Final = bytes.fromhex("fffffffffffffffb")

READ: Final = 0x33
WRITE: Final = 0x55
STORE: Final = 0xAA
POLL: Final = 0xCC
OPERATIONS: Final = {READ: "read", WRITE: "write", STORE: "store"}


class MotorFeedback(NamedTuple):
    """One decoded feedback frame, at the motor's output shaft.

    Attributes:
        motor_id_low4: Low four bits of the motor's id; ids above 15 alias.
        status_code: Status nibble.
        position_rad, velocity_rad_per_s, torque_nm: Motor frame.
        mosfet_degc, rotor_degc: Temperatures.
    """

    motor_id_low4: int
    status_code: int
    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float
    mosfet_degc: float
    rotor_degc: float


class RegisterReply(NamedTuple):
    """One decoded register reply.

    Attributes:
        motor_id: The id the motor listens to.
        operation: READ, WRITE or STORE.
        register: Register number.
        value: An int for integer registers, else a float.
    """

    motor_id: int
    operation: int
    register: int
    value: int | float


def encode_position_velocity(position_rad: float, velocity_limit_rad_per_s: float) -> bytes:
    """Data of a position-velocity command (arbitration id 0x100 + motor id).

    Raises:
        EncodeError: A value is not finite, or too large for a float32.
    """
    return _float32(position_rad) + _float32(velocity_limit_rad_per_s)


def encode_velocity(velocity_rad_per_s: float) -> bytes:
    """Data of a velocity command (arbitration id 0x200 + motor id), padded to 8 bytes as the vendor does.

    Raises:
        EncodeError: The value is not finite, or too large for a float32.
    """
    return _float32(velocity_rad_per_s) + bytes(4)


def encode_force_position(position_rad: float, velocity_limit_rad_per_s: float, current_per_unit: float) -> bytes:
    """Data of a force-position command (arbitration id 0x300 + motor id).

    Args:
        position_rad: Target position.
        velocity_limit_rad_per_s: 0 to 100.
        current_per_unit: Current limit as a share of the motor's largest current, 0 to 1.

    Raises:
        EncodeError: A value is not finite, or out of range.
    """
    if not 0.0 <= velocity_limit_rad_per_s <= 100.0:
        raise EncodeError(f"velocity limit {velocity_limit_rad_per_s} rad/s outside 0 to 100")
    if not 0.0 <= current_per_unit <= 1.0:
        raise EncodeError(f"current limit {current_per_unit} per unit outside 0 to 1")
    limits = struct.pack("<HH", int(velocity_limit_rad_per_s * 100.0), int(current_per_unit * 10_000.0))
    return _float32(position_rad) + limits


def make_poll(motor_id: int) -> Frame:
    """Ask for one feedback frame; moves nothing, energises nothing."""
    return _broadcast(motor_id, POLL, 0, bytes(4))


def make_register_read(motor_id: int, register: int) -> Frame:
    """Ask for a register's value."""
    return _broadcast(motor_id, READ, register, bytes(4))


def make_register_write(motor_id: int, register: int, value: float) -> Frame:
    """Set a register in RAM; the motor echoes it. Verify by reading back.

    Raises:
        EncodeError: The value does not fit the register's type.
    """
    if register not in UINT32_REGISTERS:
        return _broadcast(motor_id, WRITE, register, _float32(value))
    if not 0 <= value <= 0xFFFFFFFF or value != int(value):
        name = REGISTER_NAMES.get(register, str(register))
        raise EncodeError(f"register {name} holds a whole number from 0 to 4294967295, not {value}")
    return _broadcast(motor_id, WRITE, register, int(value).to_bytes(4, "little"))


def make_store(motor_id: int) -> Frame:
    """Store all registers to flash: only while disabled, never in a loop."""
    return _broadcast(motor_id, STORE, 1, bytes(4))


def timeout_counts(timeout_s: float) -> int:
    """The TIMEOUT register's value for a duration. See `drivers.can.timeouts`."""
    return count_timeout(timeout_s, TIMEOUT_COUNT_S)


def make_set_timeout(motor_id: int, timeout_s: float) -> Frame:
    """Set the time after which an enabled motor without commands switches itself off.

    Raises:
        EncodeError: See `timeout_counts`.
    """
    return make_register_write(motor_id, REGISTER_TIMEOUT, timeout_counts(timeout_s))


def decode_feedback(data: bytes, model: MotorModel) -> MotorFeedback:
    """Decode one feedback frame.

    Args:
        data: 8 data bytes of a frame that arrived on the motor's feedback id.
        model: Wire ranges of the motor.

    Raises:
        FrameError: Wrong length.
    """
    if len(data) != 8:
        raise FrameError(f"{len(data)} data bytes where a feedback frame has 8")
    word = int.from_bytes(data, "big")
    return MotorFeedback(
        motor_id_low4=(word >> 56) & 0xF,
        status_code=word >> 60,
        position_rad=_scale((word >> 40) & TOP_16, TOP_16, model.position_max_rad),
        velocity_rad_per_s=_scale((word >> 28) & TOP_12, TOP_12, model.velocity_max_rad_per_s),
        torque_nm=_scale((word >> 16) & TOP_12, TOP_12, model.torque_max_nm),
        mosfet_degc=float((word >> 8) & 0xFF),
        rotor_degc=float(word & 0xFF),
    )


def decode_register_reply(data: bytes) -> RegisterReply:
    """Decode one register reply. A feedback frame may look like one: see `match_register_reply`.

    Raises:
        FrameError: Wrong length, or not a register operation.
    """
    if len(data) != 8:
        raise FrameError(f"{len(data)} data bytes where a register reply has 8")
    if data[2] not in OPERATIONS:
        raise FrameError(f"operation 0x{data[2]:02X} is not a register reply")
    register = data[3]
    layout = "<I" if register in UINT32_REGISTERS else "<f"
    return RegisterReply(data[0] | data[1] << 8, data[2], register, struct.unpack_from(layout, data, 4)[0])


def match_register_reply(data: bytes, motor_id: int, operation: int, register: int) -> RegisterReply | None:
    """The register reply that an outstanding request waits for, or None when these bytes are something else."""
    if len(data) != 8 or data[:4] != bytes((motor_id & 0xFF, motor_id >> 8, operation, register)):
        return None
    return decode_register_reply(data)


def status_name(code: int) -> str:
    """The vendor's name of a status nibble."""
    return STATUS_NAMES.get(code, f"STATUS_{code}")


def _scale(count: int, top: int, high: float) -> float:
    """A wire count as a value between -high and high."""
    return count * (2.0 * high / top) - high


def _float32(value: float) -> bytes:
    if not math.isfinite(value):
        raise EncodeError(f"{value} is not a finite number")
    try:
        return struct.pack("<f", value)
    except OverflowError:
        raise EncodeError(f"{value} does not fit a float32") from None


def _broadcast(motor_id: int, operation: int, register: int, value: bytes) -> Frame:
    if not 0 <= motor_id <= BROADCAST_ID or not 0 <= register <= 0xFF:
        raise EncodeError(f"motor id {motor_id}, register {register}; allowed: 0 to 2047, 0 to 255")
    return Frame(BROADCAST_ID, bytes((motor_id & 0xFF, motor_id >> 8, operation, register)) + value)
