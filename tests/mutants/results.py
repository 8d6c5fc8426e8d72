"""Reads what mutmut leaves behind, in its folder `mutants`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.mutants.ledger import Change, Fate, Mutant

_SEPARATOR = "ǁ"
_FATES = {"killed": Fate.KILLED, "timeout": Fate.TIMEOUT, "not checked": Fate.UNTRIED}
"""Anything else has not been noticed by a test: that no test reaches it, too, or that its tests broke off."""


def read_results(
    folder: Path, status_of: Callable[[int | None], str], diff_of: Callable[[str, Path], str]
) -> Iterator[Mutant]:
    """Every mutant of the last run.

    Args:
        folder: Where mutmut keeps its results.
        status_of: mutmut's word for the exit code of a mutant's tests.
        diff_of: The difference that a mutant makes, as a unified diff; asked for those that no test killed.
    """
    for file in sorted(folder.rglob("*.meta")):
        source = file.relative_to(folder).with_suffix("")
        module = ".".join(source.with_suffix("").parts)
        for name, code in json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            fate = _FATES.get(status_of(code), Fate.SURVIVED)
            change = None if fate is Fate.KILLED else Change(module, function_of(name), *changed(diff_of(name, source)))
            yield Mutant(module, fate, change)


def function_of(name: str) -> str:
    """The function that a mutant's name tells: `room.file.xǁClassǁmethod__mutmut_3` is of `Class.method`."""
    mangled = name.rpartition("__mutmut_")[0].rpartition(".")[2]
    if _SEPARATOR in mangled:
        return ".".join(mangled.split(_SEPARATOR)[1:])
    return mangled.removeprefix("x_")


def changed(diff: str) -> tuple[str, str]:
    """The lines of a unified diff that go and those that come, each on one line."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    return _joined(lines, "-"), _joined(lines, "+")


def _joined(lines: list[str], sign: str) -> str:
    return " ".join(line[1:].strip() for line in lines if line.startswith(sign))
