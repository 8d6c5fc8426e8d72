"""The stand-in for the person in charge. Simulation only: on hardware it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from supervisor.core.levels import OperatorAction, Support
from supervisor.core.ports import Operator, PressEnd, Prompt

REACTION_S = 0.2
"""How long the stand-in takes to answer: a person is not faster."""


def answer_text(prompt: Prompt) -> str:
    """An answered prompt in a line for a person, who would have to give that answer on a robot."""
    return f"stand-in: {prompt.text} [{prompt.action.value}]"


class Hoist(Protocol):
    """What lifts and lowers the robot."""

    def set_support(self, support: Support) -> None:
        """Start moving to a support."""
        ...

    @property
    def support_reached(self) -> bool:
        """Whether the last asked support is reached."""
        ...


class AutoOperator:
    """Answers every prompt but offers after `REACTION_S`: moves the simulated gantry, then presses what was asked for.

    Args:
        link: Where presses go.
        hoist: The simulated gantry.
        on_answer: Called with each answered prompt, for the record.
        person: Who may take up an offer, which a stand-in leaves alone; None for nobody.
    """

    kind = "auto"

    def __init__(
        self,
        link: PressEnd,
        hoist: Hoist,
        on_answer: Callable[[Prompt, float], None],
        person: Operator | None = None,
    ) -> None:
        self._link = link
        self._hoist = hoist
        self._on_answer = on_answer
        self._person = person
        self._asked: dict[str, tuple[Prompt, float]] = {}
        self._moving: set[str] = set()
        self._answered: set[str] = set()
        self._now_s = 0.0

    def ask(self, prompt: Prompt) -> None:
        """Put the question, once; repeated calls with the same key do nothing."""
        if prompt.is_offer:
            if self._person is not None:
                self._person.ask(prompt)
        elif prompt.key not in self._asked:
            self._asked[prompt.key] = (prompt, self._now_s)

    def answered(self, key: str) -> bool:
        """Whether the question was answered since it was asked."""
        return key in self._answered or (self._person is not None and self._person.answered(key))

    def tick(self, now_s: float) -> None:
        """Answer what is due."""
        self._now_s = now_s
        for key, (prompt, asked_s) in self._asked.items():
            if key in self._answered or now_s - asked_s < REACTION_S:
                continue
            if prompt.support is not None:
                if key not in self._moving:
                    self._moving.add(key)
                    self._hoist.set_support(prompt.support)
                if not self._hoist.support_reached:
                    continue
            if prompt.action is not OperatorAction.CONFIRM:
                self._link.post_action(prompt.action)
            self._answered.add(key)
            self._on_answer(prompt, now_s)
