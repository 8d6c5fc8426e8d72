"""A stick steers by how far it is pushed, beyond its dead zone, once it was seen centred."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.errors import RefusedError
from supervisor.core.robot_inputs import GamepadConfig, StickConfig
from supervisor.runtime.inputs.gamepad import LOOK_AGAIN_S, Gamepad
from supervisor.runtime.inputs.sticks import Stick
from tests.runtime.inputs.test_gamepad import AXES, CODES, DROPPED, REPORT, AbsInfo, FakeDevice, Socket

STICKS = {
    "forward": StickConfig("ABS_Y", True, 0.1),
    "left": StickConfig("ABS_X", True, 0.1),
    "yaw": StickConfig("ABS_RX", True, 0.2),
}
CONFIG = GamepadConfig("/dev/input/pad", {"stop": "BTN_EAST", "deadman": "BTN_TL"}, STICKS)
CENTRED = (0.0, 0.0, 0.0)


@pytest.fixture
def usb() -> Socket:
    return Socket()


@pytest.fixture
def pad(usb: Socket) -> Gamepad:
    return Gamepad(CONFIG, usb.open, CODES | AXES)


def centred(dead_zone: float = 0.1, *, inverted: bool = False) -> Stick:
    stick = Stick(StickConfig("ABS_Y", inverted, dead_zone))
    stick.open(-100, 100, 0)
    return stick


@pytest.mark.parametrize(
    ("value", "fraction"),
    [(0, 0.0), (10, 0.0), (-10, 0.0), (55, 0.5), (-55, -0.5), (100, 1.0), (-100, -1.0), (5000, 1.0), (-5000, -1.0)],
)
def test_beyond_the_dead_zone_a_stick_steers_from_nothing_to_all(value: int, fraction: float) -> None:
    stick = centred()
    stick.move(value)
    assert stick.fraction == pytest.approx(fraction)
    inverted = centred(inverted=True)
    inverted.move(value)
    assert inverted.fraction == pytest.approx(-fraction)


def test_a_stick_that_is_pushed_when_it_is_opened_has_to_be_centred_first() -> None:
    stick = Stick(STICKS["forward"])
    stick.open(-100, 100, 80)
    for value in (80, 100, 11, -100):
        stick.move(value)
        assert stick.fraction == 0.0
    stick.move(9)
    stick.move(-100)
    assert stick.fraction == 1.0


def test_a_stick_that_is_opened_again_has_to_be_centred_again() -> None:
    stick = centred()
    stick.move(100)
    stick.open(-100, 100, 80)
    assert stick.fraction == 0.0
    stick.move(90)
    assert stick.fraction == 0.0


@pytest.mark.parametrize(("lowest", "highest"), [(0, 0), (5, -5)])
def test_an_axis_without_a_way_never_steers(lowest: int, highest: int) -> None:
    stick = Stick(STICKS["forward"])
    stick.open(lowest, highest, 0)
    stick.move(1)
    assert stick.fraction == 0.0


@given(st.integers(-(2**31), 2**31), st.integers(-(2**31), 2**31), st.lists(st.integers(-(2**31), 2**31)))
def test_whatever_the_kernel_says_a_stick_steers_no_further_than_all(
    lowest: int, highest: int, values: list[int]
) -> None:
    stick = Stick(STICKS["yaw"])
    stick.open(lowest, highest, 0)
    for value in values:
        stick.move(value)
        assert -1.0 <= stick.fraction <= 1.0


# On a gamepad


def test_pushed_away_left_and_left_is_forward_left_and_turning_left(usb: Socket, pad: Gamepad) -> None:
    usb.device.tilt("ABS_Y", 0)
    usb.device.tilt("ABS_X", -32768)
    usb.device.tilt("ABS_RX", -32768)
    assert pad.poll(1.0) == []
    assert pad.steered == pytest.approx((1.0, 1.0, 1.0))
    usb.device.tilt("ABS_X", 32767)
    pad.poll(1.02)
    assert pad.steered == pytest.approx((1.0, -1.0, 1.0))


def test_a_gamepad_that_is_opened_with_a_stick_pushed_steers_nothing_with_it(usb: Socket) -> None:
    usb.device.axes[AXES["ABS_Y"]] = AbsInfo(0, 0, 255)
    pad = Gamepad(CONFIG, usb.open, CODES | AXES)
    usb.device.tilt("ABS_Y", 1)
    usb.device.tilt("ABS_RX", -32768)
    pad.poll(1.0)
    assert pad.steered == pytest.approx((0.0, 0.0, 1.0))


def test_an_unplugged_gamepad_steers_nothing_and_plugged_in_again_only_once_centred(usb: Socket, pad: Gamepad) -> None:
    usb.device.tilt("ABS_Y", 0)
    pad.poll(1.0)
    assert pad.steered[0] == 1.0
    usb.device.error, usb.device = OSError(19, "No such device"), None
    pad.poll(1.02)
    assert pad.steered == CENTRED
    usb.device = FakeDevice()
    usb.device.axes[AXES["ABS_Y"]] = AbsInfo(0, 0, 255)
    usb.device.tilt("ABS_Y", 2)
    pad.poll(1.1 + LOOK_AGAIN_S)
    assert (pad.is_there, pad.steered) == (True, CENTRED)
    usb.device.tilt("ABS_Y", 128)
    usb.device.tilt("ABS_Y", 255)
    pad.poll(1.2 + LOOK_AGAIN_S)
    assert pad.steered[0] == -1.0


def test_another_gamepad_in_its_place_is_none(usb: Socket, pad: Gamepad) -> None:
    usb.device.error, usb.device = OSError(19, "No such device"), None
    pad.poll(1.0)
    other = usb.device = FakeDevice()
    del other.axes[AXES["ABS_RX"]]
    pad.poll(1.1 + LOOK_AGAIN_S)
    assert (pad.is_there, other.closed) == (False, 1)


def test_a_move_that_the_kernel_has_dropped_is_found_again(usb: Socket, pad: Gamepad) -> None:
    usb.device.tilt("ABS_Y", 0)
    pad.poll(1.0)
    usb.device.tilt("ABS_Y", 128)
    usb.device.events = [DROPPED]
    pad.poll(1.02)
    assert pad.steered[0] == 1.0
    usb.device.events = [REPORT]
    pad.poll(1.04)
    assert pad.steered == CENTRED


def test_a_gamepad_without_the_axes_is_refused(usb: Socket) -> None:
    sticks = {"forward": StickConfig("ABS_RZ", False, 0.1)}
    config = GamepadConfig("/dev/input/pad", {"stop": "BTN_EAST"}, sticks)  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="has no ABS_RZ; see what it has with evtest"):
        Gamepad(config, usb.open, CODES | AXES)
    with pytest.raises(RefusedError, match="no button or axis is called ABS_RZ"):
        Gamepad(config, usb.open, CODES)


def test_a_gamepad_without_sticks_steers_nothing(usb: Socket) -> None:
    config = GamepadConfig("/dev/input/pad", {"stop": "BTN_EAST"})
    pad = Gamepad(config, usb.open, CODES)
    usb.device.tilt("ABS_Y", 0)
    pad.poll(1.0)
    assert pad.steered == CENTRED
