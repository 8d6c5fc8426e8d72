"""The report of a run, for people: what came of it, why, and how close it was. Imports rich: not for the loops."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from supervisor.core.errors import RecordError
from supervisor.evidence import report_parts as parts
from supervisor.evidence.events import Event, read_events
from supervisor.evidence.record_reader import CycleRecord, read_record
from supervisor.evidence.run_folder import CYCLES, EVENTS, SUMMARY, check_inputs
from supervisor.evidence.summary import read_summary

_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError)
"""What reading a damaged but parseable file can end in."""


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """Everything of a run's folder that could be read.

    Attributes:
        path: The folder.
        summary: summary.json, None where it cannot be read.
        events: The events that can be trusted.
        record: The record of every cycle, None where it cannot be read.
        problems: What is missing, damaged or changed, in words.
    """

    path: Path
    summary: Mapping[str, Any] | None
    events: tuple[Event, ...]
    record: CycleRecord | None
    problems: tuple[str, ...]

    @property
    def began_s(self) -> float:
        """When it began, by its own clock; 0 where nothing tells."""
        times = [event.time_s for event in self.events[:1]]
        if self.record is not None:
            times += [float(time_s) for time_s in self.record.column("time_s")[:1]]
        return min(filter(math.isfinite, times), default=0.0)


def load_run(path: Path) -> RunEvidence:
    """Read a run's folder; what is damaged is named and left out.

    Raises:
        RecordError: The folder is missing, or holds nothing of a run.
    """
    if not path.is_dir():
        raise RecordError(f"{path} is not a folder; give the folder of a run, as printed at its end")
    if not any((path / name).is_file() for name in (SUMMARY, EVENTS, CYCLES)):
        raise RecordError(f"{path} is not the folder of a run: it holds none of {SUMMARY}, {EVENTS}, {CYCLES}")
    problems: list[str] = []
    summary: Mapping[str, Any] | None = None
    events: tuple[Event, ...] = ()
    record: CycleRecord | None = None
    try:
        summary = read_summary(path / SUMMARY)
    except RecordError as error:
        problems.append(_within(path, error))
    try:
        log = read_events(path / EVENTS)
        events = log.events
        problems += log.problems
    except RecordError as error:
        problems.append(_within(path, error))
    try:
        record = read_record(path / CYCLES)
        if record.leftover_bytes:
            problems.append(f"{CYCLES} was cut off inside a cycle: the run ended abruptly")
    except RecordError as error:
        problems.append(_within(path, error))
    problems += check_inputs(path)
    return RunEvidence(path, summary, events, record, tuple(problems))


def _within(path: Path, error: RecordError) -> str:
    """An error's words with files named as the folder has them."""
    return str(error).replace(f"{path}/", "")


def report_text(path: Path, *, width: int = 110, color: bool = False) -> str:
    """The report of a run's folder.

    Args:
        path: The folder.
        width: Columns to fill.
        color: Whether to colour it, for a terminal.

    Raises:
        RecordError: The folder is missing, or holds nothing of a run.
    """
    run = load_run(path)
    problems, began_s = list(run.problems), run.began_s
    text = io.StringIO()
    console = Console(
        file=text,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    console.print(Text(f"Run {parts.clean(path.resolve().name)}", style="bold"))
    sections: list[tuple[str, Callable[[], Iterator[Any]]]] = []
    if (summary := run.summary) is not None:
        sections += [
            ("outcome", lambda: parts.outcome(summary, run.events)),
            ("stages", lambda: parts.stages(summary)),
            ("stop", lambda: parts.stop(summary, began_s)),
            ("diagnosis", lambda: parts.diagnosis(summary)),
        ]
    else:
        sections.append(("events", lambda: parts.last_events(run.events, began_s)))
    if (record := run.record) is not None and summary is not None and summary.get("mode") == "dry_run":
        sections.append(("what would have been done", lambda: parts.shadow(record, began_s)))
    if record is not None:
        sections.append(("guards", lambda: parts.guards(record, began_s)))
    if summary is not None:
        sections += [("buses", lambda: parts.buses(summary)), ("timing", lambda: parts.timing(summary))]
    for name, section in sections:
        try:
            renderables = list(section())
        except (*_DAMAGE, RecordError) as error:
            problems.append(f"the part on {name} is damaged ({type(error).__name__}: {error})")
            continue
        for part in renderables:
            console.print(part)
    if problems:
        console.print(parts.heading("What is wrong with this folder"))
        for problem in problems:
            console.print(Text(f"  {parts.clean(problem)}", style="yellow"))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
