"""What can be known, drawn and made without a robot."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from supervisor.cli.parts import MissionOption, PolicyOption, RobotArgument, exit_codes
from supervisor.core.errors import ConfigError, Problem

commands = typer.Typer()


@commands.command()
def check(
    robot: RobotArgument,
    policy: PolicyOption = None,
    mission: MissionOption = "deployment",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check everything that can be known without motors: files, wiring, bus load, contract, mission."""
    with exit_codes():
        from supervisor.runtime.preparation import check_all

        findings = check_all(robot, policy, mission)
        typer.echo(json.dumps(findings, indent=1) if as_json else "\n".join(findings))


@commands.command()
def tree(
    mission: Annotated[str, typer.Argument(metavar="MISSION", help="A name under config/missions, or a path.")],
    style: Annotated[str, typer.Option("--format", help="unicode, dot, svg or mermaid.")] = "unicode",
    robot: Annotated[str | None, typer.Option("--robot", help="Show the guards of this robot's safety file.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a file.")] = None,
) -> None:
    """Draw a mission, with its guards, levels, limits and criteria. Needs no robot."""
    with exit_codes():
        from supervisor.runtime.drawing import draw_mission

        text = draw_mission(mission, style, robot)
        if output is None:
            typer.echo(text)
        else:
            try:
                output.write_text(text, encoding="utf-8")
            except OSError as error:
                found = error.strerror or str(error)
                raise ConfigError([Problem("--output", None, str(output), found, "a file to write")]) from None


@commands.command()
def new(
    robot: Annotated[str, typer.Argument(metavar="ROBOT", help="Name of the new robot.")],
    mjcf: Annotated[Path, typer.Option("--mjcf", metavar="FILE", help="MuJoCo model with a free base.")],
    make: Annotated[str, typer.Option("--make", help="Make of the motors.")] = "damiao",
    keyframe: Annotated[str | None, typer.Option("--keyframe", help="Keyframe of the default pose.")] = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="POLICY", help="Take the default pose from this policy's contract."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Folder to make (default: config/robots/ROBOT).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing folder.")] = False,
) -> None:
    """Make a robot folder from a MuJoCo model: joints, limits, wiring, IMU and first guard thresholds."""
    with exit_codes():
        if keyframe is not None and policy is not None:
            raise ConfigError([Problem("--keyframe", None, "", "--policy as well", "one source of the default pose")])
        from supervisor.runtime.preparation import make_robot

        lines = make_robot(robot, mjcf, make=make, keyframe=keyframe, policy_name=policy, output=output, force=force)
        typer.echo("\n".join(lines))


@commands.command()
def signature(
    robot: RobotArgument,
    processes: Annotated[int, typer.Option("--processes", min=0, help="Worker processes; 0: one per core.")] = 0,
    healthy_only: Annotated[
        bool, typer.Option("--healthy-only", help="Only what a healthy robot answers: quicker, but names no fault.")
    ] = False,
) -> None:
    """Simulate how this robot answers single-joint moves, healthy and with each single wiring fault."""
    with exit_codes():
        from supervisor.runtime.preparation import write_signature

        typer.echo(write_signature(robot, processes, sys.stderr, healthy_only=healthy_only))
