"""The parts of a report, each from what was read of the run. Damaged content raises; the report names the part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from supervisor.evidence.events import Event, EventKind
from supervisor.evidence.margins import closest_approaches
from supervisor.evidence.record_reader import CycleRecord
from supervisor.evidence.would_have import would_have

GUARDS_SHOWN = 8
TRIPS_SHOWN = 20
FAILURE = "failure: "
"""What the note of a run's failure begins with."""

EVENTS_SHOWN = 12

_STYLE = {"passed": "green", "completed": "green", "failed": "bold red", "interrupted": "yellow", "skipped": "dim"}
_WORDS = {
    "completed": "completed: every stage was passed, the robot is at rest",
    "refused": "refused: a check before motion failed, nothing was energised",
    "guard_stop": "stopped by a guard",
    "not_accepted": "stopped: a stage was not accepted",
    "operator_stop": "stopped by the operator",
    "error": "ended by an internal error, after a safe stop",
}

SILENCE_TOLD_S = 1.0
"""At the end of any run the last answers are a few milliseconds old."""

_WOULD = {
    "completed": "nothing was commanded; no guard would have stopped it",
    "refused": "nothing was commanded; it would have been refused before motion",
    "guard_stop": "nothing was commanded; a guard would have stopped it",
    "not_accepted": "nothing was commanded; a stage could not be gone through with",
    "operator_stop": "nothing was commanded; a person ended it",
}


def outcome(summary: Mapping[str, Any], events: Sequence[Event]) -> Iterator[RenderableType]:
    """How the run ended, and why, in one paragraph."""
    result = str(summary["outcome"])
    words = _WORDS.get(result, clean(result))
    if summary["mode"] == "dry_run":
        words = _WOULD.get(result, words)
    yield Text(f"{words} (exit code {summary['exit_code']})", style=_STYLE.get(result, "bold red"))
    yield Text(
        f"robot {clean(summary['robot'])}, policy {clean(summary['policy'])}, mission {clean(summary['mission'])}, "
        f"mode {clean(summary['mode'])}, seed {clean(summary['seed'])}"
    )
    for reason in _reasons(summary, events):
        yield Text(f"  {reason}")


def _reasons(summary: Mapping[str, Any], events: Sequence[Event]) -> Iterator[str]:
    stop_ = summary["stop"]
    if stop_ is not None:
        joints = f" at {_list(stop_['joints'])}" if stop_["joints"] else ""
        yield (
            f"{clean(stop_['guard'])}{joints} was {number(stop_['value'])} {clean(stop_['unit'])}, allowed "
            f"{number(stop_['limit'])} {clean(stop_['unit'])}, in stage {clean(stop_['stage']) or '(none)'}"
        )
    for stage in summary["stages"]:
        if stage["outcome"] == "failed":
            for criterion in stage["criteria"]:
                if not criterion["passed"]:
                    yield f"{clean(stage['name'])}: {_criterion(criterion)}"
    if summary["outcome"] == "not_accepted":
        # What no criterion says: a leaf that failed, a time limit.
        notes = (clean(event.text) for event in events if event.kind is EventKind.NOTE)
        yield from (note for note in notes if note.startswith("stage "))
    if summary["outcome"] in ("refused", "error"):
        kinds = (EventKind.NOTE, EventKind.ARMING, EventKind.REQUEST_RESULT)
        told = dict.fromkeys(clean(event.text) for event in events[-EVENTS_SHOWN:] if event.kind in kinds)
        # A failure that was told when it happened is not told again.
        yield from (text for text in told if not text.startswith(FAILURE) or text.removeprefix(FAILURE) not in told)


def stages(summary: Mapping[str, Any]) -> Iterator[RenderableType]:
    """One line per stage, under it its criteria with measured against allowed."""
    if not summary["stages"]:
        return
    yield heading("Stages")
    width = max(len(clean(stage["name"])) for stage in summary["stages"])
    for stage in summary["stages"]:
        knobs = stage["knobs"]
        yield Text.assemble(
            f"{clean(stage['name']):<{width}}  ",
            (f"{clean(stage['outcome']):<11}", _STYLE.get(str(stage["outcome"]), "")),
            f"  {number(_difference(stage['ended_s'], stage['started_s'])):>6} s"
            f"   action {100.0 * knobs['action_gain']:.0f} %, torque {100.0 * knobs['torque_fraction']:.0f} %, "
            f"speed {100.0 * knobs['speed_fraction']:.0f} %",
        )
        for criterion in stage["criteria"]:
            met = bool(criterion["passed"])
            yield Text("    " + _criterion(criterion) + ("" if met else "  NOT MET"), style="" if met else "bold")


def stop(summary: Mapping[str, Any], began_s: float) -> Iterator[RenderableType]:
    """What stopped the run, and how fast; times count from `began_s`."""
    found = summary["stop"]
    if found is None:
        return
    yield heading("Stop")
    table = _table("", "")
    table.show_header = False
    unit = clean(found["unit"])
    table.add_row("level", clean(found["level"]))
    table.add_row("guard", clean(found["guard"]))
    table.add_row("measured", f"{number(found['value'])} {unit}, allowed {number(found['limit'])} {unit}")
    table.add_row("time", f"{number(_difference(found['time_s'], began_s))} s, in stage {clean(found['stage'])}")
    table.add_row("cause to command", f"{number(found['cause_to_command_s'])} s")
    if found["joints"]:
        table.add_row("joints", _list(found["joints"]))
    if found["further"]:
        table.add_row("later", _list(found["further"]))
    yield table


