"""The mission's process: the tree and the policy. It may be slow, stopped or killed: control goes on without it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from drivers.null_buses import NullBuses
from drivers.plant_memory import PlantMemory
from drivers.robot_io import RobotIO
from drivers.sim.fault_kinds import NO_FAULTS, POLICY_FAULTS, Fault, FaultScript, PolicySlow
from drivers.sim.faults import START, FaultInjector, kinds_of
from drivers.sim.policy_faults import FaultyPolicy, SlowedPolicy
from supervisor.core.clock import WallClock
from supervisor.core.exchange import Snapshot
from supervisor.core.levels import ArmingState
from supervisor.core.ports import Operator, Prompt
from supervisor.diagnosis.judge import StageJudge
from supervisor.evidence.events import EventKind
from supervisor.evidence.timing import DurationHistogram
from supervisor.runtime.closing import MissionPart, mission_part
from supervisor.runtime.inherited import InheritedStop
from supervisor.runtime.mission import MissionCore
from supervisor.runtime.operator import AutoOperator, answer_text
from supervisor.runtime.options import Voice
from supervisor.runtime.preparation import Prepared, prepare
from supervisor.runtime.processes.setup import Orphanage, Shared, guarded, leave_part, receive, say, say_ready
from supervisor.runtime.realtime.pacing import Pacer
from supervisor.runtime.realtime.scheduling import freeze_garbage, take_share
from supervisor.runtime.shadow_mission import Bystander, Pardon, as_shadow
from supervisor.runtime.shared.desk import SharedOperator
from supervisor.runtime.shared.links import MissionLink
from supervisor.runtime.shared.memory import Health, Note, RunMemory, opened
from supervisor.runtime.shared.steering import steered_ask
from supervisor.runtime.steering_record import SteeringRecord
from supervisor.runtime.timed_policy import TimedPolicy
from supervisor.runtime.witness import Witness
from trees.context import MissionContext, MissionResult
from trees.missions.root import create_root

FINISHED: Final = 1
"""In the number of the mission's health: the tree has ended, and the robot is at rest or was never on."""

NICENESS: Final = -10
"""A tick that is late costs a stage; the control loop does not mind."""

LEAF_DEADLINE_TICKS: Final = 2.5
"""One leaf may take so long before it counts as hung: shorter than a proposal may be old."""

SHADOW_LEAF_DEADLINE_S: Final = 1.0
"""The same in a run that commands nothing: it gives way to who drives the robot, which must not end its mission."""

_FIRST_SNAPSHOT_S: Final = 0.002


@dataclass(frozen=True, slots=True)
class MissionSetup:
    """What the mission process is to do.

    Attributes:
        shared: What every process needs.
        robot_name, policy_name, mission_name: As the user gave them: names or paths.
        tick_s: Period of the tree.
        faults: What goes wrong, and when; of it the policy's faults are carried out here. None for nothing.
        has_stand_in: Whether a stand-in answers for the operator; simulation only.
    """

    shared: Shared
    robot_name: str
    policy_name: str
    mission_name: str
    tick_s: float
    has_stand_in: bool
    faults: FaultScript | None = None


