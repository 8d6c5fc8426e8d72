"""The guardian's loop: what it hears, what it echoes and keeps, and what it stops for."""

from __future__ import annotations

import math
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.levels import Level
from supervisor.guardian.duty import ECHO_S
from supervisor.guardian.latch import Latch, Left, read_latch
from supervisor.guardian.messages import KEY_BYTES, Kind, Tokens, beat_body, hello_body, sealed
from supervisor.guardian.watch import Fault, Phase
from tests.guardian.beats import CHECKING, DISARMED, PERIOD_S, RUNNING, WINDOW_S, A, beat
from tests.guardian.duty_bench import DAMP_S, TOKENS, Bench, is_killed

pytestmark = pytest.mark.usefixtures("still")


# While all is well


def test_it_echoes_what_it_hears(bench: Bench) -> None:
    bench.start()
    for _ in range(20):
        bench.beat(*RUNNING)
    echoes = bench.echoes()
    assert len(echoes) == pytest.approx(24 * PERIOD_S / ECHO_S, abs=2)
    assert echoes[-1].phase == Phase.GUARDING
    assert (echoes[-1].fault, echoes[-1].is_latched) == (0, False)
    assert bench.number - ECHO_S / PERIOD_S <= echoes[-1].sequence <= bench.number
    assert bench.leg.turns == []


def test_beats_that_come_while_it_stands_still_right_after_its_look_at_the_clock_are_no_burst(bench: Bench) -> None:
    bench.start()

    def meanwhile() -> None:
        for _ in range(12):
            bench.now_s += PERIOD_S
            bench.number += 1
            bench.say(sealed(TOKENS, beat_body(beat(bench.number, *RUNNING, stamp_s=bench.now_s))))

    for _ in range(5):
        bench.then = meanwhile
        bench.duty.step()
        assert bench.duty.watch.fault is Fault.NONE
        assert bench.duty.watch.silence_s == 0.0
    assert bench.duty.watch.sequence == bench.number


def test_beats_for_which_there_was_no_time_are_a_burst(bench: Bench) -> None:
    bench.start()
    for _ in range(5):
        bench.number += 1
        bench.say(sealed(TOKENS, beat_body(beat(bench.number, *RUNNING))))
    bench.duty.step()
    assert bench.duty.watch.fault is Fault.EARLY


def test_a_control_process_that_does_not_listen_does_not_hold_it_up(bench: Bench) -> None:
    bench.start()
    for _ in range(3000):
        bench.beat(*RUNNING)
    assert bench.duty.watch.phase is Phase.GUARDING


def test_what_is_on_disk_follows_what_may_be_on(bench: Bench) -> None:
    bench.start(DISARMED)
    assert bench.keeper._newest == (Left.CLEAR, Fault.NONE)
    bench.beat(*CHECKING)
    assert bench.keeper._newest == (Left.LIVE, Fault.NONE)
    bench.beat(*DISARMED)
    assert bench.keeper._newest == (Left.CLEAR, Fault.NONE)
    assert bench.left() == read_latch(bench.latch)


def test_before_the_first_beat_nothing_is_written(bench: Bench) -> None:
    bench.hello()
    assert bench.left() == Latch(Left.CLEAR)


def test_a_latch_of_an_earlier_run_stays_until_it_is_reset(tmp_path: Path) -> None:
    bench = Bench(tmp_path, is_latched=True)
    bench.hello()
    bench.beat(A.STOPPED, Level.CUT, is_at_rest=True)
    assert bench.keeper._newest is None
    bench.beat(*DISARMED)
    assert bench.keeper._newest == (Left.CLEAR, Fault.NONE)
    bench.close()


def test_a_farewell_is_the_end_and_leaves_it_clear(bench: Bench) -> None:
    bench.start()
    bench.beat(*DISARMED)
    bench.beat(*DISARMED, kind=Kind.FAREWELL)
    bench.duty.run()
    assert bench.duty.is_over(bench.now_s)
    assert bench.left().left is Left.CLEAR
    assert bench.duty.report() == {"guardian": "nothing was found", "fault": 0, "beats": 6}


def test_a_farewell_that_waits_in_the_socket_of_a_process_that_has_ended_is_heard(bench: Bench) -> None:
    bench.start(DISARMED)
    bench.number += 1
    bench.say(sealed(TOKENS, beat_body(beat(bench.number, kind=Kind.FAREWELL))))
    bench.control.close()
    bench.process.kill()
    bench.process.wait()
    bench.now_s += PERIOD_S
    bench.duty.step()
    assert bench.duty.watch.phase is Phase.RELEASED


def test_a_farewell_behind_an_echo_that_nobody_read_is_heard(bench: Bench) -> None:
    bench.start(DISARMED, DISARMED)
    # The other end closes with something unread: this end is told of a reset before it can read on.
    bench.duty._echo()
    bench.number += 1
    bench.say(sealed(TOKENS, beat_body(beat(bench.number, kind=Kind.FAREWELL))))
    bench.control.close()
    bench.now_s += PERIOD_S
    bench.duty.step()
    assert bench.duty.watch.phase is Phase.RELEASED


# Faults


