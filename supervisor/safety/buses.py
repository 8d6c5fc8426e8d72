"""Bus counters turned into what the bus guards look at."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from supervisor.core.state import BusStatistics
from supervisor.safety.inputs import GuardInputs

WINDOW_S = 1.0
"""Long enough that a share is a share (500 replies per motor), short enough to matter."""

MINIMUM_EXPECTED = 50
"""Replies due before a share of them means anything."""


class BusMonitor:
    """Keeps a window of counters and writes the bus fields of the guard inputs.

    Give it fresh statistics every few cycles (20 ms is a good rate); between two calls the guards see the last ones.

    Args:
        window_s: Over which losses, errors and foreign commands are counted.
    """

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._history: deque[tuple[float, Mapping[str, BusStatistics]]] = deque()

    def update(self, inputs: GuardInputs, statistics: Mapping[str, BusStatistics], now_s: float) -> None:
        """Write the bus fields of `inputs`.

        Args:
            inputs: Written: `bus_loss`, `bus_off`, `bus_errors`, `foreign_commands`.
            statistics: Counters by bus since the bus was opened.
            now_s: Clock.
        """
        history = self._history
        history.append((now_s, statistics))
        while len(history) > 2 and history[1][0] <= now_s - self._window_s:
            history.popleft()
        oldest = history[0][1]
        loss, off, errors, foreign = 0.0, 0, 0, 0
        for name, newest in statistics.items():
            before = oldest.get(name) or BusStatistics()
            expected = newest.expected - before.expected
            if expected >= MINIMUM_EXPECTED:
                loss = max(loss, 1.0 - (newest.received - before.received) / expected)
            errors = max(errors, newest.errors - before.errors)
            foreign += newest.foreign_commands - before.foreign_commands
            off += newest.is_off
        inputs.bus_loss, inputs.bus_off, inputs.bus_errors, inputs.foreign_commands = loss, off, errors, foreign
