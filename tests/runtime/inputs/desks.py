"""A desk and a control loop that do as told, for the tests of the inputs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.core.ports import Prompt


class FakeDesk:
    """Keeps what is pressed."""

    def __init__(self) -> None:
        self.prompt: Prompt | None = None
        self.pressed: list[OperatorAction] = []

    def press(self, action: OperatorAction, now_s: float) -> Prompt | None:
        self.pressed.append(action)
        prompt = self.prompt
        if prompt is None or prompt.action is not action:
            return None
        self.prompt = None
        return prompt


def snapshot(
    now_s: float,
    arming: ArmingState = ArmingState.DISARMED,
    *refusals: str,
    level: Level = Level.NONE,
    guard: str = "",
) -> Any:
    """What of a snapshot the presses look at."""
    stop = SimpleNamespace(guard=guard) if guard else None
    return SimpleNamespace(state=SimpleNamespace(now_s=now_s), arming=arming, refusals=refusals, level=level, stop=stop)
