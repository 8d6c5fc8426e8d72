"""Guard thresholds from recorded runs: quantile times margin, and how often either limit would have tripped.

Pure figures; what is made of them for people is in `calibration_text`. Nothing here changes a safety file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from supervisor.core.errors import RefusedError
from supervisor.core.guard import GuardRow
from supervisor.core.joints import Vector
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.runtime.recorded_run import GuardReadings, RecordedRun
from supervisor.safety.replay import Replay, replay_row

NEAR = 0.8
"""A guard that would have tripped with this share of its limit is near tripping."""

LOOSE = 1.0 / 3.0
"""A guard that would not even have tripped with this share of its limit was never near."""

TAIL_READINGS = 10
"""Readings beyond the quantile that are needed for it to mean anything."""

DIGITS = 3
"""Of a proposed limit, rounded up."""

TIGHTEST = 1.0 / 3.0
"""Of the declared limit: what a sound robot did not do in some minutes tells little about where a fault begins, and a
limit was declared for reasons of its own."""

BY_DEFINITION: Mapping[str, str] = {
    "motor_temperature": "what the motors stand, not how warm they were",
    "second_writer": "one frame of somebody else is one too many",
    "stage_timeout": "the mission's own time limit",
    "mission_timeout": "the mission's own time limit",
    "action_bound": "the policy's own bound",
}
"""Rows whose number follows from what it means, not from what was measured."""

FLAG_UNITS = frozenset({"flag", "buses", "guards"})


class Verdict(Enum):
    """What is proposed for a row."""

    TIGHTENED = "tightened"
    LOOSENED = "LOOSENED"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class GuardFigures:
    """What the runs say about one row. Limits and readings in the row's unit.

    Attributes:
        row: As declared.
        readings: Cycles in motion in which the guard measured something.
        quantile_by_kind: The quantile over the cycles of each kind of stage.
        largest: Largest reading, NaN without one.
        derived: Quantile of the worst kind times margin, rounded up and within the robot's limits; NaN without.
        verdict: What is proposed.
        why: In words.
        proposed: The row as proposed; the declared one where it is kept.
        declared_trips, derived_trips: Trips that either limit would have given.
        is_near: It would have tripped with a limit a fifth lower.
        is_loose: It would not have tripped with a third of its limit.
    """

    row: GuardRow
    readings: int
    quantile_by_kind: Mapping[str, float]
    largest: float
    derived: float
    verdict: Verdict
    why: str
    proposed: GuardRow
    declared_trips: int
    derived_trips: int
    is_near: bool
    is_loose: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """What all runs say about all rows.

    Attributes:
        runs: What was looked at.
        cycles: Cycles in motion.
        hours: The same, as time.
        quantile, margin: As asked.
        figures: One per numeric row.
        left_out: Other rows, and why.
    """

    runs: tuple[RecordedRun, ...]
    cycles: int
    hours: float
    quantile: float
    margin: float
    figures: tuple[GuardFigures, ...]
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def nuisance_trips(self) -> int:
        """Trips that the declared rows of level HOLD and above would have given: each would have stopped a run."""
        return sum(found.declared_trips for found in self.figures if found.row.level.latches)


def calibrate(
    robot: RobotConfig, safety: SafetyConfig, runs: Sequence[RecordedRun], quantile: float, margin: float
) -> Calibration:
    """Hold the rows of a safety file against recorded runs.

    Args:
        robot: The robot as it is now.
        safety: Its safety file as it is now.
        runs: Runs in which nothing was wrong with the robot: every trip counts as a nuisance.
        quantile: Of the readings, 0.5 to below 1.
        margin: What the quantile is multiplied with, at least 1.

    Raises:
        RefusedError: The runs do not tell anything: none moved, or one is of another robot.
    """
    reasons = [f"{run.name} is a run of {run.robot.name}" for run in runs if run.robot.name != robot.name]
    if reasons:
        raise RefusedError([f"{reason}, not of {robot.name}" for reason in reasons])
    cycles = sum(run.motion_cycles for run in runs)
    if not cycles:
        raise RefusedError(["no run has a cycle in motion: nothing can be derived from robots that stand still"])
    hours = sum(run.motion_cycles / run.robot.control_hz for run in runs) / 3600.0
    left_out: dict[str, str] = {}
    figures: list[GuardFigures] = []
    for row in safety.guards:
        reason = _left_out(row, runs)
        if reason:
            left_out[row.id] = reason
        else:
            figures.append(_Guard(robot, row, runs).figures(quantile, margin))
    return Calibration(tuple(runs), cycles, hours, quantile, margin, tuple(figures), left_out)


def _left_out(row: GuardRow, runs: Sequence[RecordedRun]) -> str:
    if row.unit in FLAG_UNITS:
        return "yes or no"
    if row.id in BY_DEFINITION:
        return BY_DEFINITION[row.id]
    missing = [run.name for run in runs if not run.has(row.id)]
    return f"not in the record of {len(missing)} runs, {missing[0]} the first" if missing else ""


class _Guard:
    """One row and its readings in all runs."""

    def __init__(self, robot: RobotConfig, row: GuardRow, runs: Sequence[RecordedRun]) -> None:
        self._robot = robot
        self._row = row
        self._readings = [run.readings(row.id) for run in runs]
        by_kind: dict[str, list[Vector]] = {}
        for run, readings in zip(runs, self._readings, strict=True):
            fractions = readings.measured / readings.reference
            # Exactly 0 is what a guard says that has nothing to watch: it would thin out the quantile.
            counts = run.motion & np.isfinite(fractions) & (fractions != 0.0)
            for kind in np.unique(run.kinds[counts]).tolist():
                by_kind.setdefault(kind, []).append(fractions[counts & (run.kinds == kind)])
        self._by_kind = {kind: np.concatenate(parts) for kind, parts in by_kind.items()}

    def figures(self, quantile: float, margin: float) -> GuardFigures:
        """What the runs say."""
        row, by_kind = self._row, self._by_kind
        readings = sum(len(part) for part in by_kind.values())
        quantiles = {kind: float(np.quantile(part, quantile)) for kind, part in by_kind.items()}
        largest = max((float(part.max()) for part in by_kind.values()), default=math.nan)
        declared_trips = self.trips(row)
        derived, derived_trips, why = math.nan, 0, ""
        needed = math.ceil(TAIL_READINGS / (1.0 - quantile) - 1e-6)
        worst = max(quantiles.values(), default=math.nan)
        if readings < needed:
            why = f"{readings} readings in motion, needed {needed}"
        elif worst <= 0.0:
            why = f"the quantile is {worst:.3g}: the limit was never reached"
        else:
            ceiling, what = ceiling_of(row, self._robot)
            floor = _rounded_up(row.limit * TIGHTEST)
            derived = min(max(_rounded_up(worst * margin), floor), ceiling)
            derived_trips = self.trips(with_limit(row, derived))
            if derived in (floor, ceiling):
                why = f"held to {what}" if derived == ceiling else "held to a third of what is declared"
        verdict, reason = _verdict(row, derived, declared_trips, derived_trips)
        proposed = row if verdict is Verdict.KEPT else with_limit(row, derived)
        return GuardFigures(
            row,
            readings,
            quantiles,
            largest,
            derived,
            verdict,
            "; ".join(part for part in (why, reason) if part),
            proposed,
            declared_trips,
            derived_trips,
            is_near=self.trips(row, NEAR) > 0,
            is_loose=self.trips(row, LOOSE) == 0,
        )

    def trips(self, row: GuardRow, share: float = 1.0) -> int:
        """How often a row would have tripped in motion, with a share of all its limits."""
        return sum(count_trips(one, replay(one, row, share)) for one in self._readings)


def replay(recorded: GuardReadings, row: GuardRow, share: float = 1.0) -> Replay:
    """What a row would have said to a run; a stage's tightening goes on to hold where it is tighter.

    Args:
        recorded: What the guard measured.
        row: The row, whatever the run was made with.
        share: Of the limit and the hysteresis.
    """
    reference, in_force = recorded.reference, recorded.limits
    was_tightened = in_force < recorded.row.limit * reference
    limits = np.where(was_tightened, np.minimum(in_force, row.limit * reference), row.limit * reference)
    return replay_row(
        recorded.measured,
        recorded.values,
        limits if share == 1.0 else limits * share,
        row.hysteresis * reference * share,
        row.persistence,
    )


def count_trips(recorded: GuardReadings, replayed: Replay) -> int:
    """Trips while the robot moved; one that stood when motion began counts too, for it would have refused it."""
    moves = recorded.motion.copy()
    moves[1:] |= recorded.motion[:-1]  # The record calls the cycle of the trip itself stopped already.
    trips = replayed.tripped & moves
    return int(np.count_nonzero(trips[1:] & ~trips[:-1])) + int(trips[0])


def with_limit(row: GuardRow, limit: float) -> GuardRow:
    """A row with another limit; the hysteresis keeps its share."""
    share = limit / row.limit if row.limit > 0.0 else 1.0
    return replace(row, limit=limit, hysteresis=_rounded_up(row.hysteresis * share))


def ceiling_of(row: GuardRow, robot: RobotConfig) -> tuple[float, str]:
    """What no proposal goes beyond, and what it is."""
    own = {
        "joint_velocity": (1.0, "the joints' own limit"),
        "joint_torque": (1.0, "the joints' own limit"),
        "joint_position": (row.limit, "what is declared: joints never gain room beyond their limits"),
        "tilt": (math.pi / 2.0, "a robot on its side"),
        "motor_age": (robot.motor_timeout_s, "the motors' own timeout"),
        "bus_loss": (1.0, "everything"),
        "action_saturated": (1.0, "everything"),
        "tracking_error": (
            float((robot.vector("torque_nm") / robot.vector("kp_nm_per_rad")).min()),
            "the distance at which a blocked joint has all its torque",
        ),
    }
    return own.get(row.id, (math.inf, ""))


def _verdict(row: GuardRow, derived: float, declared_trips: int, derived_trips: int) -> tuple[Verdict, str]:
    if math.isnan(derived) or derived == row.limit:
        return Verdict.KEPT, ""
    if derived < row.limit:
        if derived_trips > declared_trips:
            return Verdict.KEPT, f"{derived:g} would have tripped {derived_trips} times on these very runs"
        return Verdict.TIGHTENED, ""
    if not declared_trips:
        return Verdict.KEPT, "closer than the margin asks, but it did not trip: no reason to loosen it"
    return Verdict.LOOSENED, f"{row.limit:g} tripped {declared_trips} times; loosen it only if nothing was wrong then"


def _rounded_up(value: float) -> float:
    """In few digits, never below."""
    if value <= 0.0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - DIGITS + 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.{DIGITS}g}")
