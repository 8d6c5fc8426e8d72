from __future__ import annotations

import struct

import pytest

from supervisor.core.shared.slot import Slot

CAPACITY = 64


def slots() -> tuple[Slot, Slot, bytearray]:
    memory = bytearray(Slot.size(CAPACITY))
    return Slot(memoryview(memory), CAPACITY), Slot(memoryview(memory), CAPACITY), memory


def test_nothing_is_read_before_the_first_value() -> None:
    _, reader, _ = slots()
    assert reader.read() is None
    assert reader.number == 0


def test_the_newest_value_is_read_with_its_number() -> None:
    writer, reader, _ = slots()
    for number in range(1, 6):
        payload = bytes([number]) * number
        writer.write(payload)
        assert reader.read() == (number, payload)
    assert reader.read() == (5, b"\5" * 5)


def test_an_empty_and_a_largest_value_fit_and_a_larger_one_does_not() -> None:
    writer, reader, _ = slots()
    writer.write(b"")
    assert reader.read() == (1, b"")
    writer.write(b"x" * CAPACITY)
    assert reader.read() == (2, b"x" * CAPACITY)
    with pytest.raises(ValueError, match="65 bytes in a place for 64"):
        writer.write(b"x" * (CAPACITY + 1))
    assert reader.read() == (2, b"x" * CAPACITY)


@pytest.mark.parametrize("at", range(8, Slot.size(CAPACITY) // 2))
def test_a_value_with_one_wrong_byte_is_not_read(at: int) -> None:
    writer, reader, memory = slots()
    writer.write(b"first")
    writer.write(b"y" * CAPACITY)
    memory[at] ^= 0x10
    assert reader.read() is None


def test_a_value_that_is_being_written_over_is_not_read_as_if_it_were_whole() -> None:
    writer, reader, memory = slots()
    writer.write(b"first")
    # As seen by a reader that looked at the number, and was then overtaken by two writes and half of a third.
    struct.pack_into("<Q", memory, 0, 3)
    assert reader.read() is None
