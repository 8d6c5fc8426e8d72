"""The record says what was asked and what was told, where it changes, and not too often."""

from __future__ import annotations

import json
from itertools import pairwise

from supervisor.core.velocity import NEUTRAL, Steered, Velocity, VelocityAsk
from supervisor.runtime.steering_record import NOTE_S, SteeringRecord

WISH = VelocityAsk(Velocity(0.6), 1.0, "gamepad")


def test_the_first_tick_is_noted_and_one_like_it_is_not() -> None:
    record = SteeringRecord()
    ((text, data),) = record.look(Steered(WISH, Velocity(0.012), ""), 1.0)
    assert text == f"steering: gamepad asks {WISH.velocity}; told {Velocity(0.012)}"
    assert data == {"asked": [0.6, 0.0, 0.0], "source": "gamepad", "told": [0.012, 0.0, 0.0], "reason": ""}
    again = Steered(WISH._replace(stamp_s=5.0), Velocity(0.012), "")
    assert list(record.look(again, 5.0)) == []


def test_a_change_waits_for_its_time_and_is_not_lost() -> None:
    record, times = SteeringRecord(), list[float]()
    for tick in range(51):
        now_s = 0.02 * tick
        if list(record.look(Steered(WISH, Velocity(min(0.6, 0.012 * tick)), ""), now_s)):
            times.append(now_s)
    assert all(later - earlier >= NOTE_S - 1e-9 for earlier, later in pairwise(times))
    assert len(times) == 11
    assert list(record.look(Steered(WISH, Velocity(0.6), ""), 9.0)) == []


def test_a_wish_that_grows_old_is_one_note() -> None:
    record, notes = SteeringRecord(), 0
    for tick in range(100):
        notes += len(list(record.look(Steered(WISH, NEUTRAL, f"asked {tick} s ago"), 0.2 * tick)))
    assert notes == 1


def test_what_no_json_can_carry_is_noted_as_nothing() -> None:
    record = SteeringRecord()
    ask = VelocityAsk(Velocity(float("nan")), 1.0, "command")
    ((text, data),) = record.look(Steered(ask, NEUTRAL, "not a number"), 1.0)
    assert data["asked"] is None
    assert text.endswith("(not a number)")
    json.dumps(data, allow_nan=False)
    ((text, data),) = record.look(Steered(None, NEUTRAL, "nobody"), 2.0)
    assert (data["asked"], data["source"]) == (None, "")
    assert "nobody asks" in text
