"""Whole shipped missions against a mocked control loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from supervisor.core.exchange import DeviceReport, Request
from supervisor.core.guard import GuardBoard
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.core.report import Criterion
from supervisor.core.safety import ArmingConfig, GateConfig, SafetyConfig, StopProfile
from supervisor.core.velocity import COMMANDS
from tests.trees.stand_ins import Bench, FakeControl, make_board, make_reading, make_row, make_stop
from trees.missions.loader import load_mission
from trees.missions.root import create_root
from trees.missions.schema import Mission
from trees.values import MissionResult

MISSIONS = Path(__file__).parents[2] / "config" / "missions"
LADDER = (
    *("preflight", "observe", "stand", "zero_action", "single_joint", "small_amplitude"),
    *("ramp_10", "ramp_25", "ramp_50", "ramp_75", "ramp_100", "rollout"),
)
ACCEPT = (Criterion("tilt_max_rad", "<=", 0.2, "a test's number"),)

SAFETY = SafetyConfig(
    schema=1,
    guards=(make_row("tilt"), make_row("joint_velocity", Level.WARN)),
    gate=GateConfig(0.0, 1.0, 1.0, 1.0, "a test's numbers"),
    profile=StopProfile(5.0, Level.SETTLE, 1.0, 5.0, Level.DAMP, 2.0, 2.0, Level.DAMP, "a test's numbers"),
    arming=ArmingConfig(0.5, 10.0),
)
ALL_OK = make_board(make_reading("tilt"), make_reading("joint_velocity", level=Level.WARN))


def on_one_metric(name: str) -> Mission:
    """A shipped mission whose criteria and commands the mocked ports know, with short segments."""
    mission = load_mission(MISSIONS / f"{name}.yaml")
    stages = [
        replace(
            stage,
            accept=ACCEPT,
            schedule=tuple(
                # Half an hour of walking would be a slow test.
                replace(
                    s, command={k: v for k, v in s.command.items() if k != "yaw"}, duration_s=min(s.duration_s, 8.0)
                )
                for s in stage.schedule
            ),
        )
        for stage in mission.stages
    ]
    return replace(mission, stages=tuple(stages))


def start(name: str = "deployment", *, rest_support: str = "ground") -> tuple[Bench, FakeControl, object]:
    bench = Bench(rest_support)
    control = FakeControl(bench)
    control.board = ALL_OK
    if name == "teleoperation":
        bench.policy.command_names = COMMANDS
        bench.policy.command_range = (np.full(3, -0.5), np.full(3, 0.5))
    return bench, control, create_root(bench.context, on_one_metric(name), SAFETY)


def run_until(control: FakeControl, root: object, stage: str, ticks_more: int = 5) -> None:
    while not control.stages or control.stages[-1] != stage:
        control.step(root)
        assert control.bench.now_s < 900.0
    for _ in range(ticks_more):
        control.step(root)


def outcomes(bench: Bench) -> Sequence[tuple[str, str]]:
    return [(report.name, report.outcome) for report in bench.context.reports]


def test_the_default_mission_climbs_the_whole_ladder_in_order() -> None:
    bench, control, root = start()
    control.run(root)
    assert bench.context.result is MissionResult.COMPLETED
    assert outcomes(bench) == [(name, "passed") for name in LADDER]
    assert bench.context.faults == []
    assert control.requests == [Request.INVENTORY, Request.DRILL, Request.SETTLE]


def test_the_default_mission_takes_less_than_two_minutes_besides_the_single_joint_moves() -> None:
    bench, control, root = start()
    control.run(root)
    assert bench.now_s < 110.0


@pytest.mark.parametrize("name", ["incremental_activation", "speed_progression", "teleoperation"])
def test_the_other_missions_complete(name: str) -> None:
    bench, control, root = start(name)
    control.run(root, limit_s=7200.0)
    assert bench.context.result is MissionResult.COMPLETED
    assert {outcome for _, outcome in outcomes(bench)} == {"passed"}


def test_incremental_activation_keeps_its_order() -> None:
    names = [stage.name for stage in load_mission(MISSIONS / "incremental_activation.yaml").stages]
    moving = [name for name in names if name not in ("preflight", "stand")]
    assert moving == ["zero_action", "small_amplitude", "single_joint", "rollout"]


def test_every_tick_of_a_running_robot_brings_a_proposal() -> None:
    bench, control, root = start()
    silent: list[tuple[str, float]] = []
    while not bench.context.is_finished:
        control.step(root)
        output = bench.outputs[-1]
        if output.needs_motion and bench.changes["arming"] is ArmingState.RUNNING and output.proposal is None:
            silent.append((output.stage, output.stamp_s))
    assert silent == []


def test_a_missing_device_refuses_before_anything_is_armed() -> None:
    bench, control, root = start()
    control.devices = (DeviceReport("knee", "can0", False, (), {}),)
    control.run(root)
    assert bench.context.result is MissionResult.REFUSED
    assert outcomes(bench) == [("preflight", "failed")]
    assert "knee on can0: does not answer" in bench.context.reports[0].notes
    assert Request.SETTLE not in control.requests
    assert all(output.proposal is None for output in bench.outputs)


def test_a_stage_that_is_not_accepted_settles_and_ends() -> None:
    bench, control, root = start()
    bench.judge.script["stand"] = [0.9] * 9
    control.run(root)
    assert bench.context.result is MissionResult.NOT_ACCEPTED
    assert outcomes(bench)[-1] == ("stand", "failed")
    assert control.requests[-1] is Request.SETTLE
    assert bench.context.reports[-1].criteria[0].value == 0.9
    assert bench.context.reports[-1].notes == ("tilt_max_rad 0.9 > 0.2",)


def test_a_retry_runs_the_stage_again() -> None:
    bench, control, root = start()
    # small_amplitude measures in windows of 2 s, up to 10 s: the approach and five windows fail.
    bench.judge.script["small_amplitude"] = [0.9] * 6
    control.run(root)
    assert [o for n, o in outcomes(bench) if n == "small_amplitude"] == ["failed", "passed"]
    assert bench.context.result is MissionResult.COMPLETED


def test_a_step_back_runs_the_last_good_stage_before_the_stage_again() -> None:
    bench, control, root = start()
    # Two attempts of four windows each and their approaches fail; the third, after the step back, passes.
    bench.judge.script["ramp_50"] = [0.9] * 10
    control.run(root)
    after = outcomes(bench)[LADDER.index("ramp_50") :]
    assert after[:5] == [
        ("ramp_50", "failed"),
        ("ramp_50", "failed"),
        ("ramp_25", "passed"),
        ("ramp_50", "passed"),
        ("ramp_75", "passed"),
    ]
    assert bench.context.result is MissionResult.COMPLETED


def test_a_tripped_guard_ends_the_mission_in_the_same_tick_and_it_never_restarts() -> None:
    bench, control, root = start()
    run_until(control, root, "ramp_25")
    control.stop = make_stop(Level.DAMP)
    control.arming = ArmingState.STOPPED
    control.step(root)
    assert bench.context.result is MissionResult.INTERRUPTED
    assert bench.outputs[-1].proposal is None
    assert bench.context.reports[-1].outcome == "interrupted"
    control.stop, control.arming = None, ArmingState.RUNNING
    for _ in range(50):
        control.step(root)
        assert bench.outputs[-1].proposal is None
    assert bench.context.result is MissionResult.INTERRUPTED


def test_a_hold_pauses_and_the_ladder_goes_on_with_the_interrupted_stage() -> None:
    bench, control, root = start()
    run_until(control, root, "ramp_25")
    passed = len(bench.context.reports)
    control.stop = make_stop(Level.HOLD)
    for _ in range(100):
        control.step(root)
        assert bench.outputs[-1].proposal is None
    assert bench.context.result is MissionResult.RUNNING
    assert "resume" in bench.context.waiting_for
    control.stop = None
    control.run(root)
    assert outcomes(bench)[passed : passed + 2] == [("ramp_25", "interrupted"), ("ramp_25", "passed")]
    assert outcomes(bench).count(("stand", "passed")) == 1
    assert bench.context.result is MissionResult.COMPLETED


def test_a_stop_before_arming_is_a_refusal() -> None:
    bench, control, root = start()
    run_until(control, root, "preflight")
    control.stop = make_stop(Level.CUT)
    control.step(root)
    assert bench.context.result is MissionResult.REFUSED


def test_a_robot_that_cannot_lie_down_is_hung_up_before_it_settles() -> None:
    bench, control, root = start(rest_support="gantry")
    control.run(root)
    assert bench.operator.asked[-1].key.startswith("changesupport_gantry")
    ground = [p.key for p in bench.operator.asked].index(
        next(p.key for p in bench.operator.asked if p.key.startswith("changesupport_ground"))
    )
    assert ground < len(bench.operator.asked) - 1


def test_the_policy_carries_the_robot_while_the_operator_lowers_it_to_the_ground() -> None:
    bench, control, root = start()
    run_until(control, root, "ramp_100", ticks_more=100)
    bench.operator.is_silent = True
    while control.stages[-1] != "rollout":
        control.step(root)
    for _ in range(500):
        control.step(root)
    output = bench.outputs[-1]
    assert output.proposal is not None
    assert output.proposal.command.position_rad[0] == pytest.approx(0.4 + 0.5 * 1.0)
    assert output.stage_elapsed_s < 1.0


def test_a_warning_does_not_end_the_mission() -> None:
    bench, control, root = start()
    warning = make_reading("joint_velocity", GuardValue.VIOLATED, tripped=True, level=Level.WARN)
    control.board = GuardBoard((make_reading("tilt"), warning), Level.WARN)
    control.run(root)
    assert bench.context.result is MissionResult.COMPLETED


def test_tracking_that_nobody_measures_is_not_judged_and_the_report_says_so() -> None:
    bench = Bench()
    control = FakeControl(bench)
    control.board = ALL_OK
    mission = on_one_metric("deployment")
    tracking = [
        Criterion(name, "<=", 0.1, "a test's number") for name in ("vx_m_per_s_error_max", "roll_rad_error_max")
    ]
    stages = [
        replace(stage, accept=(*ACCEPT, *tracking)) if stage.kind == "rollout" else stage for stage in mission.stages
    ]
    control.run(create_root(bench.context, replace(mission, stages=tuple(stages)), SAFETY))
    report = bench.context.reports[-1]
    assert report.outcome == "passed"
    assert [result.metric for result in report.criteria] == ["tilt_max_rad"]
    assert report.notes == (
        "vx_m_per_s_error_max is not judged: the robot has no estimator of its velocity",
        "roll_rad_error_max is not judged: the policy takes no roll_rad",
    )
