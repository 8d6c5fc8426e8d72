"""Reading a robot file and the safety file it names, with the checks that look across keys."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.loading import Document, KeyPath, read_document, validate_document
from supervisor.core.robot import CanBusConfig, RobotConfig, SerialBusConfig
from supervisor.core.robot_inputs import CanFrameStopConfig, SerialLineStopConfig
from supervisor.core.safety import SafetyConfig

HIGHEST_PRIORITY = 98
"""99 is the kernel's own: its watchdogs and migration must come before us."""

LONGEST_STOP_AGE_S = 0.5
"""A stop button that may be silent for longer stops nobody in time."""

_BUTTON = re.compile(r"(BTN|KEY)_[A-Z0-9_]+")
_AXIS = re.compile(r"ABS_[A-Z0-9_]+")

DEAD_ZONES = (0.02, 0.5)
"""Of a stick: below, it hardly ever comes back to its centre; above, too little of its way is left."""


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot file that has passed its checks, with its safety file.

    Attributes:
        path: The robot file.
        config: Its content.
        safety_path: The safety file.
        safety: Its content.
        model_path: The MuJoCo model, None where the file names none.
    """

    path: Path
    config: RobotConfig
    safety_path: Path
    safety: SafetyConfig
    model_path: Path | None


def load_robot(path: Path) -> Robot:
    """Read a robot file and its safety file.

    Args:
        path: The file `robot.yaml`, or the folder that holds it.

    Raises:
        ConfigError: Every problem found in either file.
    """
    path = path / "robot.yaml" if path.is_dir() else path
    document = read_document(path)
    config = validate_document(document, RobotConfig)
    problems = list(robot_problems(config, document))
    safety_path = (path.parent / config.safety).resolve()
    safety: SafetyConfig | None = None
    try:
        safety_document = read_document(safety_path)
        safety = validate_document(safety_document, SafetyConfig)
        problems += safety_problems(safety, safety_document)
    except ConfigError as error:
        problems += error.problems
    model_path = (path.parent / config.model).resolve() if config.model else None
    if model_path is not None and not model_path.is_file():
        problems.append(document.problem(("model",), config.model, "a MuJoCo model beside this file"))
    if problems or safety is None:
        raise ConfigError(problems)
    return Robot(path, config, safety_path, safety, model_path)


def robot_problems(robot: RobotConfig, document: Document) -> Iterator[Problem]:
    """What contradicts itself in a robot file whose keys and types are right."""

    def wrong(path: KeyPath, found: object, allowed: str) -> Problem:
        return document.problem(path, str(found), allowed)

    for key in ("control_hz", "motor_timeout_s"):
        if getattr(robot, key) <= 0.0:
            yield wrong((key,), getattr(robot, key), "a number above 0")
    if robot.control_hz > 0.0 and robot.motor_timeout_s < 3.0 * robot.control_period_s:
        yield wrong(
            ("motor_timeout_s",),
            robot.motor_timeout_s,
            f"at least 3 control periods, {3.0 * robot.control_period_s:g} s",
        )
    realtime = robot.realtime
    if not 0 <= realtime.fifo_priority <= HIGHEST_PRIORITY:
        yield wrong(("realtime", "fifo_priority"), realtime.fifo_priority, f"0 to {HIGHEST_PRIORITY}")
    if robot.control_hz > 0.0 and realtime.guardian_window_s < 3.0 * robot.control_period_s:
        yield wrong(
            ("realtime", "guardian_window_s"),
            realtime.guardian_window_s,
            f"at least 3 control periods, {3.0 * robot.control_period_s:g} s",
        )
    if not robot.joints:
        yield wrong(("joints",), "no joint", "at least one joint")
    seen: dict[tuple[str, str, int], str] = {}
    for name, joint in robot.joints.items():
        here: KeyPath = ("joints", name)
        for key in ("gear", "velocity_rad_per_s", "torque_nm", "kp_nm_per_rad", "kd_nm_s_per_rad"):
            if getattr(joint, key) <= 0.0:
                yield wrong((*here, key), getattr(joint, key), "a number above 0")
        low, high = joint.position_rad
        if low >= high:
            yield wrong((*here, "position_rad"), list(joint.position_rad), "[lowest, highest], lowest first")
        for key in ("default_rad", "rest_rad"):
            if low < high and not low <= getattr(joint, key) <= high:
                yield wrong((*here, key), getattr(joint, key), f"inside position_rad, {low:g} to {high:g}")
        if joint.motor.bus not in robot.buses or joint.motor.bus == robot.imu.bus:
            free = ", ".join(bus for bus in robot.buses if bus != robot.imu.bus) or "none is declared"
            yield wrong((*here, "motor", "bus"), joint.motor.bus, f"a bus of this file that the IMU is not on: {free}")
        if joint.motor.drive is not None:
            for key in ("torque_max_nm", "velocity_max_rad_per_s", "motor_turns_per_output_turn"):
                if getattr(joint.motor.drive, key) <= 0.0:
                    found = getattr(joint.motor.drive, key)
                    yield wrong((*here, "motor", "drive", key), found, "a number above 0")
        for key, identifier in (("id", joint.motor.id), ("feedback_id", joint.motor.feedback_id)):
            if key == "feedback_id" and identifier == 0:
                continue  # the make has none
            slot = (joint.motor.bus, key, identifier)
            if slot in seen:
                yield wrong((*here, "motor", key), identifier, f"one motor per {key}; {seen[slot]} has it already")
            seen[slot] = name
    if not isinstance(robot.buses.get(robot.imu.bus), SerialBusConfig):
        yield wrong(("imu", "bus"), robot.imu.bus, f"a serial bus of this file: {_names(robot, 'serial')}")
    if robot.imu.rate_hz <= 0.0:
        yield wrong(("imu", "rate_hz"), robot.imu.rate_hz, "a number above 0")
    norm = math.sqrt(sum(value * value for value in robot.imu.orientation_imu_in_base_wxyz))
    if abs(norm - 1.0) > 1e-3:
        yield wrong(("imu", "orientation_imu_in_base_wxyz"), f"length {norm:.4f}", "a unit quaternion w, x, y, z")
    for name, bus in robot.buses.items():
        if isinstance(bus, CanBusConfig) and bus.data_bitrate_bps and not bus.fd:
            yield wrong(("buses", name, "data_bitrate_bps"), bus.data_bitrate_bps, "0, or fd: true")
    yield from _operator_problems(robot, document)
    yield from _emergency_stop_problems(robot, document)
    used = {joint.motor.bus for joint in robot.joints.values()} | {robot.imu.bus}
    if isinstance(robot.emergency_stop, CanFrameStopConfig):
        used.add(robot.emergency_stop.bus)
    for name in robot.buses:
        if name not in used:
            yield wrong(("buses", name), "a bus that nothing is wired to", "remove it, or wire something to it")


def _operator_problems(robot: RobotConfig, document: Document) -> Iterator[Problem]:
    operator, gamepad = robot.operator, robot.operator.gamepad
    if gamepad is None:
        if operator.deadman == "gamepad":
            yield document.problem(("operator", "deadman"), "gamepad", "a gamepad block beside it, or another deadman")
        return
    here: KeyPath = ("operator", "gamepad")
    if not gamepad.device.startswith("/"):
        yield document.problem((*here, "device"), gamepad.device, "the path of an event device, /dev/input/by-id/...")
    required = ("stop", "deadman") if operator.deadman == "gamepad" else ("stop",)
    for use in required:
        if use not in gamepad.buttons:
            yield document.problem((*here, "buttons"), f"no button for {use}", f"a button for {' and '.join(required)}")
    if "deadman" in gamepad.buttons and operator.deadman != "gamepad":
        yield document.problem((*here, "buttons", "deadman"), "a deadman that nobody asks for", "deadman: gamepad")
    seen: dict[str, str] = {}
    for use, button in gamepad.buttons.items():
        if not _BUTTON.fullmatch(button):
            yield document.problem((*here, "buttons", use), button, "the kernel's name of a button, as BTN_EAST")
        elif button in seen:
            yield document.problem((*here, "buttons", use), button, f"a button of its own; {seen[button]} has it")
        seen[button] = use
    if gamepad.sticks and operator.deadman != "gamepad":
        yield document.problem((*here, "sticks"), "sticks without a deadman beside them", "deadman: gamepad")
    axes: dict[str, str] = {}
    for use, stick in gamepad.sticks.items():
        place: KeyPath = (*here, "sticks", use)
        if not _AXIS.fullmatch(stick.axis):
            yield document.problem((*place, "axis"), stick.axis, "the kernel's name of an axis, as ABS_Y")
        elif stick.axis in axes:
            yield document.problem((*place, "axis"), stick.axis, f"an axis of its own; {axes[stick.axis]} has it")
        if not DEAD_ZONES[0] <= stick.dead_zone <= DEAD_ZONES[1]:
            yield document.problem(
                (*place, "dead_zone"), str(stick.dead_zone), f"{DEAD_ZONES[0]:g} to {DEAD_ZONES[1]:g}"
            )
        axes[stick.axis] = use


def _emergency_stop_problems(robot: RobotConfig, document: Document) -> Iterator[Problem]:
    stop = robot.emergency_stop

    def wrong(key: str, found: object, allowed: str) -> Problem:
        return document.problem(("emergency_stop", key), str(found), allowed)

    if isinstance(stop, SerialLineStopConfig):
        for name, bus in robot.buses.items():
            if isinstance(bus, SerialBusConfig) and bus.port == stop.port:
                yield wrong("port", stop.port, f"a port of its own; {name} has it")
    elif isinstance(stop, CanFrameStopConfig):
        if not isinstance(robot.buses.get(stop.bus), CanBusConfig):
            yield wrong("bus", stop.bus, f"a CAN bus of this file: {_names(robot, 'can')}")
        highest = (1 << (29 if stop.is_extended else 11)) - 1
        if not 0 <= stop.id <= highest:
            yield wrong("id", stop.id, f"0 to {highest}")
        for joint in robot.joints.values():
            motor = joint.motor
            if motor.bus == stop.bus and not stop.is_extended and stop.id in (motor.id, motor.feedback_id):
                yield wrong("id", stop.id, "an identifier that no motor has")
        if not 1 <= len(stop.mask) <= 8 or not all(0 <= value <= 255 for value in stop.mask):
            yield wrong("mask", list(stop.mask), "1 to 8 bytes")
        elif len(stop.mask) != len(stop.released):
            yield wrong("released", list(stop.released), f"{len(stop.mask)} bytes, as in mask")
        elif not any(stop.mask):
            yield wrong("mask", list(stop.mask), "a bit that tells the button's state")
        elif any(released & ~mask for mask, released in zip(stop.mask, stop.released, strict=True)):
            yield wrong("released", list(stop.released), "no bit outside mask: the button would always be pressed")
        if not 0.0 < stop.max_age_s <= LONGEST_STOP_AGE_S:
            yield wrong("max_age_s", stop.max_age_s, f"above 0, at most {LONGEST_STOP_AGE_S:g}")


def safety_problems(safety: SafetyConfig, document: Document) -> Iterator[Problem]:
    """What contradicts itself in a safety file whose keys and types are right."""
    if not safety.guards:
        yield document.problem(("guards",), "no guard", "at least one guard")
    seen: set[str] = set()
    for i, row in enumerate(safety.guards):
        here: KeyPath = ("guards", i)
        if row.id in seen:
            yield document.problem((*here, "id"), row.id, "each guard once")
        seen.add(row.id)
        if row.hysteresis < 0.0:
            yield document.problem((*here, "hysteresis"), str(row.hysteresis), "0 or above")
        if not 1 <= row.persistence.cycles <= row.persistence.of_cycles <= 10_000:
            yield document.problem((*here, "persistence"), str(row.persistence), "1 <= cycles <= of_cycles <= 10000")
        if row.level.latches and row.clear == "automatic":
            yield document.problem((*here, "clear"), row.clear, f"operator or never: {row.level.name} latches")
        if not row.reason.strip():
            yield document.problem((*here, "reason"), "no reason", "why this number")
    positive = {
        "gate": ("target_speed_fraction", "torque_fraction", "measured_distance_rad"),
        "profile": (
            "hold_timeout_s",
            "settle_speed_rad_per_s",
            "settle_timeout_s",
            "damp_kd_nm_s_per_rad",
            "damp_duration_s",
        ),
        "arming": ("clear_s", "start_timeout_s"),
    }
    for part, keys in positive.items():
        for key in keys:
            value = getattr(getattr(safety, part), key)
            if value <= 0.0:
                yield document.problem((part, key), str(value), "a number above 0")
    for key in ("target_speed_fraction", "torque_fraction"):
        if getattr(safety.gate, key) > 1.0:
            yield document.problem(("gate", key), str(getattr(safety.gate, key)), "at most 1")
    if safety.profile.hold_falls_to <= safety.profile.hold_falls_to.HOLD:
        yield document.problem(("profile", "hold_falls_to"), safety.profile.hold_falls_to.name, "above HOLD")
    if safety.profile.settle_falls_to <= safety.profile.settle_falls_to.SETTLE:
        yield document.problem(("profile", "settle_falls_to"), safety.profile.settle_falls_to.name, "above SETTLE")
    if not safety.profile.unknown.latches:
        yield document.problem(("profile", "unknown"), safety.profile.unknown.name, "HOLD or above")


def _names(robot: RobotConfig, kind: str) -> str:
    return ", ".join(name for name, bus in robot.buses.items() if bus.kind == kind) or "none is declared"
