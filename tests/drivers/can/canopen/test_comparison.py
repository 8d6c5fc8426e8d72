from __future__ import annotations

from dataclasses import replace

import pytest

from tests.drivers.can.canopen.bench import DRIVE, Bench


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        (
            replace(DRIVE, rated_torque_nm=1.6),
            "its rated torque (0x6076) is 1.5 N·m, drive.rated_torque_nm 1.6",
        ),
        (
            replace(DRIVE, encoder_counts_per_turn=4096),
            "counts 16384 to a turn of the motor (0x6092, 0x6091, 0x608F), drive.encoder_counts_per_turn 4096",
        ),
        (
            replace(DRIVE, torque_max_nm=31.0),
            "gives at most 29.997 N·m at the output (0x6072), drive.torque_max_nm 31",
        ),
    ],
)
def test_units_that_differ_from_the_robot_file_are_named_with_both_values(configured, expected: str) -> None:
    reports = Bench(configured).inventory()
    assert [report.problems for report in reports] == [(expected,), (expected,)]


def test_a_position_that_would_wrap_within_reach_is_named() -> None:
    drive = replace(DRIVE, encoder_counts_per_turn=1 << 24)
    bench = Bench(drive)
    for objects in bench.drives.objects:
        objects.values[0x608F, 1] = 1 << 24
    assert bench.inventory()[0].problems == ("its position wraps at 89.4 rad, allowed: at least 100 rad",)


@pytest.mark.parametrize("model", ["CiA402", "CiA402-counts", "CiA402-rpm"])
def test_a_drive_that_does_not_say_its_velocity_unit_needs_a_row_that_does(model: str) -> None:
    bench = Bench(model=model)
    for objects in bench.drives.objects:
        del objects.values[0x60A9, 0]
    first, _ = bench.inventory()
    if model == "CiA402":
        expected = ("does not say its velocity unit (0x60A9): use the model CiA402-counts or CiA402-rpm",)
        assert first.problems == expected
    else:
        assert first.problems == ()
        assert first.facts["velocity_unit"] == {"CiA402-counts": "counts/s", "CiA402-rpm": "turns/min"}[model]


def test_a_velocity_unit_that_differs_from_the_rows_is_named() -> None:
    assert "its velocity unit (0x60A9) is 0.001 turns/min, that of model CiA402-rpm turns/min" in str(
        Bench(model="CiA402-rpm").inventory()[0].problems
    )


def test_a_velocity_unit_that_is_no_angle_per_time_is_named() -> None:
    bench = Bench()
    bench.drives.objects[0].values[0x60A9, 0] = 0x00010300
    assert bench.problems() == "its velocity unit (0x60A9) is 0x00010300, which is no known angle per time"


def test_a_gear_ratio_in_the_drive_makes_turns_ambiguous() -> None:
    bench = Bench(replace(DRIVE, encoder_counts_per_turn=16_384))
    bench.drives.objects[0].values[0x6091, 1] = 9
    assert "has a gear ratio (0x6091) of 9 and a velocity in 0.001 turns/min" in bench.problems()


def test_a_drive_that_does_not_say_its_rated_torque_is_refused() -> None:
    bench = Bench()
    del bench.drives.objects[0].values[0x6076, 0]
    assert bench.problems() == "does not say its rated torque (0x6076): refused (no such object)"
