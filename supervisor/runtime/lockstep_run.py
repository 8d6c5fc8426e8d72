"""A whole run in one thread on a virtual clock: the simulated robot, as fast as the machine allows."""

from __future__ import annotations

import logging

from drivers.robot_io import RobotIO
from drivers.sim.world import SimulatedWorld
from supervisor.core.clock import VirtualClock
from supervisor.core.errors import HandrailError
from supervisor.diagnosis.judge import StageJudge
from supervisor.evidence.events import EventLog
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import RunFolder
from supervisor.runtime.closing import Closing, mission_part
from supervisor.runtime.control import ControlCore
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.journal import Journal
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.lockstep import PROCESS_FAULTS, LockstepRun, Loops
from supervisor.runtime.mission import MissionCore
from supervisor.runtime.operator import AutoOperator
from supervisor.runtime.options import RunOptions
from supervisor.runtime.parts import ControlPart
from supervisor.runtime.preparation import Prepared
from supervisor.runtime.progress import Progress
from supervisor.runtime.state_folder import latch_path
from supervisor.runtime.timed_policy import TimedPolicy
from supervisor.safety.latch_file import FileMemory
from supervisor.safety.latch_format import Clocks
from trees.context import MissionContext
from trees.missions.root import create_root

_LOG = logging.getLogger(__name__)


def make_world(options: RunOptions, prepared: Prepared, clock: VirtualClock) -> SimulatedWorld:
    """The simulated robot of a run.

    Raises:
        SimulationError: The robot, or a fault, cannot be simulated.
    """
    return SimulatedWorld(
        prepared.robot,
        seed=options.seed,
        faults=prepared.faults,
        variation=options.variation,
        process_faults=PROCESS_FAULTS,
        start_s=clock.now_s(),
    )


def run_lockstep(
    world: SimulatedWorld,
    options: RunOptions,
    prepared: Prepared,
    folder: RunFolder,
    log: EventLog,
    clock: VirtualClock,
    tick_cycles: int,
    progress: Progress,
    interrupts: Interrupts,
) -> Closing:
    """Run a mission to its end.

    Args:
        world: The simulated robot.
        options: What was asked for.
        prepared: What was read.
        folder: The run's folder.
        log: Its events.
        clock: Stands at the beginning.
        tick_cycles: Control cycles per mission tick.
        progress: Where to show how it goes.
        interrupts: Ctrl-C and SIGTERM.

    Raises:
        RefusedError: The wiring cannot work.
    """
    config, safety = prepared.robot.config, prepared.robot.safety
    recorder = CycleRecorder(
        folder.cycles, RecordLayout.of(config.order, safety.guards), config.name, config.control_hz
    )
    journal = Journal(log, progress)
    link = MemoryLink()
    port = RobotIO(config, world, world if config.estimator == "simulation" else None)
    policy = TimedPolicy(prepared.policy)
    path = latch_path(options, config.name)
    latch = None if path is None else FileMemory(path, config.name, Clocks(clock.now_s))
    control = ControlCore(config, safety, port, link, recorder, latch=latch)
    for note in control.notes:
        journal.note(clock.now_s(), note)
    fill_inputs(control)
    operator = AutoOperator(link, world, journal.answered)
    judge = StageJudge(config, prepared.policy.command_names, prepared.signature, prepared.policy.tracked_ratio)
    context = MissionContext(config, world.wrap_policy(policy), judge, operator)
    root = create_root(context, prepared.mission, safety)
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
        cycles_per_tick=tick_cycles,
        mission_limit_s=prepared.mission.timeout_s,
    )
    failure = ""
    run = LockstepRun(loops, interrupts)
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
    if latch is not None:
        latch.close()
    port.close()
    last = link.snapshot()
    return Closing(
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
        failure=failure or ("the run took too long" if run.ran_out_of_time and not mission.failure else ""),
    )


def _cut(control: ControlCore, now_s: float) -> None:
    """Switch the motors off; whatever broke may stand in the way, and must not keep the record from being closed."""
    try:
        control.cut(now_s)
    except Exception:  # noqa: BLE001
        _LOG.exception("the motors were not told to switch off; their own command timeout does it")


def fill_inputs(control: ControlCore) -> None:
    """What the guards cannot measure in lockstep, because it cannot happen there."""
    inputs = control.inputs
    inputs.loop_lag_mean_s = inputs.loop_lag_worst_s = 0.0
    inputs.emergency_stop = False
    inputs.operator_link_age_s = inputs.guardian_age_s = 0.0
    # The run works on what it has read; files that change meanwhile do not reach it.
    inputs.hashes_match = True
