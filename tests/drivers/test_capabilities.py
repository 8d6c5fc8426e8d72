from __future__ import annotations

import pytest

from drivers.capabilities import MAXIMUM_TURN_S, CycleCost, shared_load, turns_within


@pytest.mark.parametrize(
    ("cost", "motors", "rates_bps", "expected"),
    [
        (CycleCost(270), 3, (1e6, 0.0), 0.405),
        (CycleCost(100, motor_data_bits=500), 2, (1e6, 5e6), 0.2),
        (CycleCost(100, motor_data_bits=500), 2, (1e6, 0.0), 0.6),
        (CycleCost(100, motor_s=1e-4, bus_bits=400), 2, (1e6, 0.0), 0.4),
    ],
)
def test_load_is_the_share_of_time(
    cost: CycleCost, motors: int, rates_bps: tuple[float, float], expected: float
) -> None:
    assert cost.load(motors, 500.0, *rates_bps) == pytest.approx(expected)
    assert shared_load({cost: motors}, 500.0, *rates_bps) == pytest.approx(expected)


@pytest.mark.parametrize("cost", [CycleCost(270), CycleCost(300, 900, 2e-5, 250), CycleCost(140_000)])
def test_as_many_motors_are_planned_as_fit_and_not_one_more(cost: CycleCost) -> None:
    fitting = cost.motors_within(100.0, 1e6, 5e6)
    assert cost.load(fitting, 100.0, 1e6, 5e6) <= 0.7 + 1e-9 or fitting == 0
    assert cost.load(fitting + 1, 100.0, 1e6, 5e6) > 0.7


def test_motors_that_take_turns_load_a_line_like_one_and_wait_for_each_other() -> None:
    cost = CycleCost(330, motor_s=0.001, takes_turns=True)
    assert cost.load(3, 500.0, 4e6) == cost.load(1, 500.0, 4e6) == pytest.approx(0.54125)
    assert shared_load({cost: 3}, 500.0, 4e6) == pytest.approx(0.54125)
    assert cost.load(0, 500.0, 4e6) == 0.0
    assert cost.turn_s(3, 500.0) == pytest.approx(0.006)
    assert CycleCost(330).turn_s(3, 500.0) == pytest.approx(0.002)
    assert [cost.motors_within(rate, 4e6) for rate in (100.0, 250.0, 500.0, 1000.0)] == [1, 1, 3, 0]


@pytest.mark.parametrize("control_hz", [50.0, 166.0, 167.0, 334.0, 500.0, 1000.0])
def test_as_many_take_turns_as_may_wait_and_not_one_more(control_hz: float) -> None:
    room = turns_within(control_hz)
    assert room == 1 or room / control_hz <= MAXIMUM_TURN_S + 1e-9
    assert (room + 1) / control_hz > MAXIMUM_TURN_S
