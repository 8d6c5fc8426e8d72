"""From what a person asks to what the policy is told: limited in speed and acceleration, zero whenever in doubt."""

from __future__ import annotations

from typing import Final

from supervisor.core.ports import PolicyPort
from supervisor.core.velocity import COMMANDS, NEUTRAL, Velocity, VelocityAsk
from trees.missions.schema import SteeringSpec

LONGEST_TICK_S: Final = 0.1
"""A tick that comes later than this changes the command no further: a stall is no leave to jump."""

NOBODY: Final = "nobody has ever asked"
UNCENTRED: Final = "not centred yet: let go of sticks and keys"


def steering_problems(policy: PolicyPort) -> list[str]:
    """Why a person cannot steer a policy."""
    names = policy.command_names
    missing = [name for name in COMMANDS if name not in names]
    if missing:
        return [f"steering needs the commands {', '.join(COMMANDS)}; the policy takes no {', '.join(missing)}"]
    low, high = policy.command_range
    return [
        f"steering: the policy cannot stand, its {name} is {low[i]:g} to {high[i]:g}; allowed: a range with 0"
        for i, name in enumerate(names)
        if not low[i] <= 0.0 <= high[i]
    ]


class Steering:
    """Follows a person's wish. Total: whatever is asked, at whatever time, the answer is a velocity within its range.

    A wish counts while the person is there, it is young enough, and it is three numbers. When one does not, the
    velocity is zero in the same tick, and the next wish counts only after a neutral one was seen: a stick that is
    pushed when a stage begins, or when a link comes back, moves nothing.

    Args:
        lowest, highest: What the policy may be told.
        spec: How fast that may change, and how old a wish may be.

    Attributes:
        velocity: What the policy is told.
        reason: Why the wish does not count, "" where it does.
    """

    def __init__(self, lowest: Velocity, highest: Velocity, spec: SteeringSpec) -> None:
        self._lowest, self._highest = lowest, highest
        self._acceleration = spec.acceleration
        self._maximum_age_s = spec.maximum_age_s
        self.reset()

    def reset(self) -> None:
        """Stand, and wait for a neutral wish."""
        self.velocity = NEUTRAL
        self.reason = UNCENTRED
        self._is_centred = False
        self._last_s = float("nan")

    def step(self, ask: VelocityAsk | None, now_s: float) -> Velocity:
        """Follow for one tick.

        Args:
            ask: The newest wish, None for none.
            now_s: Clock, the one of the wish's stamp.

        Returns:
            The new velocity.
        """
        elapsed_s = self._elapsed_s(now_s)
        self.reason = self._doubt(ask, now_s)
        if ask is None or self.reason:
            self._is_centred = False
            self.velocity = NEUTRAL
        elif not self._is_centred and not ask.velocity.is_neutral:
            self.reason = UNCENTRED
        else:
            self._is_centred = True
            self.velocity = self._approach(ask.velocity, elapsed_s)
        return self.velocity

    def stand(self, now_s: float) -> Velocity:
        """Come to a stand for one tick, whatever is asked."""
        self.velocity = self._approach(NEUTRAL, self._elapsed_s(now_s))
        return self.velocity

    def _doubt(self, ask: VelocityAsk | None, now_s: float) -> str:
        if ask is None:
            return NOBODY
        if ask.absence:
            return ask.absence
        age_s = now_s - ask.stamp_s
        # Not the other way round: an age that is not a number is no age, and a wish of the future is none.
        if not -self._maximum_age_s <= age_s <= self._maximum_age_s:
            return f"asked {age_s:.2f} s ago, allowed: {self._maximum_age_s:g} s"
        return "" if ask.velocity.is_finite else "asked for something that is not a number"

    def _elapsed_s(self, now_s: float) -> float:
        elapsed_s = now_s - self._last_s
        self._last_s = now_s
        return min(elapsed_s, LONGEST_TICK_S) if elapsed_s >= 0.0 else 0.0

    def _approach(self, wish: Velocity, elapsed_s: float) -> Velocity:
        return Velocity(
            *(
                _within(
                    now + _within(_within(wanted, lowest, highest) - now, -most * elapsed_s, most * elapsed_s),
                    lowest,
                    highest,
                )
                for wanted, now, lowest, highest, most in zip(
                    wish, self.velocity, self._lowest, self._highest, self._acceleration, strict=True
                )
            )
        )


def _within(value: float, lowest: float, highest: float) -> float:
    return min(max(value, lowest), highest)
