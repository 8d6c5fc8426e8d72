"""SAFETY.md says what the program does, and names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from supervisor.core.levels import Level
from supervisor.safety.document import document, fuzzing_total, guard_table, main, transition_table
from supervisor.safety.guards import GUARDS
from supervisor.safety.requirements import GUARD_REQUIREMENTS, REQUIREMENTS, Requirement
from supervisor.safety.restart import Beginning, Found
from tests.safety.bench import ROBOT, SAFETY, with_rows
from tests.safety.guard_cases import CASES

FOLDER = Path(__file__).resolve().parents[2]
FUZZING = FOLDER / "docs" / "fuzzing.md"
EVERY = (*REQUIREMENTS, *GUARD_REQUIREMENTS)


def test_the_document_is_up_to_date() -> None:
    assert (FOLDER / "SAFETY.md").read_text(encoding="utf-8") == document(
        SAFETY, ROBOT.name, FUZZING.read_text(encoding="utf-8")
    ), "make it anew: python -m supervisor.safety.document > SAFETY.md"


def test_the_command_in_the_document_makes_it(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert capsys.readouterr().out == (FOLDER / "SAFETY.md").read_text(encoding="utf-8")


def test_the_figures_of_damaged_bytes_are_those_of_the_campaign() -> None:
    total = fuzzing_total(FUZZING.read_text(encoding="utf-8"))
    assert re.match(r"\d+ decoders, parsers and devices took \d+ inputs: 0 exceptions, 0 hangs, 0 times false", total)
    assert total in (FOLDER / "SAFETY.md").read_text(encoding="utf-8")


def test_the_total_is_the_last_line_that_says_something() -> None:
    assert fuzzing_total("\n first\n\nthe total\n\n") == "the total"


def test_ids_are_unique() -> None:
    ids = [requirement.id for requirement in EVERY]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"SAF-\d{3}", identifier) for identifier in ids)


@pytest.mark.parametrize("requirement", EVERY, ids=lambda requirement: requirement.id)
def test_each_requirement_points_at_a_test_that_exists(requirement: Requirement) -> None:
    path, _, test = requirement.test.partition("::")
    function, _, parameter = test.rstrip("]").partition("[")
    tree = ast.parse((FOLDER / path).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    if parameter:
        assert parameter in GUARDS
        assert parameter in CASES


def test_the_guard_table_shows_each_row_with_its_level_and_what_is_only_derived() -> None:
    table = guard_table(with_rows(tilt={"derived": True}))
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()[2:]}
    assert set(lines) == {row.id for row in SAFETY.guards}
    for row in SAFETY.guards:
        assert f"| {row.level.name} |" in lines[row.id]
    assert lines["tilt"].endswith(" *Derived, not confirmed.* |")
    assert table.count("Derived") == 1


def test_the_transition_table_has_no_way_out_of_terminal() -> None:
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in transition_table().splitlines()[2:]}
    assert "STOPPED at TERMINAL" in rows
    assert not any(state in rows["STOPPED at TERMINAL"] for state in ("ARMED", "RUNNING", "CHECKING"))
    assert all(f"STOPPED at {level.name}" in rows for level in Level if level.latches)


def test_the_transition_table_would_show_a_restart_that_keeps_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    # As it is, every stop begins at CUT, and what the table asks about does not show.
    def keep(found: Found) -> Beginning:
        assert found.kept is not None
        return Beginning(found.kept.arming, found.kept.stop, {})

    monkeypatch.setattr("supervisor.safety.document.begin", keep)
    rows = [line.strip("| ").split(" | ") for line in transition_table().splitlines()[2:]]
    assert [row[-1] for row in rows] == [row[0].removesuffix(" (operator's own)") for row in rows]
