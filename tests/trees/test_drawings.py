"""Every shipped mission against its stored drawing.

After a wanted change: `python -m tests.trees.test_drawings` writes the drawings anew; look at the difference.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from py_trees.behaviour import Behaviour

from supervisor.core.levels import Level
from tests.trees.stand_ins import make_row
from tests.trees.test_missions_run import SAFETY
from trees.conditions.guards import QUESTIONS, GuardIsOk, question_of
from trees.lint import walk
from trees.missions.loader import load_mission
from trees.missions.root import create_root
from trees.render import FORMATS, render
from trees.render.boxes import Box, boxes_of

MISSIONS = sorted((Path(__file__).parents[2] / "config" / "missions").glob("*.yaml"))
DRAWINGS = Path(__file__).parent / "drawings"
EVERY_GUARD = replace(SAFETY, guards=tuple(make_row(guard) for guard in QUESTIONS))


def tree_of(path: Path) -> Behaviour:
    return create_root(None, load_mission(path), SAFETY)


@pytest.mark.parametrize("path", MISSIONS, ids=lambda path: path.stem)
def test_a_mission_looks_like_its_stored_drawing(path: Path) -> None:
    stored = (DRAWINGS / f"{path.stem}.txt").read_text(encoding="utf-8")
    assert render(tree_of(path), "unicode") == stored


def test_every_stored_drawing_has_a_mission() -> None:
    assert {path.stem for path in DRAWINGS.glob("*.txt")} == {path.stem for path in MISSIONS}


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_same_mission_gives_the_same_drawing(format_name: str) -> None:
    assert render(tree_of(MISSIONS[0]), format_name) == render(tree_of(MISSIONS[0]), format_name)


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("path", MISSIONS, ids=lambda path: path.stem)
def test_guards_levels_limits_knobs_support_and_criteria_can_be_read(path: Path, format_name: str) -> None:
    text = render(create_root(None, load_mission(path), EVERY_GUARD), format_name)
    for expected in (
        "IsUpright", "tilt ≤ 0.6 rad → DAMP", "ChangeSupport gantry", "gain 0, torque 70%, speed 50%", "limit 40 s",
        "drift_rad_per_s ≤ 0.05", "SafeBranch", "NoStopLatched",
    ):  # fmt: skip
        assert expected in text.replace("&lt;", "<")


def test_every_guard_of_a_safety_file_gets_a_node() -> None:
    root = create_root(None, load_mission(MISSIONS[0]), EVERY_GUARD)
    assert [node.row.id for node in walk(root) if isinstance(node, GuardIsOk)] == list(QUESTIONS)


def test_guard_nodes_have_different_names() -> None:
    assert len(set(QUESTIONS.values())) == len(QUESTIONS)
    assert question_of("belly_contact") == "IsBellyContactOk"


def test_a_subtree_that_stands_there_twice_is_drawn_once() -> None:
    text = render(tree_of(next(path for path in MISSIONS if path.stem == "deployment")), "unicode")
    assert "↻ ramp_25 again   as ramp_25" in text
    assert text.count("action gain 0.25") == 1


def test_the_svg_is_well_formed_and_asks_for_no_other_file() -> None:
    for path in MISSIONS:
        text = render(create_root(None, load_mission(path), EVERY_GUARD), "svg")
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "href" not in text
        assert "url(" not in text


def test_no_box_of_the_svg_leaves_the_page() -> None:
    for path in MISSIONS:
        root = ET.fromstring(render(create_root(None, load_mission(path), EVERY_GUARD), "svg"))
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        boxes = [rect for rect in root.iter("{http://www.w3.org/2000/svg}rect") if "x" in rect.attrib]
        assert len(boxes) > 50
        for rect in boxes:
            assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= width
            assert float(rect.attrib["y"]) + float(rect.attrib["height"]) <= height


def test_reasons_are_in_the_svg() -> None:
    row = replace(make_row(level=Level.CUT), reason="because < of & that")
    root = create_root(None, load_mission(MISSIONS[0]), replace(SAFETY, guards=(row,)))
    assert "because &lt; of &amp; that" in render(root, "svg")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot draw 'png'; allowed: unicode, dot, svg, mermaid"):
        render(tree_of(MISSIONS[0]), "png")


def test_every_node_of_the_tree_is_in_the_boxes_but_for_repeats() -> None:
    def count(box: Box) -> int:
        return 1 + sum(count(child) for child in box.children)

    path = next(path for path in MISSIONS if path.stem == "incremental_activation")
    mission = load_mission(path)
    once = replace(
        mission,
        stages=tuple(
            replace(s, not_accepted=replace(s.not_accepted, retry=0, step_back=False)) for s in mission.stages
        ),
    )
    root = create_root(None, once, SAFETY)
    assert count(boxes_of(root)) == len(list(walk(root)))


if __name__ == "__main__":
    for mission_path in MISSIONS:
        drawing = DRAWINGS / f"{mission_path.stem}.txt"
        drawing.write_text(render(tree_of(mission_path), "unicode"), encoding="utf-8")
