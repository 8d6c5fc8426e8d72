"""The drawing as one SVG file without any other: composites are frames around their children.

Nested frames, and not lines between nodes: a mission has some two hundred nodes, and its text must stay readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from trees.render.boxes import MEANINGS, Box, Kind

PAGE_WIDTH: Final = 1720.0
"""Frames with many frames inside wrap at this width: a landscape page, or a wide screen."""

TITLE_PX: Final = 13.0
LINE_PX: Final = 11.0
PAD: Final = 8.0
GAP: Final = 8.0
HEADER: Final = 26.0
TALLEST_COLUMN: Final = 12
"""Longer runs of leaves are set in columns."""

_CHARACTER: Final = 0.57
"""Mean width of a character of a sans-serif font, in units of its size."""

_STYLE: Final = """
  text { font-family: "DejaVu Sans", Verdana, Arial, sans-serif; fill: #1c2430; }
  .title { font-size: 13px; font-weight: bold; }
  .line { font-size: 11px; fill: #3c4655; }
  .legend { font-size: 11px; fill: #3c4655; }
  .frame { fill: #ffffff; stroke: #9aa3b2; stroke-width: 1.2; }
  .frame.deep { fill: #f4f5f8; }
  .sign { font-size: 13px; font-weight: bold; fill: #5a3e9b; }
  .condition { fill: #e4f3e6; stroke: #3f8f4a; stroke-width: 1.2; }
  .action { fill: #e4eefb; stroke: #3b6fb5; stroke-width: 1.2; }
  .safe { fill: #fbe1dd; stroke: #bb3a2a; stroke-width: 1.6; }
  .repeat { fill: #ffffff; stroke: #7a8496; stroke-width: 1.2; stroke-dasharray: 5 3; }
"""

_LEAF_CLASS: Final = {Kind.CONDITION: "condition", Kind.ACTION: "action", Kind.SAFE: "safe", Kind.REPEAT: "repeat"}


@dataclass(slots=True)
class _Placed:
    """A box with its place: relative to its parent while measuring."""

    box: Box
    width: float
    height: float
    children: list[_Placed]
    x: float = 0.0
    y: float = 0.0


def draw_svg(root: Box) -> str:
    """The whole drawing.

    Args:
        root: The tree's boxes.
    """
    placed = _measure(root, PAGE_WIDTH - 2.0 * GAP)
    placed.x = placed.y = GAP
    legend_y = placed.height + 3.0 * GAP
    width, height = placed.width + 2.0 * GAP, legend_y + 40.0
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(root.title)}</title>",
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    _draw(placed, 0.0, 0.0, 0, parts)
    _draw_legend(legend_y, width, parts)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text_width(text: str, size: float, *, bold: bool = False) -> float:
    # Bold letters are about an eighth wider.
    return len(text) * size * _CHARACTER * (1.13 if bold else 1.0)


def _measure(box: Box, room: float) -> _Placed:
    """Sizes and places of a box and everything in it.

    Args:
        box: The box.
        room: Width it may take.
    """
    title = f"{box.kind.value}  {box.title}"
    if not box.children:
        width = max(
            _text_width(title, TITLE_PX, bold=True), *(_text_width(line, LINE_PX) for line in box.lines), 0.0
        )  # fmt: skip
        sides = 14.0 if box.kind is Kind.CONDITION else PAD
        return _Placed(box, width + 2.0 * sides, 22.0 + 15.0 * len(box.lines) + (4.0 if box.lines else 0.0), [])
    inner_room = room - 2.0 * PAD
    children = [_measure(child, inner_room) for child in box.children]
    if sum(bool(child.children) for child in box.children) >= 4:
        width, height = _flow(children, inner_room)
    else:
        width, height = _stack(children, inner_room)
    width = max(width, _text_width(title, TITLE_PX, bold=True))
    return _Placed(box, width + 2.0 * PAD, height + HEADER + PAD, children)


def _stack(children: list[_Placed], room: float) -> tuple[float, float]:
    """One below the other; long runs of leaves in columns. Returns the size taken."""
    y, widest = 0.0, 0.0
    index = 0
    while index < len(children):
        run = index
        while run < len(children) and not children[run].children:
            run += 1
        if run - index > TALLEST_COLUMN:
            width, height = _columns(children[index:run], room, y)
            index = run
        else:
            child = children[index]
            child.x, child.y = PAD, HEADER + y
            width, height = child.width, child.height
            index += 1
        widest = max(widest, width)
        y += height + GAP
    for child in children:
        # Everything that stands alone in its line is as wide as the widest: frames line up.
        if all(other is child or other.y != child.y for other in children):
            child.width = max(child.width, widest)
    return widest, y - GAP


def _columns(leaves: list[_Placed], room: float, y: float) -> tuple[float, float]:
    """A run of leaves in columns of one width, read row by row. Returns the size taken."""
    width = max(leaf.width for leaf in leaves)
    height = max(leaf.height for leaf in leaves)
    count = max(1, min(len(leaves), int((room + GAP) / (width + GAP))))
    for i, leaf in enumerate(leaves):
        leaf.width, leaf.height = width, height
        leaf.x = PAD + (i % count) * (width + GAP)
        leaf.y = HEADER + y + (i // count) * (height + GAP)
    rows = -(-len(leaves) // count)
    return count * (width + GAP) - GAP, rows * (height + GAP) - GAP


def _flow(children: list[_Placed], room: float) -> tuple[float, float]:
    """Side by side, wrapping like words. Returns the size taken."""
    x, y, tallest, widest = 0.0, 0.0, 0.0, 0.0
    for child in children:
        if x > 0.0 and x + child.width > room:
            x, y, tallest = 0.0, y + tallest + GAP, 0.0
        child.x, child.y = PAD + x, HEADER + y
        x += child.width + GAP
        tallest = max(tallest, child.height)
        widest = max(widest, x - GAP)
    return widest, y + tallest


def _draw(placed: _Placed, x: float, y: float, depth: int, parts: list[str]) -> None:
    """Write one box and everything in it."""
    box, left, top = placed.box, x + placed.x, y + placed.y
    hints = f"<title>{escape(chr(10).join(box.hints))}</title>" if box.hints else ""
    shape = f'x="{left:.1f}" y="{top:.1f}" width="{placed.width:.1f}" height="{placed.height:.1f}"'
    if box.children:
        parts.append(f'<rect class="frame{" deep" if depth % 2 else ""}" {shape} rx="4"/>')
        parts.append(_title(box, left + PAD, top + 17.0))
        for child in placed.children:
            _draw(child, left, top, depth + 1, parts)
        return
    is_round = box.kind is Kind.CONDITION
    radius = min(placed.height / 2.0, 14.0) if is_round else 2.0
    sides = 14.0 if is_round else PAD
    parts.append(f'<g>{hints}<rect class="{_LEAF_CLASS.get(box.kind, "repeat")}" {shape} rx="{radius:.1f}"/>')
    parts.append(_title(box, left + sides, top + 16.0))
    for i, line in enumerate(box.lines):
        parts.append(f'<text class="line" x="{left + sides:.1f}" y="{top + 33.0 + 15.0 * i:.1f}">{escape(line)}</text>')
    parts.append("</g>")


def _title(box: Box, x: float, y: float) -> str:
    sign = f'<tspan class="sign">{escape(box.kind.value)}</tspan>'
    return f'<text class="title" x="{x:.1f}" y="{y:.1f}">{sign} {escape(box.title)}</text>'


def _draw_legend(y: float, width: float, parts: list[str]) -> None:
    x, line = GAP, 0
    for kind, meaning in MEANINGS.items():
        text = f"{kind.value}  {meaning}"
        needed = _text_width(text, LINE_PX) + 24.0
        if x + needed > width:
            x, line = GAP, line + 1
        parts.append(f'<text class="legend" x="{x:.1f}" y="{y + 14.0 + 16.0 * line:.1f}">{escape(text)}</text>')
        x += needed
