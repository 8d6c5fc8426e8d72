"""What is drawn of a tree: boxes with a kind, a title, lines and children. Formats differ only in ink."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from py_trees.behaviour import Behaviour
from py_trees.composites import Selector, Sequence

from trees.actions.ending import SafeBranch
from trees.base import Condition, Leaf


class Kind(Enum):
    """What a box stands for. The value is the sign that stands before its title."""

    SEQUENCE = "→"
    SEQUENCE_WITH_MEMORY = "→*"
    SELECTOR = "?"
    SELECTOR_WITH_MEMORY = "?*"
    CONDITION = "◇"
    ACTION = "▷"
    SAFE = "■"
    REPEAT = "↻"
    OTHER = "·"


MEANINGS: dict[Kind, str] = {
    Kind.SEQUENCE: "sequence, from its first child in every tick",
    Kind.SEQUENCE_WITH_MEMORY: "sequence, goes on where it was",
    Kind.SELECTOR: "selector, from its first child in every tick",
    Kind.SELECTOR_WITH_MEMORY: "selector, goes on where it was",
    Kind.CONDITION: "condition",
    Kind.ACTION: "action",
    Kind.SAFE: "safe branch",
    Kind.REPEAT: "the same steps once more",
}
"""The legend."""


@dataclass(frozen=True, slots=True)
class Box:
    """One node of the drawing.

    Attributes:
        kind: What it stands for.
        title: The node's name.
        lines: Limits, knobs, criteria.
        hints: Why those numbers.
        children: In order; none for a repeat.
    """

    kind: Kind
    title: str
    lines: tuple[str, ...]
    hints: tuple[str, ...]
    children: tuple[Box, ...]


def boxes_of(root: Behaviour) -> Box:
    """The drawing's model of a tree. A subtree that stands there a second time is drawn once."""
    return _box(root, {})


def _box(node: Behaviour, seen: dict[tuple[object, ...], str]) -> Box:
    lines = node.details if isinstance(node, Leaf) else ()
    hints = node.hints if isinstance(node, Leaf) else ()
    if len(node.children) > 2:
        shape = _shape(node)
        if shape in seen:
            return Box(Kind.REPEAT, node.name, (f"as {seen[shape]}",), (), ())
        seen[shape] = node.name
    return Box(_kind(node), node.name, lines, hints, tuple(_box(child, seen) for child in node.children))


def _shape(node: Behaviour) -> tuple[object, ...]:
    """What a subtree does, its own name left out."""
    inner = tuple((child.name, *_shape(child)) for child in node.children)
    return (_kind(node), node.details if isinstance(node, Leaf) else (), inner)


def _kind(node: Behaviour) -> Kind:
    if isinstance(node, Sequence):
        return Kind.SEQUENCE_WITH_MEMORY if node.memory else Kind.SEQUENCE
    if isinstance(node, Selector):
        return Kind.SELECTOR_WITH_MEMORY if node.memory else Kind.SELECTOR
    if isinstance(node, SafeBranch):
        return Kind.SAFE
    if isinstance(node, Condition):
        return Kind.CONDITION
    return Kind.ACTION if isinstance(node, Leaf) else Kind.OTHER
