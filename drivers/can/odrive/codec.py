"""ODrive CANSimple messages: pure functions between values and bytes.

Encoding raises `EncodeError` on NaN, infinity and out of range: clamping is the gate's job, and is counted there. (The
vendor's own code lets the feed-forward fields overflow to the opposite sign.) Positions are in turns, as on the wire.

Devices send by themselves at the rates that they were configured to. What they do not send by themselves is asked for
with a remote frame, which some adapters swallow, or with an empty data frame, as here: in the rare case that both speak
at once the bus repeats them.

Source: see `tables`.
"""

from __future__ import annotations

import math
import struct
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.odrive.tables import (
    ERRORS,
    FEEDFORWARD,
    FEEDFORWARD_MAX,
    NODE_ID_RANGE,
    REPORTS,
    UNADDRESSED_NODE_ID,
    AxisState,
    ControlMode,
    InputMode,
    Message,
    RebootAction,
)
from supervisor.core.errors import EncodeError, FrameError

_TWO_FLOATS: Final = struct.Struct("<ff")
_HEARTBEAT: Final = struct.Struct("<IBBBx")
_SDO_HEAD: Final = struct.Struct("<BHx")
_SDO_READ, _SDO_WRITE = 0, 1


class Version(NamedTuple):
    """What device it is."""

    protocol: int
    hardware: tuple[int, int, int]
    firmware: tuple[int, int, int]
    is_unreleased: bool


class Heartbeat(NamedTuple):
    """Sent by itself, every 100 ms unless configured otherwise.

    Attributes:
        axis_error: Active errors.
        axis_state: See `AxisState`; a number that this firmware does not have stays a number.
        procedure_result: How the last procedure (a calibration, say) ended; 0 for well.
        is_trajectory_done: Only means something in trapezoidal trajectory mode.
    """

    axis_error: int
    axis_state: int
    procedure_result: int
    is_trajectory_done: bool


class Errors(NamedTuple):
    """Error bits, active now and when the axis was disarmed."""

    active: int
    disarm_reason: int


class Address(NamedTuple):
    """A device's answer to who has which node id."""

    node_id: int
    serial_number: int
    connection_id: int


class SdoReply(NamedTuple):
    """Value of one endpoint; which number is which depends on the firmware."""

    endpoint: int
    value: bytes


class EncoderEstimates(NamedTuple):
    """Of the configured output."""

    position_rev: float
    velocity_rev_per_s: float


class Currents(NamedTuple):
    """Torque-producing current."""

    setpoint_a: float
    measured_a: float


class Temperatures(NamedTuple):
    """NaN where no sensor is fitted."""

    inverter_degc: float
    motor_degc: float


class Supply(NamedTuple):
    """DC supply."""

    voltage_v: float
    current_a: float


class Torques(NamedTuple):
    """Of the configured output."""

    target_nm: float
    estimate_nm: float


class Powers(NamedTuple):
    """Into the motor, and out of its shaft."""

    electrical_w: float
    mechanical_w: float


Report = (
    Version
    | Heartbeat
    | Errors
    | Address
    | SdoReply
    | EncoderEstimates
    | Currents
    | Temperatures
    | Supply
    | Torques
    | Powers
)

_PAIRS: Final = {
    Message.ENCODER_ESTIMATES: EncoderEstimates,
    Message.CURRENTS: Currents,
    Message.TEMPERATURES: Temperatures,
    Message.SUPPLY: Supply,
    Message.TORQUES: Torques,
    Message.POWERS: Powers,
}


def make_request(node_id: int, message: Message) -> Frame:
    """Ask for one of the `REPORTS` that is not sent by itself.

    Source:
        vendor documentation, "CAN Protocol"; `examples/can_param_access.py`
    """
    return _frame(node_id, message, b"")


def make_estop(node_id: int) -> Frame:
    """Disarm with an error, which has to be cleared before the axis can be enabled again."""
    return _frame(node_id, Message.ESTOP, b"")


def make_set_axis_state(node_id: int, state: AxisState) -> Frame:
    """Ask for a state; CLOSED_LOOP_CONTROL enables, IDLE lets the shaft coast. The heartbeat says what came of it."""
    return _frame(node_id, Message.SET_AXIS_STATE, struct.pack("<I4x", state))


def make_set_controller_mode(node_id: int, control: ControlMode, inputs: InputMode) -> Frame:
    """Choose what is controlled, and what becomes of the inputs."""
    return _frame(node_id, Message.SET_CONTROLLER_MODE, struct.pack("<II", control, inputs))


