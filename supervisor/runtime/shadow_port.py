"""A robot that somebody else drives, or a person's hands: everything is judged, nothing is commanded.

The safety core is the one of a live run and knows nothing of this. What it writes ends here, and what it would have
brought about is told back to it: a motor that we would have switched on reads as on. Nothing else is made up; what a
motor says of a fault, of its position and of its age stays.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from drivers.bus import BusFactory, Estimator
from drivers.listening import ListeningBuses
from drivers.robot_io import RobotIO
from supervisor.core.command import Actuation, Drive
from supervisor.core.exchange import DeviceReport
from supervisor.core.joints import JointOrder, Vector
from supervisor.core.levels import Level
from supervisor.core.ports import RobotPort
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.core.state import NEVER_S, BusStatistics, MotorStatus, RobotState

LISTEN_S: Final = 1.0
"""Nobody is asked before this long without a command of somebody else; and devices are waited for as long."""

NEEDS_OUR_POWER: Final = frozenset({"tracking_error"})
"""Guards that compare with what we command: under somebody else's they are shown, and stop nothing."""

_AS_IF: Final[Mapping[Drive, MotorStatus]] = {
    Drive.ENABLE: MotorStatus.ENABLED,
    Drive.COMMAND: MotorStatus.ENABLED,
    Drive.DISABLE: MotorStatus.DISABLED,
}


def shadow_safety(safety: SafetyConfig) -> SafetyConfig:
    """A safety file for a robot that is not commanded: guards that need our power only warn.

    Args:
        safety: As declared.
    """
    rows = tuple(
        replace(row, level=Level.WARN, clear="automatic") if row.id in NEEDS_OUR_POWER and row.level.latches else row
        for row in safety.guards
    )
    return replace(safety, guards=rows)


def open_shadow(robot: RobotConfig, buses: BusFactory, estimator: Estimator | None, *, listens: bool) -> ShadowPort:
    """A port that commands nothing, on a robot's own buses.

    Args:
        robot: The robot.
        buses: Opens its buses.
        estimator: Source of the base's velocity, None where the robot has none.
        listens: Beside a program that drives the robot: the buses themselves take nothing, not even questions.

    Raises:
        RefusedError: The wiring cannot work.
        BusError: A bus cannot be opened.
    """
    opened = RobotIO(robot, ListeningBuses(buses) if listens else buses, estimator)
    return ShadowPort(opened, robot, may_poll=not listens)


class ShadowPort:
    """Passes on what is measured, and of what is written at most the question for feedback. Implements `RobotPort`.

    Args:
        port: The robot. Where nothing may be sent at all, its buses are `ListeningBuses` besides.
        robot: Its file.
        may_poll: Whether feedback may be asked for while nobody else commands the motors. To several makes the
            question is the command to switch off, so never beside a program that drives the robot.

    Attributes:
        foreign_commands: Commands of somebody else that were seen; expected here, so no guard sees them.
        polls: Cycles in which feedback was asked for.
        would_have: Cycles by what would have been written.
    """

    def __init__(self, port: RobotPort, robot: RobotConfig, *, may_poll: bool) -> None:
        self._port = port
        self._robot = robot
        self._may_poll = may_poll
        self._status = np.full(len(robot.order), int(MotorStatus.DISABLED))
        self._began_s = float("nan")
        self._newest: RobotState | None = None
        self.foreign_commands = 0
        self.polls = 0
        self.would_have: dict[Drive, int] = dict.fromkeys(Drive, 0)

    @property
    def order(self) -> JointOrder:
        """The robot's joint order."""
        return self._port.order

    @property
    def damping_maximum_nm_s_per_rad(self) -> Vector:
        """(n,) largest damping that each motor can be told."""
        return self._port.damping_maximum_nm_s_per_rad

    def read(self, now_s: float) -> RobotState:
        """What is known at `now_s`; status and torque of motors without a fault as if they obeyed us.

        A motor that we would have off gives no torque of ours: what it gives is the other program's.
        """
        state = self._port.read(now_s)
        # Some makes do not say whether they are on: their driver knows it from what it has sent.
        obeys = (state.motor_status != MotorStatus.FAULT) & (state.motor_stamp_s > NEVER_S)
        status = np.where(obeys, self._status, state.motor_status)
        is_quiet = (status == MotorStatus.DISABLED) & np.isfinite(state.torque_nm)
        torque = np.where(is_quiet, 0.0, state.torque_nm)
        status.setflags(write=False)
        torque.setflags(write=False)
        self._newest = replace(state, motor_status=status, torque_nm=torque)
        return self._newest

    def write(self, actuation: Actuation, now_s: float) -> None:
        """Note what would have been sent, and send nothing, or the question for feedback."""
        drive = actuation.drive
        self.would_have[drive] += 1
        if drive in _AS_IF:
            self._status[:] = _AS_IF[drive]
        if self._began_s != self._began_s:
            self._began_s = now_s
        if self._may_poll and not self._sees_others() and now_s - self._began_s >= LISTEN_S:
            self.polls += 1
            self._port.write(replace(actuation, drive=Drive.POLL, level=Level.NONE), now_s)

    def _sees_others(self) -> bool:
        """Whether anybody else has ever commanded a motor: from then on nobody is asked any more."""
        counters = self._port.statistics().values()
        self.foreign_commands = max(self.foreign_commands, sum(bus.foreign_commands for bus in counters))
        return self.foreign_commands > 0

    def inventory(self, now_s: float) -> Generator[None, float, tuple[DeviceReport, ...]]:
        """Who is heard. Nobody is asked or configured: timeouts, ranges and firmware stay unknown."""
        generator = self._inventory(now_s)
        next(generator)
        return generator

    def _inventory(self, now_s: float) -> Generator[None, float, tuple[DeviceReport, ...]]:
        # Where feedback may be asked for, the first question comes only after this long, too.
        deadline_s = now_s + LISTEN_S * (2.0 if self._may_poll else 1.0)
        now_s = yield
        heard = self._heard()
        while not all(heard.values()) and now_s < deadline_s:
            now_s = yield
            heard = self._heard()
        buses = {name: joint.motor.bus for name, joint in self._robot.joints.items()} | {"imu": self._robot.imu.bus}
        return tuple(
            DeviceReport(name, buses[name], is_heard, () if is_heard else (_SILENT,), {"inventory": "heard, not asked"})
            for name, is_heard in heard.items()
        )

    def _heard(self) -> dict[str, bool]:
        state = self._newest
        if state is None:
            return dict.fromkeys((*self.order.names, "imu"), False)
        motors = (state.motor_stamp_s > NEVER_S).tolist()
        return {**dict(zip(self.order.names, motors, strict=True)), "imu": state.imu.stamp_s > NEVER_S}

    def statistics(self) -> Mapping[str, BusStatistics]:
        """Counters by bus name; somebody else's commands are what a shadow expects."""
        self._sees_others()
        return {name: replace(bus, foreign_commands=0) for name, bus in self._port.statistics().items()}

    def fault_name(self, joint: int, code: int) -> str:
        """The make's name of a motor's fault code."""
        return self._port.fault_name(joint, code)

    def close(self) -> None:
        """Close every bus."""
        self._port.close()


_SILENT: Final = (
    "not heard; a motor speaks when it is spoken to: start the program that drives it, on a bus that this one hears"
)
