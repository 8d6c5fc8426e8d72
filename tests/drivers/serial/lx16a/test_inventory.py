from __future__ import annotations

import random

import pytest

from drivers.devices import NO_TIMEOUT_PROBLEM
from supervisor.core.command import Drive
from supervisor.core.exchange import DeviceReport
from supervisor.core.state import MotorStatus
from tests.drivers.sim.servo_bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench("lx16a", {"tty0": (1, 2, 3)}, "LX-16A")


def problems(report: DeviceReport) -> list[str]:
    """All but the one that every servo of this make has."""
    assert not report.answered or report.problems[-1] == NO_TIMEOUT_PROBLEM
    return [problem for problem in report.problems if problem != NO_TIMEOUT_PROBLEM]


def test_a_servo_as_it_should_be_has_no_timeout_and_nothing_else_wrong(bench: Bench) -> None:
    reports = bench.inventory()
    assert [problems(report) for report in reports] == [[], [], []]
    facts = reports[2].facts
    assert (facts["temperature_degc"], facts["bus_voltage_v"], facts["was_on"]) == (25, 7.4, "no")
    assert facts["position_rad"] == pytest.approx(bench.position[2], abs=2.2e-3)


def test_a_servo_that_was_left_on_is_switched_off_and_nothing_is_energised(bench: Bench) -> None:
    bench.on()
    assert [report.facts["was_on"] for report in bench.inventory()] == ["yes"] * 3
    assert not bench.twin.is_on.any()
    assert bench.steps(12, Drive.POLL) == [MotorStatus.DISABLED] * 3


@pytest.mark.parametrize(
    ("question", "value", "told"),
    [
        (30, bytes((1, 0, 0, 0)), "mode reads 1, and positions need 0"),
        (21, bytes((100, 0, 0xE8, 3)), "angle limits read 100 to 1000, and it is driven with 0 to 1000"),
        (25, bytes((25,)), "is at 25 degC, its limit is 25 degC: let it cool down"),
        (23, (8000).to_bytes(2, "little") + (9000).to_bytes(2, "little"), "is supplied with 7.4 V, its limits are 8.0"),
    ],
)
def test_what_is_set_up_otherwise_is_named_with_both_values(
    bench: Bench, question: int, value: bytes, told: str
) -> None:
    bench.twin.settings[1][question] = value
    reports = bench.inventory()
    assert [len(problems(report)) for report in reports] == [0, 1, 0]
    assert told in problems(reports[1])[0]


def test_one_silent_servo_is_told_from_a_silent_line(bench: Bench) -> None:
    bench.spoil_servo(0, is_silent=True)
    first, second, _ = bench.inventory()
    assert "servo 1 on tty0 does not answer when asked for its position, and others on the line do" in first.problems[0]
    assert second.answered
    bench.lines["tty0"].spoil = lambda data: b""
    silent = Bench("lx16a", {"tty0": (1, 2)}, "LX-16A")
    silent.lines["tty0"].spoil = lambda data: b""
    assert {"nobody else on the line does" in report.problems[0] for report in silent.inventory()} == {True}


def test_bytes_that_nobody_understands_are_a_baud_rate(bench: Bench) -> None:
    bench.lines["tty0"].spoil = lambda data: bytes(byte ^ 0x5A for byte in data)
    first, *_ = bench.inventory()
    assert "nobody on the line is understood: check the baud rate" in first.problems[0]


def test_two_servos_on_one_id_are_named(bench: Bench) -> None:
    bench.spoil_servo(2, address_of=0)
    first, second, third = bench.inventory()
    assert "two servos with id 1 answer at once" in problems(first)[0]
    assert problems(second) == []
    assert "servo 3 on tty0 does not answer" in third.problems[0]


@pytest.mark.parametrize("seed", range(3))
def test_an_inventory_gets_through_a_lossy_line(bench: Bench, seed: int) -> None:
    dice = random.Random(seed)
    bench.lines["tty0"].lose = bench.lines["tty0"].spoil = lambda data: data if dice.random() > 0.3 else b""
    assert [problems(report) for report in bench.inventory()] == [[], [], []]
