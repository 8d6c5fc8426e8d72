"""What the latch writes down, field by field."""

from __future__ import annotations

import math

import pytest

from supervisor.core.exchange import Stop
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.levels import GuardValue, Level
from supervisor.safety.severity import REPEATS_TO_TERMINAL, Severity
from tests.safety.bench import ROBOT, SAFETY
from tests.safety.test_severity import board, reading

PROFILE = SAFETY.profile
NAMES = ROBOT.order.names
LEFT = Stop(Level.SETTLE, "tilt", 2.0, 1.0, "rad", 7.0, 6.5, "walk", inherited=True)


@pytest.fixture
def severity() -> Severity:
    return Severity(PROFILE, ROBOT.order)


def test_a_stop_that_was_left_is_in_force() -> None:
    severity = Severity(PROFILE, ROBOT.order, LEFT)
    assert severity.stop is LEFT


def test_a_hold_that_was_left_falls_through_by_its_own_time() -> None:
    left = Stop(Level.HOLD, "policy_age", 2.0, 1.0, "s", 7.0, 6.5, "walk")
    severity = Severity(PROFILE, ROBOT.order, left)
    severity.fall_through(can_follow=True, now_s=7.0 + PROFILE.hold_timeout_s)
    assert severity.stop.level is PROFILE.hold_falls_to


def test_a_hold_after_a_reset_has_all_its_time(severity: Severity) -> None:
    assert severity.stop is None
    severity.request(Level.HOLD, "operator", "walk", 3.0)
    severity.clear()
    assert severity.stop is None
    began_s = 3.0 + PROFILE.hold_timeout_s
    severity.request(Level.HOLD, "operator", "walk", began_s)
    severity.fall_through(can_follow=True, now_s=began_s + 0.5 * PROFILE.hold_timeout_s)
    assert severity.stop.level is Level.HOLD
    severity.fall_through(can_follow=True, now_s=began_s + PROFILE.hold_timeout_s)
    assert severity.stop.level is PROFILE.hold_falls_to


def test_a_stop_that_nothing_is_added_to_stays_the_same_object(severity: Severity) -> None:
    severity.request(Level.HOLD, "operator", "walk", 3.0)
    stop = severity.stop
    severity.request(Level.HOLD, "operator", "walk", 4.0)
    assert severity.stop is stop


def test_trips_that_were_counted_before_count_as_far_as_they_matter() -> None:
    severity = Severity(PROFILE, ROBOT.order, trips={"tilt": (1.0, 2.0, 3.0, 4.0), "imu_age": (5.0,)})
    assert severity.trips == {"tilt": (2.0, 3.0, 4.0), "imu_age": (5.0,)}
    severity.take(board(reading("imu_age", Level.DAMP)), "", 6.0)
    assert severity.stop.level is Level.DAMP
    assert severity.trips["imu_age"] == (5.0, 6.0)


def test_trips_are_kept_as_far_as_they_matter(severity: Severity) -> None:
    for now_s in range(REPEATS_TO_TERMINAL + 2):
        severity.take(board(reading("tilt", Level.DAMP)), "", float(now_s))
        severity.clear()
    assert severity.trips == {"tilt": (2.0, 3.0, 4.0)}


def test_it_is_known_what_has_tripped_until_the_reset(severity: Severity) -> None:
    assert not severity.has_tripped("tilt")
    severity.take(board(reading("tilt", Level.DAMP)), "", 1.0)
    assert severity.has_tripped("tilt")
    assert not severity.has_tripped("imu_age")
    severity.clear()
    assert not severity.has_tripped("tilt")


def test_a_stop_that_was_asked_for_says_who_when_and_where_and_measures_nothing(severity: Severity) -> None:
    severity.request(Level.SETTLE, "mission", "walk", 3.0)
    stop = severity.stop
    assert (stop.level, stop.first_level, stop.guard, stop.stage) == (Level.SETTLE, Level.SETTLE, "mission", "walk")
    assert (stop.time_s, stop.since_s, stop.unit, stop.joints) == (3.0, 3.0, "", ())
    assert math.isnan(stop.measured)
    assert math.isnan(stop.limit)
    assert not stop.planned


@pytest.mark.parametrize(
    ("joint", "joints"), [(-1, ()), (0, NAMES[:1]), (1, NAMES[1:2]), (len(NAMES) - 1, NAMES[-1:]), (len(NAMES), ())]
)
def test_a_stop_names_the_joint_that_its_guard_names(severity: Severity, joint: int, joints: tuple[str, ...]) -> None:
    severity.take(board(reading("joint_torque", Level.DAMP, joint=joint)), "walk", 2.0)
    assert severity.stop.joints == joints


def test_of_guards_that_trip_together_the_severest_is_the_cause(severity: Severity) -> None:
    severity.take(board(reading("policy_age", Level.HOLD, since_s=0.1), reading("tilt", Level.CUT)), "", 2.0)
    assert severity.stop.guard == "tilt"
    assert severity.stop.further == ("policy_age",)


@pytest.mark.parametrize(("level", "falls_to"), [(Level.HOLD, "hold_falls_to"), (Level.SETTLE, "settle_falls_to")])
def test_what_cannot_be_followed_falls_to_the_level_of_the_profile(
    severity: Severity, level: Level, falls_to: str
) -> None:
    severity.request(level, "operator", "", 1.0)
    severity.fall_through(can_follow=False, now_s=2.5)
    assert severity.stop.level is getattr(PROFILE, falls_to)


def test_a_guard_that_stays_tripped_is_taken_once(severity: Severity) -> None:
    tripped = GuardReading("tilt", GuardValue.VIOLATED, 2.0, 1.0, "rad", -1, True, Level.DAMP, 1.0)
    for now_s in (1.0, 2.0, 3.0):
        severity.take(GuardBoard((tripped,), Level.DAMP), "", now_s)
    assert severity.trips == {"tilt": (1.0,)}
    assert severity.stop.level is Level.DAMP
