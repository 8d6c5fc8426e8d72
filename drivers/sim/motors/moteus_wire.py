"""What a simulated moteus makes of a frame: subframes taken apart, replies put together, and its console.

Written from the protocol's description and not from the host's codec: a mistake there must not cancel out here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

INT8, INT16, INT32, FLOAT = range(4)
_LAYOUTS: Final = ("<b", "<h", "<i", "<f")
_TOPS: Final = (0x7F, 0x7FFF, 0x7FFF_FFFF)
_LENGTHS: Final = (*range(9), 12, 16, 20, 24, 32, 48, 64)
_PADDING: Final = b"\x50"
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
    """A register to be set; NaN where the host sent the most negative count of a scaled one."""

    register: int
    value: float


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
    rest = _Bytes(data)
    try:
        while rest:
            head = rest.byte()
            kind, resolution = head & 0xF0, head >> 2 & 3
            if kind in (0x00, 0x10):
                count = head & 3 or rest.number()
                first = rest.number()
                if kind == 0x10:
                    yield Read(first, count, resolution)
                    continue
                for register in range(first, first + count):
                    yield Write(register, _read_value(register, resolution, rest.value(resolution)))
            elif head == 0x40:
                rest.number()
                yield Say(rest.take(rest.number()))
            elif head == 0x42:
                yield Listen(rest.number(), rest.number())
            elif head != 0x50:
                return
    except IndexError:
        return


def tell(read: Read, values: Mapping[int, float]) -> bytes:
    """The answer to a wish for registers: in one piece where all are there, with an error for each that is not."""
    numbers = range(read.register, read.register + read.amount)
    if read.amount <= 64 and all(number in values for number in numbers):
        return _head(read) + b"".join(_write_value(n, read.resolution, values[n]) for n in numbers)
    parts: list[bytes] = []
    for number in numbers[:64]:
        if number in values:
            one = Read(number, 1, read.resolution)
            parts.append(_head(one) + _write_value(number, read.resolution, values[number]))
        else:
            parts.append(b"\x31" + _number(number) + b"\x01")
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


class _Bytes:
    """A frame that is read from front to back; IndexError where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise IndexError
        self._at += size
        return self._data[self._at - size : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Seven bits per byte, the lowest first."""
        value = 0
        for place in range(5):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                return value
        raise IndexError

    def value(self, resolution: int) -> float:
        layout = _LAYOUTS[resolution]
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]


def _number(value: int) -> bytes:
    return bytes((value,)) if value < 0x80 else bytes((value & 0x7F | 0x80,)) + _number(value >> 7)


def _head(read: Read) -> bytes:
    kind = 0x20 | read.resolution << 2
    return bytes((kind | read.amount,) if read.amount <= 3 else (kind, read.amount)) + _number(read.register)


def _read_value(register: int, resolution: int, raw: float) -> float:
    scales = _SCALE_OF.get(register)
    if scales is None or resolution == FLOAT:
        return raw
    return math.nan if raw == -_TOPS[resolution] - 1 else raw * scales[resolution]


def _write_value(register: int, resolution: int, value: float) -> bytes:
    if resolution == FLOAT:
        return struct.pack("<f", value)
    top, scales = _TOPS[resolution], _SCALE_OF.get(register)
    if scales is None:
        # Whole numbers are cut to size, as the firmware's cast does.
        span = 2 * top + 2
        return struct.pack(_LAYOUTS[resolution], (int(value) + top + 1) % span - top - 1)
    if math.isnan(value):
        return struct.pack(_LAYOUTS[resolution], -top - 1)
    return struct.pack(_LAYOUTS[resolution], int(min(max(value / scales[resolution], -top), top)))


def _shown(value: float) -> bytes:
    return b"nan" if math.isnan(value) else b"%f" % value
