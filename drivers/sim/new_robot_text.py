"""The files of a new robot as text: YAML with a comment at each number that is not the model's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict

from drivers.capabilities import Timeout
from drivers.registry import MOTOR_MAKES
from drivers.sim.new_drives import REMARK
from drivers.sim.new_robot_parts import RobotParts
from drivers.sim.new_robot_safety import SETTLE_SPEED_RAD_PER_S, Row, reach_rad, safety_rows, settle_timeout_s
from drivers.sim.wiring import MotorChoice, Slot, bus_load, bus_number
from supervisor.core.robot import RealtimeConfig

MOTOR_TIMEOUT_S = 0.1
"""Long enough for a hiccup of the computer, short enough that a robot left alone does not walk on."""

GUARDIAN_PERIODS = 5.0
"""How many control periods the guardian waits at least, where its usual window is shorter."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def scalar(text: str) -> str:
    """A text as YAML writes it, quoted where it could be read as something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return json.dumps(text, ensure_ascii=False)


def number(value: float) -> str:
    """A number that YAML reads as a float, with no more digits than anybody needs."""
    text = f"{float(value):.6g}"
    if "e" in text:
        text = f"{float(value):.9f}".rstrip("0").rstrip(".")
    return text if "." in text else f"{text}.0"


def robot_text(parts: RobotParts) -> str:
    """The text of `robot.yaml`."""
    return "\n".join([*_head(parts), *_buses(parts), *_imu(parts), *_simulation(parts), *_joints(parts)]) + "\n"


def _head(parts: RobotParts) -> Iterator[str]:
    yield "schema: 1"
    yield f"name: {scalar(parts.name)}"
    count, mass = len(parts.facts.joints), parts.facts.mass_kg
    about = f"{count} joints, {mass:.1f} kg, made from {parts.source}; simulated wiring, not that of a real robot."
    yield f"description: {json.dumps(about, ensure_ascii=False)}"
    yield "model: model.xml"
    yield "safety: safety.yaml"
    yield f"control_hz: {number(parts.control_hz)}"
    yield f"motor_timeout_s: {number(max(MOTOR_TIMEOUT_S, 5.0 / parts.control_hz))}"
    if GUARDIAN_PERIODS / parts.control_hz > RealtimeConfig().guardian_window_s:
        window = number(GUARDIAN_PERIODS / parts.control_hz)
        yield f"realtime: {{guardian_window_s: {window}}}  # derived: {GUARDIAN_PERIODS:g} control periods"
    if MOTOR_MAKES[parts.make].capabilities.timeout is Timeout.NONE:
        yield "# These motors do not stop by themselves. Name what takes their power away when this computer dies:"
        yield "# independent_cut_off: contactor K1, opened by ..."
    yield "estimator: simulation"
    yield f"rest_support: {parts.derived.rest_support}"
    yield ""


def _buses(parts: RobotParts) -> Iterator[str]:
    names = list(dict.fromkeys(slot.bus for slot in parts.slots.values()))
    names.sort(key=bus_number)
    most = max(sum(slot.bus == name for slot in parts.slots.values()) for name in names)
    load = bus_load(most, parts.control_hz, parts.make)
    yield f"# derived: at most {most} motors on a bus load it by {load:.0%} in the worst case; limbs stay together."
    yield "buses:"
    make = MOTOR_MAKES[parts.make]
    rate_bps, data_bps = make.usual_rates_bps
    for name in names:
        if make.bus_kind == "serial":
            # The first port is the inertial unit's.
            yield f"  {name}: {{kind: serial, port: /dev/ttyUSB{bus_number(name) + 1}, baud_bps: {rate_bps}}}"
        else:
            fd = f", fd: true, data_bitrate_bps: {data_bps}" if make.needs_fd else ""
            yield f"  {name}: {{kind: can, interface: socketcan, channel: {name}, bitrate_bps: {rate_bps}{fd}}}"
    yield "  imu0: {kind: serial, port: /dev/ttyUSB0, baud_bps: 921600}"
    yield ""


def _imu(parts: RobotParts) -> Iterator[str]:
    yield "# derived: aligned with the base, as in the simulation; set the mounting rotation of the real unit."
    yield "imu:"
    yield "  make: hipnuc"
    yield "  bus: imu0"
    yield "  packet: hi91"
    yield f"  rate_hz: {number(parts.imu_rate_hz)}"
    yield "  orientation_imu_in_base_wxyz: [1.0, 0.0, 0.0, 0.0]"
    yield ""


def _simulation(parts: RobotParts) -> Iterator[str]:
    gantry = parts.derived.gantry
    share = gantry.lowered_tilt_stiffness_nm_per_rad / gantry.tilt_stiffness_nm_per_rad
    why = "it stands by itself" if parts.derived.stands_alone else "it does not stand by itself"
    yield "simulation:"
    yield f"  base_body: {scalar(parts.facts.base_name)}"
    yield f"  imu_site: {scalar(parts.imu_site)}"
    yield f"  keyframe: {scalar(parts.keyframe)}"
    yield "  gantry:"
    yield f"    hang_height_m: {number(gantry.hang_height_m)}  # derived: reach of the stretched legs, and clearance"
    yield f"    lowered_weight_fraction: {number(gantry.lowered_weight_fraction)}"
    tilt = number(round(gantry.tilt_stiffness_nm_per_rad, 2))
    lowered = number(round(gantry.lowered_tilt_stiffness_nm_per_rad, 2))
    yield f"    tilt_stiffness_nm_per_rad: {tilt}  # derived: weight times height of the centre of mass"
    yield f"    lowered_tilt_stiffness_nm_per_rad: {lowered}  # derived: {share:.2f} of it, because {why}"
    yield ""


def _joints(parts: RobotParts) -> Iterator[str]:
    yield f"# derived: default_rad from {parts.default_from}; rest_rad by lying down in simulation, or the default pose"
    yield "# where no lying pose was found; kp and kd from the model's position actuators, else torque limit / 0.6 rad"
    yield "# with damping ratio 0.7, stiffened until the robot sags by less than 0.08 rad under its own weight."
    if any(motor.drive is not None for motor in parts.motors):
        yield f"# derived: {REMARK}."
    yield "joints:"
    gains, rest = parts.derived.gains, parts.derived.rest_rad
    for i, joint in enumerate(parts.facts.joints):
        motor, slot = parts.motors[i], parts.slots[joint.name]
        yield f"  {scalar(joint.name)}:"
        for remark in [*joint.derived, motor.remark]:
            if remark:
                yield f"    # derived: {remark}"
        yield from _motor(parts, motor, slot)
        yield "    direction: 1"
        yield f"    offset_rad: {number(motor.offset_rad)}"
        yield f"    gear: {number(motor.gear)}"
        yield f"    position_rad: [{number(joint.low_rad)}, {number(joint.high_rad)}]"
        speed = number(motor.velocity_rad_per_s)
        yield f"    velocity_rad_per_s: {speed}  # derived: 0.9 of the motor's range, at most 30"
        yield f"    torque_nm: {number(motor.torque_nm)}  # {joint.torque_from}"
        yield f"    kp_nm_per_rad: {number(gains.kp[i])}"
        yield f"    kd_nm_s_per_rad: {number(gains.kd[i])}"
        yield f"    default_rad: {number(parts.default_rad[i])}"
        yield f"    rest_rad: {number(rest[i])}"
        if parts.starts_within_rad is not None:
            low, high = map(number, parts.starts_within_rad[i])
            yield f"    starts_within_rad: [{low}, {high}]  # derived: where it hangs when limp, in simulation"


def _motor(parts: RobotParts, motor: MotorChoice, slot: Slot) -> Iterator[str]:
    """On one line, or on several where the drive has to be described."""
    feedback = f", feedback_id: {slot.feedback_id}" if slot.feedback_id else ""
    wiring = f"make: {parts.make}, model: {scalar(motor.model.name)}, bus: {slot.bus}, id: {slot.id}{feedback}"
    if motor.drive is None:
        yield f"    motor: {{{wiring}}}"
        return
    yield "    motor:"
    yield from (f"      {entry}" for entry in wiring.split(", "))
    yield "      drive:"
    for key, value in asdict(motor.drive).items():
        if value:
            yield f"        {key}: {value if isinstance(value, int) else number(value)}"


def safety_text(parts: RobotParts) -> str:
    """The text of `safety.yaml`."""
    lines = [
        "schema: 1",
        f"# First thresholds for {parts.name}, derived from its model. Nobody has confirmed them on a robot yet:",
        "# look at each, and take its `derived: true` away when it is yours.",
        "guards:",
    ]
    for row in safety_rows(parts):
        lines += _row(row)
    return "\n".join([*lines, *_gate(parts), *_profile(parts), *_arming()]) + "\n"


def _row(row: Row) -> Iterator[str]:
    yield f"  - id: {row.id}"
    yield f"    limit: {number(row.limit)}"
    yield f"    unit: {scalar(row.unit)}"
    yield f"    hysteresis: {number(row.hysteresis)}"
    yield f"    persistence: {{cycles: {row.cycles}, of_cycles: {row.of_cycles}}}"
    yield f"    level: {row.level}"
    yield f"    clear: {row.clear}"
    yield "    derived: true"
    yield f"    reason: {json.dumps(row.reason, ensure_ascii=False)}"


def _gate(parts: RobotParts) -> Iterator[str]:
    yield "gate:"
    yield "  position_margin_rad: 0.0"
    yield "  target_speed_fraction: 1.0"
    yield "  torque_fraction: 1.0"
    yield f"  measured_distance_rad: {number(reach_rad(parts))}"
    yield "  reason: >-"
    yield "    derived: the limits of the robot file as they are; a target leads by at most 1.5 times what the softest"
    yield "    joint needs to give its whole torque."


def _profile(parts: RobotParts) -> Iterator[str]:
    derived = parts.derived
    falls_to = "SETTLE" if derived.rest_support == "ground" else "DAMP"
    yield "profile:"
    yield "  hold_timeout_s: 5.0"
    yield f"  hold_falls_to: {falls_to}"
    yield f"  settle_speed_rad_per_s: {number(SETTLE_SPEED_RAD_PER_S)}"
    yield f"  settle_timeout_s: {number(settle_timeout_s(parts))}"
    yield "  settle_falls_to: DAMP"
    yield f"  damp_kd_nm_s_per_rad: {number(derived.damp_kd_nm_s_per_rad)}"
    yield "  damp_duration_s: 3.0"
    yield "  unknown: DAMP"
    yield "  reason: >-"
    yield "    derived: 2.5 times what the longest way to the rest pose takes; damping with which a quarter of the"
    yield "    weight times the height of the centre of mass turns a joint at about 2 rad/s, as far as every motor and"
    yield "    the lightest joint allow."


def _arming() -> Iterator[str]:
    yield "arming:"
    yield "  clear_s: 0.5"
    yield "  start_timeout_s: 30.0"
