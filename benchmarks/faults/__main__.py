"""The matrix of faults: which guard, which level, how fast, and how the robot ends.

python -m benchmarks.faults --write docs/faults.md
python -m benchmarks.faults --part lockstep --stages stand,rollout --kinds bus_off,imu_lost
python -m benchmarks.faults --sample
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from benchmarks.faults.cases import KINDS, SAMPLE, Cell, mission_stages
from benchmarks.faults.lockstep import Verdict, middle_s, run_cell
from benchmarks.faults.processes import AFTER_S, FAULTS, Tried, try_faults
from benchmarks.faults.report import lockstep_report, merged, processes_report


def run_cells(cells: Sequence[Cell], pool: ProcessPoolExecutor) -> list[Verdict]:
    """Run fields side by side, and tell of each; in the order given."""
    jobs = {pool.submit(run_cell, cell): cell for cell in cells}
    verdicts: dict[Cell, Verdict] = {}
    for done, job in enumerate(as_completed(jobs), start=1):
        verdict = verdicts[jobs[job]] = job.result()
        cell = verdict.cell
        print(
            f"{done}/{len(cells)} {cell.name} in {cell.stage} after {cell.after_s:g} s: {verdict.outcome} "
            f"{verdict.guard} {verdict.level}, {verdict.cycles} cycles, {'/'.join(verdict.path)}, {verdict.end}, "
            f"{verdict.wall_s:.1f} s {'; '.join(verdict.problems)}",
            file=sys.stderr,
            flush=True,
        )
    return [verdicts[cell] for cell in cells]


def lockstep_part(arguments: argparse.Namespace) -> tuple[str, bool]:
    """The matrix in lockstep, and whether all is well."""
    stages = arguments.stages or list(mission_stages())
    kinds = arguments.kinds or list(KINDS)
    with ProcessPoolExecutor(arguments.processes, mp_context=get_context("spawn")) as pool:
        if arguments.sample:
            cells = list(SAMPLE)
        else:
            after_s = dict(zip(stages, pool.map(middle_s, stages), strict=True))
            cells = [Cell(kind, stage, after_s[stage]) for stage in stages for kind in kinds]
        verdicts = run_cells(cells, pool)
    return lockstep_report(verdicts, list(mission_stages())), not any(v.problems for v in verdicts)


def processes_part(arguments: argparse.Namespace) -> tuple[str, bool]:
    """The process faults in real time, and whether all is well."""
    tries: list[Tried] = []
    names = arguments.faults or list(FAULTS)
    for tried in try_faults(names, arguments.robot, arguments.during, arguments.tries):
        tries.append(tried)
        print(tried, file=sys.stderr, flush=True)
    part = processes_report(tries, arguments.during, arguments.remark)
    return part, all(t.aftermath is not None and not t.aftermath.problems for t in tries)


def main() -> int:
    """Run the matrix.

    Returns:
        0 when nothing happened that must not.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("lockstep", "processes", "both"), default="both")
    parser.add_argument("--stages", type=_names, help="of the default mission, all unless given")
    parser.add_argument("--kinds", type=_names, help=f"of {', '.join(KINDS)}")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="runs in lockstep side by side")
    parser.add_argument("--sample", action="store_true", help="a dozen fields in lockstep, and nothing else")
    parser.add_argument("--faults", type=_names, help=f"of processes: {', '.join(FAULTS)}")
    parser.add_argument("--during", choices=tuple(AFTER_S), default="rollout", help="stage in which processes fail")
    parser.add_argument("--tries", type=int, default=1, help="of each process fault")
    parser.add_argument("--robot", default="pup", help="robot of the process faults, wired as pup is")
    parser.add_argument("--remark", default="", help="said of the machine, above the process faults")
    parser.add_argument("--write", type=Path, help="Markdown file; a part that is not run stays as it is there")
    arguments = parser.parse_args()
    parts, is_well = [], True
    if arguments.part != "processes" or arguments.sample:
        part, is_well = lockstep_part(arguments)
        parts.append(part)
    if arguments.part != "lockstep" and not arguments.sample:
        part, is_fine = processes_part(arguments)
        parts.append(part)
        is_well = is_well and is_fine
    print("\n".join(parts))
    if arguments.write:
        arguments.write.write_text(merged(arguments.write, parts), encoding="utf-8")
    return 0 if is_well else 1


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    sys.exit(main())
