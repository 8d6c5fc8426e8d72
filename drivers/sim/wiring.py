"""Motors and buses for a robot that has none yet: the smallest motors that cover its joints, few enough per bus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.devices import MotorModel, wire_model
from drivers.registry import MOTOR_MAKES, MotorMake
from drivers.sim.new_drives import usual_drive
from supervisor.core.robot import DriveConfig, MotorConfig

FEEDBACK_ID_STEP = 16
"""The vendor's convention: a motor answers 0x10 above the id it listens to."""

SPEED_NEEDED_RAD_PER_S = 15.0
"""Walking robots swing their joints at up to about this."""

HEAVY_KG = 25.0
DAMPING_NEEDED = {False: 5.0, True: 10.0}
"""N·m·s/rad at the joint, light and heavy robots: the largest damping gains in public policies for their kind."""

STIFFNESS_PER_TORQUE_PER_RAD = 4.0
"""Public policies use up to about this stiffness per torque limit (1/rad): 200 N·m/rad on a joint of 50 N·m."""

GEARS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Belts and linkages outside the motor: only where no motor of the make covers the joint directly."""

VELOCITY_FRACTION = 0.9
MAXIMUM_VELOCITY_RAD_PER_S = 30.0
"""Faster than any legged robot's joints are specified for; a higher limit would guard nothing."""

CONTROL_RATES_HZ = (500.0, 250.0, 200.0, 150.0, 100.0, 50.0)
"""Fastest first, each a multiple of the 50 Hz that most policies run at."""

LIMB_MOTORS = 3
"""As many motors as a line must carry at the control rate: a leg's first joints, which share a connector."""


@dataclass(frozen=True, slots=True)
class MotorChoice:
    """A motor for one joint.

    Attributes:
        model: Row of the make's table, within what `drive` says.
        gear: Motor turns per joint turn outside the motor.
        velocity_rad_per_s: Velocity limit of the joint that follows.
        torque_nm: Torque limit of the joint.
        remark: What is short of what was wanted, "" for nothing.
        offset_rad: Of the joint, where the motor's zero has to be in the middle of its range.
        drive: How the drive is assumed to be set up, None where the motor is known.
    """

    model: MotorModel
    gear: float
    velocity_rad_per_s: float
    torque_nm: float
    remark: str
    offset_rad: float = 0.0
    drive: DriveConfig | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a joint's motor is wired."""

    bus: str
    id: int
    feedback_id: int


def known_makes() -> tuple[str, ...]:
    """Makes of motors that can drive a robot's joints."""
    return tuple(sorted(MOTOR_MAKES))


def motor_models(make: str) -> Mapping[str, MotorModel]:
    """The table of a make.

    Raises:
        KeyError: No such make.
    """
    return MOTOR_MAKES[make].models


def fit_motor(make: str, torque_nm: float, range_rad: tuple[float, float], mass_kg: float) -> MotorChoice | None:
    """A motor for a joint: its zero at the joint's zero where the range permits, else in the middle of the range.

    Args:
        make: Make of the motor.
        torque_nm: Torque limit of the joint.
        range_rad: Lowest and highest position of the joint.
        mass_kg: Mass of the robot.

    Returns:
        None where no motor of the make reaches the torque.
    """
    entry = MOTOR_MAKES[make]
    models, drive = entry.models, None
    if entry.drive_keys is not None:
        damping = DAMPING_NEEDED[mass_kg > HEAVY_KG]
        drive = usual_drive(entry.drive_keys, torque_nm, STIFFNESS_PER_TORQUE_PER_RAD * torque_nm, damping)
        name = entry.usual_model
        models = {name: wire_model(models, MotorConfig(make, name, "", 0, 0, drive))}
    low, high = range_rad
    middle = round((low + high) / 2.0, 4)
    for offset in (0.0, -middle):
        farthest = max(abs(low + offset), abs(high + offset))
        choice = choose_motor(models, torque_nm, farthest, mass_kg, entry.position_margin_rad)
        if choice is not None:
            centred = (
                "offset_rad: with its zero in the middle of the range, the motor reaches both ends" if offset else ""
            )
            remark = "; ".join(filter(None, (choice.remark, centred)))
            return replace(choice, remark=remark, offset_rad=offset, drive=drive)
    return None


def strongest(make: str, range_rad: tuple[float, float]) -> MotorChoice:
    """The most that a make of known motors gives on a joint of some range, with the gear that the range permits."""
    entry = MOTOR_MAKES[make]
    half_rad = (range_rad[1] - range_rad[0]) / 2.0
    choices = [
        _choice(model, gear, model.torque_max_nm * gear, "")
        for model in entry.models.values()
        for gear in GEARS
        if gear == 1.0 or (model.position_max_rad - entry.position_margin_rad) / gear >= half_rad
    ]
    return max(choices, key=lambda choice: choice.torque_nm)


