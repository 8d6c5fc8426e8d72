"""Messages of RobStride's private protocol: pure functions between values and frames.

CyberGear motors speak the same messages; what differs is in their tables. The 29 bits of an identifier are type (5),
16 bits of data, and whom the frame is for (8). In replies the lower data byte is the motor, and the host is the target.

Encoding raises `EncodeError` on NaN, infinity and out of range: clamping is the gate's job, and is counted there.

Source: `RobStride/SampleProgram` (run), user manuals of 2026-04-28, `robstride` 0.1.0 and `robstride-dynamics` 0.0.1.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.impedance import TOP_16, Counts, command_counts
from drivers.can.robstride.tables import (
    CAN_TIMEOUT,
    HOST_ID,
    MODE_NAMES,
    RUN_MODE,
    TIMEOUT_COUNT_S,
    Parameter,
    ParameterKind,
)
from drivers.can.timeouts import count_timeout
from drivers.devices import MotorModel
from supervisor.core.errors import EncodeError, FrameError

TYPE_GET_ID: Final = 0
TYPE_OPERATION: Final = 1
TYPE_FEEDBACK: Final = 2
TYPE_ENABLE: Final = 3
TYPE_STOP: Final = 4
TYPE_SET_ZERO: Final = 6
TYPE_SET_CAN_ID: Final = 7
TYPE_READ: Final = 17
TYPE_WRITE: Final = 18
TYPE_FAULT_REPORT: Final = 21
TYPE_SAVE: Final = 22
TYPE_SET_BITRATE: Final = 23
TYPE_ACTIVE_REPORT: Final = 24
TYPE_SET_PROTOCOL: Final = 25

COMMAND_TYPES: Final = frozenset({*range(1, 8), *range(18, 26)} - {TYPE_FEEDBACK, TYPE_FAULT_REPORT})
"""Types that a host sends and that change something in a motor."""

OPERATION_TOPS: Final[Counts] = (TOP_16, TOP_16, TOP_16, TOP_16, TOP_16)
OPERATION_SHIFTS: Final = (48, 32, 16, 0)
"""Places of position, velocity, kp and kd in the data of an operation frame; torque is in its identifier."""

DEVICE_ID_TARGET: Final = 0xFE
"""Target of a reply that tells who a motor is."""

_LAYOUTS: Final[dict[ParameterKind, str]] = {
    "uint8": "<B3x",
    "uint16": "<H2x",
    "uint32": "<I",
    "int16": "<h2x",
    "float32": "<f",
}
_NOTHING: Final = bytes(8)
_FIRST_ONE: Final = b"\x01" + bytes(7)
_VERSION_REQUEST: Final = b"\x00\xc4" + bytes(6)
VERSION_REPLY: Final = b"\x00\xc4\x56"
"""First bytes of an answer with the firmware's version, which otherwise looks like feedback."""


class MotorFeedback(NamedTuple):
    """One decoded feedback frame, at the motor's output shaft.

    Attributes:
        motor_id, host_id: Who sent it to whom.
        mode_code: 0 reset, which is off; 1 calibration; 2 run.
        fault_bits: Six bits.
        position_rad, velocity_rad_per_s, torque_nm: Motor frame.
        temperature_degc: Of the winding.
    """

    motor_id: int
    host_id: int
    mode_code: int
    fault_bits: int
    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float
    temperature_degc: float


class ParameterReply(NamedTuple):
    """One decoded answer to a parameter read.

    Attributes:
        motor_id, host_id: Who sent it to whom.
        parameter_index: Which parameter.
        is_success: False when the motor does not have it; the value means nothing then.
        raw_value: Four bytes; see `parameter_value`.
    """

    motor_id: int
    host_id: int
    parameter_index: int
    is_success: bool
    raw_value: bytes


class FaultReport(NamedTuple):
    """One decoded fault report.

    Attributes:
        motor_id, host_id: Who sent it to whom.
        faults, warnings: 32 bits each.
    """

    motor_id: int
    host_id: int
    faults: int
    warnings: int


class DeviceId(NamedTuple):
    """Who a motor is.

    Attributes:
        motor_id: The id it listens to.
        unique_id: Eight bytes, different in every motor ever made.
    """

    motor_id: int
    unique_id: bytes


