"""A stop button that is pressed, unplugged, unreadable or silent is a pressed button."""

from __future__ import annotations

import math
import os
import pty
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bus import Frame
from drivers.robot_io import RobotIO
from supervisor.core.errors import RefusedError
from supervisor.core.robot_inputs import CanFrameStopConfig, GpioStopConfig, SerialLineStopConfig
from supervisor.runtime.inputs.emergency_stop import (
    CanFrameStop,
    LevelStop,
    NoStop,
    open_emergency_stop,
    open_gpio,
    open_serial_line,
)
from supervisor.runtime.inputs.modem_lines import read_modem_lines
from tests.drivers.fake_devices import MemoryBuses, populate, robot_config

CAN = CanFrameStopConfig("can_frame", "can0", 0x701, (0x81,), (0x80,), 0.1)
GPIO = GpioStopConfig("gpio", "/dev/gpiochip0", 17, "high", "pull_up")


def instant() -> float:
    return 0.0


@pytest.fixture
def line() -> Iterator[SerialLineStopConfig]:
    """A button on a pseudo-terminal, which has no lines of its own."""
    ours, theirs = pty.openpty()
    yield SerialLineStopConfig("serial_line", os.ttyname(theirs), "cts", "low")
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("name", ["cts", "dsr", "dcd", "ri"])
@pytest.mark.parametrize(
    ("pressed_is", "is_high", "is_pressed"),
    [("low", False, True), ("low", True, False), ("high", False, False), ("high", True, True)],
)
def test_a_line_tells_the_button(
    line: SerialLineStopConfig, name: Any, pressed_is: Any, is_high: bool, is_pressed: bool
) -> None:
    bit = {"cts": termios.TIOCM_CTS, "dsr": termios.TIOCM_DSR, "dcd": termios.TIOCM_CD, "ri": termios.TIOCM_RI}[name]
    others = ~bit & 0x1FF
    config = replace(line, line=name, pressed_is=pressed_is)
    stop = open_serial_line(config, lambda descriptor: bit if is_high else others, instant)
    assert stop.is_pressed(1.0) is is_pressed
    stop.close()


def test_a_line_that_cannot_be_read_any_more_is_pressed_for_good(line: SerialLineStopConfig) -> None:
    lines: list[Any] = [termios.TIOCM_CTS]

    def read(descriptor: int) -> int:
        if isinstance(lines[0], BaseException):
            raise lines[0]
        return lines[0]

    stop = open_serial_line(line, read, instant)
    assert stop.is_pressed(1.0) is False
    lines[0] = OSError(5, "Input/output error")
    assert stop.is_pressed(2.0) is True
    lines[0] = termios.TIOCM_CTS
    assert stop.is_pressed(3.0) is True
    stop.close()
    stop.close()


@pytest.mark.parametrize("pressed_is_high", [True, False])
@pytest.mark.parametrize("error", [OSError(19, "No such device"), ValueError(), MemoryError(), KeyError(1)])
def test_whatever_goes_wrong_is_a_pressed_button(error: Exception, pressed_is_high: bool) -> None:
    def fail() -> bool:
        raise error

    assert LevelStop(fail, pressed_is_high, lambda: None).is_pressed(1.0) is True


@pytest.mark.parametrize("pressed_is_high", [True, False])
def test_a_closed_line_is_pressed(pressed_is_high: bool) -> None:
    stop = LevelStop(lambda: not pressed_is_high, pressed_is_high, lambda: None)
    assert stop.is_pressed(1.0) is False
    stop.close()
    assert stop.is_pressed(1.0) is True


def test_a_port_without_lines_is_refused(line: SerialLineStopConfig) -> None:
    with pytest.raises(RefusedError, match="does not tell its cts line"):
        open_serial_line(line)


def test_the_lines_of_a_pseudo_terminal_cannot_be_read(line: SerialLineStopConfig) -> None:
    descriptor = os.open(line.port, os.O_RDWR | os.O_NOCTTY)
    with pytest.raises(OSError, match=r"ioctl|Invalid"):
        read_modem_lines(descriptor)
    os.close(descriptor)


def test_a_port_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    config = SerialLineStopConfig("serial_line", str(tmp_path / "ttyUSB9"), "cts", "low")
    with pytest.raises(RefusedError, match=r"ttyUSB9 cannot be opened: No such file.*dialout"):
        open_serial_line(config)


