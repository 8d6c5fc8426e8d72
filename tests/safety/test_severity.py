from __future__ import annotations

import pytest

from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.levels import GuardValue, Level
from supervisor.safety.severity import REPEAT_WINDOW_S, Severity
from tests.safety.bench import ROBOT, SAFETY

NAN = float("nan")
PROFILE = SAFETY.profile


def reading(
    identifier: str, level: Level, *, tripped: bool = True, since_s: float = 1.0, **more: object
) -> GuardReading:
    value = more.get("value", GuardValue.VIOLATED)
    return GuardReading(identifier, value, 2.0, 1.0, "rad", more.get("joint", -1), tripped, level, since_s)


def board(*readings: GuardReading) -> GuardBoard:
    return GuardBoard(readings, max((r.level for r in readings if r.tripped), default=Level.NONE))


@pytest.fixture
def severity() -> Severity:
    return Severity(PROFILE, ROBOT.order)


def test_the_first_cause_is_kept_and_later_ones_are_added(severity: Severity) -> None:
    severity.take(board(reading("tilt", Level.DAMP, joint=-1)), "walk", 2.0)
    severity.take(board(reading("tilt", Level.DAMP), reading("imu_age", Level.SETTLE)), "walk", 3.0)
    severity.take(board(reading("imu_age", Level.SETTLE), reading("bus_off", Level.CUT)), "walk", 4.0)
    stop = severity.stop
    assert (stop.guard, stop.time_s, stop.since_s, stop.stage) == ("tilt", 2.0, 1.0, "walk")
    assert stop.further == ("imu_age", "bus_off")
    assert (stop.level, stop.first_level) == (Level.CUT, Level.DAMP)
    assert (stop.measured, stop.limit, stop.unit) == (2.0, 1.0, "rad")


@pytest.mark.parametrize("first", list(Level)[Level.HOLD :])
@pytest.mark.parametrize("then", list(Level)[Level.HOLD :])
def test_the_level_only_rises(severity: Severity, first: Level, then: Level) -> None:
    severity.take(board(reading("tilt", first)), "", 1.0)
    severity.take(board(reading("imu_age", then)), "", 2.0)
    assert severity.stop.level is max(first, then)


@pytest.mark.parametrize("level", [Level.NONE, Level.WARN, Level.LIMIT])
def test_levels_below_hold_do_not_latch(severity: Severity, level: Level) -> None:
    severity.take(board(reading("imu_warning", level)), "", 1.0)
    assert severity.stop is None


def test_a_guard_that_has_not_tripped_does_not_latch(severity: Severity) -> None:
    severity.take(board(reading("tilt", Level.DAMP, tripped=False)), "", 1.0)
    assert severity.stop is None


def test_of_guards_that_trip_together_a_stale_one_is_not_the_cause(severity: Severity) -> None:
    severity.take(
        board(
            reading("tilt", Level.CUT, value=GuardValue.STALE),
            reading("base_angular_rate", Level.SETTLE, since_s=0.5),
            reading("imu_age", Level.SETTLE, since_s=0.4, joint=2),
        ),
        "", 1.0,
    )  # fmt: skip
    assert severity.stop.guard == "imu_age"
    assert severity.stop.joints == (ROBOT.order.names[2],)
    assert severity.stop.level is Level.CUT


def test_a_trip_without_a_time_began_now(severity: Severity) -> None:
    severity.take(board(reading("tilt", Level.DAMP, since_s=NAN)), "", 5.0)
    assert severity.stop.since_s == 5.0


def test_the_third_trip_of_one_cause_within_an_hour_is_terminal(severity: Severity) -> None:
    levels = []
    for start in (0.0, 1000.0, REPEAT_WINDOW_S):
        severity.take(board(reading("tilt", Level.DAMP)), "", start)
        levels.append(severity.stop.level)
        severity.clear()
    assert levels == [Level.DAMP, Level.DAMP, Level.TERMINAL]


def test_trips_further_apart_than_an_hour_or_of_other_causes_are_not_terminal(severity: Severity) -> None:
    for start, guard in ((0.0, "tilt"), (1.0, "tilt"), (2.0, "imu_age"), (REPEAT_WINDOW_S + 0.5, "tilt")):
        severity.take(board(reading(guard, Level.DAMP)), "", start)
        assert severity.stop.level is Level.DAMP
        severity.clear()


def test_what_follows_from_a_cause_is_not_counted_as_a_repetition(severity: Severity) -> None:
    for start in range(3):
        severity.take(board(reading(f"cause_{start}", Level.DAMP)), "", start)
        severity.take(board(reading("tilt", Level.DAMP)), "", start + 0.5)
        assert severity.stop.level is Level.DAMP
        severity.clear()


def test_hold_falls_through_after_its_time_without_an_operator(severity: Severity) -> None:
    severity.take(board(reading("action_finite", Level.HOLD)), "", 10.0)
    severity.fall_through(can_follow=True, now_s=10.0 + PROFILE.hold_timeout_s - 0.01)
    assert severity.stop.level is Level.HOLD
    severity.attend(12.0)
    severity.fall_through(can_follow=True, now_s=12.0 + PROFILE.hold_timeout_s - 0.01)
    assert severity.stop.level is Level.HOLD
    severity.fall_through(can_follow=True, now_s=12.0 + PROFILE.hold_timeout_s)
    assert severity.stop.level is PROFILE.hold_falls_to
    assert severity.stop.first_level is Level.HOLD


def test_hold_and_settle_fall_through_at_once_when_they_cannot_be_done(severity: Severity) -> None:
    severity.take(board(reading("action_finite", Level.HOLD)), "", 10.0)
    severity.fall_through(can_follow=False, now_s=10.1)
    assert severity.stop.level is PROFILE.hold_falls_to is Level.SETTLE
    severity.fall_through(can_follow=True, now_s=10.2)
    assert severity.stop.level is Level.SETTLE
    severity.fall_through(can_follow=False, now_s=10.3)
    assert severity.stop.level is PROFILE.settle_falls_to is Level.DAMP
    severity.fall_through(can_follow=False, now_s=10.4)
    assert severity.stop.level is Level.DAMP


def test_nothing_falls_through_without_a_stop(severity: Severity) -> None:
    severity.fall_through(can_follow=False, now_s=1.0)
    assert severity.stop is None


def test_a_trip_during_the_planned_end_becomes_the_cause(severity: Severity) -> None:
    severity.request(Level.SETTLE, "mission", "", 1.0, planned=True)
    severity.request(Level.SETTLE, "mission", "", 1.1, planned=True)
    assert severity.stop.planned
    assert severity.stop.further == ()
    severity.take(board(reading("policy_age", Level.HOLD)), "", 2.0)
    stop = severity.stop
    assert (stop.guard, stop.planned, stop.level) == ("policy_age", False, Level.SETTLE)
    severity.request(Level.SETTLE, "mission", "", 3.0, planned=True)
    assert (severity.stop.guard, severity.stop.further) == ("policy_age", ())


def test_only_an_operators_hold_alone_is_an_operators_hold(severity: Severity) -> None:
    assert not severity.is_operator_hold
    severity.request(Level.HOLD, "operator", "", 1.0)
    assert severity.is_operator_hold
    severity.take(board(reading("policy_age", Level.HOLD)), "", 2.0)
    assert not severity.is_operator_hold
