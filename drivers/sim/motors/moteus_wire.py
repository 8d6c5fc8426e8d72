"""What a simulated moteus makes of a frame: subframes taken apart, replies put together, and its console.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

FLOAT: Final = 3
"""Resolution that is not counted."""

_TOPS: Final = (0x7F, 0x7FFF, 0x7FFF_FFFF)
_LENGTHS: Final = (*range(9), 12, 16, 20, 24, 32, 48, 64)
_PADDING: Final = b"\x50"
_MOST: Final = 64
"""Registers in one subframe."""

_LONGEST_KEPT: Final = 4096
"""Bytes of text that are kept for a host that does not ask for them."""

# What one count stands for, by resolution; registers in no row hold whole numbers.
_SCALES: Final[Mapping[tuple[int, ...], tuple[float, float, float]]] = {
    (0x001, 0x006, 0x020, 0x026, 0x130, 0x131): (0.01, 0.0001, 0.00001),
    (0x002, 0x021, 0x028): (0.1, 0.00025, 0.00001),
    (0x003, 0x022, 0x025): (0.5, 0.01, 0.001),
    (0x004, 0x005, 0x00A, 0x00E): (1.0, 0.1, 0.001),
    (0x007,): (10.0, 0.05, 0.0001),
    (0x00D,): (0.5, 0.1, 0.001),
    (0x023, 0x024, 0x02B): (1.0 / 127.0, 1.0 / 32767.0, 1.0 / 2147483647.0),
    (0x027,): (0.01, 0.001, 0.000001),
    (0x029,): (0.05, 0.001, 0.00001),
}
_SCALE_OF: Final = {register: scales for registers, scales in _SCALES.items() for register in registers}


class Write(NamedTuple):
    """Neighbouring registers to be set; NaN where the host sent the most negative count of a scaled one."""

    register: int
    values: Sequence[float]


class Read(NamedTuple):
    """Neighbouring registers to be told, and how."""

    register: int
    amount: int
    resolution: int


class Say(NamedTuple):
    """Text typed into the console."""

    text: bytes


class Listen(NamedTuple):
    """A wish for so many bytes of the console's output."""

    channel: int
    size: int


def subframes(data: bytes) -> Iterator[Write | Read | Say | Listen]:
    """What a frame asks for, in order. What is damaged ends it."""
    at, end = 0, len(data)
    try:
        while at < end:
            head = data[at]
            at += 1
            kind, resolution = head & 0xF0, head >> 2 & 3
            if kind in (0x00, 0x10):
                amount, at = (head & 3, at) if head & 3 else _number_at(data, at)
                register, at = _number_at(data, at)
                if kind == 0x10:
                    yield Read(register, amount, resolution)
                    continue
                block = _block(register, min(amount, _MOST), resolution)
                yield Write(register, block.values(data, at))
                at += block.layout.size
            elif head == 0x40:
                _, at = _number_at(data, at)
                size, at = _number_at(data, at)
                yield Say(data[at : at + size])
                at += size
            elif head == 0x42:
                channel, at = _number_at(data, at)
                size, at = _number_at(data, at)
                yield Listen(channel, size)
            elif head != 0x50:
                return
    except (IndexError, struct.error):
        return


def tell(read: Read, values: Mapping[int, float]) -> bytes:
    """The answer to a wish for registers: in one piece where all are there, with an error for each that is not."""
    register, amount, resolution = read[0], min(read[1], _MOST), read[2]
    try:
        return _block(register, amount, resolution).told(values)
    except KeyError:
        pass
    parts: list[bytes] = []
    for number in range(register, register + amount):
        is_there = number in values
        parts.append(_block(number, 1, resolution).told(values) if is_there else b"\x31" + _number(number) + b"\x01")
    return b"".join(parts)


def refuse_write(register: int) -> bytes:
    """What comes back for a value that cannot be set."""
    return b"\x30" + _number(register) + b"\x02"


