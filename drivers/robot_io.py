"""All buses and devices of one robot, as the control loop sees them. The same code for hardware and simulation."""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from drivers.bus import BusCounters, BusFactory, CanBus, Estimator, FrameTaker, OnLine, SerialPort
from drivers.devices import (
    FAULT,
    NO_TIMEOUT_PROBLEM,
    POSITION,
    STAMP,
    STATUS,
    TEMPERATURE,
    TORQUE,
    VELOCITY,
    Block,
    Codes,
    Finding,
    MotorGroup,
    Probe,
    SerialMotorGroup,
    Settings,
    WiredMotor,
)
from drivers.motor_map import MotorMap
from drivers.registry import IMU_MAKES, MOTOR_MAKES, motor_model
from drivers.wiring_check import bus_rate, wiring_problems
from supervisor.core.command import Actuation, Drive
from supervisor.core.errors import RefusedError
from supervisor.core.exchange import DeviceReport
from supervisor.core.joints import JointOrder, Vector, frozen_vector
from supervisor.core.robot import CanBusConfig, RobotConfig
from supervisor.core.state import NEVER_S, BaseVelocity, BusStatistics, MotorStatus, RobotState

_log = logging.getLogger(__name__)

IMU = "imu"
"""The inertial unit among the names of joints."""


