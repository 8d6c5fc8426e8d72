"""Since when all is clear, at its edges, and every reason in its words."""

from __future__ import annotations

import math

import pytest

from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.levels import GuardValue, Level
from supervisor.safety.clearance import Clearance, describe
from supervisor.safety.severity import Severity
from tests.safety.bench import ROBOT, SAFETY, with_rows

NAMES, CLEAR_S = ROBOT.order.names, SAFETY.arming.clear_s
NEVER = with_rows(tilt={"clear": "never"})


class Readings:
    """Stands in for the evaluator: what the guards read is what a test says."""

    def __init__(self, *readings: GuardReading) -> None:
        self.board = GuardBoard(readings, Level.NONE)
        self.blocking = 0

    def reading(self, identifier: str) -> GuardReading | None:
        return self.board.by_id().get(identifier)

    def say(self, *readings: GuardReading, blocking: int = 0) -> None:
        self.board, self.blocking = GuardBoard(readings, Level.NONE), blocking


def reading(identifier: str, value: GuardValue, *, tripped: bool = False, level: Level = Level.DAMP) -> GuardReading:
    return GuardReading(identifier, value, 0.85, 0.7, "rad", 3, tripped, level, 1.0)


class Bench:
    def __init__(self, safety=SAFETY) -> None:
        self.readings = Readings(reading("tilt", GuardValue.OK))
        self.severity = Severity(safety.profile, ROBOT.order)
        self.clearance = Clearance(safety, self.readings, self.severity, ROBOT.order)

    def trip(self, *identifiers: str) -> None:
        tripped = tuple(reading(name, GuardValue.VIOLATED, tripped=True) for name in identifiers)
        self.severity.take(GuardBoard(tripped, Level.DAMP), "walk", 1.0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_is_clear_before_it_was_watched(bench: Bench) -> None:
    assert not bench.clearance.is_clear(math.inf)
    assert bench.clearance.is_clear(1e9) is False


def test_guards_are_clear_after_their_time_and_not_before(bench: Bench) -> None:
    bench.clearance.watch(0.0)
    bench.clearance.watch(0.25)
    assert not bench.clearance.is_clear(math.nextafter(CLEAR_S, 0.0))
    assert bench.clearance.is_clear(CLEAR_S)
    bench.readings.blocking = 1
    bench.clearance.watch(1.0)
    assert not bench.clearance.is_clear(1e9)
    bench.readings.blocking = 0
    bench.clearance.watch(2.0)
    assert not bench.clearance.is_clear(math.nextafter(2.0 + CLEAR_S, 0.0))
    assert bench.clearance.is_clear(2.0 + CLEAR_S)


WAIT = f"the cause must be clear for {CLEAR_S:g} s"


def test_a_cause_is_clear_after_its_time_and_not_before(bench: Bench) -> None:
    bench.trip("tilt")
    assert bench.clearance.causes(1e9) == (WAIT,)
    bench.clearance.watch(0.0)
    bench.clearance.watch(0.25)
    assert bench.clearance.causes(math.nextafter(CLEAR_S, 0.0)) == (WAIT,)
    assert bench.clearance.causes(CLEAR_S) == ()
    bench.readings.say(reading("tilt", GuardValue.VIOLATED, tripped=True))
    bench.clearance.watch(8.0)
    assert bench.clearance.causes(1e9) == (f"tilt of {NAMES[3]} 0.85 rad, allowed 0.7",)
    bench.readings.say(reading("tilt", GuardValue.OK))
    assert bench.clearance.causes(1e9) == (WAIT,)
    bench.clearance.watch(16.0)
    assert bench.clearance.causes(math.nextafter(16.0 + CLEAR_S, 0.0)) == (WAIT,)
    assert bench.clearance.causes(16.0 + CLEAR_S) == ()


def test_without_a_stop_no_cause_has_been_clear(bench: Bench) -> None:
    bench.clearance.watch(0.0)
    assert bench.clearance.causes(1e9) == ()
    bench.trip("tilt")
    assert bench.clearance.causes(1e9) == (WAIT,)


def test_every_cause_of_a_stop_gives_its_reason(bench: Bench) -> None:
    bench.trip("tilt", "imu_age")
    bench.readings.say(
        reading("tilt", GuardValue.OK, tripped=True),
        reading("imu_age", GuardValue.STALE),
        reading("bus_off", GuardValue.ERROR),
    )
    bench.clearance.watch(0.0)
    assert set(bench.clearance.causes(1e9)) == {
        f"tilt of {NAMES[3]} has only just recovered",
        f"imu_age of {NAMES[3]} is stale",
    }


def test_what_an_operator_asked_for_has_only_to_be_waited_for(bench: Bench) -> None:
    bench.severity.request(Level.SETTLE, "operator", "walk", 1.0)
    bench.clearance.watch(0.0)
    assert bench.clearance.causes(0.0) == (WAIT,)
    assert bench.clearance.causes(CLEAR_S) == ()


def test_what_is_never_cleared_is_never_cleared_in_the_process_where_it_tripped() -> None:
    bench = Bench(NEVER)
    bench.trip("tilt")
    bench.clearance.watch(0.0)
    assert bench.clearance.causes(1e9) == ("tilt is never cleared in this process",)


def test_what_is_never_cleared_is_cleared_where_another_process_tripped() -> None:
    before = Bench(NEVER)
    before.trip("tilt")
    bench = Bench(NEVER)
    bench.severity = Severity(NEVER.profile, ROBOT.order, before.severity.stop)
    bench.clearance = Clearance(NEVER, bench.readings, bench.severity, ROBOT.order)
    bench.clearance.watch(0.0)
    assert bench.clearance.causes(CLEAR_S) == ()


def test_guards_in_the_way_are_those_that_latch_and_are_not_well(bench: Bench) -> None:
    said = (
        reading("tilt", GuardValue.VIOLATED), reading("imu_age", GuardValue.OK, tripped=True),
        reading("imu_warning", GuardValue.VIOLATED, level=Level.WARN), reading("bus_off", GuardValue.ERROR),
    )  # fmt: skip
    bench.readings.say(*said, blocking=0)
    assert bench.clearance.guards() == ()
    bench.readings.say(*said, blocking=3)
    assert bench.clearance.guards() == (f"tilt of {NAMES[3]} 0.85 rad, allowed 0.7", f"bus_off of {NAMES[3]} is error")


@pytest.mark.parametrize(
    ("joint", "text"), [(-1, ""), (0, f" of {NAMES[0]}"), (len(NAMES) - 1, f" of {NAMES[-1]}"), (len(NAMES), "")]
)
def test_only_a_joint_that_exists_is_named(joint: int, text: str) -> None:
    found = GuardReading("tilt", GuardValue.NOT_EVALUATED, 0.0, 1.0, "rad", joint, False, Level.DAMP, math.nan)
    assert describe(found, NAMES) == f"tilt{text} is not evaluated"
