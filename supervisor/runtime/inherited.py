"""A stop that the run before has left: the mission waits until the operator has reset it."""

from __future__ import annotations

from typing import Final

from supervisor.core.exchange import Snapshot, Stop
from supervisor.core.levels import OperatorAction
from supervisor.core.ports import Operator, Prompt

AGAIN_S: Final = 1.0
"""A reset that was refused is asked for again after this long: its reasons have been shown meanwhile."""


class InheritedStop:
    """Asks for the reset, and says how long the mission has to wait.

    Args:
        operator: The person in charge, or in simulation a stand-in.
    """

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._number = 0
        self._asked_s = float("-inf")

    def holds(self, snapshot: Snapshot, now_s: float) -> bool:
        """Whether the mission has to wait.

        Args:
            snapshot: The newest.
            now_s: Clock.
        """
        stop = snapshot.stop
        if stop is None or not stop.awaits_reset:
            return False
        is_answered = self._number == 0 or self._operator.answered(self._key)
        if snapshot.is_at_rest and is_answered and now_s - self._asked_s >= AGAIN_S:
            self._number += 1
            self._asked_s = now_s
            self._operator.ask(Prompt(self._key, _text(stop), OperatorAction.RESET))
        return True

    @property
    def _key(self) -> str:
        return f"inherited/{self._number}"


def _text(stop: Stop) -> str:
    causes = ", ".join((stop.guard, *stop.further))
    stage = f" in stage {stop.stage}" if stop.stage else ""
    return f"the robot was stopped by {causes}{stage} before this run: see to the cause, then reset"
