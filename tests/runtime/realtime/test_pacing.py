from __future__ import annotations

import time

import pytest

from supervisor.runtime.realtime.pacing import Pacer

MS = 1_000_000


class Machine:
    """A clock that sleeping moves, later than it should by what the test says."""

    def __init__(self) -> None:
        self.now_ns = 1_000 * MS
        self.late_ns: list[int] = []
        self.slept_until: list[int] = []

    def clock(self) -> int:
        return self.now_ns

    def sleep_until(self, time_ns: int) -> None:
        self.slept_until.append(time_ns)
        self.now_ns = time_ns + (self.late_ns.pop(0) if self.late_ns else 0)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def pacer(machine: Machine) -> Pacer:
    return Pacer(0.002, machine.clock, machine.sleep_until)


def test_cycles_begin_at_multiples_of_the_period(machine: Machine, pacer: Pacer) -> None:
    machine.late_ns = [50_000, 0, 700_000, 0]
    begins = [pacer.wait() for _ in range(4)]
    assert begins == pytest.approx([1.00205, 1.004, 1.0067, 1.008])
    assert machine.slept_until == [1002 * MS, 1004 * MS, 1006 * MS, 1008 * MS]
    assert pacer.missed == 0


def test_a_cycle_that_took_a_little_too_long_is_followed_at_once(machine: Machine, pacer: Pacer) -> None:
    pacer.wait()
    machine.now_ns += 3 * MS
    assert pacer.wait() == pytest.approx(1.005)
    assert pacer.missed == 0
    assert pacer.wait() == pytest.approx(1.006)


@pytest.mark.parametrize(("took_ms", "missed", "begins_s"), [(4, 1, 1.006), (5, 1, 1.007), (51, 24, 1.053)])
def test_missed_periods_are_counted_and_never_made_up(
    machine: Machine, pacer: Pacer, took_ms: int, missed: int, begins_s: float
) -> None:
    pacer.wait()
    machine.now_ns += took_ms * MS
    assert pacer.wait() == pytest.approx(begins_s)
    assert pacer.missed == missed
    before = pacer.wait()
    assert pacer.wait() - before == pytest.approx(0.002)
    assert pacer.missed == missed


def test_lateness_is_known_at_once_and_forgotten_after_a_second(machine: Machine, pacer: Pacer) -> None:
    machine.late_ns = [100_000, 900_000]
    pacer.wait()
    pacer.wait()
    assert pacer.lag_worst_s == pytest.approx(0.0009)
    for _ in range(498):
        pacer.wait()
    assert pacer.lag_mean_s == pytest.approx(1e-3 / 500)
    for _ in range(500):
        pacer.wait()
    assert pacer.lag_worst_s == 0.0
    assert pacer.lag_mean_s == 0.0
    assert len(pacer.lateness) == 1000


def test_the_machines_own_clock_is_kept() -> None:
    pacer = Pacer(0.005)
    began_s = time.monotonic()
    for _ in range(10):
        begun_s = pacer.wait()
    assert begun_s - began_s >= 0.045
    assert begun_s <= time.monotonic()
