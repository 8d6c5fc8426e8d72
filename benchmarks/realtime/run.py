"""One run in processes that only looks on: every device polled, all guards judged, tree and policy on live data.

Motors stay off: being on time does not depend on them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.processes import MemoryLog
from benchmarks.realtime.lateness import Lateness, start_timer, timer_lateness
from benchmarks.realtime.missed import Missed, missed_periods
from benchmarks.realtime.parts import timed_in_place
from benchmarks.realtime.witness import Stall, witnesses
from supervisor.evidence.events import read_events
from supervisor.evidence.record_reader import read_record
from supervisor.runtime.app import run_mission
from supervisor.runtime.locate import find_robot
from supervisor.runtime.options import RunOptions
from supervisor.runtime.progress import SilentProgress

MISSION = """schema: 1
name: watch
description: looks on for a while, for a measurement of the loop's timing
timeout_s: {timeout}
stages:
  - name: observe
    kind: observe
    description: sensors live, the policy thinks, nothing is energised
    support: gantry
    knobs: {{action_gain: 0.0, torque_fraction: 1.0, speed_fraction: 1.0}}
    confirm: false
    timeout_s: {timeout}
    duration: {{minimum_s: {seconds}, maximum_s: {seconds}}}
    accept:
      - {{metric: policy_finite_fraction, op: '>=', limit: 0.0, reason: "a measurement accepts everything"}}
    not_accepted: {{retry: 0, step_back: false, then: stop}}
"""

FASTEST_CAN_BPS: Final = 4_000_000
"""Three motors at 1 kHz need more than a classic bus carries; the simulated one carries what it is told to."""

SETTLED_S: Final = 30.0
"""Memory is compared from then on: before, everybody is still starting."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to measure.

    Attributes:
        hz: Rate of the control loop.
        seconds: How long.
        hogs: Programs beside it that only compute.
        parts: Whether to time the parts of the cycle as well, which costs it a few microseconds.
        witnesses: Whether every core is watched, so that missed periods can be explained.
    """

    hz: float
    seconds: float
    hogs: int = 0
    parts: bool = False
    witnesses: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What one measurement found."""

    asked: Asked
    wake: Lateness
    cycle: Lateness
    timer: Lateness | None
    cycles: int
    missed: int
    gaps: list[Missed]
    lost: int
    memory_kib: dict[str, tuple[int, int]]
    parts: dict[str, Lateness]
    outcome: str
    stop: str
    load: float


def hog() -> None:
    """Keep a processor busy."""
    while True:
        sum(range(10_000))


def robot_at(folder: Path, hz: float) -> Path:
    """The demo robot's folder, with another control rate."""
    source = find_robot("pup").parent
    target = folder / "robots" / "pup"
    shutil.copytree(source, target)
    content = yaml.safe_load((target / "robot.yaml").read_text())
    content["control_hz"] = hz
    for bus in content["buses"].values():
        if bus["kind"] == "can" and hz > 500.0:
            bus["bitrate_bps"] = FASTEST_CAN_BPS
    safety = (source / content["safety"]).resolve()
    shutil.copy(safety, target / "safety.yaml")
    content["safety"] = "safety.yaml"
    (target / "robot.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return target


def measure(asked: Asked) -> Result:
    """One run."""
    stalls: list[Stall] = []
    parts: dict[str, Lateness] = {}
    memory = MemoryLog()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        robot = robot_at(folder, asked.hz)
        (folder / "watch.yaml").write_text(MISSION.format(seconds=asked.seconds, timeout=asked.seconds + 60.0))
        busy = [multiprocessing.Process(target=hog, daemon=True) for _ in range(asked.hogs)]
        with contextlib.ExitStack() as beside:
            for process in busy:
                process.start()
                beside.callback(process.kill)
            timer = start_timer(asked.hz, asked.seconds, folder)
            if timer is not None:
                beside.callback(timer.wait)
            if asked.witnesses:
                beside.enter_context(witnesses(folder, stalls))
            if asked.parts:
                beside.enter_context(timed_in_place(folder, parts))
            beside.enter_context(memory.kept(os.getpid(), 5.0))
            options = RunOptions(str(robot), "pup_walk", str(folder / "watch.yaml"), runs=folder / "runs")
            result = run_mission(options, SilentProgress())
        run, summary = result.folder, result.summary
        events = read_events(run / "events.jsonl").events
        late: dict[str, Any] | None = next((event.data for event in events if "wake_us" in event.data), None)
        if late is None:
            told = "\n".join(f"{event.time_s:.3f} s  {event.text}" for event in events[-20:])
            raise RuntimeError(f"the control process left nothing; the run ended as {summary['outcome']}:\n{told}")
        record = read_record(run / "cycles.bin")
        return Result(
            asked,
            _percentiles(late["wake_us"]),
            _percentiles(summary["timing"]["cycle_us"]),
            timer_lateness(folder),
            late["cycles"],
            late["missed"],
            missed_periods(record.rows, 1.0 / asked.hz, stalls),
            late["cycles"] - len(record),
            memory.growth_kib(min(SETTLED_S, 0.5 * asked.seconds)),
            parts,
            summary["outcome"],
            "" if summary["stop"] is None else str(summary["stop"]["guard"]),
            os.getloadavg()[0],
        )


def _percentiles(found: dict[str, float]) -> Lateness:
    return Lateness(found["p50"], found["p99"], found["p999"], found["max"])
