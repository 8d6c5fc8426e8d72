"""A gamepad's buttons are presses when they go down, and only then."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pytest

from supervisor.core.errors import RefusedError
from supervisor.core.levels import OperatorAction
from supervisor.core.robot_inputs import GamepadConfig
from supervisor.runtime.inputs.gamepad import LOOK_AGAIN_S, Gamepad, open_gamepad

CODES = {"BTN_SOUTH": 304, "BTN_EAST": 305, "BTN_NORTH": 307, "BTN_TL": 310, "BTN_TR": 311}
AXES = {"ABS_X": 0, "ABS_Y": 1, "ABS_RX": 3, "ABS_RZ": 5}
CONFIG = GamepadConfig("/dev/input/pad", {"stop": "BTN_EAST", "deadman": "BTN_TL", "confirm": "BTN_SOUTH"})
STOP, CONFIRM = OperatorAction.STOP, OperatorAction.CONFIRM


class Event(NamedTuple):
    type: int
    code: int
    value: int


REPORT = Event(0, 0, 0)
DROPPED = Event(0, 3, 0)


class AbsInfo(NamedTuple):
    value: int
    min: int = -32768
    max: int = 32767


class FakeDevice:
    """An event device as the kernel keeps one."""

    def __init__(self) -> None:
        self.axes = {0: AbsInfo(0), 1: AbsInfo(128, 0, 255), 3: AbsInfo(0)}
        self.events: list[Event] = []
        self.down: set[int] = set()
        self.error: OSError | None = None
        self.closed = 0

    def change(self, button: str, value: int) -> None:
        (self.down.add if value else self.down.discard)(CODES[button])
        self.events += [Event(1, CODES[button], value), REPORT]

    def read(self) -> Iterable[Event]:
        if self.error is not None:
            raise self.error
        if not self.events:
            raise BlockingIOError
        events, self.events = self.events, []
        return events

    def active_keys(self) -> list[int]:
        return sorted(self.down)

    def tilt(self, axis: str, value: int) -> None:
        self.axes[AXES[axis]] = self.axes[AXES[axis]]._replace(value=value)
        self.events += [Event(3, AXES[axis], value), REPORT]

    def absinfo(self, axis_num: int) -> AbsInfo:
        return self.axes[axis_num]

    def capabilities(self, *, absinfo: bool = True) -> Mapping[int, Any]:
        axes = list(self.axes.items()) if absinfo else list(self.axes)
        return {0: [0, 1, 3], 3: axes, 1: [CODES["BTN_SOUTH"], CODES["BTN_EAST"], CODES["BTN_TL"], CODES["BTN_NORTH"]]}

    def close(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


class Socket:
    """Where a gamepad is plugged in."""

    def __init__(self) -> None:
        self.device: FakeDevice | None = FakeDevice()
        self.opened = 0

    def open(self, path: str) -> FakeDevice:
        assert path == "/dev/input/pad"
        self.opened += 1
        if self.device is None:
            raise FileNotFoundError(2, "No such file or directory")
        return self.device


@pytest.fixture
def usb() -> Socket:
    return Socket()


@pytest.fixture
def pad(usb: Socket) -> Gamepad:
    return Gamepad(CONFIG, usb.open, CODES | AXES)


def test_a_button_that_goes_down_is_one_press(usb: Socket, pad: Gamepad) -> None:
    usb.device.change("BTN_EAST", 1)
    assert pad.poll(1.0) == [STOP]
    usb.device.events += [Event(1, CODES["BTN_EAST"], 2)] * 50
    assert pad.poll(1.02) == []
    usb.device.change("BTN_EAST", 0)
    assert pad.poll(1.04) == []
    usb.device.change("BTN_EAST", 1)
    usb.device.change("BTN_SOUTH", 1)
    assert pad.poll(1.06) == [STOP, CONFIRM]


def test_a_quick_press_between_two_polls_is_not_lost(usb: Socket, pad: Gamepad) -> None:
    usb.device.change("BTN_EAST", 1)
    usb.device.change("BTN_EAST", 0)
    assert pad.poll(1.0) == [STOP]


def test_buttons_without_a_use_and_sticks_do_nothing(usb: Socket, pad: Gamepad) -> None:
    usb.device.change("BTN_NORTH", 1)
    usb.device.events += [Event(3, 0, 128), Event(4, 4, 9), Event(1, 9999, 1)]
    assert pad.poll(1.0) == []


def test_the_deadman_is_held_while_its_button_is_down(usb: Socket, pad: Gamepad) -> None:
    held = [pad.is_deadman_held]
    for value in (1, 2, 0):
        usb.device.change("BTN_TL", value)
        assert pad.poll(1.0) == []
        held.append(pad.is_deadman_held)
    assert held == [False, True, True, False]


def test_a_button_that_is_down_at_the_start_is_no_press(usb: Socket) -> None:
    usb.device.down = {CODES["BTN_EAST"], CODES["BTN_TL"]}
    pad = Gamepad(CONFIG, usb.open, CODES | AXES)
    usb.device.events += [Event(1, CODES["BTN_EAST"], 2), Event(1, CODES["BTN_TL"], 2)]
    assert (pad.poll(1.0), pad.is_deadman_held) == ([], False)
    for value in (0, 1):
        usb.device.change("BTN_EAST", value)
        usb.device.change("BTN_TL", value)
    assert (pad.poll(1.0), pad.is_deadman_held) == ([STOP], True)


def test_an_unplugged_gamepad_is_gone_and_holds_nothing(usb: Socket, pad: Gamepad) -> None:
    usb.device.change("BTN_TL", 1)
    pad.poll(1.0)
    unplugged = usb.device
    usb.device.error, usb.device = OSError(19, "No such device"), None
    assert pad.poll(1.02) == []
    assert (pad.is_there, pad.is_deadman_held, unplugged.closed) == (False, False, 1)


def test_a_gamepad_that_is_plugged_in_again_is_found_and_what_is_held_is_no_press(usb: Socket, pad: Gamepad) -> None:
    usb.device.error, usb.device = OSError(19, "No such device"), None
    for now_s in (1.0, 1.02, 1.04, 1.02 + LOOK_AGAIN_S):
        pad.poll(now_s)
    assert (usb.opened, pad.is_there) == (3, False)
    usb.device = FakeDevice()
    usb.device.down = {CODES["BTN_EAST"], CODES["BTN_TL"]}
    assert pad.poll(1.1 + 2.0 * LOOK_AGAIN_S) == []
    assert (pad.is_there, pad.is_deadman_held) == (True, False)


def test_edges_that_the_kernel_has_dropped_are_found_again(usb: Socket, pad: Gamepad) -> None:
    usb.device.change("BTN_TL", 1)
    pad.poll(1.0)
    usb.device.events += [DROPPED, Event(1, CODES["BTN_SOUTH"], 1)]
    usb.device.down = {CODES["BTN_EAST"]}
    assert pad.poll(1.02) == []
    assert pad.is_deadman_held
    usb.device.events += [REPORT]
    assert pad.poll(1.04) == [STOP]
    assert not pad.is_deadman_held


def test_a_gamepad_that_fails_while_it_catches_up_is_gone(
    usb: Socket, pad: Gamepad, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[int]:
        raise OSError(19, "No such device")

    monkeypatch.setattr(usb.device, "active_keys", fail)
    usb.device.events += [DROPPED, REPORT]
    assert pad.poll(1.0) == []
    assert not pad.is_there


def test_a_gamepad_that_never_ends_talking_does_not_hold_the_run_up(
    usb: Socket, pad: Gamepad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usb.device, "read", lambda: [REPORT] * 64)
    assert pad.poll(1.0) == []


def test_a_closed_gamepad_stays_closed(usb: Socket, pad: Gamepad) -> None:
    pad.close()
    pad.close()
    assert pad.poll(100.0) == []
    assert (pad.is_there, usb.device.closed, usb.opened) == (False, 1, 1)


def test_a_gamepad_that_is_not_there_is_refused_with_what_to_do(usb: Socket) -> None:
    usb.device = None
    with pytest.raises(RefusedError, match=r"/dev/input/pad cannot be opened: No such file.*group input"):
        Gamepad(CONFIG, usb.open, CODES | AXES)


def test_a_gamepad_without_the_buttons_is_refused(usb: Socket) -> None:
    config = GamepadConfig("/dev/input/pad", {"stop": "BTN_EAST", "hold": "BTN_TR"})
    with pytest.raises(RefusedError, match="has no BTN_TR; see what it has with evtest"):
        Gamepad(config, usb.open, CODES | AXES)
    assert usb.device.closed == 1


def test_a_button_that_no_gamepad_has_is_refused(usb: Socket) -> None:
    with pytest.raises(RefusedError, match="no button or axis is called BTN_STOP"):
        Gamepad(GamepadConfig("/dev/input/pad", {"stop": "BTN_STOP"}), usb.open, CODES | AXES)


def test_without_evdev_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evdev", None)
    with pytest.raises(RefusedError, match=r"handrail\[gamepad\]"):
        open_gamepad(CONFIG)


def test_the_real_evdev_opens_as_it_is_used_here() -> None:
    evdev = pytest.importorskip("evdev", reason="evdev is an extra")
    assert {name: evdev.ecodes.ecodes[name] for name in CODES} == CODES
    with pytest.raises(RefusedError, match="/dev/input/no-such-pad cannot be opened"):
        open_gamepad(GamepadConfig("/dev/input/no-such-pad", CONFIG.buttons))


def test_a_real_event_device_is_read() -> None:
    evdev = pytest.importorskip("evdev", reason="evdev is an extra")
    try:
        made = evdev.UInput({1: list(CODES.values())}, name="handrail test")
    except Exception as error:  # noqa: BLE001 (whatever keeps us from making one)
        pytest.skip(f"no virtual input devices here: {error}")
    pad = open_gamepad(GamepadConfig(made.device.path, CONFIG.buttons))
    made.write(1, CODES["BTN_EAST"], 1)
    made.syn()
    assert pad.poll(1.0) == [STOP]
    pad.close()
    made.close()
