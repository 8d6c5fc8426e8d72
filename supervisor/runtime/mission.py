"""The mission loop: one tick of the tree, from the newest snapshot to the next wish."""

from __future__ import annotations

import logging

import py_trees

from supervisor.core.exchange import MissionOutput, Request
from supervisor.core.ports import MissionEnd
from trees.context import MissionContext, MissionResult

_LOG = logging.getLogger(__name__)


class MissionCore:
    """Ticks a mission's tree. It commands nothing: what it wishes goes over the link.

    Args:
        root: The mission's tree.
        context: What the tree's leaves read and fill.
        link: To the control loop.
    """

    def __init__(self, root: py_trees.behaviour.Behaviour, context: MissionContext, link: MissionEnd) -> None:
        self._root = root
        self._context = context
        self._link = link
        self.failure: str = ""
        """What broke the tree itself, "" while it is sound. A broken tree is never ticked again."""

    @property
    def context(self) -> MissionContext:
        """The mission's knowledge and wishes."""
        return self._context

    def tick(self, now_s: float) -> MissionOutput | None:
        """Tick once.

        Args:
            now_s: Clock.

        Returns:
            What was posted, None before the first snapshot.
        """
        snapshot = self._link.snapshot()
        if snapshot is None:
            return None
        context = self._context
        context.begin_tick(snapshot, now_s)
        if not self.failure and not context.is_finished:
            try:
                self._root.tick_once()
            except Exception as error:  # noqa: BLE001 - whatever broke, the robot must be brought to rest
                self._give_up(error)
        output = context.take_output()
        self._link.post_output(output)
        return output

    def stop(self) -> None:
        """End every running leaf. Leaves command nothing when they end."""
        try:
            self._root.stop(py_trees.common.Status.INVALID)
        except Exception:  # noqa: BLE001 - a leaf that cannot end must not keep the run from ending
            _LOG.exception("a leaf failed to end")

    def _give_up(self, error: Exception) -> None:
        """The tree itself broke, which its leaves cannot do: end the mission and bring the robot to rest."""
        _LOG.exception("the mission tree broke")
        self.failure = f"{type(error).__name__}: {error}"
        context = self._context
        context.failure = self.failure
        context.record_fault(self._root.name, "exception", self.failure)
        context.request(Request.SETTLE)
        context.close_stage("interrupted")
        context.finish(MissionResult.INTERRUPTED)
        self.stop()
