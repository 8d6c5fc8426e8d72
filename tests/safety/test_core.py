"""The whole core, cycle by cycle, on the shipped rules."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from supervisor.core.command import Drive
from supervisor.core.exchange import Request
from supervisor.core.guard import Persistence
from supervisor.core.levels import ArmingState, GuardValue, Level, OperatorAction
from supervisor.core.state import MotorStatus
from supervisor.safety.core import SILENT_TIMEOUTS
from tests.safety.bench import (
    COUNT,
    DEFAULT,
    KP,
    PERIOD_S,
    REST,
    ROBOT,
    SAFETY,
    TILTED,
    Bench,
    drives,
    with_rows,
)

PROFILE, ARMING = SAFETY.profile, SAFETY.arming


def test_a_clean_run_goes_through_all_states_and_ends_at_rest() -> None:
    bench = Bench().running()
    bench.run(1.0)
    assert np.allclose(bench.decision.actuation.command.position_rad, DEFAULT)
    assert bench.decision.stop is None
    bench.step(request=Request.SETTLE)
    stop = bench.decision.stop
    assert (bench.decision.arming, stop.level, stop.planned, stop.guard) == (
        ArmingState.STOPPED, Level.SETTLE, True, "mission",
    )  # fmt: skip
    assert not bench.decision.is_at_rest
    bench.run(4.0)
    assert bench.decision.is_at_rest
    assert np.allclose(bench.position, REST, atol=1e-3)
    assert bench.decision.stop.planned
    assert bench.drives[-1] is Drive.DISABLE
    bench.press(OperatorAction.RESET)
    assert bench.decision.arming is ArmingState.DISARMED
    assert bench.decision.stop is None


def test_nothing_is_energised_before_drill_or_arming() -> None:
    bench = Bench()
    bench.run(2.0)
    assert set(bench.drives) == {Drive.DISABLE, Drive.POLL}
    assert bench.decision.is_at_rest


def test_a_motor_left_on_by_somebody_is_switched_off() -> None:
    bench = Bench()
    bench.run(0.1)
    bench.status[3] = MotorStatus.ENABLED
    assert bench.step().actuation.drive is Drive.DISABLE
    bench.run(0.1)
    assert bench.decision.actuation.drive is Drive.POLL


def test_armed_holds_the_measured_pose_with_the_robots_gains() -> None:
    bench = Bench().armed()
    for decision in bench.run(0.2):
        assert np.allclose(decision.actuation.command.position_rad, REST, atol=1e-9)
        assert np.array_equal(decision.actuation.command.kp_nm_per_rad, KP)


def test_an_armed_robot_that_is_not_started_settles_and_switches_off() -> None:
    safety = replace(SAFETY, arming=replace(ARMING, start_timeout_s=1.0))
    bench = Bench(safety).armed()
    bench.run(0.9)
    assert bench.decision.arming is ArmingState.ARMED
    bench.run(2.0)
    assert bench.decision.stop.guard == "start_timeout"
    assert bench.decision.stop.planned
    assert bench.decision.is_at_rest


def test_stop_and_cut_of_the_operator() -> None:
    bench = Bench().running()
    assert bench.press(OperatorAction.STOP).stop.level is Level.SETTLE
    assert bench.decision.actuation.drive is Drive.COMMAND
    assert bench.press(OperatorAction.CUT).actuation.drive is Drive.DISABLE
    assert (bench.decision.stop.guard, bench.decision.stop.level) == ("operator", Level.CUT)
    assert drives(bench.run(1.0)) == {Drive.DISABLE}


def test_hold_and_resume_of_the_operator() -> None:
    bench = Bench().running()
    assert bench.press(OperatorAction.HOLD).stop.level is Level.HOLD
    bench.target = DEFAULT + 0.1
    bench.run(1.0)
    assert np.allclose(bench.position, DEFAULT, atol=1e-6)
    assert bench.press(OperatorAction.RESUME).arming is ArmingState.RUNNING
    assert bench.decision.stop is None
    bench.run(0.2)
    assert np.allclose(bench.position, DEFAULT + 0.1)


def test_leftovers_from_before_the_start_are_not_followed() -> None:
    bench = Bench().armed()
    bench.target = DEFAULT
    bench.is_mission_alive = False
    bench.press(OperatorAction.START)
    bench.run(0.05)
    assert np.allclose(bench.position, REST, atol=1e-9)


def test_hold_falls_to_settle_when_nobody_comes() -> None:
    bench = Bench().running()
    bench.is_mission_alive = False
    bench.run(0.2)
    assert (bench.decision.stop.guard, bench.decision.stop.level) == ("proposal_age", Level.HOLD)
    assert bench.decision.stop.time_s - bench.output.stamp_s == pytest.approx(0.07, abs=PERIOD_S + 1e-9)
    bench.run(PROFILE.hold_timeout_s)
    assert bench.decision.stop.level is PROFILE.hold_falls_to
    assert bench.decision.stop.first_level is Level.HOLD
    bench.run(5.0)
    assert bench.decision.is_at_rest


def test_a_held_trip_needs_reset_and_start() -> None:
    bench = Bench().running()
    bench.output_changes = {"policy": replace(bench.output.policy, is_finite=False)}
    bench.run(0.1)
    assert bench.decision.stop.guard == "action_finite"
    assert bench.press(OperatorAction.RESET).refusals
    bench.output_changes = {"policy": replace(bench.output.policy, is_active=False)}
    bench.run(1.0)
    assert bench.press(OperatorAction.RESUME).refusals
    assert bench.press(OperatorAction.START).refusals
    assert bench.press(OperatorAction.RESET).arming is ArmingState.ARMED
    assert bench.decision.actuation.drive is Drive.COMMAND
    assert bench.press(OperatorAction.START).arming is ArmingState.RUNNING


def test_a_damped_trip_needs_reset_arm_and_start() -> None:
    bench = Bench().running()
    bench.imu_changes = TILTED
    bench.run(PROFILE.damp_duration_s + 0.2)
    assert bench.decision.is_at_rest
    assert any("tilt" in reason for reason in bench.press(OperatorAction.RESET).refusals)
    bench.imu_changes = {}
    bench.run(0.2)
    assert any("must be clear" in reason for reason in bench.press(OperatorAction.RESET).refusals)
    bench.run(0.6)
    assert bench.press(OperatorAction.START).refusals
    assert bench.press(OperatorAction.RESET).arming is ArmingState.DISARMED
    assert bench.press(OperatorAction.START).refusals
    bench.press(OperatorAction.ARM)
    bench.until(ArmingState.ARMED)
    assert bench.press(OperatorAction.START).arming is ArmingState.RUNNING


def test_presses_in_one_cycle_do_not_skip_the_checks() -> None:
    bench = Bench().drilled()
    bench.press(OperatorAction.ARM, OperatorAction.START)
    assert bench.decision.arming in (ArmingState.CHECKING, ArmingState.DISARMED)


def again(bench: Bench) -> Bench:
    """From DISARMED to RUNNING, the drill being done."""
    bench.press(OperatorAction.ARM)
    bench.until(ArmingState.ARMED)
    bench.press(OperatorAction.START)
    bench.run(0.1)
    return bench


def test_the_third_trip_of_one_cause_is_never_reset() -> None:
    bench = Bench()
    for _ in range(3):
        bench = bench.running() if bench.decision.drill is None else again(bench)
        bench.imu_changes = TILTED
        bench.run(PROFILE.damp_duration_s + 0.2)
        bench.imu_changes = {}
        bench.run(1.0)
        bench.press(OperatorAction.RESET)
    assert bench.decision.stop.level is Level.TERMINAL
    assert "TERMINAL" in bench.decision.refusals[0]


def test_a_cause_that_is_never_cleared_is_not_reset() -> None:
    bench = Bench().running()
    bench.inputs.hashes_match = False
    bench.run(5.0)
    bench.inputs.hashes_match = True
    bench.run(1.0)
    assert bench.press(OperatorAction.RESET).refusals == ("hashes is never cleared in this process",)


def test_the_emergency_stop_latches_in_every_state() -> None:
    for prepare in (Bench, Bench().drilled, Bench().armed, Bench().running):
        bench = prepare()
        bench.run(0.1)
        bench.inputs.emergency_stop = True
        decision = bench.step()
        assert (decision.stop.guard, decision.level) == ("emergency_stop", Level.CUT)
        assert drives(bench.run(0.5)) == {Drive.DISABLE}
        bench.inputs.emergency_stop = False
        assert drives(bench.run(0.5)) == {Drive.DISABLE}


def test_a_trip_while_disarmed_only_stands_in_the_way() -> None:
    bench = Bench()
    bench.imu_changes = TILTED | {"warning": True}
    bench.run(0.3)
    assert bench.decision.stop is None
    assert bench.decision.board.level is Level.DAMP
    assert bench.decision.level is Level.WARN
    assert bench.decision.arming is ArmingState.DISARMED


def test_the_drill_is_refused_under_power_and_under_the_stop_button() -> None:
    bench = Bench().armed()
    bench.step(request=Request.DRILL)
    assert not bench.decision.drill.passed
    assert "disarmed" in bench.decision.refusals[0]
    bench = Bench(with_rows(emergency_stop={"persistence": Persistence(100, 100)}))
    bench.inputs.emergency_stop = True
    bench.run(0.01)
    bench.step(request=Request.DRILL)
    assert bench.decision.drill.problems == ("DRILL needs the emergency stop released",)
    assert set(bench.drives) <= {Drive.DISABLE, Drive.POLL}


def test_the_drill_is_refused_while_a_latching_guard_is_tripped() -> None:
    bench = Bench()
    bench.run(0.6)
    bench.imu_changes = TILTED
    bench.run(0.1)
    already = len(bench.drives)
    bench.step(request=Request.DRILL)
    bench.run(0.1)
    assert bench.decision.drill.problems == ("DRILL needs the guards OK; tripped: tilt",)
    assert bench.decision.arming is ArmingState.DISARMED
    assert bench.decision.stop is None
    assert set(bench.drives[already:]) == {Drive.POLL}


def test_requests_of_the_mission_are_edges() -> None:
    bench = Bench()
    assert bench.step(request=Request.INVENTORY).inventory_requested
    assert not any(decision.inventory_requested for decision in bench.run(0.2))
    assert bench.step(request=Request.CLEAR_FAULTS).actuation.drive is Drive.CLEAR_FAULT
    assert Drive.CLEAR_FAULT not in drives(bench.run(0.2))


@pytest.mark.parametrize("request_", [Request.INVENTORY, Request.CLEAR_FAULTS])
def test_what_needs_motors_off_is_refused_under_power(request_: Request) -> None:
    bench = Bench().running()
    decision = bench.step(request=request_)
    assert "motors that are off" in decision.refusals[0]
    assert not decision.inventory_requested
    assert decision.actuation.drive is Drive.COMMAND


def test_settle_and_disarm_in_every_state() -> None:
    bench = Bench().drilled()
    bench.step(request=Request.SETTLE)
    assert bench.decision.arming is ArmingState.DISARMED
    bench.imu_changes = TILTED
    bench.run(0.1)
    bench.imu_changes = {}
    for request in (Request.SETTLE, Request.DISARM):
        bench.run(0.01)
        bench.press(OperatorAction.ARM)
        assert bench.decision.arming is ArmingState.CHECKING
        assert bench.step(request=request).arming is ArmingState.DISARMED
    bench = Bench().armed()
    assert bench.step(request=Request.DISARM).actuation.drive is Drive.DISABLE
    assert bench.decision.arming is ArmingState.DISARMED
    bench = Bench().running()
    bench.press(OperatorAction.HOLD)
    assert bench.step(request=Request.SETTLE).stop.level is Level.SETTLE
    assert bench.step(request=Request.DISARM).actuation.drive is Drive.DISABLE


def test_without_any_mission_the_armed_robot_holds_and_the_running_one_stops() -> None:
    bench = Bench()
    bench.armed()
    bench.output, bench.is_mission_alive = None, False
    assert bench.step().actuation.drive is Drive.COMMAND
    bench.press(OperatorAction.START)
    bench.run(0.08)
    assert bench.decision.stop.guard == "proposal_age"


def test_motors_that_went_silent_are_off_after_their_own_timeout() -> None:
    bench = Bench().running()
    now_s = bench.now_s
    bench.state_changes = {
        "motor_stamp_s": np.full(COUNT, now_s), "motor_status": np.full(COUNT, int(MotorStatus.ENABLED)),
    }  # fmt: skip
    bench.press(OperatorAction.CUT)
    bench.run(SILENT_TIMEOUTS * ROBOT.motor_timeout_s - 0.01)
    assert not bench.decision.is_at_rest
    bench.run(0.03)
    assert bench.decision.is_at_rest


def test_a_broken_guard_board_leads_to_the_unknown_level_in_the_same_cycle(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # A library that sets up logging in another test turns off every logger that it does not know.
    monkeypatch.setattr(logging.getLogger("supervisor.safety.core"), "disabled", False)
    bench = Bench().running()

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(bench.core._evaluator, "evaluate", broken)
    decision = bench.step()
    assert (decision.level, decision.arming) == (PROFILE.unknown, ArmingState.STOPPED)
    assert decision.stop.guard == "internal_error"
    assert decision.actuation.drive is Drive.COMMAND
    assert decision.actuation.command.kp_nm_per_rad.max() == 0.0
    assert {reading.value for reading in decision.board} == {GuardValue.NOT_EVALUATED}
    assert bench.run(PROFILE.damp_duration_s + 0.1)[-1].actuation.drive is Drive.DISABLE
    assert len(caplog.records) == 1
    monkeypatch.undo()
    assert drives(bench.run(0.5)) == {Drive.DISABLE}


@pytest.mark.parametrize("broken", ["state", "output", "actions"])
def test_inputs_of_the_wrong_type_lead_to_the_unknown_level_and_energise_nothing(broken: str) -> None:
    bench = Bench()
    inputs, output, actions = bench.inputs, None, ()
    if broken == "state":
        inputs.state = None
    elif broken == "output":
        output = "no output"
    else:
        actions = (object(), None)
    decision = bench.core.step(inputs, actions, output, bench.now_s)
    assert (decision.stop is None) is (broken == "actions")
    assert decision.actuation.drive in (Drive.DISABLE, Drive.POLL)


def test_settle_that_cannot_be_done_falls_to_damp() -> None:
    bench = Bench(with_rows(motor_age={"level": Level.WARN, "clear": "automatic"}))
    bench.running()
    bench.press(OperatorAction.STOP)
    bench.run(0.1)
    bench.state_changes = {"motor_stamp_s": np.full(COUNT, bench.now_s)}
    bench.run(0.1)
    assert bench.decision.stop.level is PROFILE.settle_falls_to


@pytest.mark.parametrize("status", [MotorStatus.DISABLED, MotorStatus.FAULT])
def test_hold_with_a_motor_off_falls_through_at_once(status: MotorStatus) -> None:
    safety = with_rows(
        motor_disabled={"level": Level.WARN, "clear": "automatic"},
        motor_fault={"level": Level.WARN, "clear": "automatic"},
    )
    bench = Bench(safety).running()
    bench.press(OperatorAction.HOLD)
    bench.status[4] = status
    bench.step()
    bench.step()
    assert bench.decision.stop.level is PROFILE.settle_falls_to
