"""The way to motors that are on, and the drill, by the whole core: what stands in the way, and what ends it."""

from __future__ import annotations

import pytest

from supervisor.core.command import Drive
from supervisor.core.exchange import DeviceReport, Request
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.state import MotorStatus
from supervisor.safety.checking import KEPT_DEADLINE_S
from supervisor.safety.power import ENABLE_DEADLINE_S
from tests.safety.bench import OFF, PERIOD_S, SAFETY, TILTED, Bench
from tests.safety.paper import Paper

ARMING = SAFETY.arming


def test_arming_lists_every_reason_at_once() -> None:
    bench = Bench()
    bench.inputs.inventory = (
        DeviceReport("fl_hip", "can0", False, (), {}),
        DeviceReport("fr_hip", "can1", True, ("TMAX 10 N·m", "old firmware"), {}),
    )
    bench.imu_changes = TILTED
    bench.inputs.recorder_ok = False
    bench.run(0.2)
    refusals = bench.press(OperatorAction.ARM).refusals
    for part in (
        "fl_hip on can0 does not answer",
        "TMAX",
        "old firmware",
        "no emergency-stop drill",
        "tilt 0.8",
        "recorder",
    ):
        assert sum(part in refusal for refusal in refusals) == 1, part
    assert len(refusals) == 6
    bench.inputs.inventory = ()
    assert "no inventory of the devices was made" in bench.press(OperatorAction.ARM).refusals
    assert set(bench.drives) <= {Drive.DISABLE, Drive.POLL}


def test_a_warning_does_not_stand_in_the_way_of_arming() -> None:
    bench = Bench()
    bench.imu_changes = {"warning": True}
    bench.armed()
    assert bench.decision.level is Level.WARN


def test_arming_waits_until_the_guards_have_been_clear_for_their_time() -> None:
    bench = Bench().drilled()
    bench.imu_changes = TILTED
    bench.run(0.1)
    bench.imu_changes = {}
    bench.step()
    pressed = bench.cycle
    assert bench.press(OperatorAction.ARM).arming is ArmingState.CHECKING
    bench.until(ArmingState.ARMED)
    assert (bench.cycle - pressed) * PERIOD_S >= ARMING.clear_s
    assert bench.decision.refusals == ()


def test_a_guard_that_fails_while_checking_refuses_with_its_reason() -> None:
    bench = Bench().drilled()
    bench.imu_changes = TILTED
    bench.run(0.1)
    bench.imu_changes = {}
    bench.step()
    bench.press(OperatorAction.ARM)
    bench.inputs.hashes_match = False
    bench.step()
    assert bench.decision.arming is ArmingState.DISARMED
    assert any("hashes" in refusal for refusal in bench.decision.refusals)


def test_a_motor_that_does_not_switch_on_refuses_arming_by_name() -> None:
    bench = Bench().drilled()
    obey = bench.obey

    def deaf() -> None:
        obey()
        bench.status[5] = MotorStatus.DISABLED

    bench.obey = deaf
    bench.press(OperatorAction.ARM)
    bench.run(ARMING.clear_s + ENABLE_DEADLINE_S + 0.1)
    assert bench.decision.arming is ArmingState.DISARMED
    assert [("fr_calf" in refusal) for refusal in bench.decision.refusals] == [True]
    assert bench.decision.actuation.drive in (Drive.DISABLE, Drive.POLL)


def test_a_trip_during_the_drill_ends_it() -> None:
    bench = Bench()
    bench.run(0.6)
    bench.step(request=Request.DRILL)
    bench.run(0.1)
    assert bench.decision.arming is ArmingState.CHECKING
    assert bench.decision.drill is None
    bench.imu_changes = TILTED
    bench.run(0.1)
    assert bench.decision.drill.problems == ("interrupted by tilt",)
    assert bench.decision.stop.guard == "tilt"


def test_a_new_drill_drops_the_proof_of_the_one_before() -> None:
    bench = Bench().drilled()
    bench.step(request=Request.DRILL)
    assert bench.decision.drill is None
    bench.until(ArmingState.DISARMED)
    assert bench.decision.drill.passed


