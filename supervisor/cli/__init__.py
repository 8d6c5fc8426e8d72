"""The command `handrail`. Heavy imports stay inside the commands, so that `--help` answers at once."""

import typer

from supervisor.cli import devices, files, operating, running

app = typer.Typer(
    name="handrail",
    help="Takes a trained policy from simulation to the robot, one measured and guarded stage at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for _part in (running, files, devices, operating):
    app.add_typer(_part.commands)


def main() -> None:
    """Entry point of the command."""
    app()
