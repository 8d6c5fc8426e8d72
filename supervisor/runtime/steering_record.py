"""What a person asked while steering, and what the policy was told, for the record: where it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from supervisor.core.velocity import Steered

NOTE_S: Final = 0.1
"""Between two notes at least: a stick that is moved all the time fills no log."""

_EPSILON_S = 1e-6


class SteeringRecord:
    """Turns ticks into notes."""

    def __init__(self) -> None:
        self._last: tuple[object, ...] = ()
        self._last_s = float("-inf")

    def look(self, steered: Steered, now_s: float) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """A note where something has changed since the last: text for people, and the numbers.

        Args:
            steered: What became of the wish in this tick.
            now_s: Clock.
        """
        ask, told, reason = steered
        # A reason may hold an age, which changes in every tick.
        news = (None if ask is None else (*ask.velocity, ask.source), told, bool(reason))
        if news == self._last or now_s - self._last_s < NOTE_S - _EPSILON_S:
            return
        self._last, self._last_s = news, now_s
        wish = "nobody asks" if ask is None or not ask.source else f"{ask.source} asks {ask.velocity}"
        # What is not a number is none in JSON either.
        asked = list(ask.velocity) if ask is not None and ask.velocity.is_finite else None
        data = {"asked": asked, "source": "" if ask is None else ask.source, "told": list(told), "reason": reason}
        yield f"steering: {wish}; told {told}{f' ({reason})' if reason else ''}", data
