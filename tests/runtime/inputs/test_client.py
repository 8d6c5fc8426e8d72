"""A command finds the supervisor that runs, and says what to do where there is none."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from supervisor.core.errors import LinkError
from supervisor.core.levels import OperatorAction
from supervisor.runtime.inputs import client
from supervisor.runtime.inputs.client import running, send
from supervisor.runtime.inputs.messages import COMMANDS, Answer
from supervisor.runtime.inputs.pressing import Outcome, Press
from supervisor.runtime.inputs.server import CommandServer


def accept(action: OperatorAction, source: str, now_s: float) -> Press:
    return Press(action, source, now_s, Outcome.ACCEPTED, (action.value,))


@contextmanager
def supervisor(robot: str) -> Iterator[CommandServer]:
    """A supervisor that polls in a thread."""
    server = CommandServer(robot, accept, lambda: {"robot": robot})
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.wait(0.002):
            server.poll(time.monotonic())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        is_over.set()
        thread.join()
        server.close()


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "status"])
def test_a_command_reaches_the_only_supervisor(folder: Path, command: str) -> None:
    with supervisor("pup"):
        assert send(command) == Answer("accepted", (command,))


def test_where_several_run_the_robot_must_be_named(folder: Path) -> None:
    with supervisor("pup"), supervisor("my biped"):
        assert set(running()) == {"pup", *(name for name in running() if name.startswith("my_biped-"))}
        with pytest.raises(LinkError, match="several supervisors are running; say which with --robot"):
            send("stop")
        assert send("status", "my biped").status == {"robot": "my biped"}


def test_without_a_supervisor_the_user_is_told_how_to_start_one(folder: Path) -> None:
    with pytest.raises(
        LinkError, match=f"no supervisor of user {os.geteuid()} is running; start one with `handrail run"
    ):
        send("stop")


def test_another_robot_is_told_what_does_run(folder: Path) -> None:
    with supervisor("pup"), pytest.raises(LinkError, match=r"no supervisor of biped of user .* running: pup"):
        send("stop", "biped")


def test_what_a_killed_supervisor_left_behind_is_no_supervisor(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind(str(folder / "pup.socket"))
    left.close()
    assert running() == {}
    with pytest.raises(LinkError, match="no supervisor of pup"):
        send("stop", "pup")


@contextmanager
def impostor(folder: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Somebody who listens in a supervisor's place."""
    folder.mkdir(mode=0o700)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(folder / "pup.socket"))
    listener.listen()

    def serve() -> None:
        with listener.accept()[0] as end:
            end.recv(1000)
            answer(end)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    thread.join()
    listener.close()


def test_an_answer_that_cannot_be_read_is_told(folder: Path) -> None:
    with impostor(folder, lambda end: end.sendall(b"moo")), pytest.raises(LinkError, match="of another version"):
        send("stop", "pup")


def test_a_supervisor_that_ends_meanwhile_is_told(folder: Path) -> None:
    with impostor(folder, lambda end: None), pytest.raises(LinkError, match=r"it has just ended; .*hardware"):
        send("stop", "pup")


def test_a_supervisor_that_hangs_is_told(folder: Path) -> None:
    server = CommandServer("pup", accept, dict)
    with pytest.raises(LinkError, match=r"has not answered for 0.05 s; .*hardware emergency stop"):
        send("stop", timeout_s=0.05)
    server.close()


def test_another_user_in_its_place_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.geteuid()
    with supervisor("pup"):
        monkeypatch.setattr(client, "_PEER", SimpleNamespace(size=12, unpack=lambda raw: (1, user + 1, 1)))
        with pytest.raises(LinkError, match=f"user {user + 1} answers in the place of a supervisor of user {user}"):
            send("stop", "pup")


def test_who_is_refused_before_asking_still_hears_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = CommandServer("pup", accept, dict)
    monkeypatch.setattr(server, "_user", -7)
    connected = client._connected

    def connect_and_be_refused(path: Path, timeout_s: float) -> socket.socket | None:
        end = connected(path, timeout_s)
        server.poll(1.0)
        return end

    monkeypatch.setattr(client, "_connected", connect_and_be_refused)
    assert "takes commands from user -7 only" in send("start", "pup").lines[0]
    server.close()
