"""The operator's desk between two processes: the mission asks, a person answers elsewhere."""

from __future__ import annotations

import json
from typing import Any

from supervisor.core.levels import OperatorAction, Support
from supervisor.core.ports import Prompt
from supervisor.runtime.shared.memory import RunMemory


class SharedOperator:
    """The mission's side: an `Operator` whose questions and answers cross shared memory.

    Args:
        memory: The run's shared memory.
    """

    kind = "person"

    def __init__(self, memory: RunMemory) -> None:
        self._memory = memory
        self._asked: dict[str, dict[str, Any]] = {}
        self._answers: frozenset[str] = frozenset()
        self._number = 0

    def ask(self, prompt: Prompt) -> None:
        """Put the question, once; repeated calls with the same key do nothing."""
        if prompt.key in self._asked:
            return
        support = None if prompt.support is None else prompt.support.value
        self._asked[prompt.key] = {
            "key": prompt.key,
            "text": prompt.text,
            "action": prompt.action.value,
            "support": support,
        }
        self._memory.prompts.write(json.dumps(list(self._asked.values())[-1:]).encode())

    def answered(self, key: str) -> bool:
        """Whether the question was answered since it was asked."""
        slot = self._memory.answers
        if slot.number != self._number:
            found = slot.read()
            if found is not None:
                self._number = found[0]
                self._answers = frozenset(map(str, json.loads(found[1])))
        return key in self._answers


class Desk:
    """The operator's side: what is asked now, and its answer.

    Args:
        memory: The run's shared memory.
    """

    def __init__(self, memory: RunMemory) -> None:
        self._memory = memory
        self._number = 0
        self._open: Prompt | None = None
        self._answers: list[str] = []

    @property
    def prompt(self) -> Prompt | None:
        """What is asked and not answered yet, None when nothing is."""
        slot = self._memory.prompts
        if slot.number != self._number:
            found = slot.read()
            if found is not None:
                self._number = found[0]
                content = json.loads(found[1])[-1]
                support = None if content["support"] is None else Support(content["support"])
                prompt = Prompt(content["key"], content["text"], OperatorAction(content["action"]), support)
                self._open = None if prompt.key in self._answers else prompt
        return self._open

    def press(self, action: OperatorAction, now_s: float) -> Prompt | None:
        """One press: it goes to the control loop, and answers the question that asks for it.

        Args:
            action: The press.
            now_s: When.

        Returns:
            The question that it answered, None where it answered none.
        """
        prompt = self.prompt
        if action is not OperatorAction.CONFIRM:
            self._memory.operator_presses.post(action, now_s)
        if prompt is None or prompt.action is not action:
            return None
        self._answers.append(prompt.key)
        self._open = None
        self._memory.answers.write(json.dumps(self._answers).encode())
        return prompt
