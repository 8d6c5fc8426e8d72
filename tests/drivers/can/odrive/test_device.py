from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from drivers.can.odrive.batch import REPEATS
from drivers.can.odrive.tables import REFRESH_CYCLES
from supervisor.core.command import Drive
from supervisor.core.errors import DeviceError
from supervisor.core.state import MotorStatus
from tests.drivers.can.odrive.fake import COMMAND, Rig
from tests.drivers.fake_devices import TroubledBus

ON, OFF, FAULT = MotorStatus.ENABLED, MotorStatus.DISABLED, MotorStatus.FAULT
STATE, MODE, POSITION, CLEAR, POSITION_GAIN, VELOCITY_GAINS = 0x07, 0x0B, 0x0C, 0x18, 0x1A, 0x1B
ZERO = bytes(8)
RELAX = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]])


@pytest.fixture
def rig() -> Rig:
    return Rig()


def commands(log: list[tuple[int, bytes]]) -> list[int]:
    return [command for command, _ in log]


def settle(rig: Rig, command: np.ndarray = COMMAND) -> None:
    """On, and every gain told often enough; refreshes are out of step with the cycles that follow."""
    rig.cycle(Drive.POLL)
    rig.cycle(Drive.ENABLE)
    for _ in range(2 * REFRESH_CYCLES + 1):
        rig.cycle(Drive.COMMAND, command)
    rig.said(1)
    rig.said(2)


def test_it_is_switched_on_limp_where_it_stands(rig: Rig) -> None:
    rig.cycle(Drive.POLL)
    assert rig.said() == []
    assert rig.cycle(Drive.ENABLE) == [ON, ON]
    log = rig.said()
    assert commands(log) == [POSITION_GAIN, VELOCITY_GAINS, MODE, POSITION, STATE]
    assert log[:2] == [(POSITION_GAIN, ZERO), (VELOCITY_GAINS, ZERO)]
    assert log[2] == (MODE, struct.pack("<II", 3, 1))
    assert struct.unpack("<fhh", log[3][1]) == pytest.approx((0.25, 0, 0))
    assert log[4] == (STATE, struct.pack("<II", 8, 0))


def test_an_axis_that_is_on_is_not_asked_for_it_again(rig: Rig) -> None:
    rig.cycle(Drive.POLL)
    rig.cycle(Drive.ENABLE)
    rig.said()
    rig.cycle(Drive.ENABLE)
    assert commands(rig.said()) == [POSITION_GAIN, VELOCITY_GAINS, MODE, POSITION]


def test_a_motor_that_was_never_heard_is_not_switched_on(rig: Rig) -> None:
    rig.fakes[0].every = {}
    rig.cycle(Drive.POLL)
    rig.cycle(Drive.ENABLE)
    assert (rig.said(1), len(rig.said(2))) == ([], 5)
    assert rig.bus.counters.errors == 1


def test_a_command_goes_out_after_its_gains_and_then_without_them(rig: Rig) -> None:
    rig.cycle(Drive.POLL)
    rig.cycle(Drive.ENABLE)
    rig.said()
    told = []
    for _ in range(REPEATS + 2):
        rig.cycle(Drive.COMMAND)
        told.append(rig.said())
    assert commands(told[0]) == [POSITION_GAIN, VELOCITY_GAINS, POSITION]
    assert [len(log) for log in told] == [3] * REPEATS + [1, 1]
    assert struct.unpack("<f4x", told[0][0][1])[0] == pytest.approx(30.0)
    assert struct.unpack("<ff", told[0][1][1]) == pytest.approx((2.0 * math.pi / 81.0, 0.0))
    position, velocity, torque = struct.unpack("<fhh", told[-1][0][1])
    assert position == pytest.approx(0.5 * 9.0 / (2.0 * math.pi))
    assert (velocity, torque) == (round(1e3 * 9.0 / (2.0 * math.pi)), 100)


def test_gains_are_told_again_after_switching_on_again(rig: Rig) -> None:
    settle(rig)
    rig.cycle(Drive.DISABLE)
    rig.cycle(Drive.ENABLE)
    rig.said()
    told = []
    for _ in range(REPEATS):
        rig.cycle(Drive.COMMAND)
        told.append(commands(rig.said()))
    assert told == [[POSITION_GAIN, VELOCITY_GAINS, POSITION]] * REPEATS


def test_one_frame_per_motor_is_all_a_cycle_needs(rig: Rig) -> None:
    settle(rig)
    rig.bus.sent.clear()
    rig.cycle(Drive.COMMAND)
    assert [frame.arbitration_id for frame in rig.bus.sent] == [1 << 5 | POSITION, 2 << 5 | POSITION]


def test_only_the_motor_whose_gains_change_is_told(rig: Rig) -> None:
    settle(rig)
    changed = COMMAND.copy()
    changed[2, 1] = 20.0
    rig.cycle(Drive.COMMAND, changed)
    assert (commands(rig.said(1)), commands(rig.said(2))) == ([POSITION], [POSITION_GAIN, POSITION])


