"""YAML to frozen values, with every problem named: file, line, key, what was found and what is allowed.

Nothing in a file is executed: only plain YAML scalars, lists and mappings are built. A `Level` is written by its
name. This is the only place in `core` that imports pydantic, and no loop imports this module.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from supervisor.core.errors import ConfigError, Problem

MAXIMUM_FILE_BYTES = 4_000_000
"""No configuration of ours comes near this; a larger file is the wrong file."""

MAXIMUM_DEPTH = 40
"""Deeper nesting than any schema of ours; stops crafted files from exhausting the stack."""

T = TypeVar("T")
KeyPath = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """Parsed YAML and the line of every key path in it."""

    file: str
    value: object
    lines: dict[KeyPath, int] = field(default_factory=dict[KeyPath, int])

    def line(self, path: KeyPath) -> int | None:
        """The line of a key path, or of its nearest parent that has one."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None

    def problem(self, path: KeyPath, found: str, allowed: str) -> Problem:
        """A problem at a key path of this document."""
        return Problem(self.file, self.line(path), dotted(path), found, allowed)


class _NotPlainError(yaml.MarkedYAMLError):
    """YAML that refers to itself or names a type: a few bytes of it can grow without bound."""


class _PlainLoader(yaml.SafeLoader):
    """Plain scalars, lists and mappings only."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse anchors, aliases and tags before a node is made of them."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _NotPlainError(None, None, "an anchor (&) or an alias (*)", event.start_mark)
        if getattr(event, "tag", None) is not None:
            raise _NotPlainError(None, None, "a tag (!)", event.start_mark)
        return super().compose_node(parent, index)


def dotted(path: KeyPath) -> str:
    """`("guards", 2, "limit")` as `guards[2].limit`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def read_document(path: Path) -> Document:
    """Read one YAML file without interpreting it.

    Raises:
        ConfigError: The file is missing, empty, too large, not text, not YAML, uses a key twice, an alias or a tag.
    """
    name = str(path)

    def refuse(found: str, allowed: str, line: int | None = None) -> ConfigError:
        return ConfigError([Problem(name, line, "", found, allowed)])

    try:
        if path.stat().st_size > MAXIMUM_FILE_BYTES:
            raise refuse(f"{path.stat().st_size} bytes", f"at most {MAXIMUM_FILE_BYTES} bytes")
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise refuse("bytes that are not UTF-8 text", "a YAML text file") from None
    except OSError as error:
        raise refuse(error.strerror or str(error), "a readable file") from None
    if not text.strip():
        raise refuse("an empty file", "a YAML mapping with `schema: 1` first")
    document = Document(name, None)
    problems: list[Problem] = []
    try:
        node = yaml.compose(text, Loader=_PlainLoader)
        document.value = _build(node, (), document, problems)
    except _NotPlainError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise refuse(str(error.problem), "plain values, each written out; text in quotes", line) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        raise refuse(f"not YAML: {getattr(error, 'problem', None) or error}", "valid YAML", line) from None
    except RecursionError:
        raise refuse("nesting too deep", f"at most {MAXIMUM_DEPTH} levels") from None
    if problems:
        raise ConfigError(problems)
    return document


def _build(node: yaml.Node | None, path: KeyPath, document: Document, problems: list[Problem]) -> object:
    """Turn a YAML node into plain values, noting lines, double keys and values that are not finite."""
    if node is None:
        return None
    line = node.start_mark.line + 1
    document.lines.setdefault(path, line)
    if len(path) > MAXIMUM_DEPTH:
        problems.append(Problem(document.file, line, dotted(path), "nesting too deep", f"{MAXIMUM_DEPTH} levels"))
        return None
    if isinstance(node, yaml.MappingNode):
        result: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node)
            key_line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                found = f"the key {key.text if isinstance(key, _Unreadable) else _shorten(key)}"
                problems.append(Problem(document.file, key_line, dotted(path), found, "a text key (quote it)"))
                continue
            inner = (*path, key)
            if key in result:
                problems.append(Problem(document.file, key_line, dotted(inner), "the same key twice", "each key once"))
                continue
            document.lines[inner] = key_line
            result[key] = _build(value_node, inner, document, problems)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), document, problems) for i, item in enumerate(node.value)]
    value = _scalar(node)
    if isinstance(value, _Unreadable):
        problems.append(Problem(document.file, line, dotted(path), value.text, "a number or a date, or text in quotes"))
        return None
    if isinstance(value, float) and not math.isfinite(value):
        problems.append(Problem(document.file, line, dotted(path), str(value), "a finite number"))
    return value


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """A scalar that is not what it looks like: 0x_, 2026-99-99, five thousand digits, half a character."""

    text: str


