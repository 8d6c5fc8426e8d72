"""Asking one MyActuator motor how it is, and setting its timeout before it may be enabled.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Protocol

from drivers.bus import Frame
from drivers.can.myactuator import codec
from drivers.can.myactuator.tables import (
    ATTEMPTS,
    REPLY_TIMEOUT_S,
    SHORTEST_TIMEOUT_S,
    TIMED_OUT_FAULT,
    Command,
)
from drivers.devices import QUESTIONS, SECOND_ANSWER_S, WiredMotor, id_problems
from supervisor.core.exchange import DeviceReport


class MotorLine(Protocol):
    """One motor, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which motor it is."""
        ...

    def send(self, frame: Frame) -> None:
        """Send one frame that the motor answers."""
        ...

    def newest(self) -> tuple[float, float, float, int]:
        """Arrival and value (rad) of its newest position, its temperature (degC) and its fault code."""
        ...

    def shutdowns(self) -> tuple[int, int]:
        """How often the control loop told it to go off, and how often it has acknowledged that."""
        ...

    def forget_timeout(self) -> None:
        """Wait for a new acknowledgement of a timeout."""
        ...

    def acknowledged_timeout(self) -> int | None:
        """Milliseconds that it has acknowledged, None when it has not."""
        ...


def probe_motor(line: MotorLine, timeout_s: float, now_s: float) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Read one motor's errors and angle, and set its communication timeout. The motor stays off.

    Args:
        line: The motor.
        timeout_s: Command timeout to set.
        now_s: Time of the first step.

    Returns:
        The time at the end, and the report.
    """
    config = line.motor.config
    facts: dict[str, float | str] = {"make": config.make, "model": config.model}
    began_s = now_s
    now_s = yield from _read(line, now_s)
    stamp_s, position_rad, temperature_degc, fault = line.newest()
    if stamp_s <= began_s:
        problem = (
            f"motor {config.id} on {config.bus} does not answer {ATTEMPTS} polls: check power, cable, termination, "
            f"bit rate, and that its id is {config.id}"
        )
        return now_s, DeviceReport(line.motor.joint, config.bus, False, (problem,), facts)
    facts["position_rad"] = round(position_rad, 4)
    facts["ranges"] = "as in the table for this model; they cannot be read over CAN"
    problems: list[str] = []
    if math.isnan(temperature_degc):
        problems.append("does not answer a read of its errors")
    else:
        facts["temperature_degc"] = temperature_degc
    if fault & ~TIMED_OUT_FAULT:
        names = ", ".join(codec.error_names(fault & ~TIMED_OUT_FAULT))
        problems.append(f"reports {names}: find the cause, then clear it")
    now_s = yield from _count_answers(line, problems, now_s)
    now_s = yield from _set_timeout(line, timeout_s, facts, problems, now_s)
    return now_s, DeviceReport(line.motor.joint, config.bus, True, tuple(problems), facts)


def _read(line: MotorLine, now_s: float) -> Generator[None, float, float]:
    """Off, errors, angle, until both are known, at most a few times.

    The first frame after a timeout of the motor is only echoed; that it is SHUTDOWN loses nothing.
    """
    identifier = line.motor.config.id
    for _ in range(ATTEMPTS):
        sent_s = now_s
        for command in (Command.SHUTDOWN, Command.READ_STATUS_1, Command.READ_MULTI_TURN_ANGLE):
            line.send(codec.make_request(identifier, command))
        while not _is_read(line, sent_s) and now_s < sent_s + REPLY_TIMEOUT_S:
            now_s = yield
        if _is_read(line, sent_s):
            break
    return now_s


def _count_answers(line: MotorLine, problems: list[str], now_s: float) -> Generator[None, float, float]:
    """Tell it to go off a few times: two motors with one id both acknowledge. The control loop's own count too."""
    identifier = line.motor.config.id
    asked, answers = line.shutdowns()
    for _ in range(QUESTIONS):
        line.send(codec.make_request(identifier, Command.SHUTDOWN))
        deadline_s = now_s + SECOND_ANSWER_S
        while now_s < deadline_s:
            now_s = yield
    asked_now, answers_now = line.shutdowns()
    problems += id_problems(identifier, QUESTIONS + asked_now - asked, answers_now - answers)
    return now_s


def _is_read(line: MotorLine, sent_s: float) -> bool:
    stamp_s, _, temperature_degc, _ = line.newest()
    return stamp_s > sent_s and not math.isnan(temperature_degc)


def _set_timeout(
    line: MotorLine, timeout_s: float, facts: dict[str, float | str], problems: list[str], now_s: float
) -> Generator[None, float, float]:
    """Set the timeout: it is what stops the motor when this computer dies. It cannot be read, only acknowledged."""
    if timeout_s < SHORTEST_TIMEOUT_S:
        problems.append(f"command timeout {timeout_s:g} s; allowed: at least {SHORTEST_TIMEOUT_S:g} s")
        return now_s
    wanted = codec.timeout_counts(timeout_s)
    line.forget_timeout()
    for _ in range(ATTEMPTS):
        line.send(codec.make_set_timeout(line.motor.config.id, timeout_s))
        deadline_s = now_s + REPLY_TIMEOUT_S
        while line.acknowledged_timeout() is None and now_s < deadline_s:
            now_s = yield
        if line.acknowledged_timeout() is not None:
            break
    found = line.acknowledged_timeout()
    if found is not None:
        facts["timeout_s"] = found / 1e3
    if found != wanted:
        said = "nothing" if found is None else f"{found / 1e3:g} s"
        problems.append(
            f"acknowledges {said} after setting a command timeout of {timeout_s:g} s: it would not stop by itself"
        )
    return now_s
