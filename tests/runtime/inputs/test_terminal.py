"""The terminal is read key by key, and left as it was, however the run ends."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.core.levels import OperatorAction
from supervisor.runtime.inputs.keys import RELEASED_S
from supervisor.runtime.inputs.terminal import Terminal

ROOT = Path(__file__).resolve().parents[3]
START, STOP = OperatorAction.START, OperatorAction.STOP

PROGRAM = """
import os, signal, sys, time
from supervisor.runtime.inputs.terminal import Terminal
how = sys.argv[1]
terminal = Terminal(0)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("ready", flush=True)
began_s = time.monotonic()
was_lost = False
while time.monotonic() - began_s < 20.0:
    for action in terminal.poll(time.monotonic()):
        print("pressed", action.value, flush=True)
        # What is under way in a terminal is lost when the program ends before it was read.
        while how in ("raise", "return", "close") and not os.path.exists(sys.argv[2]):
            time.sleep(0.005)
        if how == "raise":
            raise RuntimeError("broken")
        if how == "return":
            sys.exit(0)
        if how == "close":
            terminal.close()
            os._exit(0)
    if not terminal.is_there and not was_lost:
        was_lost = True
        with open(sys.argv[2], "w") as file:
            file.write("lost")
        break
    time.sleep(0.005)
"""


class Session:
    """A program in a terminal of its own, as a shell would start it."""

    def __init__(self, how: str, told: Path) -> None:
        self.pid, self.ours = pty.fork()
        if not self.pid:
            os.chdir(ROOT)
            os.execv(sys.executable, [sys.executable, "-c", PROGRAM, how, str(told)])
        self.told = told
        self.text = ""

    def wait_for(self, text: str) -> None:
        until_s = time.monotonic() + 20.0
        while text not in self.text:
            assert time.monotonic() < until_s, self.text
            if select.select([self.ours], [], [], 0.05)[0]:
                try:
                    self.text += os.read(self.ours, 1000).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"the program ended: {self.text!r}") from None

    def wait_for_mode(self, is_plain: bool) -> None:
        until_s = time.monotonic() + 20.0
        while self.is_plain is not is_plain:
            assert time.monotonic() < until_s
            time.sleep(0.005)

    @property
    def is_plain(self) -> bool:
        """Whether the terminal gathers lines and echoes them, as a shell leaves it."""
        flags = termios.tcgetattr(self.ours)[3]
        return flags & (termios.ICANON | termios.ECHO) == termios.ICANON | termios.ECHO

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def type_until(self, keys: bytes, text: str) -> None:
        """Type again and again until the program says something.

        What was typed before it looked is thrown away, and that comes right after its mode is set.
        """
        until_s = time.monotonic() + 20.0
        while text not in self.text:
            assert time.monotonic() < until_s, self.text
            self.type(keys)
            time.sleep(0.1)
            if select.select([self.ours], [], [], 0.0)[0]:
                self.text += os.read(self.ours, 1000).decode(errors="replace")

    def wait_stopped(self) -> None:
        os.waitpid(self.pid, os.WUNTRACED)

    def end(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            self.pid = 0
        if self.ours >= 0:
            os.close(self.ours)


@pytest.fixture
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    made = Session(request.param, tmp_path / "told")
    made.wait_for("ready")
    made.wait_for_mode(False)
    yield made
    made.end()


@pytest.mark.parametrize("session", ["raise", "return", "close"], indirect=True)
def test_the_terminal_is_left_as_it_was(session: Session) -> None:
    session.type_until(b" ", "pressed stop")
    session.told.write_text("go on")
    session.wait_for_mode(True)
    assert " pressed" not in session.text


@pytest.mark.parametrize("session", ["wait"], indirect=True)
def test_a_terminated_run_leaves_the_terminal_as_it_was(session: Session) -> None:
    os.kill(session.pid, signal.SIGTERM)
    session.wait_for_mode(True)


@pytest.mark.parametrize("session", ["wait"], indirect=True)
def test_a_suspended_run_gives_the_terminal_back_and_takes_it_again(session: Session) -> None:
    session.type(b"\x1a")
    session.wait_stopped()
    assert session.is_plain
    os.kill(session.pid, signal.SIGCONT)
    session.wait_for_mode(False)
    session.type_until(b" ", "pressed stop")


@pytest.mark.parametrize("session", ["wait"], indirect=True)
def test_a_run_that_was_stopped_from_outside_takes_the_terminal_again(session: Session) -> None:
    os.kill(session.pid, signal.SIGSTOP)
    session.wait_stopped()
    attributes = termios.tcgetattr(session.ours)
    attributes[3] |= termios.ICANON | termios.ECHO
    termios.tcsetattr(session.ours, termios.TCSANOW, attributes)
    os.kill(session.pid, signal.SIGCONT)
    session.wait_for_mode(False)


@pytest.mark.parametrize("session", ["wait"], indirect=True)
def test_a_closed_terminal_is_noticed(session: Session, tmp_path: Path) -> None:
    os.close(session.ours)
    session.ours = -1
    os.waitpid(session.pid, 0)
    assert (tmp_path / "told").read_text() == "lost"


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A pseudo-terminal of which this process pretends to be the foreground."""
    ours, theirs = pty.openpty()
    monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: os.fstat(descriptor) and os.getpgrp())
    yield ours, theirs
    for descriptor in (ours, theirs):
        try:
            os.close(descriptor)
        except OSError:
            continue


