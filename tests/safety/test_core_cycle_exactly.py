"""What the core makes of one cycle: what it tells the guards, the level in force, what the gate is given."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.command import Actuation, Drive
from supervisor.core.exchange import GateCounts, Knobs, Request
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.state import MotorStatus
from supervisor.safety.core import SILENT_TIMEOUTS, SafetyCore
from tests.safety.bench import (
    COUNT,
    DEFAULT,
    PERIOD_S,
    ROBOT,
    SAFETY,
    START_S,
    TILTED,
    Bench,
    make_healthy,
    make_output,
    make_state,
)  # fmt: skip

WARNED = {"warning": True}


def stepped(bench: Bench, *actions: OperatorAction) -> tuple[Actuation, ArmingState]:
    """One cycle, and what was in force before it, which is what its guards should be told."""
    before = bench.decision
    bench.step(*actions)
    return before.actuation, before.arming


def is_told(
    bench: Bench, before: tuple[Actuation, ArmingState], *, expects_power: bool, running_since_s: float
) -> bool:
    """Whether the inputs of the newest cycle are those of a robot in that state."""
    inputs, (actuation, arming) = bench.inputs, before
    return (
        inputs.applied is (actuation.command if expects_power else None)
        and inputs.expects_power is expects_power
        and inputs.arming is arming
        and inputs.running_since_s == running_since_s
        and inputs.output is bench.output
        and inputs.now_s == START_S + (bench.cycle - 1) * PERIOD_S
    )


def test_the_guards_are_told_what_is_in_force_in_every_state() -> None:
    bench = Bench()
    assert is_told(bench, stepped(bench), expects_power=False, running_since_s=math.inf)
    bench.run(0.02)
    bench.step(request=Request.DRILL)
    while bench.decision.actuation.drive is not Drive.COMMAND:
        assert is_told(bench, stepped(bench), expects_power=False, running_since_s=math.inf)
    assert is_told(bench, stepped(bench), expects_power=False, running_since_s=math.inf)
    bench.until(ArmingState.DISARMED)
    bench.press(OperatorAction.ARM)
    bench.until(ArmingState.ARMED)
    assert is_told(bench, stepped(bench), expects_power=True, running_since_s=math.inf)
    started_s = bench.now_s
    assert is_told(bench, stepped(bench, OperatorAction.START), expects_power=True, running_since_s=started_s)
    assert is_told(bench, stepped(bench), expects_power=True, running_since_s=started_s)
    assert is_told(bench, stepped(bench, OperatorAction.HOLD), expects_power=True, running_since_s=started_s)
    assert is_told(bench, stepped(bench), expects_power=True, running_since_s=started_s)
    bench.run(0.6)
    assert is_told(bench, stepped(bench, OperatorAction.RESET), expects_power=True, running_since_s=math.inf)
    assert bench.decision.arming is ArmingState.ARMED
    started_s = bench.now_s
    assert is_told(bench, stepped(bench, OperatorAction.START), expects_power=True, running_since_s=started_s)
    assert is_told(bench, stepped(bench, OperatorAction.STOP), expects_power=True, running_since_s=started_s)
    assert is_told(bench, stepped(bench), expects_power=True, running_since_s=started_s)
    bench.press(OperatorAction.CUT)
    assert is_told(bench, stepped(bench), expects_power=False, running_since_s=started_s)


def test_the_first_decision_says_that_nothing_has_happened() -> None:
    decision = Bench().decision
    assert (decision.arming, decision.level, decision.refusals) == (ArmingState.DISARMED, Level.NONE, ())
    assert (decision.stop, decision.drill, decision.inventory_requested) == (None, None, False)
    assert decision.inventory_requested is False
    assert isinstance(decision.gate, GateCounts)
    assert decision.actuation.drive is Drive.DISABLE
    assert decision.is_at_rest is True


@pytest.mark.parametrize("changes", [{}, WARNED], ids=["well", "warned"])
def test_the_level_in_force_is_that_of_the_guards_in_every_state(changes: dict[str, object]) -> None:
    level = Level.WARN if changes else Level.NONE
    bench = Bench()
    bench.imu_changes = changes
    bench.run(0.6)
    assert bench.decision.level is bench.decision.actuation.level is level
    assert bench.step(request=Request.CLEAR_FAULTS).actuation.drive is Drive.CLEAR_FAULT
    assert bench.decision.level is bench.decision.actuation.level is level
    bench.armed()
    assert bench.step().level is bench.decision.actuation.level is level
    bench.press(OperatorAction.START)
    assert bench.step().level is bench.decision.actuation.level is level


@pytest.mark.parametrize("changes", [{}, WARNED], ids=["well", "warned"])
def test_what_would_stop_a_running_robot_is_no_level_of_one_that_is_off(changes: dict[str, object]) -> None:
    bench = Bench()
    bench.imu_changes = TILTED | changes
    bench.run(0.3)
    assert bench.decision.board.level is Level.DAMP
    assert bench.decision.level is bench.decision.actuation.level is (Level.WARN if changes else Level.NONE)
    assert bench.decision.stop is None


def largest_step_rad(knobs: Knobs) -> float:
    """Of the targets of a running robot whose mission suddenly wants another pose, from cycle to cycle."""
    bench = Bench().running()
    bench.output_changes = {"knobs": knobs}
    bench.target = DEFAULT + 0.3
    positions = [decision.actuation.command.position_rad for decision in bench.run(0.04)]
    return float(np.abs(np.diff(positions, axis=0)).max())


def test_the_gate_is_given_what_the_stage_turns_down() -> None:
    whole, half = largest_step_rad(Knobs(1.0)), largest_step_rad(Knobs(1.0, speed_fraction=0.5))
    assert whole > 0.0
    assert half == pytest.approx(whole / 2)


def test_the_gate_is_given_the_damping_that_motors_can_be_told() -> None:
    most = np.full(COUNT, SAFETY.profile.damp_kd_nm_s_per_rad / 2)
    bench = Bench()
    bench.core = SafetyCore(ROBOT, SAFETY, most)
    bench.running()
    bench.imu_changes = TILTED
    bench.until(ArmingState.STOPPED)
    np.testing.assert_array_equal(bench.decision.actuation.command.kd_nm_s_per_rad, most)


def test_a_request_that_has_no_number_is_none() -> None:
    core = SafetyCore(ROBOT, SAFETY)
    inputs = core.inputs()
    make_healthy(inputs)
    inputs.state = make_state()
    output = make_output(START_S, request=Request.INVENTORY)
    assert output.request_number == 0
    assert core.step(inputs, (), output, START_S).inventory_requested is False
    assert core.step(inputs, (), replace(output, request_number=1), START_S).inventory_requested is True


def test_a_motor_that_is_on_counts_until_it_is_silent_for_longer_than_its_time() -> None:
    core = SafetyCore(replace(ROBOT, motor_timeout_s=0.25 / SILENT_TIMEOUTS), SAFETY)
    inputs = core.inputs()
    make_healthy(inputs)
    inputs.state = make_state(
        motor_stamp_s=np.full(COUNT, START_S), motor_status=np.full(COUNT, int(MotorStatus.ENABLED))
    )
    answers = [core.step(inputs, (), None, START_S + passed_s).is_at_rest for passed_s in (0.0, 0.25, 0.25 + 2.0**-10)]
    assert answers == [False, False, True]
