"""What goes over the link after a tick, and the stage's clock."""

from __future__ import annotations

import numpy as np
import pytest

from supervisor.core.exchange import Knobs, Request
from supervisor.core.report import Criterion
from tests.trees.stand_ins import TICK_S, Bench, make_command, make_snapshot
from trees.context import MissionContext
from trees.values import MissionResult, StageHead

HEAD = StageHead(
    "ramp_10", "ramp", Knobs(0.1, 0.8, 0.6), 40.0, True, {"tilt": 0.5}, (Criterion("tilt_max_rad", "<=", 0.2, "r"),)
)


def begin(bench: Bench) -> MissionContext:
    bench.context.begin_tick(make_snapshot(bench.robot), bench.now_s)
    bench.now_s += TICK_S
    return bench.context


def test_an_output_carries_the_stage_and_its_limits() -> None:
    bench = Bench()
    context = begin(bench)
    context.mission_limit_s = 900.0
    context.enter_stage(HEAD)
    begin(bench)
    output = context.take_output()
    assert (output.stage, output.knobs, output.guard_limits) == ("ramp_10", Knobs(0.1, 0.8, 0.6), {"tilt": 0.5})
    assert (output.stage_limit_s, output.mission_limit_s) == (40.0, 900.0)
    assert (output.stage_elapsed_s, output.mission_elapsed_s) == pytest.approx((TICK_S, TICK_S))
    assert output.needs_motion
    assert output.tick == 2


def test_without_a_stage_nothing_is_in_force() -> None:
    output = begin(Bench()).take_output()
    assert (output.stage, output.guard_limits, output.needs_motion, output.proposal) == ("", {}, False, None)
    assert output.stage_limit_s == float("inf")


def test_a_proposal_lives_for_one_tick() -> None:
    bench = Bench()
    context = begin(bench)
    context.enter_stage(HEAD)
    context.propose(make_command(np.ones(2)), "MoveToPose")
    proposal = context.take_output().proposal
    assert proposal is not None
    assert (proposal.origin, proposal.stage, proposal.tick, proposal.stamp_s) == ("MoveToPose", "ramp_10", 1, 0.0)
    assert begin(bench).take_output().proposal is None


def test_a_request_is_an_edge() -> None:
    bench = Bench()
    context = begin(bench)
    context.request(Request.INVENTORY)
    assert (context.take_output().request, context.take_output().request_number) == (Request.INVENTORY, 1)
    begin(bench)
    assert context.take_output().request_number == 1
    context.request(Request.INVENTORY)
    assert context.take_output().request_number == 2


def test_waiting_for_a_person_does_not_count_against_the_stage() -> None:
    bench = Bench()
    context = begin(bench)
    context.enter_stage(HEAD)
    for _ in range(100):
        context.wait("operator: confirm")
        begin(bench)
    assert context.stage_elapsed_s == 0.0
    begin(bench)
    assert context.stage_elapsed_s == pytest.approx(TICK_S)
    assert context.waiting_for == ""


@pytest.mark.parametrize(
    ("tilt_rad", "is_measured", "outcome", "notes"),
    [
        (0.1, True, "passed", ()),
        (0.3, True, "failed", ("tilt_max_rad 0.3 > 0.2",)),
        (float("nan"), True, "failed", ("tilt_max_rad was not measured",)),
        (0.1, False, "failed", ()),
    ],
)
def test_a_stage_passes_only_with_every_criterion_met(
    tilt_rad: float, is_measured: bool, outcome: str, notes: tuple[str, ...]
) -> None:
    bench = Bench()
    context = begin(bench)
    context.enter_stage(HEAD)
    if is_measured:
        context.begin_measuring()
    bench.judge.values["tilt_max_rad"] = tilt_rad
    report = context.close_stage("passed")
    assert report is not None
    assert (report.outcome, report.notes) == (outcome, notes)
    assert ("ramp_10" in context.passed) == (outcome == "passed")


def test_entering_a_stage_closes_the_one_left_open_as_failed_with_its_reason() -> None:
    bench = Bench()
    context = begin(bench)
    context.enter_stage(HEAD)
    context.record_fault("RunPolicy", "exception", "ValueError: no")
    context.enter_stage(HEAD)
    assert [(report.outcome, report.notes) for report in context.reports] == [
        ("failed", ("RunPolicy: ValueError: no",))
    ]
    assert context.failure == ""


def test_closing_no_stage_is_nothing() -> None:
    context = begin(Bench())
    assert context.close_stage("interrupted") is None
    assert context.reports == []


def test_the_first_result_stands() -> None:
    context = begin(Bench())
    context.finish(MissionResult.REFUSED)
    context.finish(MissionResult.COMPLETED)
    assert context.result is MissionResult.REFUSED


def test_prompt_keys_are_never_used_twice() -> None:
    context = begin(Bench())
    assert len({context.new_key("arm") for _ in range(10)}) == 10


def test_a_context_without_a_robot_cannot_be_ticked() -> None:
    with pytest.raises(RuntimeError, match=r"policy.step was used in a tree that was built without a robot"):
        _ = MissionContext.unwired().policy.step