def padded(data: bytes) -> bytes | None:
    """Data filled up to a length of CAN FD; None where it is too long for one frame."""
    size = next((length for length in _LENGTHS if length >= len(data)), None)
    return None if size is None else data.ljust(size, _PADDING)


class Console:
    """One controller's console, where settings are read and written.

    Args:
        settings: By name, as kept in flash.
    """

    def __init__(self, settings: Mapping[str, float]) -> None:
        self._flash = dict(settings)
        self.settings = dict(settings)
        """As they are now."""
        self._typed = b""
        self._output = b""

    def type(self, text: bytes) -> None:
        """Take what was typed, and act on whole lines."""
        *lines, self._typed = (self._typed + text).split(b"\n")
        for line in lines:
            self._output = (self._output + self._answer(line.decode("latin-1").split()))[-_LONGEST_KEPT:]

    def listen(self, channel: int, size: int) -> bytes:
        """The next bytes of the output, as a subframe."""
        text = b""
        if channel == 1:
            text, self._output = self._output[: min(size, 61)], self._output[min(size, 61) :]
        return bytes((0x41, channel & 0x7F, len(text))) + text

    def restart(self) -> None:
        """Forget what was never written to flash."""
        self.settings = dict(self._flash)
        self._typed = self._output = b""

    def _answer(self, words: list[str]) -> bytes:
        if words[:2] == ["conf", "get"] and len(words) == 3 and words[2] in self.settings:
            return b"%s\r\n" % _shown(self.settings[words[2]])
        if words[:2] == ["conf", "set"] and len(words) == 4 and words[2] in self.settings:
            try:
                self.settings[words[2]] = float(words[3])
            except ValueError:
                return b"ERR error setting\r\n"
            return b"OK\r\n"
        if words == ["conf", "write"]:
            self._flash = dict(self.settings)
            return b"OK\r\n"
        return b"OK\r\n" if words == ["tel", "stop"] else b"ERR unknown command\r\n"


class _Block:
    """Neighbouring registers in one resolution."""

    def __init__(self, register: int, amount: int, resolution: int) -> None:
        self.layout = struct.Struct(f"<{amount}{'bhif'[resolution]}")
        self._registers = range(register, register + amount)
        self._scales = [
            None if resolution == FLOAT else _SCALE_OF.get(n, (0.0, 0.0, 0.0))[resolution] for n in self._registers
        ]
        """None: as it is; 0: a whole number."""
        kind = 0x20 | resolution << 2
        self._head = (bytes((kind | amount,)) if amount <= 3 else bytes((kind, amount))) + _number(register)
        self._top = 0 if resolution == FLOAT else _TOPS[resolution]

    def values(self, data: bytes, at: int) -> list[float]:
        """What the host has sent."""
        raw, nothing = self.layout.unpack_from(data, at), -self._top - 1
        return [
            number if not scale else math.nan if number == nothing else number * scale
            for number, scale in zip(raw, self._scales, strict=True)
        ]

    def told(self, values: Mapping[int, float]) -> bytes:
        """What the host is told."""
        raw = [self._raw(values[n], scale) for n, scale in zip(self._registers, self._scales, strict=True)]
        return self._head + self.layout.pack(*raw)

    def _raw(self, value: float, scale: float | None) -> float:
        top = self._top
        if scale is None:
            return value
        if not scale:
            # Whole numbers are cut to size, as the firmware's cast does.
            return (int(value) + top + 1) % (2 * top + 2) - top - 1
        return -top - 1 if value != value else int(min(max(value / scale, -top), top))


@lru_cache(maxsize=1024)
def _block(register: int, amount: int, resolution: int) -> _Block:
    return _Block(register, amount, resolution)


def _number_at(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits per byte, the lowest first, and where the next byte is."""
    value = 0
    for place in range(5):
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise IndexError


def _number(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80,)) + _number(value >> 7)


def _shown(value: float) -> bytes:
    return b"nan" if math.isnan(value) else b"%f" % value
