"""How people reach a robot, as its file describes it: the operator's inputs, and the emergency-stop input.

```yaml
operator:
  deadman: gamepad                # or terminal, or none
  gamepad:
    device: /dev/input/by-id/usb-Microsoft_Controller_0000-event-joystick
    buttons: {deadman: BTN_TL, stop: BTN_EAST, confirm: BTN_SOUTH, hold: BTN_NORTH}
    sticks:                       # where a person steers
      forward: {axis: ABS_Y, inverted: true, dead_zone: 0.1}
      left: {axis: ABS_X, inverted: true, dead_zone: 0.1}
      yaw: {axis: ABS_RX, inverted: true, dead_zone: 0.1}
emergency_stop: {kind: serial_line, port: /dev/ttyS0, line: cts, pressed_is: low}
#               {kind: can_frame, bus: can0, id: 0x701, mask: [0x01], released: [0x00], max_age_s: 0.1}
#               {kind: gpio, chip: /dev/gpiochip0, line: 17, pressed_is: high, bias: pull_up}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

_STRICT: dict[str, object] = {"extra": "forbid", "allow_inf_nan": False}

ButtonUse = Literal["deadman", "stop", "cut", "hold", "resume", "confirm", "reset", "arm", "start"]
"""What a button of a gamepad may be for: the deadman, or the value of an `OperatorAction`."""


StickUse = Literal["forward", "left", "yaw"]
"""What an axis of a gamepad steers; above 0 is forward, to the left, turning left."""


@dataclass(frozen=True, slots=True)
class StickConfig:
    """One axis of a gamepad's sticks.

    Attributes:
        axis: The kernel's name of it (`ABS_Y`).
        inverted: Whether it counts the other way; sticks count up to the right and towards the person.
        dead_zone: Share of its way from the centre, 0 to 1, in which it counts as centred; what is beyond begins at 0.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    axis: str
    inverted: bool
    dead_zone: float


@dataclass(frozen=True, slots=True)
class GamepadConfig:
    """A gamepad, as Linux lists it.

    Attributes:
        device: Event device; a path under `/dev/input/by-id` stays the same over restarts.
        buttons: The kernel's name of the button for each use (`BTN_EAST`); one for `stop` is required.
        sticks: What steers, where a mission lets a person steer; none steers nothing.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    device: str
    buttons: Mapping[ButtonUse, str]
    sticks: Mapping[StickUse, StickConfig] = field(default_factory=dict[StickUse, StickConfig])


@dataclass(frozen=True, slots=True)
class OperatorConfig:
    """How the operator is reached besides the local socket, which is always there.

    Attributes:
        deadman: What has to be held while the robot runs; the level of letting go is that of the guard
            `operator_link`.
        gamepad: The gamepad, None without one.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    deadman: Literal["none", "terminal", "gamepad"] = "none"
    gamepad: GamepadConfig | None = None


@dataclass(frozen=True, slots=True)
class SerialLineStopConfig:
    """A stop button on a modem-status line of a serial port that nothing else uses.

    Attributes:
        kind: What kind of input this is.
        port: The port. Opening it drives its RTS and DTR high, which may feed the button.
        line: The line.
        pressed_is: How the line is while the button is pressed; with `low`, a cut cable is a pressed button.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    kind: Literal["serial_line"]
    port: str
    line: Literal["cts", "dsr", "dcd", "ri"]
    pressed_is: Literal["low", "high"]


@dataclass(frozen=True, slots=True)
class CanFrameStopConfig:
    """A stop button whose state a device of the robot sends over CAN again and again.

    Attributes:
        kind: What kind of input this is.
        bus: Name of a CAN bus of this robot.
        id: The frame's identifier.
        mask: Which bits of its first bytes count.
        released: How they are while the button is not pressed; anything else is a pressed button.
        max_age_s: Without a frame for longer than this, the button counts as pressed.
        is_extended: Whether the identifier has 29 bits.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    kind: Literal["can_frame"]
    bus: str
    id: int
    mask: tuple[int, ...]
    released: tuple[int, ...]
    max_age_s: float
    is_extended: bool = False


@dataclass(frozen=True, slots=True)
class GpioStopConfig:
    """A stop button on a line of a gpio chip.

    Attributes:
        kind: What kind of input this is.
        chip: Device of the chip.
        line: The line's number on the chip, or its name.
        pressed_is: How the line is while the button is pressed.
        bias: What the chip itself pulls the line to.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = _STRICT

    kind: Literal["gpio"]
    chip: str
    line: int | str
    pressed_is: Literal["low", "high"]
    bias: Literal["as_is", "pull_up", "pull_down", "disabled"] = "as_is"


EmergencyStopConfig = SerialLineStopConfig | CanFrameStopConfig | GpioStopConfig
