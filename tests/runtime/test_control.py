"""One control cycle, in its order, on the shipped safety rules and a port of a few lines."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import pytest

from supervisor.core.command import Actuation, Drive
from supervisor.core.exchange import DeviceReport, Request, Snapshot
from supervisor.core.joints import JointOrder, Vector
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction
from supervisor.core.state import BusStatistics, MotorStatus, RobotState
from supervisor.evidence.changes import Change
from supervisor.runtime.control import STATISTICS_CYCLES, ControlCore
from supervisor.runtime.link import MemoryLink
from supervisor.safety.decision import Decision
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import COUNT, PERIOD_S, ROBOT, SAFETY, make_healthy, make_output, make_state

DEVICES = tuple(DeviceReport(name, "can0", True, (), {}) for name in ROBOT.order)


class Port:
    """All motors answer in the next cycle and do as they are told."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.order: JointOrder = ROBOT.order
        self.damping_maximum_nm_s_per_rad = np.full(COUNT, 5.0)
        self.status = np.full(COUNT, int(MotorStatus.DISABLED))
        self.written: list[Actuation] = []
        self.sends: list[float] = []
        self.inventory_steps = 3
        self.statistics_calls = 0
        self.error: Exception | None = None

    def read(self, now_s: float) -> RobotState:
        if self.error is not None:
            raise self.error
        self.log.append("read")
        return make_state(now_s, len(self.written), motor_status=self.status.copy())

    def write(self, actuation: Actuation, now_s: float) -> None:
        self.log.append("write")
        self.written.append(actuation)
        if actuation.drive is Drive.ENABLE:
            self.status[:] = MotorStatus.ENABLED
        elif actuation.drive is Drive.DISABLE:
            self.status[:] = MotorStatus.DISABLED

    def inventory(self, now_s: float) -> Generator[None, float, tuple[DeviceReport, ...]]:
        def ask() -> Generator[None, float, tuple[DeviceReport, ...]]:
            for _ in range(self.inventory_steps):
                self.sends.append((yield))
            return DEVICES

        generator = ask()
        next(generator)
        return generator

    def statistics(self) -> Mapping[str, BusStatistics]:
        self.statistics_calls += 1
        return {"can0": BusStatistics(sent=self.statistics_calls)}

    def fault_name(self, joint: int, code: int) -> str:
        return str(code)

    def close(self) -> None:
        return


class Row(NamedTuple):
    """What one cycle leaves."""

    number: int
    state: RobotState
    given: GuardInputs
    presses: Sequence[OperatorAction]
    decision: Decision
    proposed_position_rad: Vector | None
    cycle_us: float


class Recorder:
    """Keeps the rows."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.is_healthy = True
        self.rows: list[Row] = []
        self.changes: list[Change] = []

    def change(self, change: Change) -> None:
        self.changes.append(change)

    def append(self, *row: Any) -> None:
        self.log.append("record")
        self.rows.append(Row(*row))


class Link(MemoryLink):
    """Says when a snapshot is published."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self.log = log

    def post_snapshot(self, snapshot: Snapshot) -> None:
        self.log.append("publish")
        super().post_snapshot(snapshot)


