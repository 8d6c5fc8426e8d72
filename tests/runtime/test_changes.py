"""What the core was given and changes seldom is the same after its way through bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.exchange import DeviceReport, MissionOutput, Stop
from supervisor.core.levels import ArmingState, Level, OperatorAction
from supervisor.evidence.changes import Change, ChangeKind
from supervisor.evidence.row import PRESSES
from supervisor.runtime.changes import (
    ChangeWatch,
    Start,
    decode_inventory,
    decode_start,
    encode_inventory,
    encode_start,
)
from supervisor.runtime.shared.messages import OutputCodec
from supervisor.safety.restart import Found, Kept

GUARDS = ("tilt", "imu_age")
CODEC = OutputCodec(2, GUARDS)
START = Start(None, None)
NUMBERS = st.floats(allow_nan=False)
STOPS = st.builds(
    Stop,
    st.sampled_from(Level), st.text(), NUMBERS, NUMBERS, st.text(), NUMBERS, NUMBERS, st.text(),
    st.lists(st.text()).map(tuple), st.lists(st.text()).map(tuple), st.booleans(), st.sampled_from(Level),
    st.booleans(),
)  # fmt: skip
KEPT = st.builds(
    Kept,
    st.sampled_from(ArmingState),
    st.none() | STOPS,
    st.dictionaries(st.text(), st.lists(NUMBERS).map(tuple)),
)
FOUND = st.builds(Found, st.none() | KEPT, st.text(), NUMBERS, st.lists(st.text()).map(tuple))


class Sink(list[Change]):
    """Keeps what it is given."""

    def change(self, change: Change) -> None:
        self.append(change)


@given(found=st.none() | FOUND)
def test_what_was_found_is_found_again(found: Found | None) -> None:
    assert decode_start(encode_start(Start(None, found))).found == found


def test_damping_is_what_it_was_to_the_last_bit() -> None:
    damping = np.array([0.1, 1 / 3, np.inf, 5e-324])
    decoded = decode_start(encode_start(Start(damping, None))).damping_maximum_nm_s_per_rad
    assert decoded is not None
    assert decoded.tobytes() == damping.tobytes()


def test_of_an_inventory_what_the_core_reads_is_kept() -> None:
    reports = (
        DeviceReport("fl_hip", "can0", True, ("is hot", "is old"), {"model": "x"}),
        DeviceReport("imu", "tty", False, (), {}),
    )
    assert decode_inventory(encode_inventory(reports)) == (
        DeviceReport("fl_hip", "can0", True, ("is hot", "is old"), {}), reports[1],
    )  # fmt: skip


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def watch(sink: Sink) -> ChangeWatch:
    made = ChangeWatch(sink, CODEC, GUARDS, START)
    assert sink == [Change(0, ChangeKind.START, encode_start(START))]
    sink.clear()
    return made


def test_what_stays_the_same_is_kept_once(sink: Sink, watch: ChangeWatch) -> None:
    output = MissionOutput(1, 0.5)
    inventory = (DeviceReport("imu", "tty", True, (), {}),)
    for decision in range(3):
        watch.look(decision, output, inventory, "slow", ())
    assert sink == [
        Change(0, ChangeKind.OUTPUT, CODEC.encode(output)),
        Change(0, ChangeKind.INVENTORY, encode_inventory(inventory)),
        Change(0, ChangeKind.LATCH, b"slow"),
    ]
    sink.clear()
    watch.look(3, None, (), "", ())
    assert sink == [
        Change(3, ChangeKind.OUTPUT, b""),
        Change(3, ChangeKind.INVENTORY, b"[]"),
        Change(3, ChangeKind.LATCH, b""),
    ]


def test_nothing_is_kept_of_what_was_never_there(sink: Sink, watch: ChangeWatch) -> None:
    watch.look(0, None, (), "", [OperatorAction.STOP] * PRESSES)
    assert sink == []
    watch.look(1, None, (), "", [OperatorAction.STOP] * (PRESSES + 1))
    assert [change.kind for change in sink] == [ChangeKind.LOST]
