from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial.unitree.tables import GEAR, ZERO_PERIOD_RAD
from drivers.serial.unitree.zero import MARGIN_RAD, output_position, resolve_zero, wire_position
from supervisor.core.errors import DeviceError


def rotor_after_power_up(output_rad: float, zero_rotor_rad: float) -> float:
    """What a motor reads: the rotor's angle within one turn."""
    return (output_rad * GEAR + zero_rotor_rad) % math.tau


@given(st.floats(-3.0, 3.0), st.floats(0.0, math.tau), st.floats(0.0, 0.4), st.floats(-1.0, 1.0))
def test_a_pose_known_to_less_than_half_a_period_resolves_the_zero(
    output_rad: float, zero_rotor_rad: float, uncertainty_rad: float, error: float
) -> None:
    pose_rad = output_rad + error * uncertainty_rad
    rotor_rad = rotor_after_power_up(output_rad, zero_rotor_rad)
    zero = resolve_zero(rotor_rad, zero_rotor_rad, pose_rad - uncertainty_rad, pose_rad + uncertainty_rad)
    assert zero.output_rad == pytest.approx(output_rad, abs=1e-9)
    assert output_position(rotor_rad, zero, zero_rotor_rad) == pytest.approx(output_rad, abs=1e-9)
    assert wire_position(output_rad, zero, zero_rotor_rad) == pytest.approx(rotor_rad, abs=1e-9)
    assert zero.slack_rad > 0.0


def test_the_period_is_56_9_degrees() -> None:
    assert math.degrees(ZERO_PERIOD_RAD) == pytest.approx(56.87, abs=0.01)


def test_a_joint_that_can_be_in_two_places_is_refused_and_both_are_named() -> None:
    with pytest.raises(DeviceError, match=r"may be at -0\.793, 0\.200 rad.*repeats every 0\.993 rad"):
        resolve_zero(0.2 * GEAR, 0.0, -0.9, 0.9)


def test_a_joint_that_is_nowhere_near_is_refused_and_the_places_are_named() -> None:
    with pytest.raises(DeviceError, match=r"allows -0\.493 or 0\.500 rad; check the zero"):
        resolve_zero(0.5 * GEAR, 0.0, -0.1, 0.1)


@pytest.mark.parametrize("beyond", [-1e-6, 1e-6])
def test_the_margin_is_the_same_at_both_ends(beyond: float) -> None:
    for sign in (1.0, -1.0):
        rotor_rad = sign * (0.1 + MARGIN_RAD + beyond) * GEAR
        if beyond < 0.0:
            assert resolve_zero(rotor_rad, 0.0, -0.1, 0.1).turns == 0
        else:
            with pytest.raises(DeviceError):
                resolve_zero(rotor_rad, 0.0, -0.1, 0.1)


@pytest.mark.parametrize(
    "values",
    [
        (math.nan, 0.0, -0.1, 0.1),
        (0.0, math.inf, -0.1, 0.1),
        (0.0, 0.0, -math.inf, 0.1),
        (0.0, 0.0, -0.1, math.nan),
        (0.0, 0.0, 0.1, -0.1),
        (0.0, 0.0, -20.0, 20.0),
    ],
)
def test_what_is_no_place_is_refused(values: tuple[float, float, float, float]) -> None:
    with pytest.raises(DeviceError):
        resolve_zero(*values)


def test_the_slack_is_how_far_the_nearer_next_place_is_outside() -> None:
    zero = resolve_zero(0.0, 0.0, -0.3, 0.1)
    assert zero.slack_rad == pytest.approx(ZERO_PERIOD_RAD - 0.3)
    assert resolve_zero(0.0, 0.0, -0.1, 0.3).slack_rad == pytest.approx(ZERO_PERIOD_RAD - 0.3)
