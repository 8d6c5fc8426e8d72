"""What an operator tells a running supervisor."""

from __future__ import annotations

from typing import Annotated

import typer

from supervisor.cli.parts import exit_codes
from supervisor.runtime.inputs.messages import COMMANDS

commands = typer.Typer()


def _add_operator_command(command: str, text: str) -> None:
    """Add a command to a running supervisor."""

    def carry_out_command(
        robot: Annotated[
            str | None, typer.Option("--robot", metavar="ROBOT", help="Its name, where several supervisors run.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    ) -> None:
        with exit_codes():
            from supervisor.runtime.inputs.commands import carry_out

            answer, code = carry_out(command, robot, as_json=as_json)
            typer.echo(answer, err=code != 0 and not as_json)
            raise typer.Exit(code)

    commands.command(name=command, help=text)(carry_out_command)


for _command, _text in COMMANDS.items():
    _add_operator_command(_command, _text)


@commands.command()
def steer(
    forward: Annotated[float, typer.Option("--forward", help="m/s; below 0: backwards.")] = 0.0,
    left: Annotated[float, typer.Option("--left", help="m/s; below 0: to the right.")] = 0.0,
    yaw: Annotated[float, typer.Option("--yaw", help="rad/s; above 0: turning left.")] = 0.0,
    seconds: Annotated[float, typer.Option("--seconds", min=0.0, help="How long; 0: until Ctrl-C.")] = 1.0,
    robot: Annotated[
        str | None, typer.Option("--robot", metavar="ROBOT", help="Its name, where several supervisors run.")
    ] = None,
) -> None:
    """Ask for a velocity, in a stage that a person steers; after it the robot stands."""
    with exit_codes():
        from supervisor.core.velocity import Velocity
        from supervisor.runtime.inputs.steering_command import steer as ask

        raise typer.Exit(ask(Velocity(forward, left, yaw), seconds, robot, typer.echo))
