"""How long a stage measures: once, or in windows until one is accepted."""

from __future__ import annotations

from supervisor.core.report import Criterion
from trees.context import MissionContext
from trees.missions.schema import Duration


class Dwell:
    """Counts a stage's measuring time. With `stable_s` each window is measured and judged on its own.

    Args:
        duration: Least, most and window.
        criteria: What a window is judged by.
    """

    def __init__(self, duration: Duration, criteria: tuple[Criterion, ...]) -> None:
        self._duration = duration
        self._criteria = criteria
        self._began_s: float | None = None
        self._window_s = 0.0

    @property
    def text(self) -> str:
        """For the drawing."""
        duration = self._duration
        if duration.stable_s is None:
            return f"measure {duration.minimum_s:g} s"
        return f"until stable for {duration.stable_s:g} s, {duration.minimum_s:g} to {duration.maximum_s:g} s"

    def reset(self) -> None:
        """Forget; the next `begin` begins."""
        self._began_s = None

    def begin(self, context: MissionContext) -> None:
        """Start measuring unless it has started: what the approach measured is dropped."""
        if self._began_s is None:
            self._began_s = self._window_s = context.now_s
            context.begin_measuring(again=True)

    def is_over(self, context: MissionContext) -> bool:
        """Whether to stop measuring; called after the tick's sample."""
        duration = self._duration
        now_s = context.now_s
        began_s = now_s if self._began_s is None else self._began_s
        if duration.stable_s is None:
            return now_s - began_s >= duration.minimum_s - 1e-9
        if now_s - self._window_s < duration.stable_s - 1e-9:
            return False
        if now_s - began_s >= duration.minimum_s - 1e-9:
            if all(result.passed for result in context.judge.judge(self._criteria)):
                return True
            if now_s - began_s + duration.stable_s > duration.maximum_s + 1e-9:
                # No room for another window: this one is what the stage is judged by.
                return True
        self._window_s = now_s
        context.begin_measuring(again=True)
        return False

    def has_lasted(self, elapsed_s: float) -> bool:
        """Whether a watch without windows has lasted long enough."""
        return elapsed_s >= self._duration.minimum_s - 1e-9
