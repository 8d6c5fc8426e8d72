"""The lean leaf every node of ours derives from: whatever goes wrong inside becomes FAILURE and a named fault.

py_trees itself fails open: a malformed result becomes INVALID, which composites read in different ways, and an
exception ends the tick with everybody still RUNNING. Neither can happen here. The tick is our own also because the
stock one spends most of its time on debug texts and on checking the result against a list.
"""

from __future__ import annotations

from collections.abc import Iterator

from py_trees.behaviour import Behaviour
from py_trees.common import Status

from trees.context import MissionContext

RUNNING = Status.RUNNING
SUCCESS = Status.SUCCESS
FAILURE = Status.FAILURE
INVALID = Status.INVALID


class Leaf(Behaviour):
    """A node without children. Subclasses write `initialise`, `update` and, rarely, `terminate`.

    Args:
        name: What the drawing calls it.
        context: The mission's context; constructors only keep it.

    Attributes:
        details: Lines for the drawing: limits, knobs, criteria.
        hints: Why those numbers; shown where there is room.
        drives: True for a leaf that proposes commands; the lint wants guards above it.
        deadline_factor: This leaf's share of the context's deadline: above 1 where it may take longer.
    """

    drives: bool = False
    deadline_factor: float = 1.0

    def __init__(self, name: str, context: MissionContext) -> None:
        super().__init__(name)
        self.context = context
        self.details: tuple[str, ...] = ()
        self.hints: tuple[str, ...] = ()

    def tick(self) -> Iterator[Behaviour]:
        """Tick once. A result that is not a status, an exception or a missed deadline is a FAILURE with a fault."""
        context = self.context
        timer_s = context.timer_s
        began_s = timer_s() if timer_s is not None else 0.0
        status: object
        try:
            if self.status is not RUNNING:
                self.initialise()
            status = self.update()
        except Exception as error:  # noqa: BLE001 - whatever a leaf raises must not end the tick of the whole tree
            status = self.fault("exception", f"{type(error).__name__}: {error}")
        if status is not RUNNING and status is not SUCCESS and status is not FAILURE:
            status = self.fault("bad_result", f"returned {status!r}, allowed: RUNNING, SUCCESS or FAILURE")
        if timer_s is not None:
            elapsed_s, allowed_s = timer_s() - began_s, self.deadline_factor * context.leaf_deadline_s
            if elapsed_s > allowed_s:
                status = self.fault("deadline", f"took {elapsed_s:.3f} s > {allowed_s:.3f} s")
        if status is RUNNING:
            self.status = RUNNING
        else:
            if status is FAILURE and not context.failure:
                context.failure = f"{self.name}: {self.feedback_message}" if self.feedback_message else self.name
            self.stop(SUCCESS if status is SUCCESS else FAILURE)
        yield self

    def stop(self, new_status: Status) -> None:
        """End the leaf's current activity. Never raises, whatever `terminate` does."""
        try:
            self.terminate(new_status)
        except Exception as error:  # noqa: BLE001 - a raise here would keep every later sibling running
            self.fault("exception", f"terminate: {type(error).__name__}: {error}")
        self.status = new_status

    def fault(self, kind: str, text: str) -> Status:
        """Record what went wrong in this leaf.

        Returns:
            FAILURE, to be returned from a tick.
        """
        self.feedback_message = text
        self.context.record_fault(self.name, kind, text)
        return FAILURE

    def say(self, text: str) -> None:
        """Set the feedback message, measured against allowed; to be called on events, not on every tick."""
        if text != self.feedback_message:
            self.feedback_message = text

    def fail(self, text: str) -> Status:
        """FAILURE with a reason."""
        self.say(text)
        return FAILURE


class Condition(Leaf):
    """A question: answered within the tick, never RUNNING, without effect."""

    def tick(self) -> Iterator[Behaviour]:
        """Ask once. Anything but SUCCESS is FAILURE; a synchronous leaf needs neither start nor end."""
        status: object
        try:
            status = self.update()
        except Exception as error:  # noqa: BLE001 - a question that cannot be answered is answered with no
            status = self.fault("exception", f"{type(error).__name__}: {error}")
        if status is not SUCCESS and status is not FAILURE:
            status = self.fault("bad_result", f"a condition returned {status!r}, allowed: SUCCESS or FAILURE")
        self.status = SUCCESS if status is SUCCESS else FAILURE
        yield self

    def stop(self, new_status: Status) -> None:
        """Nothing is going on between ticks, so there is nothing to end."""
        self.status = new_status
