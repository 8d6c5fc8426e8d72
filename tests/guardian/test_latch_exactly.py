"""The guardian's latch: flags, threads and sums."""

from __future__ import annotations

import os
import threading
import zlib
from pathlib import Path
from typing import cast

import pytest

from supervisor.guardian.latch import RECORD_BYTES, Latch, LatchFile, LatchKeeper, Left, latch_record, parse_latch
from supervisor.guardian.watch import Fault


def test_a_file_is_opened_with_all_its_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[int, ...]] = []
    really = os.open
    monkeypatch.setattr(os, "open", lambda name, *rest: (opened.append(rest), really(name, *rest))[1])
    LatchFile(tmp_path / "latch").close()
    assert opened == [(os.O_RDWR | os.O_CREAT | os.O_DSYNC | os.O_CLOEXEC, 0o600)]


def test_a_file_that_is_closed_twice_closes_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LatchFile(tmp_path / "latch")
    closed: list[int] = []
    really = os.close
    monkeypatch.setattr(os, "close", lambda descriptor: (closed.append(descriptor), really(descriptor)))
    for _ in range(3):
        file.close()
    assert len(closed) == 3
    assert max(closed[1:]) < 0


def test_a_file_that_is_just_long_enough_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cut = LatchFile(tmp_path / "latch"), []
    monkeypatch.setattr(os, "ftruncate", lambda *call: cut.append(call))
    assert file.write(Latch(Left.LIVE))
    assert not cut
    with (tmp_path / "latch").open("ab") as longer:
        longer.write(b"!")
    assert file.write(Latch(Left.LIVE))
    assert [size for _, size in cut] == [RECORD_BYTES]
    file.close()


class Broken:
    """A file that takes nothing."""

    def write(self, latch: Latch) -> bool:
        return False

    def close(self) -> None:
        """Nothing to do."""


def test_every_write_that_failed_counts() -> None:
    keeper = LatchKeeper(cast("list[LatchFile]", [Broken(), Broken()]), lambda: 1.0)
    keeper.post(Left.LIVE)
    keeper.post(Left.STOPPED, Fault.SILENT)
    keeper.post(Left.STOPPED, Fault.SILENT)
    keeper.close()
    assert keeper.failed == 4
    assert keeper.written is None


def test_the_thread_is_named_and_holds_nobody_up() -> None:
    keeper = LatchKeeper([])
    assert (keeper._thread.name, keeper._thread.daemon) == ("latch", True)
    keeper.close()


def test_closing_waits_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float | None] = []
    really = threading.Thread.join
    keeper = LatchKeeper([])
    monkeypatch.setattr(
        threading.Thread, "join", lambda self, timeout=None: (waited.append(timeout), really(self, timeout))[1]
    )
    keeper.close()
    assert waited == [1.0]


def record(text: str, gap: str = " ") -> bytes:
    """A record whose checksum is right, whatever it says."""
    return f"{text}{gap}{zlib.crc32(text.encode()):08x}".ljust(RECORD_BYTES - 1).encode() + b"\n"


GOOD = latch_record(Latch(Left.STOPPED, Fault.SILENT, 5.0)).decode().rstrip().rsplit(" ", 1)[0]


def test_a_record_with_a_right_checksum_is_believed() -> None:
    assert parse_latch(record(GOOD)) == Latch(Left.STOPPED, Fault.SILENT, 5.0)


@pytest.mark.parametrize(
    "raw",
    [
        record(GOOD.replace("SILENT", "NONSENSE")),
        record(GOOD.replace(" 5.000", " soon")),
        record("?" + GOOD),
        record(GOOD.replace(" ", "\t")),
        record(GOOD, gap="\t"),
    ],
)
def test_a_record_that_says_anything_else_is_damaged_although_its_checksum_is_right(raw: bytes) -> None:
    assert parse_latch(raw).left is Left.DAMAGED


@pytest.mark.parametrize("space", ["\t", "\x1f"])
def test_only_spaces_stand_between_the_words(space: str) -> None:
    record = latch_record(Latch(Left.CLEAR, Fault.NONE, 1.0)).decode()
    words = record.rstrip().rsplit(" ", 1)[0]
    assert parse_latch(record.encode()).left is Left.CLEAR
    other = space.join(words.rsplit(" ", 3))
    changed = f"{other} {zlib.crc32(other.encode()):08x}".ljust(len(record) - 1) + record[-1]
    assert parse_latch(changed.encode()).left is Left.DAMAGED