def make_input_position(node_id: int, position_rev: float, velocity_rev_per_s: float, torque_nm: float) -> Frame:
    """Command a position, with velocity and torque feed-forward.

    Raises:
        EncodeError: A value is not finite, or a feed-forward beyond `FEEDFORWARD_MAX`.
    """
    feedforward = struct.pack("<hh", _feedforward(velocity_rev_per_s, "rev/s"), _feedforward(torque_nm, "N·m"))
    return _frame(node_id, Message.SET_INPUT_POSITION, _float32(position_rev) + feedforward)


def make_input_velocity(node_id: int, velocity_rev_per_s: float, torque_nm: float) -> Frame:
    """Command a velocity, with torque feed-forward."""
    return _two_floats(node_id, Message.SET_INPUT_VELOCITY, velocity_rev_per_s, torque_nm)


def make_input_torque(node_id: int, torque_nm: float) -> Frame:
    """Command a torque."""
    return _one_float(node_id, Message.SET_INPUT_TORQUE, torque_nm)


def make_set_limits(node_id: int, velocity_rev_per_s: float, current_a: float) -> Frame:
    """Set the limits, in RAM: a reboot brings back those in flash."""
    return _two_floats(node_id, Message.SET_LIMITS, velocity_rev_per_s, current_a)


def make_set_trajectory_velocity(node_id: int, velocity_rev_per_s: float) -> Frame:
    """Set the largest velocity of trapezoidal trajectories."""
    return _one_float(node_id, Message.SET_TRAJECTORY_VELOCITY, velocity_rev_per_s)


def make_set_trajectory_acceleration(node_id: int, speed_up_rev_per_s2: float, slow_down_rev_per_s2: float) -> Frame:
    """Set the largest accelerations of trapezoidal trajectories."""
    return _two_floats(node_id, Message.SET_TRAJECTORY_ACCELERATION, speed_up_rev_per_s2, slow_down_rev_per_s2)


def make_set_trajectory_inertia(node_id: int, inertia_nm_s2_per_rev: float) -> Frame:
    """Set the inertia that turns planned acceleration into torque feed-forward."""
    return _one_float(node_id, Message.SET_TRAJECTORY_INERTIA, inertia_nm_s2_per_rev)


def make_set_position_gain(node_id: int, gain_per_s: float) -> Frame:
    """Set the position gain, (rev/s)/rev."""
    return _one_float(node_id, Message.SET_POSITION_GAIN, gain_per_s)


def make_set_velocity_gains(node_id: int, gain_nm_s_per_rev: float, integrator_gain_nm_per_rev: float) -> Frame:
    """Set the velocity gain and its integrator's."""
    return _two_floats(node_id, Message.SET_VELOCITY_GAINS, gain_nm_s_per_rev, integrator_gain_nm_per_rev)


def make_set_absolute_position(node_id: int, position_rev: float) -> Frame:
    """Tell the axis where it is."""
    return _one_float(node_id, Message.SET_ABSOLUTE_POSITION, position_rev)


def make_clear_errors(node_id: int, *, identify: bool = False) -> Frame:
    """Clear errors; never enables. With `identify` the device blinks, until told otherwise."""
    return _frame(node_id, Message.CLEAR_ERRORS, bytes((identify,)))


def make_reboot(node_id: int, action: RebootAction = RebootAction.REBOOT) -> Frame:
    """Reboot, or save or erase the configuration. Only while idle."""
    return _frame(node_id, Message.REBOOT, bytes((action,)))


def make_set_address(node_id: int, serial_number: int, connection_id: int) -> Frame:
    """Give the device with this serial number a node id.

    Raises:
        EncodeError: A number that does not fit.
    """
    if not 0 <= serial_number < 1 << 48 or not 0 <= connection_id <= 0xFF:
        raise EncodeError(f"serial number {serial_number}, connection id {connection_id}; allowed: 48 and 8 bits")
    data = bytes((_checked(node_id),)) + serial_number.to_bytes(6, "little") + bytes((connection_id,))
    return _frame(UNADDRESSED_NODE_ID, Message.ADDRESS, data)


def make_sdo_read(node_id: int, endpoint: int) -> Frame:
    """Ask for an endpoint's value."""
    return _sdo(node_id, _SDO_READ, endpoint, bytes(4))


