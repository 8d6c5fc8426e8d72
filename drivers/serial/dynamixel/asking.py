"""Asking one servo something, again where no answer comes. Nothing blocks: every wait is a `yield`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, Protocol

from drivers.devices import WiredMotor
from drivers.serial.dynamixel import codec
from drivers.serial.dynamixel import instructions as make
from drivers.serial.dynamixel import tables as t
from drivers.serial.dynamixel.line import Question, ServoLine
from drivers.serial.dynamixel.settings import RegisterChange, needed_changes
from drivers.serial.dynamixel.tables import Register, ServoModel

Facts = dict[str, float | str]
Waiting = Generator[None, float, float]
"""A wait; returns the time at its end."""

Reading = Generator[None, float, tuple[float, int | None]]
"""A read or write; returns the time, and the value: None when nothing came back, or an error."""

LONGEST_WAIT_S: Final = 0.2
"""How long a question may wait for its cycle, which is the next but one at most."""

WRITES: Final = 3
"""How often a write is repeated that does not show when it is read back."""


class MotorLine(Protocol):
    """One servo, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which motor it is."""
        ...

    @property
    def line(self) -> ServoLine:
        """What it is wired to."""
        ...

    @property
    def block_s(self) -> float:
        """Arrival of its newest cycle block."""
        ...

    @property
    def block(self) -> Any:
        """Its newest cycle block; see `BLOCK`."""
        ...

    def expect_watchdog(self, count: int | None) -> None:
        """From now on a block with another watchdog is of a servo that has lost its settings; None for any."""
        ...


class Probed:
    """What is known of one servo so far.

    Args:
        line: How it is reached.
        servo: Its model, by the robot file.
    """

    def __init__(self, line: MotorLine, servo: ServoModel) -> None:
        self.line = line
        self.servo = servo
        self.id = line.motor.config.id
        self.found: dict[Register, int] = {}
        self.facts: Facts = {"make": line.motor.config.make, "model": servo.name}
        self.problems: list[str] = []

    @property
    def changes(self) -> Sequence[RegisterChange]:
        """What must be set otherwise."""
        return tuple(needed_changes(self.servo, self.found))


def ask(
    probed: Probed, packet: bytes, size: int, now_s: float, attempts: int = t.ATTEMPTS
) -> Generator[None, float, tuple[float, codec.Status | None]]:
    """Send an instruction until its answer is there, at most a few times."""
    line = probed.line.line
    for _ in range(attempts):
        line.ask(Question(probed.id, packet, size))
        sent_by_s = now_s + LONGEST_WAIT_S
        while line.is_waiting and now_s < sent_by_s:
            now_s = yield
        now_s = yield from until(lambda: line.answer is not None, now_s)
        if line.answer is not None:
            return now_s, line.answer
    return now_s, None


def until(is_there: Callable[[], bool], now_s: float) -> Waiting:
    """Wait for something, at most as long as an answer takes."""
    deadline_s = now_s + t.REPLY_TIMEOUT_S
    while not is_there() and now_s < deadline_s:
        now_s = yield
    return now_s


def write(probed: Probed, register: Register, value: int, now_s: float) -> Waiting:
    """Write a register; whether it was taken is for a read to find out."""
    now_s, _ = yield from ask(probed, make.make_register_write(probed.id, register, value), 0, now_s, attempts=WRITES)
    return now_s


def read_register(probed: Probed, register: Register, now_s: float) -> Reading:
    """Read one register."""
    packet = make.make_read(probed.id, register.address, register.size)
    now_s, answer = yield from ask(probed, packet, register.size, now_s)
    if answer is None or answer.error_code:
        return now_s, None
    return now_s, codec.unpack(answer.data, is_signed=register.is_signed)


def write_register(probed: Probed, register: Register, value: int, now_s: float) -> Reading:
    """Write one register and read it back."""
    found: int | None = None
    for _ in range(WRITES):
        now_s = yield from write(probed, register, value, now_s)
        now_s, found = yield from read_register(probed, register, now_s)
        if found == value:
            break
    return now_s, found
