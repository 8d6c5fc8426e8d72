"""Nothing leaves through a bus that is only listened to, whatever make drives it."""

from __future__ import annotations

import pytest

from drivers.bus import Frame
from drivers.listening import ListeningBuses
from drivers.robot_io import RobotIO
from supervisor.core.command import Drive
from tests.drivers.fake_devices import MemoryBuses, actuation, robot_config
from tests.drivers.recording_buses import RecordingBuses
from tests.drivers.sim.fitted import FITTINGS, fitted


@pytest.mark.parametrize("make", FITTINGS)
def test_no_make_gets_a_byte_out_by_any_means(make: str) -> None:
    config, buses = fitted(make).config, RecordingBuses()
    robot = RobotIO(config, ListeningBuses(buses))
    inventory = robot.inventory(0.0)
    for cycle in range(100):
        now_s = 0.002 * cycle
        robot.read(now_s)
        for drive in Drive:
            robot.write(actuation(drive, len(robot.order)), now_s)
        inventory.send(now_s)
    inventory.close()
    robot.close()
    assert buses.sent == []
    assert buses.closed == set(config.buses)
    assert {bus.sent for bus in robot.statistics().values()} == {0}


def test_what_others_say_is_heard() -> None:
    config, buses = robot_config(), MemoryBuses()
    robot = RobotIO(config, ListeningBuses(buses))
    name = next(iter(buses.can))
    buses.can[name].pending.append(Frame(1, bytes(8), stamp_s=0.5))
    robot.read(0.5)
    assert robot.statistics()[name].foreign_commands == 1
