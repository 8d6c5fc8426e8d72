"""All guards of one cycle behind one total wrapper: whatever a guard does, the result is one of five values.

OK needs all of: the function returned `(float, float, int)`, the measured value is a number and at most the limit,
its source is fresh, and the value has come back by the hysteresis after a violation. Everything else is not OK:

| what happened | value |
|---|---|
| measured above the limit, infinity included | VIOLATED |
| source older than its age guard allows | STALE |
| exception, None, wrong type, NaN, minus infinity, a limit that is not a number | ERROR |
| no evaluation yet | NOT_EVALUATED |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.guard import GuardBoard, GuardReading, GuardRow
from supervisor.core.levels import GuardValue, Level
from supervisor.core.safety import SafetyConfig
from supervisor.safety.guards import GUARDS, REQUIRED, GuardKind, Sample
from supervisor.safety.inputs import GuardInputs
from supervisor.safety.persistence import TripBudget

_NAN = float("nan")
_LOWEST = -1e300
"""Below any measurable quantity: minus infinity must not pass as "far inside the limit"."""

_Function = Callable[[GuardInputs], Sample]


def board_problems(safety: SafetyConfig, file: str = "safety file") -> Iterator[Problem]:
    """What is wrong with the rows of a safety file, as seen by the guards.

    Args:
        safety: The file's content.
        file: Its name, for the messages.
    """
    declared = {row.id for row in safety.guards}
    for i, row in enumerate(safety.guards):
        kind = GUARDS.get(row.id)
        if kind is None:
            yield Problem(file, None, f"guards[{i}].id", row.id, f"one of {', '.join(GUARDS)}")
        elif kind.unit != row.unit:
            yield Problem(file, None, f"guards[{i}].unit", row.unit, f"{kind.unit}, the unit of {row.id}")
    for identifier in REQUIRED:
        if identifier not in declared:
            yield Problem(file, None, "guards", f"no row {identifier}", f"the rows {', '.join(REQUIRED)} are required")


class GuardBoardEvaluator:
    """Evaluates all declared guards, every cycle, in the order of the safety file.

    Args:
        safety: The safety file.

    Attributes:
        blocking: How many guards of level HOLD or above are not OK or still tripped: arming waits for 0.

    Raises:
        ConfigError: A row names no guard, has another unit than its guard, or a required row is missing.
    """

    def __init__(self, safety: SafetyConfig) -> None:
        problems = list(board_problems(safety))
        if problems:
            raise ConfigError(problems)
        # The guard that counts the others stands last, wherever the file has it.
        rows = sorted(safety.guards, key=lambda row: row.id == "guard_count")
        self._rows: list[GuardRow] = rows
        self._index = {row.id: i for i, row in enumerate(rows)}
        self._kinds: list[GuardKind] = [GUARDS[row.id] for row in rows]
        self._plan: list[tuple[int, _Function, int]] = [
            (i, kind.function, int(kind.source)) for i, kind in enumerate(self._kinds)
        ]
        self._limits = [row.limit for row in rows]
        self._tightened_by: Mapping[str, float] | None = None
        self._unknown_tightenings = 0
        self._budgets = [TripBudget(row.persistence) for row in rows]
        self._is_quiet = [False] * len(rows)
        self._readings = [self._unread(i) for i in range(len(rows))]
        self._board = GuardBoard(tuple(self._readings), Level.NONE)
        self.blocking = len(rows)
        limits = safety.rows_by_id()
        self._imu_age_limit_s = limits["imu_age"].limit
        self._motor_age_limit_s = limits["motor_age"].limit

    @property
    def board(self) -> GuardBoard:
        """The newest board; before the first evaluation, one on which nothing is OK."""
        return self._board

    def evaluate(self, inputs: GuardInputs) -> GuardBoard:
        """Evaluate every guard once.

        Args:
            inputs: This cycle's inputs.

        Returns:
            One reading per declared row.
        """
        inputs.prepare(self._imu_age_limit_s, self._motor_age_limit_s)
        output = inputs.output
        if output is not None and output.guard_limits is not self._tightened_by:
            self._tighten(output.guard_limits)
        inputs.unknown_tightenings = self._unknown_tightenings
        inputs.expected_guards = len(self._rows)
        stale = (False, inputs.imu_stale, inputs.motors_stale)
        readings, limits, quiet = self._readings, self._limits, self._is_quiet
        is_changed = False
        level = Level.NONE
        blocking = 0
        for i, function, source in self._plan:
            inputs.evaluated_guards = i
            last = readings[i]
            try:
                measured, reference, joint = function(inputs)
                limit = limits[i] * reference
                # The path of a healthy guard: no history to keep, nothing to clear.
                if (
                    quiet[i]
                    and measured.__class__ is float
                    and _LOWEST < measured <= limit
                    and joint.__class__ is int
                    and not stale[source]
                ):
                    if measured != last.measured or limit != last.limit or joint != last.joint:
                        readings[i] = _healthy(last, measured, limit, joint)
                        is_changed = True
                    continue
            except Exception:  # noqa: BLE001  A guard that raises is a result like any other: ERROR.
                measured, reference, joint = _NAN, 1.0, -1
            reading = self._judge(i, measured, reference, joint, stale[source], inputs.now_s)
            if reading.tripped and reading.level > level:
                level = reading.level
            if reading.level.latches and is_blocking(reading):
                blocking += 1
            readings[i] = reading
            is_changed = True
        self.blocking = blocking
        if is_changed or level is not self._board.level:
            self._board = GuardBoard(tuple(readings), level)
        return self._board

    def reading(self, identifier: str) -> GuardReading | None:
        """The newest reading of one guard, None when it is not declared."""
        i = self._index.get(identifier)
        return None if i is None else self._readings[i]

    def _judge(
        self, i: int, measured: object, reference: object, joint: object, is_stale: bool, now_s: float
    ) -> GuardReading:
        """The slow path: everything that is not a healthy guard staying healthy."""
        row, last, budget = self._rows[i], self._readings[i], self._budgets[i]
        number, scale = _as_number(measured), _as_number(reference)
        worst = joint if type(joint) is int else -1
        limit = self._limits[i] * scale
        value = GuardValue.OK
        if not (number > _LOWEST and limit > _LOWEST) or type(joint) is not int:
            value, number = GuardValue.ERROR, _NAN
        elif is_stale:
            value, number = GuardValue.STALE, _NAN
        elif number > limit or (last.value is GuardValue.VIOLATED and number > limit - row.hysteresis * scale):
            value = GuardValue.VIOLATED
        is_bad = value is not GuardValue.OK
        tripped = budget.update(is_bad)
        self._is_quiet[i] = not is_bad and budget.is_empty
        since_s = _NAN if not is_bad else last.since_s if last.since_s == last.since_s else now_s
        unit = self._kinds[i].reading_unit
        return GuardReading(row.id, value, number, limit, unit, worst, tripped, row.level, since_s)

    def _tighten(self, wished: Mapping[str, float]) -> None:
        """Take over the stage's limits where they are tighter; one that is not a number makes its guard an ERROR."""
        self._tightened_by = wished
        self._limits[:] = [row.limit for row in self._rows]
        self._unknown_tightenings = 0
        for identifier, value in wished.items():
            i = self._index.get(identifier)
            if i is None:
                self._unknown_tightenings += 1
                continue
            number = _as_number(value)
            self._limits[i] = number if math.isnan(number) else min(number, self._limits[i])

    def _unread(self, i: int) -> GuardReading:
        row = self._rows[i]
        unit = self._kinds[i].reading_unit
        return GuardReading(row.id, GuardValue.NOT_EVALUATED, _NAN, row.limit, unit, -1, False, row.level, _NAN)

    def blank(self) -> GuardBoard:
        """A board on which nothing was evaluated: what is published when the evaluation itself failed."""
        self._readings[:] = [self._unread(i) for i in range(len(self._rows))]
        self._is_quiet[:] = [False] * len(self._rows)
        self._board = GuardBoard(tuple(self._readings), Level.NONE)
        self.blocking = len(self._rows)
        return self._board


class _ReadingInMaking:
    """A `GuardReading` while it is made: the same slots, not frozen yet."""

    __slots__ = tuple(field.name for field in fields(GuardReading))


def _healthy(last: GuardReading, measured: float, limit: float, joint: int) -> GuardReading:
    """A reading that is OK, as GuardReading(...) would make it, in a fifth of the time: twenty are made per cycle."""
    reading: Any = _ReadingInMaking()
    reading.id = last.id
    reading.value = GuardValue.OK
    reading.measured = measured
    reading.limit = limit
    reading.unit = last.unit
    reading.joint = joint
    reading.tripped = False
    reading.level = last.level
    reading.since_s = _NAN
    reading.__class__ = GuardReading
    return reading


def is_blocking(reading: GuardReading) -> bool:
    """Whether a guard stands in the way of arming: not OK now, or not yet over a trip."""
    return reading.value is not GuardValue.OK or reading.tripped


def _as_number(value: object) -> float:
    """The float that `value` is, NaN for any other type: an int or a bool from a guard is a programming error."""
    return float(value) if isinstance(value, float) else _NAN
