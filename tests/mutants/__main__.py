"""Holds what mutmut has found against the list of equivalents, and writes the page.

    python -m tests.mutants --write docs/mutants.md

`make mutants` runs mutmut before it. What was found stays in the folder `mutants`: `mutmut show NAME` prints a mutant,
`mutmut run NAME` tries it again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

from benchmarks.faults.report import machine
from tests.mutants.ledger import Fate, Mutant, Verdict, held_against, read_equivalents
from tests.mutants.page import page
from tests.mutants.results import read_results

LIST = Path(__file__).with_name("equivalents.yaml")


def main() -> int:
    """Say what became of the mutants.

    Returns:
        0 when every survivor is a known equivalent, and every equivalent on the list survived.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="Markdown file")
    arguments = parser.parse_args()
    mutants = list(
        read_results(
            Path("mutants"), status_by_exit_code.__getitem__, lambda name, path: get_diff_for_mutant(name, path=path)
        )
    )
    if not mutants or (untried := sum(m.fate is Fate.UNTRIED for m in mutants)):
        found = f"{untried} of {len(mutants)} mutants were not tried" if mutants else "no mutants are in ./mutants"
        sys.stderr.write(f"{found}: `mutmut run` in the folder of the project goes on where it ended\n")
        return 1
    groups = read_equivalents(LIST)
    verdict = held_against(mutants, groups)
    if arguments.write:
        made = f"mutmut {version('mutmut')}, Python {sys.version.split()[0]}; {machine()}"
        arguments.write.write_text(page(mutants, groups, verdict, made), encoding="utf-8")
    sys.stderr.write("\n".join(told(mutants, verdict)) + "\n")
    return 0 if verdict.is_well else 1


def told(mutants: Sequence[Mutant], verdict: Verdict) -> list[str]:
    """What has to be done, and the sum."""
    lines = [f"survives ({times}): {change}" for change, times in sorted(verdict.surviving.items())]
    lines += [f"on the list and gone ({times}): {change}" for change, times in sorted(verdict.gone.items())]
    noticed = sum(m.fate is not Fate.SURVIVED for m in mutants)
    counts = (verdict.equivalent.total(), verdict.surviving.total(), verdict.gone.total())
    found = "{} equivalent, {} surviving, {} on the list and gone".format(*counts)
    return [*lines, f"{len(mutants)} mutants: {noticed} noticed, {found}"]


if __name__ == "__main__":
    sys.exit(main())
