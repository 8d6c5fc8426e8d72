from __future__ import annotations

import numpy as np
import pytest

from drivers.can.canopen.states import State, decode_statusword
from drivers.can.canopen.status import STATE_CODE, StatusBatch, fault_name
from drivers.devices import FAULT, STATUS
from supervisor.core.state import MotorStatus

ON, OFF, ILL = int(MotorStatus.ENABLED), int(MotorStatus.DISABLED), int(MotorStatus.FAULT)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        (0x0200, OFF),
        (0x0250, OFF),
        (0x0231, OFF),
        (0x0233, OFF),
        (0x0237, ON),
        (0x1637, ON),
        (0x0217, ILL),
        (0x021F, ILL),
        (0x0218, ILL),
    ],
)
def test_a_state_is_on_off_or_a_fault(word: int, status: int) -> None:
    batch, codes = StatusBatch(1), np.zeros((2, 1), dtype=np.int64)
    batch.decode(np.array([word | 0x123 << 16]), np.array([0x3220]), codes)
    assert codes[STATUS, 0] == status
    assert batch.is_on.tolist() == [status == ON]
    assert batch.state(0) is decode_statusword(word).state
    expected = {0x0217: "QUICK STOP ACTIVE", 0x0218: "DC_LINK_UNDERVOLTAGE", 0x021F: "DC_LINK_UNDERVOLTAGE"}
    assert fault_name(int(codes[FAULT, 0])) == expected.get(word, "Error Reset / No Error 0x0000")


def test_every_statusword_has_a_status_and_every_fault_a_name() -> None:
    words = np.arange(0x10000)
    batch, codes = StatusBatch(len(words)), np.zeros((2, len(words)), dtype=np.int64)
    batch.decode(words, np.zeros_like(words), codes)
    assert set(codes[STATUS].tolist()) == {ON, OFF, ILL}
    assert ((codes[FAULT] != 0) == (codes[STATUS] == ILL)).all()
    assert {fault_name(int(code)) for code in set(codes[FAULT].tolist()) - {0}} == {
        state.value for state in (State.FAULT, State.FAULT_REACTION_ACTIVE, State.QUICK_STOP_ACTIVE, State.UNKNOWN)
    }


def test_drives_in_fault_without_a_code_are_those_to_ask() -> None:
    batch, codes = StatusBatch(4), np.zeros((2, 4), dtype=np.int64)
    errors = np.array([0, 0x2310, 0, 0])
    batch.decode(np.array([0x0218, 0x0218, 0x0237, 0x0217]), errors, codes)
    assert batch.unnamed(errors) == [0]
    assert codes[FAULT].tolist() == [STATE_CODE + 0x08, 0x2310, 0, STATE_CODE + 0x07]
