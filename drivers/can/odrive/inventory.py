"""Asking one ODrive who it is, and listening whether it reports often enough.

Nothing blocks: every wait is a `yield`, resumed once a cycle with the time. Nothing energises: an axis that was left on
is put to idle first.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from typing import Final, Protocol

from drivers.bus import Frame
from drivers.can.odrive import codec
from drivers.can.odrive.tables import (
    ATTEMPTS,
    BOARD_OF_HARDWARE,
    DEFAULT_BITRATE_BPS,
    FEEDFORWARD_MAX,
    FIRMWARE,
    HEARTBEAT_MAX_S,
    REPLY_TIMEOUT_S,
    TEMPERATURE_MAX_S,
    TORQUE_MAX_S,
    AxisState,
    Message,
)
from drivers.devices import NO_TIMEOUT_PROBLEM, WiredMotor
from supervisor.core.errors import FrameError
from supervisor.core.exchange import DeviceReport

LISTEN_S: Final = 0.2
"""How long reports are counted: two default heartbeats, and enough of the others that a few lost ones do not matter."""

SHARE_HEARD: Final = 0.55
"""Of the reports that are needed: a third may be lost on the bus. At half the needed rate half of them come."""

JUMP_REV: Final = 0.02
JUMPS: Final = 5
"""Two boards on one id alternate between two positions, which no idle motor does so far and so often."""

SETTING: Final = "axis0.config.can.{}_msg_rate_ms"

_STATES: Final = frozenset(AxisState)

Facts = dict[str, float | str]
Waiting = Generator[None, float, float]
"""A wait; returns the time at its end."""


class Observation:
    """Everything that one board says while its inventory is made.

    Attributes:
        heard: How many reports of each kind came.
        newest: The newest report of each kind.
        serial_numbers: All that answered.
        jumps: How often the position went from one place to another between two reports.
    """

    __slots__ = ("heard", "jumps", "newest", "serial_numbers")

    def __init__(self) -> None:
        self.heard: dict[Message, int] = {}
        self.newest: dict[Message, codec.Report] = {}
        self.serial_numbers: set[int] = set()
        self.jumps = 0

    def note(self, message: Message, data: bytes) -> None:
        """Take one report."""
        try:
            report = codec.decode_report(message, data)
        except FrameError:
            return
        if isinstance(report, codec.Address):
            self.serial_numbers.add(report.serial_number)
        before = self.newest.get(message)
        if isinstance(report, codec.EncoderEstimates) and isinstance(before, codec.EncoderEstimates):
            self.jumps += abs(report.position_rev - before.position_rev) > JUMP_REV
        self.heard[message] = self.heard.get(message, 0) + 1
        self.newest[message] = report


class MotorLine(Protocol):
    """One motor, as its inventory reaches it."""

    @property
    def motor(self) -> WiredMotor:
        """Which motor it is."""
        ...

    @property
    def observation(self) -> Observation:
        """What it has said since its inventory began."""
        ...

    def send(self, frame: Frame) -> None:
        """Send one frame."""
        ...


def probe_motor(line: MotorLine, now_s: float) -> Generator[None, float, tuple[float, DeviceReport]]:
    """Put one axis to idle, ask who it is, and listen to what it reports by itself.

    Args:
        line: The motor.
        now_s: Time of the first step.

    Returns:
        The time at the end, and the report.
    """
    motor = line.motor
    config, seen = motor.config, line.observation
    facts: Facts = {"make": config.make, "model": config.model}
    now_s = yield from _await(line, Message.VERSION, now_s)
    if not seen.heard:
        problem = _silence(motor)
        return now_s, DeviceReport(motor.joint, config.bus, False, (problem,), facts)
    now_s = yield from _await(line, Message.ADDRESS, now_s)
    _quieten(line)
    counted = dict(seen.heard)
    now_s, cycles, listened_s = yield from _listen(now_s)
    counts = {message: seen.heard.get(message, 0) - counted.get(message, 0) for message in Message}
    now_s = yield from _await_temperature(seen, now_s)
    problems = [
        *_identity_problems(motor, seen, facts),
        *_rate_problems(counts, cycles, listened_s, facts),
        *_state_problems(seen, facts),
        *_range_problems(motor),
        NO_TIMEOUT_PROBLEM,
    ]
    return now_s, DeviceReport(motor.joint, config.bus, True, tuple(problems), facts)


def _quieten(line: MotorLine) -> None:
    """Idle, and gains of zero: whatever is in flash, an axis that is switched on by mistake stays limp."""
    identifier = line.motor.config.id
    for _ in range(2):
        line.send(codec.make_set_axis_state(identifier, AxisState.IDLE))
        line.send(codec.make_set_position_gain(identifier, 0.0))
        line.send(codec.make_set_velocity_gains(identifier, 0.0, 0.0))


def _await(line: MotorLine, message: Message, now_s: float) -> Waiting:
    """Ask until the answer is there, at most a few times; idle first, which nobody answers."""
    identifier, heard = line.motor.config.id, line.observation.heard
    for _ in range(ATTEMPTS):
        line.send(codec.make_set_axis_state(identifier, AxisState.IDLE))
        line.send(codec.make_request(identifier, message))
        deadline_s = now_s + REPLY_TIMEOUT_S
        while message not in heard and now_s < deadline_s:
            now_s = yield
        if message in heard:
            break
    return now_s


def _listen(began_s: float) -> Generator[None, float, tuple[float, int, float]]:
    """Let reports come in.

    Returns:
        The time, how many control cycles passed, and how long they took.
    """
    now_s, cycles = began_s, 0
    while now_s < began_s + LISTEN_S:
        now_s = yield
        cycles += 1
    return now_s, cycles, now_s - began_s


def _await_temperature(seen: Observation, now_s: float) -> Waiting:
    deadline_s = now_s + TEMPERATURE_MAX_S
    while Message.TEMPERATURES not in seen.heard and now_s < deadline_s:
        now_s = yield
    return now_s


def _silence(motor: WiredMotor) -> str:
    """What to check where nothing came."""
    config = motor.config
    return (
        f"motor {config.id} on {config.bus} does not answer {ATTEMPTS} requests and reports nothing: check power, "
        f"cable, termination, bit rate (delivered with {DEFAULT_BITRATE_BPS} bit/s), and that "
        f"axis0.config.can.node_id is {config.id}"
    )


def _identity_problems(motor: WiredMotor, seen: Observation, facts: Facts) -> Iterator[str]:
    facts["serial_number"] = ", ".join(f"{number:012X}" for number in sorted(seen.serial_numbers)) or "unknown"
    if len(seen.serial_numbers) > 1 or seen.jumps >= JUMPS:
        found = facts["serial_number"] if len(seen.serial_numbers) > 1 else "at two places"
        yield f"more than one motor answers under id {motor.config.id} ({found}): give each an id of its own"
    version = seen.newest.get(Message.VERSION)
    if not isinstance(version, codec.Version):
        yield f"does not answer {ATTEMPTS} requests for its version: its firmware must be {codec.dotted(FIRMWARE)}"
        return
    facts["firmware"] = codec.dotted(version.firmware)
    facts["hardware"] = codec.dotted(version.hardware)
    if version.firmware[:2] != FIRMWARE:
        yield f"has firmware {facts['firmware']}, whose messages differ; needed: {codec.dotted(FIRMWARE)}, so update it"
    board = BOARD_OF_HARDWARE.get(version.hardware[0], motor.config.model)
    if board != motor.config.model:
        yield f"is an ODrive {board} (hardware {facts['hardware']}), and the robot file says {motor.config.model}"


def _rate_problems(counts: dict[Message, int], cycles: int, listened_s: float, facts: Facts) -> Iterator[str]:
    """Reports that come too rarely, with the setting that changes it."""
    needed = (
        ("encoder", "encoder estimates", Message.ENCODER_ESTIMATES, listened_s / cycles),
        ("heartbeat", "heartbeats", Message.HEARTBEAT, HEARTBEAT_MAX_S),
        ("torques", "torques", Message.TORQUES, TORQUE_MAX_S),
    )
    for name, what, message, longest_s in needed:
        found = counts[message]
        period_s = listened_s / found if found else math.inf
        facts[f"{name}_period_ms"] = round(period_s * 1e3, 1) if found else "never"
        if found < SHARE_HEARD * listened_s / longest_s:
            yield _rate_problem(name, what, period_s, longest_s)


def _rate_problem(name: str, what: str, period_s: float, longest_s: float) -> str:
    setting = f"set {SETTING.format(name)} to {round(longest_s * 1e3)} or less, and save"
    if math.isinf(period_s):
        return f"sends no {what}; needed: one every {longest_s * 1e3:g} ms: {setting}"
    return f"sends {what} every {period_s * 1e3:.1f} ms; needed: every {longest_s * 1e3:g} ms: {setting}"


def _state_problems(seen: Observation, facts: Facts) -> Iterator[str]:
    """State, errors, temperatures and supply."""
    beat = seen.newest.get(Message.HEARTBEAT)
    if isinstance(beat, codec.Heartbeat):
        facts["state"] = state_name(beat.axis_state)
        if beat.axis_error:
            names = " and ".join(codec.error_names(beat.axis_error))
            yield f"reports fault {names}: find the cause, then clear it"
        if beat.axis_state != AxisState.IDLE:
            yield f"is in {facts['state']} after being told to idle: wait for its start-up sequence, or switch that off"
    estimates = seen.newest.get(Message.ENCODER_ESTIMATES)
    if isinstance(estimates, codec.EncoderEstimates) and not all(map(math.isfinite, estimates)):
        yield "sends encoder estimates that are no numbers: configure and calibrate its encoder"
    temperatures = seen.newest.get(Message.TEMPERATURES)
    if isinstance(temperatures, codec.Temperatures):
        facts["inverter_degc"] = _known(temperatures.inverter_degc)
        facts["motor_degc"] = _known(temperatures.motor_degc)
    else:
        yield _rate_problem("temperature", "temperatures", math.inf, TEMPERATURE_MAX_S)
    supply = seen.newest.get(Message.SUPPLY)
    if isinstance(supply, codec.Supply):
        facts["bus_voltage_v"] = _known(supply.voltage_v)


def _known(value: float) -> float | str:
    """A reading for the record; a sensor that is not fitted reads NaN."""
    return round(value, 1) if math.isfinite(value) else "no sensor"


def _range_problems(motor: WiredMotor) -> Iterator[str]:
    """What the drive is said to give, and its messages cannot carry."""
    drive = motor.config.drive
    if drive is None:
        return
    per_output = drive.motor_turns_per_output_turn
    velocity = drive.velocity_max_rad_per_s * per_output / (2.0 * math.pi)
    for key, value, unit in (
        ("velocity_max_rad_per_s", velocity, "rev/s"),
        ("torque_max_nm", drive.torque_max_nm / per_output, "N·m"),
    ):
        if value > FEEDFORWARD_MAX:
            yield (
                f"drive.{key} is {value:.4g} {unit} at the motor ({per_output:g} turns per output turn); its messages "
                f"carry at most {FEEDFORWARD_MAX} {unit}: lower it"
            )


def state_name(state: int) -> str:
    """The vendor's name of an axis state."""
    return AxisState(state).name if state in _STATES else f"STATE_{state}"
