"""Durations over a whole run in constant memory."""

from __future__ import annotations

import pytest

from supervisor.evidence.timing import BINS, DurationHistogram, Percentiles


def test_nothing_measured_is_all_zero() -> None:
    assert DurationHistogram().percentiles() == Percentiles(0.0, 0.0, 0.0, 0.0)


def test_percentiles_are_exact_to_a_microsecond() -> None:
    histogram = DurationHistogram()
    for us in range(1, 1001):
        histogram.add(us * 1e-6)
    found = histogram.percentiles()
    assert len(histogram) == 1000
    assert found.p50 == pytest.approx(500, abs=1.0)
    assert found.p99 == pytest.approx(990, abs=1.0)
    assert found.p999 == pytest.approx(999, abs=1.0)
    assert found.max == 1000.0


def test_a_percentile_is_never_larger_than_the_largest() -> None:
    histogram = DurationHistogram()
    histogram.add(10.1e-6)
    found = histogram.percentiles()
    assert found.p50 == found.p999 == found.max == 10.1


@pytest.mark.parametrize("duration_s", [1.0, float("inf")])
def test_what_is_longer_than_all_bins_keeps_its_largest(duration_s: float) -> None:
    histogram = DurationHistogram()
    histogram.add(duration_s)
    assert histogram.percentiles().max == duration_s * 1e6
    assert histogram.percentiles().p50 == BINS - 0.5


def test_a_clock_that_went_back_counts_as_nothing() -> None:
    histogram = DurationHistogram()
    histogram.add(-1.0)
    histogram.add(float("nan"))
    assert len(histogram) == 2
    assert histogram.percentiles() == Percentiles(0.0, 0.0, 0.0, 0.0)