class Bench:
    """A control loop that is stepped by hand."""

    def __init__(self, timer_steps_s: float = 0.0) -> None:
        self.log: list[str] = []
        self.port = Port(self.log)
        self.recorder = Recorder(self.log)
        self.link = Link(self.log)
        ticks = count()
        timer = lambda: next(ticks) * timer_steps_s  # noqa: E731
        self.core = ControlCore(ROBOT, SAFETY, self.port, self.link, self.recorder, timer)  # type: ignore[arg-type]
        make_healthy(self.core.inputs)
        self.core.inputs.inventory = ()
        self.cycle = 0
        self.requests = 0

    @property
    def now_s(self) -> float:
        return 5.0 + self.cycle * PERIOD_S

    def step(self, *actions: OperatorAction, **output: object) -> Snapshot:
        """One cycle, the mission alive unless `output` says otherwise."""
        for action in actions:
            self.link.post_action(action)
        self.requests += "request" in output
        self.link.post_output(make_output(self.now_s, self.cycle, **{"request_number": self.requests, **output}))
        snapshot = self.core.step(self.now_s)
        self.cycle += 1
        return snapshot

    def steps(self, cycles: int) -> Snapshot:
        for _ in range(cycles - 1):
            self.step()
        return self.step()

    def until(self, arming: ArmingState) -> Snapshot:
        for _ in range(1500):
            snapshot = self.step()
            if snapshot.arming is arming:
                return snapshot
        raise AssertionError(f"never {arming}: {snapshot.arming} {snapshot.refusals} {snapshot.stop}")

    def running(self) -> Snapshot:
        self.steps(20)
        self.step(request=Request.INVENTORY)
        self.steps(20)
        self.step(request=Request.DRILL)
        self.until(ArmingState.DISARMED)
        self.step(OperatorAction.ARM)
        self.until(ArmingState.ARMED)
        snapshot = self.step(OperatorAction.START)
        assert snapshot.arming is ArmingState.RUNNING, snapshot.refusals
        return snapshot


def test_every_cycle_reads_then_writes_once_then_publishes_then_records() -> None:
    bench = Bench()
    bench.steps(30)
    assert bench.log == ["read", "write", "publish", "record"] * 30


def test_the_snapshot_is_the_newest_measurement_and_what_was_written() -> None:
    bench = Bench()
    snapshot = bench.running()
    assert bench.link.snapshot() is snapshot
    assert snapshot.state.now_s == pytest.approx(bench.now_s - PERIOD_S)
    assert snapshot.applied is bench.port.written[-1].command
    assert bench.port.written[-1].drive is Drive.COMMAND
    assert [reading.id for reading in snapshot.board] == [row.id for row in SAFETY.guards]


def test_what_is_recorded_is_what_was_measured_judged_proposed_and_written() -> None:
    bench = Bench()
    snapshot = bench.running()
    row = bench.recorder.rows[-1]
    assert row.state is snapshot.state
    assert row.given is bench.core.inputs
    assert row.decision.board is snapshot.board
    assert row.decision.actuation is bench.port.written[-1]
    assert row.decision.arming is ArmingState.RUNNING
    output = bench.link.output()
    assert output is not None
    assert output.proposal is not None
    assert row.proposed_position_rad is output.proposal.command.position_rad
    assert [row.number for row in bench.recorder.rows] == list(range(bench.cycle))


def test_presses_are_recorded_with_the_decision_they_led_to() -> None:
    bench = Bench()
    bench.steps(3)
    bench.step(OperatorAction.STOP, OperatorAction.RESET)
    bench.step()
    bench.core.cut(bench.now_s)
    presses = [tuple(row.presses) for row in bench.recorder.rows]
    assert presses == [(), (), (), (OperatorAction.STOP, OperatorAction.RESET), (), (OperatorAction.CUT,)]


def test_without_a_mission_nothing_is_proposed_and_nothing_energised() -> None:
    bench = Bench()
    for _ in range(50):
        bench.core.step(bench.now_s)
        bench.cycle += 1
    assert {actuation.drive for actuation in bench.port.written} <= {Drive.POLL, Drive.DISABLE}
    assert bench.recorder.rows[-1].proposed_position_rad is None


def test_an_inventory_is_carried_on_by_one_step_in_every_cycle() -> None:
    bench = Bench()
    bench.steps(5)
    asked_s = bench.now_s
    assert bench.step(request=Request.INVENTORY).inventory == ()
    assert bench.port.sends == []
    for done in (1, 2):
        assert bench.step().inventory == ()
        assert len(bench.port.sends) == done
    assert bench.step().inventory == DEVICES
    assert bench.port.sends == pytest.approx([asked_s + i * PERIOD_S for i in (1, 2, 3)])
    assert bench.steps(5).inventory == DEVICES
    assert len(bench.port.sends) == 3
    assert bench.log == ["read", "write", "publish", "record"] * bench.cycle


def test_a_new_inventory_takes_the_old_answers_away_at_once() -> None:
    bench = Bench()
    bench.step(request=Request.INVENTORY)
    assert bench.steps(5).inventory == DEVICES
    bench.step(request=Request.INVENTORY)
    assert bench.step().inventory == ()
    assert bench.steps(3).inventory == DEVICES


