"""A run from its options to its folder: everything is read, checked, wired, run and told here."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from drivers.sim.fault_kinds import PROCESS_FAULTS
from drivers.sim.faults import kinds_of
from supervisor.core.clock import VirtualClock, WallClock
from supervisor.core.errors import ConfigError, Problem, RecordError, RefusedError
from supervisor.evidence.events import EventKind, EventLog
from supervisor.evidence.record_reader import read_record
from supervisor.evidence.run_folder import WOULD_HAVE, RunFolder, create_run_folder
from supervisor.evidence.would_have import would_have, write_would_have
from supervisor.runtime.closing import close_run
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.operator import AutoOperator
from supervisor.runtime.options import RunOptions, RunResult, Voice
from supervisor.runtime.preparation import Prepared, prepare, signature_path
from supervisor.runtime.progress import Progress
from supervisor.runtime.served_robot import served_config
from supervisor.runtime.shared.desk import SharedOperator
from trees.steering import steering_problems

_LOG = logging.getLogger(__name__)

MISSION_HZ = 50.0
"""The tree is ticked at least this often; a faster policy makes it faster."""


def run_mission(options: RunOptions, progress: Progress) -> RunResult:
    """Run a mission to its end.

    Args:
        options: What was asked for.
        progress: Where to show how it goes; closed at the end.

    Raises:
        ConfigError: A file cannot be used.
        RefusedError: Nothing was energised, for the reasons given.
    """
    try:
        # From the first: an interrupt while files are read is kept, and ends the run in its first cycle.
        with Interrupts() as interrupts:
            return _run(options, progress, interrupts)
    finally:
        progress.close()


def _run(options: RunOptions, progress: Progress, interrupts: Interrupts) -> RunResult:
    if options.shadow and options.mode == "sim" and not options.fast and options.at is None:
        reason = (
            "--shadow needs a robot that another program drives: name with --at where `handrail sim` serves one, or "
            "add --fast, and one is driven and judged in one thread"
        )
        raise RefusedError([reason])
    if options.shadow:
        options = replace(options, mode="dry_run")
    virtual = VirtualClock()
    clock = virtual if options.fast else WallClock()
    prepared = prepare(options.robot, options.policy, options.mission, clock, options.fault)
    if options.fast or options.voice is Voice.COMMANDS:
        _require_signature(prepared)
    _require_pilot(prepared, options)
    _require_possible(prepared, options)
    tick_cycles = cycles_per_tick(prepared.robot.config.control_hz, prepared.policy.period_s)
    if options.at is not None:
        served_config(prepared.robot.config, options.at)  # Refused before anything is left behind.
    world = None
    if options.fast and not options.shadow:
        from supervisor.runtime.lockstep_run import make_world  # noqa: PLC0415 (the simulator)

        world = make_world(options, prepared, virtual)
    folder = create_run_folder(
        options.runs, prepared.robot.config.name, prepared.policy.contract.name, _inputs(options, prepared)
    )
    log = EventLog(folder.events)
    _log_start(log, options, prepared, folder, clock.now_s())
    if options.shadow and options.fast:
        from supervisor.runtime.shadow_run import run_shadow  # noqa: PLC0415 (the simulator)

        # A policy remembers what it did: each of the two supervisors needs one of its own.
        driving = prepare(options.robot, options.policy, options.mission, clock, options.fault)
        closing = run_shadow(options, prepared, driving, folder, log, virtual, tick_cycles, progress, interrupts)
    elif world is not None:
        from supervisor.runtime.lockstep_run import run_lockstep  # noqa: PLC0415 (the simulator)

        closing = run_lockstep(world, options, prepared, folder, log, virtual, tick_cycles, progress, interrupts)
    else:
        from supervisor.runtime.processes.run import run_in_processes  # noqa: PLC0415 (only where it is needed)

        log.close()  # The recorder goes on with it.
        closing = run_in_processes(options, prepared, folder, tick_cycles, progress, interrupts)
        log = EventLog(folder.events, resume=True)
    document = close_run(closing, log, clock.now_s())
    if document["mode"] == "dry_run":
        _write_would_have(folder)
    return RunResult(document["exit_code"], folder.path, document)


def _write_would_have(folder: RunFolder) -> None:
    """What would have been done, from the record; a run that could not begin has none."""
    try:
        write_would_have(folder.path / WOULD_HAVE, would_have(read_record(folder.cycles)))
    except RecordError as error:
        _LOG.warning("what would have been done is not known: %s", error)


def cycles_per_tick(control_hz: float, policy_period_s: float) -> int:
    """Control cycles per mission tick: the policy's period, or a whole part of it where that is long.

    Raises:
        ConfigError: The policy's period is not a whole number of control cycles.
    """
    cycles = round(policy_period_s * control_hz)
    if cycles < 1 or abs(cycles / control_hz - policy_period_s) > 1e-9:
        problem = Problem(
            "contract", None, "policy_hz", f"{1.0 / policy_period_s:g}", f"{control_hz:g} / a whole number"
        )
        raise ConfigError([problem])
    whole = [parts for parts in range(1, cycles + 1) if cycles % parts == 0]
    # A control loop slower than MISSION_HZ has no part that is fast enough: then every cycle ticks.
    enough = [parts for parts in whole if control_hz * parts / cycles >= MISSION_HZ - 1e-9]
    return cycles // (enough or whole[-1:])[0]


def _require_signature(prepared: Prepared) -> None:
    """A mission that judges the robot's answers needs to know what they should be.

    Raises:
        RefusedError: It needs a signature, and there is none that fits.
    """
    wanting = [
        stage.name
        for stage in prepared.mission.stages
        if any(criterion.metric.startswith("signature_") for criterion in stage.accept)
    ]
    if wanting and prepared.signature is None:
        raise RefusedError([f"stage {', '.join(wanting)} judges the robot by its signature", *prepared.remarks])


def _require_pilot(prepared: Prepared, options: RunOptions) -> None:
    """A mission that a person steers needs a person, and a policy that can be steered.

    Raises:
        RefusedError: In lockstep, where no person can keep up.
        ConfigError: The policy cannot be steered.
    """
    steered = [stage.name for stage in prepared.mission.stages if stage.steering is not None]
    if not steered:
        return
    problems = steering_problems(prepared.policy)
    if problems:
        raise ConfigError(Problem(str(prepared.policy_path), None, "command", text, "see there") for text in problems)
    if options.fast:
        raise RefusedError(
            [f"a person steers in stage {', '.join(steered)}, and --fast waits for nobody; leave --fast out"]
        )


def _require_possible(prepared: Prepared, options: RunOptions) -> None:
    """A fault that nobody carries out would be a run that proves nothing.

    Raises:
        RefusedError: The script asks for faults that real time cannot give.
    """
    from supervisor.runtime.processes.sabotage import KINDS  # noqa: PLC0415 (only where it is needed)

    if prepared.faults is None or options.fast:
        return
    undone = [kind for kind in kinds_of(prepared.faults.faults, PROCESS_FAULTS) if kind not in KINDS]
    if undone:
        reason = f"fault {', '.join(undone)} cannot be had in real time: the clock is the whole machine's; add --fast"
        raise RefusedError([reason])


def _inputs(options: RunOptions, prepared: Prepared) -> dict[str, Path]:
    """Every file that goes into the run."""
    robot = prepared.robot
    contract = prepared.policy.contract
    files: dict[str, Path | None] = {
        "robot": robot.path,
        "safety": robot.safety_path,
        "model": robot.model_path,
        "signature": signature_path(robot) if prepared.signature is not None else None,
        "contract": prepared.policy_path,
        "policy": prepared.policy_path.parent / contract.model.file,
        "mission": prepared.mission_path,
        "fault": options.fault,
    }
    return {name: path for name, path in files.items() if path is not None}


def _log_start(log: EventLog, options: RunOptions, prepared: Prepared, folder: RunFolder, now_s: float) -> None:
    log.append(
        EventKind.START,
        now_s,
        f"{prepared.robot.config.name} with {prepared.policy.contract.name}, mission {prepared.mission.name}",
        {
            "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "mode": options.mode,
            "operator": SharedOperator.kind if options.mode == "live" else AutoOperator.kind,
            "seed": options.seed,
            "hashes": dict(folder.hashes),
        },
    )
    for remark in prepared.remarks:
        log.append(EventKind.NOTE, now_s, remark)
