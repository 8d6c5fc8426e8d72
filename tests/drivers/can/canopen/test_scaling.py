from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.can.canopen.scaling import is_in_turns, is_velocity_unit, scaling_of, velocity_unit_name
from drivers.can.canopen.tables import COUNTS_PER_SECOND, MODELS, TURNS_PER_MINUTE
from drivers.devices import WiredMotor
from supervisor.core.robot import DriveConfig, MotorConfig

DRIVE = DriveConfig(30.0, 20.0, 9.0, 4096, rated_torque_nm=1.5)
MOTOR = WiredMotor("j", MotorConfig("canopen", "CiA402", "can0", 1, 0, DRIVE), MODELS["CiA402"])


def test_counts_and_thousandths_are_turned_to_the_output_shaft() -> None:
    scaling = scaling_of(MOTOR, COUNTS_PER_SECOND)
    assert scaling.position_rad * 4096 * 9 == pytest.approx(2.0 * math.pi)
    assert scaling.velocity_rad_per_s == scaling.position_rad
    assert scaling.torque_nm * 1000 == pytest.approx(1.5 * 9)


@pytest.mark.parametrize(
    ("code", "per_count_rad_per_s", "name"),
    [
        (TURNS_PER_MINUTE, 2.0 * math.pi / 60.0, "turns/min"),
        (0xFFB44700, 0.2 * math.pi / 60.0, "0.1 turns/min"),
        (0xFDB44700, 2e-3 * math.pi / 60.0, "0.001 turns/min"),
        (0x00B40300, 2.0 * math.pi, "turns/s"),
        (COUNTS_PER_SECOND, 2.0 * math.pi / 4096, "counts/s"),
        (0x00100300, 1.0, "rad/s"),
        (0x00410300, math.pi / 180.0, "deg/s"),
    ],
)
def test_a_velocity_unit_means_what_its_bytes_say(code: int, per_count_rad_per_s: float, name: str) -> None:
    assert is_velocity_unit(code)
    assert scaling_of(MOTOR, code).velocity_rad_per_s == pytest.approx(per_count_rad_per_s / 9.0)
    assert velocity_unit_name(code) == name
    assert is_in_turns(code) == (code != COUNTS_PER_SECOND)


@pytest.mark.parametrize("code", [0, 0x00010300, 0x00B40000, 0x00B44800, 0x7FB44700, 0xFFFFFFFF])
def test_what_is_no_angle_per_time_is_not_taken_for_one(code: int) -> None:
    assert not is_velocity_unit(code)
    assert velocity_unit_name(code) == f"0x{code:08X}"


@given(st.integers(0, 0xFFFFFFFF))
def test_every_unit_that_is_known_has_a_finite_size(code: int) -> None:
    if is_velocity_unit(code):
        assert 0.0 < scaling_of(MOTOR, code).velocity_rad_per_s < math.inf
    assert velocity_unit_name(code)


def test_a_drive_that_the_file_says_nothing_of_gives_nothing() -> None:
    bare = WiredMotor("j", MotorConfig("canopen", "CiA402", "can0", 1), MODELS["CiA402"])
    scaling = scaling_of(bare, COUNTS_PER_SECOND)
    assert (scaling.position_rad, scaling.velocity_rad_per_s, scaling.torque_nm) == (0.0, 0.0, 0.0)
