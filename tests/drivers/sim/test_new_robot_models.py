"""`handrail new` with models of all kinds: poses, limits, actuators, meshes, floors."""

from __future__ import annotations

import shutil
from pathlib import Path

import mujoco
import numpy as np
import pytest

from drivers.sim.new_robot import new_robot
from supervisor.core.errors import ConfigError
from tests.drivers.sim.models import STANCE, biped, quadruped, write, write_tetrahedron
from tests.drivers.sim.new_robots import assert_hangs_and_stands, assert_lies_down, make, model_of, refusal


def test_a_biped_rests_on_the_gantry_and_is_kept_level_when_lowered(tmp_path: Path) -> None:
    result = make(tmp_path, biped())
    assert result.robot.config.rest_support == "gantry"
    simulation = result.robot.config.simulation
    assert simulation is not None
    assert simulation.gantry.lowered_tilt_stiffness_nm_per_rad >= simulation.gantry.tilt_stiffness_nm_per_rad
    assert_hangs_and_stands(result.robot)


def test_gains_of_position_actuators_are_kept_and_the_actuators_replaced(tmp_path: Path) -> None:
    result = make(tmp_path, biped())
    knee = result.robot.config.joints["left_knee"]
    assert (knee.kp_nm_per_rad, knee.kd_nm_s_per_rad, knee.torque_nm) == (120.0, 4.0, 60.0)
    model = model_of(result)
    assert model.nu == len(result.robot.config.joints)
    assert set(model.actuator_biastype) == {int(mujoco.mjtBias.mjBIAS_NONE)}
    assert [model.sensor(i).name for i in range(model.nsensor)] == ["gyro"]


