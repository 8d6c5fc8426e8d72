"""Every format by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from py_trees.behaviour import Behaviour

from trees.render.boxes import Box, boxes_of
from trees.render.svg import draw_svg
from trees.render.text import draw_dot, draw_mermaid, draw_unicode

FORMATS: Final[Mapping[str, Callable[[Box], str]]] = MappingProxyType(
    {"unicode": draw_unicode, "dot": draw_dot, "svg": draw_svg, "mermaid": draw_mermaid}
)
"""What `render` can write."""


def render(root: Behaviour, format_name: str) -> str:
    """Draw a tree. The same tree gives the same text.

    Args:
        root: The tree, as `create_root` made it.
        format_name: A key of `FORMATS`.

    Raises:
        ValueError: No such format.
    """
    if format_name not in FORMATS:
        raise ValueError(f"cannot draw {format_name!r}; allowed: {', '.join(FORMATS)}")
    return FORMATS[format_name](boxes_of(root))
