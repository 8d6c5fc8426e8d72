"""docs/faults.md: what the matrix came to, as tables."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.faults.cases import KINDS, mission_stages
from benchmarks.faults.lockstep import Verdict
from benchmarks.faults.processes import Tried
from benchmarks.machine import machine

HEAD: Final = """# What becomes of the robot when something breaks

Made with `make faults` (`python -m benchmarks.faults --write docs/faults.md`). The robot is the simulated `pup` with
its own safety file. Bytes are listened to on the buses, and judged by the motors' protocol; how the robot ends is what
the plant says, and not what the supervisor believes.
"""

LOCKSTEP: Final = "## In lockstep: every fault in every stage"
TRIED: Final = """`handrail run pup --sim` in a terminal of its own, as a user starts it; the fault begins 2.5 s (4 s in
`rollout`) into `{during}`; a robot in `stand` hangs in its gantry, which keeps it upright. Milliseconds from the cause:
until a level of HOLD or above was in force (by the record), until the last of the twelve motors was told DAMP or CUT
(by the bytes), until the last said that it is off (by its own answer). Silence: the longest time in which a motor that
was on was told nothing. A robot that no guard of the control loop stopped has `guardian process` where the guardian
did it, and `none` where nobody had to."""

NOTHING_FOUND: Final = "nothing was found"
"""What the terminal says of the guardian at the end of a run in which it had nothing to do."""

PROCESSES: Final = "## In real time: processes that die, hang or stall"


def lockstep_report(verdicts: Sequence[Verdict], stages: Sequence[str]) -> str:
    """The matrix in Markdown."""
    of = {(v.cell.name, v.cell.stage): v for v in verdicts}
    kinds = [kind for kind in KINDS if any(name == kind for name, _ in of)]
    stages = [stage for stage in stages if any(name == stage for _, name in of)]
    lines = [
        LOCKSTEP,
        "",
        machine(),
        "",
        "Each fault begins in the middle of the stage, and lasts. A field names the guard that stopped the robot and",
        "its level; in words, how the run ended where no guard had to: `refused` before anything was energised,",
        "`not_accepted` by the stage's criteria, `error` where the mission was gone or stood still before anything was",
        "energised, `completed` where no guard and no criterion minded. Up to `single_joint` the robot hangs (held),",
        "which keeps it upright. Bold: see below.",
        "",
        f"Tried here: {len(stages)} of the {len(mission_stages())} stages of the mission.",
        "",
        "| fault | " + " | ".join(stages) + " |",
        "|" + " --- |" * (len(stages) + 1),
    ]
    lines += [f"| `{kind}` | " + " | ".join(_field(of.get((kind, stage))) for stage in stages) + " |" for kind in kinds]
    lines += [
        "",
        "| fault | with | cycles to safe bytes | what was sent from then on | how it ended |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(kind, [v for v in verdicts if v.cell.name == kind]) for kind in kinds]
    asked = [v for v in verdicts if v.cycles >= 0]
    late = sum(v.cycles > 0 for v in asked)
    lines += [
        "",
        f"{len(verdicts)} fields; in {len(asked)} a guard's persistence was met while the robot was energised, and the",
        f"safe bytes for all motors went out in the same control cycle in {len(asked) - late} of them.",
        "",
        *_findings(verdicts),
    ]
    return "\n".join(lines) + "\n"


def _field(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    text = f"{verdict.guard} {verdict.level}" if verdict.outcome == "guard_stop" else verdict.outcome
    return f"**{text}**" if verdict.problems else text


def _row(kind: str, verdicts: Sequence[Verdict]) -> str:
    details = json.dumps({k: v for k, v in KINDS[kind].items() if k != "kind"})[1:-1].replace('"', "")
    cycles = [v.cycles for v in verdicts if v.cycles >= 0]
    paths = Counter(" → ".join(v.path) for v in verdicts if v.path)
    ends = Counter(v.end for v in verdicts)
    return f"| `{kind}` | {details} | {max(cycles, default='-')} | {_counted(paths)} | {_counted(ends)} |"


def _counted(counts: Counter[str]) -> str:
    return "; ".join(f"{text} ({count})" for text, count in counts.most_common())


def _findings(verdicts: Sequence[Verdict]) -> list[str]:
    bad = [v for v in verdicts if v.problems]
    if not bad:
        return [
            "In no field was a motor on and not commanded, the record incomplete, or motion begun with fewer than two",
            "operator actions. Every record was replayed: the safety core decided the same again, bit for bit.",
        ]
    return ["What must not be:", "", *(f"- {v.cell.name} in {v.cell.stage}: {'; '.join(v.problems)}" for v in bad)]


def processes_report(tries: Sequence[Tried], during: str, remark: str) -> str:
    """The process faults in Markdown."""
    lines = [
        PROCESSES,
        "",
        f"{machine()} {remark}".strip(),
        "",
        *TRIED.format(during=during).splitlines(),
        "",
        "| fault | guard | level | in force | DAMP or CUT on the bus | all off | silence | how it ended | record |",
        "|" + " --- |" * 9,
        *map(_tried_row, tries),
        "",
    ]
    bad = [(t.name, problem) for t in tries if t.aftermath for problem in t.aftermath.problems]
    bad += [(t.name, f"not tried: {t.remark}") for t in tries if t.aftermath is None]
    lines += (
        ["What must not be, and what never got so far:", "", *(f"- {name}: {problem}" for name, problem in bad)]
        if bad
        else [
            "No motor was on and told nothing for more than 40 ms (100 ms where control and guardian are both killed,",
            "and the motors' own timeout is what is left), no record was torn or ended more than 0.5 s before the",
            "fault, and nothing moved again without two operator actions.",
        ]
    )
    return "\n".join(lines) + "\n"


def _tried_row(tried: Tried) -> str:
    found = tried.aftermath
    if found is None:
        return f"| {tried.name} |" + " |" * 8
    told = f"{_ms(found.told_ms)} {found.first}".strip()
    has_stopped = re.search(rf"guardian: (?!{NOTHING_FOUND})", tried.remark)
    guard = found.guard or ("guardian process" if has_stopped else "")
    name = f"**{tried.name}**" if found.problems else tried.name
    times = (_ms(found.stopped_ms), told, _ms(found.off_ms), _ms(found.gap_ms))
    if not guard and not math.isnan(found.stopped_ms):
        guard, times = "none", ("-", "-", "-", _ms(found.gap_ms))
    level = found.level if guard != "none" else ""
    return f"| {name} | {guard} | {level} | {' | '.join(times)} | {found.end} | {found.record} |"


def _ms(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}"


def merged(path: Path, parts: Sequence[str]) -> str:
    """The document with new parts; those that were not made anew stay as they were."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    kept = {title: _section(old, title) for title in (LOCKSTEP, PROCESSES)}
    for part in parts:
        kept[part.split("\n", 1)[0]] = part
    return "\n".join([HEAD, *(part for part in kept.values() if part)])


def _section(text: str, title: str) -> str:
    if title not in text:
        return ""
    begin = text.index(title)
    end = text.find("\n## ", begin + 1)
    return text[begin:] if end < 0 else text[begin : end + 1].rstrip("\n") + "\n"
