from __future__ import annotations

import pytest

from drivers.capabilities import CycleCost, shared_load


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
