"""Which makes there are, and whether a robot's wiring can work with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.bus import CanBus, SerialPort
from drivers.can.cubemars.device import CubeMarsMotors
from drivers.can.cubemars.tables import HIGHEST_MOTOR_ID as CUBEMARS_HIGHEST_ID
from drivers.can.cubemars.tables import MODELS as CUBEMARS_MODELS
from drivers.can.cybergear.device import CyberGearMotors
from drivers.can.cybergear.tables import MODELS as CYBERGEAR_MODELS
from drivers.can.damiao.device import DamiaoMotors
from drivers.can.damiao.tables import MODELS as DAMIAO_MODELS
from drivers.can.myactuator.device import MyActuatorMotors
from drivers.can.myactuator.tables import ID_RANGE as MYACTUATOR_IDS
from drivers.can.myactuator.tables import MODELS as MYACTUATOR_MODELS
from drivers.can.robstride.device import RobStrideMotors
from drivers.can.robstride.tables import HIGHEST_MOTOR_ID as ROBSTRIDE_HIGHEST_ID
from drivers.can.robstride.tables import MODELS as ROBSTRIDE_MODELS
from drivers.can.robstride.tables import WRAP_MARGIN_RAD
from drivers.devices import Imu, MotorGroup, MotorModel, WiredMotor
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
from supervisor.core.robot import CanBusConfig, ImuConfig, JointConfig, RobotConfig, SerialBusConfig

MAXIMUM_BUS_LOAD: Final = 0.7
"""Of a bus: the rest is for retransmissions, polls and register requests."""

MAXIMUM_SERIAL_LOAD: Final = 0.9
"""Of a serial line that carries one stream and nothing else."""

CAN_11_BIT_FRAME_BITS: Final = 135
"""An 8-byte frame with an 11-bit identifier at worst-case stuffing, gap to the next frame included."""

CAN_29_BIT_FRAME_BITS: Final = 160
"""The same with a 29-bit identifier."""

SERIAL_BITS_PER_BYTE: Final = 10
"""8N1: a start and a stop bit around every byte."""


@dataclass(frozen=True, slots=True)
class MotorMake:
    """One make of motor.

    Attributes:
        models: Its table.
        make: Makes the device for all its motors of one robot.
        cycle_bits: Bits on the bus per motor and control cycle, command and reply, at worst.
        id_range: Smallest and largest identifier.
        feedback_id_range: The same of the identifier it answers with; None where `id_range` holds for it, too.
        position_margin_rad: How far joints must stay away from the end of the position range, where it wraps.
    """

    models: Mapping[str, MotorModel]
    make: Callable[[Sequence[WiredMotor], Mapping[str, CanBus]], MotorGroup]
    cycle_bits: int
    id_range: tuple[int, int]
    feedback_id_range: tuple[int, int] | None = None
    position_margin_rad: float = 0.0


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
    "damiao": MotorMake(DAMIAO_MODELS, DamiaoMotors, 2 * CAN_11_BIT_FRAME_BITS, (1, 0x7FE)),
    # Their feedback id is their master's, which all may share.
    "cubemars": MotorMake(
        CUBEMARS_MODELS, CubeMarsMotors, 2 * CAN_11_BIT_FRAME_BITS, (1, CUBEMARS_HIGHEST_ID), (0, 0x7FF)
    ),
    # They answer on identifiers of their own. One motor per bus and cycle is asked for its errors besides.
    "myactuator": MotorMake(MYACTUATOR_MODELS, MyActuatorMotors, 3 * CAN_11_BIT_FRAME_BITS, MYACTUATOR_IDS, (0, 0)),
    # They answer to the host's id, which is always ours.
    "robstride": MotorMake(
        ROBSTRIDE_MODELS,
        RobStrideMotors,
        2 * CAN_29_BIT_FRAME_BITS,
        (1, ROBSTRIDE_HIGHEST_ID),
        (0, 0),
        WRAP_MARGIN_RAD,
    ),
    "cybergear": MotorMake(
        CYBERGEAR_MODELS,
        CyberGearMotors,
        2 * CAN_29_BIT_FRAME_BITS,
        (1, ROBSTRIDE_HIGHEST_ID),
        (0, 0),
        WRAP_MARGIN_RAD,
    ),
}

IMU_MAKES: Final[Mapping[str, ImuMake]] = {
    "hipnuc": ImuMake(HIPNUC_FRAME_BYTES, HipnucImu),
    "bno08x_rvc": ImuMake(BNO08X_FRAME_BYTES, Bno08xRvcImu, has_angular_rate=False),
    "vectornav_vn100": ImuMake(VECTORNAV_FRAME_BYTES, VectornavImu),
    "witmotion": ImuMake(WITMOTION_FRAME_BYTES, WitmotionImu),
    "xsens_xbus": ImuMake(XSENS_FRAME_BYTES, XsensImu),
}


def wiring_problems(robot: RobotConfig) -> list[str]:
    """Everything in a robot file that these makes and buses cannot do; empty when it can work."""
    problems: list[str] = []
    for name, joint in robot.joints.items():
        problems += (f"joint {name}: {problem}" for problem in _joint_problems(joint))
    for name, bus in robot.buses.items():
        if isinstance(bus, CanBusConfig):
            problems += (f"bus {name}: {problem}" for problem in _bus_problems(robot, name, bus))
    problems += (f"imu: {problem}" for problem in _imu_problems(robot))
    return problems


def _joint_problems(joint: JointConfig) -> Iterator[str]:
    """What one joint asks of its motor that the motor's messages cannot carry."""
    make = MOTOR_MAKES.get(joint.motor.make)
    if make is None:
        yield f"unknown make {joint.motor.make!r}; known: {', '.join(MOTOR_MAKES)}"
        return
    model = make.models.get(joint.motor.model)
    if model is None:
        yield f"unknown model {joint.motor.model!r} of {joint.motor.make}; known: {', '.join(make.models)}"
        return
    identifiers = (
        ("id", joint.motor.id, make.id_range),
        ("feedback_id", joint.motor.feedback_id, make.feedback_id_range or make.id_range),
    )
    for key, identifier, (low, high) in identifiers:
        if not low <= identifier <= high:
            yield f"{key} {identifier} is not possible; allowed: {low} to {high}"
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


