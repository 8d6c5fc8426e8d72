"""Asking one Damiao motor who it is, and setting what must be set before it may be enabled.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Protocol

from drivers.bus import Frame
from drivers.can.damiao import codec
from drivers.can.damiao.tables import (
    ATTEMPTS,
    CONTROL_MODE_MIT,
    CONTROL_MODES,
    MODE_CHANGE_TIMEOUT_S,
    REGISTER_CONTROL_MODE,
    REGISTER_MASTER_ID,
    REGISTER_MOTOR_ID,
    REGISTER_NAMES,
    REGISTER_POSITION_MAX,
    REGISTER_TIMEOUT,
    REGISTER_TORQUE_MAX,
    REGISTER_VELOCITY_MAX,
    REPLY_TIMEOUT_S,
    SETTING_ATTEMPTS,
    STATUS_DISABLED,
    STATUS_ENABLED,
    TIMEOUT_COUNT_S,
)
from drivers.devices import QUESTIONS, SECOND_ANSWER_S, WiredMotor, id_problems
from supervisor.core.exchange import DeviceReport

RANGE_TOLERANCE = 1e-4
"""Of a range: tables write 12.566 where motors hold 4 pi; a real difference is a quarter or more."""


class Request:
    """A register request on its way.

    Attributes:
        operation, register: What was asked.
        sent_s: When.
        value: The answer, None until it arrives.
        answers: How many came.
    """

    __slots__ = ("answers", "operation", "register", "sent_s", "value")

    def __init__(self, operation: int, register: int, sent_s: float) -> None:
        self.operation = operation
        self.register = register
        self.sent_s = sent_s
        self.value: int | float | None = None
        self.answers = 0


class MotorLine(Protocol):
    """One motor, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which motor it is."""
        ...

    @property
    def stamp_s(self) -> float:
        """Arrival of its newest feedback."""
        ...

    @property
    def feedback(self) -> codec.MotorFeedback:
        """Its newest feedback; meaningless before the first."""
        ...

    def send(self, frame: Frame) -> None:
        """Send one frame that the motor answers."""
        ...

    def ask(self, frame: Frame, now_s: float) -> Request:
        """Send a register request; its answer turns up in the returned object."""
        ...


Waiting = Generator[None, float, float]
"""A wait; returns the time at its end."""


def await_feedback(line: MotorLine, frame: Frame, now_s: float) -> Waiting:
    """Send a frame until feedback arrives that is newer, at most a few times."""
    for _ in range(ATTEMPTS):
        sent_s = now_s
        line.send(frame)
        while line.stamp_s <= sent_s and now_s < sent_s + REPLY_TIMEOUT_S:
            now_s = yield
        if line.stamp_s > sent_s:
            break
    return now_s


def await_register(
    line: MotorLine, frame: Frame, now_s: float
) -> Generator[None, float, tuple[float, int | float | None]]:
    """Send a register request until it is answered, at most a few times.

    Returns:
        The time, and the value: None when nothing came back.
    """
    for _ in range(ATTEMPTS):
        request = line.ask(frame, now_s)
        deadline_s = now_s + REPLY_TIMEOUT_S
        while request.value is None and now_s < deadline_s:
            now_s = yield
        if request.value is not None:
            return now_s, request.value
    return now_s, None


def probe_motor(line: MotorLine, timeout_s: float, now_s: float) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Poll one motor, compare its registers with the robot file, set control mode and timeout, and verify both.

    Args:
        line: The motor.
        timeout_s: Command timeout to set.
        now_s: Time of the first step.

    Returns:
        The time at the end, and the report.
    """
    motor = line.motor
    config = motor.config
    problems: list[str] = []
    facts: dict[str, float | str] = {"make": config.make, "model": config.model}
    began_s = now_s
    now_s = yield from await_feedback(line, codec.make_poll(config.id), now_s)
    if line.stamp_s <= began_s:
        problems.append(
            f"motor {config.id} on {config.bus} does not answer {ATTEMPTS} polls: check power, cable, termination, "
            f"bit rate, and that its ids are ESC_ID {config.id} and MST_ID {config.feedback_id}"
        )
        return now_s, DeviceReport(motor.joint, config.bus, False, tuple(problems), facts)
    feedback = line.feedback
    facts["status"] = codec.status_name(feedback.status_code)
    facts["mosfet_degc"] = feedback.mosfet_degc
    facts["rotor_degc"] = feedback.rotor_degc
    if feedback.status_code not in (STATUS_DISABLED, STATUS_ENABLED):
        problems.append(f"reports fault {facts['status']}: find the cause, then clear it")
    now_s = yield from _count_answers(line, problems, now_s)
    now_s = yield from _compare_identity(line, facts, problems, now_s)
    if feedback.status_code == STATUS_ENABLED:
        problems.append("is enabled: its control mode and timeout may only be set while disabled")
    else:
        now_s = yield from _set_mode(line, facts, problems, now_s)
        now_s = yield from _set_timeout(line, timeout_s, facts, problems, now_s)
    return now_s, DeviceReport(motor.joint, config.bus, True, tuple(problems), facts)


