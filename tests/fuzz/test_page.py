"""The figures in the documentation: all targets, a million inputs each, no defect."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.campaign import SEED, document
from tests.fuzz.targets import targets

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fuzzing.md"


def rows_of_the_page() -> Sequence[Sequence[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    # Every row ends with its seed.
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if re.search(r"^\| .* \d+ \|$", line)]


def test_the_page_in_the_documentation_has_a_million_inputs_of_every_target_and_no_defect() -> None:
    rows = rows_of_the_page()
    missing = {target.name for target in targets()} - {row[0] for row in rows}
    assert not missing, "make it anew: make fuzz"
    assert {row[1] for row in rows} == {"1000000"}
    assert {tuple(row[5:8]) for row in rows} == {("0", "0", "0")}


def test_the_page_says_how_it_was_made() -> None:
    text = document([], SEED, 1_000_000)
    assert PAGE.read_text(encoding="utf-8").split("| target |")[0] == text.split("| target |")[0]