def make_operation(model: MotorModel, motor_id: int, values: Sequence[float]) -> Frame:
    """Encode one impedance command.

    Args:
        model: Wire ranges of the motor.
        motor_id: Whom it is for.
        values: Position (rad), velocity (rad/s), kp (N·m/rad), kd (N·m·s/rad), torque (N·m); motor frame.

    Raises:
        EncodeError: A value is not finite, or outside the motor's range.
    """
    position, velocity, kp, kd, torque = command_counts(model, values, OPERATION_TOPS)
    return _frame(TYPE_OPERATION, torque, motor_id, struct.pack(">HHHH", position, velocity, kp, kd))


def make_enable(motor_id: int, host_id: int = HOST_ID) -> Frame:
    """Switch a motor on."""
    return make_frame(TYPE_ENABLE, host_id, motor_id, _NOTHING)


def make_stop(motor_id: int, host_id: int = HOST_ID, *, clear_fault: bool = False) -> Frame:
    """Switch a motor off, and clear its latched faults if asked. It answers with feedback even when already off."""
    return make_frame(TYPE_STOP, host_id, motor_id, _FIRST_ONE if clear_fault else _NOTHING)


def make_set_zero(motor_id: int, host_id: int = HOST_ID) -> Frame:
    """Make the present position the zero: only while off."""
    return make_frame(TYPE_SET_ZERO, host_id, motor_id, _FIRST_ONE)


def make_get_id(motor_id: int, host_id: int = HOST_ID) -> Frame:
    """Ask for a motor's unique id."""
    return make_frame(TYPE_GET_ID, host_id, motor_id, _NOTHING)


def make_version_request(motor_id: int, host_id: int = HOST_ID) -> Frame:
    """Ask for the firmware's version. It switches the motor off, too."""
    return make_frame(TYPE_STOP, host_id, motor_id, _VERSION_REQUEST)


def make_parameter_read(motor_id: int, index: int, host_id: int = HOST_ID) -> Frame:
    """Ask for a parameter's value."""
    return make_frame(TYPE_READ, host_id, motor_id, _index(index) + bytes(6))


def make_parameter_write(motor_id: int, index: int, kind: ParameterKind, value: float, host_id: int = HOST_ID) -> Frame:
    """Set a parameter in RAM. Verify by reading back.

    Raises:
        EncodeError: The value does not fit.
    """
    if kind != "float32" and not (math.isfinite(value) and value == int(value)):
        raise EncodeError(f"parameter 0x{index:04X} holds a whole number, not {value}")
    try:
        raw = struct.pack(_LAYOUTS[kind], value if kind == "float32" else int(value))
    except (struct.error, OverflowError):
        raise EncodeError(f"{value} does not fit parameter 0x{index:04X}, a {kind}") from None
    if kind == "float32" and not math.isfinite(value):
        raise EncodeError(f"{value} is not a number that parameter 0x{index:04X} may hold")
    return make_frame(TYPE_WRITE, host_id, motor_id, _index(index) + bytes(2) + raw)


def make_write(motor_id: int, parameter: Parameter, value: float, host_id: int = HOST_ID) -> Frame:
    """Set a parameter of the table in RAM. See `make_parameter_write`."""
    return make_parameter_write(motor_id, parameter.index, parameter.kind, value, host_id)


def make_set_run_mode(motor_id: int, mode: int, host_id: int = HOST_ID) -> Frame:
    """Choose the control mode: only while off."""
    return make_write(motor_id, RUN_MODE, mode, host_id)


def timeout_counts(timeout_s: float) -> int:
    """The canTimeout parameter's value for a duration. See `drivers.can.timeouts`."""
    return count_timeout(timeout_s, TIMEOUT_COUNT_S)


def make_set_timeout(motor_id: int, timeout_s: float, host_id: int = HOST_ID) -> Frame:
    """Set the time after which a running motor without commands switches itself off. RobStride only.

    Raises:
        EncodeError: See `timeout_counts`.
    """
    return make_write(motor_id, CAN_TIMEOUT, timeout_counts(timeout_s), host_id)


