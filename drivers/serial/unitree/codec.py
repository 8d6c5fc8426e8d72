"""Unitree GO-M8010-6 frames: pure functions between values and bytes, and a stream parser.

One reply per command. There is no enable frame and no command timeout: a motor that hears nothing more may go on with
its last command, so the supply belongs into the safety chain.

Encoding raises `EncodeError` on NaN, infinity and out of range. Scaling truncates towards zero, as the vendor's does.

Source: see `tables`.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from drivers.serial.unitree.tables import (
    BROADCAST_ID,
    COMMAND_BYTES,
    COMMAND_HEAD,
    COUNTS,
    ERROR_NAMES,
    GAIN_MAX,
    GEAR,
    MAXIMUM_ID,
    MODE_BRAKE,
    MODE_FOC,
    MODE_NAMES,
    MODES,
    POSITION_MAX_RAD,
    POSITION_PER_COUNT_RAD,
    REPLY_BYTES,
    REPLY_HEAD,
    TORQUE_MAX_NM,
    TORQUE_PER_COUNT_NM,
    VELOCITY_MAX_RAD_PER_S,
    VELOCITY_PER_COUNT_RAD_PER_S,
)
from supervisor.core.errors import EncodeError, FrameError
from supervisor.core.state import MotorStatus

_COMMAND: Final = Struct("<2sBhhiHH")
_REPLY: Final = Struct("<2xBhhibH2x")
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

COMMAND_RANGES: Final = (
    (-POSITION_MAX_RAD, POSITION_MAX_RAD),
    (-VELOCITY_MAX_RAD_PER_S, VELOCITY_MAX_RAD_PER_S),
    (0.0, GAIN_MAX),
    (0.0, GAIN_MAX),
    (-TORQUE_MAX_NM, TORQUE_MAX_NM),
)
"""Lowest and highest value of each field of a command at the rotor: position, velocity, kp, kd, torque."""

ERROR_BITS: Final = 0x7
STATES: Final = 64
"""How many states there are: a mode of three bits, and an error of three bits."""

_FIELDS: Final = ("position", "velocity", "kp", "kd", "torque")
_UNITS: Final = ("rad", "rad/s", "N·m/rad", "N·m·s/rad", "N·m")
_TO_ROTOR: Final = (GEAR, GEAR, 1.0 / GEAR**2, 1.0 / GEAR**2, 1.0 / GEAR)
RANGE_SLACK: Final = 1e-9
"""Of a range: what converting between output and rotor may add by rounding at a limit. Far below one count."""


class Feedback(NamedTuple):
    """One decoded reply, at the rotor.

    Attributes:
        motor_id: 0 to 15.
        mode: What the motor does, of `MODES`.
        position_rad: Since power-up; within one turn of the rotor, see `zero`.
        velocity_rad_per_s, torque_nm: At the rotor.
        temperature_degc: Of the winding.
        error_code: 0 if nothing is wrong; names in `ERROR_NAMES`.
        force_count: Of the foot's force sensor, 12 bits, no unit.
    """

    motor_id: int
    mode: int
    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float
    temperature_degc: float
    error_code: int
    force_count: int

    @property
    def output_position_rad(self) -> float:
        """Position at the output shaft, up to multiples of `ZERO_PERIOD_RAD`."""
        return self.position_rad / GEAR

    @property
    def output_velocity_rad_per_s(self) -> float:
        """Velocity at the output shaft."""
        return self.velocity_rad_per_s / GEAR

    @property
    def output_torque_nm(self) -> float:
        """Torque at the output shaft."""
        return self.torque_nm * GEAR


@dataclass(slots=True)
class FrameParser:
    """Finds frames of one direction in a stream of bytes. Never raises; keeps less than one frame.

    Args:
        head: First two bytes: `REPLY_HEAD`, or `COMMAND_HEAD` for who plays the motor.
        size: Bytes of a frame.

    Attributes:
        frames: Frames accepted.
        bad_crc: Heads whose frame failed its checksum.
        dropped_bytes: Bytes that belong to no accepted frame; among them every echo of our own commands.
    """

    head: bytes = REPLY_HEAD
    size: int = REPLY_BYTES
    frames: int = 0
    bad_crc: int = 0
    dropped_bytes: int = 0
    _rest: bytes = b""

    @property
    def unfinished_bytes(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they arrive.

        Returns:
            The whole frames completed by them, oldest first.
        """
        buffer = self._rest + data if self._rest else data
        head, size = self.head, self.size
        found: list[bytes] = []
        at, end = 0, len(buffer)
        while True:
            start = buffer.find(head, at)
            if start < 0:
                # The last byte may be the first half of a head.
                start = end - 1 if end > at and buffer[-1] == head[0] else end
                self.dropped_bytes += start - at
                at = start
                break
            self.dropped_bytes += start - at
            at = start
            if at + size > end:
                break
            frame = buffer[at : at + size]
            if frame_crc(frame[:-2]) == frame[-2:]:
                found.append(frame)
                self.frames += 1
                at += size
            else:
                # The head may have been data: only this byte is known to be no use.
                self.bad_crc += 1
                self.dropped_bytes += 1
                at += 1
        self._rest = buffer[at:]
        return found


