"""What can be wrong with a motor is named in its own words, make by make, when it is asked who it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from drivers.registry import MOTOR_MAKES
from drivers.robot_io import RobotIO
from drivers.sim.motors import makes
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Drive
from supervisor.core.errors import RefusedError
from supervisor.core.exchange import DeviceReport
from supervisor.core.robot import CanBusConfig
from supervisor.core.robot_file import Robot
from tests.drivers.sim.fitted import FITTINGS, Rig, fitted
from tests.drivers.sim.simulated import script

CUT_OFF = "contactor K1"
VICTIM = "fl_thigh"


def robot_of(make: str) -> Robot:
    return fitted(make, independent_cut_off=CUT_OFF)


def reports_of(make: str, *faults: dict[str, object], host: Callable[[Robot], Robot] = lambda robot: robot):
    """The inventory of a robot with faults, by a host whose robot file may differ from the robot."""
    robot = robot_of(make)
    rig = Rig(robot)
    rig.world = SimulatedWorld(robot, faults=script(*faults))
    rig.config = host(robot).config
    rig.robot = RobotIO(rig.config, rig.world)
    return {report.name: report for report in rig.inventory()}


def problem_of(report: DeviceReport) -> str:
    return "\n".join(report.problems)


def with_buses(robot: Robot, factor: float) -> Robot:
    """The same robot file with other rates of the buses that have motors."""
    wired = {joint.motor.bus for joint in robot.config.joints.values()}
    buses = dict(robot.config.buses)
    for name in wired:
        bus = buses[name]
        changed = (
            replace(bus, bitrate_bps=int(bus.bitrate_bps * factor))
            if isinstance(bus, CanBusConfig)
            else replace(bus, baud_bps=int(bus.baud_bps * factor))
        )
        buses[name] = changed
    return replace(robot, config=replace(robot.config, buses=buses))


@pytest.mark.parametrize("make", FITTINGS)
def test_a_healthy_robot_has_nothing_to_say(make: str) -> None:
    assert {name: report.problems for name, report in reports_of(make).items() if report.problems} == {}


@pytest.mark.parametrize("make", FITTINGS)
def test_a_silent_motor_is_named_with_its_bus_and_id(make: str) -> None:
    reports = reports_of(make, {"kind": "motor_silent", "joints": [VICTIM]})
    motor = robot_of(make).config.joints[VICTIM].motor
    assert not reports[VICTIM].answered
    assert re.search(rf"(motor|servo) {motor.id} on {motor.bus} does not answer", problem_of(reports[VICTIM]))
    assert [name for name, report in reports.items() if report.problems] == [VICTIM]


@pytest.mark.parametrize("make", FITTINGS)
def test_two_motors_on_one_id_are_named(make: str) -> None:
    robot = robot_of(make)
    joints = robot.config.joints
    doubled = replace(joints["fl_calf"], motor=joints[VICTIM].motor)
    world_robot = replace(robot, config=replace(robot.config, joints={**joints, "fl_calf": doubled}))
    rig = Rig(robot)
    rig.world = SimulatedWorld(world_robot)
    rig.robot = RobotIO(robot.config, rig.world)
    reports = {report.name: report for report in rig.inventory()}
    number = joints[VICTIM].motor.id
    # Two that answer at once on one pair of wires spoil each other's bytes: nothing else can be seen of them.
    named = rf"more than one motor answers under id {number}|two servos with id {number} answer at once"
    assert re.search(named, problem_of(reports[VICTIM]))
    assert "does not answer" in problem_of(reports["fl_calf"])


@pytest.mark.parametrize("make", [make for make in FITTINGS if MOTOR_MAKES[make].bus_kind == "can"])
def test_a_wrong_rate_is_told_from_a_motor_without_power(make: str) -> None:
    reports = reports_of(make, host=lambda robot: with_buses(robot, 2.0))
    assert "its devices have another rate than" in reports[VICTIM].problems[0]
    silent = [{"kind": "motor_silent", "joints": [name]} for name in robot_of(make).config.joints]
    assert reports_of(make, *silent)[VICTIM].problems[0].startswith("nobody answers on ")


SERIAL = [name for name, make in MOTOR_MAKES.items() if make.bus_kind == "serial" and not make.has_fixed_rate]


@pytest.mark.parametrize("make", [make for make in FITTINGS if make in SERIAL])
def test_motors_that_only_speak_when_asked_are_silent_at_a_wrong_rate_and_the_message_names_it(make: str) -> None:
    reports = reports_of(make, host=lambda robot: with_buses(robot, 2.0))
    rate_bps = 2 * MOTOR_MAKES[make].usual_rates_bps[0]
    assert f"whether their rate is baud_bps {rate_bps}" in reports[VICTIM].problems[0]


@pytest.mark.parametrize("make", [make for make in FITTINGS if MOTOR_MAKES[make].has_fixed_rate])
def test_a_rate_that_a_make_does_not_have_is_refused_before_anything_is_opened(make: str) -> None:
    rate_bps = MOTOR_MAKES[make].usual_rates_bps[0]
    told = f"{make} motors speak {rate_bps} bit/s only, and baud_bps is {2 * rate_bps}"
    with pytest.raises(RefusedError, match=told):
        reports_of(make, host=lambda robot: with_buses(robot, 2.0))


@pytest.mark.parametrize("make", [make for make in FITTINGS if MOTOR_MAKES[make].capabilities.reports_faults])
def test_every_fault_is_reported_by_its_makers_name(make: str) -> None:
    for fault in makes.FAULT_NAMES[make]:
        reports = reports_of(make, {"kind": "motor_fault", "joints": [VICTIM], "code": fault})
        assert fault in problem_of(reports[VICTIM]), reports[VICTIM]


@pytest.mark.parametrize("make", [make for make in FITTINGS if MOTOR_MAKES[make].capabilities.temperature != "none"])
def test_a_hot_motor_is_measured_as_hot(make: str) -> None:
    rig = Rig(robot_of(make))
    rig.world = SimulatedWorld(
        robot_of(make), faults=script({"kind": "motor_hot", "joints": [VICTIM], "temperature_degc": 97.0})
    )
    rig.robot = RobotIO(rig.config, rig.world)
    rig.inventory()
    for _ in range(100):
        state = rig.step(Drive.POLL)
    hot = dict(zip(state.order.names, state.temperature_degc.tolist(), strict=True))
    assert hot.pop(VICTIM) == pytest.approx(97.0, abs=1.0)
    assert max(hot.values()) < 60.0


def test_every_make_is_tried() -> None:
    assert FITTINGS.keys() == MOTOR_MAKES.keys()
