"""The newest value of something that one process writes and others read, without a lock.

    newest: uint64 | two times: [ length: uint32, checksum: uint32, payload ]

Each value goes into the half that is not the newest, and becomes the newest by one aligned store. A reader that was so
slow that the writer came round again sees a checksum that does not fit, and looks once more. The checksum also covers
machines that let stores overtake each other.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

_HEAD: Final = struct.Struct("<II")
_START: Final = 8
_TRIES: Final = 4


class Slot:
    """A place for one value.

    Args:
        memory: `Slot.size(capacity)` bytes, zero at first.
        capacity: Largest value, bytes.
    """

    __slots__ = ("_capacity", "_halves", "_memory", "_newest")

    def __init__(self, memory: memoryview, capacity: int) -> None:
        self._capacity = _aligned(capacity)
        self._memory = memory
        self._newest = memory[:_START].cast("Q")
        first, size = _START, _HEAD.size + self._capacity
        self._halves = (first, first + size)

    @staticmethod
    def size(capacity: int) -> int:
        """Bytes of memory that a place for values of so many bytes needs."""
        return _START + 2 * (_HEAD.size + _aligned(capacity))

    @property
    def number(self) -> int:
        """How many values were written so far."""
        return self._newest[0]

    def write(self, payload: bytes | bytearray | memoryview) -> None:
        """Make a value the newest. One process only.

        Raises:
            ValueError: It is larger than the place.
        """
        length = len(payload)
        if length > self._capacity:
            raise ValueError(f"{length} bytes in a place for {self._capacity}")
        number = self._newest[0] + 1
        start = self._halves[number & 1]
        memory = self._memory
        memory[start + _HEAD.size : start + _HEAD.size + length] = payload
        _HEAD.pack_into(memory, start, length, zlib.crc32(payload, number & 0xFFFFFFFF))
        self._newest[0] = number

    def read(self) -> tuple[int, bytes] | None:
        """The newest value and its number; None before the first, or when it cannot be read whole."""
        for _ in range(_TRIES):
            number = self._newest[0]
            if not number:
                return None
            start = self._halves[number & 1]
            length, checksum = _HEAD.unpack_from(self._memory, start)
            if length <= self._capacity:
                payload = bytes(self._memory[start + _HEAD.size : start + _HEAD.size + length])
                if zlib.crc32(payload, number & 0xFFFFFFFF) == checksum:
                    return number, payload
        return None


def _aligned(size: int) -> int:
    return (size + 7) // 8 * 8
