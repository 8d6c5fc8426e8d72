"""The small types everything else is built from."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.clock import VirtualClock, WallClock
from supervisor.core.command import Actuation, Drive, JointCommand, Proposal
from supervisor.core.errors import BusTimeout, ConfigError, HandrailError, Problem, RefusedError
from supervisor.core.exchange import GateCounts, Knobs, MissionOutput, PolicyHealth
from supervisor.core.guard import GuardBoard, GuardReading
from supervisor.core.joints import JointOrder, frozen_vector
from supervisor.core.levels import ArmingState, GuardValue, Level
from supervisor.core.moves import MINIMUM_JERK_PEAK_SPEED, MovePlan, minimum_jerk
from supervisor.core.report import Criterion
from supervisor.core.state import NEVER_S, BusStatistics


def test_levels_are_ordered_by_severity_and_latch_from_hold_on() -> None:
    assert [level.name for level in sorted(Level)] == [
        *("NONE", "WARN", "LIMIT", "HOLD", "SETTLE", "DAMP", "CUT", "TERMINAL"),
    ]
    assert [level for level in Level if level.latches] == [
        *(Level.HOLD, Level.SETTLE, Level.DAMP, Level.CUT, Level.TERMINAL),
    ]
    assert max(Level.WARN, Level.DAMP, Level.HOLD) is Level.DAMP


@pytest.mark.parametrize("name", ["hold", "", "3", 3, None, "HOLD ", True])
def test_a_level_has_only_its_own_name(name: object) -> None:
    with pytest.raises(ValueError, match="one of NONE, WARN, LIMIT, HOLD"):
        Level.by_name(name)


def test_only_ok_is_zero_among_guard_values() -> None:
    assert GuardValue.OK == 0
    assert [value.name for value in GuardValue if value] == ["VIOLATED", "STALE", "ERROR", "NOT_EVALUATED"]


def test_arming_states_are_those_of_the_design() -> None:
    assert [state.value for state in ArmingState] == ["disarmed", "checking", "armed", "running", "stopped"]


def test_a_virtual_clock_ends_exactly_where_it_should() -> None:
    clock = VirtualClock()
    for _ in range(100_000):
        clock.advance(0.002)
    assert clock.now_s() == 200.0


@pytest.mark.parametrize("duration_s", [-0.001, float("nan"), float("inf")])
def test_a_virtual_clock_refuses_to_go_back_or_nowhere(duration_s: float) -> None:
    clock = VirtualClock(3.0)
    with pytest.raises(ValueError, match="cannot advance a clock"):
        clock.advance(duration_s)
    assert clock.now_s() == 3.0


def test_the_wall_clock_does_not_go_back() -> None:
    clock = WallClock()
    readings = [clock.now_s() for _ in range(100)]
    assert readings == sorted(readings)


def test_a_joint_order_lays_out_by_name() -> None:
    order = JointOrder(["hip", "knee", "foot"])
    np.testing.assert_array_equal(order.vector({"foot": 3.0, "hip": 1.0, "knee": 2.0}), [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(order.indices_of(["foot", "hip"]), [2, 0])
    assert (len(order), list(order), order.index("knee"), "knee" in order, "tail" in order) == (
        *(3, ["hip", "knee", "foot"], 1, True, False),
    )
    assert order == JointOrder(("hip", "knee", "foot"))
    assert hash(order) == hash(JointOrder(("hip", "knee", "foot")))
    assert order != JointOrder(("knee", "hip", "foot"))
    assert order != ("hip", "knee", "foot")


@pytest.mark.parametrize("names", [[], ["hip", "hip"]])
def test_a_joint_order_needs_unique_names(names: list[str]) -> None:
    with pytest.raises(ValueError, match="unique and at least one"):
        JointOrder(names)


@pytest.mark.parametrize("values", [{"hip": 1.0}, {"hip": 1.0, "knee": 2.0, "tail": 3.0}, {}])
def test_a_layout_with_a_joint_too_few_or_too_many_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(KeyError):
        JointOrder(["hip", "knee"]).vector(values)


def test_frozen_vectors_cannot_be_written() -> None:
    vector = frozen_vector([1, 2])
    assert vector.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 5.0


def reading(**keys: object) -> GuardReading:
    """A reading of a tilt guard, changed by `keys`."""
    base = {"id": "tilt", "value": GuardValue.OK, "measured": 0.15, "limit": 0.6, "unit": "rad", "joint": -1}
    return GuardReading(**{**base, "tripped": False, "level": Level.DAMP, "since_s": math.nan, **keys})  # type: ignore[arg-type]


def test_a_margin_is_what_is_left() -> None:
    assert reading().margin == pytest.approx(0.45)
    assert reading().margin_fraction == pytest.approx(0.75)
    assert reading(measured=0.9).margin < 0.0
    assert math.isnan(reading(measured=math.nan).margin_fraction)
    assert math.isnan(reading(limit=0.0).margin_fraction)


def test_a_board_is_read_in_order_and_by_id() -> None:
    board = GuardBoard((reading(), reading(id="heat")), Level.NONE)
    assert [r.id for r in board] == ["tilt", "heat"]
    assert board.by_id()["heat"].id == "heat"


def test_a_criterion_never_accepts_what_was_not_measured() -> None:
    for op in ("<=", ">="):
        assert not Criterion("drift_rad_per_s", op, 0.1).accepts(math.nan)
    assert Criterion("drift_rad_per_s", "<=", 0.1).accepts(0.1)
    assert not Criterion("drift_rad_per_s", "<=", 0.1).accepts(0.100001)
    assert Criterion("margin_rad", ">=", 0.1).accepts(0.1)
    assert not Criterion("margin_rad", ">=", 0.1).accepts(0.099999)


@given(fraction=st.floats(allow_nan=False))
def test_a_minimum_jerk_path_stays_between_its_ends(fraction: float) -> None:
    assert 0.0 <= minimum_jerk(fraction) <= 1.0


def test_a_minimum_jerk_path_starts_and_ends_at_rest_and_is_symmetric() -> None:
    assert (minimum_jerk(0.0), minimum_jerk(0.5), minimum_jerk(1.0)) == (0.0, 0.5, 1.0)
    assert (minimum_jerk(-1.0), minimum_jerk(2.0)) == (0.0, 1.0)
    path = np.array([minimum_jerk(s) for s in np.linspace(0.0, 1.0, 2001)])
    speed = np.diff(path) * 2000.0
    assert (speed >= 0.0).all()
    assert speed[0] == pytest.approx(0.0, abs=1e-4)
    assert speed[-1] == pytest.approx(0.0, abs=1e-4)
    assert speed.max() == pytest.approx(MINIMUM_JERK_PEAK_SPEED, rel=1e-5)


def test_a_move_takes_as_long_as_its_parts() -> None:
    plan = MovePlan((), settle_s=9.0, baseline_s=9.0, move_s=0.4, hold_s=0.3, measure_s=0.2, rest_s=0.1)
    assert plan.cycle_s == pytest.approx(1.4)


@pytest.mark.parametrize("kind", [JointCommand, Proposal, Actuation, Knobs, PolicyHealth, MissionOutput, GateCounts])
def test_what_crosses_a_room_has_slots(kind: type) -> None:
    assert set(kind.__slots__) == {field.name for field in fields(kind)}


def test_values_are_frozen() -> None:
    counts, statistics = GateCounts(), BusStatistics()
    with pytest.raises(FrozenInstanceError):
        counts.position = 5  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        statistics.sent = 5  # type: ignore[misc]


def test_a_reading_that_never_arrived_is_infinitely_old() -> None:
    age_s = 12.0 - NEVER_S
    assert age_s == math.inf


def test_a_policy_that_never_ran_is_infinitely_old_and_not_active() -> None:
    assert PolicyHealth().stamp_s == -math.inf
    assert not PolicyHealth().is_active


def test_drives_are_distinct() -> None:
    assert len({drive.value for drive in Drive}) == len(Drive)


def test_errors_carry_every_problem_and_every_reason() -> None:
    error = ConfigError([Problem("a.yaml", 3, "x.y", "7", "8"), Problem("b.yaml", None, "", "nothing", "a file")])
    assert str(error).splitlines() == [
        "2 problems in the configuration",
        "  a.yaml:3: x.y: found 7; allowed: 8",
        "  b.yaml: found nothing; allowed: a file",
    ]
    assert str(ConfigError(error.problems[:1])).startswith("1 problem in")
    assert RefusedError(["one", "two"]).reasons == ("one", "two")
    assert "  two" in str(RefusedError(["one", "two"]))


def test_our_errors_are_also_the_standard_ones() -> None:
    assert issubclass(BusTimeout, TimeoutError)
    assert issubclass(ConfigError, ValueError)
    assert issubclass(ConfigError, HandrailError)
