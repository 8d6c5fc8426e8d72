"""Inputs for the campaign: seeded, made in batches, each batch again from its number alone.

What is mutated are the bytes and frames of the vector files, which independent implementations made.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from drivers.bus import Frame
from tests.fuzz.framings import Framing

VECTORS = Path(__file__).resolve().parents[1] / "data" / "vectors"

INTERESTING = (0x00, 0x01, 0x20, 0x24, 0x55, 0x5A, 0x7F, 0x80, 0xA5, 0xAA, 0xEE, 0xFA, 0xFD, 0xFE, 0xFF)
"""Smallest, largest, and the bytes that protocols begin their frames with."""

LARGEST_GARBAGE = 1500
"""Bytes of the longest random input: more than any frame of any protocol but Xsens' longest."""

_DRAW_BYTES = 16
_POOL_BYTES = 1 << 14


@cache
def protocols() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Cases of every vector file, by protocol."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(VECTORS.glob("*.json"))]
    return {document["protocol"]: document["cases"] for document in documents}


@cache
def messages(*names: str) -> tuple[bytes, ...]:
    """The byte strings in the vectors of some protocols; of all where none is named."""
    found = [case["bytes"] for name in names or protocols() for case in protocols()[name] if "bytes" in case]
    return tuple(dict.fromkeys(bytes.fromhex(text) for text in found if text))


@cache
def frames(*names: str) -> tuple[Frame, ...]:
    """The CAN frames in the vectors of some protocols; of all where none is named."""
    found = [case["frame"] for name in names or protocols() for case in protocols()[name] if "frame" in case]
    return tuple(
        dict.fromkeys(
            Frame(frame["arbitration_id"], bytes.fromhex(frame["data"]), frame["is_extended"], frame["is_fd"])
            for frame in found
        )
    )


@dataclass
class Batch:
    """Inputs of one kind.

    Attributes:
        items: Byte strings, or CAN frames.
        known: Frames with a checksum that was meant to be right: the corpus' own, and those that were sealed.
    """

    items: Sequence[Any]
    known: set[bytes] = field(default_factory=set)


class Dice:
    """Random numbers of one batch, drawn at once. Only `Random.randbytes`, which no version has changed."""

    def __init__(self, seed: int, number: int, count: int) -> None:
        dice = random.Random(f"{seed}/{number}")
        self._draws = dice.randbytes(_DRAW_BYTES * count)
        self.pool = dice.randbytes(_POOL_BYTES)

    def __iter__(self) -> Iterator[tuple[int, int, int, int]]:
        """Four numbers of 32 bits per input."""
        words = memoryview(self._draws).cast("I").tolist()
        return zip(words[::4], words[1::4], words[2::4], words[3::4], strict=True)

    def noise(self, draw: int, size: int) -> bytes:
        """Random bytes: a piece of the pool."""
        at = draw % (_POOL_BYTES - size)
        return self.pool[at : at + size]


