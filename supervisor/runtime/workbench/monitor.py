"""`handrail monitor`: what every device says, how old it is, how often it comes, and how the buses are."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from drivers.wiring_check import bus_load
from supervisor.core.joints import Vector
from supervisor.core.robot import RobotConfig
from supervisor.core.state import NEVER_S, BusStatistics, ImuReading, MotorStatus, RobotState
from supervisor.runtime.workbench.bench import Workbench

WINDOW_S: Final = 1.0
"""Rates are over the last second."""

LATE_PERIODS: Final = 5.0
"""A reading older than so many of its periods is shown as late."""


AT_THE_STOP_RAD: Final = 0.01
"""A limp joint rests on its stop, and its encoder has noise."""


@dataclass(frozen=True, slots=True)
class JointRow:
    """One joint as it is now.

    Attributes:
        joint: Its name.
        wiring: Make, model, bus and id of its motor.
        position_rad, velocity_rad_per_s, torque_nm: Joint frame.
        temperature_degc: Of the motor.
        status: What the motor says of itself; a fault by its maker's name.
        age_s: Since its newest feedback; infinite when there was none.
        rate_hz: Feedback per second.
        remark: What is wrong with it, "" for nothing.
    """

    joint: str
    wiring: str
    position_rad: float
    velocity_rad_per_s: float
    torque_nm: float
    temperature_degc: float
    status: str
    age_s: float
    rate_hz: float
    remark: str


@dataclass(frozen=True, slots=True)
class ImuRow:
    """The inertial unit as it is now: base frame, SI."""

    gravity_in_base: tuple[float, float, float]
    angular_velocity_rad_per_s: tuple[float, float, float]
    acceleration_m_per_s2: tuple[float, float, float]
    age_s: float
    rate_hz: float
    remark: str


@dataclass(frozen=True, slots=True)
class BusRow:
    """One bus over the last second.

    Attributes:
        bus: Its name.
        sent_per_s, received_per_s: Frames or packets.
        answered: Share of the replies due that came, NaN when none was due.
        planned_load: Worst-case load at the control rate, 0 to 1; 0 without motors.
        dropped, errors, foreign_commands: Since it was opened.
        is_off: Whether it takes no frames any more.
    """

    bus: str
    sent_per_s: float
    received_per_s: float
    answered: float
    planned_load: float
    dropped: int
    errors: int
    foreign_commands: int
    is_off: bool


@dataclass(frozen=True, slots=True)
class View:
    """Everything at one time."""

    now_s: float
    joints: tuple[JointRow, ...]
    imu: ImuRow
    buses: tuple[BusRow, ...]


class Monitor:
    """Watches a workbench and says how it is.

    Args:
        bench: The robot.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._config: RobotConfig = bench.config
        n = len(self._config.joints)
        self._stamps_s: Vector = np.full(n, NEVER_S)
        self._heard = np.zeros(n, dtype=np.int64)
        self._past: deque[tuple[float, np.ndarray, int, Mapping[str, BusStatistics]]] = deque()

    def step(self) -> RobotState:
        """Let one control cycle pass."""
        state = self._bench.step()
        self._heard += state.motor_stamp_s > self._stamps_s
        np.copyto(self._stamps_s, state.motor_stamp_s)
        past = self._past
        past.append((state.now_s, self._heard.copy(), state.imu.sequence, self._bench.robot.statistics()))
        while past[-1][0] - past[0][0] > WINDOW_S:
            past.popleft()
        return state

    def view(self, state: RobotState) -> View:
        """How everything is at a state that `step` returned."""
        began_s, heard, sequence, buses = self._past[0]
        window_s = max(state.now_s - began_s, self._config.control_period_s)
        rates = (self._heard - heard) / window_s
        joints = tuple(self._joint(state, i, float(rates[i])) for i in range(len(rates)))
        now = self._bench.robot.statistics()
        rows = tuple(self._bus(name, buses[name], now[name], window_s) for name in now)
        return View(state.now_s, joints, self._imu(state, (state.imu.sequence - sequence) / window_s), rows)

    def _joint(self, state: RobotState, i: int, rate_hz: float) -> JointRow:
        name = state.order.names[i]
        joint = self._config.joints[name]
        status = MotorStatus(int(state.motor_status[i]))
        said = status.name.lower()
        if status is MotorStatus.FAULT:
            said = self._bench.robot.fault_name(i, int(state.fault_code[i]))
        age_s = state.now_s - float(state.motor_stamp_s[i])
        position_rad = float(state.position_rad[i])
        low, high = joint.position_rad
        remark = ""
        if math.isinf(age_s):
            remark = "never heard"
        elif age_s > LATE_PERIODS * self._config.control_period_s:
            remark = "late"
        elif status is MotorStatus.FAULT:
            remark = "fault"
        elif not low - AT_THE_STOP_RAD <= position_rad <= high + AT_THE_STOP_RAD:
            remark = f"outside {low:g} to {high:g} rad"
        motor = joint.motor
        return JointRow(
            name,
            f"{motor.make} {motor.model} {motor.bus}:{motor.id}",
            position_rad,
            float(state.velocity_rad_per_s[i]),
            float(state.torque_nm[i]),
            float(state.temperature_degc[i]),
            said,
            age_s,
            rate_hz,
            remark,
        )

    def _imu(self, state: RobotState, rate_hz: float) -> ImuRow:
        imu: ImuReading = state.imu
        age_s = state.now_s - imu.stamp_s
        remark = "the unit itself warns" if imu.warning else ""
        if math.isinf(age_s):
            remark = "never heard"
        elif age_s > LATE_PERIODS / self._config.imu.rate_hz:
            remark = "late"
        elif imu.unchanged > LATE_PERIODS:
            remark = f"frozen for {imu.unchanged} samples"
        return ImuRow(
            _three(imu.gravity_in_base),
            _three(imu.angular_velocity_base_in_base_rad_per_s),
            _three(imu.acceleration_base_in_base_m_per_s2),
            age_s,
            rate_hz,
            remark,
        )

    def _bus(self, name: str, then: BusStatistics, now: BusStatistics, window_s: float) -> BusRow:
        due = now.expected - then.expected
        received = now.received - then.received
        return BusRow(
            name,
            (now.sent - then.sent) / window_s,
            received / window_s,
            received / due if due else math.nan,
            bus_load(self._config, name),
            now.dropped,
            now.errors,
            now.foreign_commands,
            now.is_off,
        )


