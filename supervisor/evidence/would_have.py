"""What a supervisor that commanded nothing would have done, from its record of every cycle.

Whoever drove the robot was content with it, so every stop that would have been counts as a nuisance, until somebody
looks at it and finds that it was not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supervisor.core.command import Drive
from supervisor.core.errors import RecordError
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.evidence.events import plain
from supervisor.evidence.record_reader import CycleRecord
from supervisor.evidence.row import ARMING_NUMBER, DRIVE_NUMBER

RULE_OF_THREE = 3.0
"""Nothing seen in T hours: with 95 % confidence it comes less often than 3 / T."""

POLICY_GUARDS = ("action_finite", "action_bound", "action_rate", "action_saturated", "observation_range", "policy_age")
"""What is told of the policy's outputs."""

_POWERED = (ArmingState.ARMED, ArmingState.RUNNING)


@dataclass(frozen=True, slots=True)
class WouldTrip:
    """A guard that would have tripped under power.

    Attributes:
        time_s: When.
        guard: Which.
        level: What would have followed.
        value: What it was, by name: VIOLATED, STALE, ...
        measured, limit, unit: In that cycle.
        joint: The worst joint, "" where the guard is not about one.
        stops: Whether the level would have ended the motion.
    """

    time_s: float
    guard: str
    level: str
    value: str
    measured: float
    limit: float
    unit: str
    joint: str
    stops: bool


@dataclass(frozen=True, slots=True)
class PolicyOutputs:
    """What one policy guard saw over the run.

    Attributes:
        guard: Which.
        largest: Largest reading.
        limit: In force there.
        unit: Of both.
        failing_cycles: Cycles in which it was not OK.
    """

    guard: str
    largest: float
    limit: float
    unit: str
    failing_cycles: int


@dataclass(frozen=True, slots=True)
class WouldHave:
    """What would have been.

    Attributes:
        silent_s: How long at the end no motor was heard: nobody drove the robot any more, and nothing is judged.
        powered_s: How long the robot would have been armed or running.
        running_s: How long proposals would have been followed.
        stops: How often it would have been stopped by guards.
        trips: Every trip that would have been under power, those that only warn included.
        drives: Cycles by what would have been written.
        policy: What the policy guards saw.
    """

    silent_s: float
    powered_s: float
    running_s: float
    stops: int
    trips: tuple[WouldTrip, ...]
    drives: Mapping[str, int]
    policy: tuple[PolicyOutputs, ...]

    @property
    def nuisance_stops_per_hour(self) -> float:
        """Stops per hour under power; NaN where it never would have been."""
        return self.stops / (self.powered_s / 3600.0) if self.powered_s > 0.0 else math.nan

    @property
    def at_most_per_hour(self) -> float:
        """Where no stop was seen, what the rate is below with 95 % confidence; NaN otherwise."""
        return RULE_OF_THREE / (self.powered_s / 3600.0) if self.powered_s > 0.0 and not self.stops else math.nan

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "schema": 1,
            "silent_s": plain(self.silent_s),
            "powered_s": plain(self.powered_s),
            "running_s": plain(self.running_s),
            "stops": self.stops,
            "nuisance_stops_per_hour": plain(self.nuisance_stops_per_hour),
            "at_most_per_hour": plain(self.at_most_per_hour),
            "trips": [{name: plain(getattr(trip, name)) for name in WouldTrip.__slots__} for trip in self.trips],
            "cycles_by_drive": dict(self.drives),
            "policy": [{name: plain(getattr(one, name)) for name in PolicyOutputs.__slots__} for one in self.policy],
        }


