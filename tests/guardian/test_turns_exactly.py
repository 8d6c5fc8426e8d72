"""When the round of a stop changes, to the instant."""

from __future__ import annotations

import math

import pytest

from supervisor.core.stop_frames import BusStop
from supervisor.guardian.turns import Turns

CUT = ((b"cut 0",), (b"cut 1",), (b"cut 2",))
DAMP = ((b"damp 0",), (b"damp 1",))
BOTH = BusStop("leg", "datagram", "/leg", False, 0.25, CUT, DAMP)


def said(turns: Turns, now_s: float) -> list[bytes]:
    return [turn[0] for _, turn in turns.take((), now_s)]


def test_cut_begins_at_its_time_and_not_after_it() -> None:
    assert said(Turns([BOTH], 0.5, 1.0), math.nextafter(1.5, 0.0)) == [b"damp 0"]
    assert said(Turns([BOTH], 0.5, 1.0), 1.5) == [b"cut 0"]


def test_the_round_of_cut_begins_with_its_first_turn_although_damping_was_at_another() -> None:
    turns = Turns([BOTH], 0.25, 1.0)
    assert [said(turns, now_s) for now_s in (1.0, 1.25, 1.5, 1.75, 2.0)] == [
        [b"damp 0"], [b"cut 0"], [b"cut 1"], [b"cut 2"], [b"cut 0"],
    ]  # fmt: skip


@pytest.mark.parametrize(("now_s", "wait_s"), [(1.0, 0.0), (1.25, 0.0), (0.5, 0.5)])
def test_it_waits_until_the_next_is_due(now_s: float, wait_s: float) -> None:
    assert Turns([BOTH], 0.5, 1.0).wait_s(now_s) == wait_s
    assert Turns([], 0.5, 1.0).wait_s(now_s) == math.inf


def test_it_says_when_it_began_and_when_it_cuts() -> None:
    turns = Turns([BOTH], 0.5, 1.0)
    assert (turns.began_s, turns.cut_s) == (1.0, 1.5)
