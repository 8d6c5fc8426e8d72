"""A simulated robot on the wire: the plant, its motors and its inertial unit, behind buses in memory.

The same `RobotIO` that drives a real robot drives this one: a `SimulatedWorld` is a `BusFactory` and an `Estimator`.
Lockstep: the host writes, `advance_to` lets the devices act on it, moves the body and leaves their answers to be read.
The same seed and the same calls give the same bytes. In real time the two are apart: devices act when they are spoken
to (`exchange`), and the body moves when it is time (`move_to`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from drivers.bus import CanBus, Frame, SerialPort
from drivers.sim.conditions import imu_condition, motor_conditions, plant_loads, wire_faults
from drivers.sim.fault_kinds import NO_FAULTS, POLICY_FAULTS, PROCESS_FAULTS, Fault, FaultScript
from drivers.sim.faults import START, FaultInjector, check_faults, kinds_of
from drivers.sim.imu.conditions import Motion, SimulatedImu
from drivers.sim.imu.hipnuc import HipnucImu
from drivers.sim.imu.vectornav_vn100 import VectornavImu
from drivers.sim.imu.witmotion import WitmotionImu
from drivers.sim.imu.xsens_xbus import XsensImu
from drivers.sim.motors.conditions import SimulatedMotors
from drivers.sim.motors.makes import MOTOR_MAKES
from drivers.sim.plant import Plant, Truth
from drivers.sim.policy_faults import FaultyPolicy
from drivers.sim.variation import Variation
from drivers.sim.wire import DeafCan, GarbledSerial, SimulatedCan, SimulatedSerial
from supervisor.core.errors import BusError, SimulationError
from supervisor.core.joints import Vector
from supervisor.core.levels import Support
from supervisor.core.ports import PolicyPort
from supervisor.core.robot import CanBusConfig, RobotConfig, SerialBusConfig
from supervisor.core.robot_file import Robot
from supervisor.core.state import BaseVelocity

IMU_MAKES: Mapping[str, Callable[..., SimulatedImu]] = {
    "hipnuc": HipnucImu,
    "vectornav_vn100": VectornavImu,
    "witmotion": WitmotionImu,
    "xsens_xbus": XsensImu,
}

BITS_PER_BYTE = 10
"""On a serial line, with start and stop bit."""


@dataclass(frozen=True, slots=True)
class _Group:
    """All motors of one make."""

    motors: SimulatedMotors
    joints: tuple[int, ...]
    where: slice | NDArray[np.intp]
    """Their places in the robot's order."""


