"""How far a stop goes, what a guard can say, and the states of arming."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Any


class Level(IntEnum):
    """Severity of the reaction; a larger one always wins. Stop categories are those of IEC 60204-1."""

    NONE = 0
    """Run."""
    WARN = 1
    """Record and show."""
    LIMIT = 2
    """Scale or clamp the command."""
    HOLD = 3
    """Hold the measured pose, power kept; the mission pauses. Stop category 2."""
    SETTLE = 4
    """Move to the rest pose at bounded speed, then cut. Stop category 1."""
    DAMP = 5
    """No stiffness, damping for a bounded time, then cut. Stop category 1."""
    CUT = 6
    """Motors disabled at once. Stop category 0."""
    TERMINAL = 7
    """As CUT, and no return in this process. Stop category 0."""

    @classmethod
    def by_name(cls, name: object) -> Level:
        """The level that files call `name`.

        Raises:
            ValueError: No such level.
        """
        if isinstance(name, str) and name in cls.__members__:
            return cls[name]
        raise ValueError(f"one of {', '.join(cls.__members__)}")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        """Files write levels by name. Imported late: no loop needs pydantic."""
        from pydantic_core import core_schema  # noqa: PLC0415

        return core_schema.no_info_plain_validator_function(cls.by_name)

    @property
    def latches(self) -> bool:
        """Whether the level stays until an operator resets it."""
        return self >= Level.HOLD


class GuardValue(IntEnum):
    """The result of one guard in one cycle. Only OK passes; the order is that of the snapshot."""

    OK = 0
    VIOLATED = 1
    STALE = 2
    ERROR = 3
    NOT_EVALUATED = 4


class ArmingState(Enum):
    """Where the robot stands between powered down and moving."""

    DISARMED = "disarmed"
    """Motors off. Sensors are read, guards are evaluated, nothing is energised."""
    CHECKING = "checking"
    """An arming request is being checked; motors may be energised without stiffness for the drill."""
    ARMED = "armed"
    """Motors on, holding the measured pose; proposals are not followed yet."""
    RUNNING = "running"
    """Proposals are followed, within the limits of the gate."""
    STOPPED = "stopped"
    """A stop has latched; its command is sent every cycle until an operator resets it."""


class OperatorAction(Enum):
    """What a person can do. Each is an edge: one press, one action."""

    ARM = "arm"
    START = "start"
    CONFIRM = "confirm"
    HOLD = "hold"
    RESUME = "resume"
    STOP = "stop"
    CUT = "cut"
    RESET = "reset"


class Support(Enum):
    """What carries the robot's weight."""

    GANTRY = "gantry"
    """The trunk hangs, no foot touches the floor."""
    LOWERED = "lowered"
    """The feet carry most of the weight, the gantry stays attached and slack enough to let the robot move."""
    GROUND = "ground"
    """Nothing but the feet."""
