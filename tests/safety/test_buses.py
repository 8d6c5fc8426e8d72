from __future__ import annotations

import pytest

from supervisor.core.state import BusStatistics
from supervisor.safety.buses import BusMonitor
from supervisor.safety.inputs import GuardInputs
from tests.safety.bench import ROBOT

START = {"can0": BusStatistics(expected=1000, received=1000), "can1": BusStatistics(expected=1000, received=900)}


def after(window_s: float = 1.0, **changes: BusStatistics) -> GuardInputs:
    inputs, monitor = GuardInputs.of(ROBOT), BusMonitor(window_s)
    monitor.update(inputs, START, 10.0)
    monitor.update(inputs, START | changes, 10.5)
    return inputs


def test_losses_before_the_window_do_not_count() -> None:
    inputs = after()
    assert (inputs.bus_loss, inputs.bus_off, inputs.bus_errors, inputs.foreign_commands) == (0.0, 0, 0, 0)


def test_the_worst_bus_counts() -> None:
    inputs = after(can0=BusStatistics(expected=1100, received=1070), can1=BusStatistics(expected=1100, received=990))
    assert inputs.bus_loss == pytest.approx(0.3)


def test_a_share_of_a_few_replies_means_nothing() -> None:
    assert after(can0=BusStatistics(expected=1049, received=1000)).bus_loss == 0.0
    assert after(can0=BusStatistics(expected=1050, received=1000)).bus_loss == 1.0


def test_more_replies_than_due_are_no_loss() -> None:
    assert after(can0=BusStatistics(expected=1100, received=1200)).bus_loss == 0.0


def test_off_errors_and_foreign_commands_are_counted() -> None:
    inputs = after(can0=BusStatistics(1, 1000, 1000, 0, 7, True, 2), can1=BusStatistics(1, 900, 1000, 0, 3, True, 1))
    assert (inputs.bus_off, inputs.bus_errors, inputs.foreign_commands) == (2, 7, 3)


def test_the_window_slides() -> None:
    inputs, monitor = GuardInputs.of(ROBOT), BusMonitor(1.0)
    for step in range(40):
        lost = 100 if step >= 5 else 0
        bus = BusStatistics(expected=100 * step, received=100 * step - lost)
        monitor.update(inputs, {"can0": bus}, 0.1 * step)
        if step == 10:
            assert inputs.bus_loss == pytest.approx(0.1)
    assert inputs.bus_loss == 0.0


def test_a_bus_that_appears_later_is_counted_from_its_beginning() -> None:
    inputs = after(can2=BusStatistics(expected=100, received=50))
    assert inputs.bus_loss == pytest.approx(0.5)