def poll(terminal: Terminal, now_s: float) -> list[OperatorAction]:
    """One poll, once what was typed has arrived."""
    select.select([terminal._descriptor], [], [], 0.2)
    return terminal.poll(now_s)


def test_keys_typed_before_the_start_are_no_presses(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    os.write(ours, b"s\ns\n")
    terminal = Terminal(theirs)
    select.select([theirs], [], [], 0.2)
    assert terminal.poll(1.0) == []
    assert terminal.poll(1.02) == []
    os.write(ours, b"s")
    assert poll(terminal, 1.1 + RELEASED_S) == [START]
    terminal.close()


def test_a_key_counts_as_held_while_it_is_repeated(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    terminal = Terminal(theirs)
    terminal.poll(1.0)
    assert not terminal.is_held(1.0)
    os.write(ours, b"d")
    assert poll(terminal, 2.0) == []
    assert [terminal.is_held(now_s) for now_s in (2.0, 1.99 + RELEASED_S, 2.0 + RELEASED_S)] == [True, True, False]
    terminal.close()


def test_a_terminal_in_whose_background_we_are_is_left_alone(
    ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    before = termios.tcgetattr(theirs)
    foreground = [os.getpgrp() + 1]
    monkeypatch.setattr(os, "tcgetpgrp", lambda descriptor: foreground[0])
    terminal = Terminal(theirs)
    os.write(ours, b" \n")
    assert poll(terminal, 1.0) == []
    assert terminal.is_there
    assert termios.tcgetattr(theirs) == before
    foreground[0] = os.getpgrp()
    terminal.poll(2.0)
    os.write(ours, b" ")
    assert poll(terminal, 2.1) == [STOP]
    terminal.close()
    assert termios.tcgetattr(theirs) == before


def test_a_hang_up_is_a_lost_terminal(ends: tuple[int, int]) -> None:
    ours, theirs = ends
    terminal = Terminal(theirs)
    terminal.poll(1.0)
    os.close(ours)
    assert poll(terminal, 1.02) == []
    assert not terminal.is_there
    assert not terminal.is_held(1.02)
    assert terminal.poll(1.04) == []
    terminal.close()


def test_the_signal_of_a_hang_up_is_a_lost_terminal(ends: tuple[int, int]) -> None:
    previous = signal.getsignal(signal.SIGHUP)
    terminal = Terminal(ends[1])
    os.kill(os.getpid(), signal.SIGHUP)
    assert not terminal.is_there
    terminal.close()
    terminal.close()
    assert signal.getsignal(signal.SIGHUP) is previous


def test_a_descriptor_that_is_gone_is_a_lost_terminal(ends: tuple[int, int]) -> None:
    terminal = Terminal(ends[1])
    terminal.poll(1.0)
    os.close(ends[1])
    assert terminal.poll(1.02) == []
    assert not terminal.is_there
    terminal.close()


def test_suspending_gives_the_terminal_back_first(ends: tuple[int, int]) -> None:
    before = termios.tcgetattr(ends[1])
    seen: list[bool] = []
    terminal = Terminal(ends[1], lambda: seen.append(termios.tcgetattr(ends[1]) == before))
    terminal.poll(1.0)
    assert termios.tcgetattr(ends[1]) != before
    os.kill(os.getpid(), signal.SIGTSTP)
    assert seen == [True]
    terminal.poll(2.0)
    assert termios.tcgetattr(ends[1]) != before
    terminal.close()