def diagnosis(summary: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Causes and remedies, the likeliest first."""
    if not summary["diagnosis"]:
        return
    yield heading("Diagnosis, the likeliest first")
    for place, found in enumerate(summary["diagnosis"], start=1):
        joints = f" [{_list(found['joints'])}]" if found["joints"] else ""
        yield Text(f"{place}. {clean(found['cause'])}{joints}", style="bold")
        yield Text(f"   seen: {clean(found['symptom'])}")
        yield Text(f"   do:   {clean(found['remedy'])}")
        evidence = ", ".join(
            f"{clean(key)} {clean(value) if isinstance(value, str) else number(value)}"
            for key, value in found["evidence"].items()
        )
        if evidence:
            yield Text(f"   numbers: {evidence}", style="dim")


def shadow(record: CycleRecord, began_s: float) -> Iterator[RenderableType]:
    """What a run that commanded nothing would have done; times count from `began_s`."""
    found = would_have(record)
    yield heading("Nothing was commanded; what would have been done")
    if found.silent_s >= SILENCE_TOLD_S:
        yield Text(f"no motor was heard in the last {number(found.silent_s)} s, which are not judged")
    if not found.powered_s:
        yield Text("it would never have been armed, so how often guards would have stopped it is not known")
        return
    rate = (
        f"{number(found.nuisance_stops_per_hour)} an hour"
        if found.stops
        else f"with 95 % confidence below {number(found.at_most_per_hour)} an hour"
    )
    yield Text(
        f"armed {number(found.powered_s)} s, following the policy {number(found.running_s)} s of it; "
        f"stopped by guards: {found.stops} times, {rate}"
    )
    if found.trips:
        table = _table(">at s", "guard", "", "level", ">measured", ">limit", "unit", "joint")
        for trip in found.trips[:TRIPS_SHOWN]:
            table.add_row(
                number(trip.time_s - began_s),
                clean(trip.guard),
                clean(trip.value),
                clean(trip.level),
                number(trip.measured),
                number(trip.limit),
                clean(trip.unit),
                clean(trip.joint),
            )
        yield table
        if len(found.trips) > TRIPS_SHOWN:
            yield Text(f"  and {len(found.trips) - TRIPS_SHOWN} more")
    written = ", ".join(f"{drive} {cycles}" for drive, cycles in found.drives.items() if cycles)
    yield Text(f"cycles by what would have been written: {written or 'none'}")
    table = _table("policy", ">largest", ">limit", "unit", ">cycles not OK")
    for one in found.policy:
        table.add_row(
            clean(one.guard), number(one.largest), number(one.limit), clean(one.unit), str(one.failing_cycles)
        )
    yield table


def guards(record: CycleRecord, began_s: float) -> Iterator[RenderableType]:
    """The guards that came closest to their limits, or went furthest beyond; times count from `began_s`."""
    approaches = closest_approaches(record)
    if not approaches:
        return
    yield heading("Guards closest to their limits")
    table = _table("guard", ">largest", ">limit", "unit", ">% of limit", ">at s", ">cycles not OK")
    for approach in approaches[:GUARDS_SHOWN]:
        table.add_row(
            clean(approach.guard),
            number(approach.measured),
            number(approach.limit),
            clean(approach.unit),
            f"{100.0 * approach.fraction:.0f}",
            number(approach.time_s - began_s),
            str(approach.failing_cycles),
        )
    yield table


def buses(summary: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Counters by bus, and what the gate changed."""
    if summary["buses"]:
        yield heading("Buses")
        table = _table("bus", ">sent", ">received", ">dropped", ">errors")
        for name, counters in summary["buses"].items():
            table.add_row(clean(name), *(str(counters[key]) for key in ("sent", "received", "dropped", "errors")))
        yield table
    clamped = summary["gate"]["clamped"]
    changed = ", ".join(f"{clean(key)} {value}" for key, value in clamped.items())
    yield Text(f"Gate: clamped {changed} (joint-cycles); rejected {summary['gate']['rejected']}")


def timing(summary: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Durations by the machine's clock."""
    found = summary["timing"]
    yield heading(f"Timing at {number(found['control_hz'])} Hz, {found['overruns']} cycles longer than their period")
    table = _table("", ">median us", ">p99 us", ">p99.9 us", ">largest us")
    for key, words in (("cycle_us", "control cycle"), ("policy_us", "policy step"), ("tree_us", "tree tick")):
        # Nothing takes no time at all: a process that was lost has left no durations.
        is_known = bool(found[key]["max"])
        table.add_row(words, *(number(found[key][part]) if is_known else "-" for part in ("p50", "p99", "p999", "max")))
    yield table


def last_events(events: Sequence[Event], began_s: float) -> Iterator[RenderableType]:
    """What is known of a run without a summary; times count from `began_s`."""
    yield heading("No summary; the last events")
    for event in events[-EVENTS_SHOWN:]:
        yield Text(f"  {number(event.time_s - began_s)} s  {event.kind.value}: {clean(event.text)}")


def heading(text: str) -> Text:
    """A line above a part."""
    return Text(f"\n{text}", style="bold")


def clean(value: object) -> str:
    """Text from a file, without control characters: a file must not steer the terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(value))


def number(value: object) -> str:
    """A number in few digits; what was not measured as a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "-" if value is None or isinstance(value, float) else clean(value)
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


def _criterion(criterion: Mapping[str, Any]) -> str:
    measured, allowed = number(criterion["value"]), number(criterion["limit"])
    return f"{clean(criterion['metric'])} {measured} {clean(criterion['op'])} {allowed}"


def _difference(end: float | None, start: float | None) -> float | None:
    return None if end is None or start is None else end - start


def _list(names: Sequence[object]) -> str:
    return ", ".join(clean(name) for name in names)


def _table(*columns: str) -> Table:
    """A plain table; a column whose name begins with > is set to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table
