"""summary.json: what a run came to, for programs. The keys are a contract; their order is always the same."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from supervisor.core.errors import RecordError
from supervisor.core.exchange import GateCounts, Stop
from supervisor.core.report import Diagnosis, StageReport
from supervisor.core.state import BusStatistics
from supervisor.evidence.events import finite_or_none, plain
from supervisor.evidence.timing import Percentiles

SCHEMA = 1
MAXIMUM_FILE_BYTES = 20_000_000
"""A longer file is read no further, and so is damaged."""

Outcome = Literal["completed", "refused", "guard_stop", "not_accepted", "operator_stop", "error"]
Mode = Literal["sim", "dry_run", "live"]

EXIT_CODES: Mapping[Outcome, int] = {
    "completed": 0,
    "refused": 10,
    "guard_stop": 20,
    "not_accepted": 30,
    "operator_stop": 40,
    "error": 70,
}
"""2 is for usage and configuration: no run, no summary."""

HASHES = ("policy", "contract", "robot", "mission", "safety")

WALL_CLOCK_METRIC_SUFFIX = "_wall_s"
"""A stage's metric whose name ends so was measured with the machine's clock, not the run's."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things took by the machine's clock.

    Attributes:
        control_hz: Declared rate of the control loop.
        cycle_us: One control cycle.
        overruns: Cycles longer than a control period.
        policy_us: One policy step.
        tree_us: One tick of the tree.
    """

    control_hz: float
    cycle_us: Percentiles = field(default_factory=Percentiles)
    overruns: int = 0
    policy_us: Percentiles = field(default_factory=Percentiles)
    tree_us: Percentiles = field(default_factory=Percentiles)


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything summary.json says.

    Attributes:
        outcome: How the run ended; fixes the exit code.
        robot, policy, mission: Names.
        mode: What moved.
        seed: Seed of the simulated noise.
        hashes: sha256 by `HASHES`.
        timing: Durations by the machine's clock.
        stages: In the order in which they ran; a stage that was repeated stands there once per attempt.
        stop: The latched stop; the planned end of a mission is none.
        cause_to_command_s: From the first sight of the cause to the safe command; NaN without a stop.
        diagnosis: The likeliest cause first.
        gate: What the gate changed.
        buses: Counters by bus.
    """

    outcome: Outcome
    robot: str
    policy: str
    mission: str
    mode: Mode
    seed: int
    hashes: Mapping[str, str]
    timing: Timing
    stages: tuple[StageReport, ...] = ()
    stop: Stop | None = None
    cause_to_command_s: float = float("nan")
    diagnosis: tuple[Diagnosis, ...] = ()
    gate: GateCounts = field(default_factory=GateCounts)
    buses: Mapping[str, BusStatistics] = field(default_factory=dict[str, BusStatistics])

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return EXIT_CODES[self.outcome]


def summary_document(summary: Summary) -> dict[str, Any]:
    """The summary as JSON can say it; a number that is not finite becomes null."""
    stop = summary.stop
    return {
        "schema": SCHEMA,
        "outcome": summary.outcome,
        "exit_code": summary.exit_code,
        "robot": summary.robot,
        "policy": summary.policy,
        "mission": summary.mission,
        "mode": summary.mode,
        "seed": summary.seed,
        "hashes": {name: summary.hashes.get(name, "") for name in HASHES},
        "stages": [_stage(stage) for stage in summary.stages],
        "stop": None if stop is None or stop.planned else _stop(stop, summary.cause_to_command_s),
        "diagnosis": [
            {
                "symptom": found.symptom,
                "cause": found.cause,
                "remedy": found.remedy,
                "joints": list(found.joints),
                "evidence": plain(found.evidence),
            }
            for found in summary.diagnosis
        ],
        "timing": {
            "control_hz": plain(summary.timing.control_hz),
            "cycle_us": _percentiles(summary.timing.cycle_us),
            "overruns": summary.timing.overruns,
            "policy_us": _percentiles(summary.timing.policy_us),
            "tree_us": _percentiles(summary.timing.tree_us),
        },
        "gate": {
            "clamped": {
                "position": summary.gate.position,
                "velocity": summary.gate.velocity,
                "torque": summary.gate.torque,
                "rate": summary.gate.rate,
            },
            "rejected": summary.gate.rejected,
        },
        "buses": {
            name: {
                "sent": counters.sent,
                "received": counters.received,
                "dropped": counters.dropped,
                "errors": counters.errors,
            }
            for name, counters in sorted(summary.buses.items())
        },
    }


