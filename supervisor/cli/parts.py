"""What the commands have in common: arguments, exit codes, and how errors are told."""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from supervisor.core.errors import ConfigError, HandrailError, PolicyError

# Our matrices are small: a second BLAS thread costs more than it gives, and tens of milliseconds on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

EXIT_USAGE = 2
EXIT_REFUSED = 10
EXIT_INTERNAL = 70

RobotArgument = Annotated[str, typer.Argument(metavar="ROBOT", help="A name under config/robots, or a path.")]
PolicyOption = Annotated[str | None, typer.Option("--policy", metavar="POLICY", help="A name or a path.")]
MissionOption = Annotated[str, typer.Option("--mission", metavar="MISSION", help="A name or a path.")]
LiveOption = Annotated[bool, typer.Option("--live", help="On the real robot; else on the simulated one.")]
AtOption = Annotated[
    Path | None, typer.Option("--at", metavar="DIR", help="On the robot that `handrail sim` serves in this folder.")
]


def check_place(*, live: bool, at: Path | None) -> None:
    """Refuse to be on a robot and on a simulated one at once."""
    if live and at is not None:
        typer.echo("handrail: --live and --at exclude each other; give one", err=True)
        raise typer.Exit(EXIT_USAGE)


@contextmanager
def exit_codes() -> Generator[None]:
    """Turn errors into messages and exit codes. What breaks in motion is told by the run's own exit code."""
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except (ConfigError, PolicyError) as error:
        typer.echo(f"handrail: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except HandrailError as error:  # a bus, a record or a simulation that cannot begin: nothing was energised
        typer.echo(f"handrail: {error}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except Exception:  # noqa: BLE001 - a mistake of ours: the traceback is what a report of it needs
        traceback.print_exc()
        typer.echo("handrail: internal error; please report it with the lines above", err=True)
        raise typer.Exit(EXIT_INTERNAL) from None


def print_report(folder: Path) -> None:
    """Print the report of a run, as wide as the terminal; 110 columns where there is none."""
    from supervisor.evidence.report import report_text

    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else 110
    typer.echo(report_text(folder, width=width, color=is_terminal), nl=False)