class ByteSource:
    """Makes byte strings, for decoders and stream parsers.

    Args:
        corpus: What is mutated.
        framings: Whose checksums are made right again after some of the mutations.
    """

    def __init__(self, corpus: Sequence[bytes], framings: Sequence[Framing] = ()) -> None:
        self.corpus = tuple(corpus)
        self.framings = tuple(framings)
        self._heads = tuple(head for framing in framings for head in framing.heads) or (b"",)
        found = [(frame, framing) for framing in framings for data in corpus for frame in framing.sound_frames(data)]
        self._sound = tuple(dict.fromkeys(found))
        self._known = {frame for frame, _ in self._sound}
        self._foreign = messages()

    def batch(self, seed: int, number: int, count: int) -> Batch:
        """One batch."""
        dice = Dice(seed, number, count)
        batch = Batch([], set(self._known))
        batch.items = [self._make(dice, batch.known, draws) for draws in dice]
        return batch

    def _make(self, dice: Dice, known: set[bytes], draws: tuple[int, int, int, int]) -> bytes:
        kind, a, b, c = draws
        corpus = self.corpus
        data = corpus[a % len(corpus)]
        at = b % len(data)
        kind %= 20
        if kind < 5:
            made = bytearray(data)
            if kind < 3:
                made[at] ^= 1 << c % 8
            else:
                made[at] = INTERESTING[c % len(INTERESTING)]
            return bytes(made)
        if kind < 10:
            return self._sealed(known, draws)
        if kind == 10:
            return data[:at]
        if kind == 11:
            return data[:at] + dice.noise(c, 1 + c % 8) + data[at:]
        if kind == 12:
            return data[:at] + data[at + 1 + c % 8 :]
        other = corpus[c % len(corpus)]
        if kind == 13:
            return data[:at] + other[c % len(other) :]
        if kind == 14:
            # The first is cut short by the second.
            return data[:at] + other
        if kind == 15:
            return data + other
        if kind == 16:
            return dice.noise(b, c % 64)
        if kind == 17:
            return self._heads[a % len(self._heads)] + dice.noise(b, c % 64)
        if kind == 18:
            return self._foreign[c % len(self._foreign)]
        return dice.noise(b, c % LARGEST_GARBAGE) if a % 16 == 0 else data

    def _sealed(self, known: set[bytes], draws: tuple[int, int, int, int]) -> bytes:
        """A frame with another content and the checksum that belongs to it, so that it reaches what lies behind."""
        kind, a, b, c = draws
        if not self._sound:
            data = bytearray(self.corpus[a % len(self.corpus)])
            data[b % len(data)] = c & 0xFF
            return bytes(data)
        frame, framing = self._sound[a % len(self._sound)]
        made = bytearray(frame)
        # The head stays, and mostly the length: not always, for that one byte is any of them.
        made[len(framing.heads[0]) + b % (len(frame) - len(framing.heads[0]))] = c & 0xFF
        if kind & 0x100:
            made[b % len(frame)] = c >> 8 & 0xFF
            made[:2] = frame[:2]
        if kind & 0x200:
            made[-1 - (c >> 16) % (len(frame) - 4)] = c >> 24
        sealed = framing.seal(bytes(made))
        known.add(sealed)
        return sealed


class FrameSource:
    """Makes CAN frames.

    Args:
        corpus: What is mutated.
        good: Identifiers that are listened to, as identifier and whether it is extended.
        is_fd: Whether frames of CAN FD are the usual ones.
    """

    def __init__(self, corpus: Sequence[Frame], good: Sequence[tuple[int, bool]] = (), *, is_fd: bool = False) -> None:
        self.corpus = tuple(corpus)
        self.good = tuple(good) or tuple(dict.fromkeys((frame[0], frame[2]) for frame in corpus))
        self._is_fd = is_fd

    def batch(self, seed: int, number: int, count: int) -> Batch:
        """One batch."""
        dice = Dice(seed, number, count)
        made = [self._make(dice, draws) for draws in dice]
        return Batch(made)

    def _make(self, dice: Dice, draws: tuple[int, int, int, int]) -> Frame:
        kind, a, b, c = draws
        identifier, data, is_extended, is_fd, stamp_s = self.corpus[a % len(self.corpus)]
        kind %= 16
        if kind < 3 and data:
            made = bytearray(data)
            made[b % len(data)] ^= 1 << c % 8
            data = bytes(made)
        elif kind < 5 and data:
            made = bytearray(data)
            made[b % len(data)] = INTERESTING[c % len(INTERESTING)]
            data = bytes(made)
        elif kind < 9:
            identifier, is_extended = self.good[b % len(self.good)]
            data = data if kind < 7 else dice.noise(c, len(data) or 8)
        elif kind == 9:
            identifier ^= 1 << b % (29 if is_extended else 11)
        elif kind == 10:
            data = data[: b % (len(data) + 1)]
        elif kind == 11:
            data += dice.noise(c, 1 + b % 8)
        elif kind == 12:
            is_extended, is_fd = (not is_extended, is_fd) if b & 1 else (is_extended, not is_fd)
        elif kind == 13:
            other = self.corpus[b % len(self.corpus)].data
            data = data[: c % (len(data) + 1)] + other[c % (len(other) + 1) :]
        elif kind == 14:
            is_extended, is_fd = bool(c & 1), bool(c & 2)
            identifier = b & 0x1FFFFFFF if is_extended else b & 0x7FF
            data = dice.noise(a, c % 65 if is_fd else c % 9)
        elif c & 1:
            identifier, is_extended = self.good[b % len(self.good)]
            data = dice.noise(c, (b >> 8) % (65 if self._is_fd else 9))
        return Frame(identifier, data, is_extended, is_fd, stamp_s)
