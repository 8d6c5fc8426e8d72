"""The rows of all makes: complete, and possible."""

from __future__ import annotations

from drivers.registry import IMU_MAKES, MOTOR_MAKES
from drivers.scanning import CanScan, SerialScan


def test_every_make_has_models_and_possible_ids() -> None:
    for make in MOTOR_MAKES.values():
        assert make.models
        assert make.id_range[0] < make.id_range[1]
    assert all(make.frame_bytes for make in IMU_MAKES.values())


def test_every_make_is_asked_for_on_the_kind_of_bus_that_it_is_wired_to() -> None:
    kinds = {"can": CanScan, "serial": SerialScan}
    for name, make in MOTOR_MAKES.items():
        assert make.scan is None or isinstance(make.scan, kinds[make.bus_kind]), name


def test_every_make_fits_on_a_bus_at_its_usual_rate() -> None:
    for name, make in MOTOR_MAKES.items():
        assert make.cost.motors_within(50.0, *make.usual_rates_bps) >= 1, name