def _stage(stage: StageReport) -> dict[str, Any]:
    return {
        "name": stage.name,
        "kind": stage.kind,
        "outcome": stage.outcome,
        "started_s": _seconds(stage.started_s),
        "ended_s": _seconds(stage.ended_s),
        "knobs": {
            "action_gain": plain(stage.knobs.action_gain),
            "torque_fraction": plain(stage.knobs.torque_fraction),
            "speed_fraction": plain(stage.knobs.speed_fraction),
        },
        "metrics": {name: plain(value) for name, value in sorted(stage.metrics.items())},
        "criteria": [
            {
                "metric": result.metric,
                "op": result.op,
                "limit": plain(result.limit),
                "value": plain(result.value),
                "passed": bool(result.passed),
            }
            for result in stage.criteria
        ],
    }


def _stop(stop: Stop, cause_to_command_s: float) -> dict[str, Any]:
    return {
        "level": (stop.first_level or stop.level).name,
        "guard": stop.guard,
        "value": plain(stop.measured),
        "limit": plain(stop.limit),
        "unit": stop.unit,
        "time_s": _seconds(stop.time_s),
        "cause_to_command_s": _seconds(cause_to_command_s),
        "stage": stop.stage,
        "joints": list(stop.joints),
        "further": list(stop.further),
    }


def _percentiles(percentiles: Percentiles) -> dict[str, float]:
    return {
        "p50": percentiles.p50,
        "p99": percentiles.p99,
        "p999": percentiles.p999,
        "max": percentiles.max,
    }


def _seconds(value: float) -> float | None:
    """Seconds to the nanosecond: what floating point adds below that is noise."""
    number = finite_or_none(value)
    return None if number is None else round(float(number), 9)


def without_wall_clock(document: Mapping[str, Any]) -> dict[str, Any]:
    """A summary without what differs between two runs of the same simulation with the same seed.

    Gone are the durations and overruns under `timing`, and every metric, criterion value and piece of evidence whose
    name ends in `_wall_s`.
    """
    result = copy.deepcopy(dict(document))
    timing = cast(dict[str, Any], result.get("timing") or {})
    result["timing"] = {"control_hz": timing.get("control_hz")}
    for stage in result.get("stages", []):
        stage["metrics"] = _measured_by_the_run(stage["metrics"])
        for criterion in stage["criteria"]:
            if criterion["metric"].endswith(WALL_CLOCK_METRIC_SUFFIX):
                criterion["value"] = None
    for found in result.get("diagnosis", []):
        found["evidence"] = _measured_by_the_run(found["evidence"])
    return result


def _measured_by_the_run(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.endswith(WALL_CLOCK_METRIC_SUFFIX)}


def summary_text(document: Mapping[str, Any]) -> str:
    """The bytes of summary.json, as text: keys in the order of the contract, one summary always the same text."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_summary(path: Path, document: Mapping[str, Any]) -> None:
    """Write summary.json so that a reader finds either all of it or none.

    Raises:
        RecordError: It cannot be written.
    """
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(summary_text(document))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror or error}") from None


def read_summary(path: Path) -> dict[str, Any]:
    """Read a summary and check that it has the keys of the contract.

    Raises:
        RecordError: Missing, damaged, or of another schema.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_FILE_BYTES + 1)
        document: Any = json.loads(content.decode("utf-8"))
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} is damaged: {error}") from None
    if not isinstance(document, dict):
        raise RecordError(f"{path} is damaged: not a mapping")
    summary = cast(dict[str, Any], document)
    if summary.get("schema") != SCHEMA:
        raise RecordError(f"{path} has schema {summary.get('schema')!r}; this version reads {SCHEMA}")
    missing = [key for key in _KEYS if key not in summary]
    if missing:
        raise RecordError(f"{path} is damaged: {', '.join(missing)} missing")
    return summary


_KEYS = (
    *("schema", "outcome", "exit_code", "robot", "policy", "mission", "mode", "seed", "hashes", "stages", "stop"),
    *("diagnosis", "timing", "gate", "buses"),
)
