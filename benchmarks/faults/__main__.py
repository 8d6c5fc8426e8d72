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
from benchmarks.faults.report import lockstep_report, merged


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
    parser.add_argument("--write", type=Path, help="Markdown file; a part that is not run stays as it is there")
    arguments = parser.parse_args()
    parts, is_well = [], True
    if arguments.part != "processes" or arguments.sample:
        part, is_well = lockstep_part(arguments)
        parts.append(part)
    print("\n".join(parts))
    if arguments.write:
        arguments.write.write_text(merged(arguments.write, parts), encoding="utf-8")
    return 0 if is_well else 1


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    sys.exit(main())
