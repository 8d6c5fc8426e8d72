"""Motors that answer as the description of their protocol says. Written apart from the codec under test."""

from __future__ import annotations

import math
import struct

from drivers.bus import BusCounters

TURN_COUNTS = 32768


def crc(data: bytes) -> bytes:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x8408 if value & 1 else 0)
    return struct.pack("<H", value)


def reply(
    identifier: int,
    *,
    mode: int = 0,
    torque: int = 0,
    velocity: int = 0,
    position: int = 0,
    temperature: int = 25,
    error: int = 0,
) -> bytes:
    """One reply, from counts."""
    body = struct.pack(
        "<2sBhhibH", b"\xfd\xee", identifier | mode << 4, torque, velocity, position, temperature, error | 0x7F8
    )
    return body + crc(body)


def command(identifier: int, mode: int, *counts: int) -> bytes:
    """One command, from counts: torque, velocity, position, kp, kd."""
    body = struct.pack("<2sBhhiHH", b"\xfe\xee", identifier | mode << 4, *(counts or (0,) * 5))
    return body + crc(body)


class FakeMotor:
    """One motor; what it says is told to it."""

    def __init__(self, identifier: int, output_rad: float = 0.0) -> None:
        self.identifier = identifier
        self.counts: dict[str, int] = {"position": round(output_rad * 6.33 / math.tau * TURN_COUNTS)}
        self.mode: int | None = None
        """What it says to do whatever it is told; None for what it is told."""
        self.is_silent = False
        self.heard: list[bytes] = []

    def answer(self, frame: bytes) -> bytes:
        identifier, told = frame[2] & 0xF, frame[2] >> 4
        if self.is_silent or identifier not in (self.identifier, 15):
            return b""
        self.heard.append(frame)
        return b"" if identifier == 15 else reply(self.identifier, mode=self.mode or told, **self.counts)


class FakeLine:
    """A half-duplex line: what is written goes to the motors, and what they say to it is read next.

    Attributes:
        echoes: Whether the adapter gives back what it sends.
        spoils: Ids whose answers arrive damaged.
        takes: Bytes of a write that the port accepts, None for all.
    """

    def __init__(self, *motors: FakeMotor) -> None:
        self.counters = BusCounters()
        self.motors = list(motors)
        self.written: list[bytes] = []
        self.pending = b""
        self.echoes = False
        self.spoils: set[int] = set()
        self.takes: int | None = None

    def write(self, data: bytes) -> int:
        if self.takes is not None:
            return self.takes
        self.written.append(data)
        assert len(data) == 17, "a second command would meet the answer to the first"
        if self.echoes:
            self.pending += data
        for motor in self.motors:
            answer = motor.answer(data)
            if answer and motor.identifier in self.spoils:
                answer = answer[:6] + bytes((answer[6] ^ 1,)) + answer[7:]
            self.pending += answer
        return len(data)

    def read(self, now_s: float) -> bytes:
        data, self.pending = self.pending, b""
        return data

    def close(self) -> None:
        self.pending = b""

    def told(self) -> list[tuple[int, int]]:
        """Id and mode of every command since the last call."""
        written, self.written = self.written, []
        return [(frame[2] & 0xF, frame[2] >> 4) for frame in written]
