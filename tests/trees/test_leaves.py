"""What single leaves do beyond their rows in the table."""

from __future__ import annotations

import numpy as np
import pytest

from supervisor.core.exchange import Request
from supervisor.core.levels import Support
from supervisor.core.moves import Move, MovePlan
from tests.trees.leaf_rows import DISARMED, change, confirm, dwell, move, settle, silence, single, think
from tests.trees.stand_ins import Bench
from trees.actions.ending import EndMission
from trees.actions.policy import RunPolicy
from trees.actions.poses import SingleJointMoves
from trees.missions.schema import Segment
from trees.values import MissionResult


def test_a_settle_that_never_ends_switches_off_and_closes_the_mission() -> None:
    bench = Bench()
    bench.tick_to_end(settle(bench), 3010)
    assert bench.outputs[-1].request is Request.DISARM
    assert bench.context.result is MissionResult.NOT_ACCEPTED


def test_half_way_between_supports_the_robot_is_on_neither() -> None:
    bench = Bench()
    bench.context.support = Support.GANTRY
    silence(bench)
    bench.tick(change(bench))
    assert bench.context.support is None


def test_a_second_question_is_not_answered_by_the_first_answer() -> None:
    bench = Bench()
    leaf = confirm(bench)
    assert bench.tick(leaf) == "success"
    silence(bench)
    assert bench.tick(leaf) == "running"
    assert len({prompt.key for prompt in bench.operator.asked}) == 2


def test_end_of_a_mission_that_was_never_armed_is_a_refusal() -> None:
    bench = Bench()
    bench.tick(EndMission(MissionResult.NOT_ACCEPTED, bench.context), arming=DISARMED)
    assert bench.context.result is MissionResult.REFUSED


def test_the_first_result_of_a_mission_stands() -> None:
    bench = Bench()
    bench.context.finish(MissionResult.INTERRUPTED)
    bench.tick(EndMission(MissionResult.COMPLETED, bench.context))
    assert bench.context.result is MissionResult.INTERRUPTED


def test_move_to_pose_begins_at_the_measured_pose_and_keeps_its_speed() -> None:
    bench = Bench()
    bench.run(move(bench), 2.0)
    poses = np.array([output.proposal.command.position_rad[0] for output in bench.outputs if output.proposal])
    assert poses[0] == 0.0
    assert poses[-1] == pytest.approx(0.4)
    assert np.abs(np.diff(poses)).max() / 0.02 <= 1.0 + 1e-9


def test_single_joint_moves_follow_the_plan_and_name_every_phase() -> None:
    bench = Bench()
    bench.run(single(bench), 2.0)
    assert list(dict.fromkeys(bench.judge.labels)) == [
        "gantry/settle", "gantry/baseline", "gantry/hip+/out", "gantry/hip+/hold", "gantry/hip+/measure",
        "gantry/hip+/back", "gantry/hip+/rest",
    ]  # fmt: skip
    assert bench.judge.labels.count("gantry/hip+/measure") == 5
    poses = np.array([o.proposal.command.position_rad for o in bench.outputs if o.proposal])
    assert poses[:, 0].max() == pytest.approx(0.6)
    assert np.ptp(poses[:, 1]) == 0.0


def test_phases_that_are_no_multiple_of_a_tick_do_not_add_up_to_a_delay() -> None:
    bench = Bench()
    bench.judge.plan = MovePlan((Move("hip", 0.2, Support.GANTRY),) * 20, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05)
    assert bench.run(single(bench), 10.0) == pytest.approx(0.05 * (2 + 20 * 5), abs=0.02)


def test_the_other_support_makes_the_other_moves() -> None:
    bench = Bench()
    bench.run(SingleJointMoves(Support.LOWERED, bench.context, bench.motion), 2.0)
    assert "lowered/knee-/measure" in bench.judge.labels
    assert not any("hip" in label for label in bench.judge.labels)


def test_watching_the_policy_proposes_nothing_and_trips_no_policy_guard() -> None:
    bench = Bench()
    bench.run(think(bench), 1.0)
    assert all(output.proposal is None and not output.policy.is_active for output in bench.outputs)
    assert all(health.is_active for health in bench.judge.healths)


def test_a_schedule_is_followed_in_fractions_of_the_policys_range() -> None:
    bench = Bench()
    schedule = (
        Segment("forward", {"vx_m_per_s": 0.66}, 2.0),
        Segment("back", {"forward": -0.5, "lateral": 0.5}, 2.0),
        Segment("stop", {}, 2.0),
    )
    bench.run(RunPolicy(1.0, dwell(), schedule, bench.context, bench.motion), 10.0)
    seen = [tuple(command) for command in bench.judge.commands if command is not None]
    assert list(dict.fromkeys(seen)) == [(0.0, 0.0), (0.66, 0.0), (-0.25, 0.2)]
    assert list(dict.fromkeys(bench.judge.labels)) == ["approach", "forward", "back", "stop"]
    assert bench.judge.labels.count("forward") == 100
