"""The guardian's loop, with a clock, a process and buses of the test's own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.errors import BusError
from supervisor.core.levels import Level
from supervisor.core.stop_frames import BusStop, StopFrames, Turn
from supervisor.guardian import duty as duty_module
from supervisor.guardian.duty import ALONE_S, CUT_S, ECHO_S, IDLE_S, LINE_WAIT_S, PENDING_S, Duty, opened_handles
from supervisor.guardian.latch import Latch, LatchFile, LatchKeeper, Left, read_latch
from supervisor.guardian.messages import (
    ECHO_BYTES,
    KEY_BYTES,
    Kind,
    Tokens,
    beat_body,
    hello_body,
    read_echo,
    sealed,
)
from supervisor.guardian.setup import GuardianSetup
from supervisor.guardian.watch import Fault, Phase
from tests.guardian.beats import ARMED, CHECKING, DISARMED, LEVELS, PERIOD_S, RUNNING, WINDOW_S, A, beat

KEY = b"k" * KEY_BYTES
TOKENS = Tokens(KEY)
DAMP_S = 0.05
LEG = BusStop("leg", "datagram", "/leg", False, 0.005, ((b"cut",),), ((b"damp",),))
ARM = BusStop("arm", "line", "/arm", False, 0.005, ((b"off",),))


class Bus:
    """A handle that writes down what is sent."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.is_pending = False
        self.is_closed = False

    def send(self, turn: Turn) -> bool:
        self.turns.append(turn)
        return True

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A guardian, and the control process that it hears."""

    def __init__(self, folder: Path, stops: tuple[BusStop, ...] = (LEG,), *, is_latched: bool = False) -> None:
        self.now_s = 100.0
        self.number = 0
        self.told: list[dict[str, Any]] = []
        self.parent = 1
        self.control, guardian = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        self.buses = [None if stop.kind == "line" else Bus() for stop in stops]
        self.latch = folder / "latch"
        self.keeper = LatchKeeper([LatchFile(self.latch)])
        setup = GuardianSetup(
            guardian.detach(), KEY, WINDOW_S, PERIOD_S, LEVELS, DAMP_S, StopFrames(stops), (str(self.latch),)
        )
        self.duty = Duty(
            setup,
            self.buses,
            self.keeper,
            is_latched=is_latched,
            tell=lambda content: self.told.append(dict(content)),
            clock_s=lambda: self.now_s,
            parent=lambda: self.parent,
        )
        # A process that does nothing but live.
        self.process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        self.pidfd = os.pidfd_open(self.process.pid)

    @property
    def leg(self) -> Bus:
        bus = self.buses[0]
        assert bus is not None
        return bus

    def say(self, raw: bytes, descriptors: list[int] | None = None) -> None:
        socket.send_fds(self.control, [raw], descriptors or [])

    def hello(self, **lines: int) -> None:
        self.say(sealed(TOKENS, hello_body(tuple(lines))), [self.pidfd, *lines.values()])
        self.duty.step()

    def beat(self, *standing: Any, after_s: float = PERIOD_S, **changes: Any) -> None:
        self.now_s += after_s
        self.number += 1
        self.say(sealed(TOKENS, beat_body(beat(self.number, *standing, **changes))))
        self.duty.step()

    def start(self, *standings: Any, **lines: int) -> None:
        self.hello(**lines)
        for standing in standings or (DISARMED, CHECKING, ARMED, RUNNING):
            self.beat(*standing)

    def wait(self, seconds: float, step_s: float = 0.001) -> None:
        """Let time pass; nothing is said."""
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            self.duty.step()

    def echoes(self) -> list[Any]:
        found = []
        while True:
            try:
                raw = self.control.recv(ECHO_BYTES)
            except BlockingIOError:
                return found
            body = TOKENS.body(raw)
            assert body is not None
            found.append(read_echo(body))

    def left(self) -> Latch:
        """What is on disk once everything is written."""
        self.keeper.close()
        return read_latch(self.latch)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.pidfd)
        self.control.close()
        self.duty.close()
        self.keeper.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is the test's: the guardian looks, and does not wait."""
    select = duty_module.select.select
    monkeypatch.setattr(duty_module.select, "select", lambda read, write, error, wait_s: select(read, write, error, 0))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Bench]:
    """With a line beside the bus."""
    made = Bench(tmp_path, (LEG, ARM))
    yield made
    made.close()


def is_killed(bench: Bench) -> bool:
    return bench.process.wait(5.0) == -signal.SIGKILL


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


# Lines


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


# How long


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


# How it waits


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
