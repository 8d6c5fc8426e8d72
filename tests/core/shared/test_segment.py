from __future__ import annotations

import stat
from pathlib import Path

import pytest

from supervisor.core.errors import LinkError
from supervisor.core.shared import segment
from supervisor.core.shared.segment import Segment, create_folder, remove_folder


def test_two_that_map_a_segment_see_the_same_bytes(tmp_path: Path) -> None:
    made = Segment(tmp_path / "a", 4096, create=True)
    opened = Segment(tmp_path / "a", 4096, create=False)
    made.memory[17] = 42
    assert opened.memory[17] == 42
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    made.close()
    opened.close()
    opened.close()


def test_a_segment_is_made_once(tmp_path: Path) -> None:
    Segment(tmp_path / "a", 64, create=True).close()
    with pytest.raises(LinkError, match="File exists"):
        Segment(tmp_path / "a", 64, create=True)


@pytest.mark.parametrize("size", [32, 128])
def test_a_segment_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    Segment(tmp_path / "a", 64, create=True).close()
    with pytest.raises(LinkError, match=f"64 bytes, expected {size}"):
        Segment(tmp_path / "a", size, create=False)


def test_a_segment_that_others_may_open_is_refused(tmp_path: Path) -> None:
    Segment(tmp_path / "a", 64, create=True).close()
    (tmp_path / "a").chmod(0o640)
    with pytest.raises(LinkError, match="not ours alone"):
        Segment(tmp_path / "a", 64, create=False)


def test_a_link_in_the_place_of_a_segment_is_refused(tmp_path: Path) -> None:
    Segment(tmp_path / "a", 64, create=True).close()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(LinkError, match="cannot open"):
        Segment(tmp_path / "b", 64, create=False)


def test_a_missing_segment_is_told(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="No such file"):
        Segment(tmp_path / "a", 64, create=False)


def test_the_folder_of_a_run_is_its_owners_alone_and_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "ROOT", tmp_path)
    folder = create_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    Segment(folder / "a", 64, create=True).close()
    remove_folder(folder)
    assert not folder.exists()
    remove_folder(folder)
