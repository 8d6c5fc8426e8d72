"""`handrail new` with every make of motor: what it makes can be wired, loaded, and answers in simulation."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivers.capabilities import Timeout
from drivers.devices import NO_TIMEOUT_PROBLEM
from drivers.registry import MOTOR_MAKES
from drivers.safety_fit import TEMPERATURE_GUARD, temperature_problems
from drivers.sim.new_robot import NewRobotResult, new_robot
from drivers.sim.wiring import choose_motor, fit_motor, motor_models, strongest, usual_control_hz
from drivers.wiring_check import timeout_problems, wiring_problems
from supervisor.core.command import Drive
from supervisor.core.errors import ConfigError
from supervisor.core.robot import CanBusConfig, SerialBusConfig
from supervisor.core.robot_file import load_robot
from supervisor.core.state import MotorStatus
from supervisor.runtime.preparation import robot_problems
from tests.drivers.sim.fitted import Rig
from tests.drivers.sim.models import quadruped, write

PUP = Path(__file__).resolve().parents[3] / "config" / "robots" / "pup" / "pup.xml"
TOO_WEAK = ("dynamixel", "feetech", "lx16a")
STRONG = tuple(make for make in MOTOR_MAKES if make not in TOO_WEAK)
WITHOUT_TIMEOUT = tuple(make for make, row in MOTOR_MAKES.items() if row.capabilities.timeout is Timeout.NONE)
OF_ANYBODY = tuple(make for make, row in MOTOR_MAKES.items() if row.drive_keys is not None)


def light(torque_nm: float) -> str:
    """A quadruped of a kilogram, whose joints servos can turn."""
    text = re.sub(r'mass="([0-9.]+)"', lambda match: f'mass="{float(match[1]) * 0.1:.4f}"', quadruped())
    return text.replace('ctrlrange="-25 25"', f'ctrlrange="-{torque_nm} {torque_nm}"').replace('"0.01" d', '"0.002" d')


@pytest.fixture(scope="module", params=MOTOR_MAKES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewRobotResult:
    """Pup with every make that is strong enough for it, and a light robot with the others."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param in STRONG:
        return new_robot("made", PUP, folder / "made", request.param, keyframe="stand")
    return new_robot("made", write(folder, light(1.5)), folder / "made", request.param)


def make_of(result: NewRobotResult) -> str:
    (make,) = {joint.motor.make for joint in result.robot.config.joints.values()}
    return make


def test_it_can_be_wired(made: NewRobotResult) -> None:
    assert len(made.robot.config.joints) == 12
    assert wiring_problems(made.robot.config) == []


def test_all_that_stands_in_its_way_is_the_missing_cut_off(made: NewRobotResult) -> None:
    expected = [f"joint {name}: {make_of(made)} {NO_TIMEOUT_PROBLEM}" for name in made.robot.config.joints]
    assert robot_problems(made.robot) == expected * (make_of(made) in WITHOUT_TIMEOUT)
    named = replace(made.robot, config=replace(made.robot.config, independent_cut_off="contactor K1"))
    assert robot_problems(named) == []


def test_a_make_without_a_timeout_says_what_is_to_be_named(made: NewRobotResult) -> None:
    said = [remark for remark in made.remarks if "independent_cut_off" in remark]
    assert bool(said) is (make_of(made) in WITHOUT_TIMEOUT)
    assert all("`handrail check` refuses this robot" in remark for remark in said)
    text = (made.folder / "robot.yaml").read_text(encoding="utf-8")
    assert ("# independent_cut_off:" in text) is bool(said)
    (made.folder / "robot.yaml").write_text(text.replace("# independent_cut_off", "independent_cut_off"), "utf-8")
    assert timeout_problems(load_robot(made.folder).config) == []


def test_its_buses_are_of_the_kind_and_rate_that_the_make_speaks(made: NewRobotResult) -> None:
    row, config = MOTOR_MAKES[make_of(made)], made.robot.config
    buses = [config.buses[name] for name in {joint.motor.bus for joint in config.joints.values()}]
    rates = {
        (bus.bitrate_bps, bus.data_bitrate_bps, bus.fd) if isinstance(bus, CanBusConfig) else (bus.baud_bps, 0, False)
        for bus in buses
    }
    assert rates == {(*row.usual_rates_bps, row.needs_fd)}
    ports = [bus.port for bus in config.buses.values() if isinstance(bus, SerialBusConfig)]
    assert len(set(ports)) == len(ports)
    assert sorted(ports) == [f"/dev/ttyUSB{i}" for i in range(len(ports))]


