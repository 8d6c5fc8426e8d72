"""A second computer on simulated buses hears what a second node would."""

from __future__ import annotations

import numpy as np

from drivers.listening import ListeningBuses
from drivers.robot_io import RobotIO
from drivers.sim.tap import TappedBuses
from drivers.sim.world import SimulatedWorld
from supervisor.core.command import Drive
from supervisor.core.state import MotorStatus
from tests.drivers.fake_devices import actuation
from tests.drivers.sim.simulated import pup


def test_the_second_computer_hears_answers_and_commands_and_disturbs_nothing() -> None:
    robot = pup()
    world = SimulatedWorld(robot)
    tap = TappedBuses(world)
    first = RobotIO(robot.config, tap)
    second = RobotIO(robot.config, ListeningBuses(tap.second))
    for cycle in range(50):
        now_s = 0.002 * cycle
        driven, heard = first.read(now_s), second.read(now_s)
        first.write(actuation(Drive.ENABLE if cycle < 2 else Drive.COMMAND, 12), now_s)
        second.write(actuation(Drive.DISABLE, 12), now_s)
        world.advance_to(0.002 * (cycle + 1))
    assert (heard.motor_status == MotorStatus.ENABLED).all()
    assert np.array_equal(heard.position_rad, driven.position_rad)
    assert heard.imu.sequence == driven.imu.sequence > 10
    statistics = second.statistics()
    assert {statistics[name].foreign_commands for name in tap.second_cans} == {49 * 3}
    assert {first.statistics()[name].foreign_commands for name in tap.second_cans} == {0}
    second.close()
    first.close()


def test_the_second_computer_could_speak() -> None:
    robot = pup()
    world = SimulatedWorld(robot)
    tap = TappedBuses(world)
    first = RobotIO(robot.config, tap)
    second = RobotIO(robot.config, tap.second)
    second.write(actuation(Drive.ENABLE, 12), 0.0)
    world.advance_to(0.002)
    assert (first.read(0.002).motor_status == MotorStatus.ENABLED).all()
    assert [len(bus.sent) for bus in tap.second_cans.values()] == [3, 3, 3, 3]
    assert tap.second_serials["imu0"].write(b"hello") == 5
    assert tap.second_serials["imu0"].sent == b"hello"
    first.close()
    second.close()
