"""From the bytes of a terminal to presses: a key that is held down is one press, and pasted text is none."""

from __future__ import annotations

import re
from typing import Final

from supervisor.core.levels import OperatorAction

RELEASED_S: Final = 1.0
"""A key that was not repeated for so long has been let go. Terminals say nothing of it, and begin to repeat a key only
after up to 0.7 s."""

KEYS: Final = {
    " ": OperatorAction.STOP,
    "q": OperatorAction.STOP,
    "h": OperatorAction.HOLD,
    "r": OperatorAction.RESUME,
    "c": OperatorAction.CONFIRM,
    "\r": OperatorAction.CONFIRM,
    "\n": OperatorAction.CONFIRM,
    "a": OperatorAction.ARM,
    "s": OperatorAction.START,
    "R": OperatorAction.RESET,
    "x": OperatorAction.CUT,
}

LEGEND: Final = (
    "space q  stop: lie down at bounded speed, then motors off     h  hold the pose       r  resume",
    "enter c  confirm the open question     a  arm     s  start    R  reset after a stop",
    "x        cut: motors off at once, the robot falls             Ctrl-C  stop and end; again: cut",
)

DEADMAN_LEGEND: Final = "d        hold it down while the robot runs: the deadman"

_SEQUENCE: Final = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|O[A-Za-z])?")
"""What arrow and function keys send, which ends in letters; and Escape."""

_EVEN_PASTED: Final = frozenset({OperatorAction.STOP, OperatorAction.HOLD})
_EVEN_HELD: Final = frozenset({OperatorAction.STOP, OperatorAction.HOLD, OperatorAction.CUT})
"""Obeyed even where the press may be one that began before anybody listened."""


class KeyDecoder:
    """Presses out of bytes."""

    def __init__(self) -> None:
        self._held = ""
        self._seen_s = float("-inf")
        self._quiet_until_s = float("-inf")

    def begin(self, now_s: float) -> None:
        """From now on keys are read: what is held down already is no press."""
        self._quiet_until_s = now_s + RELEASED_S

    def take(self, raw: bytes, now_s: float) -> list[OperatorAction]:
        """The presses in what a terminal sent.

        Args:
            raw: Everything that has arrived since the last call, moments ago.
            now_s: Clock.
        """
        text = _SEQUENCE.sub(b"", raw).decode("ascii", errors="replace")
        pressed: list[OperatorAction] = []
        # Nobody presses two different keys within one reading: that is pasted text, which can only stop.
        is_pasted = len(set(text)) > 1
        for key in dict.fromkeys(text):
            is_repeated = key == self._held and now_s - self._seen_s < RELEASED_S
            self._held, self._seen_s = key, now_s
            action = KEYS.get(key)
            is_doubtful = (is_pasted and action not in _EVEN_PASTED) or (
                now_s < self._quiet_until_s and action not in _EVEN_HELD
            )
            if action is not None and not is_repeated and not is_doubtful:
                pressed.append(action)
        return pressed
