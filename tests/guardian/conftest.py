"""What the tests of the guardian's loop share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.guardian import duty
from tests.guardian.duty_bench import ARM, LEG, Bench


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is the test's: the guardian looks, and does not wait."""
    select = duty.select.select
    monkeypatch.setattr(duty.select, "select", lambda read, write, error, wait_s: select(read, write, error, 0))


@pytest.fixture
def bench(tmp_path: Path, still: None) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def two(tmp_path: Path, still: None) -> Iterator[Bench]:
    """With a line beside the bus."""
    made = Bench(tmp_path, (LEG, ARM))
    yield made
    made.close()
