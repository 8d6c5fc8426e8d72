"""Is the control loop on time? A whole run in processes, beside a timer in C, in the same minutes.

    python -m benchmarks.realtime --seconds 600 --hz 500 [--hogs 2] [--write docs/realtime.md]

The simulated robot is observed: every device is polled in every cycle, all guards are judged, the tree and the policy
tick on live data, every cycle is recorded. Motors stay off: being on time does not depend on them.

`cyclictest` (Debian: rt-tests) wakes up at the same rate, one priority above: what it is late is the machine's doing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from supervisor.core.robot_file import load_robot
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

FASTEST_CAN_BPS = 4_000_000
"""Three motors at 1 kHz need more than a classic bus carries; the simulated one carries what it is told to."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late something woke up, in microseconds."""

    p50: float
    p99: float
    p999: float
    largest: float


@dataclass(frozen=True, slots=True)
class Result:
    """What one measurement found."""

    hz: float
    seconds: float
    hogs: int
    wake: Lateness
    cycle: Lateness
    timer: Lateness | None
    cycles: int
    missed: int
    lost: int
    outcome: str
    stop: str

    def rows(self) -> list[Sequence[str]]:
        """As lines of a table."""
        timer = self.timer
        missed = 100.0 * self.missed / max(self.cycles + self.missed, 1)

        def line(name: str, what: Lateness) -> Sequence[str]:
            return (name, *(f"{value:.0f}" for value in (what.p50, what.p99, what.p999, what.largest)))

        return [
            line("wake-up late", self.wake),
            ("cyclictest late", "-", "-", "-", "-") if timer is None else line("cyclictest late", timer),
            line("control cycle", self.cycle),
            ("periods missed", f"{self.missed} of {self.cycles + self.missed}", f"{missed:.3f} %", "", ""),
            ("cycles not recorded", str(self.lost), "", "", ""),
        ]


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


def start_timer(hz: float, seconds: float, folder: Path) -> subprocess.Popen[bytes] | None:
    """`cyclictest`, at the same rate, where it is installed."""
    if shutil.which("cyclictest") is None:
        return None
    command = ["cyclictest", "-q", "-m", "-p", "61", "-i", str(round(1e6 / hz)), "-t", "1", "-D", str(round(seconds))]
    return subprocess.Popen([*command, "-h", "20000", "--json", str(folder / "timer.json")], stdout=subprocess.DEVNULL)


def timer_lateness(folder: Path) -> Lateness | None:
    """What `cyclictest` found."""
    path = folder / "timer.json"
    if not path.is_file():
        return None
    thread = json.loads(path.read_text())["thread"]["0"]
    histogram = {int(late): int(count) for late, count in thread["histogram"].items()}
    total = sum(histogram.values())

    def quantile(share: float) -> float:
        seen = 0
        for late, count in sorted(histogram.items()):
            seen += count
            if seen >= share * total:
                return late
        return float("nan")

    return Lateness(quantile(0.5), quantile(0.99), quantile(0.999), float(thread["max"]))


def measure(hz: float, seconds: float, hogs: int) -> Result:
    """One run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        robot = robot_at(folder, hz)
        (folder / "watch.yaml").write_text(MISSION.format(seconds=seconds, timeout=seconds + 60.0))
        load_robot(robot)
        busy = [multiprocessing.Process(target=hog, daemon=True) for _ in range(hogs)]
        for process in busy:
            process.start()
        timer = start_timer(hz, seconds, folder)
        try:
            options = RunOptions(str(robot), "pup_walk", str(folder / "watch.yaml"), runs=folder / "runs")
            result = run_mission(options, SilentProgress())
        finally:
            for process in busy:
                process.kill()
            if timer is not None:
                timer.wait()
        return read_result(result.folder, result.summary, hz, seconds, hogs, timer_lateness(folder))


def read_result(
    run: Path, summary: dict[str, Any], hz: float, seconds: float, hogs: int, timer: Lateness | None
) -> Result:
    """What a run's folder says about its timing."""
    late = next(event for event in read_events(run / "events.jsonl").events if "wake_us" in event.data)
    wake, cycle = late.data["wake_us"], summary["timing"]["cycle_us"]
    recorded = len(read_record(run / "cycles.bin"))
    return Result(
        hz,
        seconds,
        hogs,
        Lateness(wake["p50"], wake["p99"], wake["p999"], wake["max"]),
        Lateness(cycle["p50"], cycle["p99"], cycle["p999"], cycle["max"]),
        timer,
        late.data["cycles"],
        late.data["missed"],
        late.data["cycles"] - recorded,
        summary["outcome"],
        "" if summary["stop"] is None else str(summary["stop"]["guard"]),
    )


def document(results: Sequence[Result]) -> str:
    """The results as Markdown."""
    lines = []
    for result in results:
        hogs = f", {result.hogs} processes busy beside it" if result.hogs else ""
        lines += [
            f"### {result.hz:g} Hz for {result.seconds:g} s{hogs}",
            "",
            f"Ended as: {result.outcome}{f' ({result.stop})' if result.stop else ''}.",
            "",
            "| µs | median | p99 | p99.9 | largest |",
            "| --- | --- | --- | --- | --- |",
            *("| " + " | ".join(row) + " |" for row in result.rows()),
            "",
        ]
    return "\n".join(lines)


def main() -> int:
    """Measure as asked, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hz", type=float, action="append")
    parser.add_argument("--hogs", type=int, action="append")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    results = [measure(hz, asked.seconds, hogs) for hz in asked.hz or [500.0] for hogs in asked.hogs or [0]]
    text = document(results)
    sys.stdout.write(text)
    if asked.write is not None:
        head = asked.write.read_text() if asked.write.exists() else ""
        marked = re.sub(r"<!-- measured -->.*<!-- /measured -->", "", head, flags=re.S).rstrip()
        asked.write.write_text(f"{marked}\n\n<!-- measured -->\n{text}<!-- /measured -->\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
