from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from drivers.sim import plant as plant_module
from drivers.sim.plant import Plant
from drivers.sim.variation import CAMPAIGN, Variation
from supervisor.core.errors import SimulationError
from supervisor.core.levels import Support
from supervisor.core.robot import GantryConfig, RobotConfig, SimulationConfig
from tests.cases import CASES, default_pose, needs_cases, read_spec
from tests.drivers.sim.simulated import pup

ROBOT = pup().config
MODEL = pup().model_path
assert MODEL is not None
LIMP = np.zeros(12)


def pup_plant(**changes: object) -> Plant:
    assert MODEL is not None
    return Plant(MODEL, ROBOT, **changes)  # type: ignore[arg-type]


def stand(plant: Plant, duration_s: float, robot: RobotConfig = ROBOT) -> None:
    default, limit = robot.vector("default_rad"), robot.vector("torque_nm")
    kp, kd = robot.vector("kp_nm_per_rad"), robot.vector("kd_nm_s_per_rad")
    for _ in range(round(duration_s / plant.timestep_s)):
        torque = kp * (default - plant.position_rad) - kd * plant.velocity_rad_per_s
        plant.step(np.clip(torque, -limit, limit))


def settle(plant: Plant, support: Support, robot: RobotConfig = ROBOT) -> float:
    plant.set_support(support)
    for count in range(100):
        if plant.gantry.is_reached:
            return 0.1 * count
        stand(plant, 0.1, robot)
    raise AssertionError(f"{support} not reached in 10 s")


def test_it_begins_hanging_limp_and_nearly_still() -> None:
    plant = pup_plant()
    truth = plant.truth
    assert truth.position_base_in_world_m == pytest.approx((0.0, 0.0, 0.6), abs=5e-3)
    assert truth.tilt_rad < 0.1
    assert (plant.position_base_in_world_m, plant.tilt_rad) == (tuple(truth.position_base_in_world_m), truth.tilt_rad)
    assert truth.floor_force_n == 0.0
    before = plant.position_rad.copy()
    for _ in range(500):
        plant.step(LIMP)
    assert np.abs(plant.position_rad - before).max() < 0.05


def test_the_feet_carry_sixty_per_cent_when_lowered_and_all_on_the_ground() -> None:
    plant = pup_plant()
    stand(plant, 1.0)
    assert 1.0 < settle(plant, Support.LOWERED) < 4.0
    stand(plant, 0.5)
    truth = plant.truth
    assert truth.floor_force_n / truth.weight_n == pytest.approx(0.6, abs=0.03)
    assert 0.22 < truth.position_base_in_world_m[2] < 0.29
    assert settle(plant, Support.GROUND) <= 1.2
    stand(plant, 0.5)
    truth = plant.truth
    assert truth.floor_force_n / truth.weight_n == pytest.approx(1.0, abs=0.03)
    assert truth.tilt_rad < 0.1
    assert 1.0 < settle(plant, Support.GANTRY) < 5.0
    stand(plant, 1.0)
    assert plant.truth.position_base_in_world_m[2] == pytest.approx(0.6, abs=0.01)
    assert plant.truth.floor_force_n == 0.0


def test_floor_forces_point_up_whichever_body_the_model_names_first(tmp_path: Path) -> None:
    assert MODEL is not None
    tree = ET.parse(MODEL)
    world = tree.find("worldbody")
    assert world is not None
    floor = world.find("geom")
    assert floor is not None
    world.remove(floor)
    # A box in a body after the robot's: MuJoCo puts the feet first in each contact, where a plane would be first.
    floor.attrib |= {"type": "box", "size": "5 5 0.1", "pos": "0 0 -0.1"}
    ET.SubElement(world, "body", name="ground").append(floor)
    path = tmp_path / "floor_last.xml"
    tree.write(path)
    plant = Plant(path, ROBOT)
    stand(plant, 0.5)
    settle(plant, Support.LOWERED)
    assert plant.truth.floor_force_n / plant.truth.weight_n == pytest.approx(0.6, abs=0.05)


def test_a_limp_robot_loses_energy_in_free_fall_only_to_friction() -> None:
    plant = pup_plant()
    model, data = plant.model, plant.data
    mujoco = importlib.import_module("mujoco")
    model.opt.enableflags |= int(mujoco.mjtEnableBit.mjENBL_ENERGY)
    with plant.unforced():
        plant.step(LIMP)
        start = float(data.energy.sum())
        energies = []
        for _ in range(100):
            plant.step(LIMP)
            energies.append(float(data.energy.sum()))
    # 0.2 s of fall turn 19 J from one kind into the other: their sum stays within 2 % of that, and does not grow.
    assert np.ptp([start, *energies]) < 0.4
    assert energies[-1] < start + 0.05


def test_hanging_limp_it_comes_to_rest() -> None:
    plant = pup_plant()
    stand(plant, 1.0)
    for _ in range(4000):
        plant.step(LIMP)
    assert np.abs(plant.velocity_rad_per_s).max() < 0.05


def test_torque_reaches_the_joint_it_is_meant_for() -> None:
    for index in range(12):
        plant = pup_plant()
        before = plant.velocity_rad_per_s.copy()
        torque = np.zeros(12)
        # Into the range: hips hang at their stops.
        torque[index] = 3.0 if plant.position_rad[index] < ROBOT.vector("default_rad")[index] else -3.0
        for _ in range(5):
            plant.step(torque)
        gained = (plant.velocity_rad_per_s - before) * np.sign(torque[index])
        assert gained[index] == np.abs(gained).max() > 0.1


