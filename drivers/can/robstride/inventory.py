"""Asking one motor who it is, and setting what must be set before it may be enabled.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time. Nothing energises: a motor that was left on
is switched off, because every frame that such a motor answers with feedback either stops it or takes it over.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol

from drivers.bus import Frame
from drivers.can.robstride import codec
from drivers.can.robstride.tables import (
    ATTEMPTS,
    BUS_VOLTAGE,
    CAN_TIMEOUT,
    MECHANICAL_POSITION,
    MODE_RESET,
    REPLY_TIMEOUT_S,
    RUN_MODE,
    RUN_MODE_MOTION,
    TIMEOUT_COUNT_S,
    WRAP_MARGIN_RAD,
    ZERO_STATE,
    Dialect,
    Parameter,
)
from drivers.devices import NO_TIMEOUT_PROBLEM, WiredMotor
from supervisor.core.exchange import DeviceReport

SAME_POSITION_RAD = 0.005
SAME_POSITION_RATIO = 0.002
"""How far the two ways to read the position may differ. Ranges of 12.5 and 12.57 rad differ by 0.0056."""

ONE_TURN_RAD = 0.5
"""Positions that differ by more than this count turns differently; their ranges cannot be compared."""

ZERO_SYMMETRIC = 1
"""Value of zero_sta with which a motor wakes up within -pi to pi instead of 0 to 2 pi."""

Facts = dict[str, float | str]
Waiting = Generator[None, float, float]
"""A wait; returns the time at its end."""


@dataclass(slots=True)
class Answers:
    """What one motor has said besides feedback.

    Attributes:
        values: Parameter replies by index; None for a parameter that it says it does not have.
        unique_ids: Every unique id that answered under this motor's id.
        version: Firmware version, "" before it was told.
    """

    values: dict[int, bytes | None] = field(default_factory=dict[int, "bytes | None"])
    unique_ids: set[bytes] = field(default_factory=set[bytes])
    version: str = ""


class MotorLine(Protocol):
    """One motor, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which motor it is."""
        ...

    @property
    def answers(self) -> Answers:
        """What it has said besides feedback."""
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

    def fault_name(self, code: int) -> str:
        """Name of the six fault bits."""
        ...


def probe_motor(
    line: MotorLine, timeout_s: float, now_s: float, dialect: Dialect
) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Stop one motor, ask who it is, set run mode and timeout, and verify both.

    Args:
        line: The motor.
        timeout_s: Command timeout to set.
        now_s: Time of the first step.
        dialect: What the make has.

    Returns:
        The time at the end, and the report.
    """
    motor = line.motor
    config = motor.config
    problems: list[str] = []
    facts: Facts = {"make": config.make, "model": config.model}
    began_s = now_s
    now_s = yield from _await(line, codec.make_stop(config.id), lambda: line.stamp_s > began_s, now_s)
    if line.stamp_s <= began_s:
        problems.append(
            f"motor {config.id} on {config.bus} does not answer {ATTEMPTS} polls: check power, cable, termination, "
            f"bit rate, that its id is {config.id}, and that it speaks the private protocol and not MIT or CANopen"
        )
        return now_s, DeviceReport(motor.joint, config.bus, False, tuple(problems), facts)
    feedback = line.feedback
    facts["mode"] = codec.mode_name(feedback.mode_code)
    facts["temperature_degc"] = round(feedback.temperature_degc, 1)
    if feedback.fault_bits:
        problems.append(f"reports fault {line.fault_name(feedback.fault_bits)}: find the cause, then clear it")
    if feedback.mode_code != MODE_RESET:
        problems.append(f"is in mode {facts['mode']} after a stop: it may only be set up while off")
    now_s = yield from _identify(line, dialect, facts, problems, now_s)
    now_s = yield from _compare_position(line, facts, problems, now_s)
    if feedback.mode_code == MODE_RESET:
        now_s = yield from _set_run_mode(line, facts, problems, now_s)
        if dialect.has_timeout:
            now_s = yield from _set_timeout(line, timeout_s, facts, problems, now_s)
    if not dialect.has_timeout:
        problems.append(NO_TIMEOUT_PROBLEM)
    return now_s, DeviceReport(motor.joint, config.bus, True, tuple(problems), facts)


def _await(line: MotorLine, frame: Frame, is_there: Callable[[], bool], now_s: float) -> Waiting:
    """Send a frame until its answer is there, at most a few times."""
    for _ in range(ATTEMPTS):
        line.send(frame)
        deadline_s = now_s + REPLY_TIMEOUT_S
        while not is_there() and now_s < deadline_s:
            now_s = yield
        if is_there():
            break
    return now_s


