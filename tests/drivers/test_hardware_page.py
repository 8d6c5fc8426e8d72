"""The page about hardware says what the tables say."""

from __future__ import annotations

from pathlib import Path

from drivers import hardware_page
from drivers.capabilities import MAXIMUM_TURN_S
from drivers.registry import IMU_MAKES, MOTOR_MAKES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hardware.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == hardware_page.document(), (
        "run: python -m drivers.hardware_page > docs/hardware.md"
    )


def test_every_make_has_its_notes() -> None:
    assert hardware_page.MOTOR_NOTES.keys() == MOTOR_MAKES.keys()
    assert hardware_page.IMU_NOTES.keys() == IMU_MAKES.keys()


def test_a_bus_is_never_planned_beyond_its_load() -> None:
    for make in MOTOR_MAKES.values():
        count = make.cost.motors_within(250.0, *make.usual_rates_bps)
        assert make.cost.load(count, 250.0, *make.usual_rates_bps) <= 0.7 + 1e-9
        is_too_much = make.cost.load(count + 1, 250.0, *make.usual_rates_bps) > 0.7
        assert is_too_much or make.cost.turn_s(count + 1, 250.0) > MAXIMUM_TURN_S
