"""The command `handrail`. Heavy imports stay inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from supervisor.core.errors import ConfigError, HandrailError, PolicyError, Problem, RecordError
from supervisor.runtime.inputs.messages import COMMANDS

# Our matrices are small: a second BLAS thread costs more than it gives, and tens of milliseconds on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

EXIT_USAGE = 2
EXIT_REFUSED = 10
EXIT_INTERNAL = 70

app = typer.Typer(
    name="handrail",
    help="Takes a trained policy from simulation to the robot, one measured and guarded stage at a time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RobotArgument = Annotated[str, typer.Argument(metavar="ROBOT", help="A name under config/robots, or a path.")]
PolicyOption = Annotated[str | None, typer.Option("--policy", metavar="POLICY", help="A name or a path.")]
MissionOption = Annotated[str, typer.Option("--mission", metavar="MISSION", help="A name or a path.")]
LiveOption = Annotated[bool, typer.Option("--live", help="On the real robot; else on the simulated one.")]
AtOption = Annotated[
    Path | None, typer.Option("--at", metavar="DIR", help="On the robot that `handrail sim` serves in this folder.")
]


def _check_place(*, live: bool, at: Path | None) -> None:
    if live and at is not None:
        typer.echo("handrail: --live and --at exclude each other; give one", err=True)
        raise typer.Exit(EXIT_USAGE)


@contextmanager
def _exit_codes() -> Generator[None]:
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


def _print_report(folder: Path) -> None:
    from supervisor.evidence.report import report_text

    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else 110
    typer.echo(report_text(folder, width=width, color=is_terminal), nl=False)


@app.command()
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
    _check_place(live=live, at=at)
    if at is not None and (fast or fault is not None or seed):
        typer.echo("handrail: --fast, --fault and --seed are for a robot that this run simulates, not --at", err=True)
        raise typer.Exit(EXIT_USAGE)
    with _exit_codes():
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
            _print_report(result.folder)
        raise typer.Exit(result.exit_code)


@app.command()
def check(
    robot: RobotArgument,
    policy: PolicyOption = None,
    mission: MissionOption = "deployment",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check everything that can be known without motors: files, wiring, bus load, contract, mission."""
    with _exit_codes():
        from supervisor.runtime.preparation import check_all

        findings = check_all(robot, policy, mission)
        typer.echo(json.dumps(findings, indent=1) if as_json else "\n".join(findings))


@app.command()
def tree(
    mission: Annotated[str, typer.Argument(metavar="MISSION", help="A name under config/missions, or a path.")],
    style: Annotated[str, typer.Option("--format", help="unicode, dot, svg or mermaid.")] = "unicode",
    robot: Annotated[str | None, typer.Option("--robot", help="Show the guards of this robot's safety file.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a file.")] = None,
) -> None:
    """Draw a mission, with its guards, levels, limits and criteria. Needs no robot."""
    with _exit_codes():
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


@app.command()
def report(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]) -> None:
    """Tell what happened in a run and why."""
    with _exit_codes():
        try:
            _print_report(run_folder)
        except RecordError as error:
            typer.echo(f"handrail: {error}", err=True)
            raise typer.Exit(EXIT_USAGE) from None


@app.command()
def replay(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]) -> None:
    """Put a run through the safety core again: the same decisions bit for bit, or the first that differs."""
    with _exit_codes():
        from supervisor.runtime.replay import replay_run, replay_text

        try:
            found = replay_run(run_folder)
        except RecordError as error:
            typer.echo(f"handrail: {error}", err=True)
            raise typer.Exit(EXIT_USAGE) from None
        typer.echo(replay_text(run_folder, found))
        if found.difference is not None or found.reason:
            raise typer.Exit(EXIT_REFUSED)


@app.command(name="calibrate-guards")
def calibrate_guards(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs in which nothing was wrong.")],
    robot: Annotated[str | None, typer.Option("--robot", metavar="ROBOT", help="Default: the one of the runs.")] = None,
    quantile: Annotated[float, typer.Option("--quantile", help="Of what the guards measured in motion.")] = 0.999,
    margin: Annotated[float, typer.Option("--margin", help="What the quantile is multiplied with.")] = 1.3,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a new file.")] = None,
) -> None:
    """Derive guard thresholds from recorded runs. Writes a proposal; never changes a safety file."""
    with _exit_codes():
        from supervisor.runtime.calibration_text import propose

        typer.echo(propose(runs, robot, quantile, margin, output), nl=False)


