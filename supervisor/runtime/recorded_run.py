"""One recorded run with everything that is needed to judge its guards anew: the record, and the files that went in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supervisor.core.errors import ConfigError, RecordError
from supervisor.core.guard import GuardRow
from supervisor.core.joints import Vector
from supervisor.core.levels import ArmingState
from supervisor.core.loading import load_yaml
from supervisor.core.robot import RobotConfig
from supervisor.core.safety import SafetyConfig
from supervisor.evidence.record_reader import CycleRecord, read_record
from supervisor.evidence.row import ARMING_NUMBER
from supervisor.evidence.run_folder import CYCLES, INPUTS, SUMMARY
from supervisor.evidence.summary import read_summary
from supervisor.policy.contract import read_contract

BETWEEN = "between stages"

_JOINT_LIMITS: Mapping[str, str] = {"joint_velocity": "velocity_rad_per_s", "joint_torque": "torque_nm"}


@dataclass(frozen=True, slots=True)
class GuardReadings:
    """What a run's record says of one guard, one value per cycle.

    Attributes:
        row: The row that the run was made with.
        measured: What it measured, NaN where nothing.
        values: `GuardValue` numbers.
        limits: In force, the stages' tightening included.
        tripped: Whether it was tripped.
        reference: What the row's limit is multiplied with: the worst joint's own limit, a period, or 1.
        motion: Whether proposals were followed.
    """

    row: GuardRow
    measured: Vector
    values: NDArray[np.uint8]
    limits: Vector
    tripped: NDArray[np.bool_]
    reference: Vector
    motion: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run, read back.

    Attributes:
        name: Of its folder.
        mode: "sim", "dry_run" or "live".
        outcome: How it ended.
        stop: What stopped it, "" for nothing.
        robot: The robot as it was.
        rows: The guard rows as they were, by id.
        policy_period_s: Of its policy.
        record: Every cycle.
        motion: (cycles,) whether proposals were followed.
        kinds: (cycles,) kind of the stage that was active.
    """

    name: str
    mode: str
    outcome: str
    stop: str
    robot: RobotConfig
    rows: Mapping[str, GuardRow]
    policy_period_s: float
    record: CycleRecord
    motion: NDArray[np.bool_]
    kinds: NDArray[np.str_]

    @property
    def motion_cycles(self) -> int:
        """Cycles in motion."""
        return int(np.count_nonzero(self.motion))

    def has(self, guard: str) -> bool:
        """Whether the run evaluated a guard."""
        return guard in self.rows and any(recorded.id == guard for recorded in self.record.guards)

    def readings(self, guard: str) -> GuardReadings:
        """Everything the record says of one guard; read from the file anew at each call."""
        return GuardReadings(
            self.rows[guard],
            np.asarray(self._column("guard_measured", guard), dtype=np.float64),
            np.asarray(self._column("guard_value", guard), dtype=np.uint8),
            np.asarray(self._column("guard_limit", guard), dtype=np.float64),
            np.asarray(self._column("guard_tripped", guard), dtype=np.bool_),
            self._reference(guard),
            self.motion,
        )

    def _reference(self, guard: str) -> Vector:
        """(cycles,) what the row's limit is multiplied with: the worst joint's own limit, a period, or 1."""
        count = len(self.record)
        if guard in _JOINT_LIMITS:
            joint = np.asarray(self._column("guard_joint", guard), dtype=np.intp)
            # Where no joint was named the guard was an error, and its limit is not looked at.
            return self.robot.vector(_JOINT_LIMITS[guard])[np.maximum(joint, 0)]
        if guard in ("policy_age", "policy_deadline"):
            return np.full(count, self.policy_period_s)
        if guard in ("loop_lag_mean", "loop_lag_worst"):
            return np.full(count, self.robot.control_period_s)
        return np.ones(count)

    def _column(self, name: str, guard: str) -> NDArray[Any]:
        place = [recorded.id for recorded in self.record.guards].index(guard)
        return self.record.column(name)[:, place]


def read_run(folder: Path) -> RecordedRun:
    """Read a run's folder.

    Raises:
        RecordError: Something is missing or damaged, or the run had a fault script: its trips are no nuisance.
    """
    inputs = folder / INPUTS
    if (inputs / "fault.yaml").exists():
        raise RecordError(f"{folder} was made with a fault script: what tripped there was meant to trip")
    summary = read_summary(folder / SUMMARY)
    record = read_record(folder / CYCLES)
    try:
        robot = load_yaml(inputs / "robot.yaml", RobotConfig)
        safety = load_yaml(inputs / "safety.yaml", SafetyConfig)
        contract, _ = read_contract(inputs / "contract.yaml")
    except ConfigError as error:
        raise RecordError(f"{folder}: a copy of what went in cannot be read: {error}") from None
    try:
        kinds = _kinds(record.column("time_s"), summary["stages"])
        stop = "" if summary["stop"] is None else str(summary["stop"]["guard"])
    except (TypeError, KeyError, ValueError) as error:
        raise RecordError(f"{folder}: its summary is damaged ({type(error).__name__}: {error})") from None
    return RecordedRun(
        folder.name,
        str(summary["mode"]),
        str(summary["outcome"]),
        stop,
        robot,
        safety.rows_by_id(),
        contract.period_s,
        record,
        np.asarray(record.column("arming") == ARMING_NUMBER[ArmingState.RUNNING]),
        kinds,
    )


def _kinds(times_s: Vector, stages: Any) -> NDArray[np.str_]:
    """(cycles,) kind of the active stage."""
    kinds = np.full(len(times_s), BETWEEN, dtype="U32")
    for stage in stages:
        kinds[(times_s > float(stage["started_s"])) & (times_s <= float(stage["ended_s"]))] = str(stage["kind"])
    return kinds
