"""A calibration as a file to read and to take rows from. It is no safety file, and is never made one by a program."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.guard import GuardRow
from supervisor.core.robot_file import Robot, load_robot
from supervisor.runtime.calibration import Calibration, GuardFigures, Verdict, calibrate
from supervisor.runtime.locate import find_robot
from supervisor.runtime.recorded_run import read_run

WIDTH = 112
RULE_OF_THREE = 3.0
"""Nothing seen in T hours: with 95 % confidence it comes less often than 3 / T."""

LEAST_QUANTILE = 0.5

NAMED = 2
"""Runs that a row's reason names."""


def propose(
    folders: Sequence[Path], robot_name: str | None, quantile: float, margin: float, output: Path | None
) -> str:
    """Derive guard thresholds from runs, and write them as a proposal.

    Args:
        folders: The runs' folders.
        robot_name: The robot, a name or a path; None for the one that the first run names.
        quantile: Of the readings.
        margin: What the quantile is multiplied with.
        output: File to write, None for none.

    Returns:
        The proposal; where it was written to a file, its head.

    Raises:
        ConfigError: An argument cannot be used, or the file exists.
        RecordError: A run cannot be read.
        RefusedError: The runs do not tell anything about this robot.
    """
    if not LEAST_QUANTILE <= quantile < 1.0:
        raise ConfigError([Problem("--quantile", None, "", f"{quantile:g}", f"{LEAST_QUANTILE:g} to below 1")])
    if not margin >= 1.0:
        raise ConfigError([Problem("--margin", None, "", f"{margin:g}", "at least 1: what was healthy must not trip")])
    runs = [read_run(folder) for folder in folders]
    robot = load_robot(find_robot(robot_name or runs[0].robot.name))
    if output is not None:
        _require_new(output, robot)
    calibration = calibrate(robot.config, robot.safety, runs, quantile, margin)
    head, rows = "\n".join(_head(calibration, robot)) + "\n", proposal_rows(calibration)
    if output is None:
        return head + rows
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(head + rows)
    except OSError as error:
        raise ConfigError([Problem(str(output), None, "", error.strerror or str(error), "a new file")]) from None
    return f"{head}# written to {output}\n"


def _require_new(output: Path, robot: Robot) -> None:
    """A proposal overwrites nothing, least of all what it is a proposal for."""
    if not os.path.lexists(output):
        return
    is_safety = output.exists() and output.samefile(robot.safety_path)
    found = "the robot's safety file: a proposal is never applied by a program" if is_safety else "it exists already"
    raise ConfigError([Problem(str(output), None, "-o", found, "a new file")])


def rate_text(trips: int, hours: float) -> str:
    """Trips per hour, with what can be said where none was seen."""
    if trips:
        return f"{trips / hours:.3g}/h"
    return f"0/h (95 %: below {RULE_OF_THREE / hours:.3g}/h)"


