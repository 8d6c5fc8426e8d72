"""The drawing of a mission, made from the tree that runs: unicode, dot, svg, mermaid. Needs no robot, no Graphviz."""

from trees.render.formats import FORMATS, render

__all__ = ["FORMATS", "render"]
