"""The demo robot with motors of other makes in the same places, and the code that drives real robots on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from drivers.registry import MOTOR_MAKES
from drivers.robot_io import RobotIO
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Actuation, Drive, JointCommand
from supervisor.core.joints import frozen_vector
from supervisor.core.levels import Level
from supervisor.core.robot import BusConfig, CanBusConfig, DriveConfig, JointConfig, MotorConfig, SerialBusConfig
from supervisor.core.robot_file import Robot
from tests.drivers.sim.simulated import pup


@dataclass(frozen=True)
class Fitting:
    """How a joint of the demo robot gets a motor of another make.

    Attributes:
        model: Row of the make's table that carries what the robot asks, as far as one does.
        drive: For makes that turn anybody's motor.
        has_feedback_id: Whether motors answer with an id of their own.
        control_hz: What its lines can carry, where that is less than the demo robot's.
        is_centred: Whether the motor's zero sits in the middle of the joint's range, which is as wide as the motor's.
    """

    model: str
    drive: DriveConfig | None = None
    has_feedback_id: bool = False
    control_hz: float = 500.0
    is_centred: bool = False


FITTINGS: Mapping[str, Fitting] = {
    "damiao": Fitting("DM8009", has_feedback_id=True),
    "robstride": Fitting("RS03"),
    "robstride_mit": Fitting("RS06"),
    "cybergear": Fitting("CyberGear"),
    "cubemars": Fitting("AK70-10"),
    "myactuator": Fitting("RMD"),
    "moteus": Fitting("r4", DriveConfig(25.0, 22.0, 6.0, kp_max_nm_per_rad=100.0, kd_max_nm_s_per_rad=5.0)),
    "canopen": Fitting("EPOS4", DriveConfig(40.0, 30.0, 9.0, 16_384, rated_torque_nm=1.5)),
    "odrive": Fitting("S1", DriveConfig(25.0, 22.0, 9.0)),
    "dynamixel": Fitting("XH540-W150"),
    "feetech": Fitting("STS3250"),
    "lx16a": Fitting("LX-16A", control_hz=100.0, is_centred=True),
    "unitree": Fitting("GO-M8010-6"),
}


HANGING_RAD: Mapping[str, float] = {
    "fl_hip": -0.75,
    "fr_hip": 0.75,
    "rl_hip": -0.75,
    "rr_hip": 0.75,
    "thigh": 0.55,
    "calf": -1.4,
}
"""Where the limp joints of the demo robot hang on its gantry, by name or by its last word."""


def fitted(*makes: str, independent_cut_off: str = "", gear: float = 1.0) -> Robot:
    """The demo robot with other motors in the same places: the makes take turns, joint by joint.

    Each bus stays where it is for makes on classic CAN; the others get a line, or a bus with FD, of their own. Limits
    that a motor does not reach become the motor's.
    """
    robot = pup()
    buses: dict[str, BusConfig] = {}
    joints: dict[str, JointConfig] = {}
    for (name, joint), make in zip(robot.config.joints.items(), cycle(makes), strict=False):
        bus = _bus_of(make, joint.motor.bus)
        buses.setdefault(bus[0], bus[1])
        joints[name] = _refit(name, joint, make, bus[0], gear)
    imu = robot.config.imu.bus
    buses[imu] = robot.config.buses[imu]
    control_hz = min(robot.config.control_hz, *(FITTINGS[make].control_hz for make in makes))
    realtime = robot.config.realtime
    config = replace(
        robot.config,
        joints=joints,
        buses=buses,
        independent_cut_off=independent_cut_off,
        control_hz=control_hz,
        realtime=replace(realtime, guardian_window_s=max(realtime.guardian_window_s, 5.0 / control_hz)),
    )
    return replace(robot, config=config)


def _bus_of(make: str, name: str) -> tuple[str, BusConfig]:
    entry = MOTOR_MAKES[make]
    rate_bps, data_bps = entry.usual_rates_bps
    if entry.bus_kind == "serial":
        return f"{make}_{name}", SerialBusConfig("serial", f"/dev/tty_{make}_{name}", rate_bps)
    if entry.needs_fd:
        return f"{make}_{name}", CanBusConfig("can", "socketcan", f"{make}_{name}", rate_bps, True, data_bps)
    return name, CanBusConfig("can", "socketcan", name, rate_bps)


def _refit(name: str, joint: JointConfig, make: str, bus: str, gear: float) -> JointConfig:
    fitting, old = FITTINGS[make], joint.motor
    feedback_id = old.feedback_id if fitting.has_feedback_id else 0
    motor = MotorConfig(make, fitting.model, bus, old.id, feedback_id, fitting.drive)
    row = MOTOR_MAKES[make].models[fitting.model]
    span_rad = MOTOR_MAKES[make].start_span_max_rad / gear
    hanging_rad = HANGING_RAD.get(name) or HANGING_RAD[name.split("_")[1]]
    torque_nm = row.torque_max_nm if fitting.drive is None else fitting.drive.torque_max_nm
    speed_rad_per_s = row.velocity_max_rad_per_s if fitting.drive is None else fitting.drive.velocity_max_rad_per_s
    return replace(
        joint,
        motor=motor,
        gear=gear,
        offset_rad=-sum(joint.position_rad) / 2.0 if fitting.is_centred else joint.offset_rad,
        torque_nm=min(joint.torque_nm, torque_nm * gear),
        velocity_rad_per_s=min(joint.velocity_rad_per_s, speed_rad_per_s / gear),
        kp_nm_per_rad=min(joint.kp_nm_per_rad, row.kp_max_nm_per_rad * gear**2),
        starts_within_rad=(hanging_rad - span_rad / 2.0, hanging_rad + span_rad / 2.0) if span_rad else None,
        kd_nm_s_per_rad=min(joint.kd_nm_s_per_rad, row.kd_max_nm_s_per_rad * gear**2),
    )


class Rig:
    """A simulated robot and the code that drives real ones.

    Args:
        robot: The robot.
        seed: Of the simulation.
    """

    def __init__(self, robot: Robot, seed: int = 0) -> None:
        self.config = robot.config
        self.world = SimulatedWorld(robot, seed=seed)
        self.robot = RobotIO(robot.config, self.world)
        self.cycle = 0
        zeros = frozen_vector(np.zeros(len(robot.config.joints)))
        self.target = JointCommand(
            self.config.vector("default_rad"),
            zeros,
            self.config.vector("kp_nm_per_rad"),
            self.config.vector("kd_nm_s_per_rad"),
            zeros,
        )

    @property
    def now_s(self) -> float:
        return self.cycle * self.config.control_period_s

    def step(self, drive: Drive | None):
        """One control cycle; with None the host says nothing, as if it had died."""
        if drive is not None:
            self.robot.write(Actuation(drive, self.target, Level.NONE), self.now_s)
        self.cycle += 1
        self.world.advance_to(self.now_s)
        return self.robot.read(self.now_s)

    def settle(self, drive: Drive):
        """As many cycles of one kind as motors that take turns need to act on it, and one more to hear of it."""
        for _ in range(8):
            state = self.step(drive)
        return state

    def inventory(self):
        generator = self.robot.inventory(self.now_s)
        for _ in range(5000):
            self.step(Drive.POLL)
            try:
                generator.send(self.now_s)
            except StopIteration as end:
                return end.value
        raise AssertionError("the inventory does not end")
