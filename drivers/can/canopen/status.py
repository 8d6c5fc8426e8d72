"""Statuswords and error codes of many drives as what the control loop understands."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.can.canopen.codec import Emergency
from drivers.can.canopen.states import State, decode_statusword
from drivers.can.canopen.tables import ERROR_CODES
from drivers.devices import FAULT, STATUS, Codes
from supervisor.core.state import MotorStatus

STATE_CODE: Final = 0x10000
"""Added to a statusword's state bits: the fault code of a drive that is neither on nor off, and names no error."""

_STATE_BITS: Final = 0x6F
_STATES: Final = [decode_statusword(word).state for word in range(_STATE_BITS + 1)]
_STATUSES: Final = {
    State.NOT_READY_TO_SWITCH_ON: MotorStatus.DISABLED,
    State.SWITCH_ON_DISABLED: MotorStatus.DISABLED,
    State.READY_TO_SWITCH_ON: MotorStatus.DISABLED,
    State.SWITCHED_ON: MotorStatus.DISABLED,
    State.OPERATION_ENABLED: MotorStatus.ENABLED,
}
_STATUS_OF_STATE: Final = np.array([_STATUSES.get(state, MotorStatus.FAULT) for state in _STATES], dtype=np.int64)
_HAS_ERROR: Final = np.array([state in (State.FAULT, State.FAULT_REACTION_ACTIVE) for state in _STATES])

Words = NDArray[np.int64]


class StatusBatch:
    """The states of many drives.

    Args:
        count: How many.

    Attributes:
        is_on: (n,) which are in OPERATION ENABLED by their newest statusword.
    """

    __slots__ = ("_bits", "is_on")

    def __init__(self, count: int) -> None:
        self._bits: Words = np.zeros(count, dtype=np.int64)
        self.is_on: NDArray[np.bool_] = np.zeros(count, dtype=np.bool_)

    def decode(self, statuswords: Words, errors: Words, codes: Codes) -> None:
        """Decode one statusword per drive.

        Args:
            statuswords: (n,) in their lower 16 bits.
            errors: (n,) newest error codes, 0 for none.
            codes: (2, n), written in place: `MotorStatus`, and the fault code.
        """
        bits = np.bitwise_and(statuswords, _STATE_BITS, out=self._bits)
        np.take(_STATUS_OF_STATE, bits, out=codes[STATUS])
        np.equal(codes[STATUS], int(MotorStatus.ENABLED), out=self.is_on)
        faulty = codes[STATUS] == int(MotorStatus.FAULT)
        codes[FAULT] = 0
        if faulty.any():
            named = np.where(_HAS_ERROR[bits] & (errors > 0), errors, bits + STATE_CODE)
            np.copyto(codes[FAULT], named, where=faulty)

    def state(self, slot: int) -> State:
        """State of one drive."""
        return _STATES[self._bits[slot]]

    def unnamed(self, errors: Words) -> list[int]:
        """The drives in fault whose error code is not known."""
        return np.flatnonzero(_HAS_ERROR[self._bits] & (errors == 0)).tolist()


def fault_name(code: int) -> str:
    """The profile's name of an error code; its group and number for a maker's own; or the name of a state."""
    if code >= STATE_CODE:
        return _STATES[code & _STATE_BITS].value
    group = Emergency(code, 0, b"").description
    return ERROR_CODES.get(code, f"{group or 'unknown'} 0x{code:04X}")
