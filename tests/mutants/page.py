"""docs/mutants.md: what became of the mutants, as a table, and why those that survive change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from tests.mutants.ledger import Change, Fate, Group, Mutant, Verdict

HEAD: Final = """# Mutation testing of the safety core and the guardian

Made with `make mutants`: [mutmut](https://github.com/boxed/mutmut) changes one small thing at a time in every function
of `supervisor/safety` and `supervisor/guardian` (a comparison, a sign, a number, a word of a message, an argument) and
runs the tests that reach the function. A change that no test notices survives: either a test is missing, or the code
does the same with it. Those of the second kind are in `tests/mutants/equivalents.yaml`, each with its reason; any other
survivor fails the run, and so does a listed one that is noticed or no longer made.

- mutants: changes that were made.
- killed: a test failed.
- timeout: the tests had not ended after three times as long as they should take.
- equivalent: survived, and is on the list.
- surviving: survived, and is not. None may be left.

A file is judged by its own tests (`supervisor/safety/gate.py` by `tests/safety/test_gate*.py`; `core.py` by those of
`checking.py` and `restart.py` too): what only a whole run notices counts as unnoticed, and would take hours to find
out. mutmut changes nothing outside of functions and in properties: constants and tables are held by tests of their
values, a property is a line or two; `requirements.py` is nothing but tables.
"""


def page(mutants: Sequence[Mutant], groups: Sequence[Group], verdict: Verdict, made: str) -> str:
    """The page in Markdown.

    Args:
        mutants: All of them.
        groups: The list of equivalents.
        verdict: What it came to.
        made: By what, when and on what machine.
    """
    timeouts = Counter(m.change for m in mutants if m.fate is Fate.TIMEOUT and m.change is not None)
    return "\n".join([
        HEAD,
        made,
        "",
        *_table(mutants, verdict),
        "",
        *_list("Surviving", verdict.surviving, "Each needs a test, simpler code, or a reason on the list:"),
        *_list("Gone", verdict.gone, "On the list, and noticed by a test or no longer made; take them off:"),
        *_list("Timeouts", timeouts, "Loops that do not end, as far as anybody waited:"),
        *_equivalents(groups, verdict),
    ])  # fmt: skip


def _table(mutants: Sequence[Mutant], verdict: Verdict) -> list[str]:
    lines = ["| module | mutants | killed | timeout | equivalent | surviving |", "|" + "---|" * 6]
    for module in [*sorted({m.module for m in mutants}), ""]:
        of_it = [m for m in mutants if module in ("", m.module)]
        fates = Counter(m.fate for m in of_it)
        equivalent, surviving = (_count(found, module) for found in (verdict.equivalent, verdict.surviving))
        counts = (len(of_it), fates[Fate.KILLED], fates[Fate.TIMEOUT], equivalent, surviving)
        lines.append(f"| {f'`{module}`' if module else 'all'} | {' | '.join(map(str, counts))} |")
    return lines


def _count(changes: Mapping[Change, int], module: str) -> int:
    return sum(times for change, times in changes.items() if module in ("", change.module))


def _list(title: str, changes: Mapping[Change, int], words: str) -> list[str]:
    if not changes:
        return []
    return [f"## {title}", "", words, "", *_items(changes), ""]


def _items(changes: Mapping[Change, int]) -> list[str]:
    return [
        f"- `{c.module}`, `{c.function}`: {_code(c.was)} → {_code(c.becomes)}{f' ({times} times)' if times > 1 else ''}"
        for c, times in sorted(changes.items())
    ]


def _code(text: str) -> str:
    return f"`` {text} ``" if text else "nothing"


def _equivalents(groups: Sequence[Group], verdict: Verdict) -> list[str]:
    lines = ["## Equivalents", ""]
    for group in groups:
        survived = {change: times for change, times in group.changes().items() if change in verdict.equivalent}
        if survived:
            lines += [f"{group.reason.strip()}", "", *_items(survived), ""]
    return lines
