"""Whether a robot's wiring can work with the makes that its file names: everything that can be known without motors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

from drivers.capabilities import (
    MAXIMUM_BUS_LOAD,
    MAXIMUM_TURN_S,
    SERIAL_BITS_PER_BYTE,
    Timeout,
    shared_load,
    turns_within,
)
from drivers.devices import NO_TIMEOUT_PROBLEM, MotorModel
from drivers.registry import IMU_MAKES, MOTOR_MAKES, MotorMake, motor_model
from supervisor.core.robot import CanBusConfig, JointConfig, MotorConfig, RobotConfig, SerialBusConfig

MAXIMUM_SERIAL_LOAD: Final = 0.9
"""Of a serial line that carries one stream and nothing else."""


def wiring_problems(robot: RobotConfig) -> list[str]:
    """Everything in a robot file that these makes and buses cannot do; empty when it can work."""
    problems: list[str] = []
    for name, joint in robot.joints.items():
        problems += (f"joint {name}: {problem}" for problem in _joint_problems(robot, joint))
    for name in robot.buses:
        problems += (f"bus {name}: {problem}" for problem in _bus_problems(robot, name))
    problems += (f"imu: {problem}" for problem in _imu_problems(robot))
    return problems


def timeout_problems(robot: RobotConfig) -> list[str]:
    """Motors that would go on when this computer dies, where nothing else cuts their power.

    Such a robot may be looked at, but not armed.
    """
    if robot.independent_cut_off:
        return []
    makes = {name: MOTOR_MAKES.get(joint.motor.make) for name, joint in robot.joints.items()}
    return [
        f"joint {name}: {robot.joints[name].motor.make} {NO_TIMEOUT_PROBLEM}"
        for name, make in makes.items()
        if make is not None and make.capabilities.timeout is Timeout.NONE
    ]


def _joint_problems(robot: RobotConfig, joint: JointConfig) -> Iterator[str]:
    """What one joint asks of its motor that the motor, or its messages, cannot do."""
    motor = joint.motor
    make = MOTOR_MAKES.get(motor.make)
    if make is None:
        yield f"unknown make {motor.make!r}; known: {', '.join(MOTOR_MAKES)}"
        return
    if motor.model not in make.models:
        yield f"unknown model {motor.model!r} of {motor.make}; known: {', '.join(make.models)}"
        return
    identifiers = (
        ("id", motor.id, make.id_range),
        ("feedback_id", motor.feedback_id, make.feedback_id_range or make.id_range),
    )
    for key, identifier, (low, high) in identifiers:
        if not low <= identifier <= high:
            yield f"{key} {identifier} is not possible; allowed: {low} to {high}"
    yield from _make_problems(robot, motor, make)
    yield from _start_problems(joint, make)
    yield from _range_problems(joint, make, motor_model(motor))


def _make_problems(robot: RobotConfig, motor: MotorConfig, make: MotorMake) -> Iterator[str]:
    """Where the file claims what the make lacks, or leaves out what it needs."""
    bus = robot.buses.get(motor.bus)
    if bus is not None and bus.kind != make.bus_kind:
        yield f"{motor.make} motors are wired to a {make.bus_kind} bus, and {motor.bus} is a {bus.kind} bus"
    elif isinstance(bus, CanBusConfig) and make.needs_fd and not bus.fd:
        yield f"{motor.make} motors speak CAN FD: set `fd: true` for {motor.bus}, on an adapter that can"
    if make.drive_keys is None:
        if motor.drive is not None:
            yield f"{motor.make} motors are known by their model: remove `drive`"
    elif motor.drive is None:
        keys = ", ".join(("torque_max_nm", "velocity_max_rad_per_s", *make.drive_keys))
        yield f"{motor.make} turns anybody's motor: say what this one can, as `drive: {{...}}` with {keys}"
    else:
        for key in make.drive_keys:
            if getattr(motor.drive, key) <= 0:
                yield f"drive.{key} {getattr(motor.drive, key):g} is not possible; allowed: above 0"


def _start_problems(joint: JointConfig, make: MotorMake) -> Iterator[str]:
    """A joint that could be found in several places, by a motor that cannot tell them apart."""
    if make.start_span_max_rad <= 0.0:
        if joint.starts_within_rad is not None:
            yield f"{joint.motor.make} motors know where they are: remove `starts_within_rad`"
        return
    low, high = joint.starts_within_rad or joint.position_rad
    allowed = make.start_span_max_rad / joint.gear if joint.gear > 0.0 else make.start_span_max_rad
    if not 0.0 <= high - low <= allowed:
        key = "position_rad" if joint.starts_within_rad is None else "starts_within_rad"
        yield (
            f"{joint.motor.make} motors know their position only up to a part of a turn, and {key} spans "
            f"{high - low:.3g} rad, allowed: 0 to {allowed:.3g}: give `starts_within_rad: [low, high]`, where the "
            "joint stands whenever a program begins to drive the robot"
        )


def _range_problems(joint: JointConfig, make: MotorMake, model: MotorModel) -> Iterator[str]:
    """What a joint asks that the messages to its motor cannot carry."""
    gear = joint.gear
    if gear <= 0.0:
        return
    position = max(abs(joint.position_rad[0] + joint.offset_rad), abs(joint.position_rad[1] + joint.offset_rad)) * gear
    asked: tuple[tuple[str, float, float, str], ...] = (
        ("position_rad with offset_rad", position, model.position_max_rad - make.position_margin_rad, "rad"),
        ("velocity_rad_per_s", joint.velocity_rad_per_s * gear, model.velocity_max_rad_per_s, "rad/s"),
        ("torque_nm", joint.torque_nm / gear, model.torque_max_nm, "N·m"),
        ("kp_nm_per_rad", joint.kp_nm_per_rad / gear**2, model.kp_max_nm_per_rad, "N·m/rad"),
        ("kd_nm_s_per_rad", joint.kd_nm_s_per_rad / gear**2, model.kd_max_nm_s_per_rad, "N·m·s/rad"),
    )
    for key, value, limit, unit in asked:
        if value > limit:
            yield (
                f"{key} asks {value:.4g} {unit} of the motor (gear {gear:g}); "
                f"the messages of {model.name} carry at most {limit:g} {unit}"
            )


def _bus_problems(robot: RobotConfig, name: str) -> Iterator[str]:
    """Identifiers that collide, strangers to each other on one line, and a load that the bus cannot carry."""
    bus = robot.buses[name]
    joints = {joint: config.motor for joint, config in robot.joints.items() if config.motor.bus == name}
    if bus.kind == "can":
        yield from _identifier_problems(joints)
    makes = dict.fromkeys(motor.make for motor in joints.values())
    if bus.kind == "serial" and len(makes) > 1:
        yield f"motors of {' and '.join(makes)} cannot share a serial line: give each make a line of its own"
    known = [motor.make for motor in joints.values() if motor.make in MOTOR_MAKES]
    if len({MOTOR_MAKES[make].needs_fd for make in known}) > 1:
        yield (
            f"motors of {' and '.join(makes)} cannot share a bus: those that speak classic CAN answer frames of CAN FD "
            "with error frames; give each kind a bus of its own"
        )
    key, rate_bps = bus_rate(bus)
    fixed = {make: MOTOR_MAKES[make].usual_rates_bps[0] for make in known if MOTOR_MAKES[make].has_fixed_rate}
    yield from (
        f"{make} motors speak {rate} bit/s only, and {key} is {rate_bps}"
        for make, rate in fixed.items()
        if rate != rate_bps
    )
    if rate_bps <= 0:
        yield f"{key} {rate_bps}; allowed: a number above 0"
    elif known:
        yield from _load_problems(robot, name, known, list(joints))


def _identifier_problems(joints: Mapping[str, MotorConfig]) -> Iterator[str]:
    """Motors on one CAN bus that hear or use each other's identifiers; one reason per pair."""
    ids = {(motor.make, motor.id): joint for joint, motor in joints.items()}
    for joint, motor in joints.items():
        listener = ids.get((motor.make, motor.feedback_id))
        if listener is not None:
            yield f"{joint} answers with {motor.feedback_id}, which is the id {listener} listens to"
    known = [(joint, motor) for joint, motor in joints.items() if motor.make in MOTOR_MAKES]
    used = {joint: frozenset(MOTOR_MAKES[motor.make].uses_identifiers(motor)) for joint, motor in known}
    for (one, first), (other, second) in combinations(known, 2):
        # Motors of one make share some on purpose: that of the host, and those that all of them hear.
        common = used[one] & used[other] if first.make != second.make else ()
        if common:
            yield (
                f"{one} ({first.make} {first.id}) and {other} ({second.make} {second.id}) both use identifier "
                f"0x{min(common):03X}: give one of them another id, or each make a bus of its own"
            )