def test_silence_damps_then_cuts_and_kills_what_hangs(bench: Bench) -> None:
    bench.start()
    bench.wait(WINDOW_S + 0.001)
    assert bench.leg.turns == [(b"damp",)]
    assert is_killed(bench)
    bench.wait(DAMP_S + 0.02)
    assert bench.leg.turns[:10] == [(b"damp",)] * 10
    assert bench.leg.turns[-2:] == [(b"cut",)] * 2
    assert bench.told[0]["guardian"] == "the control process is silent: DAMP, then CUT"
    assert bench.told[0]["was_live"] is True
    assert bench.left() == read_latch(bench.latch)
    assert (read_latch(bench.latch).left, read_latch(bench.latch).fault) == (Left.STOPPED, Fault.SILENT)


def test_the_frames_go_out_before_anything_else(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    bench.start()
    monkeypatch.setattr(bench.leg, "send", lambda turn: order.append("frames"))
    monkeypatch.setattr(bench.keeper, "post", lambda *args: order.append("latch"))
    monkeypatch.setattr(bench.duty, "_tell", lambda content: order.append("told"))
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *args: order.append("killed"))
    order.clear()
    bench.beat(*RUNNING, evaluated=0)
    assert order == ["killed", "frames", "latch", "told"]


def test_a_process_that_has_ended_is_stopped_for_at_once(bench: Bench) -> None:
    bench.start()
    bench.process.kill()
    bench.process.wait()
    bench.duty.step()
    assert bench.leg.turns == [(b"damp",)]
    assert bench.duty.watch.fault is Fault.GONE


def test_a_socket_that_is_closed_is_stopped_for_at_once(bench: Bench) -> None:
    bench.start()
    bench.control.close()
    bench.duty.step()
    assert bench.duty.watch.fault is Fault.GONE


@pytest.mark.parametrize("standing", [DISARMED, (A.STOPPED, Level.CUT)])
def test_motors_that_are_off_or_cut_are_cut(bench: Bench, standing: Any) -> None:
    bench.start(DISARMED, standing)
    bench.control.close()
    bench.duty.step()
    assert bench.leg.turns == [(b"cut",)]
    assert bench.told[0]["guardian"].endswith(": CUT")


def test_a_token_that_is_wrong_is_a_fault(bench: Bench) -> None:
    bench.start()
    bench.say(sealed(Tokens(b"l" * KEY_BYTES), beat_body(beat(bench.number + 1, *RUNNING))))
    bench.duty.step()
    assert bench.duty.watch.fault is Fault.TOKEN
    assert is_killed(bench)


def test_what_comes_before_the_hello_is_a_fault_and_nobody_can_be_killed(bench: Bench) -> None:
    bench.beat(*DISARMED)
    assert bench.duty.watch.fault is Fault.SEQUENCE
    assert bench.leg.turns == [(b"cut",)]
    assert bench.process.poll() is None


@pytest.mark.parametrize("descriptors", [0, 2])
def test_a_hello_without_what_it_names_is_a_fault(bench: Bench, descriptors: int) -> None:
    bench.say(sealed(TOKENS, hello_body(())), [bench.pidfd] * descriptors)
    bench.duty.step()
    assert bench.duty.watch.fault is Fault.SEQUENCE


def test_a_second_hello_is_a_fault(bench: Bench) -> None:
    bench.start()
    bench.hello()
    assert bench.duty.watch.fault is Fault.TOKEN


def test_a_process_that_is_gone_already_is_not_killed_twice(bench: Bench) -> None:
    bench.start()
    bench.process.kill()
    bench.process.wait()
    bench.say(b"nonsense")
    bench.duty.step()
    assert bench.duty.watch.fault is Fault.TOKEN


def test_a_fault_while_the_motors_were_off_latches_nothing_for_the_next_run(bench: Bench) -> None:
    bench.start(DISARMED)
    bench.control.close()
    bench.duty.step()
    assert bench.leg.turns == [(b"cut",)]
    assert bench.left().left is Left.CLEAR


# What it tells, to the instant and to the letter


def test_it_echoes_when_it_is_time_and_not_before(tmp_path: Path) -> None:
    with closing(Bench(tmp_path, now_s=0.0)) as bench:
        bench.hello()
        for now_s in (0.0, math.nextafter(ECHO_S, 0.0), ECHO_S):
            bench.now_s = now_s
            bench.beat(*DISARMED, after_s=0.0)
        assert [echo.sequence for echo in bench.echoes()] == [1, 3]


def test_it_echoes_nothing_but_beats(bench: Bench) -> None:
    bench.start(DISARMED)
    assert len(bench.echoes()) == 1
    bench.wait(10 * ECHO_S)
    assert bench.echoes() == []


def test_it_tells_what_it_found_and_how_soon_it_acted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def send_slowly(turn: object) -> bool:
        bench.now_s += 0.25
        return True

    bench.start()
    bench.wait(0.004)
    monkeypatch.setattr(bench.leg, "send", send_slowly)
    bench.beat(*RUNNING, evaluated=0)
    (told,) = bench.told
    assert told == bench.duty.report() == {
        "guardian": "the control process did not evaluate all guards: DAMP, then CUT",
        "fault": Fault.UNEVALUATED,
        "beats": 4,
        "silence_s": pytest.approx(0.004),
        "reaction_s": pytest.approx(0.25),
        "was_live": True,
    }  # fmt: skip


def test_what_was_found_and_not_yet_acted_upon_is_told_as_that(bench: Bench) -> None:
    bench.duty.watch.stop(Fault.GONE)
    assert bench.duty.report() == {
        "guardian": "the control process has ended without a farewell: CUT",
        "fault": Fault.GONE,
        "beats": 0,
        "silence_s": 0.0,
        "reaction_s": 0.0,
        "was_live": False,
    }