def test_every_motor_is_told_its_gains_again_and_again(rig: Rig) -> None:
    settle(rig)
    for _ in range(2 * REFRESH_CYCLES):
        rig.cycle(Drive.COMMAND)
    for node in (1, 2):
        assert commands(rig.said(node)).count(VELOCITY_GAINS) == 1


def test_damping_pulls_nowhere_even_if_the_new_gains_are_lost(rig: Rig) -> None:
    settle(rig)
    rig.fakes[0].position = 0.75
    rig.cycle(Drive.COMMAND)
    rig.said()
    rig.cycle(Drive.COMMAND, RELAX)
    log = rig.said()
    assert commands(log) == [POSITION_GAIN, POSITION]
    assert struct.unpack("<fhh", log[-1][1]) == pytest.approx((0.75, 0, 0))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e4])
def test_a_command_that_cannot_be_encoded_is_not_sent_and_counted(rig: Rig, bad: float) -> None:
    settle(rig)
    command = COMMAND.copy()
    command[0, 0] = bad
    rig.cycle(Drive.COMMAND, command)
    assert (rig.said(1), commands(rig.said(2))) == ([], [POSITION])
    assert rig.bus.counters.errors == 1


def test_switching_off_is_idle_for_every_motor_every_time(rig: Rig) -> None:
    settle(rig)
    assert rig.cycle(Drive.DISABLE) == [OFF, OFF]
    assert rig.said() == [(STATE, struct.pack("<II", 1, 0))]


def test_clearing_goes_idle_first_and_enables_nothing(rig: Rig) -> None:
    rig.fakes[0].errors = rig.fakes[0].disarm = 0x1000000
    assert rig.cycle(Drive.POLL)[0] is FAULT
    assert rig.cycle(Drive.CLEAR_FAULT) == [OFF, OFF]
    assert rig.said() == [(STATE, struct.pack("<II", 1, 0)), (CLEAR, b"\0")]


@pytest.mark.parametrize("drive", [Drive.POLL, Drive.DISABLE, Drive.CLEAR_FAULT, Drive.COMMAND])
def test_nothing_but_enable_switches_on(rig: Rig, drive: Drive) -> None:
    for _ in range(20):
        assert rig.cycle(drive) == [OFF, OFF]
    assert [fake.state for fake in rig.fakes] == [1, 1]


def test_a_poll_asks_one_motor_of_a_bus_for_its_errors_in_turn(rig: Rig) -> None:
    for _ in range(3):
        rig.cycle(Drive.POLL)
    asked = [(frame.arbitration_id, frame.data) for frame in rig.bus.sent]
    assert asked == [(1 << 5 | 0x03, b""), (2 << 5 | 0x03, b""), (1 << 5 | 0x03, b"")]


def test_estimates_are_the_replies_that_are_due(rig: Rig) -> None:
    settle(rig)
    counters = rig.bus.counters
    assert counters.expected == counters.received
    rig.fakes[0].every[0x09] = 0
    before = counters.received
    for _ in range(10):
        rig.cycle(Drive.COMMAND)
    assert (counters.expected - before, counters.received - before) == (20, 10)


def test_a_lossy_bus_still_gets_gains_through() -> None:
    rig = Rig(TroubledBus(3, drop=0.3))
    for _ in range(5):
        rig.cycle(Drive.POLL)
    for _ in range(5):
        rig.cycle(Drive.ENABLE)
    for _ in range(4 * REFRESH_CYCLES):
        rig.cycle(Drive.COMMAND)
    for node, stiffness in ((1, 30.0), (2, 20.0)):
        told = [data for command, data in rig.said(node) if command == POSITION_GAIN]
        assert struct.unpack("<f4x", told[-1])[0] == pytest.approx(stiffness)


def test_the_present_position_becomes_zero_while_off(rig: Rig) -> None:
    assert rig.run(rig.motors.set_zero("j1", 0.0)) == 0.0
    log = rig.said()
    assert {command for command, _ in log} == {STATE, 0x19}
    assert {data[:4] for command, data in log if command == STATE} == {struct.pack("<I", 1)}
    assert rig.fakes[1].log == []


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        ({"is_silent": True}, "does not report"),
        ({"errors": 0x2000}, "reports MOTOR_OVER_TEMP: its zero may only be set while off"),
        ({"state": 8, "ignores_states": True}, "reports IN_CLOSED_LOOP_CONTROL"),
    ],
)
def test_a_zero_is_refused_with_its_reason(rig: Rig, trouble: dict[str, object], text: str) -> None:
    for key, value in trouble.items():
        setattr(rig.fakes[0], key, value)
    with pytest.raises(DeviceError, match=text):
        rig.run(rig.motors.set_zero("j1", 0.0))
    assert rig.fakes[0].position == 0.25


def test_a_zero_that_does_not_read_back_is_refused(rig: Rig) -> None:
    generator = rig.motors.set_zero("j1", 0.0)
    rig.fakes[0].answer = lambda frame: []  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match=r"reads 0\.175 rad after setting its zero; expected 0"):
        rig.run(generator)