def bus_rate(bus: CanBusConfig | SerialBusConfig) -> tuple[str, int]:
    """Key and value of a bus's rate."""
    return ("bitrate_bps", bus.bitrate_bps) if isinstance(bus, CanBusConfig) else ("baud_bps", bus.baud_bps)


def bus_load(robot: RobotConfig, name: str) -> float:
    """Share of a bus's time that its motors take at worst, command and reply; 0 where there is none.

    Args:
        robot: The robot; motors of unknown makes are left out.
        name: A bus of it, with a rate above 0.
    """
    makes = [joint.motor.make for joint in robot.joints.values() if joint.motor.bus == name]
    return _load(robot, name, [make for make in makes if make in MOTOR_MAKES], robot.control_hz)


def _load(robot: RobotConfig, name: str, makes: Sequence[str], control_hz: float) -> float:
    bus = robot.buses[name]
    data_bps = bus.data_bitrate_bps if isinstance(bus, CanBusConfig) else 0
    return shared_load(Counter(MOTOR_MAKES[make].cost for make in makes), control_hz, bus_rate(bus)[1], data_bps)


def _load_problems(robot: RobotConfig, name: str, makes: Sequence[str], joints: Sequence[str]) -> Iterator[str]:
    """A bus that would be too busy, with a way out."""
    yield from _turn_problems(robot, makes, joints)
    load = _load(robot, name, makes, robot.control_hz)
    if load <= MAXIMUM_BUS_LOAD + 1e-9:
        return
    allowed = MAXIMUM_BUS_LOAD + 1e-9
    room = max(n for n in range(len(makes)) if _load(robot, name, makes[:n], robot.control_hz) <= allowed)
    rate_bps = bus_rate(robot.buses[name])[1]
    yield (
        f"{len(makes)} motors at {robot.control_hz:g} Hz and {rate_bps} bit/s load it by {load:.0%} "
        f"at worst, allowed {MAXIMUM_BUS_LOAD:.0%}: keep {room} motors here and move {', '.join(joints[room:])} to "
        f"another bus, or lower control_hz to {int(robot.control_hz * MAXIMUM_BUS_LOAD / load)}"
    )


