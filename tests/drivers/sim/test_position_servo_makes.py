"""Position servos on the demo robot: what their sheets say of a host that dies, and of how fast they can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drivers.devices import NO_TIMEOUT_PROBLEM
from drivers.wiring_check import timeout_problems, wiring_problems
from supervisor.core.command import Drive
from supervisor.core.robot import RobotConfig, SerialBusConfig
from supervisor.core.state import MotorStatus
from tests.drivers.sim.fitted import Rig, fitted

MAKES = ("feetech", "lx16a")


@pytest.mark.parametrize("make", MAKES)
def test_they_hold_their_last_goal_when_the_host_dies(make: str) -> None:
    rig = Rig(fitted(make))
    rig.inventory()
    rig.settle(Drive.POLL)
    rig.settle(Drive.ENABLE)
    cycles = int(rig.config.control_hz)
    for _ in range(cycles):
        rig.step(Drive.COMMAND)
    held = rig.world.plant.position_rad.copy()
    for _ in range(3 * cycles):
        state = rig.step(None)
    assert np.abs(rig.world.plant.position_rad - held).max() < 0.02
    assert (rig.now_s - state.motor_stamp_s).min() > 2.9
    state = rig.settle(Drive.COMMAND)
    assert (state.motor_status == MotorStatus.ENABLED).all()


@pytest.mark.parametrize("make", MAKES)
def test_they_are_not_armed_without_something_else_that_cuts_their_power(make: str) -> None:
    config = fitted(make).config
    assert [p.endswith(NO_TIMEOUT_PROBLEM) for p in timeout_problems(config)] == [True] * 12
    assert timeout_problems(fitted(make, independent_cut_off="relay K1").config) == []


def on_one_line(make: str, control_hz: float, baud_bps: int) -> RobotConfig:
    config = fitted(make).config
    joints = {
        name: replace(joint, motor=replace(joint.motor, bus="line", id=number))
        for number, (name, joint) in enumerate(config.joints.items(), 1)
    }
    imu = config.imu.bus
    buses = {"line": SerialBusConfig("serial", "/dev/ttyUSB1", baud_bps), imu: config.buses[imu]}
    return replace(config, joints=joints, buses=buses, control_hz=control_hz)


@pytest.mark.parametrize(("make", "baud_bps", "fits_hz"), [("feetech", 1_000_000, 221), ("lx16a", 115_200, 58)])
def test_twelve_on_one_line_are_refused_at_500_hz_and_told_what_fits(make: str, baud_bps: int, fits_hz: int) -> None:
    (problem,) = wiring_problems(on_one_line(make, 500.0, baud_bps))
    assert problem.startswith(f"bus line: 12 motors at 500 Hz and {baud_bps} bit/s load it by")
    assert problem.endswith(f"or lower control_hz to {fits_hz}")
    assert wiring_problems(on_one_line(make, float(fits_hz), baud_bps)) == []