class RobotIO:
    """Reads and writes every device of one robot. Implements `RobotPort`.

    Motors are kept make by make; where that is not the robot's joint order, the arrays are reordered once per cycle.

    Args:
        robot: The robot.
        buses: Opens its buses.
        estimator: Source of the base's linear velocity, None where the robot has none.

    Raises:
        RefusedError: The wiring cannot work; every reason is listed.
        BusError: A bus cannot be opened; those already open are closed again.
    """

    def __init__(self, robot: RobotConfig, buses: BusFactory, estimator: Estimator | None = None) -> None:
        problems = wiring_problems(robot)
        if problems:
            raise RefusedError(problems)
        self._robot = robot
        self._order = robot.order
        self._estimator = estimator
        self._cycle = 0
        self._can: dict[str, CanBus] = {}
        self._serial: dict[str, SerialPort] = {}
        try:
            for name, config in robot.buses.items():
                if isinstance(config, CanBusConfig):
                    self._can[name] = buses.open_can(name, config)
                else:
                    self._serial[name] = buses.open_serial(name, config)
        except BaseException:
            self.close()
            raise
        self._make_groups()
        self._imu = IMU_MAKES[robot.imu.make].make(robot.imu, self._serial[robot.imu.bus])
        self._no_velocity = BaseVelocity(frozen_vector((math.nan,) * 3), NEVER_S)

    def _make_groups(self) -> None:
        """Sort the motors by make, and lay out one block of memory that all makes write into."""
        joints = list(self._robot.joints.items())
        by_make: dict[str, list[int]] = {}
        for index, (_, joint) in enumerate(joints):
            by_make.setdefault(joint.motor.make, []).append(index)
        slots = [index for members in by_make.values() for index in members]
        count = len(slots)
        self._values: Block = np.full((STAMP + 1, count), math.nan)
        self._values[STAMP] = NEVER_S
        self._codes: Codes = np.zeros((2, count), dtype=np.int64)
        self._codes[STATUS] = int(MotorStatus.UNKNOWN)
        # column of a joint in the blocks, and joint of a column
        self._joint_of_slot = np.array(slots, dtype=np.intp)
        self._slot_of_joint = np.argsort(self._joint_of_slot)
        self._is_ordered = slots == list(range(count))
        self._map = MotorMap([joint for _, joint in joints])
        self._groups: list[tuple[MotorGroup, slice, Block, Codes]] = []
        self._readers: list[tuple[str, CanBus, list[FrameTaker]]] = []
        self._lines: list[SerialMotorGroup] = []
        start = 0
        for make, members in by_make.items():
            entry = MOTOR_MAKES[make]
            motors = [
                WiredMotor(name, joint.motor, motor_model(joint.motor), joint.motor_starts_within_rad)
                for name, joint in (joints[i] for i in members)
            ]
            span = slice(start, start + len(members))
            group = entry.make(motors, self._can if entry.bus_kind == "can" else self._serial)
            self._groups.append((group, span, self._values[:, span], self._codes[:, span]))
            start = span.stop
        makes = dict(zip(by_make, (group for group, *_ in self._groups), strict=True))
        self._lines = [cast("SerialMotorGroup", g) for m, g in makes.items() if MOTOR_MAKES[m].bus_kind == "serial"]
        for name, bus in self._can.items():
            on_bus = dict.fromkeys(joint.motor.make for _, joint in joints if joint.motor.bus == name)
            self._readers.append((name, bus, [cast("FrameTaker", makes[make]) for make in on_bus]))
        self._group_of_slot = [group for group, _, values, _ in self._groups for _ in range(values.shape[1])]

    @property
    def order(self) -> JointOrder:
        """The robot's joint order."""
        return self._order

    @property
    def damping_maximum_nm_s_per_rad(self) -> Vector:
        """(n,) largest damping, at the joint, that each motor can be told."""
        joints = self._robot.joints.values()
        return frozen_vector(motor_model(joint.motor).kd_max_nm_s_per_rad * joint.gear**2 for joint in joints)

    def read(self, now_s: float) -> RobotState:
        """Drain every bus, decode, and return what is known at `now_s`. Never raises on bytes."""
        for name, bus, takers in self._readers:
            frames = bus.receive(now_s)
            if frames:
                rest = frames
                for taker in takers:
                    rest = taker.take(name, rest)
                bus.counters.dropped += len(rest)
        for line in self._lines:
            line.receive(now_s)
        for group, _, group_values, group_codes in self._groups:
            group.decode(group_values, group_codes)
        imu = self._imu.read(now_s)
        values, codes = self._values, self._codes
        if not self._is_ordered:
            values, codes = values[:, self._slot_of_joint], codes[:, self._slot_of_joint]
        joint = self._map.to_joint(values)
        joint.setflags(write=False)
        codes = codes.copy()
        codes.setflags(write=False)
        estimator = self._estimator
        # In the order of its fields, because naming them takes twice as long.
        state = RobotState(
            self._order,
            now_s,
            self._cycle,
            joint[POSITION],
            joint[VELOCITY],
            joint[TORQUE],
            joint[TEMPERATURE],
            joint[STAMP],
            codes[STATUS],
            codes[FAULT],
            imu,
            self._no_velocity if estimator is None else estimator.base_velocity(now_s),
        )
        self._cycle += 1
        return state

    def write(self, actuation: Actuation, now_s: float) -> None:  # noqa: ARG002 (the port's signature; sending has no clock)
        """Send one cycle's frames to every motor. A failed write is counted, never retried."""
        drive = actuation.drive
        if drive is Drive.COMMAND:
            command = self._map.to_motor(actuation.command)
            if not self._is_ordered:
                command = command[:, self._joint_of_slot]
        else:
            command = self._values  # not looked at; any block of the right shape will do
        for group, span, _, _ in self._groups:
            group.write(drive, command[:, span])

    def listen(self, bus: str, taker: FrameTaker) -> None:
        """Hand what no motor has taken of a CAN bus's frames to `taker` too, in every `read` from now on.

        Raises:
            KeyError: No such CAN bus.
        """
        {name: takers for name, _, takers in self._readers}[bus].append(taker)

    def inventory(self, now_s: float) -> Generator[None, float, tuple[DeviceReport, ...]]:
        """Probe and configure every device, all buses side by side.

        The generator is ready for `send(now_s)`; `next` is accepted as its first step too.
        """
        generator = self._inventory(now_s)
        next(generator)
        return generator

    def _inventory(self, now_s: float) -> Generator[None, float | None, tuple[DeviceReport, ...]]:
        probes: list[Probe] = [
            probe for group, *_ in self._groups for probe in group.probes(self._robot.motor_timeout_s)
        ]
        probes.append(self._imu.probe())
        for probe in probes:
            next(probe)
        reports: dict[str, DeviceReport] = {}
        while probes:
            given = yield
            now_s = now_s if given is None else given
            for probe in tuple(probes):
                try:
                    probe.send(now_s)
                except StopIteration as end:
                    reports.update((report.name, report) for report in end.value)
                    probes.remove(probe)
        return tuple(self._completed(reports[name], reports) for name in (*self._order.names, "imu"))

    def _completed(self, report: DeviceReport, reports: Mapping[str, DeviceReport]) -> DeviceReport:
        """A report with what only a look at the whole robot tells."""
        return self._with_bus_cause(self._with_cut_off(report), reports)

    def _with_bus_cause(self, report: DeviceReport, reports: Mapping[str, DeviceReport]) -> DeviceReport:
        """Where nobody on a bus answers, the bus is the cause, and not one device."""
        neighbours = [other for other in reports.values() if other.bus == report.bus]
        if any(other.answered for other in neighbours):
            return report
        statistics, bus = self.statistics()[report.bus], self._robot.buses[report.bus]
        key, rate_bps = bus_rate(bus)
        if statistics.is_off:
            cause = f"{report.bus} is off: see whether its adapter is plugged in, its interface up, its wires in order"
        elif statistics.errors or statistics.dropped:
            cause = (
                f"nothing readable came from {report.bus} ({statistics.errors} errors, {statistics.dropped} frames or "
                f"bytes thrown away): its devices have another rate than {key} {rate_bps}, or the wiring is bad"
            )
        else:
            cause = f"nobody answers on {report.bus}: see whether its devices have power, and the cable to the adapter"
            if bus.kind == "serial":
                # Whoever only speaks when asked, and does not understand the question, says nothing.
                cause += f"; and whether their rate is {key} {rate_bps}"
        return replace(report, problems=(cause, *report.problems))

    def _with_cut_off(self, report: DeviceReport) -> DeviceReport:
        """A motor without a command timeout of its own is accepted where something else cuts its power."""
        cut_off = self._robot.independent_cut_off
        if not cut_off or NO_TIMEOUT_PROBLEM not in report.problems:
            return report
        problems = tuple(problem for problem in report.problems if problem != NO_TIMEOUT_PROBLEM)
        return replace(report, problems=problems, facts={**report.facts, "independent_cut_off": cut_off})

    def set_zero(self, joint: str, now_s: float) -> Generator[None, float, float]:
        """Make the present position of a joint's motor its zero; the motor must be off. `read` goes on in between.

        Args:
            joint: Which.
            now_s: Time of the first step; the generator is resumed once a cycle with `send(now_s)`.

        Returns:
            The position read back afterwards, rad, motor frame.

        Raises:
            DeviceError: The motor cannot, does not answer, is not off, or does not read zero afterwards.
            KeyError: No such joint.
        """
        return self._group_of(joint).set_zero(joint, now_s)

    def has_settings(self, device: str) -> bool:
        """Whether the stored settings of a joint's motor, or of the "imu", can be compared over its bus."""
        return self._imu.has_settings if device == IMU else self._group_of(device).has_settings

    def settings(self, device: str, now_s: float) -> Finding:
        """What a joint's motor, or the "imu", keeps without power otherwise than the robot file needs it.

        See `MotorGroup.settings` and `Imu.settings`. `read` goes on in between, and motors are polled.

        Raises:
            KeyError: No such joint.
        """
        if device == IMU:
            return self._imu.settings(now_s)
        return self._group_of(device).settings(device, self._robot.motor_timeout_s, now_s)

    def configure(self, device: str, settings: Settings, now_s: float) -> Finding:
        """Write what `settings` has found, have it kept, and read it back; otherwise as there."""
        if device == IMU:
            return self._imu.configure(settings, now_s)
        return self._group_of(device).configure(device, settings, self._robot.motor_timeout_s, now_s)

    def _group_of(self, joint: str) -> MotorGroup:
        return self._group_of_slot[self._slot_of_joint[self._order.index(joint)]]

    def statistics(self) -> Mapping[str, BusStatistics]:
        """Counters by bus name."""
        return {name: counters.statistics() for name, counters in self._counters()}

    def _counters(self) -> list[tuple[str, BusCounters]]:
        return [(name, bus.counters) for name, bus in (*self._can.items(), *self._serial.items())]

    def fault_name(self, joint: int, code: int) -> str:
        """The make's name of a motor's fault code."""
        return self._group_of_slot[self._slot_of_joint[joint]].fault_name(code)

    def line_descriptors(self) -> Mapping[str, int]:
        """Open serial lines by bus, the inertial unit's own left out: a line has one owner, who can hand it over."""
        with_motors = {joint.motor.bus for joint in self._robot.joints.values()}
        buses = {**self._can, **self._serial}
        return {n: bus.fileno() for n, bus in buses.items() if n in with_motors and isinstance(bus, OnLine)}

    def close(self) -> None:
        """Close every bus. Idempotent."""
        for name, bus in (*self._can.items(), *self._serial.items()):
            try:
                bus.close()
            except OSError as error:
                _log.warning("closing %s failed: %s", name, error)
