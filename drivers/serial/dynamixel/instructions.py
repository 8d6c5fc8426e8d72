"""Dynamixel protocol 2.0: one function per instruction packet.

All of them raise `EncodeError` on an id, an address, a length or a value that cannot be.

Source: see `tables`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from drivers.serial.dynamixel.codec import make_packet, pack
from drivers.serial.dynamixel.tables import (
    ACTION,
    BROADCAST_ID,
    BULK_READ,
    BULK_WRITE,
    CLEAR,
    CLEAR_MULTI_TURN,
    FACTORY_RESET,
    FAST_BULK_READ,
    FAST_SYNC_READ,
    MAXIMUM_ID,
    PING,
    READ,
    REBOOT,
    REG_WRITE,
    RESET_OPTIONS,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    Register,
)
from supervisor.core.errors import EncodeError


class BulkItem(NamedTuple):
    """What to read of one servo in a bulk read."""

    id: int
    address: int
    length: int


def make_ping(servo_id: int) -> bytes:
    """Ask one servo, or all of them, for model number and firmware."""
    return make_packet(servo_id, PING)


def make_read(servo_id: int, address: int, length: int) -> bytes:
    """Read some registers of one servo."""
    return make_packet(_one(servo_id), READ, _place(address, length))


def make_write(servo_id: int, address: int, data: bytes) -> bytes:
    """Write some registers of one servo, or of all."""
    return make_packet(servo_id, WRITE, _address(address, data) + data)


def make_register_write(servo_id: int, register: Register, value: int) -> bytes:
    """Write one register.

    Raises:
        EncodeError: The register is read-only, or cannot hold the value.
    """
    if register.is_read_only:
        raise EncodeError(f"register {register.address} is read-only")
    return make_write(servo_id, register.address, pack(value, register.size, is_signed=register.is_signed))


def make_reg_write(servo_id: int, address: int, data: bytes) -> bytes:
    """Write some registers later, when `make_action` says so."""
    return make_packet(servo_id, REG_WRITE, _address(address, data) + data)


def make_action(servo_id: int = BROADCAST_ID) -> bytes:
    """Carry out what `make_reg_write` has left."""
    return make_packet(servo_id, ACTION)


def make_factory_reset(servo_id: int, option: int) -> bytes:
    """Set the control table back: all of it (0xFF), all but the id (1), or all but id and baud rate (2).

    Raises:
        EncodeError: Another option; or everything on all servos at once, after which all have one id.
    """
    if option not in RESET_OPTIONS:
        raise EncodeError(f"reset option {option}, allowed: {RESET_OPTIONS}")
    return make_packet(_one(servo_id), FACTORY_RESET, bytes((option,)))


def make_reboot(servo_id: int) -> bytes:
    """Restart: the only way back after a shutdown. Torque is off afterwards, and RAM registers have their defaults."""
    return make_packet(servo_id, REBOOT)


def make_clear_multi_turn(servo_id: int) -> bytes:
    """Set the present position back into one turn."""
    return make_packet(servo_id, CLEAR, CLEAR_MULTI_TURN)


def make_sync_read(address: int, length: int, ids: Sequence[int]) -> bytes:
    """Read the same registers of many servos: each answers with its own status packet, in this order."""
    return make_packet(BROADCAST_ID, SYNC_READ, _place(address, length) + _several(ids))


def make_fast_sync_read(address: int, length: int, ids: Sequence[int]) -> bytes:
    """As `make_sync_read`, answered by all servos together in one status packet."""
    return make_packet(BROADCAST_ID, FAST_SYNC_READ, _place(address, length) + _several(ids))


def make_sync_write(address: int, length: int, items: Sequence[tuple[int, bytes]]) -> bytes:
    """Write the same registers of many servos; nobody answers.

    Args:
        address: First byte.
        length: Bytes per servo.
        items: Id and `length` bytes of data per servo.
    """
    _several([servo_id for servo_id, _ in items])
    for servo_id, data in items:
        if len(data) != length:
            raise EncodeError(f"{len(data)} bytes for servo {servo_id} in a sync write of {length}")
    body = b"".join(bytes((servo_id,)) + data for servo_id, data in items)
    return make_packet(BROADCAST_ID, SYNC_WRITE, _place(address, length) + body)


def make_bulk_read(items: Sequence[BulkItem]) -> bytes:
    """Read different registers of many servos: each answers with its own status packet, in this order."""
    return make_packet(BROADCAST_ID, BULK_READ, _bulk(items))


def make_fast_bulk_read(items: Sequence[BulkItem]) -> bytes:
    """As `make_bulk_read`, answered by all servos together in one status packet."""
    return make_packet(BROADCAST_ID, FAST_BULK_READ, _bulk(items))


def make_bulk_write(items: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Write different registers of many servos; nobody answers.

    Args:
        items: Id, address and data per servo.
    """
    _several([servo_id for servo_id, _, _ in items])
    body = b"".join(
        bytes((servo_id,)) + _address(address, data) + len(data).to_bytes(2, "little") + data
        for servo_id, address, data in items
    )
    return make_packet(BROADCAST_ID, BULK_WRITE, body)


def _one(servo_id: int) -> int:
    """The id of one servo.

    Raises:
        EncodeError: The broadcast id, or none.
    """
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


def _place(address: int, length: int) -> bytes:
    """Address and length.

    Raises:
        EncodeError: Not both in 16 bits, or nothing to read or write.
    """
    if address < 0 or length < 1 or address + length > 0x10000:
        raise EncodeError(f"{length} bytes from address {address}, allowed: at least one, below address 65536")
    return address.to_bytes(2, "little") + length.to_bytes(2, "little")


def _address(address: int, data: bytes) -> bytes:
    return _place(address, len(data))[:2]


def _bulk(items: Sequence[BulkItem]) -> bytes:
    _several(item.id for item in items)
    return b"".join(bytes((item.id,)) + _place(item.address, item.length) for item in items)
