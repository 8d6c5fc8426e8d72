"""One field of the matrix in lockstep: run, listened to, and judged by what was on the buses and what the plant did."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.faults.cases import Cell, shortened
from benchmarks.faults.wire import Heard, Said, WatchedWorld, watched
from supervisor.core.guard import Persistence
from supervisor.core.levels import ArmingState, Level
from supervisor.core.robot_file import load_robot
from supervisor.core.safety import SafetyConfig
from supervisor.evidence.events import EventKind, read_events
from supervisor.evidence.record_reader import CycleRecord, read_record
from supervisor.runtime.app import run_mission
from supervisor.runtime.locate import find_robot
from supervisor.runtime.options import RunOptions, RunResult
from supervisor.runtime.progress import SilentProgress
from supervisor.runtime.replay import replay_run, replay_text

ROBOT: Final = "pup"
POLICY: Final = "pup_walk"

ARMINGS: Final = {state: number for number, state in enumerate(ArmingState)}

MAY_MOVE: Final = (ArmingState.CHECKING, ArmingState.ARMED, ArmingState.RUNNING)
"""Motors may be on: in the drill of CHECKING too."""

COUNT_RAD: Final = 25.0 / 65535
"""One count of a position on the bus: ±12.5 rad in 16 bits."""

SLACK_COUNTS: Final = 4
"""A held position may change by this much from cycle to cycle: rounding, in the host's units and the bus's."""

AFTERWARDS_S: Final = 1.0
"""So long the plant goes on alone after the run, before it is judged."""

UPRIGHT_RAD: Final = 0.5
STILL_M_PER_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a field.

    Attributes:
        cell: The fault, and when.
        outcome: Of the run.
        guard, level: That stopped it, "" where none did.
        cycles: From the cycle in which a guard's persistence was met to safe bytes for every motor; -1 where no guard
            was met.
        path: What was sent from then on, in order, each once.
        end: How the robot ended, by the plant.
        problems: What must not be.
        wall_s: How long it took.
    """

    cell: Cell
    outcome: str
    guard: str
    level: str
    cycles: int
    path: tuple[str, ...]
    end: str
    problems: tuple[str, ...]
    wall_s: float


def middle_s(stage: str) -> float:
    """Half of what a healthy robot takes for a stage."""
    with tempfile.TemporaryDirectory() as name:
        result = _run(Path(name), shortened(Path(name), stage), None)
        assert result.exit_code == 0, f"a healthy robot ends with {result.summary['outcome']}"
        row = next(row for row in result.summary["stages"] if row["name"] == stage)
        return round((row["ended_s"] - row["started_s"]) / 2, 3)


def run_cell(cell: Cell) -> Verdict:
    """Run one field in this process, and judge it."""
    began_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, watched() as worlds:
        folder = Path(name)
        script = folder / "fault.yaml"
        script.write_text(yaml.safe_dump({"schema": 1, "faults": [cell.fault]}), encoding="utf-8")
        result = _run(folder, shortened(folder, cell.stage), script)
        return _judge(cell, result, worlds[0], began_s)


def _run(folder: Path, mission: Path, script: Path | None) -> RunResult:
    options = RunOptions(ROBOT, POLICY, str(mission), fast=True, fault=script, runs=folder / "runs")
    return run_mission(options, SilentProgress())


def _judge(cell: Cell, result: RunResult, world: WatchedWorld, began_s: float) -> Verdict:
    safety = load_robot(find_robot(ROBOT)).safety
    heard, record = world.heard(), read_record(result.folder / "cycles.bin")
    energised_at_end = bool(heard.energised[-1].any())
    problems = list(record_problems(result.folder, record, len(heard.said)))
    stop = result.summary["stop"]
    begun = [row["started_s"] for row in result.summary["stages"] if row["name"] == cell.stage]
    if not begun:
        problems.append(f"the run ended before {cell.stage}")
    due_s = min(begun, default=np.inf) + cell.after_s
    times = record.column("time_s")
    if not begun or times[-1] < due_s:
        problems.append("the run ended before the fault")
    first = int(np.searchsorted(times, due_s))
    cycle, demanded = first_demand(heard, record, safety, first)
    cycles, path = -1, ()
    if cycle >= 0:
        cycles = cycles_to_safety(heard, record, safety, cycle, demanded)
        path = tuple(said_in_turn(heard, cycle))
        if cycles != 0:
            problems.append(f"{demanded.name} was due in cycle {cycle}, and safe bytes came {cycles} cycles later")
    problems += motion_problems(result.folder, record)
    problems += commanded_problems(heard)
    if energised_at_end:
        problems.append("motors are on at the end of the run")
    return Verdict(
        cell,
        result.summary["outcome"],
        "" if stop is None else stop["guard"],
        "" if stop is None else stop["level"],
        cycles,
        path,
        _end_state(world, energised_at_end),
        tuple(problems),
        time.perf_counter() - began_s,
    )


# When a guard's persistence is met, worked out again from the record


def met(is_bad: NDArray[np.bool_], persistence: Persistence) -> NDArray[np.bool_]:
    """In which cycles N of the last M were bad, or bad ones came so often that they add up to N."""
    counts = np.convolve(is_bad, np.ones(persistence.of_cycles, dtype=int))[: len(is_bad)]
    result = counts >= persistence.cycles
    budget, full = 0, 4 * persistence.cycles
    for cycle in range(int(np.argmax(is_bad)), len(is_bad)) if is_bad.any() else ():
        budget = min(budget + 4, full) if is_bad[cycle] else max(budget - 1, 0)
        result[cycle] |= budget >= full
    return result


