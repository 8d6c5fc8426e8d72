"""When a run ends, what an interrupt does, and the faults of the supervisor itself; every part is a stand-in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.core.clock import VirtualClock
from supervisor.core.exchange import MissionOutput, Snapshot
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.runtime.link import MemoryLink
from supervisor.runtime.lockstep import CUT_S, OVERTIME_S, LockstepRun, Loops
from supervisor.runtime.progress import SilentProgress
from tests.trees.stand_ins import Bench, make_snapshot, make_stop
from trees.values import MissionResult

PERIOD_S = 0.002
PER_TICK = 10
OFF = make_snapshot(arming=ArmingState.DISARMED)
RUNNING = make_snapshot(arming=ArmingState.RUNNING)
RESTING = make_snapshot(arming=ArmingState.STOPPED, stop=make_stop(Level.SETTLE), is_at_rest=True)
SETTLED = make_snapshot(
    arming=ArmingState.STOPPED, stop=make_stop(Level.SETTLE, planned=True, guard="mission"), is_at_rest=True
)


class World:
    """Keeps what it is told; `faults` are those in force."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.times: list[float] = []
        self.faults: list[Any] = []

    def enter_stage(self, name: str, now_s: float) -> None:
        self.stages.append(name)

    def advance_to(self, now_s: float) -> None:
        self.times.append(now_s)

    def faults_in_force(self, now_s: float) -> list[Any]:
        return self.faults


class Control:
    """Shows the snapshots of a script, the last one for ever, and settles when it is told to stop or cut."""

    def __init__(self, link: MemoryLink) -> None:
        self.link = link
        self.script: list[Snapshot] = [RUNNING]
        self.obeys = True
        self.inputs = SimpleNamespace(clock_step_s=0.0)
        self.recording_fails = False
        self.pressed: list[OperatorAction] = []
        self.cycles = 0

    def step(self, now_s: float) -> Snapshot:
        self.cycles += 1
        actions = list(self.link.take_actions())
        self.pressed += actions
        if actions and self.obeys:
            self.script = [RESTING]
        snapshot = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.link.post_snapshot(snapshot)
        return snapshot


class Mission:
    """Counts ticks and finishes when the test says so."""

    def __init__(self) -> None:
        self.context = Bench().context
        self.ticks = 0
        self.finish_after = 10**9
        self.stage = "stand"

    def tick(self, now_s: float) -> MissionOutput:
        self.ticks += 1
        if self.ticks >= self.finish_after:
            self.context.finish(MissionResult.COMPLETED)
        return MissionOutput(self.ticks, now_s, stage=self.stage)


class Case:
    """A run of stand-ins."""

    def __init__(self) -> None:
        self.link = MemoryLink()
        self.world = World()
        self.control = Control(self.link)
        self.mission = Mission()
        self.counts: list[int] = []
        self.notes: list[str] = []
        self.journal = SimpleNamespace(
            observe=lambda *_: None, observe_mission=lambda *_: None, note=lambda now_s, text: self.notes.append(text)
        )
        self.operator_ticks: list[float] = []

    def interrupts(self) -> Any:
        return SimpleNamespace(take=lambda: self.counts.pop(0) if self.counts else 0)

    def run(self, limit_s: float = 5.0) -> LockstepRun:
        loops = Loops(
            clock=VirtualClock(), world=self.world, control=self.control, mission=self.mission,
            operator=SimpleNamespace(tick=self.operator_ticks.append), link=self.link, journal=self.journal,
            progress=SilentProgress(), control_period_s=PERIOD_S, cycles_per_tick=PER_TICK, mission_limit_s=limit_s,
        )  # type: ignore[arg-type]  # fmt: skip
        run = LockstepRun(loops, self.interrupts())
        self.last = run.run()
        return run


def test_a_finished_mission_at_rest_ends_the_run_in_its_tick() -> None:
    case = Case()
    case.control.script = [RUNNING] * 25 + [SETTLED]
    case.mission.finish_after = 4
    run = case.run()
    assert case.last is SETTLED
    assert (case.mission.ticks, case.control.cycles) == (4, 3 * PER_TICK + 1)
    assert case.operator_ticks == pytest.approx([0.0, 0.02, 0.04, 0.06])
    assert case.world.times == pytest.approx([PERIOD_S * (i + 1) for i in range(30)])
    assert case.world.stages == ["start", "stand"]
    assert (run.has_moved, run.was_interrupted, run.ran_out_of_time) == (True, False, False)
    assert len(run.tick_durations) == 4


