"""What a person asks of a walking robot: a velocity of its base."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

COMMANDS: Final = ("vx_m_per_s", "vy_m_per_s", "wz_rad_per_s")
"""The commands of a policy that a person can steer, in the order of an ask: forward, to the left, turning left."""

UNITS: Final = ("m/s", "m/s", "rad/s")


class Velocity(NamedTuple):
    """A velocity of the base, in the axes of the base.

    Attributes:
        forward_m_per_s: Along its x axis.
        left_m_per_s: Along its y axis.
        yaw_rad_per_s: About its z axis; above 0 it turns left.
    """

    forward_m_per_s: float = 0.0
    left_m_per_s: float = 0.0
    yaw_rad_per_s: float = 0.0

    @property
    def is_neutral(self) -> bool:
        """Whether nothing is asked: exactly zero, as a centred stick gives it."""
        return not any(self)

    @property
    def is_finite(self) -> bool:
        """Whether it is three numbers."""
        return all(map(math.isfinite, self))

    def __str__(self) -> str:
        """For people: "forward 0.30 m/s, left 0.00 m/s, yaw 0.00 rad/s"."""
        named = zip(("forward", "left", "yaw"), self, UNITS, strict=True)
        return ", ".join(f"{name} {value:.2f} {unit}" for name, value, unit in named)


NEUTRAL: Final = Velocity()


class VelocityAsk(NamedTuple):
    """What a person asks, as somebody saw it at a time.

    Attributes:
        velocity: The wish; nobody has limited it yet.
        stamp_s: When the person was last seen to wish it; monotonic clock.
        source: Where: "gamepad", "terminal", "command"; "" where nothing is asked.
        absence: Why the person does not count as there, "" while there: the deadman, a closed terminal.
    """

    velocity: Velocity
    stamp_s: float
    source: str = ""
    absence: str = ""


class Steered(NamedTuple):
    """What became of a wish in one tick of a stage in which a person steers.

    Attributes:
        ask: The wish, None where there was none.
        told: What the policy is told.
        reason: Why the wish does not count, "" where it does.
    """

    ask: VelocityAsk | None
    told: Velocity
    reason: str
