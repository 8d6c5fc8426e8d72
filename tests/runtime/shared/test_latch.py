from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.core.levels import ArmingState
from supervisor.core.shared.slot import Slot
from supervisor.runtime.shared.latch import KEPT_BYTES, LatchKeeper, SharedLatch
from supervisor.safety.latch_format import CAPACITY, PLACE_BYTES, Clocks
from supervisor.safety.restart import Kept

CLOCKS = Clocks(lambda: 100.0, lambda: 1e9, "a")
CHECKING, ARMED = Kept(ArmingState.CHECKING), Kept(ArmingState.ARMED)


class Sides:
    """Both processes of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.slots = [Slot(memoryview(bytearray(Slot.size(size))), size) for size in (CAPACITY, KEPT_BYTES)]
        self.latch = SharedLatch(*self.slots, path, "pup", CLOCKS)
        self.keepers: list[LatchKeeper] = []

    def keeper(self) -> LatchKeeper:
        self.keepers.append(LatchKeeper(*self.slots, self.path))
        return self.keepers[-1]


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[Sides]:
    made = Sides(tmp_path / "state" / "pup" / "latch.bin")
    yield made
    for keeper in made.keepers:
        keeper.close()


def test_what_is_stored_is_kept_once_the_other_process_has_written_it(sides: Sides) -> None:
    keeper = sides.keeper()
    sides.latch.store(CHECKING)
    assert not sides.latch.is_kept
    assert sides.latch.problem == ""
    keeper.step()
    assert sides.latch.is_kept
    assert sides.latch.load().kept == CHECKING
    sides.latch.store(ARMED)
    assert not sides.latch.is_kept
    assert sides.latch.load().kept == CHECKING


def test_only_the_newest_is_written_and_nothing_twice(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = sides.keeper()
    keeper.step()
    sides.latch.store(CHECKING)
    sides.latch.store(ARMED)
    keeper.step()
    before = sides.path.read_bytes()
    monkeypatch.setattr(os, "pwrite", lambda *_: pytest.fail("nothing is new"))
    keeper.step()
    assert sides.path.read_bytes() == before
    assert sides.latch.load().kept == ARMED


def test_what_was_stored_last_is_written_when_the_run_ends(sides: Sides) -> None:
    keeper = sides.keeper()
    sides.latch.store(CHECKING)
    keeper.close()
    keeper.close()
    assert sides.latch.load().kept == CHECKING


def test_without_the_other_process_nothing_is_kept(sides: Sides) -> None:
    sides.latch.store(CHECKING)
    assert not sides.latch.is_kept
    assert sides.latch.load().kept is None


def test_a_file_that_cannot_be_opened_is_told_and_tried_again(sides: Sides) -> None:
    sides.path.parent.mkdir(parents=True)
    sides.path.mkdir()
    keeper = sides.keeper()
    assert "latch.bin" in sides.latch.problem
    sides.latch.store(CHECKING)
    keeper.step()
    assert not sides.latch.is_kept
    sides.path.rmdir()
    keeper.step()
    assert sides.latch.is_kept
    assert sides.latch.problem == ""


def test_a_write_that_fails_is_told_and_tried_again(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = sides.keeper()
    sides.latch.store(CHECKING)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: 3)
        keeper.step()
    assert not sides.latch.is_kept
    assert "in part" in sides.latch.problem
    keeper.step()
    assert sides.latch.is_kept


def test_a_second_run_of_the_robot_keeps_nothing_and_says_why(sides: Sides) -> None:
    sides.keeper()
    other = Sides(sides.path)
    keeper = other.keeper()
    other.latch.store(CHECKING)
    keeper.step()
    assert not other.latch.is_kept
    assert "another run has it open" in other.latch.problem


def test_what_does_not_fit_is_not_kept_and_the_next_that_does_is(sides: Sides) -> None:
    keeper = sides.keeper()
    sides.latch.store(CHECKING)
    keeper.step()
    sides.latch.store(Kept(ArmingState.ARMED, None, {"x" * PLACE_BYTES: (1.0,)}))
    assert not sides.latch.is_kept
    assert "bytes" in sides.latch.problem
    sides.latch.store(ARMED)
    keeper.step()
    assert sides.latch.is_kept


def test_what_was_overtaken_while_it_was_read_is_written_next_time(
    sides: Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = sides.keeper()
    sides.latch.store(CHECKING)
    with monkeypatch.context() as patch:
        patch.setattr(Slot, "read", lambda self: None)
        keeper.step()
    assert not sides.latch.is_kept
    keeper.step()
    assert sides.latch.is_kept