def test_the_models_own_actuators_and_limits_do_nothing(tmp_path: Path) -> None:
    assert MODEL is not None
    servo = '<position name="fl_hip" joint="fl_hip" kp="200" forcerange="-50 50"/>'
    text = MODEL.read_text().replace('<motor name="fl_hip" joint="fl_hip"/>', servo)
    text = text.replace(
        '<joint name="fl_hip" class="hip"/>', '<joint name="fl_hip" class="hip" actuatorfrcrange="-1 1"/>'
    )
    assert servo in text
    assert "actuatorfrcrange" in text
    changed = tmp_path / "servo.xml"
    changed.write_text(text)
    plain, servoed = pup_plant(), Plant(changed, ROBOT)
    for plant in (plain, servoed):
        stand(plant, 0.5)
    assert servoed.position_rad == pytest.approx(plain.position_rad, abs=1e-9)


@pytest.mark.parametrize(
    ("timestep_s", "expected_s"), [(0.004, 0.002), (0.002, 0.002), (0.0015, 0.001), (0.001, 0.001), (0.0007, 0.002 / 3)]
)
def test_the_physics_step_divides_the_control_period(tmp_path: Path, timestep_s: float, expected_s: float) -> None:
    assert MODEL is not None
    changed = tmp_path / "step.xml"
    changed.write_text(MODEL.read_text().replace('timestep="0.002"', f'timestep="{timestep_s}"'))
    plant = Plant(changed, ROBOT)
    assert plant.timestep_s == pytest.approx(expected_s)
    assert plant.model.opt.timestep * plant.substeps == pytest.approx(0.002)


def simulation(**changes: object) -> RobotConfig:
    assert ROBOT.simulation is not None
    return replace(ROBOT, simulation=replace(ROBOT.simulation, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("robot", "reason"),
    [
        (replace(ROBOT, simulation=None), "no `simulation` section"),
        (simulation(base_body="torso"), "no body 'torso'"),
        (simulation(base_body="fl_hip"), "no free joint"),
        (simulation(imu_site="nose"), "no site 'nose'"),
        (simulation(keyframe="handstand"), "no keyframe 'handstand'"),
        (replace(ROBOT, joints={"tail": ROBOT.joints["fl_hip"]}), "joints named tail"),
        (replace(ROBOT, joints={"root": ROBOT.joints["fl_hip"]}), "joints named root"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(robot: RobotConfig, reason: str) -> None:
    assert MODEL is not None
    with pytest.raises(SimulationError, match=reason):
        Plant(MODEL, robot)


def test_a_broken_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<mujoco><worldbody>")
    with pytest.raises(SimulationError, match=r"broken\.xml"):
        Plant(broken, ROBOT)
    with pytest.raises(SimulationError, match=r"missing\.xml"):
        Plant(tmp_path / "missing.xml", ROBOT)


def test_without_mujoco_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(plant_module.importlib, "import_module", refuse)
    with pytest.raises(SimulationError, match=r"handrail\[sim\]"):
        pup_plant()


def test_a_robot_without_a_site_for_the_unit_uses_its_trunk() -> None:
    assert MODEL is not None
    plant = Plant(MODEL, simulation(imu_site=""))
    reference = pup_plant()
    for each in (plant, reference):
        stand(each, 0.1)
    assert plant.truth.velocity_base_in_base_m_per_s == pytest.approx(
        reference.truth.velocity_base_in_base_m_per_s, abs=1e-9
    )


def test_variation_draws_robots_within_its_bounds() -> None:
    nominal = pup_plant().model
    for seed in range(5):
        model = pup_plant(variation=CAMPAIGN, seed=seed).model
        ratio = model.body_mass[1:] / nominal.body_mass[1:]
        assert np.all(np.abs(ratio - 1.0) <= 0.05)
        assert np.ptp(ratio) > 0.02
        friction = model.dof_frictionloss[6:] / nominal.dof_frictionloss[6:]
        assert np.all(np.abs(friction - 1.0) <= 0.3)
        assert np.ptp(friction) > 0.1
        assert 0.0 < np.abs(model.body_ipos[1] - nominal.body_ipos[1]).max() <= 0.005


def test_no_variation_changes_nothing() -> None:
    nominal, same = pup_plant(), pup_plant(variation=Variation(), seed=3)
    assert np.array_equal(nominal.model.body_mass, same.model.body_mass)
    assert np.array_equal(nominal.position_rad, same.position_rad)


def case_robot(name: str, base: str, height_m: float) -> RobotConfig:
    """A robot made of a case's model; only what the plant needs is sensible."""
    spec = read_spec(CASES / name)
    pose = default_pose(spec)
    joints = {
        joint: replace(
            ROBOT.joints["fl_hip"], default_rad=value, kp_nm_per_rad=60.0, kd_nm_s_per_rad=2.0, torque_nm=80.0
        )
        for joint, value in pose.items()
    }
    return replace(ROBOT, joints=joints, simulation=SimulationConfig(base, "imu", GantryConfig(height_m, 0.4, 300, 60)))


@needs_cases
@pytest.mark.parametrize(
    ("case", "base", "height_m"),
    [("go1_playground", "trunk", 0.6), ("go2_robot_lab", "base_link", 0.6), ("g1_unitree_rl_mjlab", "pelvis", 1.0)],
)
def test_the_models_of_the_cases_hang_and_hold_their_pose(case: str, base: str, height_m: float) -> None:
    robot = case_robot(case, base, height_m)
    plant = Plant(CASES / case / "scene.xml", robot)
    assert plant.timestep_s == pytest.approx(0.002)
    assert plant.truth.floor_force_n == 0.0
    stand(plant, 2.0, robot)
    assert plant.position_rad == pytest.approx(robot.vector("default_rad"), abs=0.25)
    assert plant.truth.position_base_in_world_m[2] == pytest.approx(height_m, abs=0.05)
    assert plant.truth.tilt_rad < 0.3
