"""Asking one controller who it is and how it is set up, before it may be enabled.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time. Nothing energises: a controller that was
left on, or that latched its timeout, is stopped. One in a fault is left as it is: a stop would clear the fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

from drivers.bus import Frame
from drivers.can.moteus import codec
from drivers.can.moteus.batch import QUERY
from drivers.can.moteus.console import QUIET, make_ask_setting, make_listen, make_say, setting_value
from drivers.can.moteus.line import Feedback, MotorLine, Settings
from drivers.can.moteus.settings import SETTINGS, setting_facts, setting_problems
from drivers.can.moteus.tables import (
    ATTEMPTS,
    CONF_KD,
    CONF_KP,
    HOME_STATES,
    INT16_MAX,
    REGISTER_MAPS,
    REPLY_TIMEOUT_S,
    SCALES,
    SERIAL_NUMBER,
    TURN,
    Mode,
    Register,
    Resolution,
)
from drivers.can.timeouts import count_timeout
from drivers.devices import SECOND_ANSWER_S
from supervisor.core.errors import EncodeError
from supervisor.core.exchange import DeviceReport

Facts = dict[str, float | str]
Waiting = Generator[None, float, float]
"""A wait; returns the time at its end."""

_IDENTITY = (Register.MODEL_NUMBER, Register.FIRMWARE_VERSION, Register.REGISTER_MAP_VERSION)
IDENTITY_QUERY = codec.encode_query([(register, Resolution.INT32) for register in (*_IDENTITY, *SERIAL_NUMBER)])
"""The question for board, firmware, register map and serial number."""

_TIMEOUT = Register.COMMAND_TIMEOUT
_TIMEOUT_QUERY = codec.encode_query([(_TIMEOUT, Resolution.INT16)])
_TIMEOUT_STEP_S = SCALES[_TIMEOUT].int16

Probing = Generator[None, float, tuple[float, DeviceReport, Settings | None]]


def probe_motor(line: MotorLine, timeout_s: float, now_s: float) -> Probing:
    """Ask one controller who it is, set its timeout, and compare its settings with the robot file.

    Args:
        line: The motor.
        timeout_s: Command timeout to set.
        now_s: Time of the first step.

    Returns:
        The time at the end, the report, and what the control loop needs; None where the motor must not be enabled.
    """
    config = line.motor.config
    problems: list[str] = []
    facts: Facts = {"make": config.make, "model": config.model}
    began_s = now_s
    now_s = yield from _look(line, now_s)
    if line.stamp_s <= began_s:
        problems.append(
            f"motor {config.id} on {config.bus} does not answer {ATTEMPTS} polls: check power, cable, termination, "
            f"both bit rates and their sample points, that id.id is {config.id} and can.prefix 0"
        )
        return now_s, DeviceReport(line.motor.joint, config.bus, False, tuple(problems), facts), None
    feedback = line.feedback
    facts |= {"mode": feedback.mode.name, "temperature_degc": feedback.temperature_degc}
    facts |= {"supply_v": feedback.voltage_v, "position_rad": round(feedback.position_rad, 4)}
    if feedback.mode is Mode.FAULT:
        problems.append(f"reports fault {line.fault_name(feedback.fault)}: find the cause, then clear it")
    now_s = yield from _identify(line, facts, problems, now_s)
    settings: Settings | None = None
    if len(line.answers.serials) == 1:
        _compare_home(feedback, facts, problems)
        counts: int | None = None
        if feedback.mode is not Mode.FAULT:
            now_s, counts = yield from _set_timeout(line, timeout_s, facts, problems, now_s)
        now_s, values = yield from read_settings(line, problems, now_s)
        facts |= setting_facts(values)
        problems += setting_problems(line.motor, values, feedback.temperature_degc)
        if not problems and counts is not None:
            settings = Settings(values[CONF_KP] / TURN, values[CONF_KD] / TURN, counts)
    return now_s, DeviceReport(line.motor.joint, config.bus, True, tuple(problems), facts), settings


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


def _look(line: MotorLine, now_s: float) -> Waiting:
    """Wait for feedback that is newer than now."""
    began_s = now_s
    query = codec.make_query(codec.Address(line.motor.config.id), QUERY)
    return (yield from _await(line, query, lambda: line.stamp_s > began_s, now_s))


def _identify(line: MotorLine, facts: Facts, problems: list[str], now_s: float) -> Waiting:
    """Serial number and versions; two serial numbers are two controllers."""
    identifier, answers = line.motor.config.id, line.answers
    query = codec.make_query(codec.Address(identifier), IDENTITY_QUERY)
    now_s = yield from _await(line, query, lambda: bool(answers.serials), now_s)
    deadline_s = now_s + SECOND_ANSWER_S
    while answers.serials and now_s < deadline_s:
        now_s = yield
    serials = ", ".join(sorted(answers.serials))
    facts["serial_number"] = serials or "unknown"
    if len(answers.serials) > 1:
        problems.append(f"more than one motor answers under id {identifier} ({serials}): give each an id of its own")
    if not answers.serials:
        problems.append("does not answer a read of its serial number")
        return now_s
    values = answers.values
    facts["board"] = values.get(Register.MODEL_NUMBER, "unknown")
    facts["firmware"] = f"0x{int(values.get(Register.FIRMWARE_VERSION, 0)):06x}"
    version = values.get(Register.REGISTER_MAP_VERSION)
    if version not in REGISTER_MAPS:
        allowed = " or ".join(map(str, REGISTER_MAPS))
        problems.append(
            f"has register map {version}, this program knows {allowed}: every value would have another scale"
        )
    return now_s


def _compare_home(feedback: Feedback, facts: Facts, problems: list[str]) -> None:
    """What its position refers to: one that begins at 0 wherever it stands cannot be used."""
    facts["position_refers_to"] = HOME_STATES.get(feedback.home_state, f"state {feedback.home_state}")
    if feedback.home_state == 0:
        problems.append(
            "its position refers to nothing, and begins at 0 wherever it stands: give it an absolute encoder, or "
            "put the joint to its zero and set that after every power-up"
        )


def _set_timeout(
    line: MotorLine, timeout_s: float, facts: Facts, problems: list[str], now_s: float
) -> Generator[None, float, tuple[float, int | None]]:
    """Stop, with the command timeout, and read it back: it is what stops the motor when this computer dies."""
    address, answers = codec.Address(line.motor.config.id), line.answers
    try:
        wanted = count_timeout(timeout_s, _TIMEOUT_STEP_S, INT16_MAX)
    except EncodeError as error:
        problems.append(str(error))
        return now_s, None
    if not wanted:
        problems.append(f"command timeout {timeout_s:g} s would leave it to the controller; allowed: more than 0")
        return now_s, None
    value_s = (wanted + 0.5) * _TIMEOUT_STEP_S
    stop = codec.make_command(
        address, Mode.STOPPED, {_TIMEOUT: value_s}, {_TIMEOUT: Resolution.INT16}, query=_TIMEOUT_QUERY
    )
    found_s, is_set = math.nan, False
    for _ in range(ATTEMPTS):
        answers.values.pop(_TIMEOUT, None)
        now_s = yield from _await(line, stop, lambda: _TIMEOUT in answers.values, now_s)
        found_s = answers.values.get(_TIMEOUT, math.nan)
        is_set = math.isclose(found_s, wanted * _TIMEOUT_STEP_S, abs_tol=0.1 * _TIMEOUT_STEP_S)
        if is_set or _TIMEOUT not in answers.values:
            break
    if math.isfinite(found_s):
        facts["timeout_s"] = round(found_s, 6)
    if not is_set:
        found = f"{found_s:g} s" if math.isfinite(found_s) else "nothing"
        problems.append(
            f"command timeout reads back {found} after setting {timeout_s:g} s: it would not stop by itself"
        )
    now_s = yield from _look(line, now_s)
    mode = line.feedback.mode
    if mode is not Mode.STOPPED:
        problems.append(f"is in mode {mode.name} after a stop: it may only be set up while off")
    return now_s, wanted


def read_settings(
    line: MotorLine, problems: list[str], now_s: float
) -> Generator[None, float, tuple[float, dict[str, float]]]:
    """Every setting that matters, on the console."""
    values: dict[str, float] = {}
    line.tell(make_say(codec.Address(line.motor.config.id), QUIET))
    for name in SETTINGS:
        now_s, value = yield from read_setting(line, name, now_s)
        if value is None:
            problems.append(f"does not tell its setting {name}: update its firmware")
            break
        values[name] = value
    return now_s, values


def read_setting(line: MotorLine, name: str, now_s: float) -> Generator[None, float, tuple[float, float | None]]:
    """Ask for a setting until it has come back twice the same, at most a few times."""
    address, answers = codec.Address(line.motor.config.id), line.answers
    seen: set[float | str] = set()
    for _ in range(2 * ATTEMPTS):
        # What is left of an earlier answer must not count as this one.
        now_s = yield from silence(line, address, now_s)
        line.tell(make_ask_setting(address, name))
        deadline_s = now_s + REPLY_TIMEOUT_S
        while b"\n" not in answers.text and now_s < deadline_s:
            line.send(make_listen(address))
            now_s = yield
        text, end, rest = answers.text.partition(b"\n")
        value = setting_value(text) if end and not rest.strip() else None
        if value is None:
            continue
        key = value if value == value else "nan"
        if key in seen:
            return now_s, value
        seen.add(key)
    return now_s, None


def silence(line: MotorLine, address: codec.Address, now_s: float) -> Waiting:
    """Listen until the console has nothing more to say."""
    answers = line.answers
    for _ in range(ATTEMPTS):
        answers.text, heard = b"", answers.texts
        now_s = yield from _await(line, make_listen(address), lambda heard=heard: answers.texts > heard, now_s)
        if not answers.text:
            break
    return now_s
