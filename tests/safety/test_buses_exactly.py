"""The window over the counters of the buses, at its edges."""

from __future__ import annotations

from supervisor.core.state import BusStatistics
from supervisor.safety.buses import MINIMUM_EXPECTED, BusMonitor
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import ROBOT


def errors_after(*times_s: float) -> list[int]:
    """What is seen after each update, when every update counts one error more, and foreign commands three."""
    inputs, monitor, seen = GuardInputs.of(ROBOT), BusMonitor(1.0), []
    for number, now_s in enumerate(times_s):
        monitor.update(inputs, {"can0": BusStatistics(errors=10 + number, foreign_commands=50 + 3 * number)}, now_s)
        assert inputs.foreign_commands == 3 * inputs.bus_errors
        seen.append(inputs.bus_errors)
    return seen


def test_errors_and_foreign_commands_are_counted_from_the_beginning_of_the_window() -> None:
    assert errors_after(10.0, 10.25, 10.5) == [0, 1, 2]


def test_a_window_begins_at_the_newest_counters_that_are_as_old_as_it() -> None:
    assert errors_after(10.0, 10.5, 11.0, 11.25, 11.5) == [0, 1, 2, 3, 3]
    assert errors_after(10.0, 10.5, 11.5, 12.5, 13.5) == [0, 1, 1, 1, 1]


def test_the_last_two_counters_are_kept_however_old() -> None:
    assert errors_after(10.0, 20.0, 30.0, 40.0) == [0, 1, 1, 1]


def test_a_bus_that_is_new_is_counted_from_nothing() -> None:
    inputs, monitor = GuardInputs.of(ROBOT), BusMonitor(1.0)
    monitor.update(inputs, {}, 10.0)
    monitor.update(inputs, {"can0": BusStatistics(errors=2, foreign_commands=3, expected=MINIMUM_EXPECTED)}, 10.5)
    assert (inputs.bus_errors, inputs.foreign_commands, inputs.bus_loss) == (2, 3, 1.0)
