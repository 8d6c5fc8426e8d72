"""A gamepad through `evdev`: buttons as edges, the deadman as what is held, and where the sticks stand."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from supervisor.core.errors import RefusedError
from supervisor.core.levels import OperatorAction
from supervisor.core.robot_inputs import GamepadConfig
from supervisor.runtime.inputs.sticks import Sticks

LOOK_AGAIN_S: Final = 1.0
"""How often an unplugged gamepad is looked for."""

DEADMAN: Final = "deadman"

_SYN, _KEY, _ABS = 0, 1, 3
_REPORT, _DROPPED = 0, 3
_DOWN: Final = 1
_READS: Final = 8
"""Of 64 events each, in one poll: more than a gamepad sends in a second."""


class Device(Protocol):
    """An event device, as `evdev.InputDevice` is one."""

    def read(self) -> Iterable[Any]:
        """Events so far; BlockingIOError where there are none, OSError where the device is gone."""
        ...

    def active_keys(self) -> list[int]:
        """Codes of the buttons that are down."""
        ...

    def absinfo(self, axis_num: int) -> Any:
        """Where an axis stands, and between what: `value`, `min`, `max`."""
        ...

    def capabilities(self, *, absinfo: bool = True) -> Mapping[int, Any]:
        """Codes by type of event; those of axes with their `absinfo`, unless told otherwise."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Gamepad:
    """One gamepad. What is down when it is opened is no press and no deadman; a stick has to be centred once.

    Args:
        config: Which gamepad, and what its buttons are for.
        open_device: Opens an event device by its path.
        codes: The kernel's codes by name.

    Attributes:
        is_deadman_held: Whether the deadman's button was pressed, and is down.

    Raises:
        RefusedError: It is not there, or has not the buttons or the axes.
    """

    def __init__(self, config: GamepadConfig, open_device: Callable[[str], Device], codes: Mapping[str, int]) -> None:
        axes = [stick.axis for stick in config.sticks.values()]
        unknown = [name for name in (*config.buttons.values(), *axes) if name not in codes]
        if unknown:
            raise RefusedError(
                [f"operator.gamepad: no button or axis is called {', '.join(unknown)}; see them with evtest"]
            )
        self._config = config
        self._open_device = open_device
        self._uses = {codes[name]: use for use, name in config.buttons.items()}
        self._needed = {_KEY: {codes[name]: name for name in config.buttons.values()}}
        self._needed[_ABS] = {codes[name]: name for name in axes}
        self._sticks = Sticks(config.sticks, codes)
        self._device: Device | None = None
        self._down: set[int] = set()
        self._is_behind = False
        self._look_again_s = float("-inf")
        self.is_deadman_held = False
        try:
            missing = self._open()
        except OSError as error:
            reason = (
                f"operator.gamepad: {config.device} cannot be opened: {error.strerror}; plug it in, check the name "
                "under /dev/input/by-id, and that you may (group input)"
            )
            raise RefusedError([reason]) from None
        if missing:
            self.close()
            reason = f"operator.gamepad: {config.device} has no {', '.join(missing)}; see what it has with evtest"
            raise RefusedError([reason])

    @property
    def is_there(self) -> bool:
        """Whether it is plugged in."""
        return self._device is not None

    def poll(self, now_s: float) -> list[OperatorAction]:
        """The presses since the last call. Never waits for the gamepad, never raises."""
        pressed: list[OperatorAction] = []
        if self._device is None and now_s >= self._look_again_s:
            self._look_again_s = now_s + LOOK_AGAIN_S
            try:
                if self._open():
                    self._lose()
            except OSError:
                self._lose()
        if self._device is None:
            return pressed
        try:
            for _ in range(_READS):
                for event in self._device.read():
                    self._take(event, pressed)
        except BlockingIOError:
            # Everything is read.
            return pressed
        except OSError:
            self._lose()
        return pressed

    @property
    def steered(self) -> tuple[float, float, float]:
        """Forward, left and turning left, each a fraction from -1 to 1 of what the policy may be told."""
        return self._sticks.fractions

    def _open(self) -> list[str]:
        """Begin anew with whatever is plugged in.

        Returns:
            What of the buttons and axes it has not; then nothing is read of it.

        Raises:
            OSError: It is not there.
        """
        self._device = device = self._open_device(self._config.device)
        self._down = set(device.active_keys())
        self._is_behind = False
        self.is_deadman_held = False
        own = device.capabilities(absinfo=False)
        missing = [
            name
            for kind, needed in self._needed.items()
            for code, name in needed.items()
            if code not in own.get(kind, ())
        ]
        if not missing:
            self._sticks.look(device.absinfo)
        return missing

    def _take(self, event: Any, pressed: list[OperatorAction]) -> None:
        """One event of the kernel."""
        if event.type == _SYN:
            if event.code == _DROPPED:
                self._is_behind = True
            elif event.code == _REPORT and self._is_behind:
                self._catch_up(pressed)
        elif event.type == _KEY and not self._is_behind:
            self._change(event.code, event.value >= _DOWN, pressed)
        elif event.type == _ABS and not self._is_behind:
            self._sticks.move(event.code, event.value)

    def _catch_up(self, pressed: list[OperatorAction]) -> None:
        """The kernel's queue ran over: what is down now tells which edges were lost."""
        self._is_behind = False
        if self._device is not None:
            self._sticks.catch_up(self._device.absinfo)
        now_down = set() if self._device is None else set(self._device.active_keys())
        for code in self._down ^ now_down:
            self._change(code, code in now_down, pressed)

    def _change(self, code: int, is_down: bool, pressed: list[OperatorAction]) -> None:
        was_down = code in self._down
        if is_down == was_down:
            return
        (self._down.add if is_down else self._down.discard)(code)
        use = self._uses.get(code)
        if use == DEADMAN:
            self.is_deadman_held = is_down
        elif use is not None and is_down:
            pressed.append(OperatorAction(use))

    def _lose(self) -> None:
        """It was unplugged, or is out of reach."""
        device, self._device = self._device, None
        self.is_deadman_held = False
        self._sticks.lose()
        if device is not None:
            try:
                device.close()
            except OSError:
                self._down.clear()

    def close(self) -> None:
        """Let go of it. Idempotent."""
        self._lose()
        self._look_again_s = float("inf")


def open_gamepad(config: GamepadConfig) -> Gamepad:
    """Open a gamepad.

    Raises:
        RefusedError: evdev is not installed, or the gamepad is not there or has not the buttons or the axes.
    """
    try:
        # An extra; only needed where a robot has a gamepad.
        evdev: Any = importlib.import_module("evdev")
    except ImportError:
        raise RefusedError(
            ["operator.gamepad needs the Python package evdev: pip install 'handrail[gamepad]'"]
        ) from None
    return Gamepad(config, evdev.InputDevice, evdev.ecodes.ecodes)
