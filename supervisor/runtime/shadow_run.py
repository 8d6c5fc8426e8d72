"""A shadow of a simulated run, in lockstep: one supervisor drives the robot, a second one judges and says nothing."""

from __future__ import annotations

import logging
from dataclasses import replace

from drivers.robot_io import RobotIO
from drivers.sim.tap import TappedBuses
from drivers.sim.world import SimulatedWorld
from supervisor.core.clock import VirtualClock
from supervisor.core.exchange import Snapshot, Stop
from supervisor.core.levels import ArmingState
from supervisor.diagnosis.judge import StageJudge
from supervisor.evidence.events import EventLog
from supervisor.evidence.record import CycleRecorder
from supervisor.evidence.row import RecordLayout
from supervisor.evidence.run_folder import RunFolder
from supervisor.evidence.timing import Percentiles
from supervisor.runtime.closing import Closing, mission_part
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.journal import Journal
from supervisor.runtime.lockstep import OVERTIME_S
from supervisor.runtime.lockstep_supervisor import NoRecorder, Supervisor
from supervisor.runtime.options import RunOptions
from supervisor.runtime.parts import ControlPart
from supervisor.runtime.preparation import Prepared
from supervisor.runtime.progress import Progress
from supervisor.runtime.shadow_mission import Bystander, Pardon, shadow_mission, stop_that_would_be
from supervisor.runtime.shadow_port import open_shadow, shadow_safety
from supervisor.runtime.witness import Witness
from trees.context import MissionResult

_LOG = logging.getLogger(__name__)


class ShadowRun:
    """Steps both supervisors until the one that drives is over.

    Args:
        driver: Drives the robot.
        shadow: Judges.
        world: The simulated robot.
        clock: Moved by the run.
        tick_cycles: Control cycles per mission tick.
        interrupts: Ctrl-C and SIGTERM.
    """

    def __init__(
        self,
        driver: Supervisor,
        shadow: Supervisor,
        world: SimulatedWorld,
        clock: VirtualClock,
        tick_cycles: int,
        interrupts: Interrupts,
    ) -> None:
        self._driver = driver
        self._shadow = shadow
        self._world = world
        self._clock = clock
        self._tick_cycles = tick_cycles
        self._interrupts = interrupts
        self._pardon = Pardon(shadow.link)
        self.first_stop: Stop | None = None
        self.has_moved = False
        self.was_interrupted = False
        self.witness = Witness()

    def run(self, period_s: float, limit_s: float) -> None:
        """Run to the end of the mission that drives.

        Args:
            period_s: Of a control cycle.
            limit_s: At most this long.
        """
        clock, cycle = self._clock, 0
        limit_s += clock.now_s()
        while True:
            now_s = clock.now_s()
            driven = self._driver.cycle(now_s)
            snapshot = self._shadow.cycle(now_s)
            if cycle % self._tick_cycles == 0:
                if self._driver.tick(now_s):
                    self._world.enter_stage(self._driver.stage, now_s)
                self._watch(snapshot, now_s)
                self.was_interrupted = bool(self._interrupts.take())
                if self._is_over(driven) or self.was_interrupted or now_s > limit_s:
                    return
            clock.advance(period_s)
            self._world.advance_to(clock.now_s())
            cycle += 1

    def _watch(self, snapshot: Snapshot, now_s: float) -> None:
        """One tick of the shadow's mission; what stopped it is reset as soon as it may be."""
        shadow = self._shadow
        self.has_moved = self.has_moved or snapshot.arming is ArmingState.RUNNING
        self.witness.look(snapshot, shadow.context)
        shadow.tick(now_s)
        self.first_stop = self.first_stop or stop_that_would_be(snapshot)
        self._pardon.look(snapshot, now_s)
        if snapshot.stop is None and shadow.context.result is MissionResult.INTERRUPTED:
            shadow.begin_again()

    def _is_over(self, driven: Snapshot) -> bool:
        is_off = driven.is_at_rest or (driven.arming is ArmingState.DISARMED and driven.stop is None)
        return is_off and self._driver.context.is_finished


def run_shadow(
    options: RunOptions,
    prepared: Prepared,
    driving: Prepared,
    folder: RunFolder,
    log: EventLog,
    clock: VirtualClock,
    tick_cycles: int,
    progress: Progress,
    interrupts: Interrupts,
) -> Closing:
    """Let one supervisor drive the simulated robot through a mission, and another one judge it.

    Args:
        options: What was asked for.
        prepared: What the shadow judges with.
        driving: What the robot is driven with; its policy is an object of its own.
        folder: The run's folder.
        log: Its events.
        clock: Stands at the beginning.
        tick_cycles: Control cycles per mission tick.
        progress: Where to show how it goes.
        interrupts: Ctrl-C and SIGTERM.

    Raises:
        SimulationError: The robot, or a fault, cannot be simulated.
        RefusedError: The wiring cannot work.
    """
    config = prepared.robot.config
    safety = shadow_safety(prepared.robot.safety)
    prepared = replace(prepared, robot=replace(prepared.robot, safety=safety), mission=shadow_mission(prepared.mission))
    world = SimulatedWorld(
        driving.robot, seed=options.seed, faults=prepared.faults, variation=options.variation, start_s=clock.now_s()
    )
    estimator = world if config.estimator == "simulation" else None
    tap = TappedBuses(world)
    port = RobotIO(config, tap, estimator)
    recorder = CycleRecorder(
        folder.cycles, RecordLayout.of(config.order, safety.guards), config.name, config.control_hz
    )
    driver = Supervisor(driving, port, NoRecorder(), world, wrap=world.wrap_policy)
    shadow_port = open_shadow(config, tap.second, estimator, listens=True)
    shadow = Supervisor(prepared, shadow_port, recorder, Bystander(), Journal(log, progress))
    run = ShadowRun(driver, shadow, world, clock, tick_cycles, interrupts)
    failure = ""
    try:
        run.run(config.control_period_s, driving.mission.timeout_s + OVERTIME_S)
    except Exception as error:  # noqa: BLE001 - whatever broke, the record is closed
        _LOG.exception("the shadow broke")
        failure = f"{type(error).__name__}: {error}"
    shadow.mission.stop()
    recorder.close()
    shadow_port.close()
    port.close()
    last = shadow.link.snapshot()
    if last is not None:
        # The summary's stop is the first that would have been, wherever the shadow is now.
        last = replace(last, stop=run.first_stop)
    # The signature predicts the answers to our own moves, which nobody made.
    unsigned = replace(prepared, signature=None)
    part = mission_part(
        shadow.context,
        StageJudge(config, prepared.policy.command_names, None, prepared.policy.tracked_ratio),
        run.witness,
        unsigned,
        last,
        shadow_port.fault_name,
        shadow.root,
        policy_us=shadow.policy.durations.percentiles(),
        tree_us=Percentiles(),
        failure=shadow.mission.failure,
        has_moved=run.has_moved,
    )
    if part.result is not MissionResult.REFUSED:
        part = replace(part, result=MissionResult.COMPLETED)  # It lasts as long as the other one drives.
    durations = shadow.control.durations
    return Closing(
        options=options,
        prepared=prepared,
        folder=folder,
        control=ControlPart(durations.percentiles(), shadow.control.overruns, cycles=len(durations)),
        mission=part,
        last=last,
        was_interrupted=run.was_interrupted,
        failure=failure,
    )
