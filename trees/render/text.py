"""Drawings that are text: an indented tree for terminals, and the sources of two graph tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trees.render.boxes import MEANINGS, Box, Kind

LINE_WIDTH: Final = 110
"""Longer lines are broken: a terminal of ordinary width shows the drawing unbroken."""


def draw_unicode(root: Box) -> str:
    """An indented tree with the limits beside the nodes."""
    legend = [f"{kind.value} {text}" for kind, text in MEANINGS.items()]
    return "\n".join([*_branch(root, "", "", ""), "", *legend]) + "\n"


def _branch(box: Box, indent: str, elbow: str, below: str) -> Iterator[str]:
    head = f"{indent}{elbow}{box.kind.value} {box.title}"
    inline = f"{head}   {' · '.join(box.lines)}" if box.lines else head
    stem = f"{indent}{below}{'│ ' if box.children else '  '}"
    if len(inline) <= LINE_WIDTH:
        yield inline
    else:
        yield head
        for line in box.lines:
            yield f"{stem}  {line}"
    for i, child in enumerate(box.children):
        is_last = i == len(box.children) - 1
        yield from _branch(child, indent + below, "└─ " if is_last else "├─ ", "   " if is_last else "│  ")


_DOT_SHAPES: Final = {
    Kind.SEQUENCE: ("box", "#e8e8ef"),
    Kind.SEQUENCE_WITH_MEMORY: ("box", "#e8e8ef"),
    Kind.SELECTOR: ("octagon", "#e8e8ef"),
    Kind.SELECTOR_WITH_MEMORY: ("octagon", "#e8e8ef"),
    Kind.CONDITION: ("ellipse", "#e2f2e4"),
    Kind.ACTION: ("box", "#e1ecf9"),
    Kind.SAFE: ("box", "#f9dcd8"),
    Kind.REPEAT: ("box", "#ffffff"),
    Kind.OTHER: ("box", "#ffffff"),
}


def draw_dot(root: Box) -> str:
    """Source for Graphviz, drawn from left to right."""
    lines = [
        "digraph mission {",
        "  rankdir=LR; ordering=out;",
        '  node [fontname="sans-serif", fontsize=10, style="filled,rounded"];',
    ]
    for path, box in _walk(root, "n"):
        shape, colour = _DOT_SHAPES[box.kind]
        label = "\\n".join(_dot_text(text) for text in (f"{box.kind.value} {box.title}", *box.lines))
        lines.append(f'  {path} [shape={shape}, fillcolor="{colour}", label="{label}"];')
        lines += [f"  {path} -> {path}_{i};" for i in range(len(box.children))]
    return "\n".join([*lines, "}"]) + "\n"


def draw_mermaid(root: Box) -> str:
    """Source for Mermaid, which code hosts draw in place."""
    lines = ["flowchart LR"]
    for path, box in _walk(root, "n"):
        left, right = {Kind.CONDITION: ("([", "])"), Kind.SAFE: ("[[", "]]")}.get(box.kind, ("[", "]"))
        label = "<br/>".join(_html_text(text) for text in (f"{box.kind.value} {box.title}", *box.lines))
        lines.append(f'  {path}{left}"{label}"{right}')
        lines += [f"  {path} --> {path}_{i}" for i in range(len(box.children))]
    return "\n".join(lines) + "\n"


def _walk(box: Box, path: str) -> Iterator[tuple[str, Box]]:
    yield path, box
    for i, child in enumerate(box.children):
        yield from _walk(child, f"{path}_{i}")


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _html_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
