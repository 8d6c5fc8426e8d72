from __future__ import annotations

import pytest

from drivers.devices import POSITION
from drivers.serial.dynamixel import tables as t
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from tests.drivers.serial.dynamixel.fake import Rig


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.inventory()
    return rig


@pytest.mark.parametrize(("count", "offset"), [(100.0, 0), (4000.0, 0), (2048.0, 500), (2 * 4096 + 30.0, -2000)])
def test_where_the_servo_stands_becomes_zero_and_stays_so_without_power(rig: Rig, count: float, offset: int) -> None:
    first = rig.servos[0]
    first.shaft_count, first.table[t.HOMING_OFFSET] = count, offset
    assert rig.finish(rig.group.set_zero("j0", rig.now_s)) == pytest.approx(0.0)
    rig.step(Drive.POLL, 2)
    assert rig.values[POSITION, 0] == pytest.approx(0.0)
    assert abs(first.table[t.HOMING_OFFSET]) <= 2048
    first.reboot()
    rig.step(Drive.POLL, 3)
    assert rig.values[POSITION, 0] == pytest.approx(0.0)


def test_a_servo_that_is_on_keeps_its_zero(rig: Rig) -> None:
    rig.servos[0].table[t.TORQUE_ENABLE] = 1
    with pytest.raises(DeviceError, match="j0 is on: its zero may only be set while off"):
        rig.finish(rig.group.set_zero("j0", rig.now_s))
    assert rig.servos[0].table[t.HOMING_OFFSET] == 0


def test_a_silent_servo_is_named(rig: Rig) -> None:
    rig.port.bus.servos = rig.port.bus.servos[1:]
    with pytest.raises(DeviceError, match="motor of j0 does not answer: its zero was not set"):
        rig.finish(rig.group.set_zero("j0", rig.now_s))


def test_an_offset_that_is_not_kept_is_named(rig: Rig) -> None:
    rig.servos[0].shaft_count = 100.0
    rig.servos[0].write = lambda *_: 0  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="reads back a homing offset of 0 after setting 1948"):
        rig.finish(rig.group.set_zero("j0", rig.now_s))
