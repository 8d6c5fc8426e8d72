"""The sticks of a gamepad: from the kernel's counts to what a person steers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from supervisor.core.robot_inputs import StickConfig, StickUse

USES: Final[tuple[StickUse, ...]] = ("forward", "left", "yaw")


class Stick:
    """One axis. It counts only once it was seen centred since it was opened.

    Args:
        config: Which axis, and how it counts.
    """

    __slots__ = ("_centre", "_config", "_half", "_is_centred", "fraction")

    def __init__(self, config: StickConfig) -> None:
        self._config = config
        self.lose()

    def lose(self) -> None:
        """Nobody knows where it is."""
        self._centre = self._half = self.fraction = 0.0
        self._is_centred = False

    def open(self, lowest: int, highest: int, value: int) -> None:
        """Begin anew.

        Args:
            lowest: The kernel's smallest count; likewise `highest`.
            highest: One without a way between them never counts.
            value: Where it stands now.
        """
        self.lose()
        self._centre, self._half = 0.5 * (lowest + highest), 0.5 * (highest - lowest)
        self.move(value)

    def move(self, value: int) -> None:
        """It stands there now."""
        if self._half <= 0.0:
            return
        share = max(-1.0, min(1.0, (value - self._centre) / self._half))
        dead_zone = self._config.dead_zone
        beyond = abs(share) - dead_zone
        if beyond <= 0.0:
            self._is_centred = True
            self.fraction = 0.0
        elif self._is_centred:
            way = 1.0 if (share > 0.0) is not self._config.inverted else -1.0
            self.fraction = way * beyond / (1.0 - dead_zone)


class Sticks:
    """All that a gamepad steers.

    Args:
        config: By what they steer.
        codes: The kernel's codes by name; every axis is among them.
    """

    def __init__(self, config: Mapping[StickUse, StickConfig], codes: Mapping[str, int]) -> None:
        self._by_use = {use: Stick(stick) for use, stick in config.items()}
        self._by_code = {codes[stick.axis]: self._by_use[use] for use, stick in config.items()}

    def look(self, absinfo: Callable[[int], Any]) -> None:
        """Begin anew where they stand now.

        Raises:
            OSError: The gamepad is gone.
        """
        for code, stick in self._by_code.items():
            found = absinfo(code)
            stick.open(found.min, found.max, found.value)

    def catch_up(self, absinfo: Callable[[int], Any]) -> None:
        """Some moves were lost: take where they stand now.

        Raises:
            OSError: The gamepad is gone.
        """
        for code, stick in self._by_code.items():
            stick.move(absinfo(code).value)

    def move(self, code: int, value: int) -> None:
        """One of them was moved."""
        stick = self._by_code.get(code)
        if stick is not None:
            stick.move(value)

    def lose(self) -> None:
        """The gamepad is gone."""
        for stick in self._by_use.values():
            stick.lose()

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Forward, left and turning left, each from -1 to 1."""
        forward, left, yaw = (self._by_use[use].fraction if use in self._by_use else 0.0 for use in USES)
        return forward, left, yaw