class SimulatedWorld:
    """One simulated robot, hanging from its gantry with motors off.

    Args:
        robot: The robot file; the very one that drives the real robot.
        seed: Chooses noise, random faults and, with `variation`, the robot.
        faults: What goes wrong, and when.
        variation: How far this robot is from its model.
        process_faults: Kinds of faults of the supervisor itself that the caller carries out, see `faults_in_force`.
        start_s: Clock at the beginning.

    Raises:
        SimulationError: There is no model, it does not fit the robot file, a device has no simulated twin, or a fault
            that nobody carries out.
        ConfigError: The fault script names what the robot does not have.
    """

    def __init__(
        self,
        robot: Robot,
        *,
        seed: int = 0,
        faults: FaultScript | None = None,
        variation: Variation | None = None,
        process_faults: Collection[str] = (),
        start_s: float = 0.0,
    ) -> None:
        if robot.model_path is None:
            raise SimulationError(f"robot file {robot.path} names no model: it cannot be simulated")
        self._robot: RobotConfig = robot.config
        script = faults or NO_FAULTS
        check_faults(script, robot.config, [fault.at.stage for fault in script.faults])
        self._injector = FaultInjector(script)
        undone = sorted(set(kinds_of(script.faults, PROCESS_FAULTS)) - set(process_faults))
        if undone:
            raise SimulationError(f"faults {', '.join(undone)} concern the supervisor's processes: not possible here")
        self._plant = Plant(robot.model_path, robot.config, variation=variation, seed=seed)
        noise_scale = 1.0 if variation is None else variation.noise_scale
        self._cans: dict[str, SimulatedCan] = {}
        self._serials: dict[str, SimulatedSerial] = {}
        for index, (name, config) in enumerate(robot.config.buses.items()):
            if isinstance(config, CanBusConfig):
                self._cans[name] = SimulatedCan(name, (seed, 1, index))
            else:
                self._serials[name] = SimulatedSerial(name, (seed, 1, index))
        # The inertial unit's line is its own; everything else may have motors on it.
        motor_lines = {name: line for name, line in self._serials.items() if name != robot.config.imu.bus}
        self._motor_buses: dict[str, SimulatedCan | SimulatedSerial] = {**self._cans, **motor_lines}
        self._groups = self._make_motors(seed, noise_scale)
        self._make_imu(seed, noise_scale)
        self._start_s = self._now_s = start_s
        self._steps = 0
        self._sample_due_s = start_s + self._imu.period_s
        self._sample_s = start_s
        self._sample_velocity = np.zeros(3)
        self._is_policy_wrapped = False
        self._has_policy_faults = bool(kinds_of(script.faults, POLICY_FAULTS))
        self.enter_stage(START, start_s)

    def _make_motors(self, seed: int, noise_scale: float) -> tuple[_Group, ...]:
        joints = tuple(self._robot.joints.values())
        makes = dict.fromkeys(joint.motor.make for joint in joints)
        unknown = [make for make in makes if make not in MOTOR_MAKES]
        if unknown:
            raise SimulationError(f"no simulated motors of {', '.join(unknown)}; there are: {', '.join(MOTOR_MAKES)}")
        groups: list[_Group] = []
        for number, make in enumerate(makes):
            own = tuple(index for index, joint in enumerate(joints) if joint.motor.make == make)
            motors = MOTOR_MAKES[make](
                [joints[index] for index in own],
                list(self._motor_buses),
                seed=(seed, 2, number),
                noise_scale=noise_scale,
            )
            # One make is the usual case: a slice makes views where an index array would copy.
            where = slice(None) if len(makes) == 1 else np.array(own, dtype=np.intp)
            groups.append(_Group(motors, own, where))
        self._torque_nm: Vector = np.zeros(len(joints))
        return tuple(groups)

    def _make_imu(self, seed: int, noise_scale: float) -> None:
        config = self._robot.imu
        if config.make not in IMU_MAKES:
            raise SimulationError(f"no simulated inertial unit of {config.make}; there are: {', '.join(IMU_MAKES)}")
        self._imu = IMU_MAKES[config.make](config, seed=(seed, 3), noise_scale=noise_scale)
        self._imu_line = self._serials[config.bus]
        self._imu_baud_bps = getattr(self._robot.buses[config.bus], "baud_bps", 921_600)

    # A BusFactory and an Estimator

    def open_can(self, name: str, config: CanBusConfig) -> CanBus:
        """The host's end of a CAN bus. At another rate than its devices have it carries nothing but errors.

        Raises:
            BusError: The robot has no such bus.
        """
        known = self._robot.buses.get(name)
        if name not in self._cans or not isinstance(known, CanBusConfig) or config.channel != known.channel:
            raise BusError(f"the simulated robot has no CAN bus {name!r}; it has {', '.join(self._cans)}")
        return self._cans[name] if config == known else DeafCan(name)

    def open_serial(self, name: str, config: SerialBusConfig) -> SerialPort:
        """The host's end of a serial line. At another rate than its devices have it carries nothing but rubbish.

        Raises:
            BusError: The robot has no such line.
        """
        known = self._robot.buses.get(name)
        if name not in self._serials or not isinstance(known, SerialBusConfig) or config.port != known.port:
            raise BusError(f"the simulated robot has no serial line {name!r}; it has {', '.join(self._serials)}")
        return self._serials[name] if config == known else GarbledSerial(self._serials[name])

    def base_velocity(self, now_s: float) -> BaseVelocity:
        """The true velocity at the inertial unit, in the base's axes."""
        rotation, spatial = self._plant.site_motion()
        return BaseVelocity(spatial[3:].dot(rotation), min(self._now_s, now_s))

    @property
    def wires(self) -> Mapping[str, SimulatedCan | SimulatedSerial]:
        """Every bus in memory, by its name."""
        return {**self._cans, **self._serials}

    # Time

    def advance_to(self, now_s: float) -> None:
        """Let the devices act on what was sent, and move on. Called once per control cycle.

        Raises:
            SimulationError: Time went back, or a policy fault waits for a policy that was never wrapped.
        """
        if not self._is_policy_wrapped and self._has_policy_faults:
            raise SimulationError("the fault script spoils the policy, which was never passed through `wrap_policy`")
        self.exchange(self._now_s)
        self.move_to(now_s)

    def exchange(self, now_s: float) -> None:
        """Let the devices act on what was sent, and answer, with the body where it is.

        Args:
            now_s: Clock: when the body got there, or a little later.
        """
        self._refresh(now_s)
        self._exchange(now_s)

    def move_to(self, now_s: float) -> None:
        """Move the body, and let the inertial unit measure it; what was sent to the devices waits.

        Raises:
            SimulationError: Time went back.
        """
        steps = round((now_s - self._start_s) / self._plant.timestep_s) - self._steps
        if steps < 0:
            raise SimulationError(f"the simulation stands at {self._now_s:g} s and cannot go back to {now_s:g} s")
        plant, dt_s = self._plant, self._plant.timestep_s
        for _ in range(steps):
            plant.step(self._torque(self._start_s + self._steps * dt_s))
            self._steps += 1
            reached_s = self._start_s + self._steps * dt_s
            if reached_s > self._sample_due_s - 1e-9:
                self._sample(reached_s - dt_s)
                self._sample_due_s += self._imu.period_s
        self._now_s = now_s

    def _exchange(self, now_s: float) -> None:
        plant, buses = self._plant, self._motor_buses.values()
        inboxes: list[list[Frame]] = [bus.take(now_s) for bus in buses]
        for group in self._groups:
            position, velocity = plant.position_rad[group.where], plant.velocity_rad_per_s[group.where]
            for bus, frames in zip(buses, group.motors.exchange(inboxes, position, velocity, now_s), strict=True):
                if frames:
                    bus.give(frames)
        for packet in self._imu_line.take(now_s):
            reply = self._imu.hear(packet.data)
            if reply:
                self._say(reply, now_s)

    def _torque(self, now_s: float) -> Vector:
        plant = self._plant
        if len(self._groups) == 1:
            return self._groups[0].motors.torque(plant.position_rad, plant.velocity_rad_per_s, now_s)
        for group in self._groups:
            position, velocity = plant.position_rad[group.where], plant.velocity_rad_per_s[group.where]
            self._torque_nm[group.where] = group.motors.torque(position, velocity, now_s)
        return self._torque_nm

    def _sample(self, stamp_s: float) -> None:
        """Let the inertial unit measure the body as it was at the start of the last physics step."""
        rotation, spatial = self._plant.site_motion()
        velocity, elapsed_s = spatial[3:].copy(), stamp_s - self._sample_s
        # The mean over the interval, as a unit that integrates gives it: no contact spike is lost or overrated.
        acceleration = (velocity - self._sample_velocity) / elapsed_s if elapsed_s > 0.0 else np.zeros(3)
        self._sample_velocity, self._sample_s = velocity, stamp_s
        force = acceleration - self._plant.gravity_in_world_m_per_s2
        packet = self._imu.measure(Motion(rotation, spatial[:3], force, stamp_s))
        if packet:
            self._say(packet, stamp_s)

    def _say(self, packet: bytes, now_s: float) -> None:
        arrival_s = now_s + len(packet) * BITS_PER_BYTE / self._imu_baud_bps
        self._imu_line.give([Frame(0, packet, False, False, arrival_s)])

    # Faults

    def enter_stage(self, name: str, now_s: float) -> None:
        """Start the clock of the faults of a stage."""
        self._injector.enter_stage(name, now_s)
        self._refresh(now_s)

    def _refresh(self, now_s: float) -> None:
        if self._injector.update(now_s):
            self._impose(self._injector.active)

    def _impose(self, faults: Collection[Fault]) -> None:
        """Make every device suffer the faults in force, and no other."""
        conditions = motor_conditions(faults, self._robot)
        for group in self._groups:
            place = {joint: index for index, joint in enumerate(group.joints)}
            own = [replace(conditions[j], address_of=place[conditions[j].address_of]) for j in group.joints]
            group.motors.set_conditions(own)
        for name, bus in (*self._cans.items(), *self._serials.items()):
            bus.set_faults(wire_faults(faults, name))
        self._imu.set_condition(imu_condition(faults))
        self._plant.set_loads(*plant_loads(faults))

    def faults_in_force(self, now_s: float) -> tuple[Fault, ...]:
        """All faults in force; those of the supervisor itself are for the caller to carry out."""
        self._refresh(now_s)
        return self._injector.active

    def wrap_policy(self, policy: PolicyPort) -> PolicyPort:
        """The policy, as the fault script spoils it; the very same one where the script does not."""
        self._is_policy_wrapped = True
        if not self._has_policy_faults:
            return policy
        return FaultyPolicy(policy, self._robot, self.faults_in_force)

    # Support and truth

    def set_support(self, support: Support) -> None:
        """Begin to hang the robot up, to lower it, or to let go."""
        self._plant.set_support(support)

    @property
    def support_reached(self) -> bool:
        """Whether the last support asked for is reached."""
        return self._plant.gantry.is_reached

    @property
    def plant(self) -> Plant:
        """The body."""
        return self._plant

    @property
    def truth(self) -> Truth:
        """How the robot really stands and moves: for judging, never for control."""
        return self._plant.truth
