from __future__ import annotations

import pytest

from supervisor.core.stop_frames import BusStop
from supervisor.guardian.turns import Turns

CUT = ((b"cut 0",), (b"cut 1",), (b"cut 2",))
DAMP = ((b"damp 0",), (b"damp 1",))
LEG = BusStop("leg", "datagram", "/leg", False, 0.005, CUT, DAMP)
ARM = BusStop("arm", "line", "/arm", False, 0.02, CUT)


def sent(turns: Turns, times_ms: range, barred: frozenset[int] = frozenset()) -> list[tuple[int, int, bytes]]:
    return [
        (time_ms, place, turn[0])
        for time_ms in times_ms
        for place, turn in turns.take(barred, 1.0 + time_ms / 1000.0 + 1e-9)
    ]


def test_damp_comes_first_for_its_time_and_then_cut_from_its_first_turn() -> None:
    turns = Turns([LEG], 0.015, 1.0)
    said = sent(turns, range(0, 40, 5))
    assert [what for _, _, what in said] == [
        b"damp 0", b"damp 1", b"damp 0", b"cut 0", b"cut 1", b"cut 2", b"cut 0", b"cut 1",
    ]  # fmt: skip


def test_without_time_to_damp_cut_comes_at_once() -> None:
    assert sent(Turns([LEG], 0.0, 1.0), range(1)) == [(0, 0, b"cut 0")]


def test_a_bus_whose_motors_cannot_damp_is_cut_at_once_while_others_damp() -> None:
    turns = Turns([LEG, ARM], 1.0, 1.0)
    assert sent(turns, range(1)) == [(0, 0, b"damp 0"), (0, 1, b"cut 0")]


def test_nothing_waits_for_damping_that_nobody_can() -> None:
    assert Turns([ARM], 3.0, 1.0).cut_s == 1.0


def test_each_bus_has_its_own_pace() -> None:
    said = sent(Turns([LEG, ARM], 0.0, 1.0), range(0, 40, 1))
    assert [time for time, place, _ in said if place == 1] == [0, 20]
    assert [time for time, place, _ in said if place == 0] == list(range(0, 40, 5))


def test_a_barred_bus_is_served_as_soon_as_it_is_free() -> None:
    turns = Turns([LEG, ARM], 0.0, 1.0)
    assert [place for _, place, _ in sent(turns, range(3), frozenset({1}))] == [0]
    assert sent(turns, range(3, 4)) == [(3, 1, b"cut 0")]


def test_it_says_how_long_nothing_is_due() -> None:
    turns = Turns([LEG, ARM], 0.0, 1.0)
    assert turns.wait_s(1.0) == 0.0
    sent(turns, range(1))
    assert turns.wait_s(1.0) == pytest.approx(0.005)
    assert turns.wait_s(2.0) == 0.0
    assert Turns([], 0.0, 1.0).wait_s(1.0) == float("inf")
