"""Asking one motor how it is, and finding out where its output stands.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time. Nothing energises: a motor is asked with a
command to brake, and one that was left on is braked by it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.devices import NO_TIMEOUT_PROBLEM, QUESTIONS, WiredMotor, id_problems
from drivers.serial.unitree.codec import Feedback, error_name, mode_name
from drivers.serial.unitree.tables import ATTEMPTS, BAUD, MODE_BRAKE, REPLY_TIMEOUT_S, ZERO_PERIOD_RAD
from supervisor.core.errors import DeviceError
from supervisor.core.exchange import DeviceReport

_OVER_TEMPERATURE = 1

Facts = dict[str, float | str]
Waiting = Generator[None, float, float]
"""A wait; returns the time at its end."""


@dataclass(slots=True)
class Tally:
    """What came back from one motor since its inventory began.

    Attributes:
        asked: Commands that it should have answered.
        answered: Replies.
        damaged: Commands after which bytes came that are no reply.
        seconds: Replies beyond the one that was due, and different from it.
    """

    asked: int = 0
    answered: int = 0
    damaged: int = 0
    seconds: int = 0


class MotorLine(Protocol):
    """One motor, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which motor it is."""
        ...

    @property
    def tally(self) -> Tally:
        """What came back."""
        ...

    @property
    def feedback(self) -> Feedback:
        """Its newest reply; meaningless before the first."""
        ...

    @property
    def is_understood(self) -> bool:
        """Whether any motor on its line was ever understood."""
        ...

    def neighbours(self) -> Sequence[MotorLine]:
        """The other motors of the line."""
        ...

    def ask(self) -> None:
        """Send one command to brake, which the motor answers."""
        ...

    def position_rad(self) -> float:
        """Where the output stands, rad.

        Raises:
            DeviceError: It cannot be told.
        """
        ...


def probe_motor(line: MotorLine, now_s: float) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Brake one motor, and look at what it says.

    Args:
        line: The motor.
        now_s: Time of the first step.

    Returns:
        The time at the end, and the report.
    """
    config = line.motor.config
    facts: Facts = {"make": config.make, "model": config.model}
    now_s = yield from _ask(line, QUESTIONS, now_s)
    tally = line.tally
    if not tally.answered:
        # Only by what the others say can a line that talks nonsense be told from a motor that does.
        for neighbour in line.neighbours() if tally.damaged else ():
            if not line.is_understood:
                now_s = yield from _ask(neighbour, 1, now_s)
        return now_s, DeviceReport(line.motor.joint, config.bus, False, (_silence(line),), facts)
    feedback = line.feedback
    facts["mode"] = mode_name(feedback.mode)
    facts["temperature_degc"] = feedback.temperature_degc
    facts["rotor_rad"] = round(feedback.position_rad, 4)
    problems = [*_complaints(line), *_place(line, facts), NO_TIMEOUT_PROBLEM]
    return now_s, DeviceReport(line.motor.joint, config.bus, True, tuple(problems), facts)


def _ask(line: MotorLine, answers: int, now_s: float) -> Waiting:
    """Ask until so many answers are there, at most a few times, each after the one before had its time."""
    for _ in range(ATTEMPTS):
        before = line.tally.answered
        if before >= answers:
            break
        line.ask()
        deadline_s = now_s + REPLY_TIMEOUT_S
        while line.tally.answered == before and now_s < deadline_s:
            now_s = yield
        # The cycle in between is for the others, who must not seem silent meanwhile.
        now_s = yield
    return now_s


def _silence(line: MotorLine) -> str:
    """Why a motor was not understood."""
    config, tally = line.motor.config, line.tally
    where = f"motor {config.id} on {config.bus}"
    if not tally.damaged:
        return (
            f"{where} does not answer {tally.asked} polls: check power, cable, that A and B are not swapped, that its "
            f"id is {config.id}, and that the adapter does {BAUD} baud"
        )
    if line.is_understood:
        return (
            f"more than one motor answers under id {config.id}: {tally.damaged} of {tally.asked} polls brought bytes "
            f"that are no reply, while others on {config.bus} are understood; give each an id of its own"
        )
    only = "" if line.neighbours() else f", or more than one motor answers under id {config.id}"
    return (
        f"{where}: bytes arrive, but nothing on the line is understood: wrong baud rate{only}; the motors speak "
        f"{BAUD} baud, and A1 and B1 motors of the same maker speak otherwise"
    )


def _complaints(line: MotorLine) -> list[str]:
    """What is wrong with a motor that answers."""
    feedback, tally, identifier = line.feedback, line.tally, line.motor.config.id
    problems = id_problems(identifier, tally.answered, tally.answered + tally.seconds)
    if feedback.error_code == _OVER_TEMPERATURE:
        problems.append(f"reports {error_name(feedback.error_code)} at {feedback.temperature_degc:g} degC: let it cool")
    elif feedback.error_code:
        problems.append(f"reports {error_name(feedback.error_code)}: find the cause, then power it up again")
    if feedback.mode != MODE_BRAKE:
        problems.append(f"is in mode {mode_name(feedback.mode)} after a command to brake: power it up again")
    return problems


def _place(line: MotorLine, facts: Facts) -> list[str]:
    """Where the output stands, of the several places that read the same."""
    try:
        place = line.position_rad()
    except DeviceError as error:
        return [str(error)]
    facts["position_rad"] = round(place, 4)
    facts["reads_the_same_at_rad"] = f"{place - ZERO_PERIOD_RAD:.3f}, {place + ZERO_PERIOD_RAD:.3f}"
    return []
