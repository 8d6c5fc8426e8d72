"""What the safety core was given and rows do not hold, because it changes less often than every cycle.

    "HNDRLCHG" | schema, uint32 | entry | entry ...      all little endian
    entry: decision, uint32 | bytes, uint32 | kind, uint8 | is last piece, uint8 | - | crc32, uint32 | bytes

An entry holds from the decision with its number on, until the next of its kind. A large one comes in pieces. What the
bytes say is the business of `supervisor/runtime/changes.py`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from supervisor.core.errors import RecordError

SCHEMA = 1
PREAMBLE = b"HNDRLCHG" + struct.pack("<I", SCHEMA)

_HEAD = struct.Struct("<IIBBxx")
_CHECKSUM = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _CHECKSUM.size

MAXIMUM_BYTES = 100_000_000
"""An inventory of 30 motors takes 15 kB."""


class ChangeKind(IntEnum):
    """What an entry is about."""

    START = 0
    """What the core was made with."""
    OUTPUT = 1
    """The mission's output; no bytes for none."""
    SAME_PROPOSAL = 2
    """An output whose proposal is the very one of the last output with any: the gate does not look at it again."""
    INVENTORY = 3
    """What the devices have answered."""
    LATCH = 4
    """Why the latch was not on the disk when the core asked; no bytes when it was."""
    LOST = 5
    """Something the core was given could not be kept, and why: from here on nothing is certain."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry.

    Attributes:
        decision: Number of the first decision for which it holds.
        kind: What it is about.
        content: Its bytes.
    """

    decision: int
    kind: ChangeKind
    content: bytes


@dataclass(frozen=True, slots=True)
class Changes:
    """All entries, as far as they can be read.

    Attributes:
        entries: In order.
        problem: Why there may have been more, "" when these are all.
    """

    entries: tuple[Change, ...]
    problem: str


def pieces(change: Change, most: int = MAXIMUM_BYTES) -> Iterator[bytes]:
    """An entry as it is written.

    Args:
        change: The entry.
        most: Bytes of content in a piece.
    """
    content = change.content
    for start in range(0, max(len(content), 1), most):
        piece = content[start : start + most]
        is_last = start + most >= len(content)
        head = _HEAD.pack(change.decision, len(piece), change.kind, is_last)
        yield head + _CHECKSUM.pack(zlib.crc32(piece, zlib.crc32(head))) + piece


def unpadded(piece: bytes) -> bytes:
    """A piece out of a place that is larger than it."""
    return piece[: HEAD_BYTES + _HEAD.unpack_from(piece)[1]]


def decision_of(piece: bytes) -> int:
    """From which decision on a piece holds."""
    return _HEAD.unpack_from(piece)[0]


def read_changes(path: Path) -> Changes:
    """Read a file of changes. What is damaged or cut off ends it, and is told.

    Raises:
        RecordError: Missing, no such file, or of another version.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None
    if not raw.startswith(PREAMBLE):
        raise RecordError(f"{path} holds no changes of this version: it begins with {raw[: len(PREAMBLE)]!r}")
    entries: list[Change] = []
    at, parts = len(PREAMBLE), b""
    while at < len(raw):
        try:
            decision, size, kind, is_last = _HEAD.unpack_from(raw, at)
            (checksum,) = _CHECKSUM.unpack_from(raw, at + _HEAD.size)
            piece = raw[at + HEAD_BYTES : at + HEAD_BYTES + size]
            if len(piece) != size or zlib.crc32(piece, zlib.crc32(raw[at : at + _HEAD.size])) != checksum:
                return Changes(tuple(entries), f"{path.name} is damaged or cut off at byte {at}")
            # What was lost may be the end of an entry.
            parts = piece if kind == ChangeKind.LOST else parts + piece
            if is_last:
                entries.append(Change(decision, ChangeKind(kind), parts))
                parts = b""
        except (struct.error, ValueError) as error:
            return Changes(tuple(entries), f"{path.name} is damaged or cut off at byte {at}: {error}")
        at += HEAD_BYTES + size
    return Changes(tuple(entries), "")
