from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from drivers.devices import NO_TIMEOUT_PROBLEM
from drivers.serial.feetech.tables import MODELS
from supervisor.core.command import Drive
from supervisor.core.exchange import DeviceReport
from supervisor.core.state import MotorStatus
from tests.drivers.sim.servo_bench import Bench

IDS = (1, 2, 3)


@pytest.fixture
def bench() -> Bench:
    return Bench("feetech", {"tty0": IDS}, "STS3250")


def problems(report: DeviceReport) -> list[str]:
    """All but the one that every servo of this make has."""
    assert not report.answered or report.problems[-1] == NO_TIMEOUT_PROBLEM
    return [problem for problem in report.problems if problem != NO_TIMEOUT_PROBLEM]


def test_a_servo_as_it_should_be_has_no_timeout_and_nothing_else_wrong(bench: Bench) -> None:
    reports = bench.inventory()
    assert [problems(report) for report in reports] == [[], [], []]
    facts = reports[1].facts
    assert (facts["model_number"], facts["firmware"], facts["p_gain"], facts["was_on"]) == (2825, "3.10", 32, "no")
    assert facts["position_rad"] == pytest.approx(bench.position[1], abs=8e-4)
    assert (facts["temperature_degc"], facts["bus_voltage_v"]) == (25, 12.0)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_of_the_table_is_recognised(model: str) -> None:
    bench = Bench("feetech", {"tty0": (1,)}, model)
    (report,) = bench.inventory()
    assert problems(report) == []
    assert report.facts["model_number"] == MODELS[model].number


def test_an_inventory_never_energises_and_stores_nothing(bench: Bench) -> None:
    stored = [bytes(table[:40]) for table in bench.twin.tables]
    bench.inventory()
    assert not bench.twin.is_on.any()
    assert [bytes(table[:40]) for table in bench.twin.tables] == stored
    assert {bench.twin.get(servo, "lock") for servo in range(3)} == {1}


def test_a_servo_that_was_left_on_is_switched_off(bench: Bench) -> None:
    bench.on()
    bench.steps(3, Drive.COMMAND)
    reports = bench.inventory()
    assert [report.facts["was_on"] for report in reports] == ["yes"] * 3
    assert [problems(report) for report in reports] == [[], [], []]
    assert bench.steps(4, Drive.POLL) == [MotorStatus.DISABLED] * 3


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("model", 777, "register 3 (model) reads 777, and STS3250 is driven with 2825"),
        ("id", 9, "register 5 (id) reads 9, and STS3250 is driven with 2"),
        ("min_angle", 100, "register 9 (min_angle) reads 100, and STS3250 is driven with 0"),
        ("max_angle", 3000, "register 11 (max_angle) reads 3000, and STS3250 is driven with 4095"),
        ("mode", 1, "register 33 (mode) reads 1, and STS3250 is driven with 0"),
        ("d_gain", 16, "register 22 (d_gain) reads 16, and STS3250 is driven with 32"),
        ("i_gain", 4, "register 23 (i_gain) reads 4, and STS3250 is driven with 0"),
        ("p_gain", 16, "register 21 (p_gain) reads 16, and the stiffness of STS3250 in the table is for 32"),
        ("return_delay", 250, "register 7 (return_delay) reads 250, 500 us before each answer; allowed at most 10"),
    ],
)
def test_what_is_stored_otherwise_is_named_with_both_values(bench: Bench, name: str, value: int, told: str) -> None:
    bench.twin.set(1, name, value)
    reports = bench.inventory()
    assert [len(problems(report)) for report in reports] == [0, 1, 0]
    assert told in problems(reports[1])[0]


def test_a_stiffer_servo_is_told_to_the_loop(bench: Bench) -> None:
    bench.twin.set(1, "p_gain", 48)
    reports = bench.inventory()
    row = MODELS["STS3250"]
    assert problems(reports[1]) == []
    assert reports[1].facts["stiffness_nm_per_rad"] == pytest.approx(1.5 * row.stiffness_nm_per_rad, abs=1e-3)
    assert bench.servos.host.stiffness.tolist() == pytest.approx([k * row.stiffness_nm_per_rad for k in (1, 1.5, 1)])


