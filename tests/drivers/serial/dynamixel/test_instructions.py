from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.serial.dynamixel import instructions as make
from drivers.serial.dynamixel import tables
from drivers.serial.dynamixel.codec import Packet, PacketParser
from supervisor.core.errors import EncodeError


def test_a_sync_write_for_twelve_servos_has_74_bytes() -> None:
    packet = make.make_sync_write(116, 4, [(servo_id, bytes(4)) for servo_id in range(1, 13)])
    assert len(packet) == 74
    assert len(make.make_sync_read(126, 10, range(1, 13))) == 26


def test_stuffing_makes_the_packet_longer_and_comes_off_again() -> None:
    packet = make.make_write(1, 224, b"\xff\xff\xfd")
    assert packet[5] == 9
    assert packet[7:-2].hex() == "03e000fffffdfd"
    assert PacketParser().feed(packet) == [Packet(1, 3, b"\xe0\x00\xff\xff\xfd")]


def test_a_register_is_written_by_its_row() -> None:
    assert make.make_register_write(1, tables.GOAL_POSITION, 512) == make.make_write(1, 116, b"\x00\x02\x00\x00")
    assert make.make_register_write(1, tables.GOAL_CURRENT, -2) == make.make_write(1, 102, b"\xfe\xff")


@pytest.mark.parametrize(
    "call",
    [
        lambda: make.make_ping(253),
        lambda: make.make_ping(-1),
        lambda: make.make_ping(255),
        lambda: make.make_read(254, 132, 4),
        lambda: make.make_read(1, 65535, 2),
        lambda: make.make_read(1, -1, 2),
        lambda: make.make_read(1, 0, 0),
        lambda: make.make_write(1, 64, b""),
        lambda: make.make_write(1, 64, bytes(1024)),
        lambda: make.make_register_write(1, tables.PRESENT_POSITION, 1),
        lambda: make.make_register_write(1, tables.TORQUE_ENABLE, 256),
        lambda: make.make_register_write(1, tables.BUS_WATCHDOG, -1),
        lambda: make.make_factory_reset(254, 255),
        lambda: make.make_factory_reset(1, 7),
        lambda: make.make_sync_read(132, 4, []),
        lambda: make.make_sync_read(132, 4, [1, 1]),
        lambda: make.make_sync_read(132, 4, [1, 254]),
        lambda: make.make_sync_write(116, 4, [(1, bytes(3))]),
        lambda: make.make_sync_write(116, 4, [(1, bytes(4)), (1, bytes(4))]),
        lambda: make.make_sync_write(116, 4, []),
        lambda: make.make_bulk_read([make.BulkItem(1, 132, 4), make.BulkItem(1, 70, 1)]),
        lambda: make.make_bulk_write([(1, 116, b"")]),
    ],
)
def test_what_no_servo_could_take_is_refused(call: Callable[[], bytes]) -> None:
    with pytest.raises(EncodeError):
        call()


def test_the_longest_packet_is_what_the_parser_takes() -> None:
    longest = make.make_write(1, 0, b"\x01" * 1012)
    assert len(longest) == tables.MAXIMUM_PACKET_BYTES
    assert len(PacketParser().feed(longest)) == 1
    with pytest.raises(EncodeError):
        make.make_write(1, 0, b"\x01" * 1013)
