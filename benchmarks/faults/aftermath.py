"""What came of a fault in real time: from the bytes on the buses, the run's folder, and the plant."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.faults.lockstep import motion_problems
from benchmarks.faults.victim import Victim
from benchmarks.faults.wire import Said, meaning
from supervisor.core.errors import HandrailError
from supervisor.core.levels import Level
from supervisor.core.robot_file import load_robot
from supervisor.evidence.events import read_events
from supervisor.evidence.record_reader import read_record
from supervisor.runtime.locate import find_robot

FRAME: Final = struct.Struct("<IB3x8s")
IDENTIFIER: Final = 0x1FFFFFFF
LOST_AT_MOST_S: Final = 0.5
SILENT_AT_MOST_S: Final = 0.04
"""Twice the guardian's window: who was killed or hangs is replaced by then."""
ALONE_AT_MOST_S: Final = 0.1
"""Where nobody is left to command, until the motors' own timeout has let go."""
ENABLED: Final = 1
NO_END: Final = "has no end event"


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came of it.

    Attributes:
        guard, level: That stopped the robot, by the run's own account; "" where none did.
        told_ms: From the cause to the last motor's first DAMP or CUT on the bus, NaN where there was none.
        stopped_ms: From the cause to the first recorded cycle at HOLD or above, NaN where there was none.
        off_ms: From the cause to the last motor's own word that it is off; NaN where it never said so.
        gap_ms: Longest time after the cause in which a motor that was on was told nothing.
        first: What was sent first of DAMP and CUT.
        end: How the robot ended.
        record: How complete the record is.
        problems: What must not be.
    """

    guard: str
    level: str
    told_ms: float
    stopped_ms: float
    off_ms: float
    gap_ms: float
    first: str
    end: str
    record: str
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Motor:
    """What was heard of a motor after the cause."""

    told_s: float = math.nan
    first: str = ""
    off_s: float = math.nan
    is_on: bool = True
    last_s: float = 0.0
    gap_s: float = 0.0
    enabled_again: int = 0


def judge(victim: Victim, left: list[str], silent_at_most_s: float = SILENT_AT_MOST_S) -> Aftermath:
    """Judge a run that has ended.

    Args:
        victim: The run.
        left: Processes that had to be killed.
        silent_at_most_s: How long a motor that is on may be told nothing.
    """
    cause_s, monotonic_s = victim.cause_s, victim.cause_monotonic_s
    motors = _hear(victim.frames(), cause_s)
    problems = [f"{name} never ended" for name in left]
    told = max((m.told_s for m in motors), default=math.nan) if all(m.first for m in motors) else math.nan
    off = max(m.off_s for m in motors) if all(not m.is_on for m in motors) else math.nan
    if any(m.is_on for m in motors):
        problems.append(f"{sum(m.is_on for m in motors)} motors last said that they are on")
    if any(m.enabled_again for m in motors):
        problems.append(f"{sum(m.enabled_again > 0 for m in motors)} motors were told to switch on again")
    gap_s = max(m.gap_s for m in motors)
    if gap_s > silent_at_most_s:
        problems.append(f"a motor that was on was told nothing for {gap_s * 1e3:.0f} ms")
    stop, first_level_s, record = _account(victim.run_folder, monotonic_s, problems)
    truth = victim.truth
    assert truth is not None
    pose = "upright" if truth.tilt_rad < 0.5 else f"tilted {math.degrees(truth.tilt_rad):.0f}°"
    speed = math.hypot(*truth.velocity_m_per_s)
    rest = "at rest" if speed < 0.1 else f"moving at {speed:.1f} m/s"
    return Aftermath(
        stop.get("guard", ""),
        stop.get("level", ""),
        (told - cause_s) * 1e3,
        (first_level_s - monotonic_s) * 1e3,
        (off - cause_s) * 1e3,
        gap_s * 1e3,
        "/".join(sorted({m.first for m in motors} - {""})),
        f"{'ON' if any(m.is_on for m in motors) else 'cut'}, {pose}, {rest}, {truth.height_m:.2f} m",
        record,
        tuple(problems),
    )


def _hear(frames: list[tuple[int, float, bytes]], cause_s: float) -> list[_Motor]:
    joints = load_robot(find_robot("pup")).config.joints.values()
    buses = [name for name in load_robot(find_robot("pup")).config.buses if name.startswith("can")]
    motors = [_Motor(last_s=cause_s) for _ in joints]
    commanded = {(buses.index(j.motor.bus), j.motor.id): m for j, m in zip(joints, motors, strict=True)}
    answered = {(buses.index(j.motor.bus), j.motor.feedback_id): m for j, m in zip(joints, motors, strict=True)}
    for bus, when_s, raw in sorted(frames, key=lambda frame: frame[1]):
        number, length, data = FRAME.unpack_from(raw)
        if when_s < cause_s or length != 8:
            continue
        key = (bus, number & IDENTIFIER)
        if key in commanded:
            _command(commanded[key], when_s, data)
        elif key in answered and data[2] not in (0x33, 0x55, 0xAA):
            motor = answered[key]
            is_on = data[0] >> 4 == ENABLED
            if motor.is_on and not is_on:
                # Where nobody speaks any more, silence lasts until the motor lets go by itself.
                motor.gap_s = max(motor.gap_s, when_s - motor.last_s)
                motor.off_s = when_s
            motor.is_on = is_on
    return motors


def _command(motor: _Motor, when_s: float, data: bytes) -> None:
    if motor.is_on:
        motor.gap_s = max(motor.gap_s, when_s - motor.last_s)
    motor.last_s = when_s
    said, _ = meaning(data)
    if said in (Said.DAMP, Said.CUT) and not motor.first:
        motor.told_s, motor.first = when_s, said.name
    elif data.endswith(b"\xfc") and data.startswith(b"\xff" * 7):
        motor.enabled_again += 1


def _account(folder: Path, monotonic_s: float, problems: list[str]) -> tuple[dict[str, Any], float, str]:
    """The run's own account: what stopped it, when a level was first in force, and how complete the record is."""
    stop: dict[str, Any] = {}
    summary = folder / "summary.json"
    if summary.exists():
        stop = json.loads(summary.read_text(encoding="utf-8")).get("stop") or {}
    events = [str(problem) for problem in read_events(folder / "events.jsonl").problems]
    # Who would write it is dead: what is there is whole all the same.
    problems += [problem for problem in events if NO_END not in problem]
    try:
        record = read_record(folder / "cycles.bin")
    except HandrailError as error:
        problems.append(str(error))
        return stop, math.nan, "unreadable"
    times, levels = record.column("time_s"), record.column("level")
    if record.leftover_bytes:
        problems.append(f"the record ends in {record.leftover_bytes} bytes of a torn row")
    jumps = int((np.diff(record.column("cycle").astype(np.int64)) != 1).sum())
    if jumps:
        problems.append(f"the record skips {jumps} times")
    until_s = float(times[-1]) - monotonic_s
    if until_s < -LOST_AT_MOST_S:
        problems.append(f"the record ends {-until_s:.2f} s before the fault")
    problems += motion_problems(folder, record)
    high = np.flatnonzero((times >= monotonic_s) & (levels >= Level.HOLD))
    early = np.flatnonzero((times < monotonic_s) & (levels >= Level.HOLD))
    if len(early):
        problems.append("stopped already before the fault")
    if len(high) and not stop:
        stop = _stop_from_record(record, int(high[0]))
    first_s = float(times[high[0]]) if len(high) else math.nan
    whole = "whole" if not record.leftover_bytes and not jumps else "torn"
    whole += " but for its end event" if any(NO_END in problem for problem in events) else ""
    return stop, first_s, f"{whole}, until {until_s:+.2f} s"


def _stop_from_record(record: Any, cycle: int) -> dict[str, Any]:
    """Where nobody was left to write a summary, the record says it too."""
    tripped = np.flatnonzero(record.column("guard_tripped")[cycle])
    guards = [record.guards[index].id for index in tripped]
    return {"guard": "+".join(guards), "level": Level(int(record.column("level")[cycle])).name}
