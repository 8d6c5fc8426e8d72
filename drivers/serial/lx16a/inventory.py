"""Asking one LX-16A servo how it is set up. Never energises; a servo that was left on is switched off.

It has neither a model number nor a firmware version, nor gains that can be read. Nothing blocks: every wait is a
`yield`, resumed once a cycle with the time.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, Protocol

from drivers.devices import NO_TIMEOUT_PROBLEM, WiredMotor
from drivers.serial.lx16a.tables import (
    CENTRE_COUNT,
    MODE_SERVO,
    POSITION_COUNT_RAD,
    POSITION_COUNTS,
    READ_ANGLE_LIMITS,
    READ_LOAD,
    READ_MAX_TEMPERATURE,
    READ_MODE,
    READ_POSITION,
    READ_TEMPERATURE,
    READ_VOLTAGE,
    READ_VOLTAGE_LIMITS,
)
from supervisor.core.exchange import DeviceReport

QUESTIONS: Final = {
    READ_POSITION: "its position",
    READ_MODE: "its mode",
    READ_ANGLE_LIMITS: "its angle limits",
    READ_MAX_TEMPERATURE: "its highest temperature",
    READ_VOLTAGE_LIMITS: "its voltage limits",
    READ_TEMPERATURE: "its temperature",
    READ_VOLTAGE: "its voltage",
    READ_LOAD: "whether it is on",
}
_SWITCH_OFF_ATTEMPTS: Final = 3

Reading = Generator[None, float, tuple[float, bytes | None]]
"""A question; returns the time at its end and the answer, None when nothing came."""


class ServoLine(Protocol):
    """One servo, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which servo it is."""
        ...

    @property
    def spoilt_bytes(self) -> int:
        """Bytes that came when an inventory had asked on its line, and belonged to no answer."""
        ...

    def read(self, command: int, now_s: float) -> Reading:
        """Ask it one question."""
        ...

    def switch_off(self) -> None:
        """Switch it off, which it does not answer."""
        ...

    def order(self, packet: bytes) -> None:
        """Tell it something that it does not answer."""
        ...

    def silence_problem(self, asked: str, spoilt_bytes: int) -> str:
        """Why it does not answer."""
        ...


def probe_servo(line: ServoLine, now_s: float) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Ask one servo for everything it has, switch it off, and compare.

    Args:
        line: The servo.
        now_s: Time of the first step.

    Returns:
        The time at the end, and the report.
    """
    config = line.motor.config
    facts: dict[str, float | str] = {"make": config.make, "model": config.model}
    found: dict[int, bytes] = {}
    for command, asked in QUESTIONS.items():
        spoilt = line.spoilt_bytes
        now_s, answer = yield from line.read(command, now_s)
        if answer is None:
            problem = line.silence_problem(asked, line.spoilt_bytes - spoilt)
            problems = (problem, NO_TIMEOUT_PROBLEM) if found else (problem,)
            return now_s, DeviceReport(line.motor.joint, config.bus, bool(found), problems, facts)
        found[command] = answer
    problems = _problems(found, facts)
    facts["was_on"] = "yes" if found[READ_LOAD][0] else "no"
    now_s = yield from _switch_off(line, found[READ_LOAD], problems, now_s)
    problems.append(NO_TIMEOUT_PROBLEM)
    return now_s, DeviceReport(line.motor.joint, config.bus, True, tuple(problems), facts)


def _problems(found: dict[int, bytes], facts: dict[str, float | str]) -> list[str]:
    """What is set up otherwise than it is driven, and heat and supply."""
    count = int.from_bytes(found[READ_POSITION], "little", signed=True)
    facts["position_rad"] = round((count - CENTRE_COUNT) * POSITION_COUNT_RAD, 4)
    facts["stiffness"] = "as in the table, where it is assumed; it cannot be read"
    low, high = _pair(found[READ_ANGLE_LIMITS])
    low_mv, high_mv = _pair(found[READ_VOLTAGE_LIMITS])
    voltage_mv = int.from_bytes(found[READ_VOLTAGE], "little")
    degc, limit_degc = found[READ_TEMPERATURE][0], found[READ_MAX_TEMPERATURE][0]
    facts["temperature_degc"], facts["bus_voltage_v"] = degc, voltage_mv / 1000.0
    problems: list[str] = []
    if found[READ_MODE][0] != MODE_SERVO:
        problems.append(f"mode reads {found[READ_MODE][0]}, and positions need {MODE_SERVO}: see handrail configure")
    if (low, high) != POSITION_COUNTS:
        problems.append(
            f"angle limits read {low} to {high}, and it is driven with {POSITION_COUNTS[0]} to {POSITION_COUNTS[1]}: "
            "see handrail configure"
        )
    if degc >= limit_degc:
        problems.append(f"is at {degc} degC, its limit is {limit_degc} degC: let it cool down")
    if not low_mv <= voltage_mv <= high_mv:
        problems.append(
            f"is supplied with {voltage_mv / 1000:.1f} V, its limits are {low_mv / 1000:.1f} to {high_mv / 1000:.1f} V"
        )
    return problems


def _pair(data: bytes) -> tuple[int, int]:
    return int.from_bytes(data[:2], "little"), int.from_bytes(data[2:], "little")


def _switch_off(line: ServoLine, answer: bytes, problems: list[str], now_s: float) -> Generator[None, float, float]:
    """Switch off a servo that was left on, and read it back."""
    for _ in range(_SWITCH_OFF_ATTEMPTS):
        if not answer[0]:
            return now_s
        line.switch_off()
        now_s, again = yield from line.read(READ_LOAD, now_s)
        answer = answer if again is None else again
    if answer[0]:
        problems.append("stays on after being switched off: cut its power")
    return now_s