def _bus_problems(robot: RobotConfig, name: str, bus: CanBusConfig) -> Iterator[str]:
    """Identifiers that collide, and a load that the bus cannot carry."""
    joints = {joint: config.motor for joint, config in robot.joints.items() if config.motor.bus == name}
    ids = {motor.id: joint for joint, motor in joints.items()}
    for joint, motor in joints.items():
        if motor.feedback_id in ids:
            yield f"{joint} answers with {motor.feedback_id}, which is the id {ids[motor.feedback_id]} listens to"
    if bus.bitrate_bps <= 0:
        yield f"bitrate_bps {bus.bitrate_bps}; allowed: a number above 0"
        return
    bits = [MOTOR_MAKES[motor.make].cycle_bits for motor in joints.values() if motor.make in MOTOR_MAKES]
    load = sum(bits) * robot.control_hz / bus.bitrate_bps
    if load > MAXIMUM_BUS_LOAD:
        room = int(MAXIMUM_BUS_LOAD * bus.bitrate_bps / (robot.control_hz * max(bits)))
        moved = list(joints)[room:]
        yield (
            f"{len(bits)} motors at {robot.control_hz:g} Hz need {sum(bits)} bits x {robot.control_hz:g} / "
            f"{bus.bitrate_bps} bit/s = {load:.0%} at worst, allowed {MAXIMUM_BUS_LOAD:.0%}: "
            f"keep {room} motors here and move {', '.join(moved)} to another bus, or lower control_hz to "
            f"{int(MAXIMUM_BUS_LOAD * bus.bitrate_bps / sum(bits))}"
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
