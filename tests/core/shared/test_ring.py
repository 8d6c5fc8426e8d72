from __future__ import annotations

import struct

import pytest

from supervisor.core.shared.ring import Ring, RingReader

PLACES = 4


def rings() -> tuple[Ring, Ring, bytearray]:
    memory = bytearray(Ring.size(16, PLACES))
    return Ring(memoryview(memory), 16, PLACES), Ring(memoryview(memory), 16, PLACES), memory


def row(number: int) -> bytes:
    return struct.pack("<QQ", number, number * number)


def test_every_row_is_taken_once_and_in_order() -> None:
    writer, ring, _ = rings()
    reader = RingReader(ring)
    taken: list[bytes] = []
    for number in range(1, 20):
        writer.append(row(number))
        if number % 3 == 0:
            taken += reader.take(100)
    assert taken == [row(number) for number in range(1, 19)]
    assert reader.lost == 0
    assert reader.take(100) == [row(19)]
    assert reader.take(100) == []


def test_no_more_rows_are_taken_than_asked_for() -> None:
    writer, ring, _ = rings()
    reader = RingReader(ring)
    for number in range(1, 5):
        writer.append(row(number))
    assert [reader.take(3), reader.take(3)] == [[row(1), row(2), row(3)], [row(4)]]


def test_a_reader_that_falls_behind_knows_what_it_lost() -> None:
    writer, ring, _ = rings()
    reader = RingReader(ring)
    for number in range(1, 11):
        writer.append(row(number))
    assert reader.take(100) == [row(number) for number in range(7, 11)]
    assert reader.lost == 6
    assert reader.number == 10


def test_the_newest_row_is_read_by_any_number_of_readers() -> None:
    writer, ring, _ = rings()
    assert ring.newest() is None
    for number in range(1, 8):
        writer.append(row(number))
        assert ring.newest() == (number, row(number))
    assert ring.row(8) is None
    assert ring.row(0) is None
    assert ring.row(3) is None
    assert ring.row(4) == row(4)


@pytest.mark.parametrize("at", range(Ring.size(16, PLACES) - 32, Ring.size(16, PLACES) - 20))
def test_a_row_with_a_wrong_byte_is_lost_and_not_read(at: int) -> None:
    writer, ring, memory = rings()
    for number in range(1, 5):
        writer.append(row(number))
    memory[at] ^= 1
    reader = RingReader(ring)
    assert reader.take(100) == [row(1), row(2), row(3)]
    assert reader.lost == 1
    assert ring.newest() is None


def test_rows_written_in_place_are_read_like_others() -> None:
    writer, ring, memory = rings()
    for number in range(1, 7):
        start = writer.rows_start + writer.next_place * writer.stride
        memory[start : start + 16] = row(number)
        assert ring.written == number - 1
        writer.publish()
    assert RingReader(ring).take(100) == [row(number) for number in range(3, 7)]
