"""`handrail new`: any MuJoCo model with a free base becomes a robot folder that loads, hangs and stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import mujoco
import numpy as np
import pytest

from drivers.sim.new_robot import NewRobotResult, new_robot
from drivers.sim.new_robot_text import number, scalar
from drivers.sim.plant import Plant
from drivers.sim.wiring import bus_load, choose_motor, motor_models, wire
from supervisor.core.errors import ConfigError
from supervisor.core.levels import Support
from supervisor.core.robot import CanBusConfig
from supervisor.core.robot_file import Robot, load_robot
from supervisor.safety.guards import GUARDS
from tests.cases import CASES, needs_cases
from tests.drivers.sim.models import STANCE, biped, quadruped, write, write_tetrahedron

PUP = Path(__file__).resolve().parents[3] / "config" / "robots" / "pup" / "pup.xml"
LEADING_CASES = ("go1_playground", "go2_robot_lab", "g1_unitree_rl_mjlab")


class Body:
    """The plant of a robot with its joints under the position control of the robot file."""

    def __init__(self, robot: Robot) -> None:
        assert robot.model_path is not None
        config = robot.config
        self.plant = Plant(robot.model_path, config)
        self.kp, self.kd = config.vector("kp_nm_per_rad"), config.vector("kd_nm_s_per_rad")
        self.torque_nm = config.vector("torque_nm")
        self.default_rad, self.rest_rad = config.vector("default_rad"), config.vector("rest_rad")
        self.most_tilt_rad = 0.0

    def move(self, target_rad: np.ndarray, duration_s: float, powered: bool = True) -> None:
        plant, start = self.plant, self.plant.position_rad.copy()
        steps = round(duration_s / plant.timestep_s)
        for i in range(steps):
            way = min(1.5 * i / steps, 1.0)
            goal = start + way * way * (3.0 - 2.0 * way) * (target_rad - start)
            torque = self.kp * (goal - plant.position_rad) - self.kd * plant.velocity_rad_per_s
            plant.step(np.clip(torque, -self.torque_nm, self.torque_nm) * powered)
            if i % 25 == 0:
                self.most_tilt_rad = max(self.most_tilt_rad, plant.truth.tilt_rad)


def assert_hangs_and_stands(robot: Robot) -> Body:
    """On the gantry nothing touches the floor, limp or in the default pose; lowered, it stands still and level."""
    body = Body(robot)
    assert body.plant.truth.floor_force_n == 0.0
    body.move(body.default_rad, 1.5)
    assert body.plant.truth.floor_force_n == 0.0
    body.plant.set_support(Support.LOWERED)
    body.move(body.default_rad, 5.0)
    truth = body.plant.truth
    assert truth.floor_force_n / truth.weight_n == pytest.approx(0.6, abs=0.05)
    assert body.most_tilt_rad < 0.15
    assert np.abs(body.plant.velocity_rad_per_s).max() < 0.1
    assert np.abs(body.plant.position_rad - body.default_rad).max() < 0.1
    return body


def assert_lies_down(body: Body) -> None:
    """Without the gantry it stands, moves to the rest pose, and stays there when the motors are off."""
    body.plant.set_support(Support.GROUND)
    body.move(body.default_rad, 2.5)
    assert body.most_tilt_rad < 0.15
    body.move(body.rest_rad, 4.0)
    body.move(body.rest_rad, 2.0, powered=False)
    assert body.most_tilt_rad < 0.5
    assert body.plant.truth.tilt_rad < 0.3
    assert np.abs(body.plant.velocity_rad_per_s).max() < 0.2


def make(tmp_path: Path, text: str, **options: object) -> NewRobotResult:
    return new_robot("test", write(tmp_path, text), tmp_path / "robot", **options)  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        make(tmp_path, text, **options)
    assert not (tmp_path / "robot").exists()
    return str(caught.value)


def model_of(result: NewRobotResult) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_path(str(result.robot.model_path))


@pytest.fixture(scope="module")
def pup(tmp_path_factory: pytest.TempPathFactory) -> NewRobotResult:
    return new_robot("pup2", PUP, tmp_path_factory.mktemp("new") / "pup2")


def test_pup_made_anew_hangs_stands_and_lies_down(pup: NewRobotResult) -> None:
    assert pup.robot.config.rest_support == "ground"
    assert_lies_down(assert_hangs_and_stands(pup.robot))


def test_pup_made_anew_agrees_with_the_robot_file_written_by_hand(pup: NewRobotResult) -> None:
    ours, hand = pup.robot.config, load_robot(PUP.parent).config
    assert ours.order == hand.order
    for attribute in ("torque_nm", "default_rad", "rest_rad", "direction", "offset_rad", "gear"):
        np.testing.assert_allclose(ours.vector(attribute), hand.vector(attribute), atol=1e-6)
    np.testing.assert_allclose(ours.position_minimum_rad, hand.position_minimum_rad)
    np.testing.assert_allclose(ours.position_maximum_rad, hand.position_maximum_rad)
    assert ours.simulation is not None
    assert hand.simulation is not None
    assert (ours.simulation.base_body, ours.simulation.imu_site) == ("trunk", "imu")
    assert len([bus for bus in ours.buses.values() if isinstance(bus, CanBusConfig)]) == 4


def test_every_guard_of_the_registry_is_declared_with_its_unit_and_marked_derived(pup: NewRobotResult) -> None:
    rows = pup.robot.safety.rows_by_id()
    assert set(rows) == set(GUARDS)
    assert {row.id: row.unit for row in rows.values()} == {name: kind.unit for name, kind in GUARDS.items()}
    assert all(row.derived and row.reason for row in rows.values())
    assert pup.robot.safety.guards[-1].id == "guard_count"


def test_lost_balance_damps_and_a_pressed_stop_cuts(pup: NewRobotResult) -> None:
    levels = {row.id: row.level.name for row in pup.robot.safety.guards}
    assert (levels["tilt"], levels["emergency_stop"], levels["motor_age"]) == ("DAMP", "CUT", "DAMP")


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


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory) -> NewRobotResult:
    return make(tmp_path_factory.mktemp("walker"), quadruped())


def test_a_quadruped_hangs_stands_and_lies_down(walker: NewRobotResult) -> None:
    assert walker.robot.config.rest_support == "ground"
    assert_lies_down(assert_hangs_and_stands(walker.robot))


def test_limits_and_pose_come_from_the_model(walker: NewRobotResult) -> None:
    thigh = walker.robot.config.joints["fl_thigh"]
    assert thigh.position_rad == (-1.0, 2.5)
    assert thigh.torque_nm == 25.0
    assert thigh.default_rad == 0.7
    assert list(walker.robot.config.joints) == [
        f"{leg}_{part}" for leg in ("fl", "fr", "rl", "rr") for part in ("hip", "thigh", "calf")
    ]


def test_the_keyframe_stands_on_the_floor(walker: NewRobotResult) -> None:
    simulation = walker.robot.config.simulation
    assert simulation is not None
    model = model_of(walker)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key(simulation.keyframe).id)
    data.qpos[2] -= 1e-3
    mujoco.mj_forward(model, data)
    assert data.ncon == 4
    assert max(float(contact.dist) for contact in data.contact) == pytest.approx(-1e-3, abs=1e-4)


def test_the_folder_needs_nothing_but_itself(walker: NewRobotResult, tmp_path: Path) -> None:
    moved = shutil.copytree(walker.folder, tmp_path / "elsewhere")
    robot = load_robot(moved)
    assert robot.model_path == (moved / "model.xml").resolve()
    Body(robot)


def test_the_same_model_gives_the_same_files(walker: NewRobotResult, tmp_path: Path) -> None:
    again = make(tmp_path, quadruped())
    for name in ("robot.yaml", "safety.yaml", "model.xml"):
        assert (again.folder / name).read_text() == (walker.folder / name).read_text()


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


def test_masses_of_the_copy_are_those_of_the_model(walker: NewRobotResult, tmp_path: Path) -> None:
    original = mujoco.MjModel.from_xml_path(str(write(tmp_path, quadruped())))
    np.testing.assert_allclose(model_of(walker).body_mass, original.body_mass)
    np.testing.assert_allclose(model_of(walker).body_inertia, original.body_inertia)


@needs_cases
@pytest.mark.parametrize("case", LEADING_CASES)
def test_robots_of_other_people_hang_and_stand(case: str, tmp_path: Path) -> None:
    result = new_robot(case, CASES / case / "scene.xml", tmp_path / case)
    body = assert_hangs_and_stands(result.robot)
    if result.robot.config.rest_support == "ground":
        assert_lies_down(body)


def test_no_bus_is_loaded_above_seventy_percent(walker: NewRobotResult) -> None:
    config = walker.robot.config
    for name, bus in config.buses.items():
        wired = [joint for joint in config.joints.values() if joint.motor.bus == name]
        if isinstance(bus, CanBusConfig):
            assert 0.0 < bus_load(len(wired), config.control_hz) <= 0.7


def test_limbs_stay_on_one_bus_and_long_ones_are_cut_from_the_base_outwards() -> None:
    limbs = [(f"leg{i}", "leg") for i in range(6)] + [(f"arm{i}", "arm") for i in range(4)] + [("head", "head")]
    slots = wire(limbs, 500.0)
    assert len({slots[f"arm{i}"].bus for i in range(4)}) == 1
    assert len({slots[f"leg{i}"].bus for i in range(5)}) == 1
    assert len({slot.bus for slot in slots.values()}) == 3
    assert len({(slot.bus, slot.id) for slot in slots.values()}) == 11
    assert all(slot.feedback_id == slot.id + 16 for slot in slots.values())


@pytest.mark.parametrize(
    ("torque_nm", "mass_kg", "model", "gear"),
    [
        (4.0, 5.0, "DM3507", 1.0),
        (23.7, 12.0, "DM8006", 1.0),
        (50.0, 12.0, "DM8009", 1.0),
        (139.0, 35.0, "DM10010L", 1.5),
    ],
)
def test_the_smallest_motor_that_covers_the_joint_is_taken(
    torque_nm: float, mass_kg: float, model: str, gear: float
) -> None:
    choice = choose_motor(motor_models("damiao"), torque_nm, 3.0, mass_kg)
    assert choice is not None
    assert (choice.model.name, choice.gear, choice.remark) == (model, gear, "")
    assert choice.model.torque_max_nm * gear >= torque_nm
    assert choice.velocity_rad_per_s < choice.model.velocity_max_rad_per_s / gear


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


@pytest.mark.parametrize("word", ["on", "No", "null", "1", "1e3", "a b", "a: b", "#x", "größe", ""])
def test_names_that_yaml_could_misread_are_quoted(word: str) -> None:
    assert scalar(word).startswith('"')


@pytest.mark.parametrize(("value", "text"), [(1.0, "1.0"), (1e-9, "0.000000001"), (-0.5, "-0.5"), (1e7, "10000000.0")])
def test_numbers_are_written_as_floats(value: float, text: str) -> None:
    assert number(value) == text