def test_a_line_that_takes_its_time_is_read_by_a_process_of_its_own(line: SerialLineStopConfig) -> None:
    ticks = iter(range(1000))
    asked: list[tuple[int, bool]] = []

    def watched(descriptor: int, bit: int, pressed_is_high: bool) -> NoStop:
        os.fstat(descriptor)
        asked.append((bit, pressed_is_high))
        return NoStop()

    stop = open_serial_line(line, lambda descriptor: 0, lambda: 1e-3 * next(ticks), watched)
    assert isinstance(stop, NoStop)
    assert asked == [(termios.TIOCM_CTS, False)]


def frame(data: bytes, stamp_s: float = 1.0, number: int = 0x701, *, is_extended: bool = False) -> Frame:
    return Frame(number, data, is_extended, False, stamp_s)


@pytest.mark.parametrize(
    ("data", "is_pressed"),
    [(b"\x80", False), (b"\x80\xff", False), (b"\xfe", False), (b"\x81", True), (b"\x00", True), (b"", True)],
)
def test_a_frame_tells_the_button(data: bytes, is_pressed: bool) -> None:
    stop = CanFrameStop(CAN)
    assert stop.take("can0", [frame(data)]) == []
    assert stop.is_pressed(1.0) is is_pressed


def test_a_press_between_two_questions_is_not_lost() -> None:
    stop = CanFrameStop(CAN)
    stop.take("can0", [frame(b"\x80"), frame(b"\x81"), frame(b"\x80")])
    assert stop.is_pressed(1.0) is True
    assert stop.is_pressed(1.0) is False


def test_a_button_that_falls_silent_is_pressed() -> None:
    stop = CanFrameStop(CAN)
    stop.take("can0", [frame(b"\x80", 1.0)])
    assert [stop.is_pressed(now_s) for now_s in (1.0, 1.0999, 1.1001, 5.0)] == [False, False, True, True]
    stop.take("can0", [frame(b"\x80", 6.0)])
    assert stop.is_pressed(6.0) is False


def test_a_button_that_never_speaks_is_pressed_after_its_age() -> None:
    stop = CanFrameStop(CAN)
    assert [stop.is_pressed(now_s) for now_s in (10.0, 10.1, 10.11)] == [False, False, True]


def test_an_age_that_is_no_number_is_a_pressed_button() -> None:
    stop = CanFrameStop(CAN)
    stop.take("can0", [frame(b"\x80", math.nan)])
    assert stop.is_pressed(1.0) is True


def test_other_frames_are_left_to_others() -> None:
    stop = CanFrameStop(CAN)
    strangers = [frame(b"\x81", number=0x702), frame(b"\x81", is_extended=True)]
    assert stop.take("can0", strangers) == strangers
    assert stop.take("can1", [frame(b"\x81")]) == [frame(b"\x81")]
    assert stop.is_pressed(1.0) is False


@given(st.lists(st.binary(max_size=8), max_size=5), st.floats(), st.floats())
def test_only_the_released_state_in_time_is_a_button_that_is_not_pressed(
    datas: list[bytes], stamp_s: float, now_s: float
) -> None:
    stop = CanFrameStop(CAN)
    stop.take("can0", [frame(b"\x80", stamp_s), *(frame(data, stamp_s) for data in datas)])
    is_released = all(data[:1] and data[0] & 0x81 == 0x80 for data in datas) and now_s - stamp_s <= 0.1
    assert stop.is_pressed(now_s) is not is_released


def test_a_robot_hands_over_the_frames_that_no_motor_takes() -> None:
    robot = replace(robot_config(), emergency_stop=replace(CAN, bus=next(iter(robot_config().buses))))
    buses = MemoryBuses()
    populate(buses, robot)
    io = RobotIO(robot, buses)
    stop = open_emergency_stop(robot, io)
    bus = buses.can[robot.emergency_stop.bus]
    bus.pending += [frame(b"\x80"), frame(b"\x00", number=0x555)]
    io.read(1.0)
    assert bus.counters.dropped == 1
    assert stop.is_pressed(1.0) is False
    bus.pending += [frame(b"\x81", 1.002)]
    io.read(1.002)
    assert stop.is_pressed(1.002) is True
    stop.close()


