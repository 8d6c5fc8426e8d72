"""What becomes of a press: posted to the control loop, and held against what the loop then says of itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from supervisor.core.exchange import Snapshot
from supervisor.core.levels import ArmingState, OperatorAction
from supervisor.core.ports import Prompt

REACTION_S: Final = 0.5
"""A control loop that has not reacted after so long will not: it begins a cycle every few milliseconds."""

QUEUE_PLACES: Final = 8

STOPPING: Final = frozenset({OperatorAction.STOP, OperatorAction.HOLD, OperatorAction.CUT})
"""Presses that never wait behind others, and end what waits."""

_MOVING: Final = frozenset({OperatorAction.START, OperatorAction.RESUME})

_REACHED: Final = {
    OperatorAction.ARM: frozenset({ArmingState.CHECKING, ArmingState.ARMED, ArmingState.RUNNING}),
    OperatorAction.START: frozenset({ArmingState.RUNNING}),
    OperatorAction.RESUME: frozenset({ArmingState.RUNNING}),
    OperatorAction.RESET: frozenset({ArmingState.DISARMED, ArmingState.CHECKING, ArmingState.ARMED}),
}


class Outcome(Enum):
    """What became of a press."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    """The control loop has not reacted."""


@dataclass(slots=True, eq=False)
class Press:
    """One press.

    Attributes:
        action: What was pressed.
        source: Where: "terminal", "gamepad", "command".
        pressed_s: When.
        outcome: What became of it.
        lines: The same in words, every reason of a refusal.
    """

    action: OperatorAction
    source: str
    pressed_s: float
    outcome: Outcome = Outcome.WAITING
    lines: tuple[str, ...] = ()
    seen_from_s: float | None = None
    """A cycle that began at this time or later has taken it."""


class PressDesk(Protocol):
    """Where presses go; see `Desk`."""

    @property
    def prompt(self) -> Prompt | None:
        """What is asked and not answered yet."""
        ...

    def press(self, action: OperatorAction, now_s: float) -> Prompt | None:
        """One press; the question that it answered."""
        ...


class Presses:
    """Posts presses and finds out what becomes of them.

    One press at a time, because the control loop tells its refusals without saying of what; stopping ones at once.

    Args:
        desk: Where they go.
        hindrance: Why the robot may not begin to move as far as the inputs know, "" for nothing: the deadman.
        on_done: Called with each press when its outcome is known.
    """

    def __init__(
        self,
        desk: PressDesk,
        hindrance: Callable[[], str] = lambda: "",
        on_done: Callable[[Press], None] | None = None,
    ) -> None:
        self._desk = desk
        self._hindrance = hindrance
        self._on_done = on_done
        self._queue: deque[Press] = deque()
        self._posted: list[Press] = []

    def press(self, action: OperatorAction, source: str, now_s: float) -> Press:
        """Take one press. Its outcome is in what is returned, at the latest `REACTION_S` after its turn."""
        press = Press(action, source, now_s)
        if action in STOPPING:
            self._overtake(action)
            self._post(press, now_s)
        elif len(self._queue) >= QUEUE_PLACES:
            self._done(press, Outcome.REFUSED, f"{QUEUE_PLACES} presses wait already")
        else:
            self._queue.append(press)
            self._post_next(now_s)
        return press

    def look(self, snapshot: Snapshot | None, now_s: float) -> None:
        """See what became of what was pressed.

        Args:
            snapshot: The control loop's newest, None before the first.
            now_s: Clock.
        """
        for press in tuple(self._posted):
            if press.seen_from_s is None:
                # Whatever cycle begins from now on finds it; one that began before may have looked already.
                press.seen_from_s = now_s
            elif snapshot is not None and snapshot.state.now_s >= press.seen_from_s:
                self._judge(press, snapshot, now_s)
            elif now_s - press.pressed_s > REACTION_S:
                text = "the control loop does not react; if the robot must stop, use its hardware emergency stop"
                self._done(press, Outcome.UNANSWERED, text)
        self._post_next(now_s)

    def _post_next(self, now_s: float) -> None:
        while self._queue and not self._posted:
            self._post(self._queue.popleft(), now_s)

    def _overtake(self, action: OperatorAction) -> None:
        """A stop ends what waits: nothing pressed before it may set the robot in motion after it."""
        for press in (*self._queue, *(one for one in self._posted if one.action not in STOPPING)):
            self._done(press, Outcome.REFUSED, f"overtaken by {action.name}")
        self._queue.clear()

    def _post(self, press: Press, now_s: float) -> None:
        action, asked = press.action, self._desk.prompt
        hindrance = self._hindrance() if action in _MOVING else ""
        if hindrance:
            self._done(press, Outcome.REFUSED, f"{action.name} needs {hindrance}")
            return
        # Its time begins when it is its turn.
        press.pressed_s = now_s
        answered = self._desk.press(action, now_s)
        if action is not OperatorAction.CONFIRM:
            self._posted.append(press)
        elif answered is not None:
            self._done(press, Outcome.ACCEPTED, f"confirmed: {answered.text}")
        elif asked is None:
            self._done(press, Outcome.REFUSED, "no question is open")
        else:
            self._done(press, Outcome.REFUSED, f"the open question wants {asked.action.name}: {asked.text}")

    def _judge(self, press: Press, snapshot: Snapshot, now_s: float) -> None:
        action, arming, stop = press.action, snapshot.arming, snapshot.stop
        reached = _REACHED.get(action)
        robot = f"the robot is {arming.value}, level {snapshot.level.name}"
        if reached is None:
            # A stop is never refused; a hold of a robot without power is.
            is_refused = bool(snapshot.refusals) and action is OperatorAction.HOLD
            reasons = snapshot.refusals if is_refused else (robot,)
            self._done(press, Outcome.REFUSED if is_refused else Outcome.ACCEPTED, *reasons)
        elif arming not in reached:
            cause = () if stop is None else (f"{robot} because of {stop.guard}",)
            self._done(press, Outcome.REFUSED, *(snapshot.refusals or cause or (robot,)))
        elif snapshot.refusals:
            self._done(press, Outcome.REFUSED, *snapshot.refusals)
        elif action is OperatorAction.ARM and arming is ArmingState.CHECKING:
            if now_s - press.pressed_s > REACTION_S:
                self._done(press, Outcome.ACCEPTED, "being checked; `handrail status` tells when it is armed")
        else:
            self._done(press, Outcome.ACCEPTED, robot)

    def _done(self, press: Press, outcome: Outcome, *lines: str) -> None:
        press.outcome, press.lines = outcome, lines
        if press in self._posted:
            self._posted.remove(press)
        if self._on_done is not None:
            self._on_done(press)
