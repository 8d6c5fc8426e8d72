"""Rows from one process to others, in order, without a lock: the newest for some, every single one for the recorder.

    written: uint64 | for each place: [ number: uint64, checksum: uint32, - : uint32, row ]

A row is complete once `written` counts it. A reader that falls behind by more than the ring holds has lost rows, and
knows how many.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

_PLACE: Final = struct.Struct("<QII")
HEAD_BYTES: Final = 16
"""In front of the places; `written` is its first eight bytes."""


class Ring:
    """Rows of one size, in places that are used over and over.

    Args:
        memory: `Ring.size(row_bytes, places)` bytes, zero at first.
        row_bytes: Size of a row, a multiple of 8.
        places: How many rows are kept.
    """

    __slots__ = ("_memory", "_places", "_row_bytes", "_stride", "_written")

    def __init__(self, memory: memoryview, row_bytes: int, places: int) -> None:
        self._memory = memory
        self._row_bytes = row_bytes
        self._places = places
        self._stride = _PLACE.size + row_bytes
        self._written = memory[:8].cast("Q")

    @staticmethod
    def size(row_bytes: int, places: int) -> int:
        """Bytes of memory that a ring needs."""
        return HEAD_BYTES + places * (_PLACE.size + row_bytes)

    @property
    def written(self) -> int:
        """Rows published so far."""
        return self._written[0]

    @property
    def places(self) -> int:
        """How many rows are kept."""
        return self._places

    @property
    def rows_start(self) -> int:
        """Offset of the first place's row."""
        return HEAD_BYTES + _PLACE.size

    @property
    def stride(self) -> int:
        """From one row to the next."""
        return self._stride

    @property
    def memory(self) -> memoryview:
        """All of it, for who writes rows in place."""
        return self._memory

    @property
    def next_place(self) -> int:
        """Where the next row is to be written, before `publish`."""
        return self._written[0] % self._places

    def publish(self) -> None:
        """Make the row in `next_place` the newest. One process only."""
        number = self._written[0] + 1
        start = HEAD_BYTES + (number - 1) % self._places * self._stride
        first = start + _PLACE.size
        checksum = zlib.crc32(self._memory[first : first + self._row_bytes], number & 0xFFFFFFFF)
        _PLACE.pack_into(self._memory, start, number, checksum, 0)
        self._written[0] = number

    def append(self, row: bytes) -> None:
        """Copy a row into the next place and publish it. One process only."""
        start = HEAD_BYTES + self.next_place * self._stride + _PLACE.size
        self._memory[start : start + self._row_bytes] = row
        self.publish()

    def newest(self) -> tuple[int, bytes] | None:
        """The newest row and its number, from 1; None before the first, or when it cannot be read whole."""
        number = self._written[0]
        while number:
            row = self.row(number)
            if row is not None or self._written[0] == number:
                return None if row is None else (number, row)
            number = self._written[0]
        return None

    def row(self, number: int) -> bytes | None:
        """A row by its number, from 1; None when it is not written yet, written over, or not whole."""
        if not 0 < number <= self._written[0]:
            return None
        start = HEAD_BYTES + (number - 1) % self._places * self._stride
        found, checksum, _ = _PLACE.unpack_from(self._memory, start)
        first = start + _PLACE.size
        row = bytes(self._memory[first : first + self._row_bytes])
        is_whole = found == number and zlib.crc32(row, number & 0xFFFFFFFF) == checksum
        return row if is_whole else None


class RingReader:
    """Takes every row of a ring, in order.

    Args:
        ring: The ring.

    Attributes:
        lost: Rows that were written over before they were taken, or could not be read whole.
    """

    __slots__ = ("_next", "_ring", "lost")

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._next = 1
        self.lost = 0

    @property
    def number(self) -> int:
        """Number of the row taken last."""
        return self._next - 1

    def take(self, most: int) -> list[bytes]:
        """The next rows, oldest first.

        Args:
            most: At most so many.
        """
        rows: list[bytes] = []
        ring = self._ring
        written = ring.written
        oldest = written - ring.places + 1
        if self._next < oldest:
            self.lost += oldest - self._next
            self._next = oldest
        while self._next <= written and len(rows) < most:
            row = ring.row(self._next)
            self._next += 1
            if row is None:
                self.lost += 1
            else:
                rows.append(row)
        return rows
