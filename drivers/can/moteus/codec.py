"""moteus messages: pure functions between values and bytes.

Encoding raises `EncodeError` on NaN, infinity and out of range: clamping is the gate's job, and is counted there. Where
the controller gives NaN a meaning ("where it is now", "no limit", "no timeout") that is asked for as None. Integer
counts are truncated towards zero, as the vendor's own code does.

Source: see `tables`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from drivers.bus import Frame
from drivers.can.moteus.multiplex import READ, REPLY, WRITE, Access, Refusal, encode, parse
from drivers.can.moteus.tables import (
    DEVICE_ID_RANGE,
    FAULTS,
    FD_LENGTHS,
    LIMITERS,
    PADDING,
    SCALES,
    Mode,
    Register,
    Resolution,
)
from supervisor.core.errors import EncodeError, FrameError

Values = Mapping[Register, float | None]
"""Register values in SI-like units of `SCALES` (turns, not radians); None for the controller's NaN."""

Resolutions = Mapping[Register, Resolution]

NOTHING: Final[Mapping[Register, float | None]] = MappingProxyType({})
ALL_F32: Final[Resolutions] = MappingProxyType({})
"""Registers without a resolution travel as float32."""

_REPLY_WANTED: Final = 0x80
_COUNT_LIMITS: Final = (127, 32767, 2147483647)


class Address(NamedTuple):
    """Who is spoken to, and by whom.

    Attributes:
        device_id: The controller.
        source: The host.
        prefix: Bits 16 to 28 of every identifier; 0 unless configured.
    """

    device_id: int
    source: int = 0
    prefix: int = 0


class Reply(NamedTuple):
    """One frame from a controller.

    Attributes:
        values: By register number; int for registers that hold whole numbers. NaN where the controller has none.
        refusals: Registers that it could not read or write.
    """

    values: dict[int, float]
    refusals: list[Refusal]


def encode_query(registers: Sequence[tuple[Register, Resolution]]) -> bytes:
    """The part of a frame that asks for registers."""
    return encode([Access(READ, register, resolution, None) for register, resolution in registers])


DEFAULT_QUERY: Final = encode_query(
    [
        (Register.MODE, Resolution.INT8),
        (Register.POSITION, Resolution.F32),
        (Register.VELOCITY, Resolution.F32),
        (Register.TORQUE, Resolution.F32),
        (Register.VOLTAGE, Resolution.INT8),
        (Register.TEMPERATURE, Resolution.INT8),
        (Register.FAULT, Resolution.INT8),
    ]
)
"""Everything that a control loop needs back, as the vendor's library asks for it."""


def make_query(address: Address, query: bytes = DEFAULT_QUERY) -> Frame:
    """Ask for registers; moves nothing, energises nothing, and does not feed the watchdog."""
    return make_frame(address, query, is_answered=True)


def make_command(
    address: Address, mode: Mode, values: Values = NOTHING, resolutions: Resolutions = ALL_F32, query: bytes = b""
) -> Frame:
    """Take a mode, with the values that it works with, and ask for registers in the same frame.

    STOPPED frees the shaft and clears faults and timeouts; BRAKE shorts the phases; POSITION, CURRENT, STAY_WITHIN and
    ZERO_VELOCITY energise. A command feeds the watchdog: state COMMAND_TIMEOUT in every one that energises.

    Raises:
        EncodeError: A value is not finite or does not fit its resolution, or the frame would be longer than 64 bytes.
    """
    data = bytes((WRITE | 1, Register.MODE, mode)) + encode_values(values, resolutions) + query
    return make_frame(address, data, is_answered=bool(query))


def make_set_output(address: Address, position_rev: float, *, is_exact: bool = False, query: bytes = b"") -> Frame:
    """Tell a controller where its output is. Only while stopped.

    Args:
        address: Who.
        position_rev: Where it is.
        is_exact: False to choose the turn nearest to this that agrees with the encoder; True to override the encoder.
        query: Registers to ask for.

    Raises:
        EncodeError: Not finite.
    """
    register = Register.SET_OUTPUT_EXACT if is_exact else Register.SET_OUTPUT_NEAREST
    return make_frame(address, encode_values({register: position_rev}) + query, is_answered=bool(query))


