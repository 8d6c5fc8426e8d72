"""Which makes there are, and whether a robot's wiring can work with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Literal

from drivers.bus import SerialPort
from drivers.can import identifiers
from drivers.can.canopen import tables as canopen
from drivers.can.canopen.device import CanOpenMotors
from drivers.can.canopen.scan import SCAN as CANOPEN_SCAN
from drivers.can.cubemars import tables as cubemars
from drivers.can.cubemars.device import CubeMarsMotors
from drivers.can.cubemars.scan import SCAN as CUBEMARS_SCAN
from drivers.can.cybergear import tables as cybergear
from drivers.can.cybergear.device import CyberGearMotors
from drivers.can.damiao import tables as damiao
from drivers.can.damiao.device import DamiaoMotors
from drivers.can.damiao.scan import SCAN as DAMIAO_SCAN
from drivers.can.moteus import tables as moteus
from drivers.can.moteus.device import MoteusMotors
from drivers.can.moteus.scan import SCAN as MOTEUS_SCAN
from drivers.can.myactuator import tables as myactuator
from drivers.can.myactuator.device import MyActuatorMotors
from drivers.can.myactuator.scan import SCAN as MYACTUATOR_SCAN
from drivers.can.odrive import tables as odrive
from drivers.can.odrive.device import ODriveMotors
from drivers.can.odrive.scan import SCAN as ODRIVE_SCAN
from drivers.can.robstride import tables as robstride
from drivers.can.robstride.device import RobStrideMotors
from drivers.can.robstride.scan import SCAN as ROBSTRIDE_SCAN
from drivers.can.robstride_mit import tables as robstride_mit
from drivers.can.robstride_mit.device import RobStrideMitMotors
from drivers.can.robstride_mit.scan import SCAN as ROBSTRIDE_MIT_SCAN
from drivers.capabilities import (
    MAXIMUM_BUS_LOAD,
    MAXIMUM_TURN_S,
    SERIAL_BITS_PER_BYTE,
    Capabilities,
    CycleCost,
    Timeout,
    shared_load,
    turns_within,
)
from drivers.devices import NO_TIMEOUT_PROBLEM, Imu, MotorGroup, MotorModel, WiredMotor, wire_model
from drivers.imu.bno08x_rvc.device import Bno08xRvcImu
from drivers.imu.bno08x_rvc.tables import FRAME_BYTES as BNO08X_FRAME_BYTES
from drivers.imu.hipnuc.device import HipnucImu
from drivers.imu.hipnuc.tables import FRAME_BYTES as HIPNUC_FRAME_BYTES
from drivers.imu.vectornav_vn100.device import VectornavImu
from drivers.imu.vectornav_vn100.tables import FRAME_BYTES as VECTORNAV_FRAME_BYTES
from drivers.imu.witmotion.device import WitmotionImu
from drivers.imu.witmotion.tables import FRAME_BYTES as WITMOTION_FRAME_BYTES
from drivers.imu.xsens_xbus.device import XsensImu
from drivers.imu.xsens_xbus.tables import FRAME_BYTES as XSENS_FRAME_BYTES
from drivers.scanning import CanScan, SerialScan
from drivers.serial.dynamixel import tables as dynamixel
from drivers.serial.dynamixel.device import DynamixelMotors
from drivers.serial.dynamixel.scan import SCAN as DYNAMIXEL_SCAN
from drivers.serial.feetech import tables as feetech
from drivers.serial.feetech.device import FeetechServos
from drivers.serial.feetech.scan import SCAN as FEETECH_SCAN
from drivers.serial.lx16a import tables as lx16a
from drivers.serial.lx16a.device import Lx16aServos
from drivers.serial.lx16a.scan import SCAN as LX16A_SCAN
from drivers.serial.unitree import tables as unitree
from drivers.serial.unitree.device import UnitreeMotors
from drivers.serial.unitree.scan import SCAN as UNITREE_SCAN
from drivers.serial.unitree.zero import START_SPAN_MAX_RAD
from supervisor.core.robot import CanBusConfig, ImuConfig, JointConfig, MotorConfig, RobotConfig, SerialBusConfig

MAXIMUM_SERIAL_LOAD: Final = 0.9
"""Of a serial line that carries one stream and nothing else."""


@dataclass(frozen=True, slots=True)
class MotorMake:
    """One make of motor.

    Attributes:
        models: Its table.
        make: Makes the device for all its motors of one robot, from the motors and the open buses of its kind.
        capabilities: What it can do.
        cost: What one of its motors puts on a bus in a control cycle.
        id_range: Smallest and largest identifier.
        feedback_id_range: The same of the identifier it answers with; None where `id_range` holds for it, too.
        position_margin_rad: How far joints must stay away from the end of the position range, where it wraps.
        start_span_max_rad: For makes that know their position only up to a part of a turn: within how wide a range they
            must be found, motor frame. 0 for the others.
        bus_kind: What it is wired to.
        needs_fd: Whether it speaks CAN FD.
        drive_keys: What the robot file must say of each drive, of the keys that may stay 0; None for makes whose motors
            are known, where `drive` says nothing.
        usual_model: Row for new robots, of makes that turn anybody's motor; "" for the others.
        scan: How ids are asked who they are, None where nothing can be asked without a command.
        usual_rates_bps: Rate of the bus and of an FD frame's data, for new robots and for the documentation.
        has_fixed_rate: Whether it can have no other.
        without_temperature: Models that do not say it, of a make whose others do.
        uses_identifiers: Which 11-bit identifiers one of its motors uses, on CAN.
    """

    models: Mapping[str, MotorModel]
    make: Callable[[Sequence[WiredMotor], Mapping[str, Any]], MotorGroup]
    capabilities: Capabilities
    cost: CycleCost
    id_range: tuple[int, int]
    feedback_id_range: tuple[int, int] | None = None
    position_margin_rad: float = 0.0
    bus_kind: Literal["can", "serial"] = "can"
    needs_fd: bool = False
    drive_keys: tuple[str, ...] | None = None
    usual_model: str = ""
    usual_rates_bps: tuple[int, int] = (1_000_000, 0)
    scan: CanScan | SerialScan | None = None
    start_span_max_rad: float = 0.0
    has_fixed_rate: bool = False
    without_temperature: tuple[str, ...] = ()
    uses_identifiers: Callable[[MotorConfig], Iterable[int]] = identifiers.none_of_11_bits

    def says_temperature(self, model: str) -> bool:
        """Whether a model of this make measures its temperature and reports it."""
        return self.capabilities.temperature != "none" and model not in self.without_temperature


@dataclass(frozen=True, slots=True)
class ImuMake:
    """One make of inertial unit.

    Attributes:
        frame_bytes: Bytes on the wire per sample, by packet name.
        make: Makes the device.
        has_angular_rate: Whether it measures angular rate, which the safety guards and every usual policy need.
    """

    frame_bytes: Mapping[str, int]
    make: Callable[[ImuConfig, SerialPort], Imu]
    has_angular_rate: bool = True


MOTOR_MAKES: Final[Mapping[str, MotorMake]] = {
    # 0x7FF is the id of polls and register requests.
    "damiao": MotorMake(
        damiao.MODELS,
        DamiaoMotors,
        damiao.CAPABILITIES,
        damiao.CYCLE_COST,
        (1, 0x7FE),
        scan=DAMIAO_SCAN,
        uses_identifiers=identifiers.damiao,
    ),
    # They answer to the host's id, which is always ours.
    "robstride": MotorMake(
        robstride.MODELS,
        RobStrideMotors,
        robstride.CAPABILITIES,
        robstride.CYCLE_COST,
        (1, robstride.HIGHEST_MOTOR_ID),
        (0, 0),
        robstride.WRAP_MARGIN_RAD,
        scan=ROBSTRIDE_SCAN,
    ),
    "robstride_mit": MotorMake(
        robstride_mit.MODELS,
        RobStrideMitMotors,
        robstride_mit.CAPABILITIES,
        robstride_mit.CYCLE_COST,
        (1, robstride.HIGHEST_MOTOR_ID),
        (0, 0),
        robstride.WRAP_MARGIN_RAD,
        scan=ROBSTRIDE_MIT_SCAN,
        uses_identifiers=identifiers.robstride_mit,
    ),
    "cybergear": MotorMake(
        cybergear.MODELS,
        CyberGearMotors,
        cybergear.CAPABILITIES,
        robstride.CYCLE_COST,
        (1, robstride.HIGHEST_MOTOR_ID),
        (0, 0),
        robstride.WRAP_MARGIN_RAD,
        scan=ROBSTRIDE_SCAN,
    ),
    # Their feedback id is their master's, which all may share.
    "cubemars": MotorMake(
        cubemars.MODELS,
        CubeMarsMotors,
        cubemars.CAPABILITIES,
        cubemars.CYCLE_COST,
        (1, cubemars.HIGHEST_MOTOR_ID),
        (0, 0x7FF),
        scan=CUBEMARS_SCAN,
        uses_identifiers=identifiers.cubemars,
    ),
    # They answer on identifiers of their own.
    "myactuator": MotorMake(
        myactuator.MODELS,
        MyActuatorMotors,
        myactuator.CAPABILITIES,
        myactuator.CYCLE_COST,
        myactuator.ID_RANGE,
        (0, 0),
        scan=MYACTUATOR_SCAN,
        uses_identifiers=identifiers.myactuator,
    ),
    # They answer the host, which is 0.
    "moteus": MotorMake(
        moteus.MODELS,
        MoteusMotors,
        moteus.CAPABILITIES,
        moteus.CYCLE_COST,
        moteus.DEVICE_ID_RANGE,
        (0, 0),
        needs_fd=True,
        # Commands are shares of its own gains.
        drive_keys=("kp_max_nm_per_rad", "kd_max_nm_s_per_rad"),
        usual_model="r4",
        usual_rates_bps=(moteus.BITRATE_BPS, moteus.DATA_BITRATE_BPS),
        scan=MOTEUS_SCAN,
    ),
    # Identifiers follow from the node id; one is ours.
    "canopen": MotorMake(
        canopen.MODELS,
        CanOpenMotors,
        canopen.CAPABILITIES,
        canopen.CYCLE_COST,
        canopen.DRIVE_ID_RANGE,
        (0, 0),
        drive_keys=("encoder_counts_per_turn", "rated_torque_nm"),
        usual_model="CiA402",
        without_temperature=canopen.WITHOUT_TEMPERATURE,
        scan=CANOPEN_SCAN,
        uses_identifiers=identifiers.canopen_node,
    ),
    # They report on identifiers that their id is a part of.
    "odrive": MotorMake(
        odrive.MODELS,
        ODriveMotors,
        odrive.CAPABILITIES,
        odrive.CYCLE_COST,
        odrive.MOTOR_ID_RANGE,
        (0, 0),
        drive_keys=(),
        usual_model="S1",
        scan=ODRIVE_SCAN,
        uses_identifiers=identifiers.odrive,
    ),
    "dynamixel": MotorMake(
        dynamixel.MODELS,
        DynamixelMotors,
        dynamixel.CAPABILITIES,
        dynamixel.CYCLE_COST,
        (0, dynamixel.MAXIMUM_ID),
        (0, 0),
        dynamixel.WRAP_MARGIN_RAD,
        bus_kind="serial",
        usual_rates_bps=(4_000_000, 0),
        scan=DYNAMIXEL_SCAN,
    ),
    "feetech": MotorMake(
        feetech.MODELS,
        FeetechServos,
        feetech.CAPABILITIES,
        feetech.CYCLE_COST,
        (0, feetech.MAXIMUM_ID),
        (0, 0),
        feetech.GOAL_MARGIN_RAD,
        bus_kind="serial",
        scan=FEETECH_SCAN,
    ),
    "lx16a": MotorMake(
        lx16a.MODELS,
        Lx16aServos,
        lx16a.CAPABILITIES,
        lx16a.CYCLE_COST,
        (0, lx16a.MAXIMUM_ID),
        (0, 0),
        lx16a.GOAL_MARGIN_RAD,
        bus_kind="serial",
        usual_rates_bps=(115_200, 0),
        has_fixed_rate=True,
        scan=LX16A_SCAN,
    ),
    # They answer with the id they listen to.
    "unitree": MotorMake(
        unitree.MODELS,
        UnitreeMotors,
        unitree.CAPABILITIES,
        unitree.CYCLE_COST,
        (0, unitree.MAXIMUM_ID),
        (0, 0),
        bus_kind="serial",
        usual_rates_bps=(unitree.BAUD, 0),
        scan=UNITREE_SCAN,
        start_span_max_rad=START_SPAN_MAX_RAD,
        has_fixed_rate=True,
    ),
}

IMU_MAKES: Final[Mapping[str, ImuMake]] = {
    "hipnuc": ImuMake(HIPNUC_FRAME_BYTES, HipnucImu),
    "bno08x_rvc": ImuMake(BNO08X_FRAME_BYTES, Bno08xRvcImu, has_angular_rate=False),
    "vectornav_vn100": ImuMake(VECTORNAV_FRAME_BYTES, VectornavImu),
    "witmotion": ImuMake(WITMOTION_FRAME_BYTES, WitmotionImu),
    "xsens_xbus": ImuMake(XSENS_FRAME_BYTES, XsensImu),
}


def motor_model(config: MotorConfig) -> MotorModel:
    """What one motor's messages carry.

    Raises:
        KeyError: No such make, or no such model.
    """
    return wire_model(MOTOR_MAKES[config.make].models, config)


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