def decode_feedback(frame: Frame, model: MotorModel) -> MotorFeedback:
    """Decode one feedback frame, asked for (type 2) or not (type 24).

    Raises:
        FrameError: Not a feedback frame.
    """
    _check(frame, (TYPE_FEEDBACK, TYPE_ACTIVE_REPORT), "feedback")
    if is_version_reply(frame.data):
        raise FrameError("this is the firmware's version and not feedback")
    position, velocity, torque, temperature = struct.unpack(">HHHH", frame.data)
    identifier = frame.arbitration_id
    return MotorFeedback(
        motor_id=identifier >> 8 & 0xFF,
        host_id=identifier & 0xFF,
        mode_code=identifier >> 22 & 0b11,
        fault_bits=identifier >> 16 & 0x3F,
        position_rad=_scale(position, model.position_max_rad),
        velocity_rad_per_s=_scale(velocity, model.velocity_max_rad_per_s),
        torque_nm=_scale(torque, model.torque_max_nm),
        temperature_degc=temperature * 0.1,
    )


def decode_parameter_reply(frame: Frame) -> ParameterReply:
    """Decode the answer to a parameter read.

    Raises:
        FrameError: Not such an answer.
    """
    _check(frame, (TYPE_READ,), "a parameter")
    identifier, data = frame.arbitration_id, frame.data
    return ParameterReply(
        identifier >> 8 & 0xFF, identifier & 0xFF, data[0] | data[1] << 8, not identifier >> 16 & 0xFF, data[4:]
    )


def parameter_value(raw_value: bytes, kind: ParameterKind) -> int | float:
    """Four value bytes as a number: a float for float32, else an int."""
    return struct.unpack(_LAYOUTS[kind], raw_value)[0]


def decode_fault_report(frame: Frame) -> FaultReport:
    """Decode a fault report.

    Raises:
        FrameError: Not a fault report.
    """
    _check(frame, (TYPE_FAULT_REPORT,), "a fault report")
    faults, warnings = struct.unpack("<II", frame.data)
    return FaultReport(frame.arbitration_id >> 8 & 0xFF, frame.arbitration_id & 0xFF, faults, warnings)


def decode_device_id(frame: Frame) -> DeviceId:
    """Decode the answer of a motor that was asked who it is.

    Raises:
        FrameError: Not such an answer.
    """
    _check(frame, (TYPE_GET_ID,), "a device id")
    if frame.arbitration_id & 0xFF != DEVICE_ID_TARGET:
        raise FrameError(f"a device id goes to 0x{DEVICE_ID_TARGET:02X}, this frame is somebody's request")
    return DeviceId(frame.arbitration_id >> 8 & 0xFF, bytes(frame.data))


def is_version_reply(data: bytes) -> bool:
    """Whether what looks like feedback is the firmware's version. No motor turns at that speed at that place."""
    return data.startswith(VERSION_REPLY)


def mode_name(code: int) -> str:
    """The vendor's name of a mode."""
    return MODE_NAMES.get(code, f"MODE_{code}")


def _check(frame: Frame, types: tuple[int, ...], what: str) -> None:
    if not frame.is_extended or frame.arbitration_id >> 24 not in types:
        raise FrameError(f"identifier 0x{frame.arbitration_id:X} does not carry {what}")
    if len(frame.data) != 8:
        raise FrameError(f"{len(frame.data)} data bytes where {what} has 8")


def _scale(count: int, high: float) -> float:
    """A wire count as a value between -high and high."""
    return count * (2.0 * high / TOP_16) - high


def make_frame(kind: int, host_id: int, motor_id: int, payload: bytes) -> Frame:
    """A frame from a host to a motor.

    Raises:
        EncodeError: An id that does not fit its byte.
    """
    return _frame(kind, check_byte(host_id, "host id"), motor_id, payload)


def _frame(kind: int, data: int, motor_id: int, payload: bytes) -> Frame:
    return Frame(kind << 24 | data << 8 | check_byte(motor_id, "motor id"), payload, is_extended=True)


def _index(index: int) -> bytes:
    if not 0 <= index <= TOP_16:
        raise EncodeError(f"parameter index {index}; allowed: 0 to 65535")
    return index.to_bytes(2, "little")


def check_byte(value: int, what: str) -> int:
    """A number that fits one byte of an identifier.

    Raises:
        EncodeError: It does not.
    """
    if not 0 <= value <= 0xFF:
        raise EncodeError(f"{what} {value}; allowed: 0 to 255")
    return value
