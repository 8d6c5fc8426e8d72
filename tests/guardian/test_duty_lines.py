"""The guardian's loop with lines: who may write to them, and when."""

from __future__ import annotations

import math
import os
import signal
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.guardian.duty import LINE_WAIT_S, PENDING_S
from tests.guardian.beats import DISARMED, RUNNING
from tests.guardian.duty_bench import ARM, LEG, Bench

pytestmark = pytest.mark.usefixtures("still")

TAIL = replace(ARM, bus="tail", cut=((b"tail off",),))


def test_a_line_is_written_to_once_its_owner_is_gone(two: Bench) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    two.start(arm=writer)
    os.close(writer)
    two.process.kill()
    two.process.wait()
    two.duty.step()
    assert os.read(reader, 64) == b"off"
    os.close(reader)


def test_a_line_whose_owner_will_not_go_is_written_to_all_the_same(two: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    two.start(arm=writer)
    os.close(writer)
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *args: None)
    two.beat(*RUNNING, evaluated=0)
    assert two.leg.turns == [(b"damp",)]
    assert two.duty._wait_s() == PENDING_S
    with pytest.raises(BlockingIOError):
        os.read(reader, 64)
    two.wait(LINE_WAIT_S + 0.001)
    assert os.read(reader, 64) == b"off"
    os.close(reader)


def test_lines_of_others_are_let_go(two: Bench) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    two.start(arm=writer, leg=writer, other=writer)
    os.close(writer)
    two.duty.close()
    # No descriptor of the writing end is left anywhere.
    assert os.read(reader, 64) == b""
    os.close(reader)


def test_a_guardian_without_a_line_is_silent_so_that_nothing_can_be_armed(two: Bench) -> None:
    two.start(DISARMED, DISARMED)
    for _ in range(20):
        two.beat(*DISARMED)
    assert two.echoes() == []
    assert two.told == [{"guardian": "silent, so nothing can be armed: not handed over: arm"}]
    two.beat(*DISARMED, evaluated=0)
    assert two.leg.turns == [(b"cut",)]


def test_every_line_that_was_not_handed_over_is_named(tmp_path: Path) -> None:
    with closing(Bench(tmp_path, (LEG, ARM, TAIL))) as bench:
        bench.hello()
        assert bench.told == [{"guardian": "silent, so nothing can be armed: not handed over: arm, tail"}]


def test_each_line_is_written_to_by_the_descriptor_that_came_under_its_name(tmp_path: Path) -> None:
    (arm, to_arm), (tail, to_tail) = os.pipe(), os.pipe()
    with closing(Bench(tmp_path, (LEG, ARM, TAIL))) as bench:
        bench.start(tail=to_tail, arm=to_arm)
        bench.process.kill()
        bench.process.wait()
        bench.duty.step()
    os.close(to_arm)
    os.close(to_tail)
    assert (os.read(arm, 64), os.read(tail, 64)) == (b"off", b"tail off")
    os.close(arm)
    os.close(tail)


def test_an_owner_that_will_not_go_has_its_time_and_no_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *args: None)
    with closing(Bench(tmp_path, (LEG, ARM), now_s=0.0)) as bench:
        bench.hello(arm=writer)
        bench.say(b"nonsense")
        bench.duty.step()
        bench.now_s = math.nextafter(LINE_WAIT_S, 0.0)
        bench.duty.step()
        with pytest.raises(BlockingIOError):
            os.read(reader, 64)
        bench.now_s = LINE_WAIT_S
        bench.duty.step()
        assert os.read(reader, 64) == b"off"
    os.close(writer)
    os.close(reader)
