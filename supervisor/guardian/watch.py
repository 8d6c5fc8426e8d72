"""Judges the control loop by its beats and by its silence. No input, no output; time is an argument.

| phase | silence allowed | what it means |
|---|---|---|
| WAITING | any | nobody has begun; nothing of ours is energised |
| GUARDING, motors may be on | the window of the robot file | |
| GUARDING, motors off | `OFF_WINDOW_S` | nothing moves; a slow start is no fault |
| RELEASED | any | the control process has said farewell with the motors off |
| STOPPING | - | a fault was found: it is kept, and what follows is not listened to |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from supervisor.core.levels import ArmingState, Level
from supervisor.guardian.messages import Beat, Kind

OFF_WINDOW_S: Final = 0.5
"""Silence allowed while the last beat said that the motors are off. They cannot move; what they would have to be
stopped from begins with a beat."""

SLICES: Final = 4
"""Silence is counted in so many slices of the window, each judged when it is over."""

SLICE_STRETCH: Final = 2.0
"""A slice counts at most this many times its length: time in which this process itself could not run proves nothing
against another. A machine that stands still for 50 ms has not lost its control loop."""

BEYOND_S: Final = 0.0001
"""Silence is judged this long after it was too long: a clock read a moment too early would cost a slice."""

RATE_MARGIN: Final = 1.02
"""Beats may come this much faster than the control rate: the clock is the same, its rounding is not."""

BURST_BEATS: Final = 2.5
"""So many beats may come early: one was held up on its way, the next was not."""

DISAGREEING_BEATS: Final = 2
"""Beats in which both sides may differ about a stop before it is a fault."""

PROOF_S: Final = 0.5
"""After CUT the motors must be known to be off within this: five times the deadline of the drill."""

_ARMING: Final = tuple(ArmingState)
_LIVE: Final = frozenset((ArmingState.CHECKING, ArmingState.ARMED, ArmingState.RUNNING))
_LEVELS: Final = len(Level)


class Phase(IntEnum):
    """Where the guardian stands."""

    WAITING = 0
    GUARDING = 1
    RELEASED = 2
    STOPPING = 3


class Fault(IntEnum):
    """What was found. The number goes to disk and through the socket."""

    NONE = 0
    SILENT = 1
    """No beat within the window."""
    GONE = 2
    """The control process has ended without a farewell."""
    EARLY = 3
    """More beats than there can be control cycles."""
    SEQUENCE = 4
    """A beat was repeated, skipped, or came before the hello."""
    TOKEN = 5
    """A message whose token is not that of what it says, or that says nothing."""
    UNEVALUATED = 6
    """Not every declared guard was evaluated, and no stop that needs no guards is in force."""
    LOWERED = 7
    """A latched level fell, or the robot was armed, in a way that no press of the operator leads to."""
    DISAGREED = 8
    """The robot is live while a stop is latched, or while a guard is tripped whose level is not in force."""
    NOT_OFF = 9
    """After CUT the motors do not become known to be off."""
    LEFT = 10
    """A farewell while the motors may be on."""


TO_CUT: Final = frozenset((Fault.DISAGREED, Fault.NOT_OFF))
"""Faults after which motors are switched off at once: a stop was decided, and does not happen."""

WORDS: Final = {
    Fault.SILENT: "the control process is silent",
    Fault.GONE: "the control process has ended without a farewell",
    Fault.EARLY: "the control process beats faster than it can work",
    Fault.SEQUENCE: "a beat of the control process was repeated or skipped",
    Fault.TOKEN: "a beat of the control process is not true to what it says",
    Fault.UNEVALUATED: "the control process did not evaluate all guards",
    Fault.LOWERED: "the control process has lowered a stop that nobody has reset",
    Fault.DISAGREED: "the control process drives while a stop is latched",
    Fault.NOT_OFF: "the motors are not known to be off after CUT",
    Fault.LEFT: "the control process has ended with the motors on",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What one beat says of the robot.

    Attributes:
        arming: State of arming.
        level: In force.
        is_at_rest: Whether a stop has come to its end and the motors are off.
    """

    arming: ArmingState
    level: Level
    is_at_rest: bool

    @property
    def may_be_on(self) -> bool:
        """Whether motors may be energised."""
        return self.arming in _LIVE or (self.arming is ArmingState.STOPPED and not self.is_at_rest)


