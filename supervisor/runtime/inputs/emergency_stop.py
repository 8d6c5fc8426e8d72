"""The emergency-stop input, read by the control loop in every cycle. Whatever cannot be read is a pressed button.

Reading neither waits nor raises. An input that has failed once is not opened again: whoever has pulled a cable starts
anew, with the cable in its place.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import termios
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from drivers.bus import Frame, FrameTaker
from supervisor.core.errors import RefusedError
from supervisor.core.robot import RobotConfig
from supervisor.core.robot_inputs import CanFrameStopConfig, GpioStopConfig, SerialLineStopConfig
from supervisor.runtime.inputs.modem_lines import BITS, read_modem_lines
from supervisor.runtime.inputs.watched_line import WatchedLine

SLOWEST_READ_S: Final = 50e-6
"""A fortieth of the cycle at 500 Hz. What asks over USB or I2C for each reading takes ten times that and more."""

_TRIAL_READS: Final = 21


class EmergencyStop(Protocol):
    """A stop button, as the control loop sees it."""

    def is_pressed(self, now_s: float) -> bool:
        """Whether it is pressed, or cannot be read. Never waits, never raises."""
        ...

    def close(self) -> None:
        """Let go of it. Idempotent."""
        ...


class FrameSource(Protocol):
    """Who receives the frames of the robot's CAN buses."""

    def listen(self, bus: str, taker: FrameTaker) -> None:
        """From now on, hand over what is left of each cycle's frames."""
        ...


class NoStop:
    """No stop input is configured."""

    def is_pressed(self, now_s: float) -> bool:  # noqa: ARG002 (there is nothing whose age could matter)
        """Never."""
        return False

    def close(self) -> None:
        """Nothing to let go of."""


class LevelStop:
    """A button on a line that is high or low.

    Args:
        read: Whether the line is high; may raise whatever it wants.
        pressed_is_high: How the line is while the button is pressed.
        close: Lets go of the line.
    """

    __slots__ = ("_close", "_has_failed", "_pressed_is_high", "_read")

    def __init__(self, read: Callable[[], bool], pressed_is_high: bool, close: Callable[[], None]) -> None:
        self._read = read
        self._pressed_is_high = pressed_is_high
        self._close = close
        self._has_failed = False

    def is_pressed(self, now_s: float) -> bool:  # noqa: ARG002 (a level is as old as its reading)
        """Whether it is pressed, or could not be read since it was opened."""
        if self._has_failed:
            return True
        try:
            return self._read() is self._pressed_is_high
        except Exception:  # noqa: BLE001 (the stop button: nothing may keep an unreadable one from being obeyed)
            self._has_failed = True
            return True

    def close(self) -> None:
        """Let go of the line. Idempotent."""
        self._has_failed = True
        self._close()


