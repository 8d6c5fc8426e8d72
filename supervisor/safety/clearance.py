"""What stands in the way of arming, starting and resetting, in words: measured against allowed, all of it."""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.core.exchange import DeviceReport, DrillReport, Stop
from supervisor.core.guard import GuardReading
from supervisor.core.joints import JointOrder
from supervisor.core.levels import GuardValue
from supervisor.core.safety import SafetyConfig
from supervisor.safety.board import GuardBoardEvaluator, is_blocking
from supervisor.safety.severity import Severity

_NAN = float("nan")


class Clearance:
    """Watches since when the guards, and the causes of the latched stop, have been clear.

    Args:
        safety: The safety file.
        evaluator: Where the readings are.
        severity: Where the stop is.
        order: For the names of joints.
    """

    def __init__(
        self, safety: SafetyConfig, evaluator: GuardBoardEvaluator, severity: Severity, order: JointOrder
    ) -> None:
        self._clear_s = safety.arming.clear_s
        self._rows = safety.rows_by_id()
        self._evaluator = evaluator
        self._severity = severity
        self._names = order.names
        self._clear_since_s = _NAN
        self._causes_clear_since_s = _NAN

    def watch(self, now_s: float) -> None:
        """Note this cycle; called once after the guards were evaluated."""
        if self._evaluator.blocking:
            self._clear_since_s = _NAN
        elif self._clear_since_s != self._clear_since_s:
            self._clear_since_s = now_s
        stop = self._severity.stop
        if stop is None or any(is_blocking(reading) for reading in self._readings_of(stop)):
            self._causes_clear_since_s = _NAN
        elif self._causes_clear_since_s != self._causes_clear_since_s:
            self._causes_clear_since_s = now_s

    def is_clear(self, now_s: float) -> bool:
        """Whether every guard of level HOLD or above has been OK, and none tripped, for long enough to arm."""
        return now_s - self._clear_since_s >= self._clear_s

    def guards(self) -> tuple[str, ...]:
        """Every guard of level HOLD or above that is not OK now."""
        if not self._evaluator.blocking:
            return ()
        return tuple(
            describe(reading, self._names)
            for reading in self._evaluator.board
            if reading.level.latches and reading.value is not GuardValue.OK
        )

    def causes(self, now_s: float) -> tuple[str, ...]:
        """Why the causes of the latched stop do not allow a reset yet."""
        stop = self._severity.stop
        if stop is None:
            return ()
        reasons: list[str] = []
        for reading in self._readings_of(stop):
            if self._rows[reading.id].clear == "never" and self._severity.has_tripped(reading.id):
                reasons.append(f"{reading.id} is never cleared in this process")
            elif is_blocking(reading):
                reasons.append(describe(reading, self._names))
        if not reasons and not now_s - self._causes_clear_since_s >= self._clear_s:
            reasons.append(f"the cause must be clear for {self._clear_s:g} s")
        return tuple(reasons)

    def _readings_of(self, stop: Stop) -> list[GuardReading]:
        """The newest readings of the guards that caused a stop; what an operator asked for has none."""
        found = [self._evaluator.reading(identifier) for identifier in (stop.guard, *stop.further)]
        return [reading for reading in found if reading is not None]


def device_reasons(inventory: Iterable[DeviceReport], drill: DrillReport | None) -> tuple[str, ...]:
    """What the inventory and the drill have against arming."""
    reasons: list[str] = []
    is_empty = True
    for device in inventory:
        is_empty = False
        if not device.answered and not device.problems:
            reasons.append(f"{device.name} on {device.bus} does not answer")
        reasons += [f"{device.name} on {device.bus}: {problem}" for problem in device.problems]
    if is_empty:
        reasons.append("no inventory of the devices was made")
    if drill is None:
        reasons.append("no emergency-stop drill was made")
    elif not drill.passed:
        reasons += [f"emergency-stop drill: {problem}" for problem in drill.problems or ("not passed",)]
    return tuple(reasons)


def describe(reading: GuardReading, names: tuple[str, ...]) -> str:
    """One reading in words: measured against allowed."""
    joint = f" of {names[reading.joint]}" if 0 <= reading.joint < len(names) else ""
    if reading.value is GuardValue.OK:
        return f"{reading.id}{joint} has only just recovered"
    if reading.value is GuardValue.VIOLATED:
        return f"{reading.id}{joint} {reading.measured:.4g} {reading.unit}, allowed {reading.limit:.4g}"
    return f"{reading.id}{joint} is {reading.value.name.lower().replace('_', ' ')}"
