"""Switching motors on and proving that they are off: small procedures, advanced once a cycle."""

from __future__ import annotations

from enum import Enum

import numpy as np

from supervisor.core.exchange import DrillReport
from supervisor.core.joints import JointOrder, Vector
from supervisor.core.state import MotorStatus, RobotState

ENABLE_AGAIN_S = 0.02
"""ENABLE is repeated this often to motors that have not confirmed: one lost frame must not fail the start."""

ENABLE_DEADLINE_S = 0.25
"""A motor confirms within one cycle; ten repetitions are a broken motor, not a lost frame."""

DRILL_ON_S = 0.3
"""How long the drill leaves the motors on: long enough for a person to hear and feel them."""

DRILL_OFF_DEADLINE_S = 0.1
"""All motors must report off within this: the same order as their own command timeout."""

NO_TORQUE_FRACTION = 0.05
"""A motor without torque may report this share of its limit: current-sensor offset and friction."""

_NAN = float("nan")


class PowerStep(Enum):
    """What to write in this cycle."""

    ENABLE = "enable"
    RELAX = "relax"
    OFF = "off"
    DONE = "done"


class PowerUp:
    """Switches all motors on and waits until each has confirmed it.

    Args:
        order: For the names of joints.
        now_s: Start.
    """

    def __init__(self, order: JointOrder, now_s: float) -> None:
        self._names = order.names
        self._started_s = now_s
        self._sent_s = float("-inf")
        self.problems: tuple[str, ...] = ()

    def step(self, state: RobotState, now_s: float) -> PowerStep:
        """Advance by one cycle.

        Returns:
            DONE when all motors are on, OFF when the deadline has passed (`problems` names the motors).
        """
        off = state.motor_status != MotorStatus.ENABLED
        if not off.any() and self._sent_s > float("-inf"):
            return PowerStep.DONE
        if now_s - self._started_s > ENABLE_DEADLINE_S:
            self.problems = tuple(
                f"motor of {self._names[i]} is {MotorStatus(int(state.motor_status[i])).name.lower()}, "
                f"not enabled within {ENABLE_DEADLINE_S} s"
                for i in np.flatnonzero(off)
            )
            return PowerStep.OFF
        if now_s - self._sent_s >= ENABLE_AGAIN_S:
            self._sent_s = now_s
            return PowerStep.ENABLE
        return PowerStep.RELAX


class Drill:
    """Emergency-stop drill: motors on without stiffness, then off, with proof from feedback that followed the stop.

    Args:
        order: For the names of joints.
        torque_limit_nm: (n,) joint torque limits.
        now_s: Start.
    """

    def __init__(self, order: JointOrder, torque_limit_nm: Vector, now_s: float) -> None:
        self._names = order.names
        self._quiet_nm = NO_TORQUE_FRACTION * torque_limit_nm
        self._power_up = PowerUp(order, now_s)
        self._on_since_s = _NAN
        self._stopped_s = _NAN
        self._problems: tuple[str, ...] = ()
        self.report: DrillReport | None = None

    def step(self, state: RobotState, now_s: float) -> PowerStep:
        """Advance by one cycle.

        Returns:
            What to write; DONE when `report` is there.
        """
        if self._stopped_s == self._stopped_s:
            return self._prove(state, now_s)
        if self._on_since_s != self._on_since_s:
            step = self._power_up.step(state, now_s)
            if step is PowerStep.OFF:
                self._problems = self._power_up.problems
                self._stopped_s = now_s
            if step is not PowerStep.DONE:
                return step
            self._on_since_s = now_s
        if now_s - self._on_since_s < DRILL_ON_S:
            return PowerStep.RELAX
        self._stopped_s = now_s
        return PowerStep.OFF

    def _prove(self, state: RobotState, now_s: float) -> PowerStep:
        is_off = (
            (state.motor_status == MotorStatus.DISABLED)
            & (np.abs(state.torque_nm) <= self._quiet_nm)
            & (state.motor_stamp_s > self._stopped_s)
        )
        elapsed_s = now_s - self._stopped_s
        if is_off.all():
            self.report = DrillReport(not self._problems, self._problems, elapsed_s)
            return PowerStep.DONE
        if elapsed_s <= DRILL_OFF_DEADLINE_S:
            return PowerStep.OFF
        still = tuple(
            f"motor of {self._names[i]} is {MotorStatus(int(state.motor_status[i])).name.lower()} with "
            f"{float(state.torque_nm[i]):.2f} N·m, not provably off within {DRILL_OFF_DEADLINE_S} s"
            for i in np.flatnonzero(~is_off)
        )
        self.report = DrillReport(False, (*self._problems, *still), _NAN)
        return PowerStep.DONE
