"""How reliably the ladder finds a wiring fault before the policy moves: many random faults, many healthy robots.

    python -m benchmarks.fault_campaign --faults 200 --clean 50 --write docs/fault_campaign.md

Each run is a simulated robot of its own: masses within 5 %, joint friction within 30 %, sensor noise, another seed.
A fault counts as found when the ladder stopped or refused before an action gain above 0.1; as named when the first
diagnosis is of its kind and names one of its joints first (any joint of the bus for a lossy bus, none for the IMU).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from drivers.sim.variation import CAMPAIGN
from supervisor.core.robot_file import load_robot
from supervisor.runtime.app import run_mission
from supervisor.runtime.locate import find_mission, find_robot
from supervisor.runtime.options import RunOptions
from supervisor.runtime.progress import SilentProgress

ROBOT = "pup"
POLICY = "pup_walk"
LARGEST_GAIN = 0.1

KINDS = (
    "swapped_ids",
    "sign_flip",
    "encoder_offset",
    "motor_weak",
    "motor_silent",
    "imu_rotated",
    "imu_frozen",
    "frames_dropped",
)

LADDER = ("preflight", "observe", "stand", "zero_action", "single_joint", "small_amplitude", "ramp_10")

CAUSES = {
    "are swapped": "swapped_ids",
    "is flipped": "sign_flip",
    "zero of": "encoder_offset",
    "is weak": "motor_weak",
    "is silent": "motor_silent",
    "mounted turned": "imu_rotated",
    "IMU is frozen": "imu_frozen",
    "loses frames": "frames_dropped",
}
"""What a diagnosis' cause says, and which kind of fault that is."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run: a fault of the fault script, or None for a healthy robot."""

    seed: int
    fault: dict[str, Any] | None

    @property
    def kind(self) -> str:
        """Kind of the fault, "healthy" for none."""
        return "healthy" if self.fault is None else str(self.fault["kind"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a case."""

    case: Case
    outcome: str
    stage: str
    named: str
    joints: tuple[str, ...]
    is_found: bool
    is_right: bool
    wall_s: float


def draw_faults(count: int, seed: int, joints: Sequence[str], bus_of: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Random single faults, kinds in turn so that each is tried equally often."""
    rng = random.Random(seed)
    pairs = list(itertools.combinations(joints, 2))
    buses = sorted(set(bus_of.values()))
    for _, kind in zip(range(count), itertools.cycle(KINDS), strict=False):
        joint = rng.choice(joints)
        details: dict[str, dict[str, Any]] = {
            "swapped_ids": {"joints": list(rng.choice(pairs))},
            "sign_flip": {"joints": [joint]},
            "encoder_offset": {"joints": [joint], "offset_rad": rng.choice((-0.3, 0.3))},
            "motor_weak": {"joints": [joint], "strength": 0.3},
            "motor_silent": {"joints": [joint]},
            "imu_rotated": {"axis": rng.choice("xyz"), "angle_rad": rng.choice((-1.5708, 1.5708))},
            "imu_frozen": {},
            "frames_dropped": {"bus": rng.choice(buses), "rate": 0.3},
        }
        yield {"kind": kind, **details[kind], "at": {"stage": "start"}}


def every_fault(joints: Sequence[str], buses: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every single fault of these kinds once: all pairs, joints, signs, axes and buses."""
    start = {"at": {"stage": "start"}}
    for pair in itertools.combinations(joints, 2):
        yield {"kind": "swapped_ids", "joints": list(pair)} | start
    for joint in joints:
        yield {"kind": "sign_flip", "joints": [joint]} | start
        for offset_rad in (-0.3, 0.3):
            yield {"kind": "encoder_offset", "joints": [joint], "offset_rad": offset_rad} | start
        yield {"kind": "motor_weak", "joints": [joint], "strength": 0.3} | start
        yield {"kind": "motor_silent", "joints": [joint]} | start
    for axis in "xyz":
        for angle_rad in (-1.5708, 1.5708):
            yield {"kind": "imu_rotated", "axis": axis, "angle_rad": angle_rad} | start
    yield {"kind": "imu_frozen"} | start
    for bus in buses:
        yield {"kind": "frames_dropped", "bus": bus, "rate": 0.3} | start


def run_case(case: Case, mission: str, folder: str) -> Verdict:
    """Run one case in this process."""
    started_s = time.perf_counter()
    script = None
    if case.fault is not None:
        script = Path(folder) / f"fault_{case.seed}.yaml"
        script.write_text(yaml.safe_dump({"schema": 1, "faults": [case.fault]}), encoding="utf-8")
    options = RunOptions(
        robot=ROBOT,
        policy=POLICY,
        mission=mission,
        fast=True,
        fault=script,
        seed=case.seed,
        runs=Path(folder) / "runs",
        variation=CAMPAIGN,
    )
    result = run_mission(options, SilentProgress())
    (result.folder / "cycles.bin").unlink()
    summary = result.summary
    stages = [stage["name"] for stage in summary["stages"]]
    first = summary["diagnosis"][0] if summary["diagnosis"] else {"cause": "", "joints": []}
    named = next((kind for words, kind in CAUSES.items() if words in first["cause"]), first["cause"] or "nothing")
    joints = tuple(first["joints"])
    return Verdict(
        case=case,
        outcome=summary["outcome"],
        stage=stages[-1] if stages else "",
        named=named,
        joints=joints,
        is_found=summary["outcome"] in ("refused", "guard_stop", "not_accepted"),
        is_right=named == case.kind and _names_right_joint(case, joints),
        wall_s=time.perf_counter() - started_s,
    )


def _names_right_joint(case: Case, joints: tuple[str, ...]) -> bool:
    fault = case.fault or {}
    if "joints" in fault:
        return bool(joints) and joints[0] in fault["joints"]
    return True


def short_mission(folder: Path) -> Path:
    """The default mission up to the last stage with an action gain of at most `LARGEST_GAIN`."""
    content = yaml.safe_load(find_mission("deployment").read_text(encoding="utf-8"))
    content["stages"] = [stage for stage in content["stages"] if stage["knobs"]["action_gain"] <= LARGEST_GAIN]
    path = folder / "until_ten_percent.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


HEAD = """# Which faults the ladder finds

Made with `python -m benchmarks.fault_campaign --faults 200 --clean 50 --write docs/fault_campaign.md`. Each run is a
simulated `pup` of its own: masses within 5 %, joint friction within 30 %, sensor noise, another seed, and at most one
fault from the start. It climbs the default mission up to an action gain of 0.1. A fault is found when the ladder
stopped or refused by then, and named when the first diagnosis is of its kind and names one of its joints first.
"""


def _stages(faulty: Sequence[Verdict]) -> list[str]:
    """Where the faults were found, in Markdown."""
    stages = list(dict.fromkeys(stage for stage in LADDER if any(v.stage == stage for v in faulty if v.is_found)))
    lines = ["| found in | " + " | ".join(stages) + " |", "|" + " --- |" * (len(stages) + 1)]
    for kind in KINDS:
        counts = Counter(v.stage for v in faulty if v.case.kind == kind and v.is_found)
        if counts:
            lines.append(f"| {kind} | " + " | ".join(str(counts.get(stage, 0) or "") for stage in stages) + " |")
    return lines


def report(verdicts: Sequence[Verdict]) -> str:
    """The confusion table, in Markdown."""
    faulty = [v for v in verdicts if v.case.fault is not None]
    healthy = [v for v in verdicts if v.case.fault is None]
    columns = [*KINDS, *sorted({v.named for v in verdicts} - {*KINDS, "nothing"}), "nothing"]
    lines = [HEAD, "| injected \\ first diagnosis | runs | found | " + " | ".join(columns) + " | right joint first |"]
    lines.append("|" + " --- |" * (len(columns) + 4))
    for kind in (*KINDS, "healthy"):
        rows = [v for v in verdicts if v.case.kind == kind]
        if rows:
            counts = Counter(v.named for v in rows)
            cells = " | ".join(str(counts.get(name, 0) or "") for name in columns)
            right = sum(v.is_right for v in rows)
            last = f"{right} of {len(rows)}" if kind != "healthy" else "-"
            lines.append(f"| {kind} | {len(rows)} | {sum(v.is_found for v in rows)} | {cells} | {last} |")
    found, right = sum(v.is_found for v in faulty), sum(v.is_right for v in faulty)
    stopped = sum(v.outcome != "completed" for v in healthy)
    lines += ["", *_stages(faulty), ""]
    if faulty:
        lines.append(f"Found {found} of {len(faulty)} ({found / len(faulty):.1%});")
        lines.append(f"right cause and joint first {right} of {len(faulty)} ({right / len(faulty):.1%}).")
    if healthy:
        lines.append(f"Healthy robots stopped or refused: {stopped} of {len(healthy)}.")
    missed = [v for v in faulty if not (v.is_found and v.is_right)]
    if missed:
        lines += ["", "Missed or misnamed:", ""]
        lines += [
            f"- seed {v.case.seed}: {json.dumps({k: x for k, x in (v.case.fault or {}).items() if k != 'at'})} → "
            f"{v.outcome} in {v.stage}, named {v.named} {', '.join(v.joints)}"
            for v in missed
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the campaign.

    Returns:
        0 when the goals are met: 98 % found, 95 % named right, no healthy robot stopped.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--clean", type=int, default=50)
    parser.add_argument("--every", action="store_true", help="every single fault once, instead of random ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", type=Path, help="Markdown file for the table")
    arguments = parser.parse_args()
    config = load_robot(find_robot(ROBOT)).config
    bus_of = {name: joint.motor.bus for name, joint in config.joints.items()}
    if arguments.every:
        faults = list(every_fault(config.order.names, sorted(set(bus_of.values()))))
    else:
        faults = list(draw_faults(arguments.faults, arguments.seed, config.order.names, bus_of))
    cases = [Case(1000 * arguments.seed + i, fault) for i, fault in enumerate(faults)]
    cases += [Case(1000 * arguments.seed + 500 + i, None) for i in range(arguments.clean)]
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder:
        mission = str(short_mission(Path(folder)))
        with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(run_case, case, mission, folder) for case in cases]
            for done, job in enumerate(as_completed(jobs), start=1):
                verdict = job.result()
                verdicts.append(verdict)
                print(
                    f"{done}/{len(cases)} {verdict.case.kind} {(verdict.case.fault or {}).get('joints', '')}: "
                    f"{verdict.outcome} in {verdict.stage}, {verdict.named} {','.join(verdict.joints)}, "
                    f"{'right' if verdict.is_right else '-'}, {verdict.wall_s:.1f} s",
                    file=sys.stderr,
                    flush=True,
                )
    verdicts.sort(key=lambda v: v.case.seed)
    text = report(verdicts)
    print(text)
    if arguments.write:
        arguments.write.write_text(text, encoding="utf-8")
    faulty = [v for v in verdicts if v.case.fault is not None]
    healthy = [v for v in verdicts if v.case.fault is None]
    is_met = (
        sum(v.is_found for v in faulty) >= 0.98 * len(faulty)
        and sum(v.is_right for v in faulty) >= 0.95 * len(faulty)
        and all(v.outcome == "completed" for v in healthy)
    )
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
