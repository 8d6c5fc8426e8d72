from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from supervisor.core.errors import ConfigError
from tests.mutants.ledger import Change, Fate, Mutant, held_against, read_equivalents

LIST = Path(__file__).with_name("equivalents.yaml")
ONE = """schema: 1
equivalents:
  - module: room.file
    reason: Both sides are the same number here.
    mutants:
      - {function: f, was: "a < b", becomes: "a <= b", times: 2}
      - {function: "C.g", was: "x,", becomes: ""}
"""
LESS = Change("room.file", "f", "a < b", "a <= b")
LEFT_OUT = Change("room.file", "C.g", "x,", "")


def listed(folder: Path, text: str = ONE) -> Path:
    path = folder / "equivalents.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def survivors(*changes: Change) -> list[Mutant]:
    return [Mutant(change.module, Fate.SURVIVED, change) for change in changes]


def test_a_list_is_read_with_how_often_each_is_made(tmp_path: Path) -> None:
    (group,) = read_equivalents(listed(tmp_path))
    assert group.reason == "Both sides are the same number here."
    assert group.changes() == {LESS: 2, LEFT_OUT: 1}


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("schema: 1", "schema: 2"),
        ("    reason: Both sides are the same number here.\n", ""),
        ("Both sides are the same number here.", "Same."),
        ("times: 2", "times: 0"),
        ("times: 2", "often: 2"),
        ('      - {function: "C.g", was: "x,", becomes: ""}\n', '      - {function: "C.g", becomes: ""}\n'),
    ],
)
def test_a_list_that_does_not_say_what_it_should_is_refused(tmp_path: Path, was: str, becomes: str) -> None:
    assert ONE.count(was) == 1
    with pytest.raises(ValueError, match="1 validation error"):
        read_equivalents(listed(tmp_path, ONE.replace(was, becomes)))


def test_a_list_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_equivalents(tmp_path / "none.yaml")


def test_all_is_well_when_exactly_those_on_the_list_survive(tmp_path: Path) -> None:
    groups = read_equivalents(listed(tmp_path))
    verdict = held_against([*survivors(LESS, LESS, LEFT_OUT), Mutant("room.file", Fate.KILLED)], groups)
    assert verdict.is_well
    assert verdict.equivalent == {LESS: 2, LEFT_OUT: 1}


def test_a_survivor_that_is_not_listed_as_often_is_told(tmp_path: Path) -> None:
    groups = read_equivalents(listed(tmp_path))
    verdict = held_against(survivors(LESS, LESS, LESS, LEFT_OUT), groups)
    assert not verdict.is_well
    assert (verdict.surviving, verdict.gone) == (Counter({LESS: 1}), Counter())


def test_the_same_change_elsewhere_is_another_one(tmp_path: Path) -> None:
    groups = read_equivalents(listed(tmp_path))
    other = Change("room.file", "h", LESS.was, LESS.becomes)
    verdict = held_against(survivors(LESS, other, LEFT_OUT), groups)
    assert (verdict.surviving, verdict.gone) == (Counter({other: 1}), Counter({LESS: 1}))


@pytest.mark.parametrize("fate", [Fate.KILLED, Fate.TIMEOUT, None])
def test_a_listed_one_that_is_noticed_or_not_made_is_told(tmp_path: Path, fate: Fate | None) -> None:
    groups = read_equivalents(listed(tmp_path))
    noticed = [Mutant("room.file", fate, LEFT_OUT)] if fate is not None else []
    verdict = held_against([*survivors(LESS, LESS), *noticed], groups)
    assert not verdict.is_well
    assert (verdict.surviving, verdict.gone) == (Counter(), Counter({LEFT_OUT: 1}))


def test_the_projects_list_can_be_read_and_names_nothing_in_two_places() -> None:
    names: list[Change] = [change for group in read_equivalents(LIST) for change in group.changes()]
    assert len(names) == len(set(names))
