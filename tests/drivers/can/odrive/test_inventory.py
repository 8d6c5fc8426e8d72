from __future__ import annotations

import math

import pytest

from drivers.can.odrive.tables import ERRORS
from drivers.devices import NO_TIMEOUT_PROBLEM
from supervisor.core.robot import DriveConfig
from tests.drivers.can.odrive.fake import Rig
from tests.drivers.fake_devices import TroubledBus


@pytest.fixture
def rig() -> Rig:
    return Rig()


def first(rig: Rig) -> str:
    """What is wrong with the first motor, but for the timeout that no board has."""
    report, other = rig.reports()
    assert other.problems == (NO_TIMEOUT_PROBLEM,)
    assert report.problems[-1:] == (NO_TIMEOUT_PROBLEM,) or not report.answered
    return "\n".join(problem for problem in report.problems if problem != NO_TIMEOUT_PROBLEM)


def test_a_good_motor_has_no_problem_but_the_timeout(rig: Rig) -> None:
    rig.fakes[0].every[0x17] = 20
    assert first(rig) == ""
    facts = rig.reports()[0].facts
    assert {key: facts[key] for key in ("make", "model", "firmware", "hardware", "serial_number", "state")} == {
        "make": "odrive",
        "model": "S1",
        "firmware": "0.6.11",
        "hardware": "5.2.0",
        "serial_number": "000000001001",
        "state": "IDLE",
    }
    assert (facts["encoder_period_ms"], facts["heartbeat_period_ms"], facts["torques_period_ms"]) == (2.0, 2.0, 10.0)
    assert (facts["inverter_degc"], facts["motor_degc"], facts["bus_voltage_v"]) == (41.0, 55.5, 24.5)


def test_an_inventory_energises_nothing_and_takes_the_gains_away(rig: Rig) -> None:
    rig.fakes[0].state = 8
    assert first(rig) == ""
    log = rig.said()
    assert {command for command, _ in log} == {0x07, 0x1A, 0x1B}
    assert {data for command, data in log if command == 0x07} == {b"\x01" + bytes(7)}
    assert {data for command, data in log if command != 0x07} == {bytes(8)}


@pytest.mark.parametrize(
    ("command", "cycles", "text"),
    [
        (
            0x09,
            5,
            "encoder estimates every 10.0 ms; needed: every 2 ms: set axis0.config.can.encoder_msg_rate_ms to 2",
        ),
        (0x09, 2, "sends encoder estimates every 4.0 ms"),
        (0x09, 0, "sends no encoder estimates; needed: one every 2 ms"),
        (
            0x01,
            50,
            "heartbeats every 100.0 ms; needed: every 5 ms: set axis0.config.can.heartbeat_msg_rate_ms to 5",
        ),
        (0x1C, 0, "no torques; needed: one every 50 ms: set axis0.config.can.torques_msg_rate_ms to 50 or less"),
        (
            0x15,
            0,
            "no temperatures; needed: one every 1000 ms: set axis0.config.can.temperature_msg_rate_ms to 1000",
        ),
    ],
)
def test_a_report_that_comes_too_rarely_is_named_with_its_setting(
    rig: Rig, command: int, cycles: int, text: str
) -> None:
    rig.fakes[0].every[command] = cycles
    assert text in first(rig)


def test_a_silent_motor_is_named_with_what_to_check(rig: Rig) -> None:
    rig.fakes[0].is_silent = True
    text = first(rig)
    assert "motor 1 on can0 does not answer 10 requests and reports nothing" in text
    assert "250000 bit/s" in text
    assert "axis0.config.can.node_id is 1" in text


def test_a_board_that_only_beats_as_delivered_is_found(rig: Rig) -> None:
    rig.fakes[0].every = {0x01: 50}
    rig.fakes[0].version = b""
    text = first(rig)
    assert "does not answer 10 requests for its version" in text
    assert "heartbeats every 100.0 ms" in text


@pytest.mark.parametrize("version", ["0204043a00050600", "0205020001000000"])
def test_other_firmware_is_refused(rig: Rig, version: str) -> None:
    rig.fakes[0].version = bytes.fromhex(version)
    assert "whose messages differ; needed: 0.6, so update it" in first(rig)


def test_another_board_than_the_robot_file_says_is_named(rig: Rig) -> None:
    rig.fakes[0].version = bytes.fromhex("0204043a00060900")
    assert first(rig) == "is an ODrive Pro (hardware 4.4.58), and the robot file says S1"


def test_a_board_of_unknown_hardware_is_believed(rig: Rig) -> None:
    rig.fakes[0].version = bytes.fromhex("0209010000060900")
    assert first(rig) == ""


def test_two_serial_numbers_are_two_motors(rig: Rig) -> None:
    rig.fakes[0].serials = [0x1001, 0x2002]
    assert first(rig) == (
        "more than one motor answers under id 1 (000000001001, 000000002002): give each an id of its own"
    )


def test_a_position_that_is_at_two_places_is_two_motors(rig: Rig) -> None:
    fake = rig.fakes[0]
    fake.serials = []
    report = fake.report

    def alternating():
        frames = report()
        fake.position = -fake.position
        return frames + report()

    fake.report = alternating  # type: ignore[method-assign]
    assert "more than one motor answers under id 1 (at two places)" in first(rig)


@pytest.mark.parametrize(("bit", "name"), sorted(ERRORS.items()))
def test_a_fault_is_named(rig: Rig, bit: int, name: str) -> None:
    rig.fakes[0].errors = bit
    assert first(rig) == f"reports fault {name}: find the cause, then clear it"


def test_an_axis_that_does_not_go_idle_is_named(rig: Rig) -> None:
    rig.fakes[0].state, rig.fakes[0].ignores_states = 11, True
    assert first(rig).startswith("is in HOMING after being told to idle")


def test_estimates_that_are_no_numbers_are_named(rig: Rig) -> None:
    rig.fakes[0].position = math.nan
    assert first(rig) == "sends encoder estimates that are no numbers: configure and calibrate its encoder"


@pytest.mark.parametrize(
    ("drive", "text"),
    [
        (
            DriveConfig(20.0, 24.0, 9.0),
            "velocity_max_rad_per_s is 34.38 rev/s at the motor (9 turns per output turn)",
        ),
        (DriveConfig(66.0, 10.0, 2.0), "torque_max_nm is 33 N·m at the motor (2 turns per output turn)"),
    ],
)
def test_a_drive_whose_messages_cannot_carry_it_is_named(drive: DriveConfig, text: str) -> None:
    report = Rig(drive=drive).reports()[0]
    assert text in report.problems[0]
    assert "its messages carry at most 32.767" in report.problems[0]


@pytest.mark.parametrize("seed", range(4))
def test_an_inventory_gets_through_a_lossy_bus(seed: int) -> None:
    reports = Rig(TroubledBus(seed, drop=0.3, duplicate=0.2)).reports()
    assert [report.problems for report in reports] == [(NO_TIMEOUT_PROBLEM,)] * 2


def test_a_sensor_that_is_not_fitted_is_no_problem(rig: Rig) -> None:
    rig.fakes[0].temperatures = (41.0, math.nan)
    assert first(rig) == ""
    assert rig.reports()[0].facts["motor_degc"] == "no sensor"