def would_have(record: CycleRecord) -> WouldHave:
    """What a record of a run without commands means.

    Raises:
        RecordError: A column is missing, or does not hold one value per guard.
    """
    period_s = 1.0 / record.control_hz if record.control_hz > 0.0 else math.nan
    arming, drives = np.asarray(record.column("arming")), np.asarray(record.column("drive"))
    judged = _judged(record)
    arming = np.where(judged, arming, ARMING_NUMBER[ArmingState.DISARMED])
    powered = np.isin(arming, [ARMING_NUMBER[state] for state in _POWERED])
    under_power = powered.copy()
    under_power[1:] |= powered[:-1]  # The record calls the cycle of the trip itself stopped already.
    trips = sorted(_trips(record, under_power), key=lambda trip: trip.time_s)
    stopped = arming == ARMING_NUMBER[ArmingState.STOPPED]
    ends = np.flatnonzero(stopped[1:] & powered[:-1]) + 1
    latching = [i for i, guard in enumerate(record.guards) if _latches(guard.level)]
    tripped = np.asarray(_per_guard(record, "guard_tripped"), dtype=np.bool_)
    return WouldHave(
        float(np.count_nonzero(~judged)) * period_s,
        float(np.count_nonzero(powered)) * period_s,
        float(np.count_nonzero(arming == ARMING_NUMBER[ArmingState.RUNNING])) * period_s,
        int(tripped[ends][:, latching].any(axis=1).sum()),
        tuple(trips),
        {drive.value: int(np.count_nonzero(drives == DRIVE_NUMBER[drive])) for drive in Drive},
        tuple(_policy(record)),
    )


def write_would_have(path: Path, found: WouldHave) -> None:
    """Write it for programs.

    Raises:
        RecordError: It cannot be written.
    """
    try:
        path.write_text(json.dumps(found.as_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror or error}") from None


def _judged(record: CycleRecord) -> NDArray[np.bool_]:
    """(cycles,) which cycles are judged: those up to the last word of any motor."""
    stamps_s = np.asarray(record.column("motor_stamp_s"))
    newest_s = float(stamps_s.max()) if stamps_s.size else -math.inf
    return np.asarray(record.column("time_s")) <= newest_s


def _trips(record: CycleRecord, under_power: NDArray[np.bool_]) -> list[WouldTrip]:
    times = record.column("time_s")
    tripped, measured, limits, values, joints = (
        _per_guard(record, name)
        for name in ("guard_tripped", "guard_measured", "guard_limit", "guard_value", "guard_joint")
    )
    found: list[WouldTrip] = []
    for i, guard in enumerate(record.guards):
        is_tripped = (np.asarray(tripped[:, i]) != 0) & under_power
        is_new = is_tripped & ~np.concatenate(([False], is_tripped[:-1]))
        for row in np.flatnonzero(is_new).tolist():
            joint = int(joints[row, i])
            found.append(
                WouldTrip(
                    float(times[row]),
                    guard.id,
                    guard.level,
                    _value_name(int(values[row, i])),
                    float(measured[row, i]),
                    float(limits[row, i]),
                    guard.unit,
                    record.joints[joint] if 0 <= joint < len(record.joints) else "",
                    _latches(guard.level),
                )
            )
    return found


def _policy(record: CycleRecord) -> list[PolicyOutputs]:
    measured, limits, values = (_per_guard(record, name) for name in ("guard_measured", "guard_limit", "guard_value"))
    found: list[PolicyOutputs] = []
    for i, guard in enumerate(record.guards):
        if guard.id in POLICY_GUARDS and len(record):
            column = np.array(measured[:, i])
            row = int(np.where(np.isfinite(column), column, -np.inf).argmax())
            failing = int(np.count_nonzero(np.asarray(values[:, i]) != GuardValue.OK))
            found.append(PolicyOutputs(guard.id, float(column[row]), float(limits[row, i]), guard.unit, failing))
    return found


def _per_guard(record: CycleRecord, name: str) -> NDArray[Any]:
    column = record.column(name)
    if column.shape[1:] != (len(record.guards),):
        raise RecordError(f"the record's column {name} does not hold {len(record.guards)} guards")
    return column


def _latches(level: str) -> bool:
    return level in Level.__members__ and Level[level].latches


def _value_name(value: int) -> str:
    return GuardValue(value).name if value in {*GuardValue} else str(value)
