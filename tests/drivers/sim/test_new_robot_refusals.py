"""`handrail new` where a model or an argument cannot be used, or a folder is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.sim.new_robot import new_robot
from supervisor.core.errors import ConfigError
from tests.drivers.sim.models import STANCE, quadruped
from tests.drivers.sim.new_robots import PUP, make, refusal


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("not xml at all", "<mujoco>"),
        ("<robot name='r'><link name='a'/></robot>", "URDF"),
        ("<mujoco><worldbody><body>", "MuJoCo refuses"),
        ('<mujoco><include file="nowhere.xml"/></mujoco>', "nowhere.xml"),
        ('<mujoco><worldbody><geom type="plane" size="1 1 1"/></worldbody></mujoco>', "no free joint"),
        (quadruped(base="", keyframes=""), "no free joint"),
        (
            quadruped(extra_world='<body name="ball"><freejoint/><geom size="0.1"/></body>'),
            "2 free joints, on ball, trunk",
        ),
        ('<mujoco><worldbody><body><freejoint/><geom size="0.1"/></body></worldbody></mujoco>', "no joint"),
        (
            quadruped(extra_base='<body><joint name="neck" type="ball"/><geom size="0.1"/></body>', keyframes=""),
            "neck: found a ball joint",
        ),
        (
            quadruped(
                extra_base='<body><joint name="lift" type="slide"/><geom size="0.1"/></body>',
                keyframes="",
                actuators='<motor joint="lift"/><motor joint="fl_hip"/>',
            ),
            "lift: found a driven sliding joint",
        ),
        (quadruped(extra='<asset><mesh name="m" file="gone.stl"/></asset>'), "gone.stl"),
        (
            quadruped(keyframes=f'<keyframe><key name="home" qpos="{STANCE.replace("1.4", "nan")}"/></keyframe>'),
            "qpos=",
        ),
        (quadruped().replace('range="-0.8 0.8"', 'range="-inf 0.8"'), 'range="-inf 0.8"'),
    ],
)
def test_models_that_cannot_be_used_are_refused_in_plain_words(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path, text)


def test_a_base_on_its_side_is_refused(tmp_path: Path) -> None:
    text = quadruped(keyframes="").replace('name="trunk" pos="0 0 0.35"', 'name="trunk" pos="0 0 0.35" euler="1.6 0 0"')
    assert "leans by 1.60 rad" in refusal(tmp_path, text)


def test_a_robot_that_nothing_can_touch_is_refused(tmp_path: Path) -> None:
    assert "can touch" in refusal(tmp_path, quadruped(floor="").replace('conaffinity="1"', 'conaffinity="0"'))


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"\xff\xfe<mujoco/>", b"<mujoco>\x00</mujoco>"])
def test_binary_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.xml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not text"):
        new_robot("test", path, tmp_path / "robot")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        new_robot("test", tmp_path / "nowhere.xml", tmp_path / "robot")
    with pytest.raises(ConfigError, match="a folder"):
        new_robot("test", tmp_path, tmp_path / "robot")


def test_all_problems_of_the_arguments_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "robot").mkdir()
    (tmp_path / "robot" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError) as caught:
        new_robot("../evil", PUP, tmp_path / "robot", "nobody")
    assert len(caught.value.problems) == 3
    assert "damiao" in str(caught.value)


def test_an_unknown_keyframe_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    assert "home" in refusal(tmp_path, quadruped(), keyframe="homme")


def test_force_replaces_our_files_and_leaves_others_alone(tmp_path: Path) -> None:
    first = make(tmp_path, quadruped())
    (first.folder / "notes.txt").write_text("mine")
    (first.folder / "signature.npz").write_bytes(b"of the old model")
    with pytest.raises(ConfigError, match="not empty"):
        make(tmp_path, quadruped())
    again = make(tmp_path, quadruped(floor=""), force=True)
    assert (again.folder / "notes.txt").read_text() == "mine"
    assert not (again.folder / "signature.npz").exists()
    assert "handrail_floor" in (again.folder / "model.xml").read_text()


def test_a_refused_model_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    first = make(tmp_path, quadruped())
    before = (first.folder / "robot.yaml").read_text()
    with pytest.raises(ConfigError):
        make(tmp_path, quadruped(base=""), force=True)
    assert (first.folder / "robot.yaml").read_text() == before