def test_the_torque_limit_is_set_and_read_back(bench: Bench) -> None:
    for servo in range(3):
        bench.twin.set(servo, "torque_limit", 400)
    assert [problems(report) for report in bench.inventory()] == [[], [], []]
    assert [bench.twin.get(servo, "torque_limit") for servo in range(3)] == [1000] * 3


def test_a_torque_limit_that_is_not_taken_is_named_with_both_values(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = bench.twin._write
    monkeypatch.setattr(bench.twin, "_write", lambda servo, at, data: None if at == 48 else write(servo, at, data))
    bench.twin.set(0, "torque_limit", 400)
    first, *_ = bench.inventory()
    assert problems(first) == ["register 48 (torque_limit) reads back 400 after writing 1000"]


def test_a_hot_servo_and_a_wrong_supply_are_named_with_their_limits(bench: Bench) -> None:
    bench.spoil_servo(0, temperature_degc=71.0)
    bench.twin.supply_v[2] = 3.6
    first, second, third = bench.inventory()
    assert problems(first) == [
        "is at 71 degC, its limit (register 13) is 70 degC: let it cool down",
        "reports fault OVERHEAT: find the cause; switching it off clears it",
    ]
    assert problems(second) == []
    assert problems(third) == [
        "is supplied with 3.6 V, its limits (registers 15, 14) are 4.0 to 14.0 V",
        "reports fault VOLTAGE: find the cause; switching it off clears it",
    ]


def test_a_fault_bit_is_named(bench: Bench) -> None:
    bench.spoil_servo(1, fault="OVERLOAD")
    assert problems(bench.inventory()[1]) == ["reports fault OVERLOAD: find the cause; switching it off clears it"]


def test_one_silent_servo_is_told_from_a_silent_line(bench: Bench) -> None:
    bench.spoil_servo(0, is_silent=True)
    first, second, third = bench.inventory()
    assert [report.answered for report in (first, second, third)] == [False, True, True]
    assert (
        "servo 1 on tty0 does not answer when asked for what it has stored, and others on the line do"
        in (first.problems[0])
    )


def test_a_servo_at_another_baud_rate_is_silent_and_the_message_says_so(bench: Bench) -> None:
    bench.twin.set(1, "baud", 4)
    report = bench.inventory()[1]
    assert "and that it is set to the line's baud rate" in report.problems[0]


def test_a_line_at_another_baud_rate_is_named_as_such(bench: Bench) -> None:
    bench.twin.baud_bps[0] = 500_000
    assert {"the baud rate of the robot file and of the servos" in r.problems[0] for r in bench.inventory()} == {True}
    assert {"nobody else on the line does" in report.problems[0] for report in bench.inventory()} == {True}


def test_bytes_that_nobody_understands_are_a_baud_rate_too(bench: Bench) -> None:
    bench.lines["tty0"].spoil = lambda data: bytes(byte ^ 0x5A for byte in data)
    first, *_ = bench.inventory()
    assert "bytes arrived when asked for what it has stored, and nobody on the line is understood" in first.problems[0]
    assert not first.answered


def test_two_servos_on_one_id_are_named(bench: Bench) -> None:
    bench.spoil_servo(2, address_of=0)
    first, second, third = bench.inventory()
    assert problems(second) == []
    assert "two servos with id 1 answer at once" in problems(first)[0]
    assert "servo 3 on tty0 does not answer" in third.problems[0]


@pytest.mark.parametrize("seed", range(3))
def test_an_inventory_gets_through_a_lossy_line(bench: Bench, seed: int) -> None:
    dice = random.Random(seed)
    lossy: Callable[[bytes], bytes] = lambda data: data if dice.random() > 0.3 else b""  # noqa: E731
    bench.lines["tty0"].lose = bench.lines["tty0"].spoil = lossy
    assert [problems(report) for report in bench.inventory()] == [[], [], []]