@pytest.mark.parametrize("whose", ["recorder", "fault"])
def test_a_recorder_that_fails_trips_its_guard(whose: str) -> None:
    bench = Bench()
    assert bench.steps(20).board.by_id()["recorder"].value is GuardValue.OK
    if whose == "recorder":
        bench.recorder.is_healthy = False
    else:
        bench.core.recording_fails = True
    snapshot = bench.step()
    assert bench.core.inputs.recorder_ok is False
    assert snapshot.board.by_id()["recorder"].value is GuardValue.VIOLATED


def test_a_recorder_that_fails_in_motion_stops_the_robot() -> None:
    bench = Bench()
    bench.running()
    bench.recorder.is_healthy = False
    bench.steps(500)
    snapshot = bench.link.snapshot()
    assert snapshot is not None
    assert snapshot.stop is not None
    assert snapshot.stop.guard == "recorder"
    assert snapshot.arming is ArmingState.STOPPED


def test_presses_reach_arming_and_refusals_come_back() -> None:
    bench = Bench()
    bench.steps(20)
    snapshot = bench.step(OperatorAction.ARM)
    assert snapshot.arming is ArmingState.DISARMED
    assert any("inventory" in reason for reason in snapshot.refusals)
    assert list(bench.link.take_actions()) == []


def test_the_buses_are_looked_at_every_tenth_cycle() -> None:
    bench = Bench()
    before = bench.port.statistics_calls
    snapshot = bench.steps(3 * STATISTICS_CYCLES)
    assert bench.port.statistics_calls - before == 3
    assert snapshot.buses["can0"].sent == bench.port.statistics_calls


def test_cycles_are_timed_and_those_longer_than_the_period_counted() -> None:
    fast, slow = Bench(PERIOD_S / 2), Bench(PERIOD_S * 1.5)
    for bench in (fast, slow):
        bench.steps(4)
        assert len(bench.core.durations) == 4
    assert (fast.core.overruns, slow.core.overruns) == (0, 4)
    assert slow.recorder.rows[-1].cycle_us == pytest.approx(PERIOD_S * 1.5e6)


def test_a_cut_switches_off_at_once_and_is_recorded_but_not_published() -> None:
    bench = Bench()
    published = bench.running()
    bench.core.cut(bench.now_s)
    assert bench.port.written[-1].drive is Drive.DISABLE
    assert bench.port.written[-1].level is Level.CUT
    assert bench.recorder.rows[-1].decision.actuation is bench.port.written[-1]
    assert bench.link.snapshot() is published


def test_a_cut_before_the_first_cycle_energises_nothing() -> None:
    bench = Bench()
    bench.core.cut(bench.now_s)
    assert {actuation.drive for actuation in bench.port.written} == {Drive.DISABLE}
    assert bench.recorder.rows == []


def test_a_mission_that_falls_silent_stops_the_robot() -> None:
    bench = Bench()
    bench.running()
    for _ in range(500):
        bench.core.step(bench.now_s)
        bench.cycle += 1
    snapshot = bench.link.snapshot()
    assert snapshot is not None
    assert snapshot.stop is not None
    assert snapshot.stop.guard == "proposal_age"


def test_a_cycle_without_a_proposal_still_commands_something_finite() -> None:
    bench = Bench()
    bench.running()
    snapshot = bench.step(proposal=None)
    assert bench.port.written[-1].drive is Drive.COMMAND
    assert np.isfinite(snapshot.applied.position_rad).all()
    assert bench.recorder.rows[-1].proposed_position_rad is None


def test_damping_is_bounded_by_what_the_motors_can_be_told() -> None:
    bench = Bench()
    bench.port.damping_maximum_nm_s_per_rad = np.full(COUNT, 0.5)
    greedy = replace(SAFETY, profile=replace(SAFETY.profile, damp_kd_nm_s_per_rad=4.0))
    core = ControlCore(ROBOT, greedy, bench.port, bench.link, bench.recorder)  # type: ignore[arg-type]
    assert core._safety._gate._damping.tolist() == [0.5] * COUNT