def _three(vector: Vector) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z


def render(view: View) -> Group:
    """A view as tables."""
    return Group(_joint_table(view), Text(), _imu_table(view.imu), Text(), _bus_table(view))


def _joint_table(view: View) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("joint", "motor", "rad", "rad/s", "N·m", "degC", "age ms", "Hz", "motor says", ""):
        table.add_column(head, justify="left" if head in ("joint", "motor", "motor says", "") else "right")
    for row in view.joints:
        table.add_row(
            row.joint,
            row.wiring,
            f"{row.position_rad:+.3f}",
            f"{row.velocity_rad_per_s:+.2f}",
            f"{row.torque_nm:+.2f}",
            f"{row.temperature_degc:.0f}",
            _age(row.age_s),
            f"{row.rate_hz:.0f}",
            row.status,
            Text(row.remark, style="bold red"),
        )
    return table


def _imu_table(imu: ImuRow) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("imu", "x", "y", "z"):
        table.add_column(head, justify="left" if head == "imu" else "right")
    for name, values in (
        ("gravity in base", imu.gravity_in_base),
        ("angular rate rad/s", imu.angular_velocity_rad_per_s),
        ("acceleration m/s²", imu.acceleration_m_per_s2),
    ):
        table.add_row(name, *(f"{value:+.3f}" for value in values))
    remark = f"; {imu.remark}" if imu.remark else ""
    table.caption = Text(f"{_age(imu.age_s)} ms old, {imu.rate_hz:.0f} Hz{remark}", style="bold red" if remark else "")
    table.caption_justify = "left"
    return table


def _bus_table(view: View) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    heads = ("bus", "sent/s", "received/s", "answered", "load planned", "dropped", "errors", "other senders", "")
    for head in heads:
        table.add_column(head, justify="left" if head in ("bus", "") else "right")
    for row in view.buses:
        table.add_row(
            row.bus,
            f"{row.sent_per_s:.0f}",
            f"{row.received_per_s:.0f}",
            "-" if math.isnan(row.answered) else f"{row.answered:.0%}",
            f"{row.planned_load:.0%}" if row.planned_load else "-",
            str(row.dropped),
            str(row.errors),
            str(row.foreign_commands),
            Text("off" if row.is_off else "", style="bold red"),
        )
    return table


def _age(age_s: float) -> str:
    return "never" if math.isinf(age_s) else f"{age_s * 1e3:.1f}"
