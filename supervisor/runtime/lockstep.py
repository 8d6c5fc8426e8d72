"""Control, mission and simulated world in one thread on one virtual clock: the same run twice is the same twice."""

from __future__ import annotations

import time
from dataclasses import dataclass

from drivers.sim.faults import FaultTeller
from drivers.sim.world import SimulatedWorld
from supervisor.core.clock import VirtualClock
from supervisor.core.exchange import Snapshot
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.ports import Link
from supervisor.evidence.timing import DurationHistogram
from supervisor.runtime.control import ControlCore
from supervisor.runtime.inherited import InheritedStop
from supervisor.runtime.interrupts import Interrupts
from supervisor.runtime.journal import Journal
from supervisor.runtime.mission import MissionCore
from supervisor.runtime.operator import AutoOperator
from supervisor.runtime.progress import Progress
from supervisor.runtime.witness import Witness

CUT_S = 10.0
"""How long motors are told to switch off when time has run out, before the run ends without their answer."""

PROCESS_FAULTS = ("mission_stalled", "mission_killed", "recorder_blocked", "disk_full", "clock_step")
"""Faults of the supervisor itself that one thread can show; the others need processes of their own."""

OVERTIME_S = 120.0
"""Beyond the mission's own limit: long enough for every level to run its course."""


@dataclass(slots=True)
class Loops:
    """Everything that takes part in a run.

    Attributes:
        clock: Moved by the run, a control period at a time.
        world: The simulated robot.
        control: The control loop.
        mission: The mission loop.
        operator: The stand-in.
        link: Between them.
        journal: Writes the events.
        progress: Shows how it goes.
        control_period_s: Duration of a control cycle.
        cycles_per_tick: Control cycles per mission tick.
        mission_limit_s: The mission's own limit.
    """

    clock: VirtualClock
    world: SimulatedWorld
    control: ControlCore
    mission: MissionCore
    operator: AutoOperator
    link: Link
    journal: Journal
    progress: Progress
    control_period_s: float
    cycles_per_tick: int
    mission_limit_s: float


class LockstepRun:
    """Runs the loops until the mission is over and the robot at rest.

    Args:
        loops: What takes part.
        interrupts: Ctrl-C and SIGTERM.
    """

    def __init__(self, loops: Loops, interrupts: Interrupts) -> None:
        self._loops = loops
        self._interrupts = interrupts
        self._inherited = InheritedStop(loops.operator)
        self._teller = FaultTeller()
        self._stage = ""
        self._is_mission_alive = True
        self._is_mission_stalled = False
        self.witness = Witness()
        self.tick_durations = DurationHistogram()
        self.has_moved = False
        self.was_interrupted = False
        self.ran_out_of_time = False

    def run(self) -> Snapshot:
        """Run to the end.

        Returns:
            The last snapshot: motors off.
        """
        loops = self._loops
        limit_s = loops.clock.now_s() + loops.mission_limit_s + OVERTIME_S
        cycle = 0
        loops.world.enter_stage("start", loops.clock.now_s())
        while True:
            now_s = loops.clock.now_s()
            snapshot = loops.control.step(now_s)
            loops.journal.observe(snapshot, now_s)
            if cycle % loops.cycles_per_tick == 0:
                self._tick(snapshot, now_s)
                if self._is_over(snapshot):
                    return snapshot
                if now_s > limit_s and not self.ran_out_of_time:
                    self.ran_out_of_time = True
                    loops.link.post_action(OperatorAction.CUT)
                if now_s > limit_s + CUT_S:
                    return snapshot  # Cut in every cycle since, and still not seen to be off: no more can be done.
            loops.clock.advance(loops.control_period_s)
            loops.world.advance_to(loops.clock.now_s())
            cycle += 1

    def _tick(self, snapshot: Snapshot, now_s: float) -> None:
        """What happens at the mission's rate."""
        loops = self._loops
        self.has_moved = self.has_moved or snapshot.arming is ArmingState.RUNNING
        self._suffer(now_s)
        self._obey_interrupts(snapshot, now_s)
        loops.operator.tick(now_s)
        if self._inherited.holds(snapshot, now_s):
            return
        self.witness.look(snapshot, loops.mission.context)
        if self._is_mission_alive and not self._is_mission_stalled:
            started_s = time.perf_counter()
            output = loops.mission.tick(now_s)
            self.tick_durations.add(time.perf_counter() - started_s)
            if output is not None:
                loops.journal.observe_mission(output)
                if output.stage != self._stage:
                    self._stage = output.stage
                    loops.world.enter_stage(output.stage, now_s)
                left_s = output.stage_limit_s - output.stage_elapsed_s
                loops.progress.update(now_s, output.stage, loops.mission.context.waiting_for, left_s, snapshot)

    def _suffer(self, now_s: float) -> None:
        """Let the faults of the supervisor itself happen, and tell of all."""
        loops = self._loops
        active = {fault.kind: fault for fault in loops.world.faults_in_force(now_s)}
        for line in self._teller.look(active.values()):
            loops.journal.note(now_s, line)
        self._is_mission_stalled = "mission_stalled" in active
        if "mission_killed" in active:
            self._is_mission_alive = False
        loops.control.recording_fails = "recorder_blocked" in active or "disk_full" in active
        step = active.get("clock_step")
        loops.control.inputs.clock_step_s = float(getattr(step, "step_s", 0.0))

    def _obey_interrupts(self, snapshot: Snapshot, now_s: float) -> None:
        """The first interrupt settles, the next one cuts."""
        count = self._interrupts.take()
        if not count:
            return
        action = OperatorAction.CUT if self.was_interrupted or count > 1 else OperatorAction.STOP
        self.was_interrupted = True
        self._loops.journal.note(now_s, f"interrupted: {action.value}")
        if snapshot.arming is not ArmingState.DISARMED:
            self._loops.link.post_action(action)

    def _is_over(self, snapshot: Snapshot) -> bool:
        """Nothing is energised any more, and nothing will be."""
        is_off = snapshot.is_at_rest or (snapshot.arming is ArmingState.DISARMED and snapshot.stop is None)
        if not is_off:
            return False
        stop = snapshot.stop
        stopped = stop is not None and not stop.planned and not stop.awaits_reset
        ended = self._loops.mission.context.is_finished or not self._is_mission_alive
        return stopped or ended or self.was_interrupted or self.ran_out_of_time
