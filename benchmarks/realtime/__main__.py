"""The control loop on time: figures of whole runs, as tables.

    python -m benchmarks.realtime --seconds 600 [--hz 500] [--hogs 2] [--parts] [--write docs/realtime.md]
    python -m benchmarks.realtime --neighbours 5 [--write docs/realtime.md]

`cyclictest` (Debian: rt-tests) wakes up at the same rate, one priority above: what it is late is the machine's doing.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.realtime.lateness import Lateness
from benchmarks.realtime.missed import by_reason
from benchmarks.realtime.neighbours import CASES, Beside, disturbed
from benchmarks.realtime.run import Asked, Result, measure

_HEAD = ("| µs | median | p99 | p99.9 | largest |", "| --- | --- | --- | --- | --- |")


def described(result: Result) -> str:
    """One measurement as Markdown."""
    asked = result.asked
    beside = f", {asked.hogs} programs computing beside it" if asked.hogs else ""
    beside += ", its parts timed" if asked.parts else ""
    periods = result.cycles + result.missed
    timer = result.timer or Lateness(*(float("nan"),) * 4)
    lines = [
        f"### {asked.hz:g} Hz for {asked.seconds:g} s{beside}",
        "",
        f"{machine()} Ended as: {result.outcome}{f' ({result.stop})' if result.stop else ''}.",
        "",
        *_HEAD,
        result.wake.row("wake-up late"),
        timer.row("`cyclictest` late"),
        result.cycle.row("control cycle"),
        *(part.row(f"— {name}") for name, part in result.parts.items()),
        "",
        f"Missed: {result.missed} of {periods} periods ({100.0 * result.missed / max(periods, 1):.3f} %).",
        f"Cycles not recorded: {result.lost}.",
        "",
    ]
    if result.gaps and asked.witnesses:
        lines += [
            "| missed, because | times | periods | longest delay, ms |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f"| {reason} | {times} | {periods} | {delay_s * 1e3:.1f} |"
            for reason, (times, periods, delay_s) in by_reason(result.gaps).items()
        ]
        lines.append("")
    if result.memory_kib:
        grown = [
            f"{name} {before / 1024:.1f} → {after / 1024:.1f}" for name, (before, after) in result.memory_kib.items()
        ]
        lines += [f"Memory after a start, and at the end, MiB: {', '.join(sorted(grown))}.", ""]
    return "\n".join(lines)


def compared(found: dict[str, list[Beside]]) -> str:
    """The control cycle before and while a neighbour hangs."""
    lines = [
        "### The control cycle while a neighbour hangs",
        "",
        f"{machine()} The robot stands, its motors on; the cycles of 4 s before, and of 1.5 s from the cause on.",
        "",
        "| neighbour | times | cycles | median, µs | p99, µs | longest period, ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, besides in found.items():
        before, during = Beside.joined(b.before for b in besides), Beside.joined(b.during for b in besides)
        columns = (
            f"{before.cycles} → {during.cycles}",
            f"{before.p50_us:.0f} → {during.p50_us:.0f}",
            f"{before.p99_us:.0f} → {during.p99_us:.0f}",
            f"{before.longest_ms:.1f} → {during.longest_ms:.1f}",
        )
        lines.append(f"| {name} | {len(besides)} | {' | '.join(columns)} |")
    return "\n".join([*lines, ""])


def written(path: Path, text: str) -> None:
    """Put each chapter of a text in the place of the one with its title, or at the end."""
    page = path.read_text(encoding="utf-8") if path.exists() else "# On time\n"
    for chapter in re.split(r"^(?=### )", text, flags=re.M):
        if not chapter.strip():
            continue
        title = chapter.split("\n", 1)[0]
        old = re.compile(rf"^{re.escape(title)}\n.*?(?=^##|\Z)", flags=re.M | re.S)
        page = old.sub(lambda _, new=chapter: f"{new.rstrip()}\n\n", page) if old.search(page) else f"{page}\n{chapter}"
    path.write_text(page.rstrip() + "\n", encoding="utf-8")


def main() -> int:
    """Measure as asked, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hz", type=float, default=500.0)
    parser.add_argument("--hogs", type=int, default=0, help="programs that compute beside it")
    parser.add_argument("--parts", action="store_true", help="time the parts of the cycle where they are")
    parser.add_argument("--neighbours", type=int, default=0, metavar="TIMES", help="disturb each neighbour so often")
    parser.add_argument("--no-witnesses", action="store_true", help="do not watch the cores, which takes 2 %% of them")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    if asked.neighbours:
        text = compared({name: list(disturbed(name, asked.neighbours)) for name in CASES})
    else:
        text = described(measure(Asked(asked.hz, asked.seconds, asked.hogs, asked.parts, not asked.no_witnesses)))
    sys.stdout.write(text)
    if asked.write is not None:
        written(asked.write, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
