"""A public library for LX-16A servos talks to the simulated ones over a pseudo-terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest

from tests.drivers.sim.servo_terminal import Line

lx16a = pytest.importorskip(
    "pylx16a.lx16a",
    reason="the public library is not installed, as it brings a whole window toolkit: pip install pylx16a",
)

# With its own 20 ms, a busy machine is taken for a silent servo.
TIMEOUT_S = 2.0


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line("lx16a", "LX-16A")
    lx16a.LX16A.initialize(line.name, timeout=TIMEOUT_S)
    yield line
    lx16a.LX16A._controller.close()
    lx16a.LX16A._controller = None
    line.close()


@pytest.fixture
def connect(line: Line) -> Callable[[int], object]:
    return lambda servo_id: lx16a.LX16A(servo_id, disable_torque=True)


def test_what_a_servo_is_and_measures_is_read(connect: Callable[[int], object]) -> None:
    servo = connect(2)
    assert servo.get_id(poll_hardware=True) == 2
    assert servo.get_physical_angle() == pytest.approx(120.0 + math.degrees(0.5), abs=0.13)
    assert (servo.get_temp(), servo.get_vin()) == (25, 7400)
    assert servo.get_angle_limits(poll_hardware=True) == (0.0, 240.0)


def test_a_servo_is_switched_moved_and_set_up(line: Line, connect: Callable[[int], object]) -> None:
    servo = connect(5)
    servo.enable_torque()
    servo.move(150.0)
    assert servo.is_torque_enabled(poll_hardware=True)
    assert line.servos.goal[2] == pytest.approx(math.radians(30.0), abs=2.2e-3)
    assert line.servos.is_on.tolist() == [False, False, True]
    servo.set_temp_limit(70)
    assert servo.get_temp_limit(poll_hardware=True) == 70


def test_a_silent_servo_times_out(connect: Callable[[int], object]) -> None:
    lx16a.LX16A.set_timeout(0.05)
    with pytest.raises(lx16a.ServoTimeoutError):
        connect(9)