def test_an_imu_that_is_not_aligned_with_the_base_is_replaced_by_one_that_is(tmp_path: Path) -> None:
    result = make(tmp_path, biped())
    simulation = result.robot.config.simulation
    assert simulation is not None
    site = model_of(result).site(simulation.imu_site)
    np.testing.assert_allclose(site.quat, (1.0, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(site.pos, (0.02, 0.0, 0.1))
    assert any("inertial unit" in remark for remark in result.remarks)


def test_a_model_without_a_keyframe_starts_at_zero_inside_its_limits(tmp_path: Path) -> None:
    result = make(tmp_path, quadruped(keyframes=""))
    joints = result.robot.config.joints
    assert joints["fl_thigh"].default_rad == 0.0
    assert -0.5 < joints["fl_calf"].default_rad < -0.4
    assert any("zeros" in remark for remark in result.remarks)
    assert_hangs_and_stands(result.robot)


def test_the_named_keyframe_is_the_default_pose(tmp_path: Path) -> None:
    low = "0 0 0.3 1 0 0 0 " + " ".join(["0 1.0 -2.0"] * 4)
    keys = f'<keyframe><key name="home" qpos="{STANCE}"/><key name="crouch" qpos="{low}"/></keyframe>'
    result = make(tmp_path, quadruped(keyframes=keys), keyframe="crouch")
    assert result.robot.config.joints["rr_calf"].default_rad == -2.0
    home = new_robot("home", tmp_path / "model.xml", tmp_path / "home")
    assert home.robot.config.joints["rr_calf"].default_rad == -1.4


def test_a_keyframe_that_lies_on_its_back_is_not_the_default_pose(tmp_path: Path) -> None:
    upside_down = "0 0 0.3 0 1 0 0 " + " ".join(["0 1.0 -2.0"] * 4)
    keys = f'<keyframe><key name="home" qpos="{upside_down}"/><key name="other" qpos="{STANCE}"/></keyframe>'
    result = make(tmp_path, quadruped(keyframes=keys))
    assert result.robot.config.joints["rr_calf"].default_rad == -1.4
    with pytest.raises(ConfigError, match=r"leans by 3\.14 rad"):
        new_robot("test", tmp_path / "model.xml", tmp_path / "other", keyframe="home")


def test_a_policy_s_pose_can_be_the_default_pose(tmp_path: Path) -> None:
    pose = {f"{leg}_calf": -1.2 for leg in ("fl", "fr", "rl", "rr")}
    result = make(tmp_path, quadruped(), default_pose=pose)
    assert result.robot.config.joints["fl_calf"].default_rad == -1.2
    assert result.robot.config.joints["fl_thigh"].default_rad == 0.7
    assert_hangs_and_stands(result.robot)


def test_a_default_pose_that_the_robot_cannot_take_is_refused(tmp_path: Path) -> None:
    text = refusal(tmp_path, quadruped(), default_pose={"fl_calf": 1.0, "tail": 0.0, "fl_hip": float("nan")})
    assert "fl_calf: found 1.0 rad; allowed: -2.6 to -0.4 rad" in text
    assert "tail: found no such joint" in text
    assert "fl_hip: found nan" in text


def test_degrees_and_classes_are_resolved(tmp_path: Path) -> None:
    text = quadruped(compiler='<compiler angle="degree"/>', keyframes="").replace('range="-1 2.5"', 'range="-90 90"')
    text = text.replace('range="-2.6 -0.4"', 'range="-150 -20"').replace('range="-0.8 0.8"', 'range="-45 45"')
    joints = make(tmp_path, text).robot.config.joints
    assert joints["fl_thigh"].position_rad == pytest.approx((-np.pi / 2, np.pi / 2), abs=1e-4)
    assert joints["fl_calf"].position_rad == pytest.approx((np.radians(-150), np.radians(-20)), abs=1e-4)


def test_a_joint_without_a_range_gets_a_full_turn_and_says_so(tmp_path: Path) -> None:
    text = quadruped().replace('name="fl_thigh" axis="0 1 0" range="-1 2.5"', 'name="fl_thigh" axis="0 1 0"')
    result = make(tmp_path, text)
    assert result.robot.config.joints["fl_thigh"].position_rad == pytest.approx((-np.pi, np.pi), abs=1e-5)
    assert "# derived: position_rad: the model states no range" in (result.folder / "robot.yaml").read_text()


def test_a_model_without_actuators_gets_a_motor_on_every_joint_with_a_range(tmp_path: Path) -> None:
    caster = '<body name="w" pos="0 0 0.06"><joint name="caster" axis="0 0 1"/><geom size="0.01" mass="0.01"/></body>'
    result = make(tmp_path, quadruped(actuators="", extra_base=caster, keyframes=""))
    assert len(result.robot.config.joints) == 12
    assert "caster" not in result.robot.config.joints
    assert result.robot.config.joints["fl_thigh"].torque_nm > 3.0
    assert any("caster" in remark for remark in result.remarks)


def test_parts_without_a_name_are_named(tmp_path: Path) -> None:
    text = quadruped(actuators="", base="<freejoint/>", keyframes="").replace('joint name="fl_hip"', "joint")
    text = text.replace('<body name="fr_hip"', "<body").replace('joint name="fr_hip"', "joint")
    result = make(tmp_path, text)
    names = list(result.robot.config.joints)
    assert len(set(names)) == 12
    assert names[0] == "fl_hip_joint"
    assert any("without a name" in remark for remark in result.remarks)


def test_strange_names_survive_yaml(tmp_path: Path) -> None:
    text = quadruped().replace('"fl_hip"', '"on"').replace('"fr_hip"', '"knie: größe #1"').replace('"rl_hip"', '"1e3"')
    result = make(tmp_path, text)
    assert {"on", "knie: größe #1", "1e3"} <= set(result.robot.config.joints)


def test_several_actuators_on_a_joint_add_up_and_the_tighter_limit_wins(tmp_path: Path) -> None:
    actuators = (
        '<motor joint="fl_hip" gear="3" ctrlrange="-2 2"/><motor joint="fl_hip" ctrlrange="-4 4"/>'
        '<motor joint="fl_thigh" ctrlrange="-50 50" forcerange="-12 12"/>'
        '<position joint="fl_calf" kp="40"/>'
    )
    result = make(tmp_path, quadruped(actuators=actuators, keyframes=""))
    joints = result.robot.config.joints
    assert list(joints) == ["fl_hip", "fl_thigh", "fl_calf"]
    assert joints["fl_hip"].torque_nm == 10.0
    assert joints["fl_thigh"].torque_nm == 12.0
    assert "torque_nm: the model states no limit" in (result.folder / "robot.yaml").read_text()


def test_the_joint_s_own_force_limit_counts(tmp_path: Path) -> None:
    text = quadruped().replace('name="fl_hip" axis', 'name="fl_hip" actuatorfrcrange="-7 7" axis')
    assert make(tmp_path, text).robot.config.joints["fl_hip"].torque_nm == 7.0


def test_tendons_and_equalities_are_kept_but_not_driven(tmp_path: Path) -> None:
    extra = (
        '<tendon><fixed name="t"><joint joint="fl_hip" coef="1"/><joint joint="fr_hip" coef="1"/></fixed></tendon>'
        '<equality><joint joint1="rl_hip" joint2="rr_hip" polycoef="0 -1 0 0 0"/></equality>'
    )
    names = [f"{leg}_{part}" for leg in ("fl", "fr", "rl", "rr") for part in ("hip", "thigh", "calf")]
    motors = "".join(f'<motor joint="{n}" ctrlrange="-25 25"/>' for n in names)
    result = make(tmp_path, quadruped(extra=extra, actuators=motors + '<motor name="cable" tendon="t"/>'))
    model = model_of(result)
    assert (model.neq, model.ntendon, model.nu) == (1, 1, 12)
    assert any("cable" in remark for remark in result.remarks)


def test_meshes_includes_and_attached_models_are_brought_along(tmp_path: Path) -> None:
    meshes = tmp_path / "meshes" / "deep"
    meshes.mkdir(parents=True)
    write_tetrahedron(meshes / "Tet.STL")
    write(tmp_path, '<mujoco><asset><mesh file="deep/Tet.STL"/></asset></mujoco>', "assets.xml")
    antenna = tmp_path / "antenna"
    (antenna / "parts").mkdir(parents=True)
    write_tetrahedron(antenna / "parts" / "rod.stl")
    sub = """<mujoco><compiler meshdir="parts"/><asset><mesh file="rod.stl"/></asset><worldbody><body name="rod">
      <joint name="swing" axis="0 1 0" range="-40 40"/><geom type="mesh" mesh="rod" mass="0.1"/></body></worldbody>
      <actuator><motor name="swing" joint="swing" ctrlrange="-1 1"/></actuator></mujoco>"""
    write(antenna, sub, "antenna.xml")
    extra = '<include file="assets.xml"/><asset><model name="a" file="antenna/antenna.xml"/></asset>'
    head = (
        '<geom type="mesh" mesh="Tet" pos="0.2 0 0.05" mass="0.1"/>'
        '<frame pos="0 0 0.1"><attach model="a" body="rod" prefix="top/"/></frame>'
    )
    text = quadruped(compiler='<compiler angle="radian" meshdir="meshes"/>', extra=extra, extra_base=head, keyframes="")
    result = make(tmp_path, text)
    assert "top/swing" in result.robot.config.joints
    assert sorted(file.name for file in (result.folder / "assets").iterdir()) == ["000_Tet.STL", "001_rod.stl"]
    shutil.rmtree(tmp_path / "meshes")
    shutil.rmtree(antenna)
    assert model_of(result).nmesh == 2


def test_inline_meshes_stay_inline(tmp_path: Path) -> None:
    extra = '<asset><mesh name="m" vertex="0 0 0 0.1 0 0 0 0.1 0 0 0 0.1"/></asset>'
    result = make(tmp_path, quadruped(extra=extra, extra_base='<geom type="mesh" mesh="m" mass="0.1"/>'))
    assert model_of(result).nmesh == 1
    assert not (result.folder / "assets").exists()


def test_a_robot_without_a_floor_gets_one(tmp_path: Path) -> None:
    result = make(tmp_path, quadruped(floor=""))
    assert any("floor" in remark for remark in result.remarks)
    assert_hangs_and_stands(result.robot)


def test_a_floor_that_is_not_at_zero_is_found(tmp_path: Path) -> None:
    result = make(tmp_path, quadruped(floor='<geom type="plane" size="0 0 0.1" pos="0 0 -0.4"/>'))
    simulation = result.robot.config.simulation
    assert simulation is not None
    assert simulation.gantry.hang_height_m < 0.2
    assert_hangs_and_stands(result.robot)


@pytest.mark.parametrize(
    "floor",
    ['<geom type="box" size="3 3 0.1" pos="0 0 0.1"/>', '<geom type="hfield" hfield="h" pos="0 0 0.2"/>'],
)
def test_a_floor_that_is_not_a_plane_is_found(tmp_path: Path, floor: str) -> None:
    extra = '<asset><hfield name="h" nrow="4" ncol="4" size="5 5 1 0.1"/></asset>'
    result = make(tmp_path, quadruped(floor=floor, extra=extra))
    simulation = result.robot.config.simulation
    assert simulation is not None
    assert 0.65 < simulation.gantry.hang_height_m < 0.9
    assert_hangs_and_stands(result.robot)


def test_a_joint_that_turns_further_than_its_motor_can_tell_is_narrowed(tmp_path: Path) -> None:
    text = quadruped().replace(
        'name="fl_hip" axis="1 0 0" range="-0.8 0.8"', 'name="fl_hip" axis="1 0 0" range="-90 90"'
    )
    result = make(tmp_path, text)
    assert result.robot.config.joints["fl_hip"].position_rad == (-12.5, 12.5)
    assert "more than motors can tell" in (result.folder / "robot.yaml").read_text()


def test_a_base_that_touches_nothing_gets_a_belly(tmp_path: Path) -> None:
    text = quadruped().replace('size="0.22 0.1 0.05" mass="6"', 'size="0.22 0.1 0.05" mass="6" conaffinity="0"')
    result = make(tmp_path, text)
    assert any("a box of its size" in remark for remark in result.remarks)
    np.testing.assert_allclose(model_of(result).geom("handrail_belly").size, (0.22, 0.1, 0.05), atol=1e-6)
    assert result.robot.config.rest_support == "ground"
    assert_lies_down(assert_hangs_and_stands(result.robot))


def test_the_physics_step_fits_the_control_period(tmp_path: Path) -> None:
    result = make(tmp_path, quadruped().replace('timestep="0.002"', 'timestep="0.0015"'))
    assert model_of(result).opt.timestep == pytest.approx(0.001)


def test_a_model_in_weightlessness_gets_gravity(tmp_path: Path) -> None:
    text = quadruped().replace('timestep="0.002"', 'timestep="0.002" gravity="0 0 0"')
    assert model_of(make(tmp_path, text)).opt.gravity[2] == -9.81
