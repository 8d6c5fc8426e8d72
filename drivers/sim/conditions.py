"""From the faults in force to what is wrong with each device. Pure functions: the same faults, the same conditions."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.sim.fault_kinds import (
    BUS_FAULTS,
    MOTOR_FAULTS,
    BusFault,
    EncoderOffset,
    Fault,
    FrameFault,
    FramesDelayed,
    Friction,
    ImuBias,
    ImuFault,
    ImuRotated,
    JointFault,
    MotorFault,
    MotorHot,
    MotorWeak,
    Payload,
    Push,
    SwappedIds,
)
from drivers.sim.imu.conditions import ImuCondition
from drivers.sim.motors.conditions import MotorCondition
from drivers.sim.wire import WireFaults
from supervisor.core.robot import RobotConfig

Loads = tuple[tuple[float, float, float], float, float | None]
"""Push (N), payload (kg), friction coefficient or None."""


def motor_conditions(faults: Iterable[Fault], robot: RobotConfig) -> list[MotorCondition]:
    """One condition per joint, robot order. `address_of` counts in that order too."""
    order = robot.order
    conditions = [MotorCondition(index) for index in range(len(order))]
    for fault in faults:
        if isinstance(fault, BusFault) and fault.kind == "brown_out":
            for index, joint in enumerate(robot.joints.values()):
                conditions[index].is_browned_out |= joint.motor.bus == fault.bus
        if not isinstance(fault, MOTOR_FAULTS):
            continue
        named = [conditions[order.index(joint)] for joint in fault.joints]
        if isinstance(fault, SwappedIds):
            named[0].address_of, named[1].address_of = named[1].address_of, named[0].address_of
            continue
        for condition in named:
            _worsen(condition, fault)
    return conditions


def _worsen(condition: MotorCondition, fault: JointFault | EncoderOffset | MotorWeak | MotorHot | MotorFault) -> None:
    match fault:
        case JointFault(kind="motor_silent"):
            condition.is_silent = True
        case JointFault(kind="encoder_stuck"):
            condition.is_stuck = True
        case JointFault():
            condition.is_flipped = not condition.is_flipped
        case EncoderOffset(offset_rad=offset_rad):
            condition.offset_rad += offset_rad
        case MotorWeak(strength=strength):
            condition.strength *= strength
        case MotorHot(temperature_degc=temperature_degc):
            condition.temperature_degc = temperature_degc
        case MotorFault(code=code):
            condition.fault = code


def wire_faults(faults: Iterable[Fault], bus: str) -> WireFaults:
    """What is wrong with one bus. Of several faults of one kind the worst counts; delays add up."""
    rates = {"frames_dropped": 0.0, "frames_corrupted": 0.0, "frames_duplicated": 0.0, "frames_reordered": 0.0}
    delay_s, is_off = 0.0, False
    for fault in faults:
        if not isinstance(fault, BUS_FAULTS) or fault.bus != bus:
            continue
        if isinstance(fault, FrameFault):
            rates[fault.kind] = max(rates[fault.kind], fault.rate)
        elif isinstance(fault, FramesDelayed):
            delay_s += fault.delay_s
        else:
            is_off |= fault.kind == "bus_off"
    return WireFaults(*rates.values(), delay_s=delay_s, is_off=is_off)


def imu_condition(faults: Iterable[Fault]) -> ImuCondition:
    """What is wrong with the inertial unit. Biases add up; of several rotations the last counts."""
    kinds: set[str] = set()
    bias = (0.0, 0.0, 0.0)
    axis, angle_rad = "x", 0.0
    for fault in faults:
        if isinstance(fault, ImuFault):
            kinds.add(fault.kind)
        elif isinstance(fault, ImuBias):
            x, y, z = fault.gyro_rad_per_s
            bias = (bias[0] + x, bias[1] + y, bias[2] + z)
        elif isinstance(fault, ImuRotated):
            axis, angle_rad = fault.axis, fault.angle_rad
    return ImuCondition("imu_frozen" in kinds, "imu_nan" in kinds, "imu_lost" in kinds, bias, axis, angle_rad)


def plant_loads(faults: Iterable[Fault]) -> Loads:
    """What acts on the body. Pushes and payloads add up; of several frictions the last counts."""
    push = (0.0, 0.0, 0.0)
    payload_kg = 0.0
    friction: float | None = None
    for fault in faults:
        if isinstance(fault, Push):
            x, y, z = fault.force_n
            push = (push[0] + x, push[1] + y, push[2] + z)
        elif isinstance(fault, Payload):
            payload_kg += fault.mass_kg
        elif isinstance(fault, Friction):
            friction = fault.coefficient
    return push, payload_kg, friction
