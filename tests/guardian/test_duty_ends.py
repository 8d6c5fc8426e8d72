"""The guardian's loop: how long it goes on, and how it waits."""

from __future__ import annotations

import math
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.core.errors import BusError
from supervisor.core.stop_frames import BusStop, StopFrames
from supervisor.guardian import duty as duty_module
from supervisor.guardian.duty import ALONE_S, CUT_S, IDLE_S, PENDING_S, opened_handles
from supervisor.guardian.latch import Latch, Left
from supervisor.guardian.messages import Kind, beat_body, sealed
from supervisor.guardian.setup import GuardianSetup
from supervisor.guardian.watch import Phase
from tests.guardian.beats import DISARMED, LEVELS, PERIOD_S, WINDOW_S, beat
from tests.guardian.duty_bench import ARM, DAMP_S, KEY, LEG, TOKENS, Bench, Bus

pytestmark = pytest.mark.usefixtures("still")


def test_cut_goes_on_until_it_is_told_to_end_and_a_little_longer(bench: Bench) -> None:
    bench.start(DISARMED)
    bench.control.close()
    bench.duty.step()
    bench.wait(60.0, 0.01)
    assert not bench.duty.is_over(bench.now_s)
    bench.duty.is_told = True
    assert bench.duty.is_over(bench.now_s)
    assert len(bench.leg.turns) > 5000


def test_told_at_once_it_still_damps_and_cuts(bench: Bench) -> None:
    bench.start()
    bench.duty.is_told = True
    bench.control.close()
    bench.duty.step()
    assert not bench.duty.is_over(bench.now_s + DAMP_S + CUT_S - 0.001)
    assert bench.duty.is_over(bench.now_s + DAMP_S + CUT_S + 0.001)


def test_left_alone_it_goes_on_for_a_while(bench: Bench) -> None:
    bench.start(DISARMED)
    bench.control.close()
    bench.duty.step()
    bench.parent = 2
    assert not bench.duty.is_over(bench.now_s + ALONE_S - 0.001)
    assert bench.duty.is_over(bench.now_s + ALONE_S)


def test_it_does_not_end_while_motors_may_be_on(bench: Bench) -> None:
    bench.start()
    bench.duty.is_told = True
    bench.parent = 2
    assert not bench.duty.is_over(bench.now_s)
    bench.beat(*DISARMED)
    assert bench.duty.is_over(bench.now_s)
    bench.duty.is_told = False
    assert not bench.duty.is_over(bench.now_s)


@pytest.mark.parametrize(("is_told", "parent", "is_over"), [(False, 1, False), (True, 1, True), (False, 2, True)])
def test_before_anybody_has_begun_it_ends_when_told_or_alone(
    bench: Bench, is_told: bool, parent: int, is_over: bool
) -> None:
    bench.duty.is_told, bench.parent = is_told, parent
    assert bench.duty.is_over(bench.now_s) is is_over


def test_a_control_process_that_could_not_start_is_the_end(bench: Bench) -> None:
    bench.control.close()
    bench.duty.run()
    assert bench.duty.watch.phase is Phase.RELEASED
    assert bench.left() == Latch(Left.CLEAR)


def test_run_goes_on_until_it_is_over(bench: Bench) -> None:
    bench.start(DISARMED)
    for _ in range(3):
        bench.number += 1
        bench.say(sealed(TOKENS, beat_body(beat(bench.number))))
    bench.number += 1
    bench.say(sealed(TOKENS, beat_body(beat(bench.number, kind=Kind.FAREWELL))))
    bench.now_s += 4 * PERIOD_S
    bench.duty.run()
    assert bench.duty.watch.sequence == bench.number


def test_run_ends_when_it_was_told_to(bench: Bench) -> None:
    bench.duty.is_told = True
    bench.duty.run()
    assert bench.duty.watch.phase is Phase.WAITING


def test_it_waits_no_longer_than_it_may(bench: Bench) -> None:
    assert bench.duty._wait_s() == min(IDLE_S, bench.duty.watch.slice_s)
    bench.start()
    assert bench.duty._wait_s() == bench.duty.watch.slice_s
    bench.wait(WINDOW_S + 0.001)
    assert bench.duty._wait_s() == pytest.approx(LEG.spacing_s, abs=0.0011)
    bench.leg.is_pending = True
    assert bench.duty._wait_s() == PENDING_S


