"""Asking a bus who is on it, one id after the other. Nothing is energised, though some makes go limp when asked."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from drivers.bus import CanBus, Frame, SerialPort

CAN_WAIT_S: Final = 0.006
"""How long an answer may take: a frame takes 0.2 ms, a USB adapter some milliseconds."""

SERIAL_WAIT_S: Final = 0.02
"""The same on a serial line, where an adapter may hold bytes back for 16 ms."""

LISTEN_S: Final = 1.2
"""Long enough to hear what speaks by itself once a second."""


@dataclass(frozen=True, slots=True)
class CanScan:
    """How one make is asked who it is, on CAN.

    Attributes:
        ask: The question to one id.
        recognise: What a frame says of the motor that was asked ("feedback id 17"), None when it is no answer of it.
        remark: What the question does to a motor, "" for nothing.
    """

    ask: Callable[[int], Frame]
    recognise: Callable[[int, Frame], str | None]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class SerialScan:
    """How one make is asked who it is, on a serial line.

    Attributes:
        ask: The question to one id.
        recognise: What all the bytes that came back say of motors with that id, one text each.
        remark: What the question does to a motor, "" for nothing.
    """

    ask: Callable[[int], bytes]
    recognise: Callable[[int, bytes], Sequence[str]]
    remark: str = ""


class Found(NamedTuple):
    """What answered under one id.

    Attributes:
        make: Which make was asked for.
        id: The id that was asked.
        details: What it said of itself, once per answer: more than one answer is more than one motor.
    """

    make: str
    id: int
    details: tuple[str, ...]


Scanning = Generator[None, float, list[Found]]
"""A scan, resumed once a cycle with `send(now_s)`."""


def scan_can(bus: CanBus, make: str, scan: CanScan, ids: Iterable[int]) -> Scanning:
    """Ask every id on a CAN bus, and wait for each."""
    found: list[Found] = []
    now_s = yield
    bus.receive(now_s)
    for identifier in ids:
        bus.send((scan.ask(identifier),))
        deadline_s = now_s + CAN_WAIT_S
        details: list[str] = []
        while now_s < deadline_s:
            now_s = yield
            answers = (scan.recognise(identifier, frame) for frame in bus.receive(now_s))
            details += (answer for answer in answers if answer is not None)
        if details:
            found.append(Found(make, identifier, tuple(details)))
    return found


def scan_serial(port: SerialPort, make: str, scan: SerialScan, ids: Iterable[int]) -> Scanning:
    """Ask every id on a serial line, and wait for each."""
    found: list[Found] = []
    now_s = yield
    port.read(now_s)
    for identifier in ids:
        port.write(scan.ask(identifier))
        deadline_s = now_s + SERIAL_WAIT_S
        heard = b""
        while now_s < deadline_s:
            now_s = yield
            heard += port.read(now_s)
        details = scan.recognise(identifier, heard)
        if details:
            found.append(Found(make, identifier, tuple(details)))
    return found


def nobody() -> Scanning:
    """A scan that asks nobody."""
    yield
    return []


def listen(bus: CanBus) -> Generator[None, float, dict[int, int]]:
    """Say nothing, and count what speaks by itself.

    Returns:
        Frames heard, by identifier; 29-bit ones have bit 31 set.
    """
    heard: dict[int, int] = {}
    now_s = yield
    deadline_s = now_s + LISTEN_S
    while now_s < deadline_s:
        for frame in bus.receive(now_s):
            key = frame.arbitration_id | frame.is_extended << 31
            heard[key] = heard.get(key, 0) + 1
        now_s = yield
    return heard
