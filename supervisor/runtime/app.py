"""A run from its options to its folder: everything is read, checked, wired, run and told here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from supervisor.core.clock import VirtualClock
from supervisor.core.errors import ConfigError, HandrailError, Problem, RefusedError
from supervisor.diagnosis.judge import StageJudge
from supervisor.evidence.events import EventKind, EventLog
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import RunFolder, create_run_folder
from supervisor.runtime.closing import Closing, ControlPart, close_run, mission_part
from supervisor.runtime.control import ControlCore
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.journal import Journal
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.mission import MissionCore
from supervisor.runtime.operator import AutoOperator
from supervisor.runtime.options import RunOptions, RunResult
from supervisor.runtime.preparation import Prepared, prepare, signature_path
from supervisor.runtime.progress import Progress
from supervisor.runtime.timed_policy import TimedPolicy
from trees.context import MissionContext
from trees.missions.root import create_root

_LOG = logging.getLogger(__name__)

MISSION_HZ = 50.0
"""The tree is ticked at least this often; a faster policy makes it faster."""

START_S = 0.0


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
    if options.mode != "sim":
        reason = (
            f"--{options.mode.replace('_', '-')} needs control in a process of its own and an operator at hand, "
            "which this version does not have yet: it runs the simulated robot only (see LIMITATIONS.md)"
        )
        raise RefusedError([reason])
    from drivers.robot_io import RobotIO  # noqa: PLC0415
    from drivers.sim.world import SimulatedWorld  # noqa: PLC0415
    from supervisor.runtime.lockstep import PROCESS_FAULTS, LockstepRun, Loops  # noqa: PLC0415

    clock = VirtualClock(START_S)
    prepared = prepare(options.robot, options.policy, options.mission, clock, options.fault)
    _require_signature(prepared)
    config = prepared.robot.config
    cycles_per_tick = _cycles_per_tick(config.control_hz, prepared.policy.period_s)
    world = SimulatedWorld(
        prepared.robot,
        seed=options.seed,
        faults=prepared.faults,
        variation=options.variation,
        process_faults=PROCESS_FAULTS,
        start_s=START_S,
    )
    folder = create_run_folder(options.runs, config.name, prepared.policy.contract.name, _inputs(options, prepared))
    log = EventLog(folder.events)
    recorder = CycleRecorder(
        folder.cycles,
        RecordLayout.of(config.order, prepared.robot.safety.guards),
        config.name,
        config.control_hz,
    )
    journal = Journal(log, progress)
    _log_start(log, options, prepared, folder)
    link = MemoryLink()
    port = RobotIO(config, world, world if config.estimator == "simulation" else None)
    policy = TimedPolicy(prepared.policy)
    control = ControlCore(config, prepared.robot.safety, port, link, recorder)
    _fill_inputs(control)
    operator = AutoOperator(link, world, journal.answered)
    judge = StageJudge(config, prepared.policy.command_names, prepared.signature, prepared.policy.tracked_ratio)
    context = MissionContext(config, world.wrap_policy(policy), judge, operator)
    root = create_root(context, prepared.mission, prepared.robot.safety)
    mission = MissionCore(root, context, link)
    loops = Loops(
        clock=clock,
        world=world,
        control=control,
        mission=mission,
        operator=operator,
        link=link,
        journal=journal,
        progress=progress,
        control_period_s=config.control_period_s,
        cycles_per_tick=cycles_per_tick,
        mission_limit_s=prepared.mission.timeout_s,
    )
    failure = ""
    run = LockstepRun(loops, interrupts, None if options.fast else _pacer())
    try:
        run.run()
    except HandrailError as error:
        failure = str(error)
        _cut(control, clock.now_s())
    except Exception as error:  # noqa: BLE001 - whatever broke, the motors go off and the record is closed
        _LOG.exception("the run broke")
        failure = f"{type(error).__name__}: {error}"
        _cut(control, clock.now_s())
    mission.stop()
    recorder.close()
    port.close()
    last = link.snapshot()
    closing = Closing(
        options=options,
        prepared=prepared,
        folder=folder,
        control=ControlPart(control.durations.percentiles(), control.overruns, cycles=len(control.durations)),
        mission=mission_part(
            context,
            judge,
            run.witness,
            prepared,
            last,
            port.fault_name,
            root,
            policy_us=policy.durations.percentiles(),
            tree_us=run.tick_durations.percentiles(),
            failure=mission.failure,
            has_moved=run.has_moved,
        ),
        last=last,
        was_interrupted=run.was_interrupted,
        failure=failure or ("" if mission.failure or not run.ran_out_of_time else "the run took too long"),
    )
    document = close_run(closing, log, clock.now_s())
    return RunResult(document["exit_code"], folder.path, document)


def _cycles_per_tick(control_hz: float, policy_period_s: float) -> int:
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


def _log_start(log: EventLog, options: RunOptions, prepared: Prepared, folder: RunFolder) -> None:
    log.append(
        EventKind.START,
        START_S,
        f"{prepared.robot.config.name} with {prepared.policy.contract.name}, mission {prepared.mission.name}",
        {
            "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "mode": options.mode,
            "operator": AutoOperator.kind,
            "seed": options.seed,
            "hashes": dict(folder.hashes),
        },
    )
    for remark in prepared.remarks:
        log.append(EventKind.NOTE, START_S, remark)


def _cut(control: ControlCore, now_s: float) -> None:
    """Switch the motors off; whatever broke may stand in the way, and must not keep the record from being closed."""
    try:
        control.cut(now_s)
    except Exception:  # noqa: BLE001
        _LOG.exception("the motors were not told to switch off; their own command timeout does it")


def _fill_inputs(control: ControlCore) -> None:
    """What the guards cannot measure in lockstep, because it cannot happen there."""
    inputs = control.inputs
    inputs.loop_lag_mean_s = inputs.loop_lag_worst_s = 0.0
    inputs.emergency_stop = False
    inputs.operator_link_age_s = 0.0
    # The run works on what it has read; files that change meanwhile do not reach it.
    inputs.hashes_match = True


def _pacer(
    timer_s: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Callable[[float], None]:
    """Sleeps until the wall clock has gone as far as the virtual one; never tries to catch up a late cycle."""
    started_s = timer_s()

    def pace(now_s: float) -> None:
        nonlocal started_s
        late_s = timer_s() - started_s - now_s
        if late_s < 0.0:
            sleep(-late_s)
        else:
            started_s += late_s

    return pace