def test_a_drill_that_fails_refuses_arming_with_its_problems() -> None:
    bench = Bench()
    bench.run(0.6)
    obey = bench.obey

    def stuck() -> None:
        was_on = bench.status[2] == MotorStatus.ENABLED
        obey()
        bench.status[2] = MotorStatus.ENABLED if was_on else bench.status[2]

    bench.obey = stuck
    bench.step(request=Request.DRILL)
    bench.run(1.0)
    assert not bench.decision.drill.passed
    bench.obey = obey
    bench.run(1.0)
    assert any("fl_calf" in reason for reason in bench.press(OperatorAction.ARM).refusals)


@pytest.mark.parametrize("way", ["drill", "arm"])
def test_nothing_is_energised_before_checking_is_on_the_disk(way: str) -> None:
    paper = Paper()
    bench = Bench(memory=paper)
    if way == "arm":
        bench.drilled()
    bench.run(ARMING.clear_s + 0.1)
    paper.is_kept = False
    begun = len(bench.drives)
    decision = bench.step(request=Request.DRILL) if way == "drill" else bench.press(OperatorAction.ARM)
    assert decision.arming is ArmingState.CHECKING
    assert paper.stored[-1].arming is ArmingState.CHECKING
    bench.run(0.9 * KEPT_DEADLINE_S)
    assert bench.decision.arming is ArmingState.CHECKING
    assert set(bench.drives[begun:]) <= OFF
    paper.is_kept = True
    bench.until(ArmingState.DISARMED if way == "drill" else ArmingState.ARMED)
    assert bench.decision.drill.passed, bench.decision.drill.problems
    assert Drive.ENABLE in bench.drives[begun:]


class LatePaper(Paper):
    """What is stored in a cycle is on the disk in the next one."""

    def __init__(self) -> None:
        self.on_disk = 0
        super().__init__()

    @property
    def is_kept(self) -> bool:
        return self.on_disk == len(self.stored)

    @is_kept.setter
    def is_kept(self, value: bool) -> None:
        """As it comes."""


def test_the_first_motor_is_switched_on_after_checking_has_arrived_on_the_disk() -> None:
    paper = LatePaper()
    bench = Bench(memory=paper)
    seen: list[tuple[Drive, ArmingState]] = []
    obey = bench.obey

    def late() -> None:
        obey()
        seen.append((bench.decision.actuation.drive, paper.stored[paper.on_disk - 1].arming))
        paper.on_disk = len(paper.stored)

    bench.obey = late
    bench.armed()
    assert {arming for drive, arming in seen if drive is Drive.ENABLE} == {ArmingState.CHECKING}
    assert [drive for drive, _ in seen].count(Drive.ENABLE) == 2


@pytest.mark.parametrize("way", ["drill", "arm"])
@pytest.mark.parametrize(
    ("problem", "told"), [("", "nobody has written it yet"), ("disk on fire", "disk on fire")], ids=["slow", "broken"]
)
def test_what_cannot_be_kept_is_refused_with_the_reason(way: str, problem: str, told: str) -> None:
    paper = Paper()
    bench = Bench(memory=paper)
    if way == "arm":
        bench.drilled()
    bench.run(ARMING.clear_s + 0.1)
    paper.is_kept, paper.problem = False, problem
    begun = bench.cycle
    if way == "drill":
        bench.step(request=Request.DRILL)
    else:
        bench.press(OperatorAction.ARM)
    bench.until(ArmingState.DISARMED)
    assert (bench.cycle - begun) * PERIOD_S == pytest.approx(KEPT_DEADLINE_S, abs=3 * PERIOD_S)
    assert bench.decision.refusals == (f"the latch is not on the disk after 1 s: {told}",)
    assert set(bench.drives[begun:]) <= OFF
    assert bench.decision.drill.passed is (way == "arm")
    assert paper.stored[-1].arming is ArmingState.DISARMED