def test_a_robot_without_a_button_is_not_stopped_by_one() -> None:
    robot = robot_config()
    stop = open_emergency_stop(robot, SimpleNamespace(listen=None))
    assert isinstance(stop, NoStop)
    assert stop.is_pressed(1.0) is False
    stop.close()


class FakeRequest:
    """A line of gpiod."""

    def __init__(self, gpiod: Any) -> None:
        self.value = gpiod.line.Value.INACTIVE
        self.error: Exception | None = None
        self.released = 0

    def get_value(self, line: int) -> Any:
        assert line == 17
        if self.error is not None:
            raise self.error
        return self.value

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A gpio chip in place of gpiod's."""
    line = SimpleNamespace(
        Bias={"AS_IS": 1, "PULL_UP": 4, "PULL_DOWN": 5, "DISABLED": 3},
        Direction=SimpleNamespace(INPUT="input"),
        Value=SimpleNamespace(ACTIVE="active", INACTIVE="inactive"),
    )
    fake = ModuleType("gpiod")
    fake.line = line
    fake.asked = []
    fake.request = FakeRequest(fake)
    fake.LineSettings = lambda **settings: settings

    def request_lines(chip: str, config: Any, consumer: str) -> FakeRequest:
        fake.asked.append((chip, config))
        return fake.request

    fake.request_lines = request_lines
    monkeypatch.setitem(sys.modules, "gpiod", fake)
    monkeypatch.setitem(sys.modules, "gpiod.line", line)
    return lambda: fake


@pytest.mark.parametrize(
    ("pressed_is", "value", "is_pressed"),
    [("high", "active", True), ("high", "inactive", False), ("low", "active", False), ("low", "inactive", True)],
)
def test_a_gpio_line_tells_the_button(chip: Callable[[], Any], pressed_is: Any, value: str, is_pressed: bool) -> None:
    gpiod = chip()
    stop = open_gpio(replace(GPIO, pressed_is=pressed_is), instant)
    gpiod.request.value = value
    assert stop.is_pressed(1.0) is is_pressed
    assert gpiod.asked == [("/dev/gpiochip0", {17: {"direction": "input", "bias": 4}})]
    stop.close()
    assert gpiod.request.released == 1


def test_a_gpio_line_that_goes_away_is_pressed(chip: Callable[[], Any]) -> None:
    stop = open_gpio(GPIO, instant)
    assert stop.is_pressed(1.0) is False
    chip().request.error = OSError(19, "No such device")
    assert stop.is_pressed(1.0) is True


def test_a_gpio_line_that_cannot_be_read_is_refused(chip: Callable[[], Any]) -> None:
    chip().request.error = OSError(16, "Device or resource busy")
    with pytest.raises(RefusedError, match=r"line 17 of /dev/gpiochip0 cannot be had.*busy.*gpioinfo"):
        open_gpio(GPIO)


def test_a_gpio_line_that_takes_its_time_is_refused(chip: Callable[[], Any]) -> None:
    ticks = iter(range(1000))
    with pytest.raises(RefusedError, match="of the processor itself"):
        open_gpio(GPIO, lambda: 1e-4 * next(ticks))
    assert chip().request.released == 1


def test_without_gpiod_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiod", None)
    with pytest.raises(RefusedError, match=r"handrail\[gpio\]"):
        open_gpio(GPIO)


def test_the_real_gpiod_knows_every_name_that_is_used() -> None:
    gpiod = pytest.importorskip("gpiod", reason="gpiod is an extra")
    names = [bias for bias in ("AS_IS", "PULL_UP", "PULL_DOWN", "DISABLED") if bias in gpiod.line.Bias.__members__]
    assert len(names) == 4
    with pytest.raises(RefusedError, match="cannot be had"):
        open_gpio(replace(GPIO, chip="/dev/no-such-chip"))


def test_kinds_are_opened_by_the_robot_file(chip: Callable[[], Any], line: SerialLineStopConfig) -> None:
    chip()
    source = SimpleNamespace(listen=None)
    with pytest.raises(RefusedError, match="cts"):
        open_emergency_stop(replace(robot_config(), emergency_stop=line), source)
    missing = SerialLineStopConfig("serial_line", "/dev/no-such-port", "ri", "low")
    with pytest.raises(RefusedError, match="No such file"):
        open_emergency_stop(replace(robot_config(), emergency_stop=missing), source)
    assert open_emergency_stop(replace(robot_config(), emergency_stop=GPIO), source).is_pressed(0.0) is False