class CanFrameStop:
    """A button whose state comes over CAN again and again. A taker of frames.

    Until the first frame, the time of the first question counts as that of a frame: a robot that has just been found
    is not stopped because its button has had no time to speak. No robot is armed within that time.

    Args:
        config: Which frames, and what they say.
    """

    __slots__ = ("_config", "_released", "_stamp_s", "_was_pressed")

    def __init__(self, config: CanFrameStopConfig) -> None:
        self._config = config
        self._released = tuple(zip(config.mask, config.released, strict=True))
        self._stamp_s: float | None = None
        self._was_pressed = False

    def take(self, bus: str, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Take the button's frames; a press between two questions is kept for the next one."""
        config = self._config
        if bus != config.bus:
            return frames
        rest: list[Frame] = []
        for frame in frames:
            if frame.arbitration_id != config.id or frame.is_extended is not config.is_extended:
                rest.append(frame)
                continue
            self._stamp_s = frame.stamp_s
            if not self._says_released(frame.data):
                self._was_pressed = True
        return rest

    def _says_released(self, data: bytes) -> bool:
        released = self._released
        return len(data) >= len(released) and all(
            byte & mask == value for byte, (mask, value) in zip(data, released, strict=False)
        )

    def is_pressed(self, now_s: float) -> bool:
        """Whether a frame since the last question said so, or none came for too long."""
        if self._stamp_s is None:
            self._stamp_s = now_s
        was_pressed, self._was_pressed = self._was_pressed, False
        # Not the other way round: an age that is not a number is no age.
        return was_pressed or not now_s - self._stamp_s <= self._config.max_age_s

    def close(self) -> None:
        """Nothing to let go of: the bus is the robot's."""


def open_emergency_stop(robot: RobotConfig, source: FrameSource) -> EmergencyStop:
    """Open the stop input that a robot file names.

    Args:
        robot: The robot. In simulation, one whose `emergency_stop` is None.
        source: Where frames of its CAN buses come from: its `RobotIO`.

    Raises:
        RefusedError: It cannot be opened or read, or reading it would keep the control loop waiting.
    """
    config = robot.emergency_stop
    if config is None:
        return NoStop()
    if isinstance(config, CanFrameStopConfig):
        stop = CanFrameStop(config)
        source.listen(config.bus, stop)
        return stop
    return open_serial_line(config) if isinstance(config, SerialLineStopConfig) else open_gpio(config)


def open_serial_line(
    config: SerialLineStopConfig,
    read_lines: Callable[[int], int] = read_modem_lines,
    timer_s: Callable[[], float] = time.perf_counter,
    watched_line: Callable[[int, int, bool], EmergencyStop] = WatchedLine,
) -> EmergencyStop:
    """Open a button on a modem-status line.

    Args:
        config: Which.
        read_lines: Reads the lines of a descriptor.
        timer_s: To see how long a reading takes.
        watched_line: Makes a process that reads a line where this takes too long.

    Raises:
        RefusedError: The port cannot be opened, or has no such lines.
    """
    name = f"emergency_stop: {config.port}"
    try:
        descriptor = os.open(config.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(
            [f"{name} cannot be opened: {error.strerror}; check the cable, the name, and that you may (group dialout)"]
        ) from None
    bit, pressed_is_high, close = BITS[config.line], config.pressed_is == "high", _closing(descriptor)

    def read() -> bool:
        return bool(read_lines(descriptor) & bit)

    try:
        fcntl.ioctl(descriptor, termios.TIOCEXCL)
        read()
        median_s = _reading_s(read, timer_s)
    except OSError as error:
        close()
        raise RefusedError(
            [f"{name} does not tell its {config.line} line: {error.strerror}; take a port with modem-status lines"]
        ) from None
    if median_s <= SLOWEST_READ_S:
        return LevelStop(read, pressed_is_high, close)
    try:
        # It has a descriptor of its own.
        return watched_line(descriptor, bit, pressed_is_high)
    finally:
        close()


def open_gpio(config: GpioStopConfig, timer_s: Callable[[], float] = time.perf_counter) -> LevelStop:
    """Open a button on a gpio line.

    Raises:
        RefusedError: gpiod is not installed, or the line cannot be had, or takes too long to read.
    """
    name = f"emergency_stop: line {config.line} of {config.chip}"
    try:
        # An extra; only needed where a robot has such a button.
        gpiod: Any = importlib.import_module("gpiod")
    except ImportError:
        raise RefusedError([f"{name} needs the Python package gpiod: pip install 'handrail[gpio]'"]) from None
    settings = gpiod.LineSettings(direction=gpiod.line.Direction.INPUT, bias=gpiod.line.Bias[config.bias.upper()])
    try:
        request = gpiod.request_lines(config.chip, {config.line: settings}, consumer="handrail emergency stop")
        request.get_value(config.line)
    except (OSError, ValueError) as error:
        raise RefusedError(
            [f"{name} cannot be had: {error}; check the names with gpioinfo, and that you may (group gpio)"]
        ) from None
    get, line, high = request.get_value, config.line, gpiod.line.Value.ACTIVE

    def read() -> bool:
        return get(line) is high

    median_s = _reading_s(read, timer_s)
    if median_s > SLOWEST_READ_S:
        request.release()
        text = (
            f"{name} takes {median_s * 1e6:.0f} µs to read, allowed: {SLOWEST_READ_S * 1e6:.0f} µs in every control "
            "cycle; take a line of the processor itself instead of one of an expander"
        )
        raise RefusedError([text])
    return LevelStop(read, config.pressed_is == "high", request.release)


def _reading_s(read: Callable[[], bool], timer_s: Callable[[], float]) -> float:
    """How long a reading takes, as a rule."""
    durations: list[float] = []
    for _ in range(_TRIAL_READS):
        started_s = timer_s()
        read()
        durations.append(timer_s() - started_s)
    return sorted(durations)[_TRIAL_READS // 2]


def _closing(descriptor: int) -> Callable[[], None]:
    """Closes a descriptor once: its number may be somebody else's afterwards."""
    open_descriptors = [descriptor]

    def close() -> None:
        while open_descriptors:
            os.close(open_descriptors.pop())

    return close
