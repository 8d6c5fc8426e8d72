"""What crosses the socket between the control process and the guardian: three messages one way, one the other.

Each ends in a token, a checksum of all before it that begins with a secret drawn at random for each run. The token is
there for faults, and not against enemies: memory that was overwritten, a message of another run, a program that sends
beats without having judged. A keyed hash would cost the control loop two to four microseconds more in each cycle.
"""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import Final, NamedTuple

KEY_BYTES: Final = 16
TOKEN: Final = struct.Struct("<I")

BODY: Final = struct.Struct("<BBBBxxxxQQQd")
"""Kind, level, arming and whether at rest; sequence; guards evaluated, guards tripped; stamp."""

SEQUENCE: Final = struct.Struct("<Q")
SEQUENCE_AT: Final = 8
"""The sequence in a body."""

ECHO_BODY: Final = struct.Struct("<BBBBxxxxQ")
"""Kind, phase, fault, whether latched; the sequence heard last."""

BEAT_BYTES: Final = BODY.size + TOKEN.size
ECHO_BYTES: Final = ECHO_BODY.size + TOKEN.size

LONGEST: Final = 4096
MOST_DESCRIPTORS: Final = 64

MOST_GUARDS: Final = 64
"""Bits of a bitmap."""


class Kind(IntEnum):
    """What a message is."""

    BEAT = 1
    """One control cycle was judged and carried out."""
    FAREWELL = 2
    """The control process ends, with the robot off."""
    HELLO = 3
    """The control process begins; with it come descriptors of itself and of the lines that have one owner."""
    ECHO = 4
    """The guardian lives, and what it thinks."""


class Beat(NamedTuple):
    """One beat, or the farewell.

    Attributes:
        kind: BEAT or FAREWELL.
        level: Value of the `Level` in force.
        arming: Place of the `ArmingState` among its kind.
        is_at_rest: Whether a stop has come to its end and the motors are off.
        sequence: 1 for the first, one more for each.
        evaluated: A bit for each guard of this cycle's board that was evaluated, in the order of the board.
        tripped: A bit for each that is tripped.
        stamp_s: When the cycle began, CLOCK_MONOTONIC.
    """

    kind: Kind
    level: int
    arming: int
    is_at_rest: bool
    sequence: int
    evaluated: int
    tripped: int
    stamp_s: float


class Echo(NamedTuple):
    """What the guardian says of itself.

    Attributes:
        phase: Value of its `Phase`.
        fault: Value of its `Fault`; 0 for none.
        is_latched: Whether a stop is latched, by this guardian or an earlier one.
        sequence: Of the newest good beat.
    """

    phase: int
    fault: int
    is_latched: bool
    sequence: int


class Tokens:
    """Makes and checks tokens.

    Args:
        key: `KEY_BYTES` bytes that both sides know.

    Attributes:
        seed: What a token's checksum begins with, instead of 0.
    """

    __slots__ = ("seed",)

    def __init__(self, key: bytes) -> None:
        self.seed = zlib.crc32(key)

    def of(self, body: bytes | memoryview) -> bytes:
        """The token of a body."""
        return TOKEN.pack(zlib.crc32(body, self.seed))

    def body(self, raw: bytes) -> bytes:
        """What a message says: nothing where its token does not belong to it."""
        body, token = raw[: -TOKEN.size], raw[-TOKEN.size :]
        return body if token == self.of(body) else b""


def sealed(tokens: Tokens, body: bytes) -> bytes:
    """A body with its token."""
    return body + tokens.of(body)


def beat_body(beat: Beat) -> bytes:
    """A beat as bytes, without the token."""
    return BODY.pack(
        beat.kind, beat.level, beat.arming, beat.is_at_rest, beat.sequence, beat.evaluated, beat.tripped, beat.stamp_s
    )


def read_beat(body: bytes) -> Beat | None:
    """A beat from its bytes, without the token; None where they are none."""
    if len(body) != BODY.size:
        return None
    kind, level, arming, is_at_rest, sequence, evaluated, tripped, stamp_s = BODY.unpack(body)
    if kind not in (Kind.BEAT, Kind.FAREWELL) or is_at_rest > 1:
        return None
    return Beat(Kind(kind), level, arming, bool(is_at_rest), sequence, evaluated, tripped, stamp_s)


def hello_body(lines: tuple[str, ...]) -> bytes:
    """The hello as bytes, without the token.

    Args:
        lines: Names of the buses whose descriptors come with it, after that of the process itself.
    """
    return bytes([Kind.HELLO]) + "\0".join(lines).encode()


def read_hello(body: bytes) -> tuple[str, ...] | None:
    """The names of a hello, each once; None where it is none."""
    if not body or body[0] != Kind.HELLO:
        return None
    try:
        text = body[1:].decode()
    except UnicodeDecodeError:
        return None
    names = tuple(text.split("\0")) if text else ()
    return names if len(set(names)) == len(names) else None


def echo_body(echo: Echo) -> bytes:
    """An echo as bytes, without the token."""
    return ECHO_BODY.pack(Kind.ECHO, echo.phase, echo.fault, echo.is_latched, echo.sequence)


def read_echo(body: bytes) -> Echo | None:
    """An echo from its bytes, without the token; None where they are none."""
    if len(body) != ECHO_BODY.size:
        return None
    kind, phase, fault, is_latched, sequence = ECHO_BODY.unpack(body)
    return Echo(phase, fault, bool(is_latched), sequence) if kind == Kind.ECHO else None
