"""The simulated robot, and the devices of a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from supervisor.cli.parts import EXIT_REFUSED, EXIT_USAGE, AtOption, LiveOption, RobotArgument, check_place, exit_codes

commands = typer.Typer()


@commands.command()
def sim(
    robot: RobotArgument,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Where to serve it (default: a folder of your own).")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulated noise.")] = 0,
    fault: Annotated[Path | None, typer.Option("--fault", metavar="FILE", help="Fault script to inject.")] = None,
    priority: Annotated[
        int, typer.Option("--priority", min=0, max=98, help="Priority under SCHED_FIFO; 0: the normal class.")
    ] = 0,
) -> None:
    """Simulate a robot in real time, on buses that any program can open, until Ctrl-C."""
    with exit_codes():
        from supervisor.runtime.serving import serve_robot

        serve_robot(robot, typer.echo, folder=folder, seed=seed, fault=fault, fifo_priority=priority)


@commands.command()
def scan(
    where: Annotated[str, typer.Argument(metavar="ROBOT|BUS", help="A robot, or a bus: can0, /dev/ttyUSB0.")],
    live: LiveOption = False,
    at: AtOption = None,
    make: Annotated[
        list[str] | None, typer.Option("--make", metavar="MAKE", help="Make to ask for on a BUS; may be repeated.")
    ] = None,
    interface: Annotated[
        str, typer.Option("--interface", help="Kind of a CAN BUS, as python-can names it.")
    ] = "socketcan",
    rate: Annotated[int, typer.Option("--rate", min=1, help="Bit or baud rate of a BUS.")] = 1_000_000,
    data_rate: Annotated[int, typer.Option("--data-rate", min=0, help="Rate of CAN FD data; 0: no FD.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Ask who is there: makes, ids, firmware, faults, conflicts. Energises nothing; some makes go limp when asked."""
    check_place(live=live, at=at)
    is_bus = bool(make) or where.startswith("/dev/")
    if is_bus and at is not None:
        typer.echo("handrail: --at is for a robot, not a bus", err=True)
        raise typer.Exit(EXIT_USAGE)
    with exit_codes():
        from supervisor.runtime.workbench import commands as workbench

        found = (
            workbench.scan_bus(where, make or [], interface, rate, data_rate)
            if is_bus
            else workbench.scan_robot(where, live=live, at=at)
        )
        typer.echo(json.dumps(found.as_json(), indent=1) if as_json else found.as_text(), nl=as_json)
        if found.has_problems:
            raise typer.Exit(EXIT_REFUSED)


@commands.command()
def monitor(
    robot: RobotArgument,
    live: LiveOption = False,
    at: AtOption = None,
    listen: Annotated[
        bool, typer.Option("--listen", help="Send nothing: beside a program that drives the robot.")
    ] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="How long; 0: until Ctrl-C.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per second.")] = False,
) -> None:
    """Show live joint and IMU values, their ages and rates, and how the buses are. Motors stay off."""
    check_place(live=live, at=at)
    with exit_codes():
        from supervisor.runtime.workbench import commands as workbench

        workbench.monitor_robot(robot, live=live, at=at, listening=listen, seconds=seconds, as_json=as_json)


@commands.command()
def zero(
    robot: RobotArgument,
    joint: Annotated[str, typer.Argument(metavar="JOINT", help="Joint whose motor gets a new zero.")],
    live: LiveOption = False,
    at: AtOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the joint stands where it should.")] = False,
) -> None:
    """Make where a joint stands its zero, with the motor off, and read it back."""
    check_place(live=live, at=at)
    with exit_codes():
        from rich.prompt import Prompt

        from supervisor.runtime.workbench import commands as workbench
        from supervisor.runtime.workbench.zero import Answer

        def ask(text: str) -> Answer:
            if yes:
                return Answer.SET
            try:
                return Answer(Prompt.ask(text, choices=[one.value for one in Answer], default=Answer.AGAIN.value))
            except EOFError:
                return Answer.LEAVE

        typer.echo(workbench.zero_joint(robot, joint, live=live, at=at, ask=ask))


@commands.command()
def configure(
    robot: RobotArgument,
    devices: Annotated[
        list[str] | None, typer.Argument(metavar="[JOINT|imu ...]", help="Which devices; all by default.")
    ] = None,
    live: LiveOption = False,
    at: AtOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: write everything that differs.")] = False,
) -> None:
    """Show what motors and IMU keep otherwise than the robot file needs it; write it after asking. Motors stay off."""
    check_place(live=live, at=at)
    with exit_codes():
        from rich.prompt import Confirm

        from supervisor.runtime.workbench.configure import configure_robot

        def ask(text: str) -> bool:
            try:
                return yes or Confirm.ask(text, default=False)
            except EOFError:
                return False

        is_right = configure_robot(
            robot, devices or [], live=live, at=at, show=lambda text: typer.echo(text, nl=False), ask=ask
        )
        if not is_right:
            raise typer.Exit(EXIT_REFUSED)
