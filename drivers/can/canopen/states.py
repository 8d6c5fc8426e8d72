"""The CiA 402 state machine: what a statusword says, and which controlword leads where.

Nothing here waits: one statusword in, one controlword out, once a cycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

DISABLE_VOLTAGE: Final = 0x0000
QUICK_STOP: Final = 0x0002
SHUTDOWN: Final = 0x0006
SWITCH_ON: Final = 0x0007
ENABLE_OPERATION: Final = 0x000F
FAULT_RESET: Final = 0x0080
"""Takes effect on its rising edge."""


class State(Enum):
    """States of a drive. Its output is on in OPERATION_ENABLED, QUICK_STOP_ACTIVE and FAULT_REACTION_ACTIVE."""

    START = "START"
    NOT_READY_TO_SWITCH_ON = "NOT READY TO SWITCH ON"
    SWITCH_ON_DISABLED = "SWITCH ON DISABLED"
    READY_TO_SWITCH_ON = "READY TO SWITCH ON"
    SWITCHED_ON = "SWITCHED ON"
    OPERATION_ENABLED = "OPERATION ENABLED"
    QUICK_STOP_ACTIVE = "QUICK STOP ACTIVE"
    FAULT_REACTION_ACTIVE = "FAULT REACTION ACTIVE"
    FAULT = "FAULT"
    UNKNOWN = "UNKNOWN"


class Wish(Enum):
    """What is wanted of a drive."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    STOPPED_QUICKLY = "stopped quickly"
    FAULT_CLEARED = "fault cleared"


class Status(NamedTuple):
    """One statusword."""

    state: State
    is_voltage_enabled: bool
    has_warning: bool
    is_remote: bool
    is_target_reached: bool
    is_limit_active: bool


STATE_MASKS: Final = (
    (0x4F, 0x00, State.NOT_READY_TO_SWITCH_ON),
    (0x4F, 0x40, State.SWITCH_ON_DISABLED),
    (0x6F, 0x21, State.READY_TO_SWITCH_ON),
    (0x6F, 0x23, State.SWITCHED_ON),
    (0x6F, 0x27, State.OPERATION_ENABLED),
    (0x6F, 0x07, State.QUICK_STOP_ACTIVE),
    (0x4F, 0x0F, State.FAULT_REACTION_ACTIVE),
    (0x4F, 0x08, State.FAULT),
)
"""Mask and value of the statusword in each state; no statusword fits two."""

TRANSITIONS: Final[Mapping[tuple[State, State], int]] = {
    # By themselves: there is nothing to say.
    (State.START, State.NOT_READY_TO_SWITCH_ON): DISABLE_VOLTAGE,
    (State.NOT_READY_TO_SWITCH_ON, State.SWITCH_ON_DISABLED): DISABLE_VOLTAGE,
    (State.FAULT_REACTION_ACTIVE, State.FAULT): DISABLE_VOLTAGE,
    (State.SWITCH_ON_DISABLED, State.READY_TO_SWITCH_ON): SHUTDOWN,
    (State.READY_TO_SWITCH_ON, State.SWITCHED_ON): SWITCH_ON,
    (State.SWITCHED_ON, State.OPERATION_ENABLED): ENABLE_OPERATION,
    (State.OPERATION_ENABLED, State.SWITCHED_ON): SWITCH_ON,
    (State.OPERATION_ENABLED, State.READY_TO_SWITCH_ON): SHUTDOWN,
    (State.OPERATION_ENABLED, State.QUICK_STOP_ACTIVE): QUICK_STOP,
    (State.OPERATION_ENABLED, State.SWITCH_ON_DISABLED): DISABLE_VOLTAGE,
    (State.SWITCHED_ON, State.READY_TO_SWITCH_ON): SHUTDOWN,
    (State.SWITCHED_ON, State.SWITCH_ON_DISABLED): DISABLE_VOLTAGE,
    (State.READY_TO_SWITCH_ON, State.SWITCH_ON_DISABLED): DISABLE_VOLTAGE,
    (State.QUICK_STOP_ACTIVE, State.SWITCH_ON_DISABLED): DISABLE_VOLTAGE,
    # Optional in the profile: many drives only leave a quick stop by SWITCH ON DISABLED.
    (State.QUICK_STOP_ACTIVE, State.OPERATION_ENABLED): ENABLE_OPERATION,
    (State.FAULT, State.SWITCH_ON_DISABLED): FAULT_RESET,
}
"""Controlword that leads from one state straight to another."""

_TOWARDS_ENABLED: Final = {
    State.SWITCH_ON_DISABLED: SHUTDOWN,
    State.READY_TO_SWITCH_ON: SWITCH_ON,
    State.SWITCHED_ON: ENABLE_OPERATION,
    State.OPERATION_ENABLED: ENABLE_OPERATION,
}


def decode_statusword(statusword: int) -> Status:
    """What a statusword says."""
    return Status(
        state=next((state for mask, value, state in STATE_MASKS if statusword & mask == value), State.UNKNOWN),
        is_voltage_enabled=bool(statusword >> 4 & 1),
        has_warning=bool(statusword >> 7 & 1),
        is_remote=bool(statusword >> 9 & 1),
        is_target_reached=bool(statusword >> 10 & 1),
        is_limit_active=bool(statusword >> 11 & 1),
    )


class DriveStateMachine:
    """Leads one drive to where it is wanted, one controlword a cycle.

    A fault is only cleared when that is the wish, and clearing never enables.
    """

    __slots__ = ("_is_reset_low",)

    def __init__(self) -> None:
        # What the drive was last told is not known, so the first reset begins with a low bit.
        self._is_reset_low = False

    def controlword(self, state: State, wish: Wish) -> int:
        """The controlword to send this cycle.

        Args:
            state: By the newest statusword.
            wish: What is wanted of the drive.
        """
        word = DISABLE_VOLTAGE
        if wish is Wish.ENABLED:
            # Out of a quick stop by way of SWITCH ON DISABLED, which every drive can.
            word = _TOWARDS_ENABLED.get(state, DISABLE_VOLTAGE)
        elif wish is Wish.STOPPED_QUICKLY and state in (State.OPERATION_ENABLED, State.QUICK_STOP_ACTIVE):
            word = QUICK_STOP
        elif wish is Wish.FAULT_CLEARED and state is State.FAULT and self._is_reset_low:
            word = FAULT_RESET
        self._is_reset_low = not word & FAULT_RESET
        return word