def test_the_temperature_is_watched_where_the_motors_say_it(made: NewRobotResult) -> None:
    guards = made.robot.safety.rows_by_id()
    is_watched = make_of(made) != "canopen"
    assert (TEMPERATURE_GUARD in guards) is is_watched
    assert any(TEMPERATURE_GUARD in remark for remark in made.remarks) is not is_watched
    assert temperature_problems(made.robot.config, guards) == []


def test_its_motors_answer_switch_on_and_hold_in_simulation(made: NewRobotResult) -> None:
    rig = Rig(replace(made.robot, config=replace(made.robot.config, independent_cut_off="contactor K1")))
    assert {report.problems for report in rig.inventory()} == {()}
    assert (rig.settle(Drive.POLL).motor_status == MotorStatus.DISABLED).all()
    assert (rig.settle(Drive.ENABLE).motor_status == MotorStatus.ENABLED).all()
    for _ in range(int(rig.config.control_hz)):
        state = rig.step(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.ENABLED).all()
    assert np.abs(state.position_rad - rig.world.plant.position_rad).max() < 0.05


@pytest.mark.parametrize("make", OF_ANYBODY)
def test_drives_are_described_from_what_the_joint_needs_and_to_be_confirmed(make: str, tmp_path: Path) -> None:
    made = new_robot("made", PUP, tmp_path / "made", make, keyframe="stand")
    drives = [joint.motor.drive for joint in made.robot.config.joints.values()]
    assert {drive.torque_max_nm for drive in drives if drive is not None} == {25.0}
    said = [
        (drive.encoder_counts_per_turn, drive.rated_torque_nm, drive.kp_max_nm_per_rad) for drive in drives if drive
    ]
    assert set(said) == {
        {"canopen": (16_384, 0.926, 0.0), "moteus": (0, 0.0, 80.0), "odrive": (0, 0.0, 0.0)}[make],
    }
    assert any("confirm each number" in remark for remark in made.remarks)
    assert "# derived: drive: assumed" in (made.folder / "robot.yaml").read_text(encoding="utf-8")


def test_joints_of_unitree_motors_begin_where_they_hang(tmp_path: Path) -> None:
    made = new_robot("made", PUP, tmp_path / "made", "unitree", keyframe="stand")
    rig = Rig(made.robot)
    spans = np.array([joint.starts_within_rad for joint in made.robot.config.joints.values()])
    assert (np.abs(rig.world.plant.position_rad - spans.mean(axis=1)) < 0.2).all()
    assert (spans[:, 1] - spans[:, 0] > 0.8).all()


@pytest.mark.parametrize("make", TOO_WEAK)
def test_motors_that_are_too_weak_are_refused_with_makes_that_are_not(make: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"motors of {make} are too weak for .* needs 20 N·m, and a ") as caught:
        new_robot("made", PUP, tmp_path / "made", make, keyframe="stand")
    assert "damiao" in str(caught.value)
    assert "lx16a" not in str(caught.value).split("allowed:")[1]
    assert not (tmp_path / "made").exists()


def test_a_control_rate_at_which_no_motor_fits_is_refused_with_one_that_does(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"500 Hz, at which one motor of lx16a loads a bus by .* 150 Hz fits"):
        new_robot("made", write(tmp_path, light(1.5)), tmp_path / "made", "lx16a", control_hz=500.0)


def test_slow_lines_get_a_slower_loop_and_a_guardian_that_waits_for_it(tmp_path: Path) -> None:
    made = new_robot("made", write(tmp_path, light(1.5)), tmp_path / "made", "lx16a")
    assert made.robot.config.control_hz == 150.0
    assert made.robot.config.realtime.guardian_window_s == pytest.approx(5.0 / 150.0, abs=1e-6)
    assert any(remark.startswith("control_hz is 150") for remark in made.remarks)
    assert {usual_control_hz(make) for make in MOTOR_MAKES if make != "lx16a"} == {500.0}


def test_a_motor_that_turns_hardly_further_than_the_joint_has_its_zero_in_the_middle() -> None:
    choice = fit_motor("lx16a", 1.5, (-1.0, 2.5), 1.0)
    assert choice is not None
    assert (choice.gear, choice.offset_rad) == (1.0, -0.75)
    assert "offset_rad" in choice.remark
    near = fit_motor("lx16a", 1.5, (-0.8, 0.8), 1.0)
    assert near is not None
    assert near.offset_rad == 0.0


def test_a_joint_that_no_motor_reaches_has_none() -> None:
    assert choose_motor(motor_models("damiao"), 5000.0, 1.0, 500.0) is None
    assert fit_motor("damiao", 5000.0, (-1.0, 1.0), 500.0) is None
    assert strongest("damiao", (-1.0, 1.0)).torque_nm == 1200.0