def first_demand(heard: Heard, record: CycleRecord, safety: SafetyConfig, first: int) -> tuple[int, Level]:
    """The first cycle, from `first` on, in which a guard demands a stop of a robot that may move.

    Returns:
        The cycle and the level; -1 where there is none.
    """
    may_move = np.isin(record.column("arming"), [ARMINGS[state] for state in MAY_MOVE])
    # In the very cycle of a trip it is stopped already; and one that lies down as planned may have to do more.
    may_move[1:] |= may_move[:-1].copy() | heard.energised[: len(record) - 1].any(axis=1)
    demanded = np.zeros(len(record), dtype=int)
    rows = safety.rows_by_id()
    values = record.column("guard_value")
    for index, guard in enumerate(record.guards):
        row, is_bad = rows[guard.id], values[:, index] != 0
        if row.level >= Level.HOLD and is_bad[first:].any():
            demanded = np.maximum(demanded, met(is_bad, row.persistence) * int(row.level))
    found = np.flatnonzero(may_move[first:] & (demanded[first:] > 0))
    if not len(found):
        return -1, Level.NONE
    cycle = first + int(found[0])
    return cycle, Level(int(demanded[cycle]))


# What was on the buses


def cycles_to_safety(heard: Heard, record: CycleRecord, safety: SafetyConfig, cycle: int, level: Level) -> int:
    """Cycles from a demand to bytes for every motor that are safe at that level; the rest of the run if never."""
    for later in range(cycle, len(heard.said)):
        if _is_safe(heard, record, safety, later, level):
            return later - cycle
    return len(heard.said) - cycle


def _is_safe(heard: Heard, record: CycleRecord, safety: SafetyConfig, cycle: int, level: Level) -> bool:
    said = heard.said[cycle]
    safe = (said == Said.CUT) | ((said == Said.POLL) & ~heard.energised[cycle])
    if level <= Level.DAMP:
        safe |= said == Said.DAMP
    if level <= Level.SETTLE and cycle < len(record) and cycle + 1 < len(heard.said):
        safe |= (said == Said.DRIVE) & _is_quiet(heard, record, safety, cycle, level)
    return bool(safe.all())


def _is_quiet(
    heard: Heard, record: CycleRecord, safety: SafetyConfig, cycle: int, level: Level
) -> NDArray[np.bool_] | bool:
    """Whether a position stays (HOLD), or moves no faster than declared (SETTLE), from this cycle to the next."""
    if record.column("level")[cycle] < level:
        return False
    speed = 0.0 if level is Level.HOLD else safety.profile.settle_speed_rad_per_s
    step = speed / record.control_hz / COUNT_RAD + SLACK_COUNTS
    return np.abs(heard.position[cycle + 1] - heard.position[cycle]) <= step


def said_in_turn(heard: Heard, cycle: int) -> list[str]:
    """What was said from a cycle on, the most energetic of all motors, each change once."""
    strongest = heard.said[cycle:].max(axis=1)
    changes = np.flatnonzero(np.diff(strongest, prepend=-1))
    return [Said(int(strongest[place])).name.lower() for place in changes]


# What must not be


def record_problems(folder: Path, record: CycleRecord, cycles: int) -> list[str]:
    """What the record lacks."""
    problems = [str(problem) for problem in read_events(folder / "events.jsonl").problems]
    numbers = record.column("cycle")
    if record.leftover_bytes:
        problems.append(f"the record ends in {record.leftover_bytes} bytes of a torn row")
    if numbers.tolist() != list(range(len(record))) or len(record) != cycles:
        problems.append(f"the record has {len(record)} cycles of {cycles}")
    found = replay_run(folder)
    if found.difference is not None or found.reason:
        problems.append(f"the record is decided otherwise when replayed: {replay_text(folder, found)}")
    return problems


def motion_problems(folder: Path, record: CycleRecord) -> list[str]:
    """Motion that fewer than two presses led to."""
    events = read_events(folder / "events.jsonl").events
    presses = np.array([e.time_s for e in events if e.kind is EventKind.OPERATOR and "press" in e.data])
    arming, times = record.column("arming"), record.column("time_s")
    running, stopped = ARMINGS[ArmingState.RUNNING], ARMINGS[ArmingState.STOPPED]
    problems, since_s = [], -np.inf
    for cycle in np.flatnonzero(np.diff(arming.astype(int), prepend=-1)):
        if arming[cycle] == stopped:
            since_s = times[cycle]
        elif arming[cycle] == running:
            count = int(((presses >= since_s) & (presses <= times[cycle])).sum())
            if count < 2:
                problems.append(f"motion at {times[cycle]:.3f} s after {count} presses")
    return problems


def commanded_problems(heard: Heard) -> list[str]:
    """Motors that were on, and were told nothing in a cycle."""
    alone = heard.energised[:-1] & (heard.said[1:] == Said.NOTHING)
    cycles = int(alone.any(axis=1).sum())
    return [f"in {cycles} cycles a motor was on and was told nothing"] if cycles else []


def _end_state(world: WatchedWorld, energised: bool) -> str:
    """How the robot is, some time after the run, by the plant."""
    world.leave_alone(AFTERWARDS_S)
    truth = world.truth
    power = "on" if energised else "cut"
    pose = "upright" if truth.tilt_rad < UPRIGHT_RAD else f"tilted {np.degrees(truth.tilt_rad):.0f}°"
    speed = float(np.linalg.norm(truth.velocity_base_in_base_m_per_s))
    rest = "at rest" if speed < STILL_M_PER_S else f"moving at {speed:.1f} m/s"
    where = "held" if truth.floor_force_n < 0.05 * truth.weight_n else "on the floor"
    return f"{power}, {pose}, {rest}, {where}"