def _turn_problems(robot: RobotConfig, makes: Sequence[str], joints: Sequence[str]) -> Iterator[str]:
    """Motors that wait too long for their turn, with a way out."""
    if not any(MOTOR_MAKES[make].cost.takes_turns for make in makes):
        return
    turn_s = max(MOTOR_MAKES[make].cost.turn_s(len(makes), robot.control_hz) for make in makes)
    room = turns_within(robot.control_hz)
    if len(makes) > room and turn_s > MAXIMUM_TURN_S + 1e-9:
        yield (
            f"{len(makes)} motors of {makes[0]} take turns, so that each waits {turn_s * 1e3:.3g} ms at "
            f"{robot.control_hz:g} Hz, allowed {MAXIMUM_TURN_S * 1e3:g} ms: keep {room} motors here and move "
            f"{', '.join(joints[room:])} to another line"
        )


def _imu_problems(robot: RobotConfig) -> Iterator[str]:
    """An unknown unit or packet, and a serial line too slow for it."""
    imu = robot.imu
    make = IMU_MAKES.get(imu.make)
    if make is None:
        yield f"unknown make {imu.make!r}; known: {', '.join(IMU_MAKES)}"
        return
    if not make.has_angular_rate:
        yield f"{imu.make} measures no angular rate, which the safety guards need: use another unit"
    frame_bytes = make.frame_bytes.get(imu.packet)
    if frame_bytes is None:
        yield f"unknown packet {imu.packet!r} of {imu.make}; known: {', '.join(make.frame_bytes)}"
        return
    bus = robot.buses.get(imu.bus)
    if not isinstance(bus, SerialBusConfig):
        yield f"bus {imu.bus!r} is not a serial bus of this robot"
        return
    needed_bps = frame_bytes * SERIAL_BITS_PER_BYTE * imu.rate_hz
    if needed_bps > MAXIMUM_SERIAL_LOAD * bus.baud_bps:
        yield (
            f"{imu.packet} at {imu.rate_hz:g} Hz is {frame_bytes} bytes x {SERIAL_BITS_PER_BYTE} bits x "
            f"{imu.rate_hz:g} = {needed_bps:.0f} bit/s; {imu.bus} has {bus.baud_bps}, of which "
            f"{MAXIMUM_SERIAL_LOAD:.0%} are allowed: raise the baud rate or lower rate_hz"
        )
