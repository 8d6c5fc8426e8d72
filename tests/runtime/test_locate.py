"""Robots, policies and missions are found by name or path, and an unknown one lists those there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import ConfigError
from supervisor.runtime import locate
from supervisor.runtime.locate import config_root, find_mission, find_policy, find_robot, known


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `config` with one of each."""
    files = ("robots/pup/robot.yaml", "policies/walk/contract.yaml", "missions/climb.yaml")
    for name in files:
        (tmp_path / "config" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "config" / name).write_text("schema: 1\n")
    (tmp_path / "config" / "robots" / "unfinished").mkdir()
    monkeypatch.setattr(locate, "config_root", lambda: tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config"


def test_names_are_found_under_config(root: Path) -> None:
    assert find_robot("pup") == root / "robots/pup/robot.yaml"
    assert find_policy("walk") == root / "policies/walk/contract.yaml"
    assert find_mission("climb") == root / "missions/climb.yaml"
    assert (known("robots"), known("policies"), known("missions")) == (("pup",), ("walk",), ("climb",))


def test_paths_are_found_as_folder_and_as_file(root: Path) -> None:
    assert find_robot("./config/robots/pup") == Path("config/robots/pup/robot.yaml")
    assert find_robot(str(root / "robots/pup/robot.yaml")) == root / "robots/pup/robot.yaml"
    assert find_policy("config/policies/walk/contract.yaml") == Path("config/policies/walk/contract.yaml")
    assert find_mission("config/missions/climb.yaml") == Path("config/missions/climb.yaml")


def test_a_name_under_config_wins_over_a_folder_of_the_same_name(root: Path) -> None:
    (root.parent / "pup").mkdir()
    (root.parent / "pup" / "robot.yaml").write_text("schema: 1\n")
    assert find_robot("pup") == root / "robots/pup/robot.yaml"
    assert find_robot("./pup") == Path("pup/robot.yaml")


def test_a_word_that_is_no_name_may_still_be_a_path(root: Path) -> None:
    (root.parent / "mine").mkdir()
    (root.parent / "mine" / "robot.yaml").write_text("schema: 1\n")
    assert find_robot("mine") == Path("mine/robot.yaml")


@pytest.mark.parametrize(
    ("find", "names"), [(find_robot, "pup"), (find_policy, "walk"), (find_mission, "climb")], ids=["r", "p", "m"]
)
@pytest.mark.parametrize("name", ["", ".", "..", "nobody", "no/body", "unfinished", "x" * 5000, "a\x00b"])
@pytest.mark.usefixtures("root")
def test_an_unknown_name_lists_those_there_are(find: Callable[[str], Path], names: str, name: str) -> None:
    with pytest.raises(ConfigError, match=f"under config: {names}"):
        find(name)


def test_a_folder_without_the_file_is_told(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"found a folder without robot\.yaml; allowed: a path, or a robot"):
        find_robot(str(root / "robots" / "unfinished"))


def test_the_shipped_config_is_found_whatever_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_root().is_dir()
    assert find_robot("pup").is_file()


@given(name=st.text(max_size=30))
def test_any_text_ends_in_a_file_or_a_config_error(name: str) -> None:
    for find in (find_robot, find_policy, find_mission):
        try:
            found = find(name)
        except ConfigError:
            continue
        assert found.is_file()
