"""What is tried, behind the same two functions: decoders and stream parsers here, devices in `device_subjects`.

Every subject judges what was accepted by rules of its own, which are not those of the code under test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from supervisor.core.errors import FrameError
from tests.fuzz.framings import Framing
from tests.fuzz.tally import Tally

TAIL_BYTES = 4096
"""Of a stream that are remembered, to find accepted frames in them: more than the longest frame and two inputs."""

CHECK_EVERY = 256
"""Inputs after which a stream parser must show that it still finds a good frame."""


class Subject(ABC):
    """One thing under test, with whatever state it has."""

    @abstractmethod
    def take(self, item: Any, known: set[bytes], tally: Tally) -> None:
        """Try one input and count what comes of it.

        Args:
            item: The input.
            known: Frames whose checksum was meant to be right.
            tally: Where to count.

        Raises:
            Exception: What the code under test raised, and should not have.
        """

    def finish(self, tally: Tally) -> None:  # noqa: B027 (most have nothing to add)
        """Count what is only known at the end."""


class DecoderSubject(Subject):
    """A pure function.

    Args:
        call: Takes an input; None for "not for us".
        is_sound: Whether this input may give this result.
        errors: Documented errors.
    """

    def __init__(
        self,
        call: Callable[[Any], object],
        is_sound: Callable[[Any, Any], bool],
        errors: tuple[type[Exception], ...] = (FrameError,),
    ) -> None:
        self._call = call
        self._is_sound = is_sound
        self._errors = errors

    def take(self, item: Any, known: set[bytes], tally: Tally) -> None:
        """Try one input."""
        try:
            result = self._call(item)
        except self._errors as error:
            tally.refuse(error)
            return
        if result is None:
            tally.rejected["not for us"] += 1
        elif not self._is_sound(item, result):
            tally.believed(item, result)
        else:
            tally.accepted += 1
            # Of bytes without a checksum nothing is known.
            if known and isinstance(item, bytes) and item not in known:
                tally.collisions += 1


class Parser(Protocol):
    """A stream parser."""

    def feed(self, data: bytes) -> Sequence[Any]:
        """Take bytes as they arrive."""
        ...


class StreamSubject(Subject):
    """A stream parser, and the decoders behind it.

    Args:
        parser: Fresh.
        framings: Of its protocol; none for a protocol without a checksum.
        raws_of: Bytes of a stream that an accepted packet can have come from.
        is_unchecked: Whether a packet says of itself that it carries no checksum.
        decode: Decoders behind the parser, with their documented errors caught.
        counters: Reasons and numbers of what the parser has thrown away.
        good: A frame that it must find whatever came before.
        longest: Bytes that it may keep unfinished.
    """

    def __init__(
        self,
        parser: Parser,
        framings: Sequence[Framing],
        raws_of: Callable[[Any, bytes], Sequence[bytes]],
        is_unchecked: Callable[[Any], bool],
        decode: Callable[[Any], object],
        counters: Callable[[Any], dict[str, int]],
        good: bytes,
        longest: int,
    ) -> None:
        self._parser = parser
        self._framings = tuple(framings)
        self._raws_of = raws_of
        self._is_unchecked = is_unchecked
        self._decode = decode
        self._counters = counters
        self._good = good
        self._longest = longest
        self._tail = b""
        self._number = 0

    def take(self, item: bytes, known: set[bytes], tally: Tally) -> None:
        """Feed one input, and judge every packet that it completes."""
        packets = self._parser.feed(item)
        self._tail = (self._tail + item)[-TAIL_BYTES:]
        for packet in packets:
            self._judge(packet, item, known, tally)
            self._decode(packet)
        self._number += 1
        kept = len(self._parser._rest)  # type: ignore[attr-defined]
        if kept > self._longest:
            tally.hung(item, f"keeps {kept} unfinished bytes, at most {self._longest} are a frame")
        if self._number % CHECK_EVERY == 0:
            self._listen(item, tally)

    def _judge(self, packet: Any, item: bytes, known: set[bytes], tally: Tally) -> None:
        raws = self._raws_of(packet, self._tail)
        if self._is_unchecked(packet):
            tally.rejected["carries no checksum"] += 1
        elif not raws:
            tally.believed(item, f"{packet} was not in the bytes")
        elif not self._framings:
            tally.accepted += 1
        elif any(framing.verifies(raw) for framing in self._framings for raw in raws):
            tally.accepted += 1
            tally.collisions += known.isdisjoint(raws)
        else:
            tally.believed(item, f"{packet} has no right checksum")

    def _listen(self, item: bytes, tally: Tally) -> None:
        """Whether a good frame is found behind enough bytes to end whatever was begun."""
        self._parser.feed(bytes(self._longest) + b"\r")
        found = [raw for packet in self._parser.feed(self._good) for raw in self._raws_of(packet, self._good)]
        self._tail = self._good
        if self._good not in found:
            tally.hung(item, "no longer finds a good frame")

    def finish(self, tally: Tally) -> None:
        """Count what was thrown away."""
        tally.rejected.update(self._counters(self._parser))