def proposal_rows(calibration: Calibration) -> str:
    """The rows as YAML. Without the rest of a safety file it cannot be loaded as one."""
    lines = ["guards:"]
    for found in calibration.figures:
        row = found.proposed
        if found.verdict is Verdict.LOOSENED:
            lines.append(f"  # LOOSENS {row.id}: {found.row.limit:g} -> {row.limit:g} {row.unit}. Find out first why")
            lines.append("  # the declared limit tripped: a wider limit hides a fault as well as a nuisance.")
        text = yaml.safe_dump(
            [_as_mapping(row, _reason(found, calibration))], sort_keys=False, allow_unicode=True, width=WIDTH
        )
        lines += [f"  {line}" for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def _as_mapping(row: GuardRow, reason: str) -> Mapping[str, object]:
    return {
        "id": row.id,
        "limit": row.limit,
        "unit": row.unit,
        "hysteresis": row.hysteresis,
        "persistence": {"cycles": row.persistence.cycles, "of_cycles": row.persistence.of_cycles},
        "level": row.level.name,
        "clear": row.clear,
        "reason": reason,
        **({"derived": True} if row.derived else {}),
    }


def _reason(found: GuardFigures, calibration: Calibration) -> str:
    old = " ".join(found.row.reason.split())
    if found.verdict is Verdict.KEPT:
        return old
    kinds = {kind: value for kind, value in found.quantile_by_kind.items() if value == value}
    worst = max(kinds, key=lambda kind: kinds[kind])
    rates = ", ".join(
        f"{limit:g} {rate_text(trips, calibration.hours)}"
        for limit, trips in ((found.row.limit, found.declared_trips), (found.proposed.limit, found.derived_trips))
    )
    names = ", ".join(run.name for run in calibration.runs[:NAMED])
    if len(calibration.runs) > NAMED:
        names += f" and {len(calibration.runs) - NAMED} more, named at the head"
    change = "LOOSENED from" if found.verdict is Verdict.LOOSENED else "Tightened from"
    return (
        f"{change} {found.row.limit:g}. From {len(calibration.runs)} runs ({names}), {found.readings} readings in "
        f"motion: quantile {calibration.quantile:g} in stages of kind {worst} {kinds[worst]:.4g}, times margin "
        f"{calibration.margin:g}{'; ' + found.why if found.why else ''}. False trips on these runs: {rates}. "
        f"Declared for: {old}"
    )


def _head(calibration: Calibration, robot: Robot) -> Iterator[str]:
    hours = calibration.hours
    yield f"# PROPOSAL for {robot.safety_path}: read it, decide row by row, and edit that file by hand."
    yield "# It is no safety file: it holds guard rows only. Every trip below is taken for a nuisance: the runs must be"
    yield "# of a robot with which nothing was wrong."
    yield "#"
    yield (
        f"# {calibration.cycles} cycles in motion, {hours * 60.0:.1f} minutes; quantile {calibration.quantile:g}, "
        f"margin {calibration.margin:g}"
    )
    for run in calibration.runs:
        ended = f"{run.outcome} by {run.stop}" if run.stop else run.outcome
        yield f"#   {run.name}: {run.mode}, {run.motion_cycles} cycles in motion, {ended}"
    if any(run.mode == "sim" for run in calibration.runs):
        yield "# Simulated runs tell how the model moves. A real gearbox, cable and loop are wider than that."
    yield (
        f"# Declared limits of level HOLD and above: {calibration.nuisance_trips} trips, "
        f"{rate_text(calibration.nuisance_trips, hours)}"
    )
    yield "#"
    heads = ("guard", "unit", "declared", "largest", "quantile", "derived", "trips/h declared, derived", "proposal")
    table = [heads, *(_line(found, hours) for found in calibration.figures)]
    widths = [max(len(line[i]) for line in table) for i in range(len(heads))]
    for line in table:
        yield "# " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
    yield "#"
    yield "# quantile by kind of stage:"
    for found in calibration.figures:
        kinds = ", ".join(f"{kind} {value:.3g}" for kind, value in sorted(found.quantile_by_kind.items()))
        yield f"#   {found.row.id}: {kinds or 'nothing measured'}"
    for flag, words in (
        ("is_near", "within 20 % of tripping"),
        ("is_loose", "never near, by more than three times"),
    ):
        names = [found.row.id for found in calibration.figures if getattr(found, flag)]
        yield f"# {words}: {', '.join(names) or 'none'}"
    yield "# left out: " + "; ".join(f"{name} ({why})" for name, why in calibration.left_out.items())


def _line(found: GuardFigures, hours: float) -> tuple[str, ...]:
    has_limit = found.derived == found.derived
    worst = max(found.quantile_by_kind.values(), default=float("nan"))
    rates = f"{found.declared_trips / hours:.3g}, {f'{found.derived_trips / hours:.3g}' if has_limit else '-'}"
    return (
        found.row.id,
        found.row.unit,
        f"{found.row.limit:g}",
        _number(found.largest),
        _number(worst),
        _number(found.derived),
        rates,
        f"{found.verdict.value}{': ' + found.why if found.why else ''}",
    )


def _number(value: float) -> str:
    return f"{value:.4g}" if value == value else "-"
