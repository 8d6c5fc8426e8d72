"""What each press of the operator does, as one pure function over a small, completely enumerable state.

`DISARMED → CHECKING → ARMED → RUNNING → STOPPED → DISARMED`. From a trip to motion there are never fewer than two
presses: RESET ends in ARMED (after HOLD, power kept) or DISARMED, and only START begins to follow proposals. RESUME
ends nothing but the operator's own HOLD, which is not a trip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from supervisor.core.levels import ArmingState, Level, OperatorAction


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a press depends on.

    Attributes:
        arming: State of arming.
        level: Latched level, NONE without a stop.
        is_operator_hold: True when nothing but the operator's own HOLD is latched.
        is_at_rest: True when the motors are provably off.
        guards: Texts of the guards of level HOLD and above that are not OK.
        causes: Texts of the latched causes that have not been clear for long enough, or never will.
        devices: What the inventory and the drill have against arming.
    """

    arming: ArmingState
    level: Level = Level.NONE
    is_operator_hold: bool = False
    is_at_rest: bool = True
    guards: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a press leads to.

    Attributes:
        arming: The next state.
        stop: Level of a stop to latch, None for none.
        resets: True when the latch is to be cleared.
        refusals: Every reason why the press did nothing.
    """

    arming: ArmingState
    stop: Level | None = None
    resets: bool = False
    refusals: tuple[str, ...] = ()


def press(action: OperatorAction, now: Situation) -> Outcome:
    """What one press does.

    Args:
        action: The press.
        now: The situation it meets.

    Returns:
        The next state, or the same state with every reason for the refusal.
    """
    if action is OperatorAction.CONFIRM:
        return Outcome(now.arming)  # Answers the mission's questions; changes nothing here.
    if action is OperatorAction.CUT:
        return Outcome(ArmingState.STOPPED, stop=Level.CUT)
    if action is OperatorAction.STOP:
        return _stop(now)
    if action is OperatorAction.HOLD:
        return _hold(now)
    if action is OperatorAction.ARM:
        return _arm(now)
    if action is OperatorAction.START:
        return _start(now)
    if action is OperatorAction.RESUME:
        return _resume(now)
    return _reset(now)


def arming_refusals(devices: tuple[str, ...], guards: tuple[str, ...]) -> tuple[str, ...]:
    """Everything that stands against switching the motors on."""
    return (*devices, *guards)


def _refuse(now: Situation, *reasons: str) -> Outcome:
    return Outcome(now.arming, refusals=reasons)


def _stop(now: Situation) -> Outcome:
    if now.arming is ArmingState.DISARMED:
        return Outcome(ArmingState.DISARMED)
    if now.arming is ArmingState.CHECKING:
        return Outcome(ArmingState.DISARMED)
    return Outcome(ArmingState.STOPPED, stop=Level.SETTLE)


def _hold(now: Situation) -> Outcome:
    if now.arming is ArmingState.RUNNING:
        return Outcome(ArmingState.STOPPED, stop=Level.HOLD)
    if now.arming in (ArmingState.ARMED, ArmingState.STOPPED):
        return Outcome(now.arming)  # Holding already, or further down: a hold never lifts a stop.
    return _refuse(now, f"HOLD needs a robot under power; it is {now.arming.value}")


def _arm(now: Situation) -> Outcome:
    if now.arming is not ArmingState.DISARMED:
        hint = "; RESET first" if now.arming is ArmingState.STOPPED else ""
        return _refuse(now, f"ARM needs a disarmed robot; it is {now.arming.value}{hint}")
    reasons = arming_refusals(now.devices, now.guards)
    return _refuse(now, *reasons) if reasons else Outcome(ArmingState.CHECKING)


def _start(now: Situation) -> Outcome:
    if now.arming is not ArmingState.ARMED:
        return _refuse(now, f"START needs an armed robot; it is {now.arming.value}")
    return _refuse(now, *now.guards) if now.guards else Outcome(ArmingState.RUNNING)


def _resume(now: Situation) -> Outcome:
    if not (now.arming is ArmingState.STOPPED and now.is_operator_hold and now.level is Level.HOLD):
        return _refuse(now, "RESUME ends only a HOLD that the operator asked for; after a trip: RESET, then START")
    return _refuse(now, *now.guards) if now.guards else Outcome(ArmingState.RUNNING, resets=True)


def _reset(now: Situation) -> Outcome:
    if now.arming is not ArmingState.STOPPED:
        return _refuse(now, f"RESET needs a latched stop; the robot is {now.arming.value}")
    if now.level is Level.TERMINAL:
        return _refuse(now, "TERMINAL is never reset in this process: find the cause, then start anew")
    if now.level is Level.HOLD:
        reasons = (*now.causes, *now.guards)
        return _refuse(now, *reasons) if reasons else Outcome(ArmingState.ARMED, resets=True)
    reasons = now.causes if now.is_at_rest else ("the stop has not come to its end", *now.causes)
    return _refuse(now, *reasons) if reasons else Outcome(ArmingState.DISARMED, resets=True)


def situations() -> Iterator[Situation]:
    """Every situation that exists, for enumeration: each list of reasons is either empty or not."""
    reasons = ((), ("reason",))
    for arming in (ArmingState.DISARMED, ArmingState.CHECKING, ArmingState.ARMED, ArmingState.RUNNING):
        for guards in reasons:
            for devices in reasons:
                yield Situation(arming, guards=guards, devices=devices)
    for level in (Level.HOLD, Level.SETTLE, Level.DAMP, Level.CUT, Level.TERMINAL):
        for is_operator_hold in (False, True) if level is Level.HOLD else (False,):
            for is_at_rest in (False, True):
                for guards in reasons:
                    for causes in reasons:
                        yield Situation(ArmingState.STOPPED, level, is_operator_hold, is_at_rest, guards, causes)
