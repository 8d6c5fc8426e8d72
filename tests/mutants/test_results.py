from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mutants.ledger import Change, Fate, Mutant
from tests.mutants.results import changed, function_of, read_results

WORDS = {0: "survived", 1: "killed", 33: "no tests", 36: "timeout", -11: "segfault", None: "not checked"}
DIFF = """--- room/file.py
+++ room/file.py
@@ -1,4 +1,4 @@
 def f(a, b):
-    if a < b:
+    if a <= b:
         return a
"""


def results(folder: Path, codes: dict[str, int | None]) -> Path:
    (folder / "room").mkdir()
    (folder / "room" / "file.py.meta").write_text(json.dumps({"exit_code_by_key": codes}), encoding="utf-8")
    return folder


def found(folder: Path, code: int | None) -> Mutant:
    name = "room.file.x_f__mutmut_1"

    def diff_of(asked: str, source: Path) -> str:
        assert (asked, source) == (name, Path("room/file.py"))
        return DIFF

    (mutant,) = read_results(results(folder, {name: code}), WORDS.__getitem__, diff_of)
    return mutant


@pytest.mark.parametrize(
    ("code", "fate"),
    [(0, Fate.SURVIVED), (33, Fate.SURVIVED), (-11, Fate.SURVIVED), (36, Fate.TIMEOUT), (None, Fate.UNTRIED)],
)
def test_what_no_test_killed_is_said_in_words(tmp_path: Path, code: int | None, fate: Fate) -> None:
    change = Change("room.file", "f", "if a < b:", "if a <= b:")
    assert found(tmp_path, code) == Mutant("room.file", fate, change)


def test_what_a_test_killed_needs_no_words(tmp_path: Path) -> None:
    assert found(tmp_path, 1) == Mutant("room.file", Fate.KILLED)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("room.file.x_f__mutmut_12", "f"),
        ("room.file.x__hidden__mutmut_1", "_hidden"),
        ("room.file.xǁClassǁ__init____mutmut_3", "Class.__init__"),
    ],
)
def test_a_name_tells_the_function(name: str, function: str) -> None:
    assert function_of(name) == function


def test_lines_that_go_and_come_are_joined() -> None:
    diff = "--- a\n+++ b\n@@ -1,3 +1,2 @@\n-    f(\n-        x,\n-    )\n+    f(None)\n same"
    assert changed(diff) == ("f( x, )", "f(None)")


def test_a_line_that_is_left_out_becomes_nothing() -> None:
    assert changed("--- a\n+++ b\n-    x,") == ("x,", "")
