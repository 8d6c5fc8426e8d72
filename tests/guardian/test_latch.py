from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import BusError
from supervisor.guardian.latch import (
    RECORD_BYTES,
    Latch,
    LatchFile,
    LatchKeeper,
    Left,
    clear_latch,
    latch_record,
    parse_latch,
    read_latch,
)
from supervisor.guardian.watch import Fault

STOPPED = Latch(Left.STOPPED, Fault.SILENT, 1234.5)


@pytest.mark.parametrize("latch", [STOPPED, Latch(Left.CLEAR, Fault.NONE, 1.0), Latch(Left.LIVE, Fault.NONE, 1.0)])
def test_a_latch_is_the_same_after_the_way_there_and_back(latch: Latch) -> None:
    assert len(latch_record(latch)) == RECORD_BYTES
    assert parse_latch(latch_record(latch)) == latch


@pytest.mark.parametrize(("left", "is_latched"), [(Left.CLEAR, False), (Left.LIVE, True), (Left.STOPPED, True)])
def test_only_what_was_left_clear_is_not_latched(left: Left, is_latched: bool) -> None:
    assert Latch(left).is_latched is is_latched
    assert Latch(Left.DAMAGED).is_latched


@given(st.binary(min_size=1, max_size=300))
def test_no_bytes_raise_and_none_are_clear(raw: bytes) -> None:
    assert parse_latch(raw).left is Left.DAMAGED


@given(st.integers(0, RECORD_BYTES - 1), st.integers(0, 7))
def test_one_changed_bit_does_not_clear_a_latch(place: int, bit: int) -> None:
    raw = bytearray(latch_record(STOPPED))
    raw[place] ^= 1 << bit
    assert parse_latch(bytes(raw)).is_latched


def test_a_torn_file_is_latched(tmp_path: Path) -> None:
    path = tmp_path / "latch"
    path.write_bytes(latch_record(Latch(Left.CLEAR))[:50])
    assert read_latch(path).left is Left.DAMAGED


def test_a_record_that_is_true_but_too_short_is_damaged() -> None:
    assert parse_latch(latch_record(Latch(Left.CLEAR)).rstrip()).left is Left.DAMAGED


def test_no_file_means_that_nothing_was_ever_left(tmp_path: Path) -> None:
    assert read_latch(tmp_path / "latch") == Latch(Left.CLEAR)
    (tmp_path / "empty").touch()
    assert read_latch(tmp_path / "empty") == Latch(Left.CLEAR)


def test_a_file_that_cannot_be_read_is_latched(tmp_path: Path) -> None:
    assert read_latch(tmp_path).left is Left.DAMAGED


def test_what_was_written_is_read_and_only_its_owner_can(tmp_path: Path) -> None:
    path = tmp_path / "latch"
    file = LatchFile(path)
    assert file.write(Latch(Left.LIVE, time_s=2.0))
    assert file.write(STOPPED)
    file.close()
    assert read_latch(path) == STOPPED
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_operator_clears_it(tmp_path: Path) -> None:
    path = tmp_path / "latch"
    path.write_bytes(b"nonsense" * 50)
    clear_latch(path, 5.0)
    assert read_latch(path) == Latch(Left.CLEAR, Fault.NONE, 5.0)


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(BusError, match="cannot keep its latch"):
        LatchFile(tmp_path / "not there" / "latch")


def test_a_disk_that_takes_nothing_is_counted(tmp_path: Path) -> None:
    file = LatchFile(tmp_path / "latch")
    os.close(file._descriptor)
    file._descriptor = os.open("/dev/full", os.O_RDWR)
    keeper = LatchKeeper([file, LatchFile(tmp_path / "other")])
    keeper.post(Left.LIVE)
    keeper.close()
    assert (keeper.failed, keeper.written) == (1, None)
    assert read_latch(tmp_path / "other").left is Left.LIVE


def test_the_newest_is_kept_in_every_file_and_the_same_is_written_once(tmp_path: Path) -> None:
    class Counting(LatchFile):
        writes = 0

        def write(self, latch: Latch) -> bool:
            Counting.writes += 1
            return super().write(latch)

    files = [Counting(tmp_path / name) for name in ("a", "b")]
    keeper = LatchKeeper(files, wall_clock_s=lambda: 7.0)
    for _ in range(5):
        keeper.post(Left.LIVE)
    keeper.post(Left.STOPPED, Fault.GONE)
    keeper.close()
    assert Counting.writes == 4
    assert [read_latch(tmp_path / name) for name in ("a", "b")] == [Latch(Left.STOPPED, Fault.GONE, 7.0)] * 2
    assert keeper.written == Latch(Left.STOPPED, Fault.GONE, 7.0)


def test_nobody_waits_for_a_slow_disk(tmp_path: Path) -> None:
    release = threading.Event()

    class Slow(LatchFile):
        def write(self, latch: Latch) -> bool:
            release.wait(5.0)
            return super().write(latch)

    keeper = LatchKeeper([Slow(tmp_path / "latch")])
    began_s = time.monotonic()
    keeper.post(Left.LIVE)
    keeper.post(Left.STOPPED, Fault.SILENT)
    keeper.close(timeout_s=0.01)
    assert time.monotonic() - began_s < 1.0
    assert read_latch(tmp_path / "latch") == Latch(Left.CLEAR)
    release.set()
    keeper._thread.join()
    assert read_latch(tmp_path / "latch").left is Left.STOPPED
    keeper.close()
