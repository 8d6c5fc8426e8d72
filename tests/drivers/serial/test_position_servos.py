"""What position servos share, tried with Feetech's packets."""

from __future__ import annotations

import pytest

from drivers.host_impedance import STALE_CYCLES
from drivers.serial.feetech.tables import MODELS
from supervisor.core.command import Drive
from supervisor.core.state import MotorStatus
from tests.drivers.sim.servo_bench import Bench

K = MODELS["STS3215"].stiffness_nm_per_rad


@pytest.fixture
def bench() -> Bench:
    return Bench("feetech", {"tty0": (1, 2), "tty1": (1,)}, "STS3215")


@pytest.mark.parametrize(
    ("spoilt", "is_heard", "told"),
    [
        (0, False, "and nobody else on the line does"),
        (0, True, "and others on the line do"),
        (9, False, "and nobody on the line is understood"),
        (9, True, "two servos with id 2 answer at once"),
    ],
)
def test_why_a_servo_is_silent_depends_on_what_else_was_heard(
    bench: Bench, spoilt: int, is_heard: bool, told: str
) -> None:
    if is_heard:
        bench.steps(2, Drive.POLL)
    assert told in bench.servos.silence_problem(1, "its state", spoilt)
    assert "servo 2 on tty0" in bench.servos.silence_problem(1, "its state", spoilt)


def test_every_line_is_written_to_once_in_a_cycle(bench: Bench) -> None:
    for drive in (Drive.POLL, Drive.ENABLE, Drive.COMMAND, Drive.DISABLE, Drive.CLEAR_FAULT):
        bench.step(drive)
    assert [len(line.written) for line in bench.lines.values()] == [5, 5]


def test_a_limp_servo_that_is_no_longer_heard_is_not_switched_on(bench: Bench) -> None:
    bench.on()
    bench.steps(4, Drive.COMMAND, bench.command(0.2, 0.0))
    bench.lines["tty0"].spoil = lambda data: b""
    bench.steps(STALE_CYCLES, Drive.COMMAND, bench.command(0.2, 0.0))
    bench.steps(4, Drive.COMMAND, bench.command(0.2, K))
    assert bench.twin.is_on.tolist() == [False, False, True]


def test_a_limp_servo_stays_off_after_a_stop_whatever_is_commanded(bench: Bench) -> None:
    bench.on()
    bench.steps(4, Drive.COMMAND, bench.command(0.2, 0.0))
    assert bench.steps(2, Drive.DISABLE) == [MotorStatus.DISABLED] * 3
    bench.steps(4, Drive.COMMAND, bench.command(0.2, K))
    assert not bench.twin.is_on.any()


def test_nobody_is_known_before_the_first_answer(bench: Bench) -> None:
    assert bench.steps(1, None) == [MotorStatus.UNKNOWN] * 3
    bench.spoil_servo(1, is_silent=True)
    assert bench.steps(6, Drive.POLL) == [MotorStatus.DISABLED, MotorStatus.UNKNOWN, MotorStatus.DISABLED]
