"""The figures in the documentation: all targets, a million inputs each, no defect."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.campaign import SEED, document, rows_of
from tests.fuzz.targets import targets

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fuzzing.md"
HOW = "add its row: python -m tests.fuzz.campaign --missing --write docs/fuzzing.md; then make SAFETY.md anew"


def test_the_page_in_the_documentation_has_a_million_inputs_of_every_target_and_no_defect() -> None:
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    assert not {target.name for target in targets()} - {row[0] for row in rows}, HOW
    assert {row[1] for row in rows} == {"1000000"}
    assert {tuple(row[5:8]) for row in rows} == {("0", "0", "0")}


def test_the_page_is_what_the_campaign_writes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == document(rows_of(page), SEED, 1_000_000)
