"""Runs, and what is left of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from supervisor.cli.parts import (
    EXIT_REFUSED,
    EXIT_USAGE,
    AtOption,
    MissionOption,
    RobotArgument,
    check_place,
    exit_codes,
    print_report,
)
from supervisor.core.errors import RecordError

commands = typer.Typer()


@commands.command()
def run(
    robot: RobotArgument,
    policy: Annotated[str, typer.Option("--policy", metavar="POLICY", help="A name under config/policies, or a path.")],
    mission: MissionOption = "deployment",
    sim: Annotated[bool, typer.Option("--sim", help="On the simulated robot (the default).")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="On the robot's live sensors, commanding nothing.")
    ] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="A dry run beside a program that drives the robot: send nothing at all.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="On the robot: energises real motors.")] = False,
    at: AtOption = None,
    fast: Annotated[bool, typer.Option("--fast", help="Simulate as fast as possible instead of in real time.")] = False,
    fault: Annotated[Path | None, typer.Option("--fault", metavar="FILE", help="Fault script to inject.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulated noise.")] = 0,
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where run folders go.")] = Path("runs"),
    state: Annotated[Path | None, typer.Option("--state", metavar="DIR", help="Where stops outlive a run.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on standard output.")] = False,
) -> None:
    """Climb the ladder with a policy: every stage measured, accepted for a stated reason, and recorded."""
    if sum((sim, dry_run, live)) > 1 or (shadow and (dry_run or live)):
        typer.echo("handrail: --sim, --dry-run and --live exclude each other; --shadow is a dry run", err=True)
        raise typer.Exit(EXIT_USAGE)
    dry_run = dry_run or (shadow and not sim)
    if (fast or fault is not None) and (dry_run or live):
        typer.echo("handrail: --fast and --fault are for the simulated robot only", err=True)
        raise typer.Exit(EXIT_USAGE)
    check_place(live=live, at=at)
    if at is not None and (fast or fault is not None or seed):
        typer.echo("handrail: --fast, --fault and --seed are for a robot that this run simulates, not --at", err=True)
        raise typer.Exit(EXIT_USAGE)
    with exit_codes():
        from supervisor.runtime.app import run_mission
        from supervisor.runtime.options import RunOptions
        from supervisor.runtime.progress import make_progress

        options = RunOptions(
            robot=robot,
            policy=policy,
            mission=mission,
            mode="live" if live else "dry_run" if dry_run else "sim",
            shadow=shadow,
            fast=fast,
            at=at,
            fault=fault,
            seed=seed,
            runs=runs,
            state=state,
        )
        result = run_mission(options, make_progress(sys.stderr, quiet=as_json))
        if as_json:
            typer.echo(json.dumps(result.summary, indent=1))
        else:
            print_report(result.folder)
        raise typer.Exit(result.exit_code)


@commands.command()
def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]) -> None:
    """Tell what happened in a run and why."""
    with exit_codes():
        try:
            print_report(run_folder)
        except RecordError as error:
            typer.echo(f"handrail: {error}", err=True)
            raise typer.Exit(EXIT_USAGE) from None


@commands.command()
def replay(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]) -> None:
    """Put a run through the safety core again: the same decisions bit for bit, or the first that differs."""
    with exit_codes():
        from supervisor.runtime.replay import replay_run, replay_text

        try:
            found = replay_run(run_folder)
        except RecordError as error:
            typer.echo(f"handrail: {error}", err=True)
            raise typer.Exit(EXIT_USAGE) from None
        typer.echo(replay_text(run_folder, found))
        if found.difference is not None or found.reason:
            raise typer.Exit(EXIT_REFUSED)


@commands.command(name="calibrate-guards")
def calibrate_guards(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs in which nothing was wrong.")],
    robot: Annotated[str | None, typer.Option("--robot", metavar="ROBOT", help="Default: the one of the runs.")] = None,
    quantile: Annotated[float, typer.Option("--quantile", help="Of what the guards measured in motion.")] = 0.999,
    margin: Annotated[float, typer.Option("--margin", help="What the quantile is multiplied with.")] = 1.3,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a new file.")] = None,
) -> None:
    """Derive guard thresholds from recorded runs. Writes a proposal; never changes a safety file."""
    with exit_codes():
        from supervisor.runtime.calibration_text import propose

        typer.echo(propose(runs, robot, quantile, margin, output), nl=False)