OFF: Final = Standing(ArmingState.DISARMED, Level.NONE, is_at_rest=True)


def standing_of(beat: Beat) -> Standing | None:
    """What a beat says of the robot; None where there is no such state."""
    if beat.arming >= len(_ARMING) or beat.level >= _LEVELS:
        return None
    found = Standing(_ARMING[beat.arming], Level(beat.level), beat.is_at_rest)
    return None if found.arming is ArmingState.STOPPED and not found.level.latches else found


def may_follow(before: Standing, now: Standing) -> bool:
    """Whether one cycle, with any presses in it, leads from one standing to the other.

    As `supervisor/safety/arming.py` has it; a test compares the two press by press. What only goes towards a stop is
    always allowed.
    """
    if before.arming is ArmingState.STOPPED:
        if now.arming is ArmingState.STOPPED:
            return now.level >= before.level
        if now.arming in (ArmingState.ARMED, ArmingState.RUNNING):
            return before.level is Level.HOLD
        is_proven = before.is_at_rest or now.is_at_rest
        return Level.SETTLE <= before.level <= Level.CUT and is_proven
    if before.arming is ArmingState.DISARMED:
        return now.arming not in (ArmingState.ARMED, ArmingState.RUNNING)
    return not (before.arming is ArmingState.CHECKING and now.arming is ArmingState.RUNNING)