def encode_values(values: Values, resolutions: Resolutions = ALL_F32) -> bytes:
    """The part of a frame that writes registers, in the order of their numbers.

    Raises:
        EncodeError: A value is not finite, or does not fit its resolution.
    """
    accesses: list[Access] = []
    for register in sorted(values):
        resolution = resolutions.get(register, Resolution.F32)
        accesses.append(Access(WRITE, register, resolution, _raw(register, resolution, values[register])))
    return encode(accesses)


def sender(frame: Frame, source: int = 0, prefix: int = 0) -> int | None:
    """Which controller answered us, None when this is no answer to us.

    Args:
        frame: Any frame of the bus.
        source: Our id, as in the `Address` of our commands.
        prefix: As in the `Address` of our commands.
    """
    top, device_id, destination = (
        frame.arbitration_id >> 16,
        frame.arbitration_id >> 8 & 0xFF,
        frame.arbitration_id & 0xFF,
    )
    is_ours = top == prefix and destination == source and device_id != source
    is_device = DEVICE_ID_RANGE[0] <= device_id <= DEVICE_ID_RANGE[1]
    return device_id if frame.is_fd and is_ours and is_device else None


def decode_reply(data: bytes) -> Reply:
    """Decode what a controller answered.

    Raises:
        FrameError: The frame is damaged: no value of it is to be believed.
    """
    values: dict[int, float] = {}
    refusals: list[Refusal] = []
    for item in parse(data):
        if isinstance(item, Refusal):
            refusals.append(item)
        elif item.command == REPLY and item.raw is not None:
            values[item.register] = _value(item.register, item.resolution, item.raw)
    return Reply(values, refusals)


def scaled(access: Access) -> float:
    """The value of an access in the units of `SCALES`.

    Raises:
        FrameError: It has none, or a register of whole numbers holds none.
    """
    if access.raw is None:
        raise FrameError(f"register 0x{access.register:03X} is asked for and has no value here")
    return _value(access.register, access.resolution, access.raw)


def fault_name(code: int) -> str:
    """The name of a fault; empty for 0 and for limiters, which are none."""
    if code == 0 or code in LIMITERS:
        return ""
    return FAULTS.get(code, f"FAULT_{code}")


def _raw(register: Register, resolution: Resolution, value: float | None) -> float:
    """A value as it travels."""
    if value is None:
        return math.nan if resolution is Resolution.F32 else -_COUNT_LIMITS[resolution] - 1
    if not math.isfinite(value):
        raise EncodeError(f"register {register.name} cannot be {value}")
    if resolution is Resolution.F32:
        try:
            struct.pack("<f", value)
        except OverflowError:
            raise EncodeError(f"register {register.name}: {value} does not fit a float32") from None
        return value
    scale = SCALES[register][resolution] if register in SCALES else 1.0
    counts = int(value / scale)
    top = _COUNT_LIMITS[resolution]
    if not -top <= counts <= top:
        raise EncodeError(f"register {register.name} as {resolution.name}: {value}; allowed: ±{top * scale:.10g}")
    return counts


def _value(register: int, resolution: Resolution, raw: float) -> float:
    scale = SCALES.get(register)
    if scale is None:
        if not math.isfinite(raw) or raw != int(raw):
            raise FrameError(f"register 0x{register:03X} holds whole numbers, not {raw}")
        return int(raw)
    if resolution is Resolution.F32:
        return raw
    return math.nan if raw == -_COUNT_LIMITS[resolution] - 1 else raw * scale[resolution]


def make_frame(address: Address, data: bytes, *, is_answered: bool) -> Frame:
    """A frame of subframes, padded to a length that CAN FD has.

    Args:
        address: Who.
        data: The subframes.
        is_answered: Whether the controller is to answer.

    Raises:
        EncodeError: The address is not possible, or there are more than 64 bytes.
    """
    device_id, source, prefix = address
    low, high = DEVICE_ID_RANGE
    if not low <= device_id <= high or not 0 <= source <= 0x7F or not 0 <= prefix <= 0x1FFF:
        raise EncodeError(f"{address}; allowed: device_id {low} to {high}, source 0 to 127, prefix 0 to 8191")
    size = next((length for length in FD_LENGTHS if length >= len(data)), None)
    if size is None:
        raise EncodeError(f"{len(data)} bytes in one frame; allowed: up to {FD_LENGTHS[-1]}")
    identifier = prefix << 16 | (source | (_REPLY_WANTED if is_answered else 0)) << 8 | device_id
    # The firmware takes both kinds of identifier for small numbers; the vendor's library sends the short one.
    return Frame(identifier, data.ljust(size, PADDING), identifier > 0x7FF, True)
