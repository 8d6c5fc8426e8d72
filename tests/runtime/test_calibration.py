"""Guard thresholds from runs made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.core.errors import RefusedError
from supervisor.core.guard import Persistence
from supervisor.runtime.calibration import Calibration, GuardFigures, Verdict, calibrate, ceiling_of, with_limit
from supervisor.runtime.recorded_run import RecordedRun
from tests.runtime.recordings import LIMITS, SAFETY, VELOCITY_LIMIT, make_run
from tests.safety.bench import LOADED, ROBOT

TILT = LIMITS["tilt"]
"""0.7 rad, 5 of 6 cycles, hysteresis 0.1 rad."""


def calibrated(*runs: RecordedRun, quantile: float = 0.9, margin: float = 1.3, **tilt: Any) -> Calibration:
    """Calibrate; `tilt` changes that row."""
    rows = tuple(replace(row, **tilt) if row.id == "tilt" else row for row in SAFETY.guards)
    return calibrate(ROBOT, replace(SAFETY, guards=rows), runs, quantile, margin)


def of(calibration: Calibration, guard: str) -> GuardFigures:
    return next(found for found in calibration.figures if found.row.id == guard)


def test_a_threshold_is_quantile_times_margin_over_all_runs_rounded_up() -> None:
    tilt = of(calibrated(make_run([0.3] * 100), make_run([0.4] * 100, name="second"), quantile=0.9), "tilt")
    assert tilt.readings == 200
    assert tilt.derived == pytest.approx(0.52)
    assert tilt.verdict is Verdict.TIGHTENED
    assert tilt.proposed.limit == pytest.approx(0.52)
    assert tilt.proposed.hysteresis == pytest.approx(0.1 * 0.52 / TILT, abs=1e-3)


def test_the_worst_kind_of_stage_is_what_counts_however_short_it_is() -> None:
    run = make_run([0.1] * 900 + [0.4] * 100, kinds=["stand"] * 900 + ["rollout"] * 100)
    tilt = of(calibrated(run, quantile=0.5), "tilt")
    assert tilt.quantile_by_kind == {"stand": pytest.approx(0.1), "rollout": pytest.approx(0.4)}
    assert tilt.derived == pytest.approx(0.52)


def test_only_cycles_in_motion_are_measured() -> None:
    run = make_run([0.3] * 150 + [0.69] * 100, motion=[True] * 150 + [False] * 100)
    found = calibrated(run)
    assert of(found, "tilt").largest == pytest.approx(0.3)
    assert found.cycles == 150
    assert found.hours == pytest.approx(150 / 500.0 / 3600.0)


def test_cycles_in_which_a_guard_had_nothing_to_watch_do_not_thin_out_the_quantile() -> None:
    tilt = of(calibrated(make_run([0.0] * 10_000 + [0.4] * 100)), "tilt")
    assert tilt.readings == 100
    assert tilt.derived == pytest.approx(0.52)


def test_a_fraction_is_measured_against_the_limit_of_the_joint() -> None:
    speeds = {"joint_velocity": [0.5 * VELOCITY_LIMIT] * 100}
    velocity = of(calibrated(make_run([0.3] * 100, measured=speeds)), "joint_velocity")
    assert velocity.derived == pytest.approx(0.65)
    assert velocity.verdict is Verdict.TIGHTENED


def test_too_few_readings_keep_the_row() -> None:
    tilt = of(calibrated(make_run([0.3] * 99)), "tilt")
    assert tilt.verdict is Verdict.KEPT
    assert tilt.why == "99 readings in motion, needed 100"
    assert tilt.proposed is tilt.row


def test_a_reading_that_never_reached_its_limit_keeps_the_row() -> None:
    tilt = of(calibrated(make_run([-0.3] * 100)), "tilt")
    assert tilt.verdict is Verdict.KEPT
    assert "never reached" in tilt.why


def test_no_limit_goes_below_a_third_of_what_is_declared() -> None:
    tilt = of(calibrated(make_run([0.01] * 100)), "tilt")
    assert tilt.proposed.limit == pytest.approx(TILT / 3.0, abs=1e-3)
    assert "a third" in tilt.why


def test_trips_are_counted_with_the_rows_persistence() -> None:
    four, five = [0.3] * 100 + [0.8] * 4 + [0.3] * 100, [0.3] * 100 + [0.8] * 5 + [0.3] * 100
    assert of(calibrated(make_run(four)), "tilt").declared_trips == 0
    assert of(calibrated(make_run(five)), "tilt").declared_trips == 1
    assert of(calibrated(make_run(four), persistence=Persistence(4, 4)), "tilt").declared_trips == 1


def test_trips_are_counted_with_the_rows_hysteresis() -> None:
    saw = [0.3] * 100 + [0.8, 0.65, 0.65, 0.65, 0.65] + [0.3] * 100
    assert of(calibrated(make_run(saw)), "tilt").declared_trips == 1
    assert of(calibrated(make_run(saw), hysteresis=0.0), "tilt").declared_trips == 0


def test_the_trip_that_ended_the_motion_counts_and_later_ones_do_not() -> None:
    # The record calls the cycle of the trip stopped already.
    leans = [0.3] * 100 + [0.8] * 5 + [0.3] * 50 + [0.8] * 50
    stopped = make_run(leans, motion=[True] * 104 + [False] * 101)
    assert of(calibrated(stopped), "tilt").declared_trips == 1


def test_a_trip_that_stood_when_motion_began_counts() -> None:
    standing = make_run([0.8] * 20 + [0.3] * 200, motion=[False] * 15 + [True] * 205)
    assert of(calibrated(standing), "tilt").declared_trips == 1
    assert of(calibrated(make_run([0.8] * 200), persistence=Persistence(1, 1)), "tilt").declared_trips == 1


def test_a_limit_that_would_have_tripped_on_these_very_runs_is_not_proposed() -> None:
    tilt = of(calibrated(make_run([0.3] * 1000 + [0.6] * 20), quantile=0.9), "tilt")
    assert tilt.derived == pytest.approx(0.39)
    assert (tilt.declared_trips, tilt.derived_trips) == (0, 1)
    assert tilt.verdict is Verdict.KEPT
    assert "0.39 would have tripped 1 times" in tilt.why


def test_a_limit_is_loosened_only_where_the_declared_one_tripped_and_says_so() -> None:
    close = of(calibrated(make_run([0.65] * 200)), "tilt")
    assert (close.verdict, close.proposed) == (Verdict.KEPT, close.row)
    assert "no reason to loosen" in close.why
    tripped = of(calibrated(make_run([0.75] * 200)), "tilt")
    assert tripped.verdict is Verdict.LOOSENED
    assert tripped.verdict.value == "LOOSENED"
    assert tripped.proposed.limit == pytest.approx(0.975)
    assert "only if nothing was wrong" in tripped.why


def test_no_proposal_goes_beyond_what_the_robot_can() -> None:
    fast = {"joint_velocity": [0.9 * VELOCITY_LIMIT] * 200}
    velocity = of(calibrated(make_run([0.3] * 200, measured=fast)), "joint_velocity")
    assert velocity.verdict is Verdict.LOOSENED
    assert velocity.proposed.limit == 1.0
    assert "the joints' own limit" in velocity.why


def test_the_ceilings_are_the_robots_own() -> None:
    rows = LOADED.safety.rows_by_id()
    assert ceiling_of(rows["motor_age"], ROBOT)[0] == ROBOT.motor_timeout_s
    assert ceiling_of(rows["joint_torque"], ROBOT)[0] == 1.0
    assert ceiling_of(rows["joint_position"], ROBOT)[0] == rows["joint_position"].limit
    assert ceiling_of(rows["tracking_error"], ROBOT)[0] == pytest.approx(20.0 / 35.0)


def test_a_stages_tightening_holds_under_any_proposal() -> None:
    run = make_run([0.6] * 200, limits={"tilt": [0.5] * 200})
    assert of(calibrated(run), "tilt").declared_trips == 1
    assert of(calibrated(run, limit=1.5), "tilt").declared_trips == 1
    assert of(calibrated(make_run([0.6] * 200), limit=1.5), "tilt").declared_trips == 0


def test_guards_near_tripping_and_guards_never_near_are_told_apart() -> None:
    near, middle, loose = (of(calibrated(make_run([lean] * 200)), "tilt") for lean in (0.6, 0.4, 0.2))
    assert (near.is_near, near.is_loose) == (True, False)
    assert (middle.is_near, middle.is_loose) == (False, False)
    assert (loose.is_near, loose.is_loose) == (False, True)


def test_flags_and_numbers_by_definition_are_left_out_and_named() -> None:
    found = calibrated(make_run([0.3] * 100))
    assert found.left_out == {"emergency_stop": "yes or no"}
    whole = calibrate(ROBOT, LOADED.safety, [make_run([0.3] * 100)], 0.9, 1.3)
    assert whole.left_out["stage_timeout"] == "the mission's own time limit"
    assert whole.left_out["motor_temperature"].startswith("what the motors stand")
    assert whole.left_out["imu_age"] == "not in the record of 1 runs, first the first"


def test_only_trips_that_stop_a_robot_are_nuisance_trips() -> None:
    lag = {"loop_lag_worst": [1.0] * 200}
    found = calibrated(make_run([0.8] * 200, measured=lag))
    assert of(found, "loop_lag_worst").declared_trips == 1
    assert found.nuisance_trips == 1


def test_runs_that_stand_still_or_of_another_robot_are_refused() -> None:
    with pytest.raises(RefusedError, match="cycle in motion"):
        calibrated(make_run([0.3] * 100, motion=[False] * 100))
    other = replace(make_run([0.3] * 100), robot=replace(ROBOT, name="other"))
    with pytest.raises(RefusedError, match="first is a run of other, not of pup"):
        calibrated(other)


def test_a_limit_of_zero_keeps_its_hysteresis() -> None:
    row = replace(SAFETY.guards[0], limit=0.0, hysteresis=0.25)
    assert with_limit(row, 0.5).hysteresis == 0.25