def test_what_found_no_room_is_tried_again(bench: Bench) -> None:
    bench.start()
    bench.wait(WINDOW_S + 0.001)
    bench.leg.is_pending = True
    bench.wait(0.001)
    assert bench.leg.turns == [(b"damp",), ()]


def test_nothing_is_left_open(bench: Bench) -> None:
    bench.start()
    bench.duty.close()
    bench.duty.close()
    assert bench.leg.is_closed


def test_a_bus_that_cannot_be_opened_closes_those_that_were() -> None:
    made: list[Bus] = []

    def open_one(stop: BusStop) -> Bus | None:
        if stop.kind == "line":
            return None
        if len(made) == 2:
            raise BusError("no")
        made.append(Bus())
        return made[-1]

    setup = GuardianSetup(-1, KEY, WINDOW_S, PERIOD_S, LEVELS, DAMP_S, StopFrames((LEG, ARM, LEG)), ())
    assert opened_handles(setup, open_one) == [made[0], None, made[1]]
    before = made.pop()
    with pytest.raises(BusError):
        opened_handles(setup, open_one)
    assert (before.is_closed, made[-1].is_closed) == (False, True)


def test_nobody_has_told_it_to_end_before_anybody_did(bench: Bench) -> None:
    assert bench.duty.is_told is False


@pytest.mark.parametrize(("is_told", "goes_on_s"), [(True, CUT_S), (False, ALONE_S)])
def test_it_goes_on_for_its_time_and_no_longer(tmp_path: Path, is_told: bool, goes_on_s: float) -> None:
    with closing(Bench(tmp_path, now_s=0.0)) as bench:
        bench.say(b"nonsense")
        bench.duty.step()
        bench.duty.is_told, bench.parent = is_told, 2
        assert bench.duty.is_over(math.nextafter(goes_on_s, 0.0)) is False
        assert bench.duty.is_over(goes_on_s) is True


def test_run_cuts_again_and_again_and_then_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(read: object, write: object, error: object, wait_s: float) -> list[list[int]]:
        bench.now_s += wait_s
        return [[]]

    bench.say(b"nonsense")
    bench.duty.step()
    monkeypatch.setattr(duty_module.select, "select", wait)
    bench.duty.is_told = True
    bench.duty.run()
    assert bench.now_s == pytest.approx(100.0 + CUT_S, abs=LEG.spacing_s)
    assert len(bench.leg.turns) == pytest.approx(CUT_S / LEG.spacing_s, abs=2)


def test_it_waits_for_the_end_of_who_lives(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[tuple[list[int], float]] = []
    look = duty_module.select.select

    def note(read: list[int], write: object, error: object, wait_s: float) -> object:
        waits.append((list(read), wait_s))
        return look(read, write, error, wait_s)

    def step() -> list[tuple[list[int], float]]:
        waits.clear()
        bench.duty.step()
        return waits

    monkeypatch.setattr(duty_module.select, "select", note)
    assert step() == [([], bench.duty.watch.slice_s)]
    bench.start(DISARMED)
    process = bench.duty._process
    assert step() == [([process], bench.duty.watch.slice_s), ([process], 0.0)]
    bench.process.kill()
    bench.process.wait()
    step()
    assert step() == [([], pytest.approx(LEG.spacing_s))]


def test_while_it_guards_it_looks_just_after_silence_was_too_long(bench: Bench) -> None:
    bench.start()
    bench.wait(0.9 * WINDOW_S)
    assert bench.duty._wait_s() == bench.duty.watch.wait_s < bench.duty.watch.slice_s


def test_before_anybody_has_begun_it_looks_whether_it_is_to_end(tmp_path: Path) -> None:
    with closing(Bench(tmp_path, window_s=1.0)) as bench:
        assert bench.duty._wait_s() == IDLE_S


def test_however_much_it_hears_it_looks_in_between(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.start(DISARMED)
    monkeypatch.setattr(duty_module, "DRAIN", 2)
    for sequence in (2, 3, 4):
        bench.say(sealed(TOKENS, beat_body(beat(sequence))))
    bench.now_s += 3 * PERIOD_S
    heard = []
    for _ in range(2):
        bench.duty.step()
        heard.append(bench.duty.watch.sequence)
    assert heard == [3, 4]