def test_a_planned_rest_before_the_mission_has_ended_does_not_end_the_run() -> None:
    case = Case()
    case.control.script = [SETTLED]
    case.mission.finish_after = 6
    case.run()
    assert case.mission.ticks == 6


def test_a_stop_that_has_come_to_rest_ends_the_run_whatever_the_mission_thinks() -> None:
    case = Case()
    case.control.script = [RUNNING] * 15 + [RESTING]
    run = case.run()
    assert case.last is RESTING
    assert (case.mission.ticks, run.has_moved) == (3, True)


def test_a_robot_that_never_ran_has_not_moved() -> None:
    case = Case()
    case.control.script = [OFF]
    case.mission.finish_after = 2
    assert not case.run().has_moved


def test_an_interrupt_while_the_motors_are_off_ends_the_run_at_once_and_presses_nothing() -> None:
    case = Case()
    case.control.script = [OFF]
    case.counts = [0, 1]
    run = case.run()
    assert run.was_interrupted
    assert (case.mission.ticks, case.control.pressed, case.notes) == (2, [], ["interrupted: stop"])


@pytest.mark.parametrize(
    ("counts", "pressed"),
    [
        ([1], [OperatorAction.STOP]),
        ([0, 1, 0, 1], [OperatorAction.STOP, OperatorAction.CUT]),
        ([2], [OperatorAction.CUT]),
        ([1, 1, 1], [OperatorAction.STOP, OperatorAction.CUT, OperatorAction.CUT]),
    ],
)
def test_the_first_interrupt_stops_and_the_next_one_cuts(counts: list[int], pressed: list[OperatorAction]) -> None:
    case = Case()
    case.control.obeys = False
    case.control.script = [RUNNING] * 60 + [RESTING]
    case.counts = counts
    assert case.run().was_interrupted
    assert case.control.pressed == pressed
    assert case.last is RESTING


def test_a_run_that_takes_too_long_is_cut_once() -> None:
    case = Case()
    run = case.run(limit_s=-OVERTIME_S + 0.1)
    assert run.ran_out_of_time
    assert case.control.pressed == [OperatorAction.CUT]


def test_a_stalled_mission_is_not_ticked_and_goes_on_afterwards() -> None:
    case = Case()
    case.world.faults = [SimpleNamespace(kind="mission_stalled")]
    case.control.script = [RUNNING] * 55 + [RESTING]
    case.run()
    assert case.mission.ticks == 0


def test_a_killed_mission_is_never_ticked_and_the_run_ends_when_the_motors_are_off() -> None:
    case = Case()
    case.world.faults = [SimpleNamespace(kind="mission_killed")]
    case.control.script = [OFF]
    case.run()
    assert case.mission.ticks == 0


@pytest.mark.parametrize("kind", ["recorder_blocked", "disk_full"])
def test_faults_of_the_recorder_and_the_clock_reach_the_control_loop(kind: str) -> None:
    case = Case()
    case.world.faults = [SimpleNamespace(kind=kind), SimpleNamespace(kind="clock_step", step_s=0.7)]
    case.control.script = [RESTING]
    case.run()
    assert case.control.recording_fails
    assert case.control.inputs.clock_step_s == 0.7


def test_what_the_script_does_is_told_once() -> None:
    case = Case()
    case.world.faults = [SimpleNamespace(kind="push"), SimpleNamespace(kind="frames_dropped")]
    case.control.script = [RUNNING] * 55 + [RESTING]
    case.mission.finish_after = 4
    case.run()
    assert case.notes == ["fault script: frames_dropped begins", "fault script: push begins"]


def test_motors_that_never_say_they_are_off_do_not_keep_the_run_from_ending() -> None:
    case = Case()
    case.control.obeys = False
    run = case.run(limit_s=1.0)
    assert run.ran_out_of_time
    assert case.control.pressed == [OperatorAction.CUT]
    assert case.world.times[-1] == pytest.approx(1.0 + OVERTIME_S + CUT_S, abs=PERIOD_S * 2 * PER_TICK)
