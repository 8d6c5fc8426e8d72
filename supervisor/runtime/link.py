"""The link between the control and the mission loop, in the memory of one process."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.core.exchange import MissionOutput, Snapshot
from supervisor.core.levels import OperatorAction


class MemoryLink:
    """The newest value of each side, handed over as it is: everything that crosses is immutable."""

    __slots__ = ("_actions", "_output", "_snapshot")

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._output: MissionOutput | None = None
        self._actions: list[OperatorAction] = []

    def post_snapshot(self, snapshot: Snapshot) -> None:
        """Control side: publish."""
        self._snapshot = snapshot

    def snapshot(self) -> Snapshot | None:
        """Mission side: the newest snapshot, None before the first."""
        return self._snapshot

    def post_output(self, output: MissionOutput) -> None:
        """Mission side: publish."""
        self._output = output

    def output(self) -> MissionOutput | None:
        """Control side: the newest output, None before the first."""
        return self._output

    def post_action(self, action: OperatorAction) -> None:
        """Operator side: one press."""
        self._actions.append(action)

    def take_actions(self) -> Sequence[OperatorAction]:
        """Control side: the presses since the last call."""
        if not self._actions:
            return ()
        actions, self._actions = self._actions, []
        return actions
