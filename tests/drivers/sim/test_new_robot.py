"""`handrail new`: any MuJoCo model with a free base becomes a robot folder that loads, hangs and stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import mujoco
import numpy as np
import pytest

from drivers.sim.new_robot import NewRobotResult, new_robot
from drivers.sim.new_robot_text import number, scalar
from drivers.sim.wiring import bus_load, choose_motor, motor_models, wire
from supervisor.core.robot import CanBusConfig
from supervisor.core.robot_file import load_robot
from supervisor.safety.guards import GUARDS
from tests.cases import CASES, needs_cases
from tests.drivers.sim.models import quadruped, write
from tests.drivers.sim.new_robots import PUP, Body, assert_hangs_and_stands, assert_lies_down, make, model_of

LEADING_CASES = ("go1_playground", "go2_robot_lab", "g1_unitree_rl_mjlab")


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


@pytest.mark.parametrize("word", ["on", "No", "null", "1", "1e3", "a b", "a: b", "#x", "größe", ""])
def test_names_that_yaml_could_misread_are_quoted(word: str) -> None:
    assert scalar(word).startswith('"')


@pytest.mark.parametrize(("value", "text"), [(1.0, "1.0"), (1e-9, "0.000000001"), (-0.5, "-0.5"), (1e7, "10000000.0")])
def test_numbers_are_written_as_floats(value: float, text: str) -> None:
    assert number(value) == text