class MissionLoop:
    """Ticks a mission at its rate until it is over.

    Args:
        setup: What to do.
        prepared: What was read.
        memory: The run's shared memory.
        plant: The simulated plant, None on a robot.
    """

    def __init__(self, setup: MissionSetup, prepared: Prepared, memory: RunMemory, plant: PlantMemory | None) -> None:
        robot = setup.shared.robot
        self._setup, self._prepared, self._memory, self._plant = setup, prepared, memory, plant
        self._link = MissionLink(memory, robot)
        self._injector = FaultInjector(setup.faults or NO_FAULTS)
        is_spoiled = bool(kinds_of(self._injector.script.faults, POLICY_FAULTS))
        policy = SlowedPolicy(prepared.policy, self._faults) if is_spoiled else prepared.policy
        self._policy = TimedPolicy(policy, deadline_s=prepared.policy.period_s)
        self._driving = FaultyPolicy(self._policy, robot, self._faults_but_slow) if is_spoiled else self._policy
        self._judge = StageJudge(
            robot, prepared.policy.command_names, prepared.signature, prepared.policy.tracked_ratio
        )
        self._is_shadow = setup.shared.voice is not Voice.COMMANDS
        self._pardon = Pardon(self._link)
        self._begin()
        self._inherited = InheritedStop(self._operator)
        self._witness = Witness()
        self._ticks = DurationHistogram()
        self._steering = SteeringRecord()
        self._stage = ""
        self._has_moved = False
        self._told_faults = self._told_reports = 0
        self._last: Snapshot | None = None
        self.is_told_to_end = False

    def _begin(self) -> None:
        """A mission, from the beginning."""
        self._operator, self._tick_operator = self._make_operator()
        self._context = MissionContext(
            self._setup.shared.robot,
            self._driving,
            self._judge,
            self._operator,
            pilot=self._memory.wish,
            timer_s=time.monotonic,
            leaf_deadline_s=SHADOW_LEAF_DEADLINE_S if self._is_shadow else LEAF_DEADLINE_TICKS * self._setup.tick_s,
        )
        self._root = create_root(self._context, self._prepared.mission, self._prepared.robot.safety)
        self._core = MissionCore(self._root, self._context, self._link)

    def _begin_again(self) -> None:
        """Another mission after one that was interrupted; what was measured and asked so far stays."""
        self._core.stop()
        reports, number = self._context.reports, self._context.request_number
        self._begin()
        self._context.reports, self._context.request_number = reports, number
        self._told_faults = 0

    def _make_operator(self) -> tuple[Operator, Callable[[float], None]]:
        if self._is_shadow:
            bystander = AutoOperator(self._link, Bystander(), self._note_answer)
            return bystander, bystander.tick
        if self._setup.has_stand_in and self._plant is not None:
            stand_in = AutoOperator(self._link, self._plant, self._note_answer, SharedOperator(self._memory))
            return stand_in, stand_in.tick
        return SharedOperator(self._memory), _nothing

    def _faults(self, now_s: float) -> Sequence[Fault]:
        """The faults of the script that are in force."""
        self._injector.update(now_s)
        return self._injector.active

    def _faults_but_slow(self, now_s: float) -> Sequence[Fault]:
        """The same, but those whose time has been taken already."""
        return [fault for fault in self._faults(now_s) if not isinstance(fault, PolicySlow)]

    def _note_answer(self, prompt: Prompt, now_s: float) -> None:
        self._note(EventKind.OPERATOR, now_s, f"operator: {prompt.text}", {"press": prompt.action.value})
        say({"message": answer_text(prompt), "time_s": now_s})

    def _note(self, kind: EventKind, now_s: float, text: str, data: Mapping[str, Any] | None = None) -> None:
        self._memory.mission_notes.post(Note(kind.value, now_s, text, data or {}))

    def on_signal(self, number: int, frame: object) -> None:
        """End after this tick."""
        del number, frame
        self.is_told_to_end = True

    def run(self) -> None:
        """Until the mission is over, or until told to end."""
        orphanage = Orphanage(self._memory.control, self._setup.shared.starter)
        while self._link.snapshot() is None and not (self.is_told_to_end or orphanage.is_alone):
            time.sleep(_FIRST_SNAPSHOT_S)
        self._injector.enter_stage(START, time.monotonic())
        pacer = Pacer(self._setup.tick_s)
        while not (self.is_told_to_end or orphanage.is_alone):
            self._tick(pacer.wait())

    def _tick(self, now_s: float) -> None:
        snapshot = self._link.snapshot()
        if snapshot is None:
            return  # Overtaken while it was read: the next one will be whole.
        self._last = snapshot
        self._has_moved = self._has_moved or snapshot.arming is ArmingState.RUNNING
        self._tick_operator(now_s)
        if self._inherited.holds(snapshot, now_s):
            self._memory.mission.write(Health(now_s, True, 0))
            return
        self._witness.look(snapshot, self._context)
        started_s = time.perf_counter()
        output = self._core.tick(now_s)
        self._ticks.add(time.perf_counter() - started_s)
        self._tell(now_s)
        if output is not None and output.stage != self._stage:
            self._stage = output.stage
            self._injector.enter_stage(output.stage, now_s)
            if self._plant is not None:
                self._plant.enter_stage(output.stage)
        goes_on = self._goes_on(snapshot, now_s)
        is_off = snapshot.is_at_rest or (snapshot.arming is ArmingState.DISARMED and snapshot.stop is None)
        is_finished = self._context.is_finished and is_off and not goes_on
        self._memory.mission.write(Health(now_s, not self._core.failure, FINISHED if is_finished else 0))

    def _goes_on(self, snapshot: Snapshot, now_s: float) -> bool:
        """Whether the judging goes on although a mission was interrupted: the stop only would have been."""
        if not self._is_shadow:
            return False
        if self._pardon.look(snapshot, now_s):
            return True
        result = self._context.result
        # One that was refused later than the first finds the robot in the midst of something: it may not stay so.
        is_again = result is MissionResult.INTERRUPTED or (result is MissionResult.REFUSED and self._has_moved)
        if is_again and snapshot.stop is None:
            self._begin_again()
            return True
        return False

    def _tell(self, now_s: float) -> None:
        """What the tree has against itself or a stage, for the record."""
        context = self._context
        for fault in context.faults[self._told_faults :]:
            self._note(EventKind.NOTE, now_s, f"leaf {fault.leaf}: {fault.kind}: {fault.text}")
        for report in context.reports[self._told_reports :]:
            if report.outcome != "passed" and report.notes:
                self._note(EventKind.NOTE, now_s, f"stage {report.name} {report.outcome}: {'; '.join(report.notes)}")
        if context.steered is not None:
            self._memory.steered.write(steered_ask(context.steered, now_s))
            for text, data in self._steering.look(context.steered, now_s):
                self._note(EventKind.OPERATOR, now_s, text, data)
        self._told_faults, self._told_reports = len(context.faults), len(context.reports)

    def part(self) -> MissionPart:
        """What is left of it."""
        self._core.stop()
        robot = self._setup.shared.robot
        part = mission_part(
            self._context,
            self._judge,
            self._witness,
            self._prepared,
            self._last,
            RobotIO(robot, NullBuses()).fault_name,
            self._root,
            policy_us=self._policy.durations.percentiles(),
            tree_us=self._ticks.percentiles(),
            failure=self._core.failure,
            has_moved=self._has_moved,
        )
        if self._is_shadow and part.result is MissionResult.REFUSED:
            # Silence has a cause that no diagnosis knows: nobody drives the robot. The refusal names it.
            part = replace(part, diagnosis=())
        return part


def _nothing(now_s: float) -> None:
    """A person needs no ticks."""
    del now_s


def run_mission_process(setup: MissionSetup) -> None:
    """Run a mission.

    Raises:
        HandrailError: A file cannot be used, or the shared memory cannot be opened.
    """
    shared = setup.shared
    prepared = prepare(setup.robot_name, setup.policy_name, setup.mission_name, WallClock())
    plant = None if shared.plant is None else PlantMemory(shared.plant, create=False)
    if shared.voice is not Voice.COMMANDS:
        # The simulated robot is told of stages, and moved, by who drives it.
        prepared, plant = as_shadow(prepared), None
    with opened(shared.memory, shared.robot, shared.safety) as memory:
        loop = MissionLoop(setup, prepared, memory, plant)
        signal.signal(signal.SIGTERM, loop.on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        freeze_garbage()
        say_ready("mission", [take_share(NICENESS)])
        try:
            loop.run()
        finally:
            leave_part(loop.part())


def main() -> int:
    """Entry point of the process."""
    setup: MissionSetup = receive(sys.stdin.buffer)
    return guarded(lambda: run_mission_process(setup))


if __name__ == "__main__":
    sys.exit(main())