@app.command()
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
    with _exit_codes():
        if keyframe is not None and policy is not None:
            raise ConfigError([Problem("--keyframe", None, "", "--policy as well", "one source of the default pose")])
        from supervisor.runtime.preparation import make_robot

        lines = make_robot(robot, mjcf, make=make, keyframe=keyframe, policy_name=policy, output=output, force=force)
        typer.echo("\n".join(lines))


@app.command()
def signature(
    robot: RobotArgument,
    processes: Annotated[int, typer.Option("--processes", min=0, help="Worker processes; 0: one per core.")] = 0,
    healthy_only: Annotated[
        bool, typer.Option("--healthy-only", help="Only what a healthy robot answers: quicker, but names no fault.")
    ] = False,
) -> None:
    """Simulate how this robot answers single-joint moves, healthy and with each single wiring fault."""
    with _exit_codes():
        from supervisor.runtime.preparation import write_signature

        typer.echo(write_signature(robot, processes, sys.stderr, healthy_only=healthy_only))


@app.command()
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
    with _exit_codes():
        from supervisor.runtime.serving import serve_robot

        serve_robot(robot, typer.echo, folder=folder, seed=seed, fault=fault, fifo_priority=priority)


@app.command()
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
    _check_place(live=live, at=at)
    is_bus = bool(make) or where.startswith("/dev/")
    if is_bus and at is not None:
        typer.echo("handrail: --at is for a robot, not a bus", err=True)
        raise typer.Exit(EXIT_USAGE)
    with _exit_codes():
        from supervisor.runtime.workbench import commands

        found = (
            commands.scan_bus(where, make or [], interface, rate, data_rate)
            if is_bus
            else commands.scan_robot(where, live=live, at=at)
        )
        typer.echo(json.dumps(found.as_json(), indent=1) if as_json else found.as_text(), nl=as_json)
        if found.has_problems:
            raise typer.Exit(EXIT_REFUSED)


@app.command()
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
    _check_place(live=live, at=at)
    with _exit_codes():
        from supervisor.runtime.workbench import commands

        commands.monitor_robot(robot, live=live, at=at, listening=listen, seconds=seconds, as_json=as_json)


@app.command()
def zero(
    robot: RobotArgument,
    joint: Annotated[str, typer.Argument(metavar="JOINT", help="Joint whose motor gets a new zero.")],
    live: LiveOption = False,
    at: AtOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the joint stands where it should.")] = False,
) -> None:
    """Make where a joint stands its zero, with the motor off, and read it back."""
    _check_place(live=live, at=at)
    with _exit_codes():
        from rich.prompt import Prompt

        from supervisor.runtime.workbench import commands
        from supervisor.runtime.workbench.zero import Answer

        def ask(text: str) -> Answer:
            if yes:
                return Answer.SET
            try:
                return Answer(Prompt.ask(text, choices=[one.value for one in Answer], default=Answer.AGAIN.value))
            except EOFError:
                return Answer.LEAVE

        typer.echo(commands.zero_joint(robot, joint, live=live, at=at, ask=ask))


@app.command()
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
    _check_place(live=live, at=at)
    with _exit_codes():
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


def _add_operator_command(command: str, text: str) -> None:
    """Add a command to a running supervisor."""

    def carry_out_command(
        robot: Annotated[
            str | None, typer.Option("--robot", metavar="ROBOT", help="Its name, where several supervisors run.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    ) -> None:
        with _exit_codes():
            from supervisor.runtime.inputs.commands import carry_out

            answer, code = carry_out(command, robot, as_json=as_json)
            typer.echo(answer, err=code != 0 and not as_json)
            raise typer.Exit(code)

    app.command(name=command, help=text)(carry_out_command)


for _command, _text in COMMANDS.items():
    _add_operator_command(_command, _text)


@app.command()
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
    with _exit_codes():
        from supervisor.core.velocity import Velocity
        from supervisor.runtime.inputs.steering_command import steer as ask

        raise typer.Exit(ask(Velocity(forward, left, yaw), seconds, robot, typer.echo))


def main() -> None:
    """Entry point of the command."""
    app()


if __name__ == "__main__":
    main()
