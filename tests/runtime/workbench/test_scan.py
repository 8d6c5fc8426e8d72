from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.sim.world import SimulatedWorld
from supervisor.core.errors import BusError, RefusedError
from supervisor.core.robot import CanBusConfig, SerialBusConfig
from supervisor.core.robot_file import Robot
from supervisor.runtime.workbench.bench import Workbench
from supervisor.runtime.workbench.scan import has_problems, scan_bus, scan_robot
from tests.drivers.sim.fitted import FITTINGS, fitted
from tests.drivers.sim.simulated import pup
from tests.runtime.workbench.benches import bench_of, simulated_time


def without(robot: Robot, joint: str) -> Robot:
    """The robot file with one motor left out."""
    joints = {name: config for name, config in robot.config.joints.items() if name != joint}
    return replace(robot, config=replace(robot.config, joints=joints))


def test_a_healthy_robot_is_found_without_problems() -> None:
    reports, scans = scan_robot(bench_of())
    assert [report.answered for report in reports] == [True] * 13
    assert {scan.bus: [one.id for one in scan.found] for scan in scans if scan.found} == {
        f"can{i}": [1, 2, 3] for i in range(4)
    }
    assert not has_problems(reports, scans)


def test_a_silent_motor_is_told_with_what_to_check() -> None:
    reports, scans = scan_robot(bench_of({"kind": "motor_silent", "joints": ["fr_calf"]}))
    assert has_problems(reports, scans)
    (problem,) = [problem for report in reports for problem in report.problems]
    assert "motor 3 on can1 does not answer" in problem


def test_a_motor_that_the_file_does_not_know_is_told() -> None:
    robot = pup()
    world = SimulatedWorld(robot)
    known = without(robot, "fl_calf").config
    bench = Workbench(known, world, simulated_time(world, robot))
    reports, scans = scan_robot(bench)
    assert all(report.answered for report in reports)
    (problem,) = [problem for scan in scans for problem in scan.problems]
    assert problem.startswith("a damiao motor with id 3 answers on can0 (feedback_id 19, answered with 19)")


def test_two_motors_on_one_id_are_told() -> None:
    robot = pup()
    calf = robot.config.joints["fl_calf"]
    thigh_wiring = robot.config.joints["fl_thigh"].motor
    twice = {**robot.config.joints, "fl_calf": replace(calf, motor=thigh_wiring)}
    world = SimulatedWorld(replace(robot, config=replace(robot.config, joints=twice)))
    bench = Workbench(without(robot, "fl_calf").config, world, simulated_time(world, robot))
    _, scans = scan_robot(bench)
    (problem,) = [problem for scan in scans for problem in scan.problems]
    assert problem.startswith("2 answers to one question under damiao id 2")


@pytest.mark.parametrize("make", FITTINGS)
def test_every_make_is_found_by_its_ids(make: str) -> None:
    robot = fitted(make, independent_cut_off="contactor K1")
    world = SimulatedWorld(robot)
    name, config = next(iter(robot.config.buses.items()))
    world_time = simulated_time(world, robot)
    found = scan_bus(config, [make], _Renamed(world, name), world_time)
    wired = sorted(joint.motor.id for joint in robot.config.joints.values() if joint.motor.bus == name)
    assert [one.id for one in found.found] == wired
    assert found.problems == ()


class _Renamed:
    """Opens one bus of a robot, whatever it is called."""

    def __init__(self, world: SimulatedWorld, name: str) -> None:
        self._world, self._name = world, name

    def open_can(self, name: str, config: CanBusConfig):
        return self._world.open_can(self._name, config)

    def open_serial(self, name: str, config: SerialBusConfig):
        return self._world.open_serial(self._name, config)


class _NoBuses:
    def open_can(self, name: str, config: CanBusConfig):
        raise BusError("not to be opened")

    open_serial = open_can


@pytest.mark.parametrize(
    ("makes", "config", "expected"),
    [
        (["acme"], CanBusConfig("can", "virtual", "0", 1_000_000), "unknown make 'acme'"),
        (["damiao"], SerialBusConfig("serial", "/dev/tty", 1_000_000), "damiao motors are wired to a can bus"),
    ],
)
def test_a_scan_for_what_cannot_be_there_is_refused_before_anything_is_opened(
    makes: list[str], config: CanBusConfig | SerialBusConfig, expected: str
) -> None:
    with pytest.raises(RefusedError, match=expected):
        scan_bus(config, makes, _NoBuses())
