from __future__ import annotations

from collections import Counter

from tests.mutants.ledger import Change, Fate, Group, Mutant, Verdict
from tests.mutants.page import HEAD, page

KNOWN = Change("room.one", "f", "a < b", "a <= b")
LOOP = Change("room.one", "f", "i += 1", "i = 1")
NEW = Change("room.two", "C.g", "x,", "")
MUTANTS = [
    *[Mutant("room.one", Fate.SURVIVED, KNOWN)] * 2,
    Mutant("room.one", Fate.TIMEOUT, LOOP),
    *[Mutant("room.two", Fate.KILLED)] * 3,
    Mutant("room.two", Fate.SURVIVED, NEW),
]
GROUP = Group.model_validate(
    {
        "module": "room.one",
        "reason": "They are never equal.",
        "mutants": [{"function": "f", "was": "a < b", "becomes": "a <= b", "times": 2}],
    }
)
WELL = """
| module | mutants | killed | timeout | equivalent | surviving |
|---|---|---|---|---|---|
| `room.one` | 3 | 0 | 1 | 2 | 0 |
| all | 3 | 0 | 1 | 2 | 0 |

## Timeouts

Loops that do not end, as far as anybody waited:

- `room.one`, `f`: `` i += 1 `` → `` i = 1 ``

## Equivalents

They are never equal.

- `room.one`, `f`: `` a < b `` → `` a <= b `` (2 times)
"""


def test_the_page_counts_and_gives_the_reasons() -> None:
    verdict = Verdict(Counter(), Counter(), Counter({KNOWN: 2}))
    text = page(MUTANTS[:3], [GROUP], verdict, "By hand.")
    assert text.startswith(HEAD + "\nBy hand.\n")
    assert text.endswith("By hand.\n" + WELL)


def test_what_must_not_be_is_on_the_page_too() -> None:
    gone = Change("room.two", "h", "y", "z")
    text = page(MUTANTS, [GROUP], Verdict(Counter({NEW: 1}), Counter({gone: 1}), Counter({KNOWN: 2})), "By hand.")
    assert "| `room.two` | 4 | 3 | 0 | 0 | 1 |\n| all | 7 | 3 | 1 | 2 | 1 |" in text
    assert "## Surviving\n\nEach needs a test, simpler code, or a reason on the list:\n\n" in text
    assert "- `room.two`, `C.g`: `` x, `` → nothing\n\n## Gone" in text
    assert "take them off:\n\n- `room.two`, `h`: `` y `` → `` z ``\n\n## Timeouts" in text
