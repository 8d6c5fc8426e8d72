from __future__ import annotations

from dataclasses import fields

from drivers.bus import BusCounters, Frame
from supervisor.core.state import BusStatistics


def test_counters_become_statistics_field_by_field() -> None:
    names = [field.name for field in fields(BusStatistics)]
    counters = BusCounters(**{name: number for number, name in enumerate(names, 1)})
    statistics = counters.statistics()
    assert [getattr(statistics, name) for name in names] == list(range(1, len(names) + 1))


def test_statistics_do_not_change_with_the_counters() -> None:
    counters = BusCounters()
    statistics = counters.statistics()
    counters.sent += 1
    assert statistics.sent == 0


def test_a_frame_is_classic_and_standard_unless_said_otherwise() -> None:
    assert Frame(1, b"") == (1, b"", False, False, 0.0)
