"""The policy's rate, gain and hand-over, and who carries the robot while somebody waits."""

from __future__ import annotations

import numpy as np
import pytest

from supervisor.core.levels import ArmingState
from tests.trees.stand_ins import TICK_S, Bench, FakePolicy, make_command, make_snapshot
from trees.motion import GAIN_RAMP_S, HANDOVER_S, Motion


def drive(bench: Bench, motion: Motion, ticks: int, gain: float = 1.0) -> list[float]:
    """Let the policy drive; the first joint's targets, NaN in ticks without a proposal."""
    found: list[float] = []
    command = np.array([0.3, 0.0])
    for _ in range(ticks):
        bench.context.begin_tick(make_snapshot(bench.robot), bench.now_s)
        motion.policy(command, gain, "test")
        proposal = bench.context.proposal
        found.append(proposal.command.position_rad[0] if proposal else float("nan"))
        bench.outputs.append(bench.context.take_output())
        bench.now_s += TICK_S
    return found


@pytest.mark.parametrize(("period_s", "steps"), [(0.02, 50), (0.04, 25), (0.1, 10), (0.03, 34)])
def test_the_policy_is_stepped_at_its_own_rate(period_s: float, steps: int) -> None:
    bench = Bench()
    bench.policy.period_s = period_s
    drive(bench, bench.motion, 50)
    assert len(bench.policy.steps) == pytest.approx(steps, abs=1)


def test_between_two_steps_the_last_targets_are_proposed_with_the_age_they_have() -> None:
    bench = Bench()
    bench.policy.period_s = 0.1
    drive(bench, bench.motion, 10)
    ages = [round(o.stamp_s - o.proposal.stamp_s, 9) for o in bench.outputs if o.proposal]
    assert ages == [0.0, 0.02, 0.04, 0.06, 0.08] * 2


def test_the_gain_comes_up_smoothly_from_zero_and_arrives() -> None:
    bench = Bench()
    drive(bench, bench.motion, 60)
    gains = np.array([gain for _, _, gain in bench.policy.steps])
    assert gains[0] == 0.0
    assert gains[-1] == 1.0
    assert (np.diff(gains) >= 0.0).all()
    assert np.diff(gains).max() <= 1.875 / GAIN_RAMP_S * TICK_S + 1e-9


def test_a_new_gain_starts_from_the_one_before() -> None:
    bench = Bench()
    drive(bench, bench.motion, 60, 0.5)
    drive(bench, bench.motion, 60, 0.75)
    gains = [gain for _, _, gain in bench.policy.steps]
    assert gains[59] == 0.5
    assert gains[60] == 0.5
    assert 0.5 < gains[75] < 0.75
    assert gains[-1] == 0.75
    assert bench.policy.resets == 1


def test_the_policy_takes_over_from_the_command_in_force_without_a_jump() -> None:
    bench = Bench()
    bench.context.begin_tick(make_snapshot(bench.robot), 0.0)
    bench.motion.pose(np.array([-0.5, 0.0]), "test")
    bench.now_s += TICK_S
    targets = drive(bench, bench.motion, 60)
    assert targets[0] == -0.5
    assert np.abs(np.diff(targets)).max() < 0.08
    assert targets[-1] == pytest.approx(0.9)
    assert HANDOVER_S <= 60 * TICK_S


def test_after_an_interruption_the_policy_starts_afresh_from_what_the_gate_applies() -> None:
    bench = Bench()
    drive(bench, bench.motion, 60)
    for _ in range(5):
        bench.context.begin_tick(make_snapshot(bench.robot), bench.now_s)
        bench.now_s += TICK_S
    bench.policy.steps.clear()
    bench.context.begin_tick(make_snapshot(bench.robot, applied=make_command(np.array([0.2, 0.2]))), bench.now_s)
    bench.motion.policy(np.zeros(2), 1.0, "test")
    proposal = bench.context.proposal
    assert proposal is not None
    assert proposal.command.position_rad[0] == 0.2
    assert bench.policy.steps[0][2] == 0.0
    assert bench.policy.resets == 2


def test_an_unusable_output_ages_the_last_targets() -> None:
    bench = Bench()
    drive(bench, bench.motion, 5)
    bench.policy.is_usable = False
    drive(bench, bench.motion, 5)
    stamps = [o.proposal.stamp_s for o in bench.outputs if o.proposal]
    assert stamps[4:] == [stamps[4]] * 6


def test_the_policys_health_is_published_while_it_drives_and_only_then() -> None:
    bench = Bench()
    drive(bench, bench.motion, 2)
    bench.context.begin_tick(make_snapshot(bench.robot), bench.now_s)
    bench.motion.pose(np.zeros(2), "test")
    assert [o.policy.is_active for o in bench.outputs] == [True, True]
    assert bench.context.take_output().policy.is_active is False


def test_keeping_goes_on_with_the_policy_at_zero_command() -> None:
    bench = Bench()
    drive(bench, bench.motion, 60, 0.5)
    bench.context.begin_tick(make_snapshot(bench.robot), bench.now_s)
    bench.motion.keep("Wait")
    _, command, gain = bench.policy.steps[-1]
    assert (command.tolist(), gain) == ([0.0, 0.0], 0.5)


def test_keeping_holds_the_applied_pose_before_anything_was_proposed() -> None:
    bench = Bench()
    bench.context.begin_tick(make_snapshot(bench.robot, applied=make_command(np.array([0.1, -0.1]))), 0.0)
    bench.motion.keep("Wait")
    proposal = bench.context.proposal
    assert proposal is not None
    assert proposal.command.position_rad.tolist() == [0.1, -0.1]
    assert proposal.command.kp_nm_per_rad.tolist() == [35.0, 35.0]


@pytest.mark.parametrize("arming", [state for state in ArmingState if state is not ArmingState.RUNNING])
def test_keeping_proposes_nothing_unless_proposals_are_followed(arming: ArmingState) -> None:
    bench = Bench()
    bench.context.begin_tick(make_snapshot(bench.robot, arming=arming), 0.0)
    bench.motion.keep("Wait")
    assert bench.context.proposal is None


def test_a_policy_slower_than_told_is_not_hurried_afterwards() -> None:
    bench = Bench()
    bench.policy = FakePolicy(0.04)
    bench.context.policy = bench.policy
    drive(bench, bench.motion, 4)
    bench.now_s += 1.0
    drive(bench, bench.motion, 4)
    gaps = np.diff([now_s for now_s, _, _ in bench.policy.steps])
    assert gaps.min() >= 0.02 - 1e-9
