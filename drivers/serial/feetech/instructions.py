"""Feetech STS, SMS, HLS and SCS: one function per instruction packet.

All of them raise `EncodeError` on an id, an address, a length or a value that cannot be.

Source: see `tables`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from drivers.serial.feetech.codec import make_packet, pack_word, sign_magnitude
from drivers.serial.feetech.tables import (
    ACTION,
    BROADCAST_ID,
    CALIBRATE_OFFSET,
    MAXIMUM_ID,
    PING,
    READ,
    REG_WRITE,
    RESET,
    SCS_REGISTERS,
    SERIES,
    SIGN_POSITION,
    SIGN_SPEED,
    STS_REGISTERS,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
)
from supervisor.core.errors import EncodeError

_STS_GOAL_BYTES: Final = 7
_SCS_GOAL_BYTES: Final = 6


class StsGoal(NamedTuple):
    """One goal of an STS servo, in counts.

    Attributes:
        id: The servo.
        position: -32767 to 32767.
        speed: 0 to 32767 steps/s; 0 is the fastest.
        acceleration: 0 to 255, of 100 steps/s²; 0 is the fastest.
    """

    id: int
    position: int
    speed: int
    acceleration: int


class ScsGoal(NamedTuple):
    """One goal of an SCS servo, in counts.

    Attributes:
        id: The servo.
        position: 0 to 1023.
        time_ms: 0 to 65535.
        speed: 0 to 65535 steps/s.
    """

    id: int
    position: int
    time_ms: int
    speed: int


def make_ping(servo_id: int) -> bytes:
    """Ask whether a servo is there."""
    return make_packet(servo_id, PING)


def make_read(servo_id: int, address: int, length: int) -> bytes:
    """Read some registers of one servo."""
    return make_packet(_one(servo_id), READ, bytes((_byte(address, "address"), _byte(length, "length", low=1))))


def make_write(servo_id: int, address: int, data: bytes) -> bytes:
    """Write some registers of one servo, or of all."""
    return make_packet(servo_id, WRITE, _addressed(address, data))


def make_reg_write(servo_id: int, address: int, data: bytes) -> bytes:
    """Write some registers later, when `make_action` says so."""
    return make_packet(servo_id, REG_WRITE, _addressed(address, data))


def make_action(servo_id: int = BROADCAST_ID) -> bytes:
    """Carry out what `make_reg_write` has left."""
    return make_packet(servo_id, ACTION)


def make_reset(servo_id: int) -> bytes:
    """Set one servo's control table back to what it was made with."""
    return make_packet(_one(servo_id), RESET)


def make_calibrate_offset(servo_id: int) -> bytes:
    """Make the present position of one servo the middle. It moves the zero: never in a run."""
    return make_packet(_one(servo_id), CALIBRATE_OFFSET)


def make_sync_read(address: int, length: int, ids: Sequence[int]) -> bytes:
    """Read the same registers of many servos: each answers with its own status packet, in this order."""
    head = bytes((_byte(address, "address"), _byte(length, "length", low=1)))
    return make_packet(BROADCAST_ID, SYNC_READ, head + _several(ids))


def make_sync_write(address: int, length: int, items: Sequence[tuple[int, bytes]]) -> bytes:
    """Write the same registers of many servos; nobody answers.

    Args:
        address: First byte.
        length: Bytes per servo.
        items: Id and `length` bytes of data per servo.
    """
    _several(servo_id for servo_id, _ in items)
    for servo_id, data in items:
        if len(data) != length:
            raise EncodeError(f"{len(data)} bytes for servo {servo_id} in a sync write of {length}")
    head = bytes((_byte(address, "address"), _byte(length, "length", low=1)))
    return make_packet(BROADCAST_ID, SYNC_WRITE, head + b"".join(bytes((servo_id,)) + data for servo_id, data in items))


def make_sts_goal(goal: StsGoal) -> bytes:
    """Send one STS servo to a position (the vendor's WritePosEx)."""
    return make_write(goal.id, STS_REGISTERS["acceleration"].address, _sts_goal(goal))


def make_sts_reg_goal(goal: StsGoal) -> bytes:
    """As `make_sts_goal`, to be started by `make_action`."""
    return make_reg_write(goal.id, STS_REGISTERS["acceleration"].address, _sts_goal(goal))


def make_sts_sync_goals(goals: Sequence[StsGoal]) -> bytes:
    """Send many STS servos to their positions."""
    items = [(goal.id, _sts_goal(goal)) for goal in goals]
    return make_sync_write(STS_REGISTERS["acceleration"].address, _STS_GOAL_BYTES, items)


def make_sts_speed(servo_id: int, speed: int, acceleration: int) -> bytes:
    """Turn one STS servo in speed mode, steps/s and 100 steps/s²."""
    body = bytes((_byte(acceleration, "acceleration"),)) + bytes(4)
    return make_write(
        servo_id,
        STS_REGISTERS["acceleration"].address,
        body + pack_word(sign_magnitude(speed, SIGN_SPEED), "little"),
    )


def make_scs_goal(goal: ScsGoal) -> bytes:
    """Send one SCS servo to a position."""
    return make_write(goal.id, SCS_REGISTERS["goal_position"].address, _scs_goal(goal))


def make_scs_reg_goal(goal: ScsGoal) -> bytes:
    """As `make_scs_goal`, to be started by `make_action`."""
    return make_reg_write(goal.id, SCS_REGISTERS["goal_position"].address, _scs_goal(goal))


def make_scs_sync_goals(goals: Sequence[ScsGoal]) -> bytes:
    """Send many SCS servos to their positions."""
    items = [(goal.id, _scs_goal(goal)) for goal in goals]
    return make_sync_write(SCS_REGISTERS["goal_position"].address, _SCS_GOAL_BYTES, items)


def _sts_goal(goal: StsGoal) -> bytes:
    if not 0 <= goal.speed < 1 << SIGN_SPEED:
        raise EncodeError(f"speed {goal.speed} steps/s, allowed: 0 to {(1 << SIGN_SPEED) - 1}")
    return (
        bytes((_byte(goal.acceleration, "acceleration"),))
        + pack_word(sign_magnitude(goal.position, SIGN_POSITION), "little")
        + bytes(2)
        + pack_word(goal.speed, "little")
    )


def _scs_goal(goal: ScsGoal) -> bytes:
    low, high = SERIES["SCS"].position_counts
    if not low <= goal.position <= high:
        raise EncodeError(f"position {goal.position}, allowed: {low} to {high}")
    return b"".join(pack_word(value, "big") for value in (goal.position, goal.time_ms, goal.speed))


def _addressed(address: int, data: bytes) -> bytes:
    if not data:
        raise EncodeError(f"nothing to write at address {address}")
    return bytes((_byte(address, "address"),)) + data


def _byte(value: int, what: str, low: int = 0) -> int:
    if not isinstance(value, int) or not low <= value <= 0xFF:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise EncodeError(f"{what} {value}, allowed: {low} to 255")
    return value


def _one(servo_id: int) -> int:
    if not 0 <= servo_id <= MAXIMUM_ID:
        raise EncodeError(f"servo id {servo_id}, allowed: 0 to {MAXIMUM_ID}")
    return servo_id


def _several(ids: Iterable[int]) -> bytes:
    """The ids of different servos.

    Raises:
        EncodeError: None at all, the broadcast id, or one twice.
    """
    listed = [_one(servo_id) for servo_id in ids]
    if not listed or len(set(listed)) != len(listed):
        raise EncodeError(f"servo ids {listed}, allowed: at least one, each once")
    return bytes(listed)