def _scalar(node: yaml.Node) -> object:
    """The value of a scalar; only YAML's own constructor knows how it writes numbers and booleans."""
    if not isinstance(node, yaml.ScalarNode):
        return _Unreadable("a list or a mapping")
    if node.tag not in _SCALAR_TAGS:
        return node.value  # "=" and "<<" have tags of their own; to us they are text
    try:
        node.value.encode()
        return yaml.SafeLoader("").construct_object(node)
    except ValueError:
        return _Unreadable(_shorten(node.value))


_SCALAR_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "timestamp", "str"))


def load_yaml(path: Path, kind: type[T]) -> T:
    """Read one YAML file into a frozen value.

    Args:
        path: The file.
        kind: A dataclass of this package, or any type pydantic can validate.

    Raises:
        ConfigError: All problems of the file at once.
    """
    return validate_document(read_document(path), kind)


def validate_document(document: Document, kind: type[T]) -> T:
    """Turn a document into a frozen value.

    Raises:
        ConfigError: All problems of the document at once.
    """
    if not isinstance(document.value, dict):
        raise ConfigError([document.problem((), type(document.value).__name__, "a mapping with `schema: 1` first")])
    content = cast(Mapping[str, object], document.value)
    if content.get("schema", 1) != 1:
        raise ConfigError([document.problem(("schema",), repr(content.get("schema")), "1 (this version's schema)")])
    try:
        # Through JSON, because only there strict means "no number out of text" and still "a list is a tuple".
        return TypeAdapter(kind).validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise ConfigError([_problem_of(detail, document) for detail in _of_one_kind(details, document)]) from None


def _of_one_kind(details: list[ErrorDetails], document: Document) -> list[ErrorDetails]:
    """Only what speaks against the kind that a mapping says it is, where its kind decides what belongs in it.

    pydantic tells what speaks against each kind; of those that are not meant, nobody wants to hear.
    """
    # Where it tried several kinds, it puts a marker of its own into the location, which is no key of the file.
    strangers = {
        detail["loc"][:-1]: detail
        for detail in details
        if detail["loc"][-1:] == ("kind",)
        and detail["type"] in ("literal_error", "missing")
        and len(_path_in(document.value, detail["loc"])) < len(detail["loc"])
    }

    def stranger(detail: ErrorDetails) -> tuple[int | str, ...] | None:
        return next((one for one in strangers if detail["loc"][: len(one)] == one), None)

    meant = [detail for detail in details if stranger(detail) is None]
    unknown: dict[tuple[int | str, ...], list[ErrorDetails]] = {}
    for one, detail in strangers.items():
        parent = one[:-1]
        if not any(other["loc"][: len(parent)] == parent for other in meant):
            unknown.setdefault(parent, []).append(detail)
    kinds = [
        {**tries[0], "msg": ", ".join(one["msg"].removeprefix("Input should be ") for one in tries)}
        for tries in unknown.values()
    ]
    return [*meant, *cast("list[ErrorDetails]", kinds)]


def _problem_of(detail: ErrorDetails, document: Document) -> Problem:
    """One pydantic error as a problem with a line."""
    path = _path_in(document.value, detail["loc"])
    kind = detail["type"]
    if kind == "missing":
        return document.problem(path, "nothing", "this key is required")
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return document.problem(path, "an unknown key", "only the keys of the schema (a typing error?)")
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return document.problem(path, _shorten(detail.get("input")), allowed)


_WRONG_KEY = "[key]"


def _path_in(value: object, location: tuple[str | int, ...]) -> KeyPath:
    """Drop pydantic's own markers (names of union members, of a wrong key) from an error location."""
    path: list[str | int] = []
    for index, part in enumerate(location):
        if isinstance(value, dict) and part in value:
            value = cast(dict[str | int, object], value)[part]
            path.append(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(cast(list[object], value)):
            value = cast(list[object], value)[part]
            path.append(part)
        elif index == len(location) - 1 and isinstance(value, dict) and part != _WRONG_KEY:
            path.append(part)
    return tuple(path)


def _shorten(value: object) -> str:
    """A value as found, short enough for one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