class Watch:
    """Hears beats, counts silence, finds the first fault and keeps it.

    Args:
        window_s: Longest silence while motors may be on.
        period_s: Of a control cycle.
        guard_levels: Level of each declared guard, in the order of the board.
        is_latched: Whether an earlier guardian has left a stop latched.
        now_s: Clock.

    Attributes:
        phase: Where it stands.
        fault: What it found.
        is_latched: Whether a stop is latched: by an earlier guardian, until an operator's reset is seen; or by this
            one, for ever.
        standing: What the newest good beat said.
        sequence: Of the newest good beat.
        silence_s: How long nothing was heard, as far as this process could have.
    """

    def __init__(
        self, *, window_s: float, period_s: float, guard_levels: Sequence[int], is_latched: bool, now_s: float
    ) -> None:
        self._window_s = window_s
        self._rate_hz = RATE_MARGIN / period_s
        self._levels = tuple(guard_levels)
        self._all = (1 << len(self._levels)) - 1
        self._looked_s = self._counted_s = self._credit_s = now_s
        self._credit = 0.0
        self._disagreed = 0
        self._cut_s = now_s
        self.phase = Phase.WAITING
        self.fault = Fault.NONE
        self.is_latched = is_latched
        self.standing = OFF
        self.sequence = 0
        self.silence_s = 0.0

    @property
    def slice_s(self) -> float:
        """How often `look` must be called at least."""
        return self._window_s / SLICES

    @property
    def wait_s(self) -> float:
        """How long nothing need be looked at: no longer than a slice, and only just beyond what silence is allowed."""
        return min(self.slice_s, max(self._limit_s - self.silence_s, 0.0) + BEYOND_S)

    @property
    def _limit_s(self) -> float:
        """Longest silence now."""
        return self._window_s if self.standing.may_be_on else max(self._window_s, OFF_WINDOW_S)

    @property
    def is_watching(self) -> bool:
        """Whether something is still judged."""
        return self.phase in (Phase.WAITING, Phase.GUARDING)

    def hear(self, beat: Beat | None, now_s: float) -> None:
        """Judge one message.

        Args:
            beat: What it says; None for one that says nothing, or whose token is wrong.
            now_s: When it was read.
        """
        if not self.is_watching:
            return
        standing = None if beat is None else standing_of(beat)
        if beat is None or standing is None:
            self.stop(Fault.TOKEN)
            return
        self._credit += (now_s - self._credit_s) * self._rate_hz - 1.0
        self._credit_s = now_s
        if self.phase is Phase.WAITING:
            # The first may have waited in the socket, and others behind it, until this process had opened its eyes.
            self._credit = min(max(0.0, now_s - beat.stamp_s), OFF_WINDOW_S) * self._rate_hz
            self._cut_s = now_s
        fault = self._fault_of(beat, standing, now_s)
        if fault is not Fault.NONE:
            self.stop(fault)
            return
        if self.standing.arming is ArmingState.STOPPED and standing.arming is not ArmingState.STOPPED:
            self.is_latched = False
        self.standing, self.sequence, self._counted_s = standing, beat.sequence, now_s
        # Not from when it was read: it may have waited. Nor from any time before the last look, whatever it says.
        sent_s = min(max(self._looked_s, beat.stamp_s), now_s)
        self.silence_s = min(now_s - sent_s, self.slice_s * SLICE_STRETCH)
        self.phase = Phase.RELEASED if beat.kind is Kind.FAREWELL else Phase.GUARDING

    def _fault_of(self, beat: Beat, now: Standing, now_s: float) -> Fault:
        """The first thing that is wrong with a beat."""
        if beat.sequence != self.sequence + 1:
            return Fault.SEQUENCE
        if self._credit < -BURST_BEATS:
            return Fault.EARLY
        if beat.evaluated != self._all and now.level < Level.DAMP:
            return Fault.UNEVALUATED
        if not may_follow(self.standing, now):
            return Fault.LOWERED
        self._disagreed = self._disagreed + 1 if self._disagrees(beat, now) else 0
        if self._disagreed > DISAGREEING_BEATS:
            return Fault.DISAGREED
        if now.level < Level.CUT or not now.may_be_on:
            self._cut_s = now_s
        elif now_s - self._cut_s > PROOF_S:
            return Fault.NOT_OFF
        return Fault.LEFT if beat.kind is Kind.FAREWELL and now.may_be_on else Fault.NONE

    def _disagrees(self, beat: Beat, now: Standing) -> bool:
        """Whether the robot is live though it should not be: by its level, by a latch of ours, by its own guards."""
        if now.arming not in _LIVE:
            return False
        if now.level.latches or (self.is_latched and self.standing.arming is not ArmingState.STOPPED):
            return True
        # While checking, guards only stand in the way of switching on.
        return now.arming is not ArmingState.CHECKING and self._asked_for(beat.tripped) >= Level.HOLD

    def _asked_for(self, tripped: int) -> int:
        """The highest level of the guards in a bitmap."""
        return max((level for bit, level in enumerate(self._levels) if tripped >> bit & 1), default=0)

    def look(self, now_s: float) -> None:
        """Count the silence; called when everything that has arrived was heard, and at least every `slice_s`."""
        # What was not used of the time that has passed is no reserve for a burst.
        self._credit = min(self._credit + (now_s - self._credit_s) * self._rate_hz, 1.0)
        self._credit_s = now_s
        elapsed_s = now_s - self._counted_s
        self._counted_s = self._looked_s = now_s
        if self.phase is not Phase.GUARDING:
            return
        self.silence_s += min(elapsed_s, self.slice_s * SLICE_STRETCH)
        if self.silence_s > self._limit_s:
            self.stop(Fault.SILENT)

    def end(self) -> None:
        """The control process has ended, or closed the socket: after a farewell, or before the first beat, rightly."""
        if self.phase is Phase.GUARDING:
            self.stop(Fault.GONE)
        elif self.phase is Phase.WAITING:
            self.phase = Phase.RELEASED

    def stop(self, fault: Fault) -> None:
        """Keep a fault; the first one stays."""
        if self.is_watching:
            self.phase, self.fault, self.is_latched = Phase.STOPPING, fault, True

    @property
    def may_damp(self) -> bool:
        """Whether the fault found leaves time to damp: motors that may be on, and no cut decided."""
        return self.standing.may_be_on and self.standing.level < Level.CUT and self.fault not in TO_CUT