def await_parameter(
    line: MotorLine, parameter: Parameter, now_s: float
) -> Generator[None, float, tuple[float, int | float | None]]:
    """Read a parameter.

    Returns:
        The time, and the value: None when nothing came back, or the motor does not have it.
    """
    values, index = line.answers.values, parameter.index
    values.pop(index, None)
    frame = codec.make_parameter_read(line.motor.config.id, index)
    now_s = yield from _await(line, frame, lambda: index in values, now_s)
    raw = values.get(index)
    return now_s, None if raw is None else codec.parameter_value(raw, parameter.kind)


def _identify(line: MotorLine, dialect: Dialect, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Unique id and firmware version, for the record; two unique ids are two motors."""
    identifier, answers = line.motor.config.id, line.answers
    now_s = yield from _await(line, codec.make_get_id(identifier), lambda: bool(answers.unique_ids), now_s)
    facts["unique_id"] = ", ".join(sorted(uid.hex() for uid in answers.unique_ids)) or "unknown"
    if len(answers.unique_ids) > 1:
        found = ", ".join(sorted(uid.hex() for uid in answers.unique_ids))
        problems.append(f"more than one motor answers under id {identifier} ({found}): give each an id of its own")
    if dialect.has_version:
        now_s = yield from _await(line, codec.make_version_request(identifier), lambda: bool(answers.version), now_s)
        facts["firmware"] = answers.version or "unknown"
    if dialect.has_zero_state:
        now_s, zero_state = yield from await_parameter(line, ZERO_STATE, now_s)
        facts["wakes_up_within"] = "-pi to pi" if zero_state == ZERO_SYMMETRIC else "0 to 2 pi"
    return now_s


def _compare_position(line: MotorLine, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Supply voltage and position, for the record; feedback is scaled by a range, the parameter is not."""
    now_s, voltage = yield from await_parameter(line, BUS_VOLTAGE, now_s)
    facts["bus_voltage_v"] = "unknown" if voltage is None else round(voltage, 2)
    now_s, position = yield from await_parameter(line, MECHANICAL_POSITION, now_s)
    if position is None:
        problems.append(f"does not answer a read of {MECHANICAL_POSITION.name}")
        return now_s
    facts["position_rad"] = round(position, 4)
    seen, limit = line.feedback.position_rad, line.motor.model.position_max_rad
    difference = abs(seen - position)
    if SAME_POSITION_RAD + SAME_POSITION_RATIO * abs(position) < difference < ONE_TURN_RAD:
        problems.append(
            f"feedback reads {seen:.3f} rad where {MECHANICAL_POSITION.name} is {position:.3f} rad: the position range "
            f"of its firmware is not {limit:g} rad; update the firmware"
        )
    if abs(seen) > limit - WRAP_MARGIN_RAD:
        problems.append(f"stands at {seen:.2f} rad, where the reported position wraps at {limit:g} rad: move its zero")
    return now_s


def _set_run_mode(line: MotorLine, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Set impedance control and read it back: in another mode the motor misunderstands every command."""
    write = codec.make_set_run_mode(line.motor.config.id, RUN_MODE_MOTION)
    now_s, value = yield from set_parameter(line, write, RUN_MODE, RUN_MODE_MOTION, now_s)
    facts["run_mode"] = "unknown" if value is None else value
    if value != RUN_MODE_MOTION:
        problems.append(f"run mode reads back {facts['run_mode']} after setting {RUN_MODE_MOTION}: power-cycle it")
    return now_s


def _set_timeout(line: MotorLine, timeout_s: float, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Set the command timeout in RAM and read it back: it is what stops the motor when this computer dies."""
    write = codec.make_set_timeout(line.motor.config.id, timeout_s)
    wanted = codec.timeout_counts(timeout_s)
    now_s, value = yield from set_parameter(line, write, CAN_TIMEOUT, wanted, now_s)
    if value is not None:
        facts["timeout_s"] = round(value * TIMEOUT_COUNT_S, 6)
    if value != wanted:
        found = "nothing" if value is None else f"{value * TIMEOUT_COUNT_S:g} s"
        problems.append(
            f"command timeout reads back {found} after setting {timeout_s:g} s: it would not stop by itself"
        )
    return now_s


def set_parameter(
    line: MotorLine, write: Frame, parameter: Parameter, wanted: int, now_s: float
) -> Generator[None, float, tuple[float, int | float | None]]:
    """Write a parameter and read it back, until it is what was written, at most a few times."""
    value: int | float | None = None
    for _ in range(ATTEMPTS):
        line.send(write)
        now_s, value = yield from await_parameter(line, parameter, now_s)
        if value is None or value == wanted:
            break
    return now_s, value
