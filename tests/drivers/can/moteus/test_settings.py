from __future__ import annotations

import pytest

from drivers.can.moteus.settings import SETTINGS, needed_settings, setting_facts, setting_problems
from tests.drivers.can.moteus.fake import SETTINGS as HEALTHY
from tests.drivers.can.moteus.rig import wired

VALUES = {name: float(text) for name, text in HEALTHY.items()}


def problems_with(name: str, value: str) -> list[str]:
    """What is wrong with a motor at 30 degC that has one setting of its own."""
    return setting_problems(wired(9), VALUES | {name: float(value)}, 30.0)


def test_healthy_settings_have_no_problems() -> None:
    assert HEALTHY.keys() == set(SETTINGS)
    assert setting_problems(wired(9), VALUES, 30.0) == []


def test_settings_that_were_not_all_read_are_not_judged() -> None:
    few = {"servo.pid_position.kp": 0.0}
    assert setting_problems(wired(9), few, 30.0) == []
    assert setting_facts(few) == {"configured_kp_nm_per_rad": 0.0}
    assert setting_facts({}) == {}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0.0, "goes limp"),
        (10.0, "slows down and holds"),
        (15.0, "shorts its phases"),
        (7.0, "mode 7"),
        (float("nan"), "unknown"),
    ],
)
def test_what_it_does_after_its_timeout_is_said_in_words(mode: float, expected: str) -> None:
    assert setting_facts({"servo.timeout_mode": mode}) == {"after_timeout": expected}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "servo.pid_position.kp",
            "4.000000",
            "0.6366 N·m/rad, and drive.kp_max_nm_per_rad says 60: commands are shares of it, so set it to 376.991",
        ),
        ("servo.pid_position.kd", "0.050000", "which is 0.007958 N·m·s/rad, and drive.kd_max_nm_s_per_rad says 3"),
        ("servo.pid_position.kp", "nan", "is nan N·m/turn"),
        ("servo.pid_position.ilimit", "2.000000", "ki is 1 with servo.pid_position.ilimit 2 N·m"),
        ("motor_position.rotor_to_output_ratio", "1.000000", "is 1 and drive.motor_turns_per_output_turn 9"),
        ("servopos.position_min", "-0.010000", "is -0.01 turns, which is -0.06283 rad, and position_rad asks -1 rad"),
        ("servopos.position_max", "0.010000", "is 0.01 turns, which is 0.06283 rad, and position_rad asks 1.5 rad"),
        (
            "servo.max_velocity",
            "1.000000",
            "is 1 turns/s, which is 6.283 rad/s, and drive.velocity_max_rad_per_s says 25",
        ),
        ("servo.fixed_voltage_mode", "1", "it would turn without looking where it is"),
        (
            "servo.fault_temperature",
            "29.000000",
            "over temperature: 30 degC, and it stops at servo.fault_temperature 29",
        ),
    ],
)
def test_a_setting_that_does_not_fit_names_both_values(name: str, value: str, expected: str) -> None:
    (problem,) = problems_with(name, value)
    assert expected in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("servo.pid_position.kp", "376.991119"),
        ("servo.pid_position.kp", "5000.000000"),
        ("servo.pid_position.ki", "0.000000"),
        ("servopos.position_min", "-0.159160"),
        ("servopos.position_max", "0.238740"),
        ("servo.max_velocity", "3.978874"),
        ("motor_position.rotor_to_output_ratio", "0.111100"),
    ],
)
def test_a_setting_at_its_limit_fits(name: str, value: str) -> None:
    assert problems_with(name, value) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("servo.pid_position.kp", "4.000000"),
        ("servo.pid_position.kp", "nan"),
        ("servo.pid_position.kd", "0.050000"),
        ("servo.pid_position.ilimit", "2.000000"),
        ("servopos.position_min", "-0.010000"),
        ("servopos.position_max", "0.010000"),
        ("servo.max_velocity", "1.000000"),
        ("servo.fixed_voltage_mode", "1"),
    ],
)
def test_what_is_needed_is_one_setting_and_leaves_no_problem(name: str, value: str) -> None:
    spoilt = VALUES | {name: float(value)}
    ((needed, wanted),) = needed_settings(wired(9), spoilt)
    assert needed == name
    assert setting_problems(wired(9), spoilt | {needed: float(f"{wanted:.6g}")}, 30.0) == []


def test_nothing_is_needed_of_a_healthy_motor_and_its_gear_ratio_is_left_alone() -> None:
    assert list(needed_settings(wired(9), VALUES)) == []
    assert list(needed_settings(wired(9), VALUES | {"motor_position.rotor_to_output_ratio": 1.0})) == []