def choose_motor(
    models: Mapping[str, MotorModel],
    torque_nm: float,
    farthest_rad: float,
    mass_kg: float,
    margin_rad: float = 0.0,
) -> MotorChoice | None:
    """The smallest motor that covers a joint, without a gear where possible.

    Args:
        models: Table of the make.
        torque_nm: Torque limit of the joint.
        farthest_rad: Largest distance from the motor's zero that the joint goes.
        mass_kg: Mass of the robot.
        margin_rad: How far a motor must stay away from the end of its range.

    Returns:
        None where no motor reaches the torque.
    """
    damping = DAMPING_NEEDED[mass_kg > HEAVY_KG]
    stiffness = STIFFNESS_PER_TORQUE_PER_RAD * torque_nm
    # Given up in this order where no motor has everything: stiffness, damping, speed.
    wishes = (
        (SPEED_NEEDED_RAD_PER_S, damping, stiffness),
        (SPEED_NEEDED_RAD_PER_S, damping, 0.0),
        (SPEED_NEEDED_RAD_PER_S, 0.0, 0.0),
        (0.0, 0.0, 0.0),
    )
    for speed, kd, kp in wishes:
        for gear in GEARS:
            fitting = [
                model
                for model in models.values()
                if model.torque_max_nm * gear >= torque_nm
                and model.velocity_max_rad_per_s / gear >= speed
                and model.kd_max_nm_s_per_rad * gear * gear >= kd
                and model.kp_max_nm_per_rad * gear * gear >= kp
                and (model.position_max_rad - margin_rad) / gear >= farthest_rad
            ]
            if fitting:
                model = min(fitting, key=lambda model: (model.torque_max_nm, -model.velocity_max_rad_per_s))
                return _choice(model, gear, torque_nm, "" if speed else "slower than walking may need")
    return None


def _choice(model: MotorModel, gear: float, torque_nm: float, remark: str) -> MotorChoice:
    speed = min(VELOCITY_FRACTION * model.velocity_max_rad_per_s / gear, MAXIMUM_VELOCITY_RAD_PER_S)
    return MotorChoice(model, gear, speed, torque_nm, remark)


def motors_per_bus(make: MotorMake, control_hz: float) -> int:
    """How many motors of a make one bus carries at a control rate; 0 where it is too fast for a single one."""
    return make.cost.motors_within(control_hz, *make.usual_rates_bps)


def usual_control_hz(make: str) -> float:
    """The fastest usual control rate at which a bus of a make carries a limb."""
    entry = MOTOR_MAKES[make]
    fitting = [rate for rate in CONTROL_RATES_HZ if motors_per_bus(entry, rate) >= LIMB_MOTORS]
    return fitting[0] if fitting else CONTROL_RATES_HZ[-1]


def bus_load(motors: int, control_hz: float, make: str = "damiao") -> float:
    """Worst load of a bus with so many motors, 0 to 1."""
    return MOTOR_MAKES[make].cost.load(motors, control_hz, *MOTOR_MAKES[make].usual_rates_bps)


def bus_number(name: str) -> int:
    """The number at the end of a bus's name, as `wire` gives it."""
    return int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))


def wire(limbs: Sequence[tuple[str, str]], control_hz: float, make: str = "damiao") -> dict[str, Slot]:
    """Spread joints over buses: a limb stays together where it fits, longer ones are cut from the base outwards.

    Args:
        limbs: Joint and limb it belongs to, in the order of the model.
        control_hz: Control rate, at which one bus carries at least one motor.
        make: Make of the motors.

    Returns:
        One slot per joint, buses numbered in the order of the joints.
    """
    most = motors_per_bus(MOTOR_MAKES[make], control_hz)
    kind = "can" if MOTOR_MAKES[make].bus_kind == "can" else "line"
    chains: dict[str, list[str]] = {}
    for joint, limb in limbs:
        chains.setdefault(limb, []).append(joint)
    pieces = [chain[i : i + most] for chain in chains.values() for i in range(0, len(chain), most)]
    buses: list[list[str]] = []
    # Longest first, each on the fullest bus that still has room: as few buses as limbs in one piece allow.
    for piece in sorted(pieces, key=len, reverse=True):
        room = [bus for bus in buses if len(bus) + len(piece) <= most]
        if room:
            max(room, key=len).extend(piece)
        else:
            buses.append(list(piece))
    order = {joint: i for i, (joint, _) in enumerate(limbs)}
    # Where a make states no range of its own for it, its motors answer with an id of their own.
    has_feedback_id = MOTOR_MAKES[make].feedback_id_range is None
    slots: dict[str, Slot] = {}
    for number, bus in enumerate(sorted(buses, key=lambda bus: min(order[joint] for joint in bus))):
        for i, joint in enumerate(sorted(bus, key=order.__getitem__), start=1):
            slots[joint] = Slot(f"{kind}{number}", i, i + FEEDBACK_ID_STEP if has_feedback_id else 0)
    return slots