def frame_crc(data: bytes) -> bytes:
    """CRC-16/KERMIT as it stands on the wire, low byte first.

    It is the checksum that the standard library has in C, with the bits of every byte the other way round.
    """
    return crc_hqx(data.translate(_REVERSED), 0).to_bytes(2, "big").translate(_REVERSED)


def encode_command(motor_id: int, mode: int, values: Sequence[float]) -> bytes:
    """Encode one command.

    Args:
        motor_id: 0 to 14, or 15 for all (none answers).
        mode: Of `MODES`.
        values: Position (rad), velocity (rad/s), kp (N·m/rad), kd (N·m·s/rad), torque (N·m); at the rotor.

    Raises:
        EncodeError: No such id or mode; a value that is not finite, or out of range.
    """
    if not (0 <= motor_id <= MAXIMUM_ID or motor_id == BROADCAST_ID):
        raise EncodeError(f"motor id {motor_id}, allowed: 0 to {MAXIMUM_ID}, or {BROADCAST_ID} for all")
    if mode not in MODES:
        raise EncodeError(f"mode {mode}, allowed: {MODES}")
    for name, unit, value, (low, high) in zip(_FIELDS, _UNITS, values, COMMAND_RANGES, strict=True):
        slack = RANGE_SLACK * (high - low)
        # NaN fails every comparison.
        if not low - slack <= value <= high + slack:
            raise EncodeError(f"{name} {value} {unit} at the rotor, allowed: {low:g} to {high:g}")
    position, velocity, kp, kd, torque = (int(value / count) for value, count in zip(values, COUNTS, strict=True))
    frame = _COMMAND.pack(COMMAND_HEAD, motor_id | mode << 4, torque, velocity, position, kp, kd)
    return frame + frame_crc(frame)


def rotor_from_output(values: Sequence[float]) -> tuple[float, ...]:
    """A command at the output shaft as one at the rotor, both in the order of `encode_command`."""
    return tuple(value * scale for value, scale in zip(values, _TO_ROTOR, strict=True))


def decode_reply(frame: bytes) -> Feedback:
    """Decode one reply.

    Raises:
        FrameError: Wrong length, head or checksum. (The vendor's library looks at the checksum only, and keeps the
            values of before when nothing comes.)
    """
    if len(frame) != REPLY_BYTES:
        raise FrameError(f"{len(frame)} bytes where a reply has {REPLY_BYTES}")
    if frame[:2] != REPLY_HEAD:
        raise FrameError(f"head {frame[:2].hex()} where a reply has {REPLY_HEAD.hex()}")
    if frame_crc(frame[:-2]) != frame[-2:]:
        raise FrameError(f"checksum {frame[-2:].hex()}, the reply's bytes make {frame_crc(frame[:-2]).hex()}")
    head, torque, velocity, position, temperature, rest = _REPLY.unpack(frame)
    return Feedback(
        head & 0xF,
        head >> 4 & 0x7,
        position * POSITION_PER_COUNT_RAD,
        velocity * VELOCITY_PER_COUNT_RAD_PER_S,
        torque * TORQUE_PER_COUNT_NM,
        float(temperature),
        rest & 0x7,
        rest >> 3 & 0xFFF,
    )


def match_reply(frame: bytes, motor_id: int) -> Feedback | None:
    """The reply, if it is whole and that motor's; else None. Never raises."""
    try:
        feedback = decode_reply(frame)
    except FrameError:
        return None
    return feedback if feedback.motor_id == motor_id else None


def make_command_parser() -> FrameParser:
    """A parser of commands, for who plays the motor."""
    return FrameParser(COMMAND_HEAD, COMMAND_BYTES)


def mode_name(mode: int) -> str:
    """The name of a mode."""
    return MODE_NAMES.get(mode, f"mode_{mode}")


def status_of(state: int) -> MotorStatus:
    """What mode and error mean.

    Args:
        state: Mode in bits 5:3, error in bits 2:0.
    """
    modes = {MODE_BRAKE: MotorStatus.DISABLED, MODE_FOC: MotorStatus.ENABLED}
    return MotorStatus.FAULT if state & ERROR_BITS else modes.get(state >> 3, MotorStatus.FAULT)


def state_name(state: int) -> str:
    """The name of the error in a state, or of its mode where there is none."""
    return error_name(state & ERROR_BITS) if state & ERROR_BITS else mode_name(state >> 3)


def error_name(error_code: int) -> str:
    """The name of an error code."""
    return ERROR_NAMES.get(error_code, f"error_{error_code}")