def _count_answers(line: MotorLine, problems: list[str], now_s: float) -> Waiting:
    """Read one register a few times: two motors with one id both answer, each time."""
    answers = 0
    for _ in range(QUESTIONS):
        request = line.ask(codec.make_register_read(line.motor.config.id, REGISTER_MOTOR_ID), now_s)
        deadline_s = now_s + SECOND_ANSWER_S
        while now_s < deadline_s:
            now_s = yield
        answers += request.answers
    problems += id_problems(line.motor.config.id, QUESTIONS, answers)
    return now_s


def _compare_identity(line: MotorLine, facts: dict[str, float | str], problems: list[str], now_s: float) -> Waiting:
    """Read ids and ranges and hold them against the robot file and the table row."""
    config, model = line.motor.config, line.motor.model
    expected: tuple[tuple[int, float, str, str], ...] = (
        (REGISTER_MOTOR_ID, config.id, "motor_id", ""),
        (REGISTER_MASTER_ID, config.feedback_id, "feedback_id", ""),
        (REGISTER_POSITION_MAX, model.position_max_rad, "position_max_rad", " rad"),
        (REGISTER_VELOCITY_MAX, model.velocity_max_rad_per_s, "velocity_max_rad_per_s", " rad/s"),
        (REGISTER_TORQUE_MAX, model.torque_max_nm, "torque_max_nm", " N·m"),
    )
    for register, wanted, fact, unit in expected:
        now_s, value = yield from await_register(line, codec.make_register_read(config.id, register), now_s)
        name = REGISTER_NAMES[register]
        if value is None:
            problems.append(f"does not answer a read of {name}")
            continue
        facts[fact] = float(value)
        if not math.isclose(value, wanted, rel_tol=RANGE_TOLERANCE, abs_tol=0.0):
            hint = "a wrong range scales every value: correct the model or the register" if unit else "correct the id"
            problems.append(f"reports {name} {value:g}{unit}, the robot file expects {wanted:g}{unit}; {hint}")
    return now_s


def _set_mode(line: MotorLine, facts: dict[str, float | str], problems: list[str], now_s: float) -> Waiting:
    """Set MIT mode and read it back; right after power-up the motor takes a while to obey.

    A motor left in another mode by the vendor's tool would misread every MIT command, silently.
    """
    identifier = line.motor.config.id
    write = codec.make_register_write(identifier, REGISTER_CONTROL_MODE, CONTROL_MODE_MIT)
    read = codec.make_register_read(identifier, REGISTER_CONTROL_MODE)
    deadline_s = now_s + MODE_CHANGE_TIMEOUT_S
    value: int | float | None = None
    while value != CONTROL_MODE_MIT and now_s < deadline_s:
        now_s, _ = yield from await_register(line, write, now_s)
        now_s, value = yield from await_register(line, read, now_s)
    mode = "unknown" if value is None else CONTROL_MODES.get(int(value), f"mode {value}")
    facts["control_mode"] = mode
    if value != CONTROL_MODE_MIT:
        problems.append(f"control mode is {mode} after setting MIT: set CTRL_MODE 1 with the vendor's tool")
    return now_s


def _set_timeout(
    line: MotorLine, timeout_s: float, facts: dict[str, float | str], problems: list[str], now_s: float
) -> Waiting:
    """Set the command timeout in RAM and read it back: it is what stops the motor when this computer dies."""
    identifier = line.motor.config.id
    wanted = codec.timeout_counts(timeout_s)
    read = codec.make_register_read(identifier, REGISTER_TIMEOUT)
    value: int | float | None = None
    for _ in range(SETTING_ATTEMPTS):
        now_s, _ = yield from await_register(line, codec.make_set_timeout(identifier, timeout_s), now_s)
        now_s, value = yield from await_register(line, read, now_s)
        if value is None or value == wanted:
            break
    if value is not None:
        facts["timeout_s"] = round(value * TIMEOUT_COUNT_S, 6)
    if value != wanted:
        found = "nothing" if value is None else f"{value * TIMEOUT_COUNT_S:g} s"
        problems.append(
            f"command timeout reads back {found} after setting {timeout_s:g} s: it would not stop by itself"
        )
    return now_s
