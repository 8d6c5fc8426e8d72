"""A wish crosses shared memory whole, or not at all."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.shared.slot import Slot
from supervisor.core.velocity import NEUTRAL, Steered, Velocity, VelocityAsk
from supervisor.runtime.shared.steering import AskSlot, steered_ask

NUMBERS = st.floats()


def make() -> tuple[Slot, AskSlot]:
    slot = Slot(memoryview(bytearray(Slot.size(AskSlot.SIZE))), AskSlot.SIZE)
    return slot, AskSlot(slot)


def test_before_the_first_nobody_asks() -> None:
    assert make()[1].asked() is None


@given(st.builds(Velocity, NUMBERS, NUMBERS, NUMBERS), NUMBERS, st.sampled_from(["", "gamepad", "command"]))
def test_a_wish_comes_back_to_the_last_bit(velocity: Velocity, stamp_s: float, source: str) -> None:
    _, asks = make()
    asks.write(VelocityAsk(velocity, stamp_s, source, "the deadman is not held"))
    found = asks.asked()
    assert found is not None
    for before, after in zip((*velocity, stamp_s), (*found.velocity, found.stamp_s), strict=True):
        assert before == after or (math.isnan(before) and math.isnan(after))
    assert (found.source, found.absence) == (source, "the deadman is not held")


@given(st.text(min_size=1).filter(lambda text: text.strip("\x00")))
def test_an_absence_is_never_lost_however_long(absence: str) -> None:
    _, asks = make()
    asks.write(VelocityAsk(NEUTRAL, 1.0, absence, absence))
    found = asks.asked()
    assert found is not None
    assert found.absence


def test_what_is_no_wish_is_none() -> None:
    slot, asks = make()
    slot.write(b"")
    assert asks.asked() is None
    slot.write(b"x" * (AskSlot.SIZE - 1))
    assert asks.asked() is None


def test_what_became_of_a_wish_has_its_own_time_and_reason() -> None:
    ask = VelocityAsk(Velocity(0.6), 1.0, "gamepad")
    assert steered_ask(Steered(ask, NEUTRAL, "not centred"), 2.0) == VelocityAsk(NEUTRAL, 2.0, "gamepad", "not centred")
    assert steered_ask(Steered(None, NEUTRAL, "nobody"), 2.0) == VelocityAsk(NEUTRAL, 2.0, "", "nobody")
