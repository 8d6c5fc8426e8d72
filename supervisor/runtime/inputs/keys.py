"""From the bytes of a terminal to presses: a key that is held down is one press, and pasted text is none.

Keys that steer are levels instead: they steer while they are held down, as far as a terminal can tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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

KEY_FRACTION: Final = 0.5
"""Of what the policy may be told: a key is either down or not."""

STEERING_KEYS: Final[Mapping[str, tuple[int, int]]] = {
    "\x1b[A": (0, 1),
    "\x1b[B": (0, -1),
    ",": (1, 1),
    ".": (1, -1),
    "\x1b[D": (2, 1),
    "\x1b[C": (2, -1),
}
"""Which axis of a velocity, and which way: arrows up and down, comma and full stop, arrows left and right."""

STEERING_LEGEND: Final = "arrows   hold to walk and to turn     , .  hold to walk sideways, left and right"

LEGEND: Final = (
    "space q  stop: lie down at bounded speed, then motors off     h  hold the pose       r  resume",
    "enter c  confirm the open question     a  arm     s  start    R  reset after a stop",
    "x        cut: motors off at once, the robot falls             Ctrl-C  stop and end; again: cut",
)

DEADMAN_LEGEND: Final = "d        hold it down while the robot runs: the deadman"

_SEQUENCE: Final = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|O[A-Za-z])?")
"""What arrow and function keys send, which ends in letters; and Escape."""

_KEY: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[A-Za-z])?|.", re.DOTALL)
"""One key: such a sequence, or a letter."""

_EVEN_PASTED: Final = frozenset({OperatorAction.STOP, OperatorAction.HOLD})
_EVEN_HELD: Final = frozenset({OperatorAction.STOP, OperatorAction.HOLD, OperatorAction.CUT})
"""Obeyed even where the press may be one that began before anybody listened."""


class KeyDecoder:
    """Presses out of bytes, and which keys steer."""

    def __init__(self) -> None:
        self._held = ""
        self._seen_s = float("-inf")
        self._quiet_until_s = float("-inf")
        self._steered: dict[int, tuple[int, float]] = {}
        self._steering_key = ""
        self._steering_seen_s = float("-inf")
        self._does_steer = False

    def begin(self, now_s: float) -> None:
        """From now on keys are read: what is held down already is no press, and steers nothing."""
        self._steered.clear()
        self._quiet_until_s = now_s + RELEASED_S

    def take(self, raw: bytes, now_s: float) -> list[OperatorAction]:
        """The presses in what a terminal sent; what steers is kept for `steered`.

        Args:
            raw: Everything that has arrived since the last call, moments ago.
            now_s: Clock.
        """
        self._steer(raw, now_s)
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

    def steered(self, now_s: float) -> tuple[float, float, float]:
        """Forward, left and turning left, each a fraction from -1 to 1 of what the policy may be told."""
        held = {axis: way for axis, (way, seen_s) in self._steered.items() if now_s - seen_s < RELEASED_S}
        forward, left, yaw = (KEY_FRACTION * held.get(axis, 0) for axis in range(3))
        return forward, left, yaw

    def _steer(self, raw: bytes, now_s: float) -> None:
        """Keep a key that steers held, in place of an opposite one; every other key ends all steering."""
        # A terminal in its mode for applications sends O where others send a bracket.
        keys = {key.decode("ascii", errors="replace").replace("\x1bO", "\x1b[") for key in _KEY.findall(raw)}
        # Nobody presses two keys within one reading: that is pasted.
        key = keys.pop() if len(keys) == 1 else ""
        place = STEERING_KEYS.get(key)
        if place is None:
            self._steered.clear()
            self._steering_key = ""
            return
        is_repeated = key == self._steering_key and now_s - self._steering_seen_s < RELEASED_S
        self._steering_key, self._steering_seen_s = key, now_s
        # One that was down before anybody listened has to be let go first.
        self._does_steer = self._does_steer if is_repeated else now_s >= self._quiet_until_s
        if self._does_steer:
            axis, way = place
            self._steered[axis] = (way, now_s)
