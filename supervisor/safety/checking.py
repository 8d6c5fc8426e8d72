"""CHECKING: the way from an accepted ARM, or from the mission's drill, to motors that are on; or back, with reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from supervisor.core.exchange import DeviceReport, DrillReport
from supervisor.core.joints import JointOrder, Vector
from supervisor.core.levels import ArmingState
from supervisor.core.state import RobotState
from supervisor.safety.arming import arming_refusals
from supervisor.safety.clearance import Clearance, device_reasons
from supervisor.safety.power import Drill, PowerStep, PowerUp
from supervisor.safety.restart import Keeping

KEPT_DEADLINE_S: Final = 1.0
"""A disk that has not written a few kilobytes by then is no place for the latch: arming is refused."""

_NAN: Final = float("nan")


class Progress(NamedTuple):
    """What one cycle of CHECKING has come to.

    Attributes:
        arming: The state that it leads to; CHECKING while it goes on.
        refusals: Why it leads back; empty where there is nothing to say.
        power: What to write; OFF where that follows from the state.
    """

    arming: ArmingState
    refusals: tuple[str, ...] = ()
    power: PowerStep = PowerStep.OFF


class Checking:
    """The checks before power, the drill, and switching the motors on: at most one of them at a time.

    Args:
        order: For the names of joints.
        torque_limit_nm: (n,) of the joints.
        clearance: Whether the guards allow it.
        keeping: Whether a process that ends from now on would be known to have ended under power.

    Attributes:
        drill_report: Result of the last drill; None before the first one, and while one is under way.
    """

    def __init__(self, order: JointOrder, torque_limit_nm: Vector, clearance: Clearance, keeping: Keeping) -> None:
        self._order = order
        self._torque_limit_nm = torque_limit_nm
        self._clearance = clearance
        self._keeping = keeping
        self._began_s = _NAN
        self._power_up: PowerUp | None = None
        self._drill: Drill | None = None
        self.drill_report: DrillReport | None = None

    def end(self) -> None:
        """Forget what was under way."""
        self._power_up = self._drill = None

    def restart(self, now_s: float) -> None:
        """Forget what was under way, and count the time from here: a state of arming was entered."""
        self.end()
        self._began_s = now_s

    def begin_drill(self, now_s: float) -> None:
        """A drill was asked for. Nobody may take the proof of an earlier one for that of this one."""
        self.restart(now_s)
        self.drill_report = None
        self._drill = Drill(self._order, self._torque_limit_nm, now_s)

    def refuse_drill(self, *reasons: str) -> None:
        """No drill now, and no proof of an earlier one."""
        self.drill_report = DrillReport(False, reasons, _NAN)

    def interrupt(self, cause: str) -> None:
        """A stop is latched: whatever was under way is over."""
        if self._drill is not None:
            self.refuse_drill(f"interrupted by {cause}")
        self.end()

    def step(self, inventory: Sequence[DeviceReport], state: RobotState, now_s: float, *, is_powered: bool) -> Progress:
        """Advance by one cycle.

        Args:
            inventory: What the devices have answered.
            state: Newest measurements.
            now_s: Clock.
            is_powered: Whether the motors were told to be on in the cycle before.
        """
        missing = "" if is_powered else self._keeping.ask()
        if missing:
            return self._wait(missing, now_s)
        if self._drill is not None:
            step = self._drill.step(state, now_s)
            if step is not PowerStep.DONE:
                return Progress(ArmingState.CHECKING, power=step)
            self.drill_report = self._drill.report
            return Progress(ArmingState.DISARMED)
        if self._power_up is None:
            reasons = arming_refusals(device_reasons(inventory, self.drill_report), self._clearance.guards())
            if reasons:
                return Progress(ArmingState.DISARMED, reasons)
            if not self._clearance.is_clear(now_s):
                return Progress(ArmingState.CHECKING)
            self._power_up = PowerUp(self._order, now_s)
        step = self._power_up.step(state, now_s)
        if step is PowerStep.OFF:
            return Progress(ArmingState.DISARMED, self._power_up.problems)
        return Progress(ArmingState.ARMED) if step is PowerStep.DONE else Progress(ArmingState.CHECKING, power=step)

    def _wait(self, missing: str, now_s: float) -> Progress:
        """Nothing is energised before it is on the disk that a process which ends from now on ended under power."""
        if self._drill is not None:
            self._drill = Drill(self._order, self._torque_limit_nm, now_s)  # Its time begins when it may.
        if now_s - self._began_s <= KEPT_DEADLINE_S:
            return Progress(ArmingState.CHECKING)
        reason = f"the latch is not on the disk after {KEPT_DEADLINE_S:g} s: {missing}"
        if self._drill is not None:
            self.refuse_drill(reason)
        return Progress(ArmingState.DISARMED, (reason,))