def make_sdo_write(node_id: int, endpoint: int, value: bytes) -> Frame:
    """Set an endpoint's value, given as its little-endian bytes. Verify by reading back.

    Raises:
        EncodeError: More than 4 bytes, or an endpoint that does not fit.
    """
    if not 1 <= len(value) <= 4:
        raise EncodeError(f"{len(value)} bytes for an endpoint; allowed: 1 to 4")
    return _sdo(node_id, _SDO_WRITE, endpoint, value.ljust(4, b"\0"))


def sender(frame: Frame) -> tuple[int, Message] | None:
    """Which node sent a frame, and what it is; None when no device sent it."""
    if frame.is_extended or frame.is_fd or len(frame.data) != 8 or not 0 <= frame.arbitration_id <= 0x7FF:
        return None
    node_id, code = divmod(frame.arbitration_id, 32)
    if code not in REPORTS:
        return None
    # Devices and hosts use the same id for addresses; only a device's own carries the id twice.
    is_request = code == Message.ADDRESS and frame.data[0] != node_id
    return None if is_request else (node_id, Message(code))


def decode_report(message: Message, data: bytes) -> Report:
    """Decode what a device sent.

    Raises:
        FrameError: Wrong length, or not one of the `REPORTS`.
    """
    if len(data) != 8:
        raise FrameError(f"{len(data)} data bytes where {message.name} has 8")
    pair = _PAIRS.get(message)
    if pair is not None:
        return pair(*_TWO_FLOATS.unpack(data))
    if message == Message.HEARTBEAT:
        error, state, result, flags = _HEARTBEAT.unpack(data)
        return Heartbeat(error, state, result, bool(flags & 1))
    if message == Message.ERROR:
        return Errors(*struct.unpack("<II", data))
    if message == Message.VERSION:
        return Version(data[0], (data[1], data[2], data[3]), (data[4], data[5], data[6]), data[7] != 0)
    if message == Message.ADDRESS:
        return Address(data[0], int.from_bytes(data[1:7], "little"), data[7])
    if message == Message.SDO_REPLY:
        return SdoReply(_SDO_HEAD.unpack_from(data)[1], data[4:])
    raise FrameError(f"{message.name} is sent by hosts, not by devices")


def error_names(error_bits: int) -> tuple[str, ...]:
    """The vendor's names of error bits, lowest first; unnamed bits by their number."""
    bits = (1 << place for place in range(32) if error_bits >> place & 1)
    return tuple(ERRORS.get(bit, f"ERROR_0x{bit:08X}") for bit in bits)


def dotted(numbers: tuple[int, ...]) -> str:
    """A version as people write it."""
    return ".".join(map(str, numbers))


def _checked(node_id: int) -> int:
    if not NODE_ID_RANGE[0] <= node_id <= NODE_ID_RANGE[1]:
        raise EncodeError(f"node id {node_id}; allowed: {NODE_ID_RANGE[0]} to {NODE_ID_RANGE[1]}")
    return node_id


def _frame(node_id: int, message: Message, data: bytes) -> Frame:
    return Frame(_checked(node_id) << 5 | message, data)


def _one_float(node_id: int, message: Message, value: float) -> Frame:
    # Padded as the vendor does, which sends eight bytes of everything but reboot, estop and clear.
    return _frame(node_id, message, _float32(value) + bytes(4))


def _two_floats(node_id: int, message: Message, first: float, second: float) -> Frame:
    return _frame(node_id, message, _float32(first) + _float32(second))


def _sdo(node_id: int, operation: int, endpoint: int, value: bytes) -> Frame:
    if not 0 <= endpoint <= 0xFFFF:
        raise EncodeError(f"endpoint {endpoint}; allowed: 0 to 65535")
    return _frame(node_id, Message.SDO_REQUEST, _SDO_HEAD.pack(operation, endpoint) + value)


def _feedforward(value: float, unit: str) -> int:
    counts = round(value / FEEDFORWARD) if math.isfinite(value) else 1 << 15
    if not -(1 << 15) <= counts < 1 << 15:
        raise EncodeError(f"feed-forward {value} {unit}; allowed: ±{FEEDFORWARD_MAX}")
    return counts


def _float32(value: float) -> bytes:
    if not math.isfinite(value):
        raise EncodeError(f"{value} is not a finite number")
    try:
        return struct.pack("<f", value)
    except OverflowError:
        raise EncodeError(f"{value} does not fit a float32") from None
