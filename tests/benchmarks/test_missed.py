"""Missed periods out of a record: the loop's own count, and why."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.realtime.missed import Missed, by_reason, missed_periods, periods_of
from benchmarks.realtime.witness import Stall
from supervisor.runtime.realtime.pacing import NS_PER_S, Pacer

PERIOD_S = 0.002


class Machine:
    """A clock, and cycles that begin late or take long where they are told to."""

    def __init__(self, start_s: float) -> None:
        self.now_ns = round(start_s * NS_PER_S)
        self.late_s = 0.0
        self.pacer = Pacer(PERIOD_S, lambda: self.now_ns, self.sleep_until)

    def sleep_until(self, time_ns: int) -> None:
        self.now_ns = time_ns + round(self.late_s * NS_PER_S)

    def cycle(self, late_s: float = 5e-6, takes_s: float = 2e-4) -> float:
        self.late_s = late_s
        began_s = self.pacer.wait()
        self.now_ns += round(takes_s * NS_PER_S)
        return began_s


def rows(began_s: list[float], took_s: list[float]) -> np.ndarray:
    """A record: each row holds how long the cycle before took."""
    made = np.zeros(len(began_s), dtype=[("time_s", "f8"), ("cycle_us", "f8")])
    made["time_s"] = began_s
    made["cycle_us"][1:] = np.asarray(took_s[:-1]) * 1e6
    return made


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start_s", [0.0, 12345.6789])
def test_the_sum_is_what_the_loop_has_counted(seed: int, start_s: float) -> None:
    random = np.random.default_rng(seed)
    machine = Machine(start_s)
    began, took = [], []
    for _ in range(3000):
        late_s = random.exponential(0.004) if random.random() < 0.02 else random.exponential(2e-5)
        takes_s = random.exponential(0.005) if random.random() < 0.02 else 2e-4
        began.append(machine.cycle(late_s, takes_s))
        took.append(takes_s)
    # A period is known to be lost when the next cycle is waited for.
    began.append(machine.cycle())
    took.append(0.0)
    found = missed_periods(rows(began, took), PERIOD_S, [])
    assert machine.pacer.missed > 20
    assert sum(missed.periods for missed in found) == machine.pacer.missed


def test_cycles_on_time_miss_nothing_whatever_the_first_one_did() -> None:
    machine = Machine(7.0)
    began = [machine.cycle(late_s) for late_s in (0.0019, 5e-6, 0.0009, 2e-5, 1e-6, 3e-6, 4e-6, 5e-6)]
    assert list(periods_of(np.array(began), PERIOD_S)) == list(range(8))


@pytest.mark.parametrize(
    ("stall_s", "takes_s", "reason"),
    [
        (0.008, 2e-4, "a core stood still"),
        (0.0, 0.009, "a cycle took too long"),
        (0.001, 2e-4, "not explained"),
    ],
)
def test_a_gap_has_one_reason(stall_s: float, takes_s: float, reason: str) -> None:
    machine = Machine(1.0)
    began = [machine.cycle() for _ in range(50)]
    took = [2e-4] * 49 + [takes_s]
    machine.now_ns += round((takes_s - 2e-4) * NS_PER_S)
    began += [machine.cycle(0.0085 if takes_s < 0.001 else 5e-6), machine.cycle()]
    took += [2e-4, 2e-4]
    stalls = [Stall(0, began[49] + 0.002, began[49] + 0.002 + stall_s), Stall(1, began[3], began[3] + 0.02)]
    (missed,) = missed_periods(rows(began, took), PERIOD_S, stalls)
    assert isinstance(missed, Missed)
    assert missed.at_s == began[49]
    assert by_reason([missed]) == {reason: (1, missed.periods, missed.delay_s)}
