"""A whole run in real time: its processes are started, watched and ended, and what they leave is put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from supervisor.core.errors import HandrailError
from supervisor.core.shared.segment import create_folder, remove_folder
from supervisor.evidence.run_folder import RunFolder
from supervisor.runtime.closing import Closing, MissionPart
from supervisor.runtime.inputs.helm import steered_mission
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.options import RunOptions, Voice
from supervisor.runtime.preparation import Prepared
from supervisor.runtime.processes.ended import Ended
from supervisor.runtime.processes.launcher import READY_S, Launcher
from supervisor.runtime.processes.mission import MissionSetup
from supervisor.runtime.processes.plant import PlantSetup
from supervisor.runtime.processes.sabotage import KINDS
from supervisor.runtime.processes.setup import Child, Shared
from supervisor.runtime.processes.shadow_launcher import ShadowLauncher, guest
from supervisor.runtime.progress import Progress
from supervisor.runtime.served_robot import served_config
from supervisor.runtime.shadow_mission import as_shadow
from supervisor.runtime.state_folder import latch_path
from trees.values import MissionResult

PLANT: Final = "plant"
"""Folder of the simulated robot, in that of the run's memory."""

BELOW_CONTROL: Final = 10
"""How far the plant's priority is below that of control: the physics of a real robot does not wait for a processor."""


def run_in_processes(
    options: RunOptions,
    prepared: Prepared,
    folder: RunFolder,
    tick_cycles: int,
    progress: Progress,
    interrupts: Interrupts,
) -> Closing:
    """Run a mission to its end, in processes of their own.

    Args:
        options: What was asked for.
        prepared: What was read.
        folder: The run's folder; its log is begun and closed.
        tick_cycles: Control cycles per mission tick.
        progress: Where to show how it goes.
        interrupts: Ctrl-C and SIGTERM.
    """
    is_shadow = options.voice is not Voice.COMMANDS
    if is_shadow:
        prepared = as_shadow(prepared)
    memory = create_folder()
    try:
        ended = _run(options, prepared, folder, tick_cycles, progress, interrupts, memory)
    except HandrailError as error:
        # A process that could not start: nothing was energised.
        progress.message(0.0, str(error))
        ended = Ended(mission=MissionPart(result=MissionResult.REFUSED), refusal=str(error))
    finally:
        remove_folder(memory)
    last = ended.last
    if is_shadow and last is not None:
        # The summary's stop is the first that would have been, wherever the shadow is now.
        last = replace(last, stop=ended.first_stop)
    return Closing(
        options=options,
        prepared=prepared,
        folder=folder,
        control=ended.control,
        mission=ended.mission,
        last=last,
        was_interrupted=ended.was_interrupted,
        failure=ended.failure,
        refusal=ended.refusal,
    )


def _run(
    options: RunOptions,
    prepared: Prepared,
    folder: RunFolder,
    tick_cycles: int,
    progress: Progress,
    interrupts: Interrupts,
    memory: Path,
) -> Ended:
    robot, remarks = prepared.robot.config, list[str]()
    if options.voice is Voice.NOTHING:
        robot, remarks = guest(robot)
    latch = latch_path(options, robot.name)
    shared = Shared(robot, prepared.robot.safety, memory, folder.path, None, latch, options.voice)
    others: dict[str, Child] = {}
    try:
        if options.at is not None:
            shared = _on_served(shared, options.at.absolute())
        elif options.mode == "sim":
            others["plant"] = _start_plant(options, prepared, memory / PLANT)
            shared = _on_served(shared, memory / PLANT)
        mission = MissionSetup(
            shared,
            options.robot,
            options.policy,
            options.mission,
            tick_cycles * robot.control_period_s,
            has_stand_in=options.mode == "sim",
            faults=prepared.faults,
        )
        if options.voice is not Voice.COMMANDS:
            return ShadowLauncher(shared, mission, progress, interrupts, remarks).run()
        # Where nothing outlives the run, the guardian's latch does not either.
        state = folder.path if latch is None else latch.parent
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        limit_s = prepared.mission.timeout_s
        steered = steered_mission(prepared.mission, prepared.policy)
        return Launcher(
            shared, mission, progress, interrupts, limit_s, others=others, state=state, steered=steered
        ).run()
    finally:
        for child in others.values():
            child.end()
            child.wait(READY_S)


def _on_served(shared: Shared, plant: Path) -> Shared:
    """The same on a simulated robot that another process serves.

    Raises:
        BusError: None is served there, or another one.
    """
    served = served_config(shared.robot, plant, listens=shared.voice is Voice.NOTHING)
    # Its stop input is a real one, and must not stop, or be waited for by, a simulated robot.
    return replace(shared, robot=replace(served, emergency_stop=None), plant=plant)


def _start_plant(options: RunOptions, prepared: Prepared, folder: Path) -> Child:
    """Start the simulated robot, and wait until it can be reached.

    Raises:
        RefusedError: It cannot be simulated.
    """
    priority = prepared.robot.config.realtime.fifo_priority
    setup = PlantSetup(
        prepared.robot,
        folder,
        options.seed,
        prepared.faults,
        options.variation,
        process_faults=tuple(KINDS),
        fifo_priority=max(priority - BELOW_CONTROL, 0),
    )
    plant = Child("plant", "supervisor.runtime.processes.plant", setup)
    try:
        plant.wait_ready(READY_S)
    except BaseException:
        plant.end()
        plant.wait(READY_S)
        raise
    return plant
