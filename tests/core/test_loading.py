"""YAML to frozen values: every problem named with its line, and nothing but a `ConfigError` whatever the bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.core.errors import ConfigError, Problem
from supervisor.core.levels import Level
from supervisor.core.loading import MAXIMUM_DEPTH, MAXIMUM_FILE_BYTES, dotted, load_yaml, read_document


@dataclass(frozen=True, slots=True)
class Part:
    """Something nested."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "allow_inf_nan": False}

    speed_rad_per_s: float
    count: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of ours in small."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "allow_inf_nan": False}

    schema: Literal[1]
    name: str
    level: Level
    parts: tuple[Part, ...]
    limits: dict[str, float]


GOOD = """\
schema: 1
name: sample
level: DAMP
parts:
  - {speed_rad_per_s: 1.5, count: 3}
  - speed_rad_per_s: 2
    count: 4
limits:
  hip: 0.5
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str | bytes], Sample]:
    """Loads text as a file."""

    def load_text(content: str | bytes) -> Sample:
        path = tmp_path / "sample.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_yaml(path, Sample)

    return load_text


def problems_of(load: Callable[[str | bytes], Sample], content: str | bytes) -> tuple[Problem, ...]:
    """The problems of a file that must have some."""
    with pytest.raises(ConfigError) as caught:
        load(content)
    return caught.value.problems


def test_a_good_file_becomes_a_frozen_value(load: Callable[[str | bytes], Sample]) -> None:
    assert load(GOOD) == Sample(1, "sample", Level.DAMP, (Part(1.5, 3), Part(2.0, 4)), {"hip": 0.5})


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "found", "allowed"),
    [
        ("name: sample\n", "", 1, "name", "nothing", "required"),
        ("name: sample", "nam: sample", 2, "nam", "an unknown key", "only the keys of the schema"),
        ("name: sample", "name: 7", 2, "name", "7", "a valid string"),
        ("name: sample", "name: [a]", 2, "name", "['a']", "a valid string"),
        ("level: DAMP", "level: DUMP", 3, "level", "'DUMP'", "one of NONE, WARN, LIMIT, HOLD"),
        ("level: DAMP", "level: 5", 3, "level", "5", "one of NONE"),
        ("level: DAMP", "level: damp", 3, "level", "'damp'", "one of NONE"),
        ("speed_rad_per_s: 2", "speed_rad_per_s: two", 6, "parts[1].speed_rad_per_s", "'two'", "a valid number"),
        ("speed_rad_per_s: 2", "speed_rad_per_s: '2'", 6, "parts[1].speed_rad_per_s", "'2'", "a valid number"),
        ("speed_rad_per_s: 2", "speed_rad_per_s: true", 6, "parts[1].speed_rad_per_s", "True", "a valid number"),
        ("speed_rad_per_s: 2", "speed_rad_per_s: .nan", 6, "parts[1].speed_rad_per_s", "nan", "a finite number"),
        ("speed_rad_per_s: 2", "speed_rad_per_s: -.inf", 6, "parts[1].speed_rad_per_s", "-inf", "a finite number"),
        ("speed_rad_per_s: 2", "speed_rad_per_s: 1.0e+999", 6, "parts[1].speed_rad_per_s", "inf", "a finite number"),
        ("speed_rad_per_s: 2", "speed_rad_per_s:", 6, "parts[1].speed_rad_per_s", "None", "a valid number"),
        ("count: 4", "count: 4.5", 7, "parts[1].count", "4.5", "a valid integer"),
        ("count: 4", "extra: 4", 7, "parts[1].extra", "an unknown key", "only the keys"),
        ("count: 4", "count: 0x_", 7, "parts[1].count", "'0x_'", "a number or a date, or text in quotes"),
        ("count: 4", "count: 2026-99-99", 7, "parts[1].count", "'2026-99-99'", "a number or a date"),
        ("count: 4", "count: " + "9" * 5000, 7, "parts[1].count", "'9999", "a number or a date"),
        ("hip: 0.5", "hip: 0.5\n  hip: 0.6", 10, "limits.hip", "the same key twice", "each key once"),
        ("hip: 0.5", "7: 0.5", 9, "limits", "the key 7", "a text key"),
        ("hip: 0.5", "on: 0.5", 9, "limits", "the key True", "a text key"),
        ("hip: 0.5", "? [a, b]\n  : 1", 9, "limits", "the key a list or a mapping", "a text key"),
        ("hip: 0.5", '"\\ud800": 1', 9, "limits", "the key '\\ud800'", "a text key"),
        ("limits:\n  hip: 0.5", "limits: 3", 8, "limits", "3", "an object"),
        ("parts:", "parts: 3\nmore:", 4, "parts", "3", "a valid"),
    ],
)
def test_a_problem_is_named_with_its_line_key_and_what_is_allowed(
    load: Callable[[str | bytes], Sample], old: str, new: str, line: int, key: str, found: str, allowed: str
) -> None:
    assert old in GOOD
    problems = problems_of(load, GOOD.replace(old, new))
    match = [p for p in problems if p.key == key and p.line == line]
    assert match, problems
    assert found in match[0].found
    assert allowed in match[0].allowed
    assert match[0].file.endswith("sample.yaml")


def test_all_problems_are_told_at_once(load: Callable[[str | bytes], Sample]) -> None:
    bad = GOOD.replace("DAMP", "DUMP").replace("count: 3", "count: x").replace("name: sample", "names: sample")
    found = {(p.line, p.key) for p in problems_of(load, bad)}
    assert found == {(1, "name"), (2, "names"), (3, "level"), (5, "parts[0].count")}


def test_several_values_that_are_not_finite_are_all_told(load: Callable[[str | bytes], Sample]) -> None:
    bad = GOOD.replace("hip: 0.5", "hip: .nan\n  knee: .inf")
    assert [(p.line, p.key) for p in problems_of(load, bad)] == [(9, "limits.hip"), (10, "limits.knee")]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"  \n \n", "an empty file"),
        (b"\x7fELF\x02\x01\xff\xfe", "not UTF-8"),
        (b"schema: 1\nname: \x00", "not YAML"),
        (b"schema: 1\nname: [1, 2", "not YAML"),
        (b'schema: 1\nname: "sam', "not YAML"),
        (b"schema: 1\n\tname: x", "not YAML"),
        (b"schema: 1\n---\nschema: 1", "not YAML"),
        (b"- a\n- b\n", "list"),
        (b"just text", "str"),
        (b"# only a comment\n", "NoneType"),
        (b"42", "int"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_file_that_is_not_a_mapping_is_refused(
    load: Callable[[str | bytes], Sample], content: bytes, found: str
) -> None:
    (problem,) = problems_of(load, content)
    assert found in problem.found


@pytest.mark.parametrize("version", ["2", "0", "'1'", "1.5", "null", "[1]"])
def test_another_schema_version_is_refused_before_anything_else(
    load: Callable[[str | bytes], Sample], version: str
) -> None:
    (problem,) = problems_of(load, GOOD.replace("schema: 1", f"schema: {version}").replace("DAMP", "DUMP"))
    assert (problem.line, problem.key) == (1, "schema")
    assert "1 (this version's schema)" in problem.allowed


def test_a_missing_schema_is_a_problem(load: Callable[[str | bytes], Sample]) -> None:
    assert [p.key for p in problems_of(load, GOOD.replace("schema: 1\n", ""))] == ["schema"]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("schema: 1\na: &x [1]\nb: *x\n", 2, "an anchor (&) or an alias (*)"),
        ("schema: 1\na: *x\n", 2, "an anchor (&) or an alias (*)"),
        ("schema: 1\na: &a [*a]\n", 2, "an anchor (&) or an alias (*)"),
        ("schema: 1\na: !!python/object/apply:os.system ['true']\n", 2, "a tag (!)"),
        ("schema: 1\nb: 2\na: !!int abc\n", 3, "a tag (!)"),
        ("schema: 1\n!!str a: 1\n", 2, "a tag (!)"),
        ("schema: 1\na: ! x\n", 2, "a tag (!)"),
        ("!!set {a, b}\n", 1, "a tag (!)"),
    ],
)
def test_anchors_aliases_and_tags_are_refused(
    load: Callable[[str | bytes], Sample], text: str, line: int, found: str
) -> None:
    (problem,) = problems_of(load, text)
    assert (problem.line, problem.found) == (line, found)


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor(load: Callable[[str | bytes], Sample]) -> None:
    bomb = "schema: 1\na0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for i in range(30):
        bomb += f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n"
    (problem,) = problems_of(load, bomb)
    assert problem.line == 2


@pytest.mark.parametrize("depth", [MAXIMUM_DEPTH + 1, 300, 20_000])
def test_nesting_too_deep_is_refused(load: Callable[[str | bytes], Sample], depth: int) -> None:
    problems = problems_of(load, "schema: 1\na: " + "[" * depth + "]" * depth)
    assert [p.found for p in problems] == ["nesting too deep"]


def test_equals_and_merge_signs_are_plain_text(load: Callable[[str | bytes], Sample]) -> None:
    assert load(GOOD.replace("name: sample", "name: =")).name == "="
    assert [p.key for p in problems_of(load, GOOD + "<<: {a: 1}\n")] == ["<<"]


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: found No such file or directory; allowed: a readable file"):
        load_yaml(tmp_path / "none.yaml", Sample)
    with pytest.raises(ConfigError, match="directory"):
        load_yaml(tmp_path, Sample)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(MAXIMUM_FILE_BYTES + 1)
    with pytest.raises(ConfigError, match=f"found {MAXIMUM_FILE_BYTES + 1} bytes; allowed: at most"):
        load_yaml(path, Sample)


def test_a_file_cut_off_anywhere_is_refused_or_named(load: Callable[[str | bytes], Sample]) -> None:
    for end in range(len(GOOD) - len("0.5\n")):
        assert problems_of(load, GOOD[:end])


def test_lines_are_known_for_every_key(tmp_path: Path) -> None:
    path = tmp_path / "sample.yaml"
    path.write_text("\n# comment\n" + GOOD)
    document = read_document(path)
    assert document.line(("schema",)) == 3
    assert document.line(("parts", 1, "count")) == 9
    assert document.line(("parts", 1, "missing")) == 8
    assert document.line(("nowhere",)) == 3


def test_a_key_path_is_written_as_people_do() -> None:
    assert dotted(("guards", 2, "limit")) == "guards[2].limit"
    assert dotted(()) == ""
    assert dotted((0, "a")) == "[0].a"


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.binary(max_size=4)
)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.text(max_size=6), _SCALARS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(content=st.binary(max_size=400))
@example(content=b"a: 0b_")
@example(content=b"%YAML 9.9\n---\n")
@example(content=b"\xef\xbb\xbfschema: 1")
def test_any_bytes_end_in_a_config_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, Sample)
    assert caught.value.problems
    assert str(caught.value)


@given(tree=_TREES)
def test_any_yaml_ends_in_a_config_error(tmp_path_factory: pytest.TempPathFactory, tree: object) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8", errors="replace")
    with pytest.raises(ConfigError):
        load_yaml(path, Sample)


@given(
    start=st.integers(0, len(GOOD)),
    length=st.integers(0, 20),
    text=st.text(alphabet="ab:-[]{}!&*?|>%@`\"'#,.\n\t 01x_=<~\ud7ff", max_size=12),
)
def test_any_change_to_a_good_file_ends_in_a_value_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, start: int, length: int, text: str
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "f.yaml"
    path.write_text(GOOD[:start] + text + GOOD[start + length :], encoding="utf-8")
    try:
        value = load_yaml(path, Sample)
    except ConfigError:
        return
    assert isinstance(value, Sample)
